"""How SQLite would run statements: whether a list reads an index, or a whole table."""

from collections.abc import Awaitable, Callable, Iterable

from socrates.store import Store, UnitOfWork


async def query_plan(store: Store, statements: Iterable[str]) -> str:
    """The steps of the plans of all `statements`, one a line."""
    steps: list[str] = []
    async with store._engines.reader.connect() as connection:
        for statement in statements:
            explained = f"EXPLAIN QUERY PLAN {statement}"
            rows = await connection.exec_driver_sql(explained, (None,) * statement.count("?"))
            steps += [row.detail for row in rows]
    return "\n".join(steps)


async def steps_of(
    store: Store, warm_up: Callable[[UnitOfWork], Awaitable[object]], work: Callable[[UnitOfWork], Awaitable[object]]
) -> int:
    """How many steps SQLite's machine takes for the work, on the writer so that it is one known connection."""
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
