"""Revision 0009 on a database in use: no row changes, and no decision or switch is lost unasked."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from socrates.cli.main import app
from tests.support.expected_rows import Tables, actual_tables
from tests.support.migrate import alembic, execute, refused, rows, schema, sha256, told, upgraded_to, value
from tests.support.postgres import execute as execute_there
from tests.support.postgres import query, relations
from tests.support.v1_files import V1File

ADDED = {
    "project_conflicts",
    "ix_project_conflicts_project_id_status_created_at_id",
    "ix_project_conflicts_project_id_created_at_id",
}
DISPUTE = (
    "INSERT INTO project_conflicts (id, project_id, field, existing, new, severity, explanation, suggestions, status,"
    " created_at) VALUES ('c-1', 'project-1', 'goals', 'slow', 'fast', 'high', '', '[]', 'pending',"
    " '2026-01-01 00:00:00.000000')"
)
SWITCH_OFF = "UPDATE projects SET dynamic_questions = false WHERE id = 'project-1'"
LOSSES = {DISPUTE: "tables are not empty: project_conflicts.", SWITCH_OFF: "not empty: dynamic_questions."}


@pytest.fixture
def v1_path(tmp_path: Path) -> Path:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_project(is_archived=True)
    return v1.path


@pytest.fixture
def earlier(v1_path: Path) -> Path:
    """A file as it was left before this revision existed."""
    return upgraded_to("0008", v1_path)


def switched_on(content: Tables) -> Tables:
    return content | {"projects": [row | {"dynamic_questions": 1} for row in content["projects"]]}


def test_a_file_in_use_goes_on_after_a_backup_and_keeps_its_rows(earlier: Path) -> None:
    before, content = schema(earlier), actual_tables(earlier)
    assert alembic(earlier, "upgrade", "0009").status == 0
    assert {name for name, sql in schema(earlier).items() if sql != before.get(name)} == {"projects", *ADDED}
    assert actual_tables(earlier) == switched_on(content)
    assert rows(earlier, "SELECT * FROM project_conflicts") == []
    (backup,) = earlier.parent.glob("projects.db.backup_*")
    assert (schema(backup), actual_tables(backup)) == (before, content)


def test_it_is_no_change_since_the_import_and_a_conflict_is_an_addition(earlier: Path) -> None:
    assert alembic(earlier, "upgrade", "head").status == 0

    def counts() -> list[int]:
        checked = json.loads(CliRunner().invoke(app, ["db", "check", str(earlier), "--json"]).stdout)
        assert checked["proven"]
        return [checked["rows"][kind]["count"] for kind in ("changed", "added", "missing")]

    assert counts() == [0, 0, 0]
    execute(earlier, DISPUTE)
    assert counts() == [0, 1, 0]


def test_down_and_up_again_where_nothing_is_lost(earlier: Path) -> None:
    before, content = schema(earlier), actual_tables(earlier)
    for _ in range(2):
        assert alembic(earlier, "upgrade", "0009").status == 0
        assert alembic(earlier, "downgrade", "0008").status == 0
        assert (schema(earlier), actual_tables(earlier)) == (before, content)


@pytest.mark.parametrize("statement", LOSSES)
@pytest.mark.parametrize("revision", ["0008", "base"])
def test_what_somebody_decided_or_has_to_is_not_lost_on_the_way_back(
    earlier: Path, statement: str, revision: str
) -> None:
    assert alembic(earlier, "upgrade", "0009").status == 0
    execute(earlier, statement)
    upgraded, files = sha256(earlier), sorted(earlier.parent.iterdir())
    outcome = alembic(earlier, "downgrade", revision)
    assert refused(outcome), outcome
    assert LOSSES[statement] in outcome.err
    assert "-x discard=1" in outcome.err
    assert (sha256(earlier), sorted(earlier.parent.iterdir())) == (upgraded, files)
    assert alembic(earlier, "downgrade", revision, discard=1).status == 0
    assert "project_conflicts" not in schema(earlier)
    assert "dynamic_questions" not in schema(earlier)["projects"]


def test_v1_gets_its_rows_back(earlier: Path) -> None:
    before = rows(earlier, "SELECT * FROM projects_v1_backup")
    assert alembic(earlier, "upgrade", "0009").status == 0
    assert alembic(earlier, "downgrade", "base").status == 0
    assert rows(earlier, "SELECT * FROM projects") == before


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE Project_Conflicts (mine)", "ALTER TABLE projects ADD COLUMN Dynamic_Questions TEXT"]
)
def test_a_name_that_is_taken_is_refused(earlier: Path, statement: str) -> None:
    execute(earlier, statement)
    before, files = sha256(earlier), sorted(earlier.parent.iterdir())
    outcome = alembic(earlier, "upgrade", "0009")
    assert refused(outcome), outcome
    assert "names of the new schema" in told(outcome, earlier.parent)
    assert (sha256(earlier), sorted(earlier.parent.iterdir())) == (before, files)


def test_a_v1_file_that_was_stamped_stays_as_it_is(v1_path: Path) -> None:
    execute(v1_path, "DROP TABLE projects")
    execute(v1_path, "CREATE TABLE alembic_version (version_num)")
    execute(v1_path, "INSERT INTO alembic_version VALUES ('0008')")
    before, files = schema(v1_path), sorted(v1_path.parent.iterdir())
    outcome = alembic(v1_path, "upgrade", "0009")
    assert refused(outcome), outcome
    assert "marked as upgraded" in outcome.err
    assert (schema(v1_path), sorted(v1_path.parent.iterdir())) == (before, files)
    assert value(v1_path, "SELECT version_num FROM alembic_version") == "0008"


@pytest.mark.postgres
def test_up_and_down_with_and_without_content_on_postgres(postgres_url: str, v1_path: Path) -> None:
    assert alembic(postgres_url, "upgrade", "0008", v1=v1_path, v1_timezone="UTC").status == 0
    everything = "SELECT * FROM projects ORDER BY id"
    before, content = relations(postgres_url), query(postgres_url, everything)
    file = "SELECT pg_relation_filenode('projects')"
    place = query(postgres_url, file)
    assert alembic(postgres_url, "upgrade", "0009").status == 0
    assert query(postgres_url, file) == place  # a table that was written anew has another
    assert relations(postgres_url) - before == {*ADDED, "pk_project_conflicts"}
    assert query(postgres_url, everything) == [(*row, True) for row in content]
    for statement, said in LOSSES.items():
        execute_there(postgres_url, statement)
        outcome = alembic(postgres_url, "downgrade", "0008")
        assert refused(outcome), outcome
        assert said in outcome.err
        assert alembic(postgres_url, "downgrade", "0008", discard=1).status == 0
        assert (relations(postgres_url), query(postgres_url, everything)) == (before, content)
        assert alembic(postgres_url, "upgrade", "0009").status == 0
    assert alembic(postgres_url, "downgrade", "0008").status == 0
