"""Reads that are cached while other processes write to the same PostgreSQL database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from socrates.store import Store
from tests.concurrency.crowd import Worker, crowd
from tests.concurrency.on_server import opened, write
from tests.support.postgres import EmptyDatabases, execute, query

pytestmark = pytest.mark.postgres

PATIENCE = 20.0
CUT_LISTENERS = (
    "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'socrates listener'"
)
IN_A_UNIT = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"


@pytest.fixture(scope="module")
def other() -> Iterator[Worker]:
    with crowd(1) as (worker,):
        yield worker


@asynccontextmanager
async def library(databases: EmptyDatabases) -> AsyncIterator[tuple[str, Store]]:
    """The URL of a database with the project `library`, and a store on it."""
    with databases.lent() as url:
        async with opened(url) as (store,):
            async with store.begin() as unit:
                await unit.projects.create("Library", "ada", project_id="library")
            yield url, store


async def appended(worker: Worker, url: str, count: int) -> None:
    """Have another process write messages, and come back when it has committed them and is gone."""
    worker.tell("append", url, project="library", name="other", count=count)
    answer = await asyncio.to_thread(worker.answer)
    assert len(answer["positions"]) == count


async def eventually_counted(store: Store, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while await store.conversations.count("library") != count:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.01)


async def eventually_hit(store: Store, count: int) -> None:
    """The count is right with every read, and soon from memory: what was read before its news came is read again."""
    async with asyncio.timeout(PATIENCE):
        before = store.cache.total().hits
        while store.cache.total().hits == before:
            assert await store.conversations.count("library") == count
            await asyncio.sleep(0.01)


async def test_what_another_process_wrote_is_read_as_soon_as_it_is_heard(
    empty_databases: EmptyDatabases, other: Worker
) -> None:
    async with library(empty_databases) as (url, store):
        for total in (3, 6):
            assert await store.conversations.count("library") == total - 3
            await appended(other, url, 3)
            await eventually_counted(store, total)
            await eventually_hit(store, total)
        await write(store, "own")
        assert await store.conversations.count("library") == 7


async def test_reads_beside_a_writing_process_never_go_back_and_arrive(
    empty_databases: EmptyDatabases, other: Worker
) -> None:
    async with library(empty_databases) as (url, store):
        writing = asyncio.create_task(appended(other, url, 100))
        counts = []
        while not writing.done():
            counts.append(await store.conversations.count("library"))
            await asyncio.sleep(0)
        await writing
        assert counts == sorted(counts)
        assert len(set(counts)) > 2, "both were at work at the same time"
        await eventually_counted(store, 100)
        await eventually_hit(store, 100)


async def test_own_writes_beside_a_writing_process_are_seen_without_waiting(
    empty_databases: EmptyDatabases, other: Worker
) -> None:
    async with library(empty_databases) as (url, store):
        writing = asyncio.create_task(appended(other, url, 50))
        own = 0
        while not writing.done():
            await write(store, f"own {own}")
            own += 1
            texts = [message.content for message in await store.conversations.last("library", 1_000)]
            assert f"own {own - 1}" in texts
        await writing
        await eventually_counted(store, own + 50)


async def test_nothing_stale_is_read_when_the_other_process_writes_while_nothing_can_be_heard(
    empty_databases: EmptyDatabases, other: Worker
) -> None:
    async with library(empty_databases) as (url, store):
        for total in (1, 2):
            await eventually_counted(store, total - 1)
            await eventually_hit(store, total - 1)
            writing = asyncio.create_task(appended(other, url, 1))
            execute(url, CUT_LISTENERS)
            await writing
            assert await store.conversations.count("library") == total
            async with asyncio.timeout(PATIENCE):
                while not store._coherence.is_current():  # noqa: ASYNC110 - the store tells nobody
                    await asyncio.sleep(0.01)
            assert await store.conversations.count("library") == total
            await eventually_hit(store, total)


async def test_a_process_that_is_killed_in_a_unit_tells_nothing(empty_databases: EmptyDatabases) -> None:
    async with library(empty_databases) as (url, store):
        await eventually_hit(store, 0)
        with crowd(1) as (other,):
            other.tell("stay_in_a_unit", url, project="library")
            assert await asyncio.to_thread(other.answer) == {"inside": True}
            other.kill()
        async with asyncio.timeout(PATIENCE):
            while query(url, IN_A_UNIT):  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.02)
        before = store.cache.total()
        assert await store.conversations.count("library") == 0
        after = store.cache.total()
        assert (after.hits, after.invalidated) == (before.hits + 1, before.invalidated)
