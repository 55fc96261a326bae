"""`socrates db check` and `db status` on PostgreSQL: the proof is that of SQLite, by v1's rows in a file."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from socrates import sync
from socrates.cli.main import app
from socrates.database.migrations import head_revision
from tests.support.migrate import alembic, execute, upgrade
from tests.support.postgres import EmptyDatabases, contents, import_file, query
from tests.support.postgres import execute as execute_on_server
from tests.support.v1_files import V1File

pytestmark = pytest.mark.postgres

RECORDS = 5
SECRET = "swordfish"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that is imported."""
    with V1File(tmp_path_factory.mktemp("v1") / "v1.db") as v1:
        v1.add_user("ada")
        v1.add_user("bob")
        v1.add_user("eve", blob=b"no pickle")
        v1.add_project()
        v1.add_note()
        v1.add_note(project_id="nowhere")
        v1.add_api_key()
    return v1.path


@pytest.fixture
def v1_path(source: Path, tmp_path: Path) -> Path:
    """A copy of that file."""
    return Path(shutil.copyfile(source, tmp_path / "v1.db"))


@pytest.fixture(scope="module")
def on_sqlite(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that the file was imported into, on SQLite."""
    path = tmp_path_factory.mktemp("imported") / "projects.db"
    upgrade(path, expected_status=1, v1=source, on_bad="quarantine")
    return path


@pytest.fixture
def database(on_sqlite: Path, empty_databases: EmptyDatabases) -> Iterator[str]:
    """The URL of one on PostgreSQL that holds the same: a copy, for an import takes ten times as long."""
    with empty_databases.lent() as url:
        assert CliRunner().invoke(app, ["db", "copy", str(on_sqlite), url]).exit_code == 0
        yield url


@pytest.fixture
def imported(source: Path, postgres_url: str) -> str:
    """The URL of one on PostgreSQL that the file was imported into."""
    import_file(postgres_url, source, expected_status=1, on_bad="quarantine")
    return postgres_url


def db(command: str, database: Path | str, *more: Path | str) -> Result:
    return CliRunner().invoke(app, ["db", command, str(database), *map(str, more)])


def facts(command: str, database: Path | str, *more: Path | str, status: int = 0) -> dict[str, Any]:
    result = db(command, database, *more, "--json")
    assert result.exit_code == status, result.output
    told = json.loads(result.stdout)
    assert isinstance(told, dict)
    return told


def assert_refused(result: Result, message: str) -> None:
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert isinstance(result.exception, SystemExit)


# The check


def test_the_rows_are_proven_and_where_v1_s_are_is_told(database: str, source: Path) -> None:
    result = db("check", database)
    assert result.exit_code == 0, result.output
    assert "v1's rows are not in this database, so only what was imported is checked" in result.stdout
    assert f"they came from {source}" in result.stdout
    assert "--v1 PATH" in result.stdout
    assert f"Imported rows unchanged since: {RECORDS}\n" in result.stdout
    told = facts("check", database)
    assert (told["proven"], told["source"], told["v1_rows_read_from"]) == (True, None, None)
    assert (told["rows"]["equal"], told["account_gaps"]) == (RECORDS, [])


def test_with_v1_s_file_its_rows_prove_themselves_and_nothing_is_changed(database: str, v1_path: Path) -> None:
    before = contents(database)
    result = db("check", database, "--v1", v1_path)
    assert result.exit_code == 0, result.output
    assert f"v1's rows were read from {v1_path}" in result.stdout
    assert "The import is proven: no value was lost." in result.stdout
    told = facts("check", database, "--v1", v1_path)
    assert (told["proven"], told["source_elsewhere"], told["v1_rows_read_from"]) == (True, None, str(v1_path))
    assert (told["source"]["equal"], told["source"]["quarantined"]) == (RECORDS, 2)
    assert contents(database) == before


def test_v1_s_rows_are_found_in_a_file_that_was_upgraded_since(database: str, v1_path: Path) -> None:
    upgrade(v1_path, expected_status=1, on_bad="quarantine")
    assert facts("check", database, "--v1", v1_path)["source"]["equal"] == RECORDS


def test_the_proof_of_an_import_is_what_it_is_on_sqlite(imported: str, on_sqlite: Path, source: Path) -> None:
    for more in ((), ("--v1", source)):
        one, other = (facts("check", place, *more) for place in (on_sqlite, imported))
        del one["database"], other["database"]
        assert one == other


def test_what_was_written_since_is_listed(database: str, v1_path: Path) -> None:
    execute_on_server(
        database,
        "UPDATE projects SET goals = 'tampered'",
        "INSERT INTO users SELECT 'new', passcode_hash, created_at, subscription_tier, subscription_status,"
        " subscription_start, subscription_end, questions_used_this_month, usage_reset_date, is_archived,"
        " archived_at, extra FROM users WHERE username = 'ada'",
    )
    result = db("check", database, "--v1", v1_path)
    assert result.exit_code == 0, result.output
    assert "Changed since: 1: projects 'project-1'" in result.stdout
    assert "Added since: 1: users 'new'" in result.stdout


def test_what_a_call_deleted_is_told_from_what_was_lost(database: str) -> None:
    with sync.Store.open(database) as store, store.begin() as unit:
        unit.notes.delete("note-2")
    result = db("check", database)
    assert result.exit_code == 0, result.output
    assert "Deleted since: 1: project_notes 'note-2'" in result.stdout
    execute_on_server(database, "DELETE FROM users WHERE username = 'bob'")
    result = db("check", database)
    assert result.exit_code == 1
    assert "Missing, though nobody deleted it: 1: users 'bob'" in result.stdout
    assert "The check failed" in result.stderr
    assert "proven" not in result.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM conversation_messages WHERE position = 1",
        "DELETE FROM v1_import_digests WHERE source_key = 'ada'",
        "DELETE FROM v1_quarantine WHERE source_key = 'eve'",
        "UPDATE v1_import_runs SET report = '{}'",
    ],
)
def test_a_loss_fails_the_check_without_v1_s_file(database: str, statement: str) -> None:
    execute_on_server(database, statement)
    assert facts("check", database, status=1)["proven"] is False


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE v1_import_digests SET digest = '\\x00' WHERE source_key = 'ada'",
        "UPDATE v1_quarantine SET data = '\\x00' WHERE source_key = 'eve'",
        "UPDATE v1_import_runs SET timezone = 'Asia/Tokyo'",
    ],
)
def test_an_account_that_was_tampered_with_fails_the_check_by_v1_s_file(
    database: str, v1_path: Path, statement: str
) -> None:
    execute_on_server(database, statement)
    assert facts("check", database, "--v1", v1_path, status=1)["source"]["differing"]["count"]


def test_a_file_that_is_not_what_was_imported_fails_the_check(database: str, source: Path, tmp_path: Path) -> None:
    for number, (statement, found) in enumerate(
        (
            ("UPDATE users SET data = x'80047d2e' WHERE username = 'ada'", "differing"),
            ("UPDATE users SET data = x'00' WHERE username = 'eve'", "differing"),
            ("DELETE FROM users WHERE username = 'ada'", "missing"),
            ("INSERT INTO users VALUES ('new', '', x'80047d2e', '')", "unaccounted"),
        )
    ):
        copy = Path(shutil.copyfile(source, tmp_path / f"{number}.db"))
        execute(copy, statement)
        assert facts("check", database, "--v1", copy, status=1)["source"][found]["count"] == 1, statement


def test_a_row_that_only_postgresql_cannot_hold_is_accounted_for(postgres_url: str, tmp_path: Path) -> None:
    with V1File(tmp_path / "v1.db") as v1:
        v1.add_user("ada")
        v1.add_user("n\x00l")
        v1.add_user("k" * 3000)
        v1.add_user("zoe", passcode_hash="a\x00b")
    import_file(postgres_url, v1.path, expected_status=1, on_bad="quarantine")
    told = facts("check", postgres_url, "--v1", v1.path)
    assert (told["source"]["equal"], told["source"]["quarantined"]) == (1, 3)
    execute(v1.path, "DELETE FROM users WHERE length(username) = 3000")
    assert facts("check", postgres_url, "--v1", v1.path, status=1)["source"]["missing"]["count"] == 1


def test_what_cannot_be_judged_is_refused(postgres_url: str, v1_path: Path, tmp_path: Path) -> None:
    assert_refused(db("check", postgres_url), "no schema of ours")
    alembic(postgres_url, "upgrade", "head")
    assert "Nothing was ever imported" in db("check", postgres_url).stdout
    assert facts("check", postgres_url, "--v1", v1_path)["imported"] is False
    (tmp_path / "empty.db").touch()
    assert_refused(db("check", postgres_url, "--v1", tmp_path / "empty.db"), "holds no tables of v1")
    assert_refused(db("check", postgres_url, "--v1", tmp_path / "missing.db"), "there is no file")
    execute_on_server(postgres_url, "UPDATE alembic_version SET version_num = '9999'")
    assert_refused(db("check", postgres_url), "newer socrates")


def test_a_lost_account_is_not_taken_for_a_database_without_an_import(database: str) -> None:
    execute_on_server(database, "DELETE FROM v1_import_digests", "DELETE FROM v1_import_notes")
    execute_on_server(database, "DELETE FROM v1_import_runs")
    assert_refused(db("check", database), "no account of an import")


def test_what_the_server_refuses_is_told(postgres_url: str) -> None:
    alembic(postgres_url, "upgrade", "head")
    execute_on_server(postgres_url, "ALTER TABLE v1_import_runs RENAME COLUMN source TO taken")
    for command in ("check", "status"):
        assert_refused(db(command, postgres_url), "the database refused")
        result = db(command, f"postgresql://ada:{SECRET}@127.0.0.1:1/library")
        assert_refused(result, "cannot be reached")
        assert SECRET not in result.output


def test_an_import_at_an_earlier_revision_can_be_checked(postgres_url: str, v1_path: Path) -> None:
    outcome = alembic(postgres_url, "upgrade", "0003", v1=v1_path, v1_timezone="UTC", on_bad="quarantine")
    assert outcome.status == 1, outcome
    assert facts("check", postgres_url, "--v1", v1_path)["source"]["equal"] == RECORDS
    assert "socrates db upgrade" in facts("status", postgres_url)["next"]


# The status


def test_status_tells_what_an_import_did_and_what_came_after(imported: str, source: Path) -> None:
    with sync.Store.open(imported) as store, store.begin() as unit:
        unit.notes.delete("note-2")
    told = facts("status", imported)
    assert (told["kind"], told["revision"], told["head"], told["next"]) == (
        "ours",
        head_revision(),
        head_revision(),
        None,
    )
    ((size,),) = query(imported, "SELECT pg_database_size(current_database())")
    assert 0.9 < told["bytes"]["database"] / size < 1.1
    assert {name: told["rows"][name] for name in ("users", "projects", "conversation_messages", "project_notes")} == {
        "users": 2,
        "projects": 1,
        "conversation_messages": 2,
        "project_notes": 0,
    }
    run = told["import"]
    assert (run["source"], run["read"], run["imported"], run["quarantined"]) == (str(source), 7, RECORDS, 2)
    assert (run["deleted_since"], run["imported_later"], run["backup_changes"]) == (1, 0, [])
    assert told["quarantine"] == {
        "project_notes": {"rows": 1, "without_project": 1},
        "users": {"rows": 1, "without_project": 0},
    }


def test_the_text_of_status_says_the_same(database: str, source: Path) -> None:
    result = db("status", database)
    assert result.exit_code == 0, result.output
    assert f": ours, revision {head_revision()} (newest: {head_revision()})" in result.stdout
    assert f"Imported from {source} at 20" in result.stdout
    assert "7 rows read, 5 imported, 2 quarantined" in result.stdout
    assert "In quarantine: project_notes: 1, of which 1 only lack their project" in result.stdout
    assert "free" not in result.stdout


def test_status_of_an_empty_database_a_new_one_and_somebody_else_s(postgres_url: str) -> None:
    told = facts("status", postgres_url)
    assert (told["kind"], told["revision"], told["import"], told["rows"]) == ("empty", None, None, {})
    execute_on_server(postgres_url, "CREATE TABLE theirs (name text)")
    assert_refused(db("status", postgres_url), "neither empty nor one of ours")
    execute_on_server(postgres_url, "DROP TABLE theirs")
    alembic(postgres_url, "upgrade", "head")
    assert "Nothing was ever imported." in db("status", postgres_url).stdout
    assert set(facts("status", postgres_url)["rows"].values()) == {0}
