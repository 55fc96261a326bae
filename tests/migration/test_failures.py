"""What is left, and what is said, when a migration fails or is interrupted."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.migrate import REPOSITORY, alembic, execute, refused, row, sha256, table_names, told, upgrade
from tests.support.v1_files import V1File

# Ctrl-C in the one moment that cannot be hit from outside: after the commit, when something is about to be told.
_INTERRUPT_AFTER_THE_COMMIT = """
import os, signal, sys
import rich.console
rich.console.Console.print = lambda *_what, **_how: os.kill(os.getpid(), signal.SIGINT)
from alembic.config import main
main(argv=["-c", sys.argv[1], "-x", "url=" + sys.argv[2], "-x", "v1_timezone=UTC", "upgrade", "head"])
"""


def damaged_file(path: Path) -> Path:
    with V1File(path) as v1:
        v1.add_project()
        v1.add_user("eve", blob=b"damage")
    return v1.path


def test_a_refused_import_leaves_the_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = damaged_file(tmp_path / "projects.db")
    before = sha256(path)
    outcome = alembic(path, "upgrade", "head", v1_timezone="UTC")
    assert refused(outcome)
    assert "nothing was changed" in outcome.err
    assert sha256(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_refused_import_of_a_file_in_wal_mode_says_nothing_untrue(tmp_path: Path) -> None:
    path = damaged_file(tmp_path / "projects.db")
    execute(path, "PRAGMA journal_mode = WAL")
    assert refused(alembic(path, "upgrade", "head", v1_timezone="UTC"))
    assert "users_v1_backup" not in table_names(path)


def test_ctrl_c_after_the_commit_says_that_it_was_done(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
    command = [sys.executable, "-c", _INTERRUPT_AFTER_THE_COMMIT, str(REPOSITORY / "alembic.ini"), str(v1.path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 130, done
    assert "it was done already" in done.stderr
    assert "projects_v1_backup" in table_names(v1.path)
    (backup,) = tmp_path.glob("projects.db.backup_*")
    assert str(backup) in done.stderr


def hide_from_the_index(path: Path, username: str) -> None:
    """Add a user's row while SQLite does not know of the table's index, which then lacks it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        query = "SELECT sql, (SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_users_1') "
        declaration, root = connection.execute(query + "FROM sqlite_master WHERE name = 'users'").fetchone()
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'sqlite_autoindex_users_1'")
        without_key = declaration.replace(" PRIMARY KEY", "")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'users'", (without_key,))
    execute(path, "INSERT INTO users SELECT ?, passcode_hash, data, created_at FROM users", username)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'users'", (declaration,))
        index = "INSERT INTO sqlite_master VALUES ('index', 'sqlite_autoindex_users_1', 'users', ?, NULL)"
        connection.execute(index, (root,))


def test_a_row_that_an_index_lacks_is_not_lost_in_silence(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user("ada")
    hide_from_the_index(v1.path, "hidden")
    assert row(v1.path, "SELECT count(*) FROM users NOT INDEXED") == (2,)
    before = sha256(v1.path)
    outcome = alembic(v1.path, "upgrade", "head", v1_timezone="UTC")
    assert refused(outcome)
    assert "missing from index" in outcome.err
    assert sha256(v1.path) == before


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "directory"])
def test_a_source_that_is_none_makes_no_target(tmp_path: Path, kind: str) -> None:
    source, target = tmp_path / "old.db", tmp_path / "new.db"
    if kind == "directory":
        source.mkdir()
    elif kind != "missing":
        source.write_text("" if kind == "empty" else "not a database at all")
    assert refused(alembic(target, "upgrade", "head", v1=source))
    assert not target.exists()


@pytest.mark.parametrize("command", ["downgrade base", "downgrade 0001", "downgrade -1", "stamp head"])
@pytest.mark.parametrize("options", [{}, {"dry_run": 1}], ids=["", "dry run"])
def test_what_makes_no_database_makes_no_file(tmp_path: Path, command: str, options: dict[str, int]) -> None:
    path = tmp_path / "projects.db"
    assert refused(alembic(path, *command.split(), **options))
    assert list(tmp_path.iterdir()) == []


def test_a_downgrade_of_a_missing_file_says_that_there_is_none(tmp_path: Path) -> None:
    outcome = alembic(tmp_path / "typo.db", "downgrade", "base")
    assert f"there is no file {tmp_path / 'typo.db'}" in outcome.err


def test_an_upgrade_that_fails_makes_no_file(tmp_path: Path) -> None:
    source, target = damaged_file(tmp_path / "old.db"), tmp_path / "new.db"
    assert refused(alembic(target, "upgrade", "head", v1=source, v1_timezone="UTC"))
    assert not target.exists()


def test_an_empty_file_that_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    path.touch()
    assert alembic(path, "downgrade", "base").status == 0
    assert path.read_bytes() == b""


def test_names_that_every_row_would_repeat_are_damage(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(project_id="bomb", categorized_specs={"p" * 100_000: [{} for _ in range(5000)]})
        v1.add_project(project_id="fine")
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert row(v1.path, "SELECT id FROM projects") == ("fine",)
    (reason,) = row(v1.path, "SELECT reason FROM v1_quarantine")
    assert "far more room" in reason


def test_the_check_knows_which_rows_are_in_quarantine_and_which_are_nowhere(tmp_path: Path) -> None:
    path = damaged_file(tmp_path / "projects.db")
    upgrade(path, expected_status=1, on_bad="quarantine")
    done = subprocess.run(
        [sys.executable, "-c", "from socrates.cli.main import main; main()", "db", "check", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "in quarantine: 1; neither there nor imported: none" in done.stdout
    execute(path, "DELETE FROM v1_quarantine")
    gone = subprocess.run([*done.args], capture_output=True, text=True, check=False)
    assert gone.returncode == 1
    assert "neither there nor imported: 1" in gone.stdout


def test_a_view_in_the_way_is_named_with_what_to_do(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
    execute(v1.path, "CREATE VIEW broken AS SELECT * FROM gone")
    before = sha256(v1.path)
    outcome = alembic(v1.path, "upgrade", "head", v1_timezone="UTC")
    assert refused(outcome)
    assert "drop it, then run this again" in told(outcome, tmp_path)
    assert sha256(v1.path) == before


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("command", [("upgrade", "head"), ("downgrade", "base")])
def test_a_database_that_a_program_has_open_is_not_migrated(tmp_path: Path, command: tuple[str, str]) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
    if command[0] == "upgrade":
        assert alembic(v1.path, "upgrade", "0003", v1_timezone="UTC").status == 0
    else:
        upgrade(v1.path)
    execute(v1.path, "PRAGMA journal_mode = WAL")
    with closing(sqlite3.connect(v1.path)) as program:
        program.execute("SELECT count(*) FROM projects").fetchone()
        before = table_names(v1.path)
        outcome = alembic(v1.path, *command)
        assert refused(outcome)
        assert "in use" in outcome.err
        assert table_names(v1.path) == before
    assert alembic(v1.path, *command).status == 0
