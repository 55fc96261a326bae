"""What a failure leaves, because the disk lets nothing be removed any more, is named to the owner."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from socrates.errors import MigrationError
from socrates.v1.backup import discard, with_notes
from tests.faults.judge import REFUSED, Judge
from tests.faults.moments import CALL, FILE, STEP
from tests.faults.operations import DROP_V1, REPAIR, REPAIR_DAMAGED, RESTORE, UPGRADE, Operation

KINDS = (CALL, STEP, FILE)


@pytest.mark.parametrize(
    "operation", [UPGRADE, RESTORE, DROP_V1, REPAIR, REPAIR_DAMAGED], ids=lambda operation: operation.name
)
def test_a_copy_that_breaks_off_for_good_is_named_beside_the_reason(
    operation: Operation, judge_of: Callable[[Operation], Judge]
) -> None:
    judge = judge_of(operation)
    at = next(number for number, (kind, _) in enumerate(judge.stage.moments(KINDS)) if kind == STEP)
    outcome = judge.stage.run(blow="fail", kinds=KINDS, at=at, lasting=True)
    assert outcome.status == REFUSED, outcome
    reason, *notes = outcome.err.splitlines()
    assert re.search("error of the disk|disk I/O error", reason), outcome
    assert notes, outcome
    assert all("could not be removed" in note for note in notes), outcome
    judge.judge(outcome, may_be_untidy=True)


def test_what_is_left_is_told_of_whichever_error_led_to_the_last_one(tmp_path: Path) -> None:
    def fail() -> None:
        try:
            raise OSError("the disk fails")
        except OSError as error:
            discard(error, [tmp_path, tmp_path / "gone already"])  # a directory is not removed as a file is
            raise MigrationError("it cannot be") from error

    with pytest.raises(MigrationError) as caught:
        fail()
    message, note = with_notes("it cannot be", caught.value).split("\n")
    assert message == "it cannot be"
    assert note.startswith(f"{tmp_path} is left of it and could not be removed")
