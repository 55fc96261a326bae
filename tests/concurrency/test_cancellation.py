"""Cancellation at every await of a unit of work, and of a read.

Whatever the moment: CancelledError arrives, nobody is left in a transaction, no connection is lost, and the unit is
stored as a whole or not at all.
"""

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from socrates.config import Settings
from socrates.drafts import NewMessage
from socrates.errors import DatabaseError
from socrates.store import Store, UnitOfWork
from tests.concurrency.cancelling import CancelledAt, Moment
from tests.concurrency.checks import DRIVERS, assert_sound, assert_unlocked, contents
from tests.support.stores import fresh_file

MOMENTS: tuple[Moment, ...] = ("pending", "done")

# The stock driver does not wait for the thread of a cancelled statement; it is done soon afterwards.
PATIENCE = {"onehop": 0.0, "stock": 10.0}

# A second cancellation can make the stock driver leave a task that never ends: only ours is held to that.
CASES = [("onehop", again) for again in ((), (1,), (2,), (1, 2, 3))] + [("stock", ())]

# Three statements and the commit: the first message goes with the reading of it, the others with the commit.
ONEHOP_AWAITS = {"open connection": 4, "queued": 4 + 1, "no connection": 4 + 3}


@asynccontextmanager
async def library(directory: Path, driver: str) -> AsyncIterator[Store]:
    async with Store.open(fresh_file(directory), Settings(sqlite_driver=driver)) as store:
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada", project_id="library")
        try:
            yield store
        finally:
            left = await stragglers(driver)
    assert left == []


async def stragglers(driver: str) -> list[str]:
    """End the tasks that somebody left behind, which would keep the event loop from ending; tell which."""
    # The stock driver's own way of closing, when it is cancelled too: it waits for a thread that has ended.
    known = "_terminate_graceful_close" if driver == "stock" else None
    for _ in range(100):
        await asyncio.sleep(0.05)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        found = [task for task in map(repr, left) if known is None or known not in task]
        if not found:
            break
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.05)
    return found


async def several_statements(unit: UnitOfWork, name: str) -> None:
    await unit.conversations.append("library", NewMessage("user", f"{name} a"))
    await unit.conversations.last("library")
    await unit.conversations.append_many("library", [NewMessage("user", f"{name} {part}") for part in "bc"])


async def write(store: Store, name: str) -> None:
    async with store.begin() as unit:
        await several_statements(unit, name)


async def assert_well(store: Store, driver: str, before: list[str], name: str) -> bool:
    """All that must hold after a cancellation; tell whether the unit was stored."""
    path = store._engines.path
    if PATIENCE[driver]:
        await asyncio.to_thread(assert_unlocked, path, PATIENCE[driver])
    else:
        assert_unlocked(path)
    health = await store.health()
    assert (health.ok, health.readers_in_use, health.writers_in_use) == (True, 0, 0)
    new = contents(path, "library")[len(before) :]
    assert new in ([], [f"{name} {part}" for part in "abc"])
    return bool(new)


@pytest.mark.sampled
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("state", ONEHOP_AWAITS)
@pytest.mark.parametrize(("driver", "again"), CASES)
async def test_a_unit_is_stored_whole_or_not_at_all(
    tmp_path: Path, driver: str, state: str, moment: Moment, again: tuple[int, ...]
) -> None:
    async with library(tmp_path, driver) as store:
        stored: list[bool] = []
        for at in range(1, 100):
            if state == "no connection":
                await store._engines.dispose()
            name, before = f"unit {at}", contents(store._engines.path, "library")
            work = CancelledAt(write(store, name), {at, *(at + more for more in again)}, moment)
            outcome = await (behind_another(store, work) if state == "queued" else settled(work))
            stored.append(await assert_well(store, driver, before, name))
            if not work.cancelled:
                break
            assert isinstance(outcome, asyncio.CancelledError)
            await write(store, "afterwards")
        assert outcome is None
        # When not cancelled, and when cancelled during the commit; the stock driver has one await more behind that.
        assert stored.count(True) <= (2 if driver == "onehop" else 3)
        assert stored[-1]
        if driver == "onehop":
            assert work.awaits == ONEHOP_AWAITS[state]
        assert at == work.awaits + 1 > 4
        assert_sound(store._engines.path)


