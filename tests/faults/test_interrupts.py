"""Ctrl-C: at any line, before any statement and any operation on a file. It is told whether something was done."""

import random
import signal

import pytest

from tests.concurrency.checks import LONG
from tests.faults.judge import Judge
from tests.faults.moments import CALL, FILE, LINE, STEP
from tests.faults.trial import SEED, chosen

KINDS = (CALL, STEP, FILE, LINE)

pytestmark = pytest.mark.sampled


def test_ctrl_c_at_any_moment_leaves_the_old_content_or_the_new_and_says_which(judge: Judge) -> None:
    for at in chosen(judge.stage.moments(KINDS), few=6, many=120):
        outcome = judge.stage.run(blow="interrupt", kinds=KINDS, at=at)
        assert outcome.struck is not None
        judge.judge(outcome)
        assert "could not be proven" not in outcome.err, outcome


def test_ctrl_c_from_outside_leaves_the_old_content_or_the_new_and_says_which(judge: Judge) -> None:
    chance = random.Random(SEED)
    for _ in range(15 if LONG else 1):
        outcome = judge.stage.run(after=chance.uniform(0, judge.seconds), signal=signal.SIGINT)
        judge.judge(outcome, may_break_into_python=True)
