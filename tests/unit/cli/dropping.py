"""A database whose v1 tables can go, `socrates db drop-v1-backup` on it, and what can be seen afterwards."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from socrates import sync
from socrates.cli.main import app
from tests.support.migrate import sha256, table_names, upgrade
from tests.support.v1_files import V1File

SECRET = b"c2stb25seS1pbi12MS10YWJsZXM="
"""An API key that its owner deleted after the upgrade."""
LETTER = b"what only v1's blob of a deleted note said"
PICKLED = b"\x8c\x07content\x94"
"""What stands in v1's blobs and in nothing of ours."""

Moment = Callable[[str], None]


@cache
def _template() -> Path:
    with V1File(Path(mkdtemp(prefix="socrates-template-")) / "projects.db") as v1:
        v1.add_user("ada")
        v1.add_user("bob")
        v1.add_user("eve", blob=b"no pickle")
        for number in range(20):
            v1.add_project(project_id=f"project-{number}")
        v1.add_note(note_id="letter", project_id="project-1", content=LETTER.decode())
        v1.add_api_key(provider="claude", encrypted_key=SECRET.decode())
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    with sync.Store.open(v1.path) as store, store.begin() as unit:
        unit.llm.delete_key("ada", "claude")
        unit.notes.delete("letter")
    return v1.path


def used_database(directory: Path, journal_mode: str = "delete", name: str = "projects.db") -> Path:
    """A database that was upgraded and used: its journal as a migration leaves it, or "wal", as a store does."""
    copy = Path(shutil.copyfile(_template(), directory / name))
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute(f"PRAGMA journal_mode = {journal_mode}").fetchone() == (journal_mode,)
    return copy


def drop(path: Path | str, *more: str) -> Result:
    return CliRunner().invoke(app, ["db", "drop-v1-backup", str(path), *more])


def facts(result: Result) -> dict[str, Any]:
    told = json.loads(result.stdout)
    assert isinstance(told, dict)
    return told


def v1_tables(path: Path) -> set[str]:
    return {name for name in table_names(path) if name.endswith("_v1_backup")}


def beside(path: Path) -> dict[str, str]:
    """The files in the directory, without what SQLite and filelock keep there."""
    kept = (found for found in path.parent.iterdir() if not found.name.endswith(("-wal", "-shm", "-journal", ".lock")))
    return {found.name: sha256(found) for found in kept}


def where(path: Path, *needles: bytes) -> list[str]:
    """The files of the directory in which one of the texts can still be read."""
    return [found.name for found in path.parent.iterdir() if any(needle in found.read_bytes() for needle in needles)]


def content(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return list(connection.iterdump())


def checks(path: Path) -> bool:
    return CliRunner().invoke(app, ["db", "check", str(path)]).exit_code == 0


def assert_refused(result: Result, reason: str) -> None:
    assert result.exit_code == 2, result.output
    assert reason in result.output
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit)


def strike(monkeypatch: pytest.MonkeyPatch, moment: Moment) -> None:
    """Have `moment` called before every statement of the command's connections, after it, and before the copy."""

    class Struck(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            moment(sql)
            cursor = super().execute(sql, *parameters)
            moment(f"after {sql}")
            return cursor

        def backup(self, *arguments: Any, **named: Any) -> None:
            moment("the copy")
            super().backup(*arguments, **named)

    connect = sqlite3.connect
    monkeypatch.setattr("sqlite3.connect", lambda *arguments, **named: connect(*arguments, factory=Struck, **named))


def failing_at(where: str, error: BaseException) -> Moment:
    def fail(statement: str) -> None:
        if statement.startswith(where):
            raise error

    return fail
