"""`socrates db backup` and `socrates db restore`: what they say, what they ask, and their exit status."""

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from socrates.cli.main import app
from socrates.database.migrations import head_revision
from socrates.v1 import exclusive
from tests.support.migrate import REPOSITORY, execute, sha256, value
from tests.support.other_process import other_process
from tests.support.stores import fresh_file
from tests.support.v1_files import V1File

COMMAND = [sys.executable, "-c", "from socrates.cli.main import main; main()", "db"]


def db(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["db", *map(str, arguments)])


def facts(result: Result, status: int = 0) -> dict[str, Any]:
    """The answer of a command with --json: one object on standard output and nothing else."""
    assert result.exit_code == status, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def v1_file(path: Path, *names: str) -> Path:
    with V1File(path) as v1:
        for name in names:
            v1.add_user(name)
    return path


def users(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT username FROM users ORDER BY username")]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return v1_file(home / "projects.db", "ada", "bob")


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    return v1_file(tmp_path / "backup.db", "eve")


# backup


def test_a_backup_says_where_it_is_and_what_it_holds(tmp_path: Path) -> None:
    database = fresh_file(tmp_path)
    result = db("backup", database)
    (made,) = tmp_path.glob("projects.db.backup_*")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Backup: {made} ({made.stat().st_size:,} bytes, revision {head_revision()}, ")


def test_a_backup_answers_in_json(database: Path, tmp_path: Path) -> None:
    answer = facts(db("backup", database, "--to", tmp_path / "copy.db", "--json"))
    assert answer.pop("seconds") >= 0
    assert answer == {
        "database": str(database),
        "backup": str(tmp_path / "copy.db"),
        "bytes": (tmp_path / "copy.db").stat().st_size,
        "revision": None,
        "remarks": [],
    }


def test_the_database_of_another_program_is_backed_up_as_well(tmp_path: Path) -> None:
    for number, statement in enumerate(("CREATE TABLE t (a)", "CREATE TABLE alembic_version (odd)")):
        with closing(sqlite3.connect(tmp_path / f"{number}.db")) as connection:
            connection.execute(statement)
            connection.execute(f"INSERT INTO {statement.split()[2]} VALUES (1)")
            connection.commit()
        assert facts(db("backup", tmp_path / f"{number}.db", "--json"))["revision"] is None


def test_a_backup_of_nothing_is_refused_in_both_forms(tmp_path: Path) -> None:
    result = db("backup", tmp_path / "missing.db")
    assert result.exit_code == 2
    assert "missing.db" in result.stderr
    assert result.stdout == ""
    error = facts(db("backup", tmp_path / "missing.db", "--json"), status=2)["error"]
    assert error["kind"] == "MigrationError"
    assert "missing.db" in error["message"]
    assert list(tmp_path.iterdir()) == []


def test_a_backup_does_not_overwrite(database: Path, backup: Path) -> None:
    before = sha256(backup)
    result = db("backup", database, "--to", backup)
    assert result.exit_code == 2
    assert "overwrites nothing" in result.stderr
    assert sha256(backup) == before


# The command, which stops before it looks at its copy: somebody has time to press Ctrl-C.
HELD = """
import sys, time
looks = []
def hold(event, arguments):
    if event == "sqlite3.connect" and str(arguments[0]).endswith(".partial"):
        looks.append(event)
        if len(looks) == 2:
            time.sleep(60)
sys.addaudithook(hold)
from socrates.cli.main import main
main()
"""


def test_ctrl_c_leaves_no_half_backup(tmp_path: Path) -> None:
    path = tmp_path / "large.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        numbers = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10) "
        connection.execute(f"INSERT INTO t {numbers} SELECT zeroblob(1000000) FROM n")
    command = [sys.executable, "-c", HELD, "db", "backup", path]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
    while not list(tmp_path.glob("*.partial")):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode == 130, error
    assert "the database is as it was" in error
    assert list(tmp_path.iterdir()) == [path]


# restore


def test_a_restore_says_what_it_did_and_what_is_next(database: Path, backup: Path) -> None:
    result = db("restore", backup, database, "--yes")
    assert result.exit_code == 0, result.output
    (kept,) = database.parent.glob("projects.db.replaced_*")
    text = " ".join(result.stdout.split())
    assert f"{database}: written by v1, {kept.stat().st_size:,} bytes, 2 users, 0 projects" in text
    assert f"is to be replaced by {backup}: written by v1, {backup.stat().st_size:,} bytes, 1 users" in text
    assert f"{database} is restored from {backup}. The replaced file is kept as {kept}." in text
    assert f"Next: use it with v1, or upgrade it: socrates db upgrade {database}" in text
    assert (users(database), users(kept)) == (["eve"], ["ada", "bob"])


def test_a_restore_answers_in_json(database: Path, tmp_path: Path) -> None:
    ours = fresh_file(tmp_path, "ours.db")
    answer = facts(db("restore", ours, database, "--yes", "--json"))
    (kept,) = database.parent.glob("projects.db.replaced_*")
    assert (answer["database"], answer["restored_from"], answer["kept_as"]) == (str(database), str(ours), str(kept))
    assert (answer["kind"], answer["revision"], answer["users"], answer["messages"]) == ("ours", head_revision(), 0, 0)
    assert (answer["replaced"]["kind"], answer["replaced"]["users"]) == ("v1", 2)
    assert (answer["next"], answer["doubt"], answer["replaced_problem"], answer["remarks"]) == (None, None, None, [])


def test_a_missing_database_is_made_without_asking(backup: Path, tmp_path: Path) -> None:
    answer = facts(db("restore", backup, tmp_path / "new.db", "--json"))
    assert (answer["kept_as"], answer["replaced"]) == (None, None)
    assert users(tmp_path / "new.db") == ["eve"]


def test_a_restored_v1_file_can_be_upgraded(database: Path, backup: Path) -> None:
    assert db("restore", backup, database, "--yes").exit_code == 0
    assert db("upgrade", database, "-x", "v1_timezone=UTC").exit_code == 0
    assert db("check", database).exit_code == 0
    assert value(database, "SELECT username FROM users") == "eve"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_without_somebody_to_ask_nothing_is_replaced(database: Path, backup: Path, form: list[str]) -> None:
    before = sha256(database)
    result = db("restore", backup, database, *form)
    assert result.exit_code == 2
    assert "say --yes" in result.output
    assert sha256(database) == before


def test_a_refusal_names_its_reason_in_both_forms(database: Path, tmp_path: Path) -> None:
    newer = fresh_file(tmp_path, "newer.db")
    execute(newer, "UPDATE alembic_version SET version_num = '9999'")
    result = db("restore", newer, database, "--yes")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "newer socrates" in result.stderr
    assert facts(db("restore", newer, database, "--yes", "--json"), status=2)["error"]["kind"] == "SchemaError"
    assert users(database) == ["ada", "bob"]


def test_a_database_in_use_is_refused(backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exclusive, "_WAIT_SECONDS", 0.3)
    home = tmp_path / "home"
    home.mkdir()
    database = fresh_file(home)
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM users').fetchall(); "
        "print('open', flush=True); sys.stdin.readline()"
    )
    with other_process(code, database):
        error = facts(db("restore", backup, database, "--yes", "--json"), status=2)["error"]
    assert error["kind"] == "BusyError"
    assert "Close what uses it" in error["message"]
    assert not list(home.glob("*.restoring*"))
    assert not list(home.glob("*.replaced_*"))


# What only a terminal can do


@contextmanager
def at_a_terminal(*arguments: object) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command at a terminal of its own, when it has asked its question."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=REPOSITORY,
        start_new_session=True,
    )
    os.close(terminal)
    try:
        said = b""
        while b"[y/N]" not in said:
            said += os.read(controller, 1000)
        yield process, controller
    finally:
        process.kill()
        process.wait()
        os.close(controller)


@pytest.mark.parametrize(("word", "status", "there"), [("y", 0, ["eve"]), ("n", 2, ["ada", "bob"])])
def test_the_owner_is_asked(database: Path, backup: Path, word: str, status: int, there: list[str]) -> None:
    with at_a_terminal("restore", backup, database) as (process, keyboard):
        assert users(database) == ["ada", "bob"]
        os.write(keyboard, f"{word}\n".encode())
        assert process.wait() == status
    assert users(database) == there


def interrupted(process: subprocess.Popen[bytes]) -> int:
    """Press Ctrl-C until it is heard: Python does not hear one that comes just as it begins to wait for a line."""
    for _ in range(20):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(3)
    raise AssertionError("it does not hear Ctrl-C")


def test_ctrl_c_at_the_question_changes_nothing(database: Path, backup: Path) -> None:
    before = sha256(database)
    with at_a_terminal("restore", backup, database) as (process, keyboard):
        assert interrupted(process) == 130
        assert b"nothing was changed" in os.read(keyboard, 1000)
    assert sha256(database) == before


def test_what_is_done_stays_done_when_it_cannot_be_told(database: Path, backup: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "restore", backup, database, "--yes", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "it is done, but could not be told" in done.stderr
    assert users(database) == ["eve"]
