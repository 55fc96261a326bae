"""What caching costs and saves, in counts: statements, crossings between threads, connections, tasks and awaits."""

import asyncio
from collections.abc import Awaitable, Callable, Container, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from sqlite3 import Connection, connect
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from socrates.config import CacheConfig, Settings
from socrates.drafts import NewMessage
from socrates.store import Store
from tests.performance.opening import without_coherence
from tests.support.engines import ENGINES, on_engine
from tests.support.postgres import EmptyDatabases, query
from tests.support.stores import Cost, counted, fresh_file, fresh_store, thrown_away

OFF = CacheConfig(enable_caching=False)

READS: dict[str, Callable[[Store], Awaitable[Any]]] = {
    "projects.for_user": lambda store: store.projects.for_user("ada"),
    "projects.summary": lambda store: store.projects.summary("library"),
    "projects.details": lambda store: store.projects.details("library"),
    "projects.context": lambda store: store.projects.context("library"),
    "projects.members": lambda store: store.projects.members("library"),
    "projects.is_member": lambda store: store.projects.is_member("library", "ada"),
    "projects.is_member, nobody": lambda store: store.projects.is_member("library", "eve"),
    "projects.count_owned": lambda store: store.projects.count_owned("ada"),
    "projects.pending_questions": lambda store: store.projects.pending_questions("library", status="pending"),
    "projects.phase_scores": lambda store: store.projects.phase_scores("library"),
    "projects.category_scores": lambda store: store.projects.category_scores("library", "design"),
    "projects.specs": lambda store: store.projects.specs("library"),
    "projects.maturity_events": lambda store: store.projects.maturity_events("library"),
    "projects.analytics": lambda store: store.projects.analytics("library"),
    "conversations.last": lambda store: store.conversations.last("library", 50),
    "conversations.count": lambda store: store.conversations.count("library"),
    "conflicts.pending": lambda store: store.conflicts.pending("library"),
    "users.get": lambda store: store.users.get("ada"),
    "users.subscription": lambda store: store.users.subscription("ada"),
    "users.exists": lambda store: store.users.exists("nobody"),
    "notes.get": lambda store: store.notes.get("note"),
    "notes.for_project": lambda store: store.notes.for_project("library"),
    "learning.find_effectiveness": lambda store: store.learning.find_effectiveness("ada", "nothing"),
    "learning.effectiveness_of": lambda store: store.learning.effectiveness_of("ada"),
    "learning.find_pattern": lambda store: store.learning.find_pattern("ada", "nothing"),
    "learning.patterns_of": lambda store: store.learning.patterns_of("ada"),
    "llm.find_config": lambda store: store.llm.find_config("ada", "nothing"),
    "llm.configs": lambda store: store.llm.configs("ada"),
}
"""Every cached read; several find nothing, which is a result like any other."""


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    with on_engine(request) as name:
        yield name


async def fill(store: Store) -> None:
    async with store.begin() as unit:
        await unit.users.create("ada", "0" * 64)
        await unit.projects.create("Library", "ada", project_id="library")
        await unit.conversations.append_many("library", [NewMessage("user", "It must lend books.")] * 3)
        await unit.notes.create("library", "Fees", "None for children.", note_id="note", created_by="ada")


async def append(store: Store) -> None:
    async with store.begin() as unit:
        await unit.conversations.append("library", NewMessage("user", "It must lend books."))


async def save(store: Store) -> None:
    async with store.begin() as unit:
        project = await unit.projects.summary("library")
        await unit.projects.update("library", project.version, goals="Lend books.", requirements=["fees", "lending"])


async def write_nothing(store: Store) -> None:
    async with store.begin() as unit:
        await unit.projects.summary("library")


async def begin_only(store: Store) -> None:
    async with store.begin():
        pass


async def roll_back(store: Store) -> None:
    async with thrown_away(store) as unit:
        await unit.projects.create("Museum", "ada")


WRITES = {"append": append, "save": save}
NO_WRITES = {"read in a unit": write_nothing, "empty unit": begin_only, "rolled back": roll_back}


async def cost_of(store: Store, call: Callable[[Store], Awaitable[Any]]) -> Cost:
    """What a call costs that may use the cache, which inside `counted` itself nothing does."""
    outside = copy_context()

    async def made() -> None:
        await call(store)

    with counted(store) as cost:
        await asyncio.create_task(made(), context=outside)
    return cost


@contextmanager
def checkouts(*stores: Store) -> Iterator[list[str]]:
    """The pools, by name, from which connections were taken."""
    taken: list[str] = []
    pools: list[tuple[Pool, Callable[..., None]]] = []
    for store in stores:
        for name, engine in (("writer", store._engines.writer), ("reader", store._engines.reader)):

            def note(*_arguments: object, name: str = name) -> None:
                taken.append(name)

            event.listen(engine.sync_engine.pool, "checkout", note)
            pools.append((engine.sync_engine.pool, note))
    try:
        yield taken
    finally:
        for pool, note in pools:
            event.remove(pool, "checkout", note)


