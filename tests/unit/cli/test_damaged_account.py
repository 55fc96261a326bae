"""An account of the import that somebody has edited by hand: the commands that read it say so, and change nothing."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from socrates.cli.main import app
from tests.support.migrate import alembic, execute, refused
from tests.unit.cli.dropping import assert_refused, content, drop, used_database

DEEP = "[" * 100_000


def db(command: str, path: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["db", command, str(path), *more])


@pytest.mark.parametrize("command", ["check", "status"])
@pytest.mark.parametrize(
    ("column", "nonsense"),
    [
        *(("options", text) for text in ("no JSON", "", DEEP, "[]", "{}", '{"tables": 5}', '{"tables": [5]}', b"\xff")),
        *(("report", text) for text in ("no JSON", "", DEEP, "[]", "7", '{"tables": []}', '{"tables": {"users": 3}}')),
        ("report", '{"tables": {"users": {}}}'),
        ("report", '{"tables": {"users": {"read": 3, "imported": "many", "quarantined": 0}}}'),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_nonsense_is_told_with_its_place(tmp_path: Path, command: str, column: str, nonsense: object) -> None:
    path = used_database(tmp_path)
    execute(path, f"UPDATE v1_import_runs SET {column} = ?", nonsense)
    result = db(command, path)
    assert_refused(result, f"v1_import_runs.{column} of run 1 is not what an import writes there")
    assert "DamagedRecordError" in db(command, path, "--json").stdout


@pytest.mark.parametrize("moment", [None, 5])
def test_an_import_that_never_ended_is_told_by_the_status(tmp_path: Path, moment: int | None) -> None:
    path = used_database(tmp_path)
    execute(path, "UPDATE v1_import_runs SET finished_at = ?", moment)
    assert_refused(db("status", path), "v1_import_runs.finished_at of run 1")


@pytest.mark.parametrize("column", ["options", "report"])
def test_v1_s_tables_are_not_dropped_then(tmp_path: Path, column: str) -> None:
    path = used_database(tmp_path)
    execute(path, f"UPDATE v1_import_runs SET {column} = 'no JSON'")
    before = content(path)
    assert_refused(drop(path, "--yes", "--no-backup"), f"v1_import_runs.{column}")
    assert content(path) == before


def test_nor_is_there_a_downgrade(tmp_path: Path) -> None:
    path = used_database(tmp_path)
    execute(path, "UPDATE v1_import_runs SET options = '{}'")
    before = content(path)
    outcome = alembic(path, "downgrade", "base")
    assert refused(outcome), outcome
    assert "v1_import_runs.options of run 1" in outcome.err
    assert content(path) == before
