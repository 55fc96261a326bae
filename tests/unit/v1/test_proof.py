"""The whole proof: nothing that was lost is told as proven, whatever else was lost with it."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from socrates import sync
from socrates.cli.main import app
from socrates.errors import MigrationError
from socrates.v1.ledger import DROPPED, Gap, note_backup_change
from socrates.v1.proof import Proof, prove_last
from socrates.v1.reader import V1Reader
from socrates.v1.shapes import backups_in
from socrates.v1.target import Target
from tests.support.migrate import alembic, execute, upgrade
from tests.support.v1_files import V1File

RECORDS = 5


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with V1File(tmp_path_factory.mktemp("proof") / "projects.db") as v1:
        v1.add_user("ada")
        v1.add_user("bob")
        v1.add_user("eve", blob=b"no pickle")
        v1.add_project()
        v1.add_note()
        v1.add_note(project_id="nowhere")
        v1.add_api_key()
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    return v1.path


@pytest.fixture
def database(imported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(imported, tmp_path / "projects.db"))


@pytest.fixture
def proof(database: Path) -> Iterator[Callable[[], Proof]]:
    def look() -> Proof:
        found = proof_of(database)
        assert found is not None
        return found

    return look


def proof_of(path: Path) -> Proof | None:
    with closing(sqlite3.connect(path)) as connection:
        return prove_last(Target(connection), V1Reader(connection, backups_in(connection)), str(path))


def drop_v1_tables(path: Path, *names: str) -> None:
    """As `socrates db drop-v1-backup` leaves it; only the tables of `names` are left."""
    with closing(sqlite3.connect(path)) as connection, connection:
        target = Target(connection)
        found = prove_last(target, V1Reader(connection, backups_in(connection)), str(path))
        assert found is not None
        for table, backup in backups_in(connection).items():
            if table not in names:
                connection.execute(f"DROP TABLE {backup}")
        note_backup_change(target, found.run, DROPPED, {})


# What holds


def test_an_import_is_proven_as_it_was_left(proof: Callable[[], Proof]) -> None:
    found = proof()
    assert found.holds
    assert found.source is not None
    assert (found.source.equal, found.source.quarantined, found.changes.equal) == (RECORDS, 2, RECORDS)
    assert (found.elsewhere, found.backup_changes, found.gaps) == (None, (), ())
    assert found.as_json()["proven"] is True


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE projects SET goals = 'new'",
        "UPDATE projects SET message_count = 0",
        "INSERT INTO conversation_messages SELECT project_id, 2, type, content, timestamp, phase, author,"
        " question_number, extra FROM conversation_messages WHERE position = 0",
        "DELETE FROM project_requirements",
        "INSERT INTO users SELECT 'new', passcode_hash, created_at, subscription_tier, subscription_status,"
        " subscription_start, subscription_end, questions_used_this_month, usage_reset_date, is_archived,"
        " archived_at, extra FROM users WHERE username = 'ada'",
    ],
)
def test_what_was_written_since_is_no_loss(database: Path, proof: Callable[[], Proof], statement: str) -> None:
    execute(database, statement)
    found = proof()
    assert found.holds
    assert found.changes.any


def test_what_was_deleted_by_a_call_is_no_loss(database: Path, proof: Callable[[], Proof]) -> None:
    with sync.Store.open(database) as store, store.begin() as unit:
        unit.users.delete_permanently("ada")
        unit.projects.delete("project-1")
    found = proof()
    assert found.holds
    assert set(found.changes.deleted.first) == {
        "users 'ada'",
        "projects 'project-1'",
        "project_notes 'note-2'",
        "api_keys 'key-4'",
    }
    assert found.as_json()["rows"]["deleted"]["count"] == 4


def test_what_came_in_out_of_quarantine_is_on_the_account(database: Path, proof: Callable[[], Proof]) -> None:
    with sync.Store.open(database) as store, store.begin() as unit:
        unit.projects.create("found", "ada", project_id="nowhere")
    CliRunner().invoke(app, ["db", "quarantine", "retry", str(database)])
    found = proof()
    assert found.holds
    assert found.source is not None
    assert (found.source.equal, found.source.quarantined, found.changes.equal) == (RECORDS + 1, 1, RECORDS + 1)
    execute(database, "DELETE FROM v1_quarantine_releases")
    assert not proof().holds


def test_when_v1_s_tables_are_dropped_the_rest_is_still_checked(database: Path, proof: Callable[[], Proof]) -> None:
    drop_v1_tables(database)
    found = proof()
    assert found.holds
    assert found.source is None
    assert found.elsewhere is not None
    assert "dropped" in found.elsewhere
    assert [change.kind for change in found.backup_changes] == [DROPPED]
    execute(database, "DELETE FROM users WHERE username = 'ada'")
    assert not proof().holds


def test_a_database_that_imported_nothing_has_nothing_to_prove(tmp_path: Path) -> None:
    upgrade(tmp_path / "new.db")
    assert proof_of(tmp_path / "new.db") is None


def test_rows_of_a_file_elsewhere_prove_their_half(database: Path, tmp_path: Path) -> None:
    with V1File(tmp_path / "v1.db") as v1:
        v1.add_user("ada")
    path = tmp_path / "other.db"
    upgrade(path, v1=v1.path)
    found = proof_of(path)
    assert found is not None
    assert found.holds
    assert found.elsewhere == f"they came from {v1.path}"
    execute(path, "DELETE FROM users")
    execute(path, "DELETE FROM v1_import_digests")
    found = proof_of(path)
    assert found is not None
    assert not found.holds


# What does not

TAMPERED = {
    "a row of v1 changed": ["UPDATE users_v1_backup SET data = x'80047d2e' WHERE username = 'ada'"],
    "a column of v1 changed": ["UPDATE api_keys_v1_backup SET key_hash = 'other'"],
    "a row of v1 removed": ["DELETE FROM users_v1_backup WHERE username = 'ada'"],
    "a quarantined row of v1 removed and another added": [
        "UPDATE users_v1_backup SET username = 'new' WHERE username = 'eve'"
    ],
    "a row of v1 added": ["INSERT INTO users_v1_backup VALUES ('new', '', x'80047d2e', '')"],
    "a table of v1 removed": ["DROP TABLE users_v1_backup"],
    "all tables of v1 but one removed": [
        f"DROP TABLE {table}_v1_backup"
        for table in (
            "projects",
            "project_notes",
            "question_effectiveness",
            "behavior_patterns",
            "knowledge_documents",
            "llm_provider_configs",
            "api_keys",
            "llm_usage",
        )
    ],
    "a row removed": ["DELETE FROM users WHERE username = 'ada'"],
    "a digest removed": ["DELETE FROM v1_import_digests WHERE source_key = 'ada'"],
    "a digest changed": ["UPDATE v1_import_digests SET digest = x'00' WHERE source_key = 'ada'"],
    "a digest added": ["INSERT INTO v1_import_digests VALUES (1, 'users', 'new', x'00')"],
    "a row with its digest removed": [
        "DELETE FROM users WHERE username = 'ada'",
        "DELETE FROM v1_import_digests WHERE source_key = 'ada'",
    ],
    "a row with its digest and v1's row removed": [
        "DELETE FROM users WHERE username = 'ada'",
        "DELETE FROM v1_import_digests WHERE source_key = 'ada'",
        "DELETE FROM users_v1_backup WHERE username = 'ada'",
    ],
    "a row put in the place of another, with its digest": [
        "UPDATE users SET username = 'new' WHERE username = 'ada'",
        "UPDATE v1_import_digests SET source_key = 'new' WHERE source_key = 'ada'",
    ],
    "all messages removed": ["DELETE FROM conversation_messages"],
    "the last message removed": ["DELETE FROM conversation_messages WHERE position = 1"],
    "a row of the quarantine removed": ["DELETE FROM v1_quarantine WHERE source_key = 'eve'"],
    "a row of the quarantine removed, with v1's": [
        "DELETE FROM v1_quarantine WHERE source_key = 'eve'",
        "DELETE FROM users_v1_backup WHERE username = 'eve'",
    ],
    "an orphan of the quarantine removed, with v1's": [
        "DELETE FROM v1_quarantine WHERE source_table = 'project_notes'",
        "DELETE FROM project_notes_v1_backup WHERE project_id = 'nowhere'",
    ],
    "a quarantined row of v1 changed": ["UPDATE users_v1_backup SET data = x'00' WHERE username = 'eve'"],
    "a quarantined row of v1 removed": ["DELETE FROM users_v1_backup WHERE username = 'eve'"],
    "a quarantined orphan of v1 removed": ["DELETE FROM project_notes_v1_backup WHERE project_id = 'nowhere'"],
    "a row of the quarantine changed": ["UPDATE v1_quarantine SET data = x'00' WHERE source_key = 'eve'"],
    "a column of the quarantine changed": ["UPDATE v1_quarantine SET row_columns = '{}' WHERE source_key = 'eve'"],
    "a release made up": ["INSERT INTO v1_quarantine_releases VALUES (1, 'eve', '2026-01-01 00:00:00.000000', NULL)"],
    "the zone changed": ["UPDATE v1_import_runs SET timezone = 'Asia/Tokyo'"],
    "the report emptied": ["UPDATE v1_import_runs SET report = '{}'"],
    "a later run that imported nothing": [
        "INSERT INTO v1_import_runs SELECT 2, source, started_at, finished_at, timezone, options, '{}'"
        " FROM v1_import_runs"
    ],
}


@pytest.mark.parametrize("what", TAMPERED)
def test_no_proof_is_claimed_when_something_was_lost(database: Path, proof: Callable[[], Proof], what: str) -> None:
    for statement in TAMPERED[what]:
        execute(database, statement)
    assert not proof().holds
    assert proof().as_json()["proven"] is False


@pytest.mark.parametrize(
    "what",
    [
        "a row removed",
        "a digest removed",
        "a row with its digest removed",
        "the last message removed",
        "a row of the quarantine removed",
    ],
)
def test_nor_after_v1_s_tables_were_dropped(database: Path, proof: Callable[[], Proof], what: str) -> None:
    drop_v1_tables(database)
    for statement in TAMPERED[what]:
        execute(database, statement)
    assert not proof().holds


def test_tables_of_v1_that_came_back_have_to_prove_themselves(database: Path, proof: Callable[[], Proof]) -> None:
    drop_v1_tables(database, "users")
    found = proof()
    assert found.elsewhere is None
    assert found.source is not None
    assert (found.source.equal, found.source.missing.count) == (2, RECORDS - 2 + 1)  # one is in quarantine
    assert not found.holds


@pytest.mark.parametrize("is_cascading", [False, True])
def test_an_account_that_is_gone_is_not_taken_for_a_database_without_an_import(
    database: Path, is_cascading: bool
) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(f"PRAGMA foreign_keys = {is_cascading:d}")
        connection.execute("DELETE FROM v1_import_runs")
    with pytest.raises(MigrationError, match="no account of an import"):
        proof_of(database)


def test_nor_where_v1_s_rows_were_elsewhere(tmp_path: Path) -> None:
    with V1File(tmp_path / "v1.db") as v1:
        v1.add_user("ada")
    path = tmp_path / "other.db"
    upgrade(path, v1=v1.path)
    execute(path, "DELETE FROM v1_import_runs")
    with pytest.raises(MigrationError, match="no account of an import"):
        proof_of(path)


def test_an_import_that_is_still_to_come_is_not_taken_for_none(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user("ada")
    assert alembic(v1.path, "upgrade", "0001").status == 0
    with pytest.raises(MigrationError, match="socrates db upgrade"):
        proof_of(v1.path)


def test_a_key_that_another_program_wrote_as_bytes_is_told_as_added(database: Path, proof: Callable[[], Proof]) -> None:
    execute(database, "UPDATE users SET username = CAST('bob' AS BLOB) WHERE username = 'bob'")
    found = proof()
    assert found.changes.missing.first == ["users 'bob'"]
    assert found.changes.added.first == ["users b'bob'"]


def test_a_gap_says_what_was_reported_and_what_is_held(database: Path, proof: Callable[[], Proof]) -> None:
    execute(database, "DELETE FROM v1_import_digests WHERE source_table = 'users'")
    assert proof().gaps == (Gap("digests", "users", reported=2, held=0),)
    assert str(proof().gaps[0]) == "digests of users: 0 in place of 2"
    assert proof().as_json()["account_gaps"] == [{"kind": "digests", "table": "users", "reported": 2, "held": 0}]
