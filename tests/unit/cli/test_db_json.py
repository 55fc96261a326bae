"""`--json` of the commands of `socrates db`: the same outcome and exit status, told as one object."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from socrates.cli.main import app
from tests.support.migrate import alembic, execute, sha256, table_names, value
from tests.unit.v1.samples import SAMPLES


@pytest.fixture(scope="module")
def upgraded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = sample(tmp_path_factory.mktemp("json"))
    assert db("upgrade", copy, "-x", "v1_timezone=UTC").exit_code == 0
    return copy


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The larger sample."""
    return sample(tmp_path)


@pytest.fixture
def upgraded(upgraded_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(upgraded_once, tmp_path / "projects.db"))


def sample(directory: Path) -> Path:
    copy = directory / "projects.db"
    copy.write_bytes((SAMPLES / "nine-tables.db").read_bytes())
    return copy


def db(command: str, database: Path | str, *more: str) -> Result:
    return CliRunner().invoke(app, ["db", command, str(database), *more])


def told(result: Result) -> dict[str, Any]:
    """The one object on standard output."""
    answer = json.loads(result.stdout)
    assert isinstance(answer, dict)
    return answer


def _nothing(_path: Path) -> None:
    pass


def _lose_a_row(path: Path) -> None:
    execute(path, "DELETE FROM users WHERE username = (SELECT min(username) FROM users)")


def _write_a_row(path: Path) -> None:
    execute(path, "UPDATE projects SET name = 'new'")


def _damage_a_row(path: Path) -> None:
    execute(path, "UPDATE users SET data = x'00' WHERE username = (SELECT min(username) FROM users)")


STORIES: dict[str, tuple[bool, Callable[[Path], None], tuple[str, ...], int]] = {
    "an upgrade": (False, _nothing, ("upgrade",), 0),
    "a dry run": (False, _nothing, ("upgrade", "-x", "dry_run=1"), 0),
    "an upgrade with a quarantine": (False, _damage_a_row, ("upgrade", "-x", "on_bad=quarantine"), 1),
    "a strict upgrade": (False, _damage_a_row, ("upgrade",), 2),
    "an upgrade of nothing": (True, _nothing, ("upgrade",), 0),
    "an option that is none": (False, _nothing, ("upgrade", "-x", "nonsense=1"), 2),
    "an option without a value": (False, _nothing, ("upgrade", "-x", "nonsense"), 2),
    "a downgrade": (True, _nothing, ("downgrade",), 0),
    "a downgrade that would lose a row": (True, _write_a_row, ("downgrade",), 2),
    "a downgrade of v1's file": (False, _nothing, ("downgrade",), 0),
    "a check": (True, _write_a_row, ("check",), 0),
    "a check that fails": (True, _lose_a_row, ("check",), 1),
    "a check of v1's file": (False, _nothing, ("check",), 2),
    "a show": (True, _nothing, ("show",), 0),
    "a show of v1's file": (False, _nothing, ("show",), 2),
    "a status": (True, _nothing, ("status",), 0),
    "a status of v1's file": (False, _nothing, ("status",), 0),
    "a drop": (True, _nothing, ("drop-v1-backup", "--yes"), 0),
    "a drop of what is needed": (True, _lose_a_row, ("drop-v1-backup", "--yes"), 2),
    "a drop that nobody agreed to": (True, _nothing, ("drop-v1-backup",), 2),
}
"""On the sample, upgraded or not: what happened to it, what is asked, and the exit status."""


