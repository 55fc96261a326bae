"""An error from SQLite or the system, once or from some moment on: refused, and all is as it was."""

import pytest

from tests.faults.judge import Judge
from tests.faults.moments import CALL, FILE, STEP, TICK
from tests.faults.trial import ALL, chosen

pytestmark = pytest.mark.sampled


def assert_undone_and_proven(judge: Judge, kind: tuple[str, ...], at: int) -> None:
    outcome = judge.stage.run(blow="fail", kinds=kind, at=at)
    assert outcome.struck is not None
    judge.judge(outcome)
    # What failed once did not fail while it was undone: so it was proven that nothing was changed.
    assert "could not be proven" not in outcome.err, outcome


def test_an_error_in_any_step_leaves_the_old_content(judge: Judge) -> None:
    kinds = (CALL, STEP, FILE)
    for at in chosen(judge.stage.moments(kinds), few=5, many=ALL):
        assert_undone_and_proven(judge, kinds, at)


def test_an_error_in_the_middle_of_a_statement_leaves_the_old_content(judge: Judge) -> None:
    for at in chosen(judge.stage.moments((TICK,)), few=2, many=100):
        assert_undone_and_proven(judge, (TICK,), at)


def test_a_disk_that_fails_from_some_moment_on_leaves_the_old_content(judge: Judge) -> None:
    kinds = (CALL, TICK, STEP, FILE)
    for at in chosen(judge.stage.moments(kinds), few=2, many=40):
        outcome = judge.stage.run(blow="fail", kinds=kinds, at=at, lasting=True)
        assert outcome.struck is not None
        judge.judge(outcome, may_be_untidy=True)
