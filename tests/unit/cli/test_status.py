"""`socrates db status`: true of every kind of database, and of every revision of ours."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from socrates import sync
from socrates.cli.main import app
from socrates.database.migrations import head_revision
from tests.support.migrate import alembic, execute, sha256, table_names, upgrade
from tests.support.v1_files import V1File


@pytest.fixture
def v1_path(tmp_path: Path) -> Path:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user("ada")
        v1.add_user("eve", blob=b"no pickle")
        v1.add_project()
        v1.add_note()
        v1.add_note(project_id="nowhere")
    return v1.path


@pytest.fixture
def upgraded(v1_path: Path) -> Path:
    upgrade(v1_path, expected_status=1, on_bad="quarantine")
    return v1_path


def status(path: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["db", "status", str(path), *more])


def facts(path: Path) -> dict[str, Any]:
    result = status(path, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert isinstance(told, dict)
    return told


def test_all_that_an_upgrade_did_is_told(upgraded: Path) -> None:
    told = facts(upgraded)
    assert (told["database"], told["kind"], told["next"]) == (str(upgraded), "ours", None)
    assert told["revision"] == told["head"] == head_revision()
    assert told["bytes"]["database"] == upgraded.stat().st_size
    assert {name: told["rows"][name] for name in ("users", "projects", "conversation_messages", "project_notes")} == {
        "users": 1,
        "projects": 1,
        "conversation_messages": 2,
        "project_notes": 1,
    }
    run = told["import"]
    assert (run["source"], run["timezone"], run["options"]["on_bad"]) == (str(upgraded), "UTC", "quarantine")
    assert (run["read"], run["imported"], run["quarantined"]) == (5, 3, 2)
    assert (run["deleted_since"], run["imported_later"], run["backup_changes"]) == (0, 0, [])
    assert told["quarantine"] == {
        "project_notes": {"rows": 1, "without_project": 1},
        "users": {"rows": 1, "without_project": 0},
    }
    assert told["v1_tables"]["users_v1_backup"] == 2
    (backup,) = upgraded.parent.glob("projects.db.backup_*")
    assert told["beside"] == [{"path": str(backup), "bytes": backup.stat().st_size, "complete": True}]


def test_the_text_says_the_same(upgraded: Path) -> None:
    text = status(upgraded).stdout
    assert f"{upgraded}: ours, revision {head_revision()} (newest: {head_revision()})" in text
    assert "conversation_messages: 2" in text
    assert "5 rows read, 3 imported, 2 quarantined" in text
    assert "In quarantine: project_notes: 1, of which 1 only lack their project" in text
    assert "v1's tables beside the new ones: 5 rows" in text
    assert "Beside it: " in text


def test_what_was_done_since_is_told(upgraded: Path) -> None:
    with sync.Store.open(upgraded) as store, store.begin() as unit:
        unit.notes.delete("note-2")
        unit.users.create("bob", "hash")
    dropped = CliRunner().invoke(app, ["db", "drop-v1-backup", str(upgraded), "--yes", "--no-backup"])
    assert dropped.exit_code == 0, dropped.output
    execute(upgraded, "INSERT INTO v1_quarantine_releases VALUES (1, 'eve', '2026-01-01 00:00:00.000000', NULL)")
    told = facts(upgraded)
    assert (told["import"]["deleted_since"], told["import"]["imported_later"]) == (1, 1)
    assert [change["kind"] for change in told["import"]["backup_changes"]] == ["dropped"]
    assert told["quarantine"].keys() == {"project_notes"}
    assert told["rows"]["users"] == 2
    assert told["v1_tables"] == {}
    text = status(upgraded).stdout
    assert "v1's tables were dropped at 20" in text
    assert "Since then: 1 deleted, 1 imported out of quarantine" in text


def test_a_v1_file_is_called_one_and_its_rows_are_counted(v1_path: Path) -> None:
    told = facts(v1_path)
    assert (told["kind"], told["revision"], told["import"], told["quarantine"]) == ("v1", None, None, {})
    assert (told["rows"]["users"], told["rows"]["llm_usage"]) == (2, 0)
    assert f"socrates db upgrade {v1_path}" in told["next"]


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_every_earlier_revision_is_told_with_what_to_do(v1_path: Path, revision: str) -> None:
    alembic(v1_path, "upgrade", revision, v1_timezone="UTC", on_bad="quarantine")
    told = facts(v1_path)
    assert (told["kind"], told["revision"]) == ("ours", revision)
    assert f"socrates db upgrade {v1_path}" in told["next"]
    assert (told["import"] is None) == (revision == "0001")
    assert told["v1_tables"]["users_v1_backup"] == 2
    assert ("There is no account of an import." in status(v1_path).stdout) == (revision == "0001")


def test_an_empty_file_and_a_new_database_hold_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    empty.touch()
    told = facts(empty)
    assert (told["kind"], told["revision"]) == ("empty", None)
    upgrade(tmp_path / "new.db")
    assert "Nothing was ever imported." in status(tmp_path / "new.db").stdout
    assert set(facts(tmp_path / "new.db")["rows"].values()) == {0}


def test_a_newer_schema_is_not_called_an_earlier_one(upgraded: Path) -> None:
    execute(upgraded, "UPDATE alembic_version SET version_num = '9999'")
    assert "newer version of socrates" in facts(upgraded)["next"]


def test_a_v1_file_that_was_stamped_is_not_called_ours(v1_path: Path) -> None:
    execute(v1_path, "CREATE TABLE alembic_version (version_num)")
    execute(v1_path, f"INSERT INTO alembic_version VALUES ('{head_revision()}')")
    result = status(v1_path, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["kind"] == "NotRecognisedError"


def test_a_database_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    execute(path, "CREATE TABLE projects (name)")
    result = status(path)
    assert result.exit_code == 2
    assert "neither one that v1 wrote, nor one of ours" in result.stderr


def test_a_database_in_use_is_told_with_its_write_ahead_log(upgraded: Path) -> None:
    with sync.Store.open(upgraded) as store:
        with store.begin() as unit:
            unit.users.create("bob", "hash")
        told = facts(upgraded)
    assert told["rows"]["users"] == 2
    assert told["bytes"]["write_ahead_log"] > 0
    assert facts(upgraded)["bytes"]["write_ahead_log"] == 0


def test_free_pages_are_told(upgraded: Path) -> None:
    assert facts(upgraded)["bytes"]["free"] == 0
    execute(upgraded, "DROP TABLE projects_v1_backup")
    assert facts(upgraded)["bytes"]["free"] > 0


def test_only_what_our_commands_left_is_named_and_unfinished_is_called_so(upgraded: Path) -> None:
    directory = upgraded.parent
    for name in (
        "projects.db.backup_20260101T000000Z.partial",
        "projects.db.replaced_20260101T000000Z",
        "projects.db.lock",
        "other.db.backup_20260101T000000Z",
        "projects.db2.backup_20260101T000000Z",
    ):
        (directory / name).touch()
    (directory / "projects.db.backup_directory").mkdir()
    (backup,) = directory.glob("projects.db.backup_2*Z")
    told = {Path(entry["path"]).name: entry["complete"] for entry in facts(upgraded)["beside"]}
    assert told == {
        backup.name: True,
        "projects.db.backup_20260101T000000Z.partial": False,
        "projects.db.replaced_20260101T000000Z": True,
    }
    assert "unfinished" in status(upgraded).stdout


def test_looking_changes_nothing(upgraded: Path) -> None:
    before = {path.name: sha256(path) for path in upgraded.parent.iterdir()}
    status(upgraded)
    assert {path.name: sha256(path) for path in upgraded.parent.iterdir()} == before


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    result = status(tmp_path / "projects.db", "--json")
    assert result.exit_code == 2
    assert "there is no file" in json.loads(result.stdout)["error"]["message"]
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_followed_to_what_lies_beside_the_file(upgraded: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(upgraded)
    assert len(facts(link)["beside"]) == 1


def test_a_name_that_is_no_text_is_told_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"pro\xffjects.db")
    (tmp_path / "new.db").touch()
    upgrade(tmp_path / "new.db")
    (tmp_path / "new.db").rename(path)
    result = status(path)
    assert result.exit_code == 0
    assert "pro\\udcffjects.db: ours" in result.stdout
    assert facts(path)["database"] == str(path)


def test_a_lock_that_somebody_holds_is_told(v1_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socrates.v1.files._WAIT_SECONDS", 0.1)
    with closing(sqlite3.connect(v1_path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        result = status(v1_path, "--json")
    assert result.exit_code == 2
    assert "is in use" in json.loads(result.stdout)["error"]["message"]
    assert "alembic_version" not in table_names(v1_path)
