"""`socrates db check` where v1's rows are in another file: after `-x v1=`, `db copy`, or a drop of v1's tables."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from socrates import sync
from socrates.cli.main import app
from tests.support.migrate import execute, table_names, upgrade
from tests.support.postgres import execute as execute_on_server
from tests.support.v1_files import V1File

RECORDS = 3


@pytest.fixture
def v1_path(tmp_path: Path) -> Path:
    with V1File(tmp_path / "v1.db") as v1:
        v1.add_user("ada")
        v1.add_project()
        v1.add_note()
        v1.add_note(project_id="nowhere")
    return v1.path


@pytest.fixture
def upgraded(v1_path: Path, tmp_path: Path) -> Path:
    """A copy of v1's file, upgraded in place."""
    path = Path(shutil.copyfile(v1_path, tmp_path / "projects.db"))
    upgrade(path, on_bad="quarantine")
    return path


def db(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["db", *map(str, arguments)])


def copied(source: object, target: object) -> Any:
    result = db("copy", source, target)
    assert result.exit_code == 0, result.output
    return target


def facts(database: object, *more: object, status: int = 0) -> dict[str, Any]:
    result = db("check", database, *more, "--json")
    assert result.exit_code == status, result.output
    told = json.loads(result.stdout)
    assert isinstance(told, dict)
    return told


def drop_by_hand(path: Path, *names: str) -> None:
    for name in names:
        execute(path, f"DROP TABLE {name}_v1_backup")


def v1_tables(path: Path) -> list[str]:
    return [name.removesuffix("_v1_backup") for name in table_names(path) if name.endswith("_v1_backup")]


def test_where_v1_s_tables_are_the_database_itself_is_read(upgraded: Path, v1_path: Path) -> None:
    assert facts(upgraded)["v1_rows_read_from"] == str(upgraded)
    result = db("check", upgraded, "--v1", v1_path)
    assert result.exit_code == 2
    assert "leave out --v1" in result.stderr


def test_an_import_from_elsewhere_is_proven_by_the_file_that_is_named(v1_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    upgrade(path, v1=v1_path, on_bad="quarantine")
    assert facts(path)["source"] is None  # though the file is still there: it is v1's, and may have changed since
    told = facts(path, "--v1", v1_path)
    assert (told["source"]["equal"], told["source"]["quarantined"]) == (RECORDS, 1)
    execute(v1_path, "DELETE FROM users")
    assert facts(path, "--v1", v1_path, status=1)["source"]["missing"]["count"] == 1
    assert facts(path)["proven"] is True


@pytest.mark.postgres
def test_a_copy_says_where_v1_s_tables_are_and_is_proven_by_them(
    upgraded: Path, postgres_url: str, tmp_path: Path
) -> None:
    there = copied(upgraded, postgres_url)
    back = copied(there, tmp_path / "back.db")
    for copy in (there, back):
        result = db("check", copy)
        assert result.exit_code == 0, result.output
        assert "v1's rows are not in this database, so only what was imported is checked" in result.stdout
        assert f"v1's tables stayed behind in {upgraded} when the rest was copied, at 20" in result.stdout
        assert "as far as it could be checked here" in result.stdout
        assert f"v1's tables stayed behind in {upgraded}" in db("status", copy).stdout
        told = facts(copy, "--v1", upgraded)
        assert [change["kind"] for change in told["backup_changes"]] == ["copied"]
        assert (told["source"]["equal"], told["source"]["quarantined"]) == (RECORDS, 1)
    assert facts(upgraded)["backup_changes"] == []


@pytest.mark.postgres
def test_a_row_that_came_in_out_of_quarantine_proves_itself_in_a_copy(upgraded: Path, postgres_url: str) -> None:
    with sync.Store.open(upgraded) as store, store.begin() as unit:
        unit.projects.create("found", "ada", project_id="nowhere")
    assert db("quarantine", "retry", upgraded, "-x", "v1_timezone=Asia/Tokyo").exit_code == 0
    copy = copied(upgraded, postgres_url)
    told = facts(copy, "--v1", upgraded)
    assert (told["source"]["equal"], told["source"]["quarantined"]) == (RECORDS + 1, 0)
    execute_on_server(postgres_url, "UPDATE v1_quarantine_releases SET correction = NULL")
    assert facts(copy, "--v1", upgraded, status=1)["source"]["differing"]["count"] == 1


def test_a_row_that_a_copy_lost_fails_its_check(upgraded: Path, tmp_path: Path) -> None:
    copy = copied(upgraded, tmp_path / "copy.db")
    execute(copy, "DELETE FROM project_notes")
    assert facts(copy, status=1)["rows"]["missing"]["count"] == 1


@pytest.mark.parametrize("all_of_them", [False, True])
def test_tables_that_somebody_removed_by_hand_are_missed_in_the_file_and_in_its_copy(
    upgraded: Path, v1_path: Path, tmp_path: Path, all_of_them: bool
) -> None:
    drop_by_hand(upgraded, *(v1_tables(upgraded) if all_of_them else ["users"]))
    copy = copied(upgraded, tmp_path / "copy.db")
    for path in (upgraded, copy):
        told = facts(path, status=1)
        assert told["source_elsewhere"] is None
        assert "users 'ada'" in told["source"]["missing"]["first"]
    assert facts(copy, "--v1", v1_path)["proven"] is True


def test_tables_that_were_dropped_after_a_check_are_not_missed_in_a_copy(upgraded: Path, tmp_path: Path) -> None:
    assert db("drop-v1-backup", upgraded, "--yes", "--no-backup").exit_code == 0
    copy = copied(upgraded, tmp_path / "copy.db")
    told = facts(copy)
    assert "dropped" in told["source_elsewhere"]
    assert [change["kind"] for change in told["backup_changes"]] == ["dropped"]


def test_an_error_names_the_file_that_cannot_be_read(v1_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    upgrade(path, v1=v1_path, on_bad="quarantine")
    with v1_path.open("r+b") as file:  # all pages but the first, which holds the schema
        file.seek(4096)
        file.write(b"\xff" * (v1_path.stat().st_size - 4096))
    result = db("check", path, "--v1", v1_path)
    assert result.exit_code == 2, result.output
    assert str(v1_path) in result.stderr
    assert str(path) not in result.stderr


def test_a_database_that_imported_nothing_gets_no_mark(tmp_path: Path) -> None:
    upgrade(tmp_path / "new.db")
    copy = copied(tmp_path / "new.db", tmp_path / "copy.db")
    assert facts(copy) == {"database": str(copy), "imported": False}
