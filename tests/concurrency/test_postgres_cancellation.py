"""Cancellation at every await of a unit of work on PostgreSQL, and of a read.

Whatever the moment: CancelledError arrives, no connection stays in a transaction or is lost, and the unit is stored as
a whole or not at all.
"""

import asyncio
import random

import pytest

from socrates.drafts import NewMessage
from socrates.errors import ClosedError, DatabaseError
from socrates.store import Store, UnitOfWork
from tests.concurrency.cancelling import CancelledAt, Moment
from tests.concurrency.on_server import assert_idle, assert_whole, contents, libraries, opened, settle
from tests.concurrency.test_cancellation import MOMENTS, settled
from tests.support.postgres import EmptyDatabases

pytestmark = pytest.mark.postgres

AGAIN = ((), (1, 2, 3))


async def several_statements(unit: UnitOfWork, name: str) -> None:
    await unit.projects.summary("library")
    await unit.projects.count_owned("ada")
    await unit.conversations.append_many("library", [NewMessage("user", f"{name} {part}") for part in "abc"])


async def write(store: Store, name: str) -> None:
    async with store.begin() as unit:
        await several_statements(unit, name)


async def assert_well(store: Store, url: str) -> None:
    """All that must hold after a cancellation, at once or, where the server has to notice, soon."""
    await assert_whole(store)
    await assert_idle(url)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("again", AGAIN, ids=str)
@pytest.mark.parametrize("state", ["open connection", "no connection"])
async def test_a_unit_is_stored_whole_or_not_at_all(
    empty_databases: EmptyDatabases, state: str, again: tuple[int, ...], moment: Moment
) -> None:
    async with libraries(empty_databases, pool_size=2) as (url, (store,)):
        known: list[str] = []
        for at in range(1, 100):
            if state == "no connection":
                await store._engines.dispose()
            work = CancelledAt(write(store, f"unit {at}"), {at, *(at + more for more in again)}, moment)
            outcome = await settled(work)
            await assert_well(store, url)
            new = contents(url)[len(known) :]
            assert new in ([], [f"unit {at} {part}" for part in "abc"])
            known += new
            if not work.cancelled:
                break
            assert isinstance(outcome, asyncio.CancelledError)
        assert outcome is None
        assert at == work.awaits + 1 > 6
        assert known[-3:] == [f"unit {at} {part}" for part in "abc"]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_cancelled_read_gives_its_connection_back(empty_databases: EmptyDatabases, moment: Moment) -> None:
    async with libraries(empty_databases, messages=3) as (url, (store,)):

        async def read() -> None:
            assert len(await store.conversations.last("library")) == 3

        for connected in (False, True):
            for at in range(1, 100):
                if not connected:
                    await store._engines.dispose()
                work = CancelledAt(read(), {at}, moment)
                outcome = await settled(work)
                await assert_well(store, url)
                if not work.cancelled:
                    break
                assert isinstance(outcome, asyncio.CancelledError)
            assert outcome is None


@pytest.mark.parametrize("waits_for", ["a record", "a key"])
async def test_waiting_for_another_unit_can_be_cancelled(empty_databases: EmptyDatabases, waits_for: str) -> None:
    async def wait() -> None:
        async with store.begin() as unit:
            await several_statements(unit, "lost")

    async with libraries(empty_databases) as (url, (store,)):
        async with store.begin() as unit:
            await (unit.projects.summary("library") if waits_for == "a record" else unit.projects.count_owned("ada"))
            waiting = asyncio.create_task(wait())
            await settle(url, "wait_event_type = 'Lock'")
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(waiting, 20)
        await assert_well(store, url)
        await write(store, "afterwards")
        assert contents(url) == [f"afterwards {part}" for part in "abc"]


async def test_many_tasks_cancelled_at_random_moments(empty_databases: EmptyDatabases) -> None:
    dice = random.Random(7)
    async with libraries(empty_databases) as (url, (store,)):
        tasks = []
        for number in range(150):
            tasks.append(asyncio.create_task(write(store, f"unit {number}")))
            tasks.append(asyncio.create_task(store.conversations.last("library")))
        while unfinished := [task for task in tasks if not task.done()]:
            dice.choice(unfinished).cancel()
            await asyncio.sleep(dice.uniform(0, 0.004))
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [found for found in outcomes if isinstance(found, Exception)] == []
        await assert_well(store, url)
        await write(store, "the last")
        texts = contents(url)
        finished = [f"unit {number}" for number, outcome in enumerate(outcomes[::2]) if outcome is None]
        assert {f"{name} {part}" for name in finished for part in "abc"} <= set(texts)
        assert all([text[-1] for text in texts[first : first + 3]] == list("abc") for first in range(0, len(texts), 3))


async def test_a_unit_cannot_go_on_after_a_cancelled_statement(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases) as (url, (store,)):
        with pytest.raises(DatabaseError):  # noqa: PT012 - the unit is what raises
            async with store.begin() as unit:
                await unit.conversations.append("library", NewMessage("user", "first half"))
                outcome = await settled(CancelledAt(several_statements(unit, "lost"), {1}, "pending"))
                assert isinstance(outcome, asyncio.CancelledError)
                await unit.conversations.append("library", NewMessage("user", "second half"))
        await assert_well(store, url)
        assert contents(url) == []


async def test_closing_rolls_back_what_takes_too_long(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases) as (url, _), opened(url, close_timeout=0.1) as (store,):

        async def stay() -> None:
            async with store.begin() as unit:
                await several_statements(unit, "lost")
                await asyncio.sleep(60)

        staying = asyncio.create_task(stay())
        await settle(url, "state = 'idle in transaction'")
        await store.close()
        with pytest.raises(ClosedError, match="rolled back"):
            await staying
        assert contents(url) == []
