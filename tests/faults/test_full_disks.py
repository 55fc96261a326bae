"""A disk that fills up: refused with that reason, and all is as it was."""

import pytest

from tests.faults.judge import DONE, Judge
from tests.faults.moments import CALL, FILE, STEP
from tests.faults.trial import Outcome, chosen

KINDS = (CALL, STEP, FILE)

pytestmark = pytest.mark.sampled


def assert_the_reason_was_told(outcome: Outcome) -> None:
    reasons = ("full", "bytes free", "No space left", *(() if outcome.real_disk else ("disk I/O error", "too large")))
    assert outcome.status == DONE or any(reason in outcome.out + outcome.err for reason in reasons), outcome


def test_a_disk_that_is_full_from_some_moment_on_leaves_the_old_content(judge: Judge) -> None:
    for at in chosen(judge.stage.moments(KINDS), few=3, many=60):
        outcome = judge.stage.run(blow="fill", kinds=KINDS, at=at, left=at % 3 * 4096)
        assert outcome.struck is not None
        judge.judge(outcome)
        assert_the_reason_was_told(outcome)


def test_a_file_that_cannot_grow_leaves_the_old_content(judge: Judge) -> None:
    refused = 0
    for limit in judge.sizes(few=2, many=20):
        outcome = judge.stage.run(size=limit)
        judge.judge(outcome)
        assert_the_reason_was_told(outcome)
        refused += outcome.status != DONE
    assert refused > 0
