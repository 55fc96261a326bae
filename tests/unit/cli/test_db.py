"""`socrates db`: what each command says, and its exit status."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import socrates
from socrates import sync
from socrates.cli.main import app
from tests.support.migrate import execute, rows, sha256, table_names, value
from tests.support.v1_files import V1File
from tests.unit.v1.samples import SAMPLES


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The larger sample."""
    copy = tmp_path / "projects.db"
    copy.write_bytes((SAMPLES / "nine-tables.db").read_bytes())
    return copy


@pytest.fixture
def upgraded(database: Path) -> Path:
    assert db("upgrade", database, "-x", "v1_timezone=UTC").exit_code == 0
    return database


def db(command: str, database: Path | str, *more: str) -> Result:
    return CliRunner().invoke(app, ["db", command, str(database), *more])


def assert_refused(result: Result) -> None:
    """Status 2 and a message, no traceback, nothing on standard output."""
    assert result.exit_code == 2, result.output
    assert result.stderr.strip()
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_an_upgrade_imports_and_says_what_to_do_next(database: Path) -> None:
    result = db("upgrade", database, "-x", "v1_timezone=UTC")
    assert result.exit_code == 0
    assert "Every value was read back and compared. Naive times were read as UTC." in result.stdout
    assert f"socrates db check {database}" in result.stdout
    assert {"conversation_messages", "projects_v1_backup"} <= table_names(database)
    assert list(database.parent.glob("projects.db.backup_*"))


def test_a_second_upgrade_does_nothing(upgraded: Path) -> None:
    before = sha256(upgraded)
    result = db("upgrade", upgraded)
    assert result.exit_code == 0
    assert "nothing to do" in result.stdout
    assert sha256(upgraded) == before


def test_a_dry_run_changes_nothing(database: Path) -> None:
    before = sha256(database)
    result = db("upgrade", database, "-x", "dry_run=1")
    assert result.exit_code == 0
    assert "Nothing was changed" in result.stdout
    assert sha256(database) == before
    assert list(database.parent.iterdir()) == [database]


@pytest.mark.parametrize("arguments", [("-x", "nonsense=1"), ("-x", "dry_run"), ("-x", "v1_timezone=Nowhere")])
def test_an_option_that_makes_no_sense_is_refused(database: Path, arguments: tuple[str, ...]) -> None:
    before = sha256(database)
    assert_refused(db("upgrade", database, *arguments))
    assert sha256(database) == before


