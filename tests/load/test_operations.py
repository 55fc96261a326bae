"""A thousand and more operations of a store at once, on either engine: no deadlock, nothing lost, nobody refused."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from socrates.drafts import NewMessage
from socrates.store import Store, UnitOfWork
from socrates.views import Message
from tests.concurrency.checks import LONG, assert_sound
from tests.load.people import PEOPLE
from tests.support.stores import fresh_store

_SHARED = [f"shared-{number}" for number in range(5)]
_ROUNDS = 20 if LONG else 4
"""So often everybody does each kind of operation: 1,450 operations, or 7,250."""

_LIMIT = 120 * _ROUNDS / 4
"""Seconds for what takes 5 for every four rounds."""


class Work:
    """Operations of people on projects that they share, and on one that each has alone; `appended` are those done."""

    def __init__(self, store: Store, dice: random.Random) -> None:
        self._store = store
        self._dice = dice
        self.appended: Counter[tuple[str, str]] = Counter()
        self.counted: Counter[str] = Counter()

    def operations(self, who: int, turn: int) -> list[Callable[[], Awaitable[object]]]:
        """One of each kind; which of the shared projects they are about is left to chance."""
        store, own = self._store, own_of(who)
        one, other = self._dice.sample(_SHARED, 2)
        text = f"{turn} of {who}"
        # Where two wait for each other, PostgreSQL takes a second to notice: so not in every round.
        to_both = [lambda: self._append(f"{text} to both", one, other)] if turn % 4 == 0 else []
        return [
            *to_both,
            lambda: self._append(text, own),
            lambda: self._append(text, one),
            lambda: self._count(own),
            lambda: self._count(other),
            lambda: store.conversations.last(one),
            lambda: store.conversations.search(other, f"of {who}"),
            lambda: store.projects.details(own),
        ]

    async def _append(self, text: str, *projects: str) -> None:
        """All of them or none. Two such units that take two projects in two orders wait for each other."""

        async def work(unit: UnitOfWork) -> None:
            for project in projects:
                await unit.conversations.append(project, NewMessage("user", text))

        await self._store.transact(work)
        self.appended.update((project, text) for project in projects)

    async def _count(self, project: str) -> None:
        """Read, think, write: where another comes between, an update would be lost."""

        async def work(unit: UnitOfWork) -> None:
            summary = await unit.projects.summary(project)
            await asyncio.sleep(0)
            await unit.projects.update(project, summary.version, progress=(summary.progress or 0) + 1)

        await self._store.transact(work)
        self.counted[project] += 1


def own_of(who: int) -> str:
    """The project of a person that nobody else has."""
    return f"own-{who}"


async def make_projects(store: Store) -> None:
    async with store.begin() as unit:
        for project in (*_SHARED, *map(own_of, range(PEOPLE))):
            await unit.projects.create(project.title(), "ada", project_id=project)


async def test_more_than_a_thousand_operations_at_once_end_and_lose_nothing(engine: str, tmp_path: Path) -> None:
    dice = random.Random(1000)
    async with fresh_store(tmp_path) as store:
        await make_projects(store)
        work = Work(store, dice)
        operations = [each for turn in range(_ROUNDS) for who in range(PEOPLE) for each in work.operations(who, turn)]
        dice.shuffle(operations)
        assert len(operations) >= 1000
        async with asyncio.timeout(_LIMIT):
            await asyncio.gather(*(operation() for operation in operations))
        stored: Counter[tuple[str, str]] = Counter()
        for project in (*_SHARED, *map(own_of, range(PEOPLE))):
            stored.update([(project, message.content) async for message in store.conversations.export(project)])
            summary = await store.projects.summary(project)
            assert (summary.progress or 0) == work.counted[project]
            assert summary.message_count == sum(count for (where, _), count in stored.items() if where == project)
        assert stored == work.appended
        assert len(stored) == 2 * PEOPLE * _ROUNDS + 2 * PEOPLE * _ROUNDS // 4
        assert sum(work.counted.values()) == 2 * PEOPLE * _ROUNDS
        assert (await store.health(deep=True)).problems == ()
        file = store.file
    if file is not None:
        assert_sound(file)


async def test_people_who_wait_for_each_other_in_a_ring_all_end(engine: str, tmp_path: Path) -> None:
    """Each holds one project and wants the next one's: PostgreSQL ends one of them, who begins again."""
    attempts: Counter[int] = Counter()
    all_hold_one = asyncio.Barrier(len(_SHARED))
    async with fresh_store(tmp_path) as store:
        await make_projects(store)

        async def append_to_two(who: int) -> None:
            async def work(unit: UnitOfWork) -> None:
                attempts[who] += 1
                await unit.conversations.append(_SHARED[who], NewMessage("user", f"{who}"))
                if engine == "postgres" and attempts[who] == 1:  # on SQLite one of them writes at a time
                    await all_hold_one.wait()
                await unit.conversations.append(_SHARED[(who + 1) % len(_SHARED)], NewMessage("user", f"{who}"))

            await store.transact(work)

        async with asyncio.timeout(60):
            await asyncio.gather(*map(append_to_two, range(len(_SHARED))))
        for who, project in enumerate(_SHARED):
            said = {message.content for message in await store.conversations.last(project)}
            assert said == {f"{who}", f"{(who - 1) % len(_SHARED)}"}
            assert await store.conversations.count(project) == 2
    assert attempts.total() > len(_SHARED) if engine == "postgres" else attempts.total() == len(_SHARED)


@contextmanager
def at_most_lent(engine: AsyncEngine) -> Iterator[Callable[[], int]]:
    """How many connections of an engine were in use at one moment at the most."""
    now = most = 0

    def lent(*_arguments: object) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)

    def given_back(*_arguments: object) -> None:
        nonlocal now
        now -= 1

    pool = engine.sync_engine.pool
    event.listen(pool, "checkout", lent)
    event.listen(pool, "checkin", given_back)
    yield lambda: most


@pytest.mark.parametrize("connections", [1, 3])
async def test_more_people_than_connections_wait_and_are_not_refused(
    engine: str, connections: int, tmp_path: Path
) -> None:
    async with fresh_store(tmp_path, pool_size=connections) as store:
        await make_projects(store)
        store.cache.enabled = False  # a hit needs no connection

        async def come_and_go(who: int) -> list[list[str]]:
            found: list[tuple[Message, ...]] = []
            for turn in range(3):
                async with store.begin() as unit:
                    await unit.conversations.append(own_of(who), NewMessage("user", f"{turn}"))
                    # Inside a unit of work one more connection is needed: with one pool nobody would ever get it.
                    await store.projects.for_user("ada", limit=5)
                found = await asyncio.gather(*(store.conversations.last(own_of(who)) for _ in range(3)))
            return [[message.content for message in messages] for messages in found]

        with at_most_lent(store._engines.reader) as reading, at_most_lent(store._engines.writer) as writing:
            async with asyncio.timeout(120):
                told = await asyncio.gather(*map(come_and_go, range(PEOPLE)))
        assert told == PEOPLE * [3 * [["0", "1", "2"]]]
        assert reading() == connections
        assert writing() == (connections if engine == "postgres" else 1)
        health = await store.health()
        assert (health.readers_in_use, health.writers_in_use) == (0, 0)
