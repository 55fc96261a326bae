"""The judge lets nothing pass that may not be: each of these is something that an operation must never leave."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.judge import Judge
from tests.faults.operations import DATABASE, UPGRADE, Operation
from tests.faults.trial import Outcome
from tests.support.migrate import execute

KILLED = Outcome(signal=9)
REFUSED = Outcome(signal=None, status=2, err="error: it cannot be. Nothing was changed.\n")
INTERRUPTED = Outcome(signal=None, status=130, err="interrupted: nothing was changed\n")
DONE = Outcome(signal=None, status=0, out="done")
BACKUP = f"{DATABASE}.backup_20260101T000000Z"


@pytest.fixture
def judge(judge_of: Callable[[Operation], Judge]) -> Judge:
    judge = judge_of(UPGRADE)
    judge.stage.reset()
    return judge


def finish(judge: Judge) -> Path:
    """Leave what a finished upgrade leaves; return the database."""
    judge.stage.run()
    return judge.stage.directory / DATABASE


def lose_a_row(path: Path) -> None:
    execute(path, "DELETE FROM project_requirements")


def lose_an_index(path: Path) -> None:
    execute(path, "DROP INDEX ix_users_archived_at_username")


def tear(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(5 * 4096)
        file.write(bytes(4096))


@pytest.mark.parametrize("harm", [lose_a_row, lose_an_index, tear])
def test_what_is_not_quite_the_new_content_is_found(judge: Judge, harm: Callable[[Path], None]) -> None:
    harm(finish(judge))
    with pytest.raises(Exception, match=r"neither|malformed|assert"):
        judge.judge(KILLED)


def test_what_is_not_quite_the_old_content_is_found(judge: Judge) -> None:
    execute(judge.stage.directory / DATABASE, "UPDATE users SET created_at = ''")
    with pytest.raises(AssertionError, match="neither"):
        judge.judge(KILLED)


@pytest.mark.parametrize("outcome", [REFUSED, INTERRUPTED])
def test_a_lie_about_what_was_changed_is_found(judge: Judge, outcome: Outcome) -> None:
    finish(judge)
    with pytest.raises(AssertionError):
        judge.judge(outcome)


def test_success_without_the_new_content_is_found(judge: Judge) -> None:
    with pytest.raises(AssertionError):
        judge.judge(DONE)


def test_success_without_a_backup_is_found(judge: Judge) -> None:
    finish(judge)
    for backup in judge.stage.directory.glob(f"{DATABASE}.backup_*"):
        backup.unlink()
    with pytest.raises(AssertionError, match="no backup"):
        judge.judge(DONE)


@pytest.mark.parametrize("name", [BACKUP, f"{BACKUP}.partial", f"{DATABASE}-journal", "stray"])
def test_a_file_that_was_left_unsaid_is_found(judge: Judge, name: str) -> None:
    shutil.copyfile(judge.stage.directory / DATABASE, judge.stage.directory / name)
    with pytest.raises(AssertionError):
        judge.judge(REFUSED)


def test_a_backup_that_does_not_hold_the_old_content_is_found(judge: Judge) -> None:
    path = finish(judge)
    shutil.copyfile(path, path.with_name(BACKUP))
    with pytest.raises(AssertionError, match="does not hold"):
        judge.judge(KILLED)


def test_a_traceback_is_found(judge: Judge) -> None:
    with pytest.raises(AssertionError):
        judge.judge(Outcome(signal=None, status=1, err="Traceback (most recent call last): …"))


@pytest.mark.parametrize("name", [BACKUP, f"{BACKUP}.partial"])
def test_after_a_disk_that_fails_a_copy_may_be_left_if_it_is_named(judge: Judge, name: str) -> None:
    shutil.copyfile(judge.stage.directory / DATABASE, judge.stage.directory / name)
    with pytest.raises(AssertionError, match="nothing was said"):
        judge.judge(REFUSED, may_be_untidy=True)
    judge.stage.reset()
    shutil.copyfile(judge.stage.directory / DATABASE, judge.stage.directory / name)
    assert judge.judge(replace(REFUSED, err=f"{REFUSED.err}{name} is left of it"), may_be_untidy=True) == "old"


def test_a_ctrl_c_that_python_dropped_is_no_complaint_but_any_other_error_of_a_finalizer_is(judge: Judge) -> None:
    report = (
        'Exception ignored in: <function f at 0x7f>\nTraceback (most recent call last):\n  File "weakref.py"\n\n{}\n'
    )
    done = judge.stage.run()
    with pytest.raises(AssertionError, match="ValueError"):
        judge.judge(replace(done, err=report.format("ValueError: no")))
    assert judge.judge(replace(done, err=report.format("KeyboardInterrupt: "))) == "new"


def test_what_may_be_left_passes(judge: Judge) -> None:
    assert judge.judge(REFUSED) == "old"
    (judge.stage.directory / f"{BACKUP}.partial").write_bytes(b"half")
    assert judge.judge(KILLED) == "old"
    finish(judge)
    assert judge.judge(KILLED) == "new"