@pytest.mark.parametrize("command", ["upgrade", "downgrade", "check", "show", "status"])
def test_what_is_no_database_is_refused(command: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database, but a text that is long enough to look at")
    assert_refused(db(command, path))
    assert_refused(db(command, tmp_path))
    assert_refused(db(command, "mysql://h/db"))


@pytest.mark.parametrize("command", ["check", "show"])
def test_looking_at_a_missing_file_does_not_make_it(command: str, tmp_path: Path) -> None:
    assert_refused(db(command, tmp_path / "projects.db"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_v1_file_is_not_shown_as_an_empty_system(command: str, database: Path) -> None:
    result = db(command, database)
    assert_refused(result)
    assert "socrates db upgrade" in result.stderr


def test_bad_rows_stop_an_upgrade_or_go_to_quarantine(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user("ada")
        v1.add_user("bob", blob=b"no pickle")
    before = sha256(v1.path)
    assert_refused(db("upgrade", v1.path))
    assert sha256(v1.path) == before
    result = db("upgrade", v1.path, "-x", "on_bad=quarantine")
    assert result.exit_code == 1
    assert "users 'bob' is in quarantine: not a pickle" in result.stdout
    assert value(v1.path, "SELECT count(*) FROM users") == 1


@pytest.mark.parametrize(
    ("what", "name"), [("a lone surrogate", b"\x8c\x03\xed\xa0\x80"), ("an escape sequence", b"\x8c\x04\x1b[2J")]
)
def test_a_hostile_reason_does_not_reach_the_terminal(what: str, name: bytes, tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user("ada")
        v1.add_user("bob", blob=b"\x80\x04}\x8c\x01k\x8c\x02os" + name + b"\x93s.")
    result = db("upgrade", v1.path, "-x", "on_bad=quarantine")
    assert result.exit_code == 1, what
    assert isinstance(result.exception, SystemExit)
    assert "\x1b" not in result.output


def test_a_check_after_an_upgrade_proves_the_import(upgraded: Path) -> None:
    result = db("check", upgraded)
    assert result.exit_code == 0
    assert "The import is proven: no value was lost." in result.stdout


def test_a_check_names_what_changed_and_does_not_fail_for_it(upgraded: Path) -> None:
    execute(upgraded, "UPDATE projects SET name = 'new' WHERE id = (SELECT min(id) FROM projects)")
    result = db("check", upgraded)
    assert result.exit_code == 0
    assert "Changed since: 1: projects " in result.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM users WHERE username = (SELECT min(username) FROM users)",
        "DELETE FROM users_v1_backup WHERE username = (SELECT min(username) FROM users)",
        "UPDATE users_v1_backup SET data = x'80042e' WHERE username = (SELECT min(username) FROM users)",
        "DELETE FROM conversation_messages WHERE position = 0",
        "DELETE FROM v1_import_digests WHERE source_table = 'api_keys'",
    ],
)
def test_a_check_fails_when_rows_are_missing_or_differ(upgraded: Path, statement: str) -> None:
    execute(upgraded, statement)
    result = db("check", upgraded)
    assert result.exit_code == 1
    assert "The check failed" in result.stderr


def test_a_check_tells_what_was_deleted_from_what_was_lost(upgraded: Path) -> None:
    note, other = [key for (key,) in rows(upgraded, "SELECT id FROM project_notes ORDER BY id LIMIT 2")]
    with sync.Store.open(upgraded) as store, store.begin() as unit:
        unit.notes.delete(note)
    result = db("check", upgraded)
    assert result.exit_code == 0
    assert f"Deleted since: 1: project_notes {note!r}" in result.stdout
    assert "The import is proven" in result.stdout
    execute(upgraded, "DELETE FROM project_notes WHERE id = ?", other)
    result = db("check", upgraded)
    assert result.exit_code == 1
    assert f"Deleted since: 1: project_notes {note!r}" in result.stdout
    assert f"Missing, though nobody deleted it: 1: project_notes {other!r}" in result.stdout
    assert "The import is proven" not in result.stdout


def test_a_check_names_what_the_account_has_lost(upgraded: Path) -> None:
    execute(upgraded, "DELETE FROM v1_import_digests WHERE source_table = 'api_keys'")
    assert (
        "The account of the import is not whole: digests of api_keys: 0 in place of 2" in db("check", upgraded).stdout
    )


def test_a_check_does_not_take_a_lost_account_for_a_database_without_an_import(upgraded: Path) -> None:
    execute(upgraded, "DELETE FROM v1_import_runs")
    result = db("check", upgraded)
    assert_refused(result)
    assert "no account of an import" in result.stderr


def test_a_check_of_a_new_database_has_nothing_to_prove(tmp_path: Path) -> None:
    assert db("upgrade", tmp_path / "new.db").exit_code == 0
    result = db("check", tmp_path / "new.db")
    assert result.exit_code == 0
    assert "Nothing was ever imported" in result.stdout


@pytest.mark.parametrize("command", ["check", "show"])
def test_looking_changes_nothing(command: str, upgraded: Path) -> None:
    before = {path.name: sha256(path) for path in upgraded.parent.iterdir()}
    assert db(command, upgraded).exit_code == 0
    assert {path.name: sha256(path) for path in upgraded.parent.iterdir()} == before


def test_show_lists_projects_with_team_and_messages(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user("ada")
        v1.add_project(name="[bold]Library[/]")
        v1.add_project(name="Archive", is_archived=True, conversation_history=[])
    db("upgrade", v1.path, "-x", "v1_timezone=UTC")
    result = db("show", v1.path)
    assert result.exit_code == 0
    assert "[bold]Library[/]" in result.stdout
    assert "archived" in result.stdout
    assert "(2 messages)" in result.stdout
    assert "Members do." in result.stdout


def test_show_reads_no_more_than_it_shows(upgraded: Path) -> None:
    execute(upgraded, "UPDATE projects SET extra = '{nonsense'")
    assert db("show", upgraded).exit_code == 0


def test_show_of_a_text_that_is_none_is_refused(upgraded: Path) -> None:
    execute(upgraded, "UPDATE projects SET name = CAST(x'ff' AS TEXT)")
    assert_refused(db("show", upgraded))


def test_show_of_an_empty_database_shows_no_project(tmp_path: Path) -> None:
    db("upgrade", tmp_path / "new.db")
    result = db("show", tmp_path / "new.db")
    assert result.exit_code == 0
    assert "conversation in" not in result.stdout


def test_a_downgrade_gives_v1_s_rows_back(database: Path, upgraded: Path) -> None:
    assert db("downgrade", upgraded).exit_code == 0
    names = table_names(upgraded)
    assert "projects_v1_backup" not in names
    assert "conversation_messages" not in names
    original = SAMPLES / "nine-tables.db"
    for table in ("projects", "users"):
        assert value(upgraded, f"SELECT group_concat(hex(data)) FROM {table}") == value(
            original, f"SELECT group_concat(hex(data)) FROM {table}"
        )


def test_a_downgrade_does_not_lose_what_was_written_since(upgraded: Path) -> None:
    execute(upgraded, "UPDATE projects SET name = 'new'")
    before = sha256(upgraded)
    result = db("downgrade", upgraded)
    assert_refused(result)
    assert "-x discard=1" in result.stderr
    assert sha256(upgraded) == before
    assert db("downgrade", upgraded, "-x", "discard=1").exit_code == 0


def test_the_version_is_shown() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout.strip()) == (0, socrates.__version__)


@pytest.mark.parametrize("arguments", [["--help"], ["db", "--help"], ["db", "upgrade", "--help"]])
def test_help_is_there(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "Usage" in result.stdout
