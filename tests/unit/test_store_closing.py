"""Closing a store: what it waits for, what it stops, what it leaves."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from socrates.config import Settings
from socrates.drafts import NewMessage
from socrates.errors import (
    ClosedError,
)
from socrates.store import Store, UnitOfWork
from tests.concurrency.checks import DRIVERS, assert_unlocked, companions, contents
from tests.support.stores import fresh_file

SECRET = "argon2id-of-the-passcode"


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both drivers, switched as an owner does it."""
    monkeypatch.setenv("SOCRATES_SQLITE_DRIVER", request.param)
    return str(request.param)


@asynccontextmanager
async def library(directory: Path, **settings: object) -> AsyncIterator[Store]:
    async with Store.open(fresh_file(directory), Settings(**settings)) as store:
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada", project_id="library")
        yield store


def stored(store: Store) -> list[str]:
    return contents(store._engines.path, "library")


async def say(unit: UnitOfWork, text: str) -> None:
    await unit.conversations.append("library", NewMessage("user", text))


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name}


@pytest.mark.usefixtures("driver")
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
    assert threads() == before


@pytest.mark.usefixtures("driver")
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


@pytest.mark.usefixtures("driver")
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

        working = [asyncio.create_task(endless()), asyncio.create_task(queued())]
        await begun.wait()
        began = time.monotonic()
        await store.close()
        assert patience <= time.monotonic() - began < 4
        outcomes = await asyncio.gather(*working, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ClosedError, ClosedError]
        assert [task.cancelling() for task in working] == [0, 0]
        await asyncio.to_thread(assert_unlocked, store._engines.path, 5)
        assert stored(store) == ["before"]
    for thread in threads() - before:
        await asyncio.to_thread(thread.join, 5)
    assert threads() == before


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
