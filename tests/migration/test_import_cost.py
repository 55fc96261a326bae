"""What an import costs: memory that does not grow with the file, and no statement per row."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from socrates.v1.importer import CHUNK_ROWS, import_v1
from socrates.v1.reader import V1Reader
from socrates.v1.report import ImportReport
from socrates.v1.shapes import V1_TABLES
from socrates.v1.target import Target
from socrates.v1.times import Zone
from tests.support.migrate import alembic, alembic_subprocess
from tests.support.v1_files import generated_v1_file

MEGABYTE = 1024 * 1024
MESSAGES = 20


def peak_of_upgrade(path: Path) -> int:
    """Peak resident memory, in bytes, of a process that upgrades `path`."""
    outcome = alembic_subprocess(path, "upgrade", "head", v1_timezone="UTC")
    assert outcome.status == 0, outcome
    return outcome.peak_memory


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    small, large = tmp_path / "small.db", tmp_path / "large.db"
    generated_v1_file(small, 200, MESSAGES)
    generated_v1_file(large, 5_000, MESSAGES)
    growth = 25 * MEGABYTE
    assert large.stat().st_size - small.stat().st_size > 1.5 * growth
    assert peak_of_upgrade(large) - peak_of_upgrade(small) < growth


class CountingCursor(sqlite3.Cursor):
    """Counts the calls that go to SQLite."""

    def execute(self, *arguments: object) -> "CountingCursor":
        self.connection.statements += 1
        return super().execute(*arguments)

    def executemany(self, *arguments: object) -> "CountingCursor":
        self.connection.statements += 1
        return super().executemany(*arguments)


class CountingConnection(sqlite3.Connection):
    statements = 0

    def cursor(self, *_arguments: object) -> CountingCursor:
        return super().cursor(CountingCursor)


def statements_of_import(source: Path, target: Path) -> int:
    alembic(target, "upgrade", "head")
    with closing(sqlite3.connect(source)) as v1, closing(sqlite3.connect(target, factory=CountingConnection)) as ours:
        reader = V1Reader(v1, {name: name for name in V1_TABLES})
        report = ImportReport(str(source), "UTC")
        import_v1(
            reader,
            Target(ours),
            report,
            Zone("UTC"),
            strict=True,
            options={},
            progress=lambda _table, _done, _total: None,
        )
        return ours.statements


def test_rows_travel_in_chunks_not_one_by_one(tmp_path: Path) -> None:
    one_chunk, three_chunks = tmp_path / "one.db", tmp_path / "three.db"
    generated_v1_file(one_chunk, CHUNK_ROWS // 2, 2)
    generated_v1_file(three_chunks, 3 * CHUNK_ROWS, 2)
    few = statements_of_import(one_chunk, tmp_path / "ours1.db")
    more = statements_of_import(three_chunks, tmp_path / "ours3.db")
    assert few < 120
    assert more < 3 * few


@pytest.mark.long
def test_a_hundred_thousand_projects_come_through_in_the_same_memory(tmp_path: Path) -> None:
    large = tmp_path / "large.db"
    generated_v1_file(large, 100_000, MESSAGES)
    assert peak_of_upgrade(large) < 200 * MEGABYTE
