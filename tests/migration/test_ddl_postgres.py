"""The schema that the revisions make on PostgreSQL is the one that the models make, as the server itself tells it."""

import asyncio

import pytest
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from socrates.models import Base
from tests.support.migrate import alembic
from tests.support.postgres import execute, query

pytestmark = pytest.mark.postgres

COLUMNS = """
    SELECT table_name, column_name, ordinal_position, data_type, collation_name, is_nullable, column_default,
           character_maximum_length, numeric_precision, numeric_scale, datetime_precision, is_identity, is_generated
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
OTHERS = """
    SELECT relname, relname, relkind::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('r', 'i') ORDER BY 1
"""


def schema_of(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Everything the schema consists of but Alembic's own table; the first column is the table's name."""
    return {
        kind: [row for row in query(url, sql) if row[0] != "alembic_version"]
        for kind, sql in {"columns": COLUMNS, "constraints": CONSTRAINTS, "indexes": INDEXES, "others": OTHERS}.items()
    }


def create_from_models(url: str) -> None:
    async def run() -> None:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)

    asyncio.run(run())


def test_revisions_and_models_make_the_same_schema(postgres_url: str) -> None:
    create_from_models(postgres_url)
    by_models = schema_of(postgres_url)
    execute(postgres_url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    assert alembic(postgres_url, "upgrade", "head").status == 0
    by_revisions = schema_of(postgres_url)

    for kind, wanted in by_models.items():
        assert by_revisions[kind] == wanted
    assert {row[0] for row in by_revisions["columns"]} == set(Base.metadata.tables)
    assert len(by_revisions["indexes"]) > len(Base.metadata.tables)


def test_every_text_is_compared_by_code_point(postgres_url: str) -> None:
    alembic(postgres_url, "upgrade", "head")
    texts = {(row[0], row[1], row[4]) for row in schema_of(postgres_url)["columns"] if row[3] == "text"}
    assert {collation for _, _, collation in texts} == {"C"}
    assert ("projects", "id", "C") in texts


def test_no_text_has_a_limit_and_no_number_is_rounded(postgres_url: str) -> None:
    alembic(postgres_url, "upgrade", "head")
    columns = schema_of(postgres_url)["columns"]
    types = {data_type for _, _, _, data_type, *_ in columns}
    assert types == {
        "text",
        "bigint",
        "double precision",
        "numeric",
        "boolean",
        "timestamp with time zone",
        "json",
        "bytea",
    }
    assert {(precision, scale) for *_, kind, _, _, _, _, precision, scale, _, _, _ in columns if kind == "numeric"} == {
        (None, None)
    }
