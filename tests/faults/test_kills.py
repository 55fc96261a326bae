"""SIGKILL: whatever the moment, the old content is there or the finished new one, and the work can be done again."""

import random
import signal

import pytest

from tests.concurrency.checks import LONG
from tests.faults.judge import Judge
from tests.faults.moments import FILE, STATEMENT, STEP, TICK
from tests.faults.operations import DATABASE
from tests.faults.trial import SEED, chosen, was_killed

KINDS = (STATEMENT, TICK, STEP, FILE)

pytestmark = pytest.mark.sampled


def test_a_kill_at_any_moment_leaves_the_old_content_or_the_new(judge: Judge) -> None:
    for at in chosen(judge.stage.moments(KINDS), few=8, many=100):
        outcome = judge.stage.run(blow="kill", kinds=KINDS, at=at)
        assert was_killed(outcome), outcome
        judge.judge(outcome)


def test_a_kill_in_the_middle_of_a_write_leaves_the_old_content_or_the_new(judge: Judge) -> None:
    """The system kills at the write that would make a file larger than a limit: of backup, journal or commit."""
    killed = 0
    for limit in judge.sizes(few=2, many=30):
        outcome = judge.stage.run(blow="kill", size=limit)
        killed += was_killed(outcome)
        judge.judge(outcome)
    assert killed > 0


def test_a_kill_from_outside_leaves_the_old_content_or_the_new(judge: Judge) -> None:
    chance = random.Random(SEED)
    for _ in range(15 if LONG else 1):
        judge.judge(judge.stage.run(after=chance.uniform(0, judge.seconds)))


def test_a_kill_while_the_commit_writes_leaves_the_old_content_or_the_new(judge: Judge) -> None:
    for _ in range(8 if LONG else 1):
        judge.judge(judge.stage.run(when_changed=str(judge.stage.directory / DATABASE), signal=signal.SIGKILL))
