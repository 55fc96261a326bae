"""A place that cannot be written to, or is taken: refused before anything is changed, or another place is found."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.judge import DONE, REFUSED, Judge, content_of
from tests.faults.moments import CALL, STEP
from tests.faults.operations import DATABASE, DOWNGRADE, UPGRADE, UPGRADE_WAL, Operation, with_options
from tests.faults.trial import Stage, Victims, chosen

CHANGING = pytest.mark.parametrize("operation", [UPGRADE, UPGRADE_WAL, DOWNGRADE], ids=lambda operation: operation.name)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    mode = path.stat().st_mode
    path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        path.chmod(mode)


@pytest.fixture
def stage_with(victims: Victims, tmp_path: Path) -> Callable[..., Stage]:
    """A stage of its own for an operation with further options."""
    return lambda operation, **x: Stage(victims, with_options(operation, **x), tmp_path)


@CHANGING
@pytest.mark.parametrize("name", [".", DATABASE], ids=["directory", "file"])
def test_what_is_read_only_is_refused_unchanged(
    operation: Operation, name: str, stage_with: Callable[..., Stage]
) -> None:
    stage = stage_with(operation)
    with read_only(stage.directory / name):
        outcome = stage.run_on()
    assert outcome.status == REFUSED, outcome
    assert "read-only" in outcome.err
    assert stage.is_untouched()


@CHANGING
@pytest.mark.parametrize("what", ["read-only", "missing", "full"])
def test_a_backup_that_cannot_be_written_is_refused_and_nothing_changed(
    operation: Operation, what: str, stage_with: Callable[..., Stage], tmp_path: Path
) -> None:
    place = tmp_path / "backups"
    stage = stage_with(operation, backup_dir=place)
    old = content_of(stage.directory / DATABASE)
    if what == "missing":
        outcome = stage.run_on()
    else:
        place.mkdir()
        if what == "read-only":
            with read_only(place):
                outcome = stage.run_on()
        else:
            outcome = stage.run_on(blow="fill", kinds=[CALL], at=0, disk=str(place))
        assert list(place.iterdir()) == []
    assert outcome.status == REFUSED, outcome
    # Where a full disk has to be stood in for, the database has no room either.
    assert str(place) in outcome.err or (what == "full" and not outcome.real_disk), outcome
    assert content_of(stage.directory / DATABASE) == old
    assert {path.name for path in stage.directory.iterdir()} <= stage.start.keys()


@CHANGING
def test_a_disk_of_backups_that_fills_up_meanwhile_leaves_the_old_content(
    operation: Operation, stage_with: Callable[..., Stage], tmp_path: Path
) -> None:
    place = tmp_path / "backups"
    place.mkdir()
    stage = stage_with(operation, backup_dir=place)
    old = content_of(stage.directory / DATABASE)
    kinds = (CALL, STEP)
    for at in chosen(stage.moments(kinds), few=4, many=40):
        for backup in place.iterdir():
            backup.unlink()
        outcome = stage.run(blow="fill", kinds=kinds, at=at, disk=str(place))
        if outcome.status == DONE:  # the backup was finished before
            (backup,) = place.iterdir()
            assert content_of(backup) == old
        else:
            assert outcome.status == REFUSED, outcome
            assert content_of(stage.directory / DATABASE) == old
            assert list(place.iterdir()) == []


def test_a_backup_takes_no_name_that_is_taken(judge_of: Callable[[Operation], Judge]) -> None:
    judge = judge_of(UPGRADE)
    judge.stage.reset()
    soon = [datetime.now(UTC) + timedelta(seconds=number) for number in range(60)]
    names = [f"{DATABASE}.backup_{moment:%Y%m%dT%H%M%SZ}" for moment in soon]
    taken = [judge.stage.directory / name for name in names]
    taken[1::2] = [path.with_name(path.name + ".partial") for path in taken[1::2]]
    for path in taken:
        path.write_text("somebody else's")
    outcome = judge.stage.run_on()
    assert outcome.status == DONE, outcome
    assert {path.read_text() for path in taken} == {"somebody else's"}
    (backup,) = judge.stage.directory.glob(f"{DATABASE}.backup_*_2")
    assert content_of(backup) == judge.old
