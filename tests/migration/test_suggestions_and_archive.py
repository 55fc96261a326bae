"""Revision 0003 on a database in use: what was there stays as it was, and what came since is not lost by going back."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql, sqlite
from typer.testing import CliRunner

from socrates.cli.main import app
from socrates.models import Project, User
from tests.support.expected_rows import actual_tables, assert_imported
from tests.support.migrate import (
    Outcome,
    alembic,
    execute,
    refused,
    rows,
    schema,
    sha256,
    table_names,
    told,
    upgraded_to,
    value,
)
from tests.support.postgres import connect, query, relations
from tests.support.postgres import execute as execute_there
from tests.support.v1_files import V1File

ADDED = {
    "knowledge_suggestions",
    "ix_knowledge_suggestions_project_id_status_created_at",
    "ix_projects_archived_at_id",
    "ix_users_archived_at_username",
}
SUGGEST = (
    "INSERT INTO knowledge_suggestions (id, project_id, content, category, topic, difficulty, reason, agent, status,"
    " created_at) VALUES ('s-1', 'project-1', 'Tides', 'domain', 'harbours', 'expert', 'asked', 'socratic_counselor',"
    " 'pending', '2026-01-01 00:00:00.000000')"
)


@pytest.fixture
def v1_path(tmp_path: Path) -> Path:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_project(is_archived=True)
        v1.add_user()
        v1.add_note()
        v1.add_api_key()
    return v1.path


@pytest.fixture
def earlier(v1_path: Path) -> Path:
    """A file as it was left before this revision existed."""
    return upgraded_to("0002", v1_path)


def upgrade(path: Path, **x: object) -> Outcome:
    """Up to this revision, and no further."""
    outcome = alembic(path, "upgrade", "0003", v1_timezone="UTC", **x)
    assert outcome.status == 0, outcome
    return outcome


def account(path: Path) -> list[list[tuple[Any, ...]]]:
    return [
        rows(path, f"SELECT * FROM {table}") for table in ("v1_import_runs", "v1_import_digests", "v1_import_notes")
    ]


def check(path: Path) -> str:
    result = CliRunner().invoke(app, ["db", "check", str(path)])
    assert result.exit_code == 0, result.output
    return result.stdout


# Up


def test_a_file_with_data_goes_on_without_a_new_import(earlier: Path) -> None:
    before, content, runs = schema(earlier), actual_tables(earlier), account(earlier)
    outcome = upgrade(earlier)
    assert "upgraded" in outcome.out
    assert "nothing to import" not in outcome.out
    assert set(schema(earlier)) - set(before) == ADDED
    assert {name: sql for name, sql in schema(earlier).items() if name in before} == before
    assert actual_tables(earlier) == content
    assert account(earlier) == runs
    assert len(runs[0]) == 1
    assert "The import is proven" in check(earlier)


def test_a_file_that_is_not_upgraded_yet_can_still_be_checked(earlier: Path) -> None:
    assert "Added since: none" in check(earlier)


@pytest.mark.parametrize("first", ["0001", "0002"])
def test_one_backup_of_what_was_there_is_made(v1_path: Path, first: str) -> None:
    (v1_path.parent / "other").mkdir()
    assert alembic(v1_path, "upgrade", first, v1_timezone="UTC", backup_dir=v1_path.parent / "other").status == 0
    before, content = schema(v1_path), rows(v1_path, "SELECT * FROM projects_v1_backup")
    outcome = upgrade(v1_path)
    (backup,) = v1_path.parent.glob("projects.db.backup_*")
    assert str(backup) in outcome.out
    assert schema(backup) == before
    assert rows(backup, "SELECT * FROM projects_v1_backup") == content
    assert value(backup, "SELECT version_num FROM alembic_version") == first


def test_a_fresh_file_gets_no_backup_and_a_v1_file_gets_one(v1_path: Path) -> None:
    fresh = v1_path.with_name("fresh.db")
    upgrade(fresh)
    assert table_names(fresh) >= {"knowledge_suggestions", "projects"}
    assert not list(v1_path.parent.glob("fresh.db?*"))
    upgrade(v1_path)
    assert len(list(v1_path.parent.glob("projects.db?*"))) == 1


def test_a_dry_run_changes_nothing(earlier: Path) -> None:
    before, files = sha256(earlier), sorted(earlier.parent.iterdir())
    upgrade(earlier, dry_run=1)
    assert sha256(earlier) == before
    assert sorted(earlier.parent.iterdir()) == files


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE Knowledge_Suggestions (mine)", "CREATE INDEX ix_projects_archived_at_id ON projects (id)"],
)
def test_a_name_that_is_taken_is_refused(earlier: Path, statement: str) -> None:
    execute(earlier, statement)
    before, files = sha256(earlier), sorted(earlier.parent.iterdir())
    outcome = alembic(earlier, "upgrade", "0003")
    assert refused(outcome), outcome
    assert "names of the new schema" in told(outcome, earlier.parent)
    assert sha256(earlier) == before
    assert sorted(earlier.parent.iterdir()) == files


def test_a_v1_file_whose_owner_took_the_name_is_refused(v1_path: Path) -> None:
    execute(v1_path, "CREATE TABLE knowledge_suggestions (mine)")
    before, files = sha256(v1_path), sorted(v1_path.parent.iterdir())
    assert refused(alembic(v1_path, "upgrade", "0003", v1_timezone="UTC"))
    assert sha256(v1_path) == before
    assert sorted(v1_path.parent.iterdir()) == files


def test_a_row_that_another_program_orphaned_is_no_reason_to_stay_behind(earlier: Path) -> None:
    execute(earlier, "DELETE FROM projects WHERE id = 'project-1'")  # without foreign keys its children stay
    assert value(earlier, "SELECT count(*) FROM conversation_messages WHERE project_id = 'project-1'") > 0
    upgrade(earlier)


# Down


def test_down_to_the_revision_before_and_up_again(earlier: Path) -> None:
    before, content = schema(earlier), actual_tables(earlier)
    upgrade(earlier)
    made = schema(earlier)
    assert alembic(earlier, "downgrade", "0002").status == 0
    assert schema(earlier) == before
    assert actual_tables(earlier) == content
    upgrade(earlier)
    assert schema(earlier) == made
    assert actual_tables(earlier) == content


def test_down_to_v1_from_a_file_that_went_up_in_two_steps(v1_path: Path) -> None:
    original = v1_path.with_name("original.db")
    original.write_bytes(v1_path.read_bytes())
    alembic(v1_path, "upgrade", "0002", v1_timezone="UTC")
    upgrade(v1_path)
    assert alembic(v1_path, "downgrade", "base", backup_dir=_directory(v1_path, "down")).status == 0
    assert schema(v1_path).keys() == schema(original).keys()
    for table in table_names(original):
        assert rows(v1_path, f"SELECT * FROM {table}") == rows(original, f"SELECT * FROM {table}")
    (backup,) = (v1_path.parent / "down").iterdir()
    assert set(schema(backup)) >= ADDED
    assert alembic(v1_path, "upgrade", "head", v1_timezone="UTC").status == 0
    assert_imported(original, v1_path)


def _directory(path: Path, name: str) -> Path:
    directory = path.parent / name
    directory.mkdir()
    return directory


@pytest.mark.parametrize("revision", ["0002", "0001", "base"])
def test_a_suggestion_is_not_lost_on_the_way_back(earlier: Path, revision: str) -> None:
    upgrade(earlier)
    execute(earlier, SUGGEST)
    before, files = sha256(earlier), sorted(earlier.parent.iterdir())
    outcome = alembic(earlier, "downgrade", revision)
    assert refused(outcome), outcome
    assert "knowledge_suggestions" in outcome.err
    assert "-x discard=1" in outcome.err
    assert sha256(earlier) == before
    assert sorted(earlier.parent.iterdir()) == files
    assert alembic(earlier, "downgrade", revision, discard=1).status == 0
    assert "knowledge_suggestions" not in table_names(earlier)


def test_when_other_rows_would_be_lost_the_table_stays_too(earlier: Path) -> None:
    upgrade(earlier)
    execute(earlier, "UPDATE projects SET name = 'new'")
    before, files = sha256(earlier), sorted(earlier.parent.iterdir())
    assert refused(alembic(earlier, "downgrade", "base"))
    assert sha256(earlier) == before
    assert sorted(earlier.parent.iterdir()) == files


def test_a_check_says_which_suggestions_were_added(earlier: Path) -> None:
    upgrade(earlier)
    execute(earlier, SUGGEST)
    assert "Added since: 1: knowledge_suggestions 's-1'" in check(earlier)


# The archive's indexes

ARCHIVED: dict[str, Select[Any]] = {
    "ix_projects_archived_at_id": select(Project.id, Project.name)
    .where(Project.is_archived)
    .order_by(Project.archived_at.desc(), Project.id.desc())
    .limit(50),
    "ix_users_archived_at_username": select(User.username, User.archived_at)
    .where(User.is_archived)
    .order_by(User.archived_at, User.username)
    .limit(50),
}
archived = pytest.mark.parametrize(("index", "statement"), ARCHIVED.items(), ids=ARCHIVED.keys())


@archived
def test_the_archive_is_read_in_the_order_of_its_index(earlier: Path, index: str, statement: Select[Any]) -> None:
    upgrade(earlier)
    sql = str(statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    with closing(sqlite3.connect(earlier)) as connection:
        plan = [step[3] for step in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert len(plan) == 1
    assert f"INDEX {index}" in plan[0]


@pytest.mark.postgres
@archived
def test_the_archive_is_read_in_the_order_of_its_index_on_postgres(
    postgres_url: str, index: str, statement: Select[Any]
) -> None:
    alembic(postgres_url, "upgrade", "0003")
    execute_there(
        postgres_url,
        "INSERT INTO users SELECT 'user ' || n, '', now(), 'free', 'active', NULL, NULL, 0, NULL, n % 100 = 0, now()"
        " FROM generate_series(1, 5000) n",
        "INSERT INTO projects SELECT 'project ' || n, 'x', 'ada', 'discovery', 'active', 'software', 'socratic', '',"
        " 'individual', 'python', 'local', 'standard', 0, n % 100 = 0, now(), now(), now()"
        " FROM generate_series(1, 5000) n",
        "ANALYZE",
    )
    sql = str(statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))
    plan = " ".join(line for (line,) in query(postgres_url, f"EXPLAIN {sql}"))
    assert f"using {index}" in plan
    assert "Sort" not in plan


# PostgreSQL


@pytest.mark.postgres
def test_up_down_up_with_data_on_postgres(postgres_url: str, v1_path: Path) -> None:
    assert alembic(postgres_url, "upgrade", "0002", v1=v1_path, v1_timezone="UTC").status == 0
    before, content = relations(postgres_url), asyncio.run(_everything(postgres_url))
    assert len(content["v1_import_runs"]) == 1
    outcome = alembic(postgres_url, "upgrade", "0003")
    assert outcome.status == 0, outcome
    assert relations(postgres_url) - before == {*ADDED, "pk_knowledge_suggestions"}
    assert asyncio.run(_everything(postgres_url)) == content | {"knowledge_suggestions": []}
    assert alembic(postgres_url, "downgrade", "0002").status == 0
    assert relations(postgres_url) == before
    assert asyncio.run(_everything(postgres_url)) == content
    assert alembic(postgres_url, "upgrade", "0003").status == 0
    assert asyncio.run(_everything(postgres_url)) == content | {"knowledge_suggestions": []}


async def _everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    connection = await connect(url)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = sorted(name for (name,) in tables if name != "alembic_version")
        return {name: [tuple(row) for row in await connection.fetch(f"SELECT * FROM {name}")] for name in names}
    finally:
        await connection.close()


@pytest.mark.postgres
@pytest.mark.parametrize("revision", ["0002", "base"])
def test_a_suggestion_is_not_lost_on_the_way_back_on_postgres(postgres_url: str, revision: str) -> None:
    alembic(postgres_url, "upgrade", "0003")
    execute_there(
        postgres_url,
        "INSERT INTO projects SELECT 'project-1', 'x', 'ada', 'discovery', 'active', 'software', 'socratic', '',"
        " 'individual', 'python', 'local', 'standard', 0, false, NULL, now(), now()",
        SUGGEST,
    )
    outcome = alembic(postgres_url, "downgrade", revision)
    assert refused(outcome), outcome
    assert "knowledge_suggestions" in outcome.err
    assert query(postgres_url, "SELECT id FROM knowledge_suggestions") == [("s-1",)]
    assert alembic(postgres_url, "downgrade", revision, discard=1).status == 0
    assert "knowledge_suggestions" not in relations(postgres_url)