def finished_at_once(call: Awaitable[Any]) -> Any:
    """The result of a coroutine that never gives way to the event loop."""
    with pytest.raises(StopIteration) as end:
        call.__await__().__next__()
    return end.value.value


async def test_a_hit_costs_nothing_and_never_waits(engine: str, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        for name, read in READS.items():
            kept = await read(store)
            tasks, hits = asyncio.all_tasks(), store.cache.total().hits
            with checkouts(store) as taken:
                cost = await cost_of(store, read)
            cost.must_be(statements=0, crossings=0)
            assert finished_at_once(read(store)) is kept, name
            assert store.cache.total().hits == hits + 2, name
            assert taken == [], name
            assert asyncio.all_tasks() == tasks, name


async def test_every_cached_read_is_among_those_counted_here(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        for read in READS.values():
            await read(store)
        assert set(store.cache.stats()) == {name.partition(",")[0] for name in READS}


async def test_a_miss_costs_what_the_read_costs_without_a_cache(engine: str, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        await store.projects.summary("library")  # opens the connection
        for name, read in READS.items():
            with checkouts(store) as taken_past_it, counted(store) as past_it:
                await read(store)
            store.cache.clear()
            loads = store.cache.total().loads
            with checkouts(store) as taken:
                miss = await cost_of(store, read)
            assert store.cache.total().loads == loads + 1, name
            assert past_it.statements, name
            assert miss == past_it, name
            assert taken == taken_past_it, name


@pytest.mark.parametrize("name", [*WRITES, *NO_WRITES])
async def test_keeping_a_cache_true_costs_a_unit_one_notification_if_it_writes_to_a_server_and_else_nothing(
    engine: str, tmp_path: Path, name: str
) -> None:
    """The same where the store's own cache is off: other processes may have theirs."""
    call = (WRITES | NO_WRITES)[name]
    async with fresh_store(tmp_path) as store:
        await fill(store)
        await call(store)
        cached = await cost_of_unit(store, call)
        store.cache.enabled = False
        uncached = await cost_of_unit(store, call)
        bare = await cost_of_unit(without_coherence(store), call)
    assert cached == uncached
    assert len(cached[0].notifications) == (1 if engine == "postgres" and name in WRITES else 0)
    cached[0].notifications.clear()
    assert cached == bare


async def cost_of_unit(store: Store, call: Callable[[Store], Awaitable[Any]]) -> tuple[Cost, list[str]]:
    """What a unit costs when all that can be is cached, and the pools that it takes connections from."""
    for read in READS.values():
        await read(store)
    with checkouts(store) as taken:
        return await cost_of(store, call), taken


async def test_what_reads_cached_results_takes_no_connection_from_a_unit_under_way(engine: str, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        kept = await store.projects.summary("library")
        async with store.begin() as unit:
            await unit.conversations.append("library", NewMessage("user", "It must lend books."))
            assert finished_at_once(store.projects.summary("library")) is kept
        assert (await store.projects.summary("library")).message_count == 4


@pytest.mark.parametrize("settings", [{}, {"cache_config": OFF}], ids=["on", "off"])
async def test_a_store_on_a_file_opens_one_connection_more_for_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    """Also where it is off, because it can be switched on while the store is open."""
    path, opened = fresh_file(tmp_path), list[str]()

    def counting(database: Any, *arguments: Any, **named: Any) -> Connection:
        opened.append(str(database))
        return connect(database, *arguments, **named)

    monkeypatch.setattr("sqlite3.connect", counting)
    async with Store.open(path, Settings(**settings)) as store:
        for_opening = len(opened)
        await fill(store)
        await store.projects.summary("library")
        assert (for_opening, len(opened)) == (2, 4), opened


@pytest.mark.postgres
@pytest.mark.parametrize("settings", [{}, {"cache_config": OFF}], ids=["on", "off"])
async def test_a_store_on_a_server_keeps_one_connection_more_for_its_cache(
    empty_databases: EmptyDatabases, settings: dict[str, Any]
) -> None:
    """Beside the one with which opening looks at the schema, and which the first unit of work gets."""
    with empty_databases.lent() as url:
        earlier = backends(url)  # somebody's that has not noticed its end yet
        async with Store.open(url, Settings(**settings)) as store:
            opened = backends(url, but=earlier)
            await fill(store)
            used = backends(url, but=earlier)
    assert opened == used
    assert sorted(opened.values()) == ["socrates", "socrates listener"]


def backends(url: str, but: Container[int] = ()) -> dict[int, str]:
    """What those who are connected to a database call themselves, by the numbers of their processes."""
    # Not those that asked this before: the server may take a moment to end them.
    named = "datname = current_database() AND application_name LIKE 'socrates%'"
    sql = f"SELECT pid, application_name FROM pg_stat_activity WHERE {named}"
    return {pid: name for pid, name in query(url, sql) if pid not in but}
