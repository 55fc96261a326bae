"""Revision 0008 on a database in use: no row changes, and what the new columns hold is not lost unasked."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from socrates.cli.main import app
from tests.support.expected_rows import Row, actual_tables
from tests.support.migrate import alembic, execute, refused, rows, schema, sha256, told, upgraded_to, value
from tests.support.postgres import execute as execute_there
from tests.support.postgres import query
from tests.support.v1_files import V1File

UNKNOWN: Row = {"operation": None, "cache_read_tokens": 0, "cache_write_tokens": 0}
SAYINGS = ("operation = 'insights'", "cache_read_tokens = 7", "cache_write_tokens = -1")
COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_name = 'llm_usage' ORDER BY ordinal_position"
CONTENT = "SELECT id, cost, timestamp, input_tokens FROM llm_usage ORDER BY id"


@pytest.fixture
def v1_path(tmp_path: Path) -> Path:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_usage(id="a")
        v1.add_usage(id="b")
    return v1.path


@pytest.fixture
def earlier(v1_path: Path) -> Path:
    """A file as it was left before this revision existed."""
    return upgraded_to("0007", v1_path)


def test_a_file_in_use_gets_the_columns_after_a_backup_and_keeps_its_rows(earlier: Path) -> None:
    before, content = schema(earlier), actual_tables(earlier)
    assert alembic(earlier, "upgrade", "0008").status == 0
    assert {name for name, sql in schema(earlier).items() if sql != before.get(name)} == {"llm_usage"}
    assert actual_tables(earlier) == content | {"llm_usage": [row | UNKNOWN for row in content["llm_usage"]]}
    (backup,) = earlier.parent.glob("projects.db.backup_*")
    assert (schema(backup), actual_tables(backup)) == (before, content)


def test_the_columns_are_no_change_since_the_import(earlier: Path) -> None:
    assert alembic(earlier, "upgrade", "head").status == 0
    checked = json.loads(CliRunner().invoke(app, ["db", "check", str(earlier), "--json"]).stdout)
    assert checked["proven"]
    assert [checked["rows"][kind]["count"] for kind in ("changed", "added", "missing")] == [0, 0, 0]


def test_down_and_up_again_where_nothing_is_known(earlier: Path) -> None:
    before, content = schema(earlier), actual_tables(earlier)
    for _ in range(2):
        assert alembic(earlier, "upgrade", "0008").status == 0
        assert alembic(earlier, "downgrade", "0007").status == 0
        assert (schema(earlier), actual_tables(earlier)) == (before, content)


@pytest.mark.parametrize("saying", SAYINGS)
def test_what_the_columns_hold_is_not_lost_on_the_way_back(earlier: Path, saying: str) -> None:
    before = schema(earlier), actual_tables(earlier)
    assert alembic(earlier, "upgrade", "0008").status == 0
    execute(earlier, f"UPDATE llm_usage SET {saying} WHERE id = 'b'")
    upgraded, files = sha256(earlier), sorted(earlier.parent.iterdir())
    outcome = alembic(earlier, "downgrade", "0007")
    assert refused(outcome), outcome
    assert f"columns of llm_usage are not empty: {saying.split(maxsplit=1)[0]}. Nothing" in outcome.err
    assert "-x discard=1" in outcome.err
    assert (sha256(earlier), sorted(earlier.parent.iterdir())) == (upgraded, files)
    assert alembic(earlier, "downgrade", "0007", discard=1).status == 0
    assert (schema(earlier), actual_tables(earlier)) == before


def test_v1_gets_its_rows_back(earlier: Path) -> None:
    before = rows(earlier, "SELECT * FROM llm_usage_v1_backup")
    assert alembic(earlier, "upgrade", "0008").status == 0
    assert alembic(earlier, "downgrade", "base").status == 0
    assert rows(earlier, "SELECT * FROM llm_usage") == before


def test_a_column_that_is_there_already_is_refused(earlier: Path) -> None:
    execute(earlier, "ALTER TABLE llm_usage ADD COLUMN Operation TEXT")
    before, files = schema(earlier), sorted(earlier.parent.iterdir())
    outcome = alembic(earlier, "upgrade", "0008")
    assert refused(outcome), outcome
    assert "llm_usage has columns that bear names of the new schema: operation" in told(outcome, earlier.parent)
    assert (schema(earlier), sorted(earlier.parent.iterdir())) == (before, files)


@pytest.mark.parametrize("lacks", ["its columns", "the table"])
def test_a_v1_file_that_was_stamped_stays_as_it_is(v1_path: Path, lacks: str) -> None:
    if lacks == "the table":
        execute(v1_path, "DROP TABLE llm_usage")
    execute(v1_path, "CREATE TABLE alembic_version (version_num)")
    execute(v1_path, "INSERT INTO alembic_version VALUES ('0007')")
    before, files = schema(v1_path), sorted(v1_path.parent.iterdir())
    outcome = alembic(v1_path, "upgrade", "0008")
    assert refused(outcome), outcome
    assert "marked as upgraded" in outcome.err
    assert (schema(v1_path), sorted(v1_path.parent.iterdir())) == (before, files)
    assert value(v1_path, "SELECT version_num FROM alembic_version") == "0007"


@pytest.mark.postgres
def test_up_and_down_with_and_without_content_on_postgres(postgres_url: str, v1_path: Path) -> None:
    assert alembic(postgres_url, "upgrade", "0007", v1=v1_path, v1_timezone="UTC").status == 0
    columns, content = query(postgres_url, COLUMNS), query(postgres_url, CONTENT)
    file = "SELECT pg_relation_filenode('llm_usage')"
    place = query(postgres_url, file)
    assert alembic(postgres_url, "upgrade", "0008").status == 0
    assert query(postgres_url, file) == place  # a table that was written anew has another
    assert query(postgres_url, COLUMNS) == columns + [(name,) for name in UNKNOWN]
    assert query(postgres_url, CONTENT) == content
    assert query(postgres_url, f"SELECT DISTINCT {', '.join(UNKNOWN)} FROM llm_usage") == [(None, 0, 0)]
    execute_there(postgres_url, *(f"UPDATE llm_usage SET {saying} WHERE id = 'b'" for saying in SAYINGS))
    outcome = alembic(postgres_url, "downgrade", "0007")
    assert refused(outcome), outcome
    assert ", ".join(UNKNOWN) in outcome.err
    assert alembic(postgres_url, "downgrade", "0007", discard=1).status == 0
    assert (query(postgres_url, COLUMNS), query(postgres_url, CONTENT)) == (columns, content)
    assert alembic(postgres_url, "upgrade", "0008").status == 0
    assert alembic(postgres_url, "downgrade", "0007").status == 0
