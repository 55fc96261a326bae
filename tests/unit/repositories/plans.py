"""How the engines would run statements: whether a list reads an index, or a whole table."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from socrates.store import Store, UnitOfWork
from tests.support.postgres import execute
from tests.support.stores import is_on_sqlite

NOTHING_ELSE = (
    "ix_projects_archived_at_id",
    "ix_users_archived_at_username",
    "ix_knowledge_entries_updated_at",
    "sqlite_autoindex_knowledge_removals_1",
)
"""Indexes that hold what is archived, or what waits for the index of knowledge, and nothing else: a page of that may
walk them from their end."""

Work = Callable[[UnitOfWork], Awaitable[object]]


async def query_plan(store: Store, statements: Iterable[str]) -> str:
    """The steps of SQLite's plans of all `statements`, one a line."""
    steps: list[str] = []
    async with store._engines.reader.connect() as connection:
        for statement in statements:
            explained = f"EXPLAIN QUERY PLAN {statement}"
            rows = await connection.exec_driver_sql(explained, (None,) * statement.count("?"))
            steps += [row.detail for row in rows]
    return "\n".join(steps)


async def scans(store: Store, statements: Iterable[str], by_choice: bool = False) -> list[str]:
    """The steps that walk a whole table or index, however few rows they give.

    PostgreSQL is kept from what is cheaper among a few rows; `by_choice` leaves it free.
    """
    if is_on_sqlite(store):
        plan = await query_plan(store, statements)
        found_before = ("subquery", "SCAN page", "SCAN dated", "SCAN undated", "SCAN items")
        harmless = (*found_before, *(f"INDEX {name}" for name in NOTHING_ELSE))
        return [
            step for step in plan.splitlines() if step.startswith("SCAN") and not any(part in step for part in harmless)
        ]
    async with _planner(store, by_choice) as connection:
        leading = dict(await connection.fetch(_LEADING_COLUMNS))
        plans = [node for statement in statements for node in await _nodes(connection, statement)]
    harmless = () if by_choice else NOTHING_ELSE
    walks = [f"{node['Node Type']} {_what(node)}" for node in plans if _walks(node, leading)]
    return [walk for walk in walks if not walk.endswith(harmless)]


async def indexes_used(store: Store, statements: Iterable[str]) -> dict[str, str]:
    """The indexes that PostgreSQL searches, each with its condition."""
    async with _planner(store) as connection:
        plans = [node for statement in statements for node in await _nodes(connection, statement)]
    return {node["Index Name"]: node.get("Index Cond", "") for node in plans if "Index Name" in node}


def columns_written(update: str) -> list[str]:
    """The columns that an UPDATE sets."""
    return re.findall(r"(\w+)=", update.partition(" SET ")[2].partition(" WHERE ")[0])


_LEADING_COLUMNS = "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid, 1, true) FROM pg_index"


_ONLY_THROUGH_INDEXES = """
SET LOCAL enable_seqscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_material = off;
SELECT pg_clear_relation_stats('public', relname)
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r';
SELECT pg_clear_attribute_stats(schemaname, tablename, attname, inherited) FROM pg_stats WHERE schemaname = 'public'
"""
"""Without statistics PostgreSQL expects some ten pages of a table, however few rows an earlier test left."""


@asynccontextmanager
async def _planner(store: Store, by_choice: bool = False) -> AsyncIterator[asyncpg.Connection]:
    """A connection that reads a whole table only where no index will do, unless `by_choice`.

    By itself PostgreSQL would read these tests' few rows without an index, and rightly so. What it chooses among many
    rows is asked of tables that hold many. It plans for any parameter, as these have none.
    """
    async with store._engines.writer.connect() as pooled:
        connection: asyncpg.Connection = (await pooled.get_raw_connection()).driver_connection
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            if not by_choice:
                await connection.execute(_ONLY_THROUGH_INDEXES)
            yield connection
        finally:
            await transaction.rollback()


async def _nodes(connection: asyncpg.Connection, statement: str) -> list[dict[str, Any]]:
    """The nodes of one plan."""
    parameters = max((int(number) for number in re.findall(r"\$(\d+)", statement)), default=0)
    values = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    await connection.execute(f"PREPARE explained AS {statement}")
    try:
        (plan,) = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE explained{values}")
    finally:
        await connection.execute("DEALLOCATE explained")
    return list(_within(plan["Plan"]))


def _within(node: dict[str, Any], limited: bool = False) -> Iterator[dict[str, Any]]:
    yield {**node, "limited": limited}
    for child in node.get("Plans", ()):
        yield from _within(child, limited=node["Node Type"] == "Limit")


def _what(node: dict[str, Any]) -> str:
    return str(node.get("Index Name") or node["Relation Name"])


def _walks(node: dict[str, Any], leading: dict[str, str]) -> bool:
    index = node.get("Index Name")
    if index is None:
        return node["Node Type"] == "Seq Scan"
    if node["limited"] and "Filter" not in node:
        return False  # the first rows of an order: a page of what is archived, or the last one
    # Without a condition on its first column, an index is read from end to end.
    return not re.search(rf"\b{leading[index]}\b", node.get("Index Cond", ""))


async def settle(store: Store) -> None:
    """Have PostgreSQL count what its tables hold and clear what was deleted, as it does by itself within a minute."""
    if not is_on_sqlite(store):
        execute(store._engines.writer.url, "VACUUM ANALYZE")


async def steps_of(store: Store, warm_up: Work, work: Work) -> int:
    """What the work costs the engine, in a unit of work: steps of SQLite's machine, blocks that PostgreSQL touches."""
    return await (_steps_of if is_on_sqlite(store) else _blocks_of)(store, warm_up, work)


def no_growth(engine: str, steps: list[int]) -> bool:
    """Whether two costs that `steps_of` told, among few rows and among many, show none.

    SQLite's steps are the same. A search of PostgreSQL's indexes touches an inner page more each where they are
    deeper, and pages that other transactions have left half full differ by a few.
    """
    few, many = steps
    return many == few if engine == "sqlite" else many <= few + max(8, few // 2)


async def _steps_of(store: Store, warm_up: Work, work: Work) -> int:
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    async with store.begin() as unit:
        connection = await unit.projects._session.connection()  # type: ignore[attr-defined]
        driver = (await connection.get_raw_connection()).driver_connection
        await warm_up(unit)
        await driver.set_progress_handler(step, 1)
        await work(unit)
        await driver.set_progress_handler(None, 1)
    return steps


_BLOCKS = "SELECT sum(pg_stat_get_xact_blocks_fetched(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace"


async def _blocks_of(store: Store, warm_up: Work, work: Work) -> int:
    async with store.begin() as unit:
        connection = await unit.projects._session.connection()  # type: ignore[attr-defined]
        await warm_up(unit)
        before = (await connection.exec_driver_sql(_BLOCKS)).scalar_one()
        await work(unit)
        return int((await connection.exec_driver_sql(_BLOCKS)).scalar_one() - before)