@pytest.mark.parametrize("story", STORIES)
def test_json_is_one_object_and_changes_neither_the_outcome_nor_the_status(
    story: str, upgraded_once: Path, tmp_path: Path
) -> None:
    is_upgraded, happened, (command, *more), status = STORIES[story]
    outcomes = []
    for form in ([], ["--json"]):
        path = tmp_path / "-".join(["of", *form]) / "projects.db"
        path.parent.mkdir()
        shutil.copyfile(upgraded_once if is_upgraded else SAMPLES / "nine-tables.db", path)
        happened(path)
        result = db(command, path, *more, *form)
        assert result.exit_code == status, result.output
        outcomes.append(table_names(path))
    answer = told(result)
    assert outcomes[0] == outcomes[1]
    assert ("error" in answer) == (status == 2)
    if status == 2:
        assert answer["error"].keys() == {"kind", "message"}
        assert result.stderr == ""
    else:
        assert answer["database"] == str(path) if command != "show" else answer["projects"]


@pytest.mark.parametrize("command", ["upgrade", "downgrade", "check", "show", "status", "drop-v1-backup"])
def test_json_says_of_a_refusal_what_the_text_says(command: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database, but a text that is long enough to look at")
    for target in (tmp_path / "notes.txt", tmp_path, "mysql://h/db", tmp_path / "no" / "where.db"):
        text, answer = db(command, target), told(db(command, target, "--json"))
        assert text.exit_code == 2
        assert f"error: {answer['error']['message']}\n" == text.stderr


def test_json_of_an_upgrade_is_the_report(database: Path) -> None:
    answer = told(db("upgrade", database, "-x", "v1_timezone=UTC", "--json"))
    (backup,) = database.parent.glob("projects.db.backup_*")
    assert (answer["upgraded"], answer["downgraded"], answer["dry_run"]) == (True, False, False)
    assert (answer["v1_tables_set_aside"], answer["backup"]) == (9, str(backup))
    assert answer["import"]["tables"]["users"]["imported"] == value(database, "SELECT count(*) FROM users")
    answer = told(db("downgrade", database, "--json"))
    assert (answer["upgraded"], answer["downgraded"], answer["v1_tables_given_back"]) == (False, True, 9)


def test_json_of_a_check_has_the_figures_and_the_first_keys(upgraded: Path) -> None:
    _lose_a_row(upgraded)
    answer = told(db("check", upgraded, "--json"))
    assert (answer["imported"], answer["proven"], answer["account_gaps"]) == (True, False, [])
    assert answer["source"]["equal"] == answer["rows"]["equal"] + 1
    assert answer["rows"]["missing"]["count"] == len(answer["rows"]["missing"]["first"]) == 1
    assert told(db("check", upgraded, "--json"))["rows"]["deleted"] == {"count": 0, "first": []}


def test_json_of_a_check_of_a_new_database_claims_no_proof(tmp_path: Path) -> None:
    db("upgrade", tmp_path / "new.db")
    answer = told(db("check", tmp_path / "new.db", "--json"))
    assert answer == {"database": str(tmp_path / "new.db"), "imported": False}


def test_json_of_an_interrupted_upgrade_says_that_nothing_was_changed(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql.startswith("ALTER TABLE"):
                raise KeyboardInterrupt
            return super().execute(sql, *parameters)

    before, connect = sha256(database), sqlite3.connect
    monkeypatch.setattr("sqlite3.connect", lambda *given, **named: connect(*given, factory=Interrupted, **named))
    result = db("upgrade", database, "--json")
    assert result.exit_code == 130
    assert told(result)["error"] == {"kind": "KeyboardInterrupt", "message": "interrupted: nothing was changed"}
    assert sha256(database) == before


@pytest.mark.parametrize(("given", "is_json"), [("1", True), ("yes", True), ("0", False), ("perhaps", False)])
def test_alembic_s_own_command_line_takes_json_too(upgraded: Path, given: str, is_json: bool) -> None:
    outcome = alembic(upgraded, "upgrade", "head", json=given)
    assert outcome.status == (2 if given == "perhaps" else 0)
    assert outcome.out.startswith("{") == is_json
    outcome = alembic(upgraded, "upgrade", "head", json=given, nonsense=1)
    assert outcome.status == 2
    assert outcome.out.startswith("{") == is_json
    assert outcome.err.startswith("error: ") != is_json