async def settled(work: CancelledAt) -> BaseException | None:
    """What became of the work, done by a task of its own."""

    async def doing() -> None:
        await work

    (outcome,) = await asyncio.gather(asyncio.create_task(doing()), return_exceptions=True)
    return outcome


async def behind_another(store: Store, work: CancelledAt) -> BaseException | None:
    """The same, while another unit has the writer; that one goes on once the work waits for its turn."""
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def other() -> None:
        async with store.begin() as unit:
            await unit.conversations.last("library")
            inside.set()
            await go_on.wait()

    having = asyncio.create_task(other())
    await inside.wait()
    waiting = asyncio.create_task(settled(work))
    while not (work.awaits or waiting.done()):  # noqa: ASYNC110 - to the step
        await asyncio.sleep(0)
    go_on.set()
    await having
    return await waiting


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_cancelled_read_gives_its_connection_back(tmp_path: Path, driver: str, moment: Moment) -> None:
    async with library(tmp_path, driver) as store:
        await write(store, "unit 0")
        for at in range(1, 100):

            async def read() -> None:
                assert len(await store.conversations.last("library")) == 3

            work = CancelledAt(read(), {at}, moment)
            outcome = await settled(work)
            health = await store.health()
            assert (health.ok, health.readers_in_use) == (True, 0)
            if not work.cancelled:
                break
            assert isinstance(outcome, asyncio.CancelledError)
        assert outcome is None


@pytest.mark.parametrize("driver", DRIVERS)
async def test_many_tasks_cancelled_at_random_moments(tmp_path: Path, driver: str) -> None:
    dice = random.Random(7)
    async with library(tmp_path, driver) as store:
        tasks = []
        for number in range(150):
            tasks.append(asyncio.create_task(write(store, f"unit {number}")))
            tasks.append(asyncio.create_task(store.conversations.last("library")))
        while unfinished := [task for task in tasks if not task.done()]:
            dice.choice(unfinished).cancel()
            await asyncio.sleep(dice.uniform(0, 0.004))
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [found for found in outcomes if isinstance(found, Exception)] == []
        await asyncio.to_thread(assert_unlocked, store._engines.path, PATIENCE[driver])
        await write(store, "the last")
        texts = contents(store._engines.path, "library")
        finished = [f"unit {number}" for number, outcome in enumerate(outcomes[::2]) if outcome is None]
        assert {f"{name} {part}" for name in finished for part in "abc"} <= set(texts)
        assert all([text[-1] for text in texts[first : first + 3]] == list("abc") for first in range(0, len(texts), 3))
        health = await store.health()
        assert (health.readers_in_use, health.writers_in_use) == (0, 0)
        assert_sound(store._engines.path)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_unit_cannot_go_on_after_a_cancelled_statement(tmp_path: Path, driver: str) -> None:
    """A time limit around one statement interrupts it, and SQLite may roll back all that went before."""
    async with library(tmp_path, driver) as store:
        with pytest.raises(DatabaseError, match="begin another one"):  # noqa: PT012 - the unit is what raises
            async with store.begin() as unit:
                await unit.conversations.append("library", NewMessage("user", "first half"))
                outcome = await settled(CancelledAt(several_statements(unit, "lost"), {1}, "pending"))
                assert isinstance(outcome, asyncio.CancelledError)
                await unit.conversations.append("library", NewMessage("user", "second half"))
        assert contents(store._engines.path, "library") == []
        await write(store, "afterwards")


async def test_no_thread_is_left_after_cancellations(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    async with library(tmp_path, "onehop") as store:
        for at in range(1, 12):
            await settled(CancelledAt(write(store, "unit"), {at, at + 1}, "pending"))
    for _ in range(100):
        new = set(threading.enumerate()) - before
        left = [thread for thread in new if not thread.name.startswith("asyncio_")]  # asyncio's own stay with its loop
        if not left:
            break
        await asyncio.sleep(0.05)
    assert not left
