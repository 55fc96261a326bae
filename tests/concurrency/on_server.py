"""Stores on a PostgreSQL server, and what must hold of their database after anything whatsoever."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from socrates.config import Settings
from socrates.drafts import NewMessage
from socrates.store import Store, UnitOfWork
from tests.support.postgres import EmptyDatabases, query

# Clients only: the server's own processes vacuum whenever they want.
_OTHERS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)
_GAPS = (
    "SELECT id, message_count, count(position), min(position), max(position) FROM projects"
    " LEFT JOIN conversation_messages ON project_id = id GROUP BY id"
    " HAVING message_count <> count(position) OR min(position) <> 0 OR max(position) <> message_count - 1"
)


@asynccontextmanager
async def opened(url: str, count: int = 1, **settings: Any) -> AsyncIterator[list[Store]]:
    """Several stores on one database, closed afterwards."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Store.open(url, Settings(**settings))) for _ in range(count)]


@asynccontextmanager
async def libraries(
    databases: EmptyDatabases, count: int = 1, messages: int = 0, **settings: Any
) -> AsyncIterator[tuple[str, list[Store]]]:
    """The URL of a database with the project `library`, and several stores on it. It must be sound at the end."""
    with databases.lent() as url:
        async with opened(url, count, **settings) as stores:
            async with stores[0].begin() as unit:
                await unit.projects.create("Library", "ada", project_id="library")
                drafts = [NewMessage("user", f"message {number}") for number in range(messages)]
                await unit.conversations.append_many("library", drafts)
            yield url, stores
            for store in stores:
                await assert_whole(store)
            await assert_idle(url)
            assert_sound(url)


async def write(store: Store, text: str) -> None:
    """One message, in a unit of work of its own."""
    async with store.begin() as unit:
        await unit.conversations.append("library", NewMessage("user", text))


async def at_once(stores: list[Store], count: int, work: Callable[[UnitOfWork, int], Awaitable[Any]]) -> list[Any]:
    """Run `work` in `count` units at the same time, on the stores by turns: what each returned or raised."""

    async def one(number: int) -> Any:
        async with stores[number % len(stores)].begin() as unit:
            return await work(unit, number)

    return await asyncio.gather(*(one(number) for number in range(count)), return_exceptions=True)


async def settle(url: str, condition: str) -> None:
    """Wait until another connection of the database is in the state that `condition` (SQL) describes."""
    async with asyncio.timeout(20):
        while not query(url, f"SELECT 1 {_OTHERS} AND {condition}"):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)


def contents(url: str) -> list[str]:
    """The messages of the project `library`, by position."""
    found = query(url, "SELECT content FROM conversation_messages WHERE project_id = 'library' ORDER BY position")
    return [content for (content,) in found]


def assert_sound(url: str) -> None:
    """Every conversation counts its messages without a gap."""
    assert query(url, _GAPS) == []


def busy(url: str) -> list[Any]:
    """Connections that are in a transaction, and locks that any of them holds or awaits."""
    return [
        *query(url, f"SELECT state, query {_OTHERS} AND (state <> 'idle' OR xact_start IS NOT NULL)"),
        *query(url, f"SELECT locktype, mode FROM pg_locks WHERE pid IN (SELECT pid {_OTHERS})"),
    ]


async def assert_idle(url: str) -> None:
    """No transaction was left open. A listener that is just coming back may need a moment to be idle."""
    end = time.monotonic() + 20
    while found := busy(url):
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)


async def assert_whole(store: Store) -> None:
    """No connection of the store is lent, and it answers."""
    health = await store.health()
    assert (health.problems, health.readers_in_use, health.writers_in_use) == ((), 0, 0)


def cut_all(url: str) -> None:
    """Have the server end all other connections of the database, as it does when it restarts."""
    # Those that are there now: a store's listener may be back before the others are gone.
    ended = [pid for pid, _ in query(url, f"SELECT pid, pg_terminate_backend(pid) {_OTHERS}")]
    while query(url, f"SELECT 1 FROM pg_stat_activity WHERE pid = ANY(ARRAY{ended}::int[])"):
        time.sleep(0.01)
