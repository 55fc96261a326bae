"""How much of a database a read goes through, as each engine counts it: what a clock would only show on large ones."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import event

from socrates.database.sqlite_connection import connection_class
from socrates.store import Store
from tests.performance.reads import Read

Statements = list[tuple[str, Sequence[Any]]]

PLANS = ("force_custom_plan", "force_generic_plan")
"""PostgreSQL plans a prepared statement for its parameters, or once for any; which, it decides after some calls."""


async def statements_of(store: Store, read: Read) -> Statements:
    """The statements that a read sends, with their parameters as the driver takes them."""
    with _sent(store) as statements:
        await read(store)
    return statements


@contextmanager
def _sent(store: Store) -> Iterator[Statements]:
    statements: Statements = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        statements.append((statement, parameters))

    engine = store._engines.reader.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def steps_on_sqlite(path: Path, statements: Statements) -> int:
    """The steps of SQLite's machine: a few for each row, and one for each column."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(sqlite3.connect(path, factory=connection_class("reader", "NORMAL"))) as connection:
        connection.set_progress_handler(step, 1)
        for statement, parameters in statements:
            connection.execute(statement, parameters).fetchall()
    return steps


async def rows_on_postgres(connection: asyncpg.Connection, statements: Statements) -> int:
    """The rows that scans of tables and indexes look at, under the worse one of PLANS."""
    rows = 0
    for statement, parameters in statements:
        by_plan = []
        for plan in PLANS:
            await connection.execute(f"SET plan_cache_mode = {plan}")
            await connection.execute(f"PREPARE read_to_explain AS {statement}")
            explained = await connection.fetchval(
                f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE read_to_explain {_literals(parameters)}"
            )
            await connection.execute("DEALLOCATE read_to_explain")
            by_plan.append(_rows_looked_at(json.loads(explained)[0]["Plan"]))
        rows += max(by_plan)
    return rows


def _literals(parameters: Sequence[Any]) -> str:
    texts = ("'" + str(value).replace("'", "''") + "'" for value in parameters)
    return f"({', '.join(texts)})" if parameters else ""


def _rows_looked_at(node: dict[str, Any]) -> int:
    rows = sum(_rows_looked_at(child) for child in node.get("Plans", ()))
    if "Relation Name" in node:
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        rows += round(node["Actual Loops"] * (node["Actual Rows"] + removed))
    return rows
