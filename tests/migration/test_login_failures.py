"""Revision 0005 on a database in use: what was there stays, and a failed log-in keeps nobody from going back."""

from pathlib import Path

import pytest

from tests.support.expected_rows import actual_tables
from tests.support.migrate import alembic, execute, refused, rows, schema, table_names, told, upgraded_to
from tests.support.postgres import execute as execute_there
from tests.support.postgres import query, relations
from tests.support.v1_files import V1File

TABLE = "login_failures"
ADDED = {TABLE, "ix_login_failures_last_failed_at"}
FAILURE = (
    "INSERT INTO login_failures VALUES ('ada', 5, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000',"
    " '2026-01-01 00:00:01.000000')"
)


@pytest.fixture
def v1_path(tmp_path: Path) -> Path:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_user()
    return v1.path


@pytest.fixture
def earlier(v1_path: Path) -> Path:
    """A file as it was left before this revision existed."""
    return upgraded_to("0004", v1_path)


def test_a_file_in_use_goes_on_with_one_more_table_after_a_backup(earlier: Path) -> None:
    before, content = schema(earlier), actual_tables(earlier)
    assert alembic(earlier, "upgrade", "0005").status == 0
    assert {name: sql for name, sql in schema(earlier).items() if name in before} == before
    assert set(schema(earlier)) - set(before) == ADDED
    assert actual_tables(earlier) == content
    (backup,) = earlier.parent.glob("projects.db.backup_*")
    assert (schema(backup), actual_tables(backup)) == (before, content)


@pytest.mark.parametrize("statement", [f"CREATE TABLE {TABLE.upper()} (mine)", f"CREATE VIEW {TABLE} AS SELECT 1"])
def test_a_name_that_is_taken_is_refused(earlier: Path, statement: str) -> None:
    execute(earlier, statement)
    before = schema(earlier)
    outcome = alembic(earlier, "upgrade", "0005")
    assert refused(outcome), outcome
    assert "names of the new schema" in told(outcome, earlier.parent)
    assert schema(earlier) == before


def test_failures_are_dropped_unasked_on_the_way_back_and_v1_gets_its_rows(earlier: Path) -> None:
    before = rows(earlier, "SELECT * FROM users_v1_backup")
    assert alembic(earlier, "upgrade", "0005").status == 0
    execute(earlier, FAILURE)
    assert alembic(earlier, "downgrade", "base").status == 0
    assert TABLE not in table_names(earlier)
    assert rows(earlier, "SELECT * FROM users") == before


def test_down_to_the_revision_before_and_up_again(earlier: Path) -> None:
    before = schema(earlier)
    for _ in range(2):
        assert alembic(earlier, "upgrade", "0005").status == 0
        execute(earlier, FAILURE)
        assert alembic(earlier, "downgrade", "0004").status == 0
        assert schema(earlier) == before


def test_a_v1_file_that_was_stamped_is_not_downgraded(v1_path: Path) -> None:
    execute(v1_path, "CREATE TABLE alembic_version (version_num)")
    execute(v1_path, "INSERT INTO alembic_version VALUES ('0005')")
    before = schema(v1_path)
    outcome = alembic(v1_path, "downgrade", "base")
    assert refused(outcome), outcome
    assert "marked as upgraded" in outcome.err
    assert schema(v1_path) == before


@pytest.mark.postgres
def test_up_down_up_on_postgres(postgres_url: str) -> None:
    assert alembic(postgres_url, "upgrade", "0004").status == 0
    before = relations(postgres_url)
    for _ in range(2):
        assert alembic(postgres_url, "upgrade", "0005").status == 0
        assert relations(postgres_url) - before == ADDED | {f"pk_{TABLE}"}
        execute_there(postgres_url, FAILURE)
        assert query(postgres_url, f"SELECT failures FROM {TABLE}") == [(5,)]
        assert alembic(postgres_url, "downgrade", "0004").status == 0
        assert relations(postgres_url) == before
