"""The quarantine: what a correction may be, and how rows that were imported later prove themselves."""

import pickle
import sqlite3
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from socrates.errors import InvalidValueError
from socrates.v1.check import SourceCheck, check_source
from socrates.v1.corrections import Correction
from socrates.v1.ledger import Run, last_run
from socrates.v1.quarantine import Outcome, Retry, chosen, entry, held
from socrates.v1.reader import V1Reader
from socrates.v1.shapes import backups_in
from socrates.v1.target import Target
from tests.support.migrate import alembic, execute, upgrade, value
from tests.support.v1_files import V1File
from tests.support.v1_records import user_record

DAMAGED = b"\x80\x04 no pickle"
UNREADABLE_TIER = {"subscription_tier": ["free"]}


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An import of which five rows came in later: four as corrected, and a note whose project had been missing."""
    with V1File(tmp_path_factory.mktemp("released") / "projects.db") as v1:
        v1.add_user("fine")
        v1.add_user("ada", blob=DAMAGED)
        v1.add_user("bob", columns={"username": None})
        v1.add_user("cyn", columns={"username": None})
        v1.add_user("dan", **UNREADABLE_TIER)
        v1.add_user("eve", blob=DAMAGED)
        v1.add_project(project_id="half", name="\ud800")
        v1.add_note(note_id="note", project_id="half")
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    corrections = {
        "ada": Correction(value={"subscription_tier": "pro"}),
        "half": Correction(
            value={"name": "whole", "owner": "ada", "phase": "design", "goals": ["none"]} | {"goals": ""}
        ),
    }
    with closing(sqlite3.connect(v1.path)) as connection, connection:
        target = Target(connection)
        ids = {row.key: row.id for row in held(target) if row.key}
        for row in held(target):
            if row.key is None:
                kept = entry(target, row.id)
                name = pickle.loads(kept.data or b"")["username"]
                corrections[str(row.id)] = Correction(columns={**kept.columns, "username": name})
        wanted = [ids["ada"], ids["half"], ids["note"], *(row.id for row in held(target) if row.key is None)]
        outcomes = retry(connection, wanted, lambda kept: corrections.get(kept.key or str(kept.id), Correction()))
        assert [outcome.reason for outcome in outcomes] == [None] * 5
    return v1.path


def retry(connection: sqlite3.Connection, ids: list[int], correction_of: Any) -> list[Outcome]:
    target = Target(connection)
    return list(Retry(target, the_run(target)).run(chosen(held(target), ids), correction_of))


def the_run(target: Target) -> Run:
    run = last_run(target)
    assert run is not None
    return run


@pytest.fixture
def database(released: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "projects.db"
    copy.write_bytes(released.read_bytes())
    return copy


@pytest.fixture
def source(database: Path) -> Iterator[Callable[[], SourceCheck]]:
    connection = sqlite3.connect(database)

    def look() -> SourceCheck:
        target = Target(connection)
        return check_source(V1Reader(connection, backups_in(connection)), target, the_run(target))

    yield look
    connection.close()


def test_rows_that_came_in_later_are_proven_like_the_others(source: Callable[[], SourceCheck]) -> None:
    found = source()
    assert found.proven
    assert (found.equal, found.quarantined) == (6, 2)


@pytest.mark.parametrize(
    ("statement", "key"),
    [
        ("UPDATE v1_quarantine_releases SET correction = replace(correction, 'pro', 'max')", "users 'ada'"),
        ("UPDATE v1_quarantine_releases SET correction = NULL WHERE source_key = 'bob'", "users 'bob'"),
        ("UPDATE v1_quarantine_releases SET correction = '{' WHERE source_key = 'bob'", "users 'bob'"),
        ("UPDATE v1_quarantine_releases SET correction = '[1]' WHERE source_key = 'bob'", "users 'bob'"),
        ("UPDATE v1_quarantine_releases SET correction = 5 WHERE source_key = 'bob'", "users 'bob'"),
        ("UPDATE v1_quarantine_releases SET correction = '{\"value\": []}' WHERE source_key = 'ada'", "users 'ada'"),
        (
            "UPDATE v1_quarantine_releases SET correction = '{\"timezone\": \"Nowhere\"}' WHERE source_key = 'note'",
            "project_notes 'note'",
        ),
        ("UPDATE v1_quarantine_releases SET source_key = 'zoe' WHERE source_key = 'bob'", "users 'zoe'"),
        ("UPDATE v1_quarantine SET data = x'80042e' WHERE source_key = 'note'", "project_notes 'note'"),
        ("UPDATE v1_quarantine SET row_columns = '{}' WHERE source_key = 'ada'", "users 'ada'"),
        ("UPDATE v1_quarantine SET row_columns = '{' WHERE source_key = 'note'", "project_notes 'note'"),
        ("UPDATE users_v1_backup SET data = x'80042e' WHERE username = 'ada'", "users 'ada'"),
        ("UPDATE users_v1_backup SET created_at = '2020-01-01' WHERE username = 'ada'", "users 'ada'"),
        ("UPDATE project_notes_v1_backup SET project_id = 'other'", "project_notes 'note'"),
        ("DELETE FROM v1_quarantine WHERE source_key = 'half'", "projects 'half'"),
        ("DELETE FROM v1_import_digests WHERE source_key = 'ada'", "users 'ada'"),
        ("UPDATE v1_import_digests SET digest = x'00' WHERE source_key = 'half'", "projects 'half'"),
    ],
)
def test_tampering_with_a_row_that_came_in_later_is_found(
    source: Callable[[], SourceCheck], database: Path, statement: str, key: str
) -> None:
    execute(database, statement)
    found = source()
    assert key in found.differing.first
    assert not found.proven


@pytest.mark.parametrize(
    ("statement", "key"),
    [
        ("DELETE FROM v1_quarantine_releases WHERE source_key = 'ada'", "users 'ada'"),
        ("DELETE FROM v1_quarantine_releases WHERE source_key = 'bob'", "users 'bob'"),
        ("DELETE FROM users_v1_backup WHERE username = 'ada'", "users 'ada'"),
        ("DELETE FROM project_notes_v1_backup", "project_notes 'note'"),
    ],
)
def test_a_row_that_came_in_later_and_lost_its_source_is_found(
    source: Callable[[], SourceCheck], database: Path, statement: str, key: str
) -> None:
    execute(database, statement)
    assert key in source().missing.first


def test_of_many_rows_without_a_key_the_changed_one_is_found(source: Callable[[], SourceCheck], database: Path) -> None:
    execute(database, "UPDATE users_v1_backup SET created_at = 'x' WHERE instr(data, 'cyn')")
    found = source()
    assert found.differing.first == ["users 'cyn'"]
    assert (found.equal, found.missing.count) == (5, 0)


def test_a_row_that_still_waits_is_no_proof_of_one_that_came_in(
    source: Callable[[], SourceCheck], database: Path
) -> None:
    execute(database, "UPDATE users_v1_backup SET username = 'ada ' WHERE username = 'eve'")
    found = source()
    assert found.unaccounted.first == ["users 'ada '"]


def test_without_v1_s_tables_the_quarantine_itself_is_the_source(
    source: Callable[[], SourceCheck], database: Path
) -> None:
    execute(database, "DROP TABLE projects_v1_backup")
    assert source().proven
    execute(database, "UPDATE v1_quarantine_releases SET correction = replace(correction, 'whole', 'half')")
    assert source().differing.first == ["projects 'half'"]


def test_a_schema_that_knows_no_releases_proves_nothing_of_them(
    source: Callable[[], SourceCheck], database: Path
) -> None:
    execute(database, "DROP TABLE v1_quarantine_releases")
    found = source()
    assert found.quarantined == 7
    assert {"users 'ada'", "users 'bob'", "projects 'half'", "project_notes 'note'"} <= set(found.missing.first)


def test_a_check_holds_one_row_of_the_quarantine_at_a_time(tmp_path: Path) -> None:
    size, count = 512 * 1024, 24
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(project_id="late", name="\ud800")
        for number in range(count):
            v1.add_note(note_id=f"note-{number}", project_id="late", content="x" * size)
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    named = Correction(value={"name": "late", "owner": "ada", "phase": "design"})
    with closing(sqlite3.connect(v1.path)) as connection, connection:
        outcomes = retry(connection, [], lambda kept: named if kept.key == "late" else Correction())
        assert all(outcome.imported for outcome in outcomes)
        target = Target(connection)
        reader = V1Reader(connection, backups_in(connection))
        tracemalloc.start()
        try:
            assert check_source(reader, target, the_run(target)).equal == count + 1
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < size * count / 2


def test_a_table_that_v1_never_had_is_no_crash(database: Path) -> None:
    execute(database, "UPDATE v1_quarantine SET source_table = 'sqlite_master' WHERE source_key = 'eve'")
    with closing(sqlite3.connect(database)) as connection:
        (outcome,) = [o for o in retry(connection, [], lambda _: Correction()) if o.source_key == "eve"]
        assert outcome.reason == "it is of no table of v1's"


def test_text_that_is_not_utf_8_is_refused_by_a_retry_as_it_was_by_the_import(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_usage(id="call", without=("timestamp",))
        v1.connection.execute("UPDATE llm_usage SET timestamp = CAST(x'ff' AS TEXT)")
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    with closing(sqlite3.connect(v1.path)) as connection:
        (outcome,) = retry(connection, [], lambda _: Correction())
    assert (
        outcome.reason
        == value(v1.path, "SELECT reason FROM v1_quarantine")
        == ("the column timestamp is not valid UTF-8")
    )


def test_what_the_database_refuses_leaves_nothing_and_takes_nothing_else_with_it(database: Path) -> None:
    execute(
        database,
        "CREATE TRIGGER last_step BEFORE INSERT ON v1_quarantine_releases WHEN new.source_key = 'dan' "
        "BEGIN SELECT RAISE(ABORT, 'not him'); END",
    )
    before = tuple(value(database, f"SELECT count(*) FROM {table}") for table in ("users", "v1_import_digests"))
    good = Correction(value={**user_record("x"), "created_at": "2025-01-01T00:00:00"})
    with closing(sqlite3.connect(database)) as connection, connection:
        outcomes = retry(connection, [], lambda _: good)
    assert {outcome.source_key: outcome.reason for outcome in outcomes} == {"dan": "not him", "eve": None}
    after = tuple(value(database, f"SELECT count(*) FROM {table}") for table in ("users", "v1_import_digests"))
    assert after == tuple(count + 1 for count in before)


def test_an_entry_that_is_not_there_is_refused(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, pytest.raises(InvalidValueError, match="no row 99"):
        entry(Target(connection), 99)


def test_a_downgrade_to_before_the_releases_and_back_keeps_quarantine_and_rows(database: Path) -> None:
    assert alembic(database, "downgrade", "0003", discard=1).status == 0
    assert value(database, "SELECT count(*) FROM v1_quarantine") == 7
    assert alembic(database, "upgrade", "head").status == 0
    with closing(sqlite3.connect(database)) as connection:
        ids = [row.id for row in held(Target(connection)) if row.key == "note"]
        (outcome,) = retry(connection, ids, lambda _: Correction())
    assert "by now" in str(outcome.reason)
