"""Processes that start at the same moment on a file that is not ready."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from socrates.database.migrations import head_revision
from tests.concurrency.checks import LONG, assert_sound, companions
from tests.concurrency.crowd import Worker, crowd
from tests.support.migrate import alembic, rows, value

ROUNDS = 25 if LONG else 3


@pytest.fixture(scope="module")
def four() -> Iterator[list[Worker]]:
    with crowd(4) as workers:
        yield workers


@pytest.fixture(scope="module")
def not_in_wal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file at head that Alembic made: its journal is not in WAL mode."""
    path = tmp_path_factory.mktemp("upgraded") / "projects.db"
    assert alembic(path, "upgrade", "head").status == 0
    assert value(path, "PRAGMA journal_mode") == "delete"
    return path


def schema(path: Path) -> set[tuple[str, str]]:
    return set(rows(path, "SELECT name, sql FROM sqlite_master"))


@pytest.mark.parametrize("state", ["missing", "empty", "not in WAL mode"])
def test_all_of_them_serve_and_one_schema_is_there(
    tmp_path: Path, four: list[Worker], not_in_wal: Path, state: str
) -> None:
    for attempt in range(ROUNDS):
        path = tmp_path / str(attempt) / "projects.db"
        if state != "missing":
            path.parent.mkdir()
            path.touch()
        if state == "not in WAL mode":
            shutil.copyfile(not_in_wal, path)
        for worker in four:
            worker.tell("start", path)
        assert [worker.answer() for worker in four] == 4 * [{"revision": head_revision(), "problems": []}]
        assert_sound(path)
        assert value(path, "SELECT count(*) FROM projects") == 4
        assert schema(path) == schema(not_in_wal)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert companions(path) == set()
