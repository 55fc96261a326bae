"""No read goes through what it doesn't need: neither other people's data, nor, for one page, the rest of the list.

Counted, not timed, on a few thousand rows: what a read looks at must stay the same when there is several times as much.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from socrates.store import Store
from tests.performance.bulk import Share, fill_file, fill_server
from tests.performance.reads import ONES, PAGE, PAGES, WHOLES, Paged, Read
from tests.performance.work import rows_on_postgres, statements_of, steps_on_sqlite
from tests.support.postgres import EmptyDatabases, connect
from tests.support.stores import fresh_file

ENGINES = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]

FEW = Share(others=1_500, hers=40, rows=110)
MANY_OF_OTHERS = Share(others=6_000, hers=40, rows=110)
MANY_OF_HERS = Share(others=1_500, hers=40, rows=1_100)

BY_STATUS = {"knowledge.suggestions, every status"}
"""Lists whose pages are sorted: the index of suggestions is by status first, and all of one project's are few."""

Work = Callable[[Read], Awaitable[int]]
Opened = Callable[[Share], AbstractAsyncContextManager[tuple[Store, Work]]]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def opened(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Opened:
    """Opens stores on filled databases, each with the way to count the work of a read."""
    if engine == "sqlite":
        return partial(on_file, tmp_path)
    return partial(on_server, request.getfixturevalue("empty_databases"))


@asynccontextmanager
async def on_file(directory: Path, share: Share) -> AsyncIterator[tuple[Store, Work]]:
    path = fresh_file(directory, f"{share.others}-{share.rows}.db")
    fill_file(path, share)
    async with Store.open(path) as store:

        async def work(read: Read) -> int:
            return steps_on_sqlite(path, await statements_of(store, read))

        yield store, work


@asynccontextmanager
async def on_server(databases: EmptyDatabases, share: Share) -> AsyncIterator[tuple[Store, Work]]:
    with databases.lent() as url:
        connection = await connect(url)
        # A few thousand rows are cheap to read from end to end; wanted is the way that is cheap for millions.
        await connection.execute("SET enable_seqscan = off")
        try:
            async with Store.open(url) as store:
                fill_server(url, share)
                for name, value in (await settings_of(store)).items():
                    await connection.execute(f"SET {name} = {value}")

                async def work(read: Read) -> int:
                    return await rows_on_postgres(connection, await statements_of(store, read))

                yield store, work
        finally:
            await connection.close()


PLANNING = ("jit", "random_page_cost", "max_parallel_workers_per_gather")
"""The settings of the store's own connections on which plans depend."""


async def settings_of(store: Store) -> dict[str, str]:
    async with store._engines.reader.connect() as connection:
        return {name: (await connection.exec_driver_sql(f"SHOW {name}")).scalar_one() for name in PLANNING}


async def works(opened: Opened, share: Share, reads: dict[str, Read], paged: dict[str, Paged]) -> dict[str, int]:
    """The work of each of `reads`, and of the first, the second and a late page of each of `paged`."""
    async with opened(share) as (store, work):
        found = {name: await work(read) for name, read in reads.items()}
        for name, page in paged.items():
            for place, after in places(await page(store, 10**6, None)).items():
                found[f"{place} page, {name}"] = await work(partial(page, limit=PAGE, after=after))
    return found


def places(records: Sequence[Any]) -> dict[str, Any]:
    """Where pages begin: after which record of the whole list."""
    if len(records) <= PAGE:
        return {"first": None}
    return {"first": None, "second": records[PAGE - 1], "late": records[len(records) - PAGE - 1]}


def grown(few: dict[str, int], many: dict[str, int], factor: float) -> set[str]:
    """The reads whose work is more than `factor` times as much, and more than a page, where there is more."""
    return {name.partition(" page, ")[2] or name for name in few if many[name] > factor * few[name] + PAGE}


async def test_no_read_grows_with_what_other_people_have(opened: Opened) -> None:
    few = await works(opened, FEW, ONES | WHOLES, PAGES)
    many = await works(opened, MANY_OF_OTHERS, ONES | WHOLES, PAGES)
    assert grown(few, many, 1.5) == set()


async def test_no_page_grows_with_the_length_of_its_list(opened: Opened) -> None:
    lists = {name: page for name, page in PAGES.items() if not name.startswith("projects.for_user")}
    few = await works(opened, FEW, {}, lists)
    many = await works(opened, MANY_OF_HERS, {}, lists)
    assert grown(few, many, 3) == BY_STATUS


async def test_the_count_of_work_shows_a_table_that_is_read_from_end_to_end(opened: Opened) -> None:
    reads: dict[str, Read] = {"all": lambda store: store.projects.archived(10**6)}
    few = await works(opened, FEW, reads, {})
    many = await works(opened, MANY_OF_OTHERS, reads, {})
    assert grown(few, many, 1.5) == {"all"}
