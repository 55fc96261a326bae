"""`socrates db drop-v1-backup`: v1's tables go only when they have proven the import, and then wholly."""

import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.migrate import REPOSITORY, alembic, execute, refused, rows, sha256, upgrade
from tests.support.v1_files import V1File
from tests.unit.cli.dropping import (
    LETTER,
    PICKLED,
    SECRET,
    assert_refused,
    beside,
    checks,
    content,
    drop,
    facts,
    failing_at,
    strike,
    used_database,
    v1_tables,
    where,
)


@pytest.fixture(params=["delete", "wal"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return used_database(tmp_path, request.param)


@pytest.fixture
def used(tmp_path: Path) -> Path:
    return used_database(tmp_path, "wal")


# Done


def test_v1_s_tables_are_dropped_once_they_have_proven_the_import(path: Path) -> None:
    before = content(path)
    result = drop(path, "--yes")
    assert result.exit_code == 0, result.output
    assert "9 tables of v1 with 25 rows are dropped" in result.stdout
    assert v1_tables(path) == set()
    after = content(path)
    noted = [line for line in after if line.startswith('INSERT INTO "v1_backup_changes"')]
    assert len(noted) == 1
    assert [line for line in after if line not in noted] == [line for line in before if '_v1_backup"' not in line]
    (backup,) = path.parent.glob("projects.db.backup_*")
    assert content(backup) == before
    assert str(backup) in result.stdout
    assert checks(path)
    assert checks(backup)


def test_the_same_as_json(path: Path) -> None:
    size = path.stat().st_size
    told = facts(drop(path, "--yes", "--json"))
    (backup,) = path.parent.glob("projects.db.backup_*")
    assert (told["database"], told["backup"]) == (str(path), str(backup))
    assert told["dropped"]["projects_v1_backup"] == 20
    assert len(told["dropped"]) == 9
    assert (told["bytes_before"], told["bytes_after"], told["not_shrunk"]) == (size, path.stat().st_size, None)
    assert told["bytes_after"] < told["bytes_before"]


def test_what_was_dropped_is_on_the_account(used: Path) -> None:
    drop(used, "--yes", "--no-backup")
    ((run, position, kind, details),) = rows(used, "SELECT run_id, position, kind, details FROM v1_backup_changes")
    assert (run, position, kind) == (1, 0, "dropped")
    assert json.loads(details)["tables"]["users_v1_backup"] == 3
    assert beside(used).keys() == {"projects.db"}


def test_there_is_no_downgrade_afterwards(used: Path) -> None:
    drop(used, "--yes")
    before = content(used)
    for discard in (0, 1):
        outcome = alembic(used, "downgrade", "base", discard=discard)
        assert refused(outcome), outcome
        assert "restore a backup file instead" in outcome.err
    assert content(used) == before


def test_what_v1_s_tables_held_is_in_no_page_afterwards(path: Path) -> None:
    backup = next(path.parent.glob("projects.db.backup_*"), None)
    assert backup is None
    assert where(path, SECRET, LETTER) == ["projects.db"]
    assert drop(path, "--yes", "--no-backup").exit_code == 0
    assert where(path, SECRET, LETTER) == []


# While others have it open

OTHER = """
import sqlite3, sys
from socrates import sync
with sync.Store.open(sys.argv[1]) as store:
    print(store.projects.count_owned("ada"), flush=True)
    if sys.argv[2] == "reading":
        snapshot = sqlite3.connect(sys.argv[1], isolation_level=None)
        snapshot.execute("BEGIN")
        snapshot.execute("SELECT count(*) FROM users").fetchone()
        print("reading", flush=True)
    sys.stdin.readline()
    with store.begin() as unit:
        unit.projects.create("after", "ada")
    print(store.projects.count_owned("ada"), flush=True)
    sys.stdin.readline()
"""


@contextmanager
def another_program(path: Path, doing: str) -> Iterator[Callable[[], str]]:
    """A process that has a store open. What is yielded lets it go on, and returns what it says then."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(path), doing],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    says, hears = process.stdout, process.stdin

    def go_on() -> str:
        hears.write("\n")
        hears.flush()
        return says.readline().strip()

    with process:
        try:
            assert says.readline().strip() == "20"
            if doing == "reading":
                assert says.readline().strip() == "reading"
            yield go_on
            hears.close()
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_other_programs_may_have_it_open_and_go_on(used: Path) -> None:
    with another_program(used, "nothing") as go_on:
        result = drop(used, "--yes", "--no-backup", "--json")
        assert result.exit_code == 0, result.output
        assert facts(result)["not_shrunk"] is None
        assert where(used, SECRET, LETTER) == []
        assert go_on() == "21"
    assert v1_tables(used) == set()
    assert where(used, SECRET, LETTER) == []
    assert checks(used)


def test_while_somebody_reads_what_it_was_the_owner_is_told_that_it_still_lies_there(
    used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socrates.cli.v1_tables._WAIT_SECONDS", 0.2)
    with another_program(used, "reading") as go_on:
        result = drop(used, "--yes", "--no-backup", "--json")
        assert result.exit_code == 1, result.output
        assert "another program is reading" in facts(result)["not_shrunk"]
        assert v1_tables(used) == set()
        assert where(used, SECRET)
        assert go_on() == "21"
    assert where(used, SECRET, LETTER) == []  # when all have closed it, as it was said
    assert checks(used)


def test_the_text_says_so_too(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strike(monkeypatch, failing_at("VACUUM", sqlite3.OperationalError("database is locked")))
    assert where(used, PICKLED) == ["projects.db"]
    result = drop(used, "--yes", "--no-backup")
    assert result.exit_code == 1
    assert "What they held may still lie in the file, which was not made smaller: database is locked" in result.stdout
    assert v1_tables(used) == set()
    assert where(used, PICKLED) == []  # for the pages were overwritten all the same


# Refused


LOST = {
    "v1's row changed": "UPDATE users_v1_backup SET data = x'80047d2e' WHERE username = 'ada'",
    "v1's row removed": "DELETE FROM users_v1_backup WHERE username = 'ada'",
    "v1's row added": "INSERT INTO users_v1_backup VALUES ('new', '', x'80047d2e', '')",
    "v1's table removed": "DROP TABLE users_v1_backup",
    "row removed": "DELETE FROM users WHERE username = 'ada'",
    "message removed": "DELETE FROM conversation_messages WHERE project_id = 'project-3' AND position = 1",
    "digest removed": "DELETE FROM v1_import_digests WHERE source_key = 'ada'",
    "deletion forgotten": "DELETE FROM v1_import_deletions WHERE source_table = 'api_keys'",
    "quarantine emptied": "DELETE FROM v1_quarantine",
}


@pytest.mark.parametrize("what", LOST)
def test_when_the_check_fails_they_are_still_needed(used: Path, what: str) -> None:
    execute(used, LOST[what])
    before = beside(used)
    result = drop(used, "--yes")
    assert_refused(result, "v1's tables are still needed. Nothing was changed.")
    assert f"socrates db check {used}" in result.stderr
    assert beside(used) == before
    assert not checks(used)


def test_without_an_account_of_the_import_they_are_still_needed(used: Path) -> None:
    execute(used, "DELETE FROM v1_import_runs")
    before = beside(used)
    assert_refused(drop(used, "--yes"), "no account of an import")
    assert beside(used) == before


def test_tables_that_came_back_have_to_prove_themselves(used: Path) -> None:
    drop(used, "--yes", "--no-backup")
    execute(used, "CREATE TABLE users_v1_backup (username TEXT PRIMARY KEY, passcode_hash, data, created_at)")
    assert_refused(drop(used, "--yes"), "v1's tables are still needed")


def test_where_nothing_is_left_there_is_nothing_to_drop(used: Path) -> None:
    drop(used, "--yes", "--no-backup")
    before = beside(used)
    assert_refused(drop(used, "--yes"), "holds no tables of v1. Nothing was changed.")
    assert beside(used) == before


def test_a_database_without_v1_s_tables_is_refused(tmp_path: Path) -> None:
    upgrade(tmp_path / "new.db")
    assert_refused(drop(tmp_path / "new.db", "--yes"), "holds no tables of v1")
    with V1File(tmp_path / "v1.db") as v1:
        v1.add_user("ada")
    upgrade(tmp_path / "other.db", v1=v1.path)
    assert_refused(drop(tmp_path / "other.db", "--yes"), "holds no tables of v1")
    before = sha256(v1.path)
    assert_refused(drop(v1.path, "--yes"), "has no schema of ours yet")
    assert sha256(v1.path) == before


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_an_earlier_revision_is_to_be_upgraded_first(tmp_path: Path, revision: str) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user("ada")
    alembic(v1.path, "upgrade", revision)
    before = beside(v1.path)
    assert_refused(drop(v1.path, "--yes"), f"run socrates db upgrade {v1.path}")
    assert beside(v1.path) == before


def test_what_is_no_database_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database, but a text that is long enough to look at")
    (tmp_path / "empty.db").touch()
    for name, reason in {
        "notes.txt": "is not a SQLite database",
        "empty.db": "has no schema of ours",
        "missing.db": "there is no file",
        "": "is a directory",
    }.items():
        before = beside(tmp_path / "x") if name else {}
        assert_refused(drop(tmp_path / name, "--yes"), reason)
        assert not name or beside(tmp_path / "x") == before
    assert_refused(drop("postgresql://h/db", "--yes"), "works on SQLite files")


def test_a_newer_version_s_database_is_left_to_it(used: Path) -> None:
    execute(used, "UPDATE alembic_version SET version_num = '9999'")
    assert_refused(drop(used, "--yes"), "was written by a newer socrates")


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_where_nobody_can_be_asked_nothing_is_dropped(used: Path, form: tuple[str, ...]) -> None:
    before = beside(used)
    result = drop(used, *form)
    assert_refused(result, "say --yes. Nothing was changed.")
    assert bool(result.stdout) == bool(form)
    assert beside(used) == before


@pytest.mark.parametrize(("answer", "status", "left"), [("n", 2, 9), ("y", 0, 0)])
def test_at_a_terminal_the_owner_is_asked(used: Path, answer: str, status: int, left: int) -> None:
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        done = subprocess.run(
            [sys.executable, "-c", "from socrates.cli.main import main; main()", "db", "drop-v1-backup", str(used)],
            stdin=theirs,
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            timeout=60,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == status, done
    assert "It cannot be downgraded afterwards. [y/N]" in done.stdout + done.stderr
    assert ("Nothing was changed." in done.stderr) == (answer == "n")
    assert len(v1_tables(used)) == left


def test_a_file_that_is_marked_read_only_is_left_alone(used: Path) -> None:
    used.chmod(0o444)
    before = beside(used)
    assert_refused(drop(used, "--yes"), "is read-only")
    assert beside(used) == before


def test_somebody_who_writes_is_not_cut_short(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socrates.cli.v1_tables._WAIT_SECONDS", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE projects SET goals = 'new'")
        assert_refused(drop(path, "--yes"), "is in use")
        writer.execute("COMMIT")
    assert len(v1_tables(path)) == 9
    assert beside(path).keys() == {"projects.db"}


def test_without_room_for_the_backup_nothing_is_dropped(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(used.parent)
    monkeypatch.setattr("shutil.disk_usage", lambda _directory: usage._replace(free=used.stat().st_size))
    before = beside(used)
    assert_refused(drop(used, "--yes"), "bytes free")
    assert beside(used) == before
    assert drop(used, "--yes", "--no-backup").exit_code == 0
