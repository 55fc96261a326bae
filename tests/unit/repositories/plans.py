"""How SQLite would run statements: whether a list reads an index, or a whole table."""

from collections.abc import Iterable

from socrates.store import Store


async def query_plan(store: Store, statements: Iterable[str]) -> str:
    """The steps of the plans of all `statements`, one a line."""
    steps: list[str] = []
    async with store._engines.reader.connect() as connection:
        for statement in statements:
            explained = f"EXPLAIN QUERY PLAN {statement}"
            rows = await connection.exec_driver_sql(explained, (None,) * statement.count("?"))
            steps += [row.detail for row in rows]
    return "\n".join(steps)
