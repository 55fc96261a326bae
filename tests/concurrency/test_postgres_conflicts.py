"""Units of work that get in each other's way on PostgreSQL: deadlocks, serialisation failures and time-outs."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text

from socrates.drafts import NewMessage
from socrates.errors import BusyError, DatabaseError, SerializationError
from socrates.store import Store, UnitOfWork
from tests.concurrency.on_server import assert_idle, contents, libraries, settle, write
from tests.support.postgres import EmptyDatabases, query

pytestmark = pytest.mark.postgres

Work = Callable[[UnitOfWork], Awaitable[None]]


def crossing(mine: str, other: str, both_began: asyncio.Barrier, runs: Counter[str]) -> Work:
    """Writes to `mine` and then to `other`. The first run goes on only when its counterpart has begun as well."""

    async def work(unit: UnitOfWork) -> None:
        runs[mine] += 1
        await unit.conversations.append(mine, NewMessage("user", f"{mine} first"))
        if runs[mine] == 1:
            await both_began.wait()
        await unit.conversations.append(other, NewMessage("user", f"{mine} first"))

    return work


async def two_projects(store: Store) -> None:
    async with store.begin() as unit:
        for name in ("a", "b"):
            await unit.projects.create(name, "ada", project_id=name)


async def stored(store: Store) -> dict[str, list[str]]:
    return {name: sorted(found.content for found in await store.conversations.last(name)) for name in ("a", "b")}


async def test_a_deadlock_is_run_again(empty_databases: EmptyDatabases) -> None:
    runs: Counter[str] = Counter()
    async with libraries(empty_databases) as (_, (store,)):
        await two_projects(store)
        meeting = asyncio.Barrier(2)
        await asyncio.gather(
            store.transact(crossing("a", "b", meeting, runs)), store.transact(crossing("b", "a", meeting, runs))
        )
        # Once as a rule: who begins again may be faster than the other, and then they meet again.
        assert runs.total() >= 3, "one of the two was given up"
        assert await stored(store) == {"a": ["a first", "b first"], "b": ["a first", "b first"]}


async def test_a_deadlock_of_keys_without_a_row_is_run_again(empty_databases: EmptyDatabases) -> None:
    runs: Counter[str] = Counter()
    meeting = asyncio.Barrier(2)

    def crossing_keys(mine: str, other: str) -> Work:
        async def work(unit: UnitOfWork) -> None:
            runs[mine] += 1
            await unit.projects.count_owned(mine)
            if runs[mine] == 1:
                await meeting.wait()
            await unit.projects.count_owned(other)

        return work

    async with libraries(empty_databases) as (_, (store,)):
        await asyncio.gather(store.transact(crossing_keys("a", "b")), store.transact(crossing_keys("b", "a")))
        assert runs.total() == 3, "one of the two was given up once"


async def test_a_deadlock_in_a_single_unit_is_told_and_stores_nothing_of_it(empty_databases: EmptyDatabases) -> None:
    async def once(work: Work) -> None:
        async with store.begin() as unit:
            await work(unit)

    runs: Counter[str] = Counter()
    async with libraries(empty_databases) as (url, (store,)):
        await two_projects(store)
        meeting = asyncio.Barrier(2)
        found = await asyncio.gather(
            once(crossing("a", "b", meeting, runs)), once(crossing("b", "a", meeting, runs)), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in found) == ["NoneType", "SerializationError"]
        assert "Store.transact" in str(next(each for each in found if each))
        winner = "ab"[found.index(None)]
        assert await stored(store) == {"a": [f"{winner} first"], "b": [f"{winner} first"]}
        await assert_idle(url)


async def test_a_unit_is_not_run_again_for_ever(empty_databases: EmptyDatabases) -> None:
    """Serialisation failures as a server raises them, in every attempt."""
    attempts = 0

    async def collide(unit: UnitOfWork) -> None:
        nonlocal attempts
        attempts += 1
        await unit.conversations.append("library", NewMessage("user", "lost"))
        await unit.projects._rows(text("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$"))

    async with libraries(empty_databases, transaction_attempts=3) as (url, (store,)):
        with pytest.raises(SerializationError, match="got in the way"):
            await store.transact(collide)
        assert attempts == 3
        assert contents(url) == []
        await write(store, "afterwards")


async def test_other_failures_are_not_run_again(empty_databases: EmptyDatabases) -> None:
    attempts = 0

    async def fail(unit: UnitOfWork) -> None:
        nonlocal attempts
        attempts += 1
        await unit.conversations.append("library", NewMessage("user", "lost"))
        raise ValueError("mine")

    async with libraries(empty_databases) as (url, (store,)):
        with pytest.raises(ValueError, match="mine"):
            await store.transact(fail)
        assert attempts == 1
        assert contents(url) == []


async def test_a_snapshot_that_is_too_old_is_a_serialisation_failure(empty_databases: EmptyDatabases) -> None:
    """REPEATABLE READ, as an administrator may set it for the database: the server itself gives up the later one."""
    attempts = 0

    async def count_on(unit: UnitOfWork) -> None:
        nonlocal attempts
        attempts += 1
        await unit.projects._rows(text("SELECT 1 FROM projects"))
        if attempts == 1:
            await asyncio.create_task(write(store, "in between"))
        await unit.conversations.append("library", NewMessage("user", "counted on"))

    async def in_repeatable_read(unit: UnitOfWork) -> None:
        await unit.projects._session.run(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        await count_on(unit)

    async with libraries(empty_databases) as (url, (store,)):
        await store.transact(in_repeatable_read)
        assert attempts == 2
        assert contents(url) == ["in between", "counted on"]


async def test_a_record_that_another_unit_keeps_too_long_is_busy(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases, 2, lock_timeout=0.2) as (url, (one, two)):
        async with one.begin() as unit:
            await unit.projects.summary("library")
            began = time.monotonic()
            with pytest.raises(BusyError, match="lock_timeout"):
                await write(two, "too late")
            assert 0.15 < time.monotonic() - began < 10
            assert (await two.projects.summary("library")).message_count == 0, "reads do not wait"
        await write(two, "in time")
        assert contents(url) == ["in time"]


async def test_a_key_without_a_row_that_another_unit_holds_too_long_is_busy(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases, 2, lock_timeout=0.2) as (_, (one, two)):
        async with one.begin() as unit:
            await unit.projects.count_owned("bob")
            with pytest.raises(BusyError, match="lock_timeout"):
                async with two.begin() as other:
                    await other.projects.count_owned("bob")
            async with two.begin() as other:
                assert await other.projects.count_owned("eve") == 0
        assert await two.projects.count_owned("bob") == 0


async def test_more_units_than_connections_are_told_in_time(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases, pool_size=1, lock_timeout=0.2) as (url, (store,)):
        async with store.begin() as unit:
            await unit.conversations.last("library")
            with pytest.raises(BusyError, match=r"no connection became free in 0\.2 seconds"):
                await asyncio.create_task(write(store, "too late"))
        await write(store, "in time")
        assert contents(url) == ["in time"]


@pytest.mark.parametrize("place", ["unit", "read"])
async def test_a_statement_that_takes_too_long_is_ended(empty_databases: EmptyDatabases, place: str) -> None:
    async with libraries(empty_databases, statement_timeout=2) as (url, (store,)):
        slow = text("SELECT pg_sleep(60)")
        began = time.monotonic()
        with pytest.raises(DatabaseError, match="statement_timeout"):  # noqa: PT012 - the unit is what raises
            if place == "read":
                await store.projects._rows(slow)
            else:
                async with store.begin() as unit:
                    await unit.conversations.append("library", NewMessage("user", "lost"))
                    await unit.projects._rows(slow)
        assert time.monotonic() - began < 10
        await write(store, "afterwards")
        assert contents(url) == ["afterwards"]
        assert len(await store.conversations.last("library")) == 1


async def test_no_time_limit_is_none(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases, statement_timeout=0) as (_, (store,)):
        shown = [await store.projects._value(text(f"SHOW {name}")) for name in ("statement_timeout", "lock_timeout")]
        assert shown == ["0", "1min"]


async def test_a_unit_that_waits_goes_on_when_the_other_has_ended(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases, 2) as (url, (one, two)):
        async with one.begin() as unit:
            await unit.conversations.append("library", NewMessage("user", "first"))
            waiting = asyncio.create_task(write(two, "second"))
            await settle(url, "wait_event_type = 'Lock'")
            assert query(url, "SELECT message_count FROM projects") == [(0,)]
        await waiting
        assert contents(url) == ["first", "second"]
