"""Revision 0006 on a database in use: no row is touched, and lists have their order from an index."""

from pathlib import Path

import pytest

from tests.support.expected_rows import actual_tables
from tests.support.migrate import alembic, execute, refused, schema, told, upgraded_to
from tests.support.postgres import execute as execute_there
from tests.support.postgres import query
from tests.support.v1_files import V1File

BY_USER, BY_USER_AND_TIME = "ix_knowledge_documents_user_id", "ix_knowledge_documents_user_id_uploaded_at"

ORDERS = {
    "ix_project_notes_project_id_created_at": "(project_id, created_at NULLS FIRST)",
    "ix_knowledge_documents_project_id_uploaded_at": "(project_id, uploaded_at NULLS FIRST)",
    BY_USER_AND_TIME: "(user_id, uploaded_at NULLS FIRST)",
    "ix_llm_usage_user_id_timestamp": '(user_id, "timestamp" DESC NULLS LAST)',
    "ix_projects_archived_at_id": "(archived_at DESC NULLS LAST, id DESC) WHERE is_archived",
    "ix_users_archived_at_username": "(archived_at DESC NULLS LAST, username DESC) WHERE is_archived",
}
"""How PostgreSQL sorts what this revision makes."""


def contents(url: str) -> dict[str, list[str]]:
    """The rows of every table that has one of the indexes, as the server writes them."""
    tables = ("project_notes", "knowledge_documents", "llm_usage", "projects", "users")
    return {name: [row for (row,) in query(url, f"SELECT {name}::text FROM {name} ORDER BY 1")] for name in tables}


@pytest.fixture
def v1_path(tmp_path: Path) -> Path:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_project(is_archived=True)
        v1.add_user()
        v1.add_note()
        v1.add_document()
        v1.add_usage()
    return v1.path


@pytest.fixture
def earlier(v1_path: Path) -> Path:
    """A file as it was left before this revision existed."""
    return upgraded_to("0005", v1_path)


def indexes(url: str) -> dict[str, str]:
    """The indexes of a PostgreSQL database, each from its columns on."""
    found = query(url, "SELECT indexname, split_part(indexdef, 'USING btree ', 2) FROM pg_indexes")
    return {name: definition for name, definition in found if name.startswith("ix_")}


def test_a_file_in_use_gets_one_index_for_another_after_a_backup(earlier: Path) -> None:
    before, content = schema(earlier), actual_tables(earlier)
    assert alembic(earlier, "upgrade", "0006").status == 0
    assert set(before) ^ set(schema(earlier)) == {BY_USER, BY_USER_AND_TIME}
    assert {name: sql for name, sql in schema(earlier).items() if name != BY_USER_AND_TIME}.items() <= before.items()
    assert actual_tables(earlier) == content
    (backup,) = earlier.parent.glob("projects.db.backup_*")
    assert (schema(backup), actual_tables(backup)) == (before, content)


def test_down_to_the_revision_before_and_up_again(earlier: Path) -> None:
    before, content = schema(earlier), actual_tables(earlier)
    for _ in range(2):
        assert alembic(earlier, "upgrade", "0006").status == 0
        assert alembic(earlier, "downgrade", "0005").status == 0
        assert schema(earlier) == before
        assert actual_tables(earlier) == content


def test_an_index_that_is_gone_is_no_reason_to_stay_behind(earlier: Path) -> None:
    execute(earlier, f"DROP INDEX {BY_USER}")
    assert alembic(earlier, "upgrade", "0006").status == 0
    assert BY_USER_AND_TIME in schema(earlier)


def test_a_name_that_is_taken_is_refused(earlier: Path) -> None:
    execute(earlier, f"CREATE INDEX {BY_USER_AND_TIME.upper()} ON knowledge_documents (filename)")
    before = schema(earlier)
    outcome = alembic(earlier, "upgrade", "0006")
    assert refused(outcome), outcome
    assert "names of the new schema" in told(outcome, earlier.parent)
    assert schema(earlier) == before


def test_a_v1_file_that_was_stamped_is_not_downgraded(v1_path: Path) -> None:
    execute(v1_path, "CREATE TABLE alembic_version (version_num)")
    execute(v1_path, "INSERT INTO alembic_version VALUES ('0006')")
    before, files = schema(v1_path), sorted(v1_path.parent.iterdir())
    outcome = alembic(v1_path, "downgrade", "0005")
    assert refused(outcome), outcome
    assert "marked as upgraded" in outcome.err
    assert schema(v1_path) == before
    assert sorted(v1_path.parent.iterdir()) == files


@pytest.mark.postgres
def test_up_down_up_with_data_on_postgres(postgres_url: str, v1_path: Path) -> None:
    assert alembic(postgres_url, "upgrade", "0005", v1=v1_path, v1_timezone="UTC").status == 0
    before, content = indexes(postgres_url), contents(postgres_url)
    assert content["llm_usage"]
    assert ORDERS.items().isdisjoint(before.items())
    for _ in range(2):
        assert alembic(postgres_url, "upgrade", "0006").status == 0
        after = indexes(postgres_url)
        assert ORDERS.items() <= after.items()
        unchanged = before.keys() - ORDERS.keys() - {BY_USER}
        assert after.keys() == unchanged | ORDERS.keys()
        assert all(after[name] == before[name] for name in unchanged)
        assert contents(postgres_url) == content
        assert alembic(postgres_url, "downgrade", "0005").status == 0
        assert indexes(postgres_url) == before
        assert contents(postgres_url) == content


@pytest.mark.postgres
def test_indexes_that_are_gone_are_made_anew_on_postgres(postgres_url: str) -> None:
    assert alembic(postgres_url, "upgrade", "0005").status == 0
    execute_there(postgres_url, *(f"DROP INDEX {name}" for name in ORDERS if name != BY_USER_AND_TIME))
    assert alembic(postgres_url, "upgrade", "0006").status == 0
    assert ORDERS.items() <= indexes(postgres_url).items()
