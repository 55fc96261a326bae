"""Revision 0004 on a database in use: what was there stays as it was, and the account is not lost by going back."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, select
from sqlalchemy.ext.asyncio import create_async_engine
from typer.testing import CliRunner, Result

from socrates import sync
from socrates.cli.main import app
from socrates.models import ProjectNote
from socrates.repositories.deletions import remember
from socrates.v1.check import Changes, changes_since
from socrates.v1.ledger import gaps, last_run
from socrates.v1.postgres_target import PostgresTarget
from tests.support.expected_rows import actual_tables
from tests.support.migrate import Outcome, alembic, execute, refused, rows, schema, sha256, table_names, told
from tests.support.postgres import execute as execute_there
from tests.support.postgres import query, relations
from tests.support.v1_files import V1File

ADDED = {"v1_import_deletions", "v1_quarantine_releases", "v1_backup_changes"}
RELEASE = "INSERT INTO v1_quarantine_releases VALUES (1, 'eve', '2026-01-01 00:00:00.000000', NULL)"


@pytest.fixture
def v1_path(tmp_path: Path) -> Path:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_user()
        v1.add_user("eve", blob=b"no pickle")
        v1.add_note()
        v1.add_api_key()
    return v1.path


@pytest.fixture
def earlier(v1_path: Path) -> Path:
    """A file as it was left before this revision existed, and used since; its backup put elsewhere."""
    up(v1_path, "0003", backup_dir=made(v1_path, "backups"))
    execute(v1_path, "UPDATE projects SET name = 'in use', version = 7")
    with closing(sqlite3.connect(v1_path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    return v1_path


@pytest.fixture
def current(earlier: Path) -> Path:
    """At head, where a store can be opened on it."""
    up(earlier, "head", backup_dir=earlier.parent / "backups")
    return earlier


def up(path: Path, revision: str = "0004", **x: object) -> Outcome:
    """Up to this revision. A row that cannot be read makes the exit status of an import 1."""
    outcome = alembic(path, "upgrade", revision, v1_timezone="UTC", on_bad="quarantine", **x)
    assert outcome.status in (0, 1), outcome
    return outcome


def made(path: Path, name: str) -> Path:
    directory = path.parent / name
    directory.mkdir()
    return directory


def db(command: str, path: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["db", command, str(path), *more])


def delete_the_note(path: Path) -> None:
    with sync.Store.open(path) as store, store.begin() as unit:
        unit.notes.delete("note-2")


def drop_v1_tables(path: Path) -> None:
    assert db("drop-v1-backup", path, "--yes", "--no-backup").exit_code == 0


FILLED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a deletion": (delete_the_note, "deleted 1: project_notes 'note-2'"),
    "a release": (lambda path: execute(path, RELEASE), "imported out of quarantine: 1"),
}


def ledger(path: Path) -> list[list[tuple[Any, ...]]]:
    tables = ("v1_import_runs", "v1_import_digests", "v1_import_notes", "v1_quarantine", "users_v1_backup")
    return [rows(path, f"SELECT * FROM {table}") for table in tables]


def state(path: Path) -> tuple[dict[str, str], dict[str, Any], list[list[tuple[Any, ...]]]]:
    return schema(path), actual_tables(path), ledger(path)


def files(path: Path) -> dict[str, str]:
    """What lies beside a database and in it, without what SQLite and filelock keep there."""
    kept = (found for found in path.parent.rglob("*") if found.is_file())
    return {found.name: sha256(found) for found in kept if not found.name.endswith(("-wal", "-shm", ".lock"))}


# Up


def test_a_file_in_use_goes_on_with_three_more_tables(earlier: Path) -> None:
    before, content, kept = state(earlier)
    outcome = up(earlier)
    assert outcome.status == 0
    assert "no row was touched" in outcome.out
    assert set(schema(earlier)) - set(before) == ADDED
    assert {name: sql for name, sql in schema(earlier).items() if name in before} == before
    assert actual_tables(earlier) == content
    assert ledger(earlier) == kept
    assert all(rows(earlier, f"SELECT * FROM {table}") == [] for table in ADDED)
    (backup,) = earlier.parent.glob("projects.db.backup_*")
    assert state(backup) == (before, content, kept)


def test_the_import_is_proven_before_and_after(earlier: Path) -> None:
    assert db("check", earlier).exit_code == 0
    up(earlier)
    result = db("check", earlier)
    assert result.exit_code == 0
    assert "Deleted since: none" in result.stdout


def test_what_was_missing_before_is_still_missing_after(earlier: Path) -> None:
    execute(earlier, "DELETE FROM project_notes")
    assert db("check", earlier).exit_code == 1
    up(earlier)
    assert db("check", earlier).exit_code == 1


def test_a_fresh_file_gets_the_tables_too_and_a_dry_run_gives_none(tmp_path: Path, earlier: Path) -> None:
    up(tmp_path / "fresh.db")
    assert table_names(tmp_path / "fresh.db") >= ADDED
    before = files(earlier)
    up(earlier, dry_run=1)
    assert files(earlier) == before


@pytest.mark.parametrize("name", sorted(ADDED))
def test_a_name_that_is_taken_is_refused(earlier: Path, name: str) -> None:
    execute(earlier, f"CREATE TABLE {name.upper()} (mine)")
    before = files(earlier)
    outcome = alembic(earlier, "upgrade", "0004")
    assert refused(outcome), outcome
    assert "names of the new schema" in told(outcome, earlier.parent)
    assert files(earlier) == before


def test_the_account_goes_with_its_run_and_with_its_quarantine(current: Path) -> None:
    delete_the_note(current)
    execute(current, RELEASE)
    execute(current, "INSERT INTO v1_backup_changes VALUES (1, 0, 'dropped', '2026-01-01 00:00:00.000000', '{}')")
    with closing(sqlite3.connect(current)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM v1_import_runs")
        connection.execute("DELETE FROM v1_quarantine")
    assert all(rows(current, f"SELECT * FROM {table}") == [] for table in ADDED)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO v1_backup_changes VALUES (1, -1, 'dropped', '2026-01-01 00:00:00.000000', '{}')",
        "INSERT INTO v1_backup_changes VALUES (9, 0, 'dropped', '2026-01-01 00:00:00.000000', '{}')",
        "INSERT INTO v1_import_deletions VALUES (9, 'users', 'ada', '2026-01-01 00:00:00.000000')",
        "INSERT INTO v1_import_deletions VALUES (1, 'users', NULL, '2026-01-01 00:00:00.000000')",
        "INSERT INTO v1_quarantine_releases VALUES (9, 'eve', '2026-01-01 00:00:00.000000', NULL)",
    ],
)
def test_an_account_of_nothing_is_refused(current: Path, statement: str) -> None:
    with closing(sqlite3.connect(current)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)


# Down


def test_down_to_the_revision_before_and_up_again(earlier: Path) -> None:
    before = state(earlier)
    up(earlier)
    after = state(earlier)
    for _ in range(2):
        assert alembic(earlier, "downgrade", "0003").status == 0
        assert state(earlier) == before
        up(earlier)
        assert state(earlier) == after


def test_down_and_up_without_an_import(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    up(path)
    made_by_it = schema(path)
    assert alembic(path, "downgrade", "0003").status == 0
    assert not ADDED & table_names(path)
    up(path)
    assert schema(path) == made_by_it
    assert alembic(path, "downgrade", "base").status == 0
    assert table_names(path) == set()


@pytest.mark.parametrize("revision", ["0003", "base"])
@pytest.mark.parametrize("what", FILLED)
def test_an_account_is_not_lost_on_the_way_back(current: Path, what: str, revision: str) -> None:
    fill, named = FILLED[what]
    fill(current)
    before = files(current)
    outcome = alembic(current, "downgrade", revision)
    assert refused(outcome), outcome
    assert named in outcome.err
    assert "-x discard=1" in outcome.err
    assert files(current) == before
    assert alembic(current, "downgrade", revision, discard=1).status == 0
    assert not ADDED & table_names(current)


def test_an_account_without_an_import_is_not_lost_either(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    up(path)
    execute(path, "INSERT INTO v1_import_deletions VALUES (1, 'users', 'ada', '2026-01-01 00:00:00.000000')")
    before = files(path)
    assert refused(alembic(path, "downgrade", "0003"))
    assert files(path) == before
    assert alembic(path, "downgrade", "0003", discard=1).status == 0


def test_when_the_account_is_discarded_the_deleted_row_is_missing(current: Path) -> None:
    delete_the_note(current)
    assert db("check", current).exit_code == 0
    assert alembic(current, "downgrade", "0003", discard=1).status == 0
    up(current)
    result = db("check", current)
    assert result.exit_code == 1
    assert "Missing, though nobody deleted it: 1: project_notes 'note-2'" in result.stdout


def test_v1_gets_back_what_was_deleted_since(current: Path) -> None:
    before = ledger(current)[-1]
    note = rows(current, "SELECT * FROM project_notes_v1_backup")
    delete_the_note(current)
    assert alembic(current, "downgrade", "base", discard=1).status == 0
    assert rows(current, "SELECT * FROM users") == before
    assert rows(current, "SELECT * FROM project_notes") == note


def test_when_other_rows_would_be_lost_the_account_stays_too(current: Path) -> None:
    before = files(current)
    outcome = alembic(current, "downgrade", "base")
    assert refused(outcome), outcome
    assert "changed 1: projects 'project-1'" in outcome.err
    assert files(current) == before


@pytest.mark.parametrize("revision", ["0003", "0002", "base"])
def test_without_v1_s_tables_there_is_no_way_back_whatever_may_be_discarded(current: Path, revision: str) -> None:
    drop_v1_tables(current)
    before = files(current)
    for discard in (0, 1):
        outcome = alembic(current, "downgrade", revision, discard=discard)
        assert refused(outcome), outcome
        assert "restore a backup file instead" in outcome.err
        assert files(current) == before


def test_a_v1_file_that_was_stamped_is_not_downgraded(v1_path: Path) -> None:
    execute(v1_path, "CREATE TABLE alembic_version (version_num)")
    execute(v1_path, "INSERT INTO alembic_version VALUES ('0004')")
    before = files(v1_path)
    outcome = alembic(v1_path, "downgrade", "base", discard=1)
    assert refused(outcome), outcome
    assert "marked as upgraded" in outcome.err
    assert files(v1_path) == before


# PostgreSQL


@pytest.fixture
def there(postgres_url: str, v1_path: Path) -> str:
    """A database of PostgreSQL at the revision before, into which a v1 file was imported."""
    outcome = alembic(postgres_url, "upgrade", "0003", v1=v1_path, v1_timezone="UTC", on_bad="quarantine")
    assert outcome.status == 1, outcome
    return postgres_url


async def delete_the_note_there(url: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    note = select(ProjectNote.id).where(ProjectNote.id == "note-2")
    async with engine.begin() as connection:
        await connection.execute(remember(("project_notes", note)), {"deleted_at": datetime.now(UTC)})
        await connection.exec_driver_sql("DELETE FROM project_notes WHERE id = 'note-2'")
    await engine.dispose()


async def found_there(url: str) -> tuple[Changes, list[Any]]:
    engine = create_async_engine(url, poolclass=NullPool)

    def look(connection: Any) -> tuple[Changes, list[Any]]:
        target = PostgresTarget(connection.connection.dbapi_connection)
        run = last_run(target)
        assert run is not None
        return changes_since(target, run), gaps(target, run)

    async with engine.connect() as connection:
        found = await connection.run_sync(look)
    await engine.dispose()
    return found


@pytest.mark.postgres
def test_up_down_up_with_data_on_postgres(there: str) -> None:
    before, digests = relations(there), query(there, "SELECT * FROM v1_import_digests")
    for _ in range(2):
        assert alembic(there, "upgrade", "0004").status == 0
        assert relations(there) - before == ADDED | {f"pk_{name}" for name in ADDED}
        assert query(there, "SELECT * FROM v1_import_digests") == digests
        assert alembic(there, "downgrade", "0003").status == 0
        assert relations(there) == before


@pytest.mark.postgres
@pytest.mark.parametrize("revision", ["0003", "base"])
def test_a_deletion_is_remembered_and_not_lost_on_the_way_back_on_postgres(there: str, revision: str) -> None:
    alembic(there, "upgrade", "0004")
    asyncio.run(delete_the_note_there(there))
    changes, lost = asyncio.run(found_there(there))
    assert changes.deleted.first == ["project_notes 'note-2'"]
    assert (changes.missing.count, changes.changed.count, changes.added.count, lost) == (0, 0, 0, [])
    outcome = alembic(there, "downgrade", revision)
    assert refused(outcome), outcome
    assert "deleted 1: project_notes 'note-2'" in outcome.err
    assert query(there, "SELECT source_key FROM v1_import_deletions") == [("note-2",)]
    assert alembic(there, "downgrade", revision, discard=1).status == 0
    assert not ADDED & relations(there)


@pytest.mark.postgres
def test_a_lost_row_a_lost_message_and_a_gap_are_found_on_postgres(there: str) -> None:
    alembic(there, "upgrade", "0004")
    execute_there(
        there,
        "DELETE FROM project_notes",
        "DELETE FROM conversation_messages WHERE position = 0",
        "DELETE FROM v1_import_digests WHERE source_table = 'api_keys'",
        "DELETE FROM v1_quarantine",
    )
    changes, lost = asyncio.run(found_there(there))
    assert set(changes.missing.first) == {"project_notes 'note-2'", "conversation_messages 'project-1'"}
    assert {str(gap) for gap in lost} == {
        "digests of api_keys: 0 in place of 1",
        "quarantine of users: 0 in place of 1",
    }
