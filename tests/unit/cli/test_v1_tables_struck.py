"""`socrates db drop-v1-backup`, interrupted, failing or killed: all of v1's tables are there, or none."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.migrate import REPOSITORY, rows
from tests.unit.cli.dropping import (
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
)


@pytest.fixture(params=["delete", "wal"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return used_database(tmp_path, request.param)


@pytest.fixture
def used(tmp_path: Path) -> Path:
    return used_database(tmp_path, "wal")


MOMENTS = ["the copy", 'DROP TABLE "llm_usage', "COMMIT"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_who_interrupts_it_has_what_was_and_is_told_so(
    path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(path)
    with monkeypatch.context() as patch:
        strike(patch, failing_at(moment, KeyboardInterrupt()))
        result = drop(path, "--yes")
    assert result.exit_code == 130, result.output
    assert "interrupted: nothing was changed." in result.stderr
    assert content(path) == before
    assert beside(path).keys() == {"projects.db"}


def test_who_interrupts_it_when_it_is_done_is_told_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        strike(patch, failing_at("VACUUM", KeyboardInterrupt()))
        result = drop(path, "--yes", "--json")
    assert result.exit_code == 130
    told = facts(result)["error"]
    assert v1_tables(path) == set()
    (backup,) = path.parent.glob("projects.db.backup_*")
    assert (told["kind"], told["message"]) == (
        "KeyboardInterrupt",
        f"interrupted: but v1's tables were dropped by then; the backup is {backup}.",
    )


@pytest.mark.parametrize("moment", ["VACUUM", "PRAGMA wal_checkpoint"])
def test_what_fails_when_it_is_done_is_not_told_as_a_refusal(
    path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        strike(patch, failing_at(moment, sqlite3.OperationalError("disk I/O error")))
        result = drop(path, "--yes", "--json")
    assert result.exit_code == 1, result.output
    told = facts(result)
    assert len(told["dropped"]) == 9
    assert "disk I/O error" in told["not_shrunk"]
    assert v1_tables(path) == set()


def test_at_the_commit_nobody_is_heard_who_would_be_told_wrong(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(statement: str) -> None:
        if statement == "after COMMIT":
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        strike(patch, interrupt)
        result = drop(used, "--yes", "--no-backup")
    assert result.exit_code == 0, result.output
    assert v1_tables(used) == set()


@pytest.mark.parametrize("moment", MOMENTS)
def test_after_an_error_everything_is_as_it_was(path: Path, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(path)
    with monkeypatch.context() as patch:
        strike(patch, failing_at(moment, sqlite3.OperationalError("disk I/O error")))
        result = drop(path, "--yes")
    assert_refused(result, "disk I/O error")
    assert content(path) == before
    assert beside(path).keys() == {"projects.db"}


DROP = ("db", "drop-v1-backup", "--yes", "--no-backup")


def test_a_disk_that_takes_no_answer_makes_no_refusal_of_what_was_done(tmp_path: Path) -> None:
    used = used_database(tmp_path)
    with Path("/dev/full").open("w") as nowhere:
        done = subprocess.run(
            [sys.executable, "-c", "from socrates.cli.main import main; main()", *DROP, str(used)],
            stdout=nowhere,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            check=False,
        )
    assert done.returncode == 0, done
    assert "it is done, but could not be told" in done.stderr
    assert v1_tables(used) == set()


VICTIM = """
import os, signal, sqlite3, sys
from socrates.cli.main import main

class Struck(sqlite3.Connection):
    def execute(self, sql, *parameters):
        if sql.startswith(moment):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(sql, *parameters)

connect = sqlite3.connect
sqlite3.connect = lambda *arguments, **named: connect(*arguments, factory=Struck, **named)
victims = sys.argv[1:]
while victims:
    moment, path, *victims = victims
    if not os.fork():
        sys.argv = ["socrates", "db", "drop-v1-backup", path, "--yes", "--no-backup"]
        main()
    assert os.wait()[1] == signal.SIGKILL
"""


def test_a_kill_leaves_all_of_v1_s_tables_or_none(tmp_path: Path) -> None:
    moments = {'DROP TABLE "llm_usage': 9, "COMMIT": 9, "VACUUM": 0, "PRAGMA wal_checkpoint": 0}
    expected: dict[Path, int] = {}
    arguments: list[str] = []
    for mode in ("delete", "wal"):
        for moment, left in moments.items():
            copy = used_database(tmp_path, mode, f"{len(expected)}.db")
            expected[copy] = left
            arguments += [moment, str(copy)]
    subprocess.run([sys.executable, "-c", VICTIM, *arguments], cwd=REPOSITORY, check=True, timeout=120)
    for copy, left in expected.items():
        assert len(v1_tables(copy)) == left, copy
        assert len(rows(copy, "SELECT * FROM v1_backup_changes")) == (not left)
        assert checks(copy)
        assert content(copy)
