"""Revision 0007 on a database in use: what was there stays, and what is known is not lost on the way back unasked."""

from pathlib import Path

import pytest

from tests.support.expected_rows import actual_tables
from tests.support.migrate import alembic, execute, refused, schema, sha256, table_names, told, upgraded_to, value
from tests.support.postgres import execute as execute_there
from tests.support.postgres import query, relations
from tests.support.v1_files import V1File

ADDED = {
    "knowledge_entries",
    "knowledge_removals",
    "ix_knowledge_entries_project_id_created_at_id",
    "ix_knowledge_entries_document_id",
    "ix_knowledge_entries_project_id_source_document_id_created_at",
    "ix_knowledge_entries_model",
    "ix_knowledge_entries_updated_at",
    "ix_embedding_cache_text_hash",
}
AT = "'2026-01-01 00:00:00'"
KNOW = f"""
INSERT INTO knowledge_entries
(entry_key, id, scope, category, text_hash, model, is_indexed, created_at, updated_at, details, content, vector)
VALUES ('k', 'e', 'global', 'c', 'h', 'm', %s, {AT}, {AT}, '{{}}', 'text', %s)
"""
KNOW_HERE, KNOW_THERE = KNOW % (0, "x'00000000'"), KNOW % ("false", r"'\x00000000'")
KEEP_HERE = f"INSERT INTO embedding_cache VALUES ('m', 'h', 1, x'00000000', {AT})"
FORGET = f"INSERT INTO knowledge_removals VALUES ('gone', {AT})"


@pytest.fixture
def v1_path(tmp_path: Path) -> Path:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_document()
    return v1.path


@pytest.fixture
def earlier(v1_path: Path) -> Path:
    """A file as it was left before this revision existed, with a vector that was kept."""
    path = upgraded_to("0006", v1_path)
    execute(path, KEEP_HERE)
    return path


def test_a_file_in_use_gets_the_tables_after_a_backup_and_keeps_its_rows(earlier: Path) -> None:
    before, content = schema(earlier), actual_tables(earlier)
    assert alembic(earlier, "upgrade", "0007").status == 0
    assert {name: sql for name, sql in schema(earlier).items() if name in before} == before
    assert set(schema(earlier)) - set(before) == ADDED
    assert actual_tables(earlier) == content
    assert value(earlier, "SELECT count(*) FROM embedding_cache") == 1
    (backup,) = earlier.parent.glob("projects.db.backup_*")
    assert (schema(backup), actual_tables(backup)) == (before, content)


@pytest.mark.parametrize("name", sorted(ADDED))
def test_a_name_that_is_taken_is_refused(earlier: Path, name: str) -> None:
    execute(earlier, f"CREATE VIEW {name} AS SELECT 1")
    before = schema(earlier)
    outcome = alembic(earlier, "upgrade", "0007")
    assert refused(outcome), outcome
    assert "names of the new schema" in told(outcome, earlier.parent)
    assert schema(earlier) == before


def test_down_and_up_again_where_nothing_is_known(earlier: Path) -> None:
    before, content = schema(earlier), actual_tables(earlier)
    assert alembic(earlier, "upgrade", "0007").status == 0
    made = schema(earlier)
    execute(earlier, FORGET)  # what an index has to forget is nothing that anybody knows
    assert alembic(earlier, "downgrade", "0006").status == 0
    assert (schema(earlier), actual_tables(earlier)) == (before, content)
    assert value(earlier, "SELECT count(*) FROM embedding_cache") == 1
    assert alembic(earlier, "upgrade", "0007").status == 0
    assert (schema(earlier), actual_tables(earlier)) == (made, content)


def test_an_index_that_a_repair_had_to_drop_is_no_reason_to_stay_behind(earlier: Path) -> None:
    before = schema(earlier)
    assert alembic(earlier, "upgrade", "0007").status == 0
    execute(earlier, "DROP INDEX ix_embedding_cache_text_hash")
    assert alembic(earlier, "downgrade", "0006").status == 0
    assert schema(earlier) == before


@pytest.mark.parametrize("revision", ["0006", "base"])
def test_what_is_known_is_not_lost_on_the_way_back(earlier: Path, revision: str) -> None:
    assert alembic(earlier, "upgrade", "0007").status == 0
    execute(earlier, KNOW_HERE)
    before, files = sha256(earlier), sorted(earlier.parent.iterdir())
    outcome = alembic(earlier, "downgrade", revision)
    assert refused(outcome), outcome
    assert "knowledge_entries" in outcome.err
    assert "-x discard=1" in outcome.err
    assert sha256(earlier) == before
    assert sorted(earlier.parent.iterdir()) == files
    assert alembic(earlier, "downgrade", revision, discard=1).status == 0
    assert "knowledge_entries" not in table_names(earlier)


@pytest.mark.postgres
def test_up_and_down_with_and_without_content_on_postgres(postgres_url: str) -> None:
    assert alembic(postgres_url, "upgrade", "0006").status == 0
    before = relations(postgres_url)
    assert alembic(postgres_url, "upgrade", "0007").status == 0
    assert relations(postgres_url) - before == ADDED | {"pk_knowledge_entries", "pk_knowledge_removals"}
    execute_there(postgres_url, KNOW_THERE, FORGET)
    outcome = alembic(postgres_url, "downgrade", "0006")
    assert refused(outcome), outcome
    assert "knowledge_entries" in outcome.err
    assert query(postgres_url, "SELECT id, content FROM knowledge_entries") == [("e", "text")]
    execute_there(postgres_url, "DELETE FROM knowledge_entries")
    assert alembic(postgres_url, "downgrade", "0006").status == 0
    assert relations(postgres_url) == before
    assert alembic(postgres_url, "upgrade", "0007").status == 0
    execute_there(postgres_url, KNOW_THERE)
    assert alembic(postgres_url, "downgrade", "0006", discard=1).status == 0
    assert relations(postgres_url) == before
