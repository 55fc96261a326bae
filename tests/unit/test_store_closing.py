"""Closing a store: what it waits for, what it stops, what it leaves."""

import asyncio
import time
from pathlib import Path

import pytest

from socrates.drafts import NewMessage
from socrates.errors import ClosedError
from socrates.store import Store
from tests.concurrency.checks import companions
from tests.support.postgres import EmptyDatabases, query
from tests.support.stores import fresh_file
from tests.unit.library import assert_unlocked, library, say, stored, threads


@pytest.mark.usefixtures("backend")
async def test_a_closed_store_refuses_everything(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        pass
    for use in (store.conversations.last("library"), store.projects.summary("library"), store.health()):
        with pytest.raises(ClosedError, match="the store is closed"):
            await use
    with pytest.raises(ClosedError, match="the store is closed"):
        async with store.begin():
            pytest.fail("it began")
    await store.close()


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize("used", ["for nothing", "for reading", "for writing", "for both"])
async def test_closing_leaves_no_file_and_no_thread(tmp_path: Path, used: str) -> None:
    before = threads()
    path = fresh_file(tmp_path)
    store = await Store.open(path)
    if used in ("for writing", "for both"):
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada")
    if used in ("for reading", "for both"):
        await asyncio.gather(*(store.projects.for_user("ada") for _ in range(30)))
    if used != "for nothing":
        assert threads() > before
    await store.close()
    assert companions(path) == set()
    for thread in threads() - before:
        await asyncio.to_thread(thread.join, 5)
    assert threads() <= before


def connections(database: str) -> int:
    mine = "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    return query(database, f"SELECT 1 FROM pg_stat_activity WHERE {mine}").count((1,))


@pytest.mark.postgres
async def test_closing_leaves_no_connection(empty_databases: EmptyDatabases) -> None:
    with empty_databases.lent() as database:
        store = await Store.open(database)
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada")
        await asyncio.gather(*(store.projects.for_user("ada") for _ in range(30)))
        assert connections(database) > 2
        await store.close()
        async with asyncio.timeout(20):
            while connections(database):  # noqa: ASYNC110 - the server takes a moment, and tells nobody
                await asyncio.sleep(0.02)


@pytest.mark.usefixtures("backend")
async def test_closing_waits_for_what_is_under_way(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        begun = asyncio.Event()

        async def slow() -> None:
            async with store.begin() as unit:
                await say(unit, "one")
                begun.set()
                await asyncio.sleep(0.2)
                await say(unit, "two")

        working = asyncio.create_task(slow())
        await begun.wait()
        closing = [asyncio.create_task(store.close()) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(ClosedError):
            await store.projects.summary("library")
        await asyncio.wait_for(asyncio.gather(*closing), 5)
        assert working.done()
        await working
        assert stored(store) == ["one", "two"]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("patience", [0.0, 0.2])
async def test_what_takes_longer_than_closing_may_fails_and_is_rolled_back(tmp_path: Path, patience: float) -> None:
    before = threads()
    async with library(tmp_path, close_timeout=patience) as store:
        async with store.begin() as unit:
            await say(unit, "before")
        begun = asyncio.Event()

        async def endless() -> None:
            async with store.begin() as unit:
                await say(unit, "lost")
                begun.set()
                await asyncio.sleep(3600)

        async def queued() -> None:
            async with store.begin() as unit:
                await say(unit, "never begun")

        working = [asyncio.create_task(endless())]
        await begun.wait()  # on PostgreSQL, where units run side by side, the other one could be first
        working.append(asyncio.create_task(queued()))
        await asyncio.sleep(0)
        began = time.monotonic()
        await store.close()
        assert patience <= time.monotonic() - began < 4
        outcomes = await asyncio.gather(*working, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ClosedError, ClosedError]
        assert [task.cancelling() for task in working] == [0, 0]
        await asyncio.to_thread(assert_unlocked, store, 5)
        assert stored(store) == ["before"]
    for thread in threads() - before:
        await asyncio.to_thread(thread.join, 5)
    assert threads() <= before


async def test_a_read_that_takes_longer_than_closing_may_is_interrupted(tmp_path: Path) -> None:
    async with library(tmp_path, close_timeout=0.1) as store:
        async with store.begin() as unit:
            messages = [NewMessage("user", "x" * 2000) for _ in range(30_000)]
            await unit.conversations.append_many("library", messages)
        reading = [asyncio.create_task(store.conversations.search("library", "y")) for _ in range(60)]
        await asyncio.sleep(0.01)
        await store.close()
        outcomes = await asyncio.gather(*reading, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {tuple, ClosedError}
        assert ClosedError in {type(outcome) for outcome in outcomes}
        assert companions(store._engines.path) == set()


@pytest.mark.usefixtures("engine")
async def test_a_cancellation_by_the_caller_stays_one_while_the_store_closes(tmp_path: Path) -> None:
    async with library(tmp_path, close_timeout=0) as store:

        async def endless() -> None:
            async with store.begin():
                await asyncio.sleep(3600)

        working = asyncio.create_task(endless())
        await asyncio.sleep(0.01)
        working.cancel()
        await store.close()
        with pytest.raises(asyncio.CancelledError):
            await working
