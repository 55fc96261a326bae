"""The known race of every cache, in every order: a load, a commit that makes it wrong, and a reader who comes later."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from socrates.caching import Cache, bypassed
from socrates.caching.loads import Load
from socrates.config import Settings
from socrates.drafts import NewMessage
from socrates.store import Store
from tests.caching.stepping import Stepped, Threads
from tests.concurrency.checks import LONG
from tests.support.stores import fresh_file

SEEDS = 30_000 if LONG else 150
"""Orders of parts that have too many to try them all."""


@dataclass
class Race:
    """Readers that count a project's messages, and writers that add one, on one file."""

    path: Path
    stores: list[Store]
    threads: Threads
    committed: int = 0
    """Messages of the units that are known to be committed."""
    begun: int = 0
    """Those and the messages of units that may be."""
    seen: int = 0
    """The most that a reader has been given."""

    async def read(self, store: int = 0) -> None:
        """Not less than was committed, or seen by somebody, when it began; and not more than was begun at its end."""
        least = max(self.committed, self.seen)
        found = await self.stores[store].conversations.count("library")
        assert least <= found <= self.begun, f"{found} messages, of {least} to {self.begun}"
        self.seen = max(self.seen, found)

    async def write(self, store: int = 0) -> None:
        async with self.stores[store].begin() as unit:
            await unit.conversations.append("library", NewMessage("user", "one more"))
            self.begun += 1
        self.committed += 1

    async def read_elsewhere(self) -> None:
        await self.read(1)

    async def write_elsewhere(self) -> None:
        """What another process does, at one moment; nothing where it would have to wait for the lock."""
        with closing(sqlite3.connect(self.path, timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("UPDATE projects SET message_count = message_count + 1")
            except sqlite3.OperationalError:
                return
        self.begun += 1
        self.committed += 1

    async def settled(self) -> None:
        """What is kept is what is there."""
        with bypassed():
            self.committed = self.begun = await self.stores[0].conversations.count("library")
        assert self.seen <= self.committed
        self.seen = 0
        for store in range(len(self.stores)):
            await self.read(store)
            await self.read(store)


Part = Callable[[], Coroutine[Any, Any, None]]
Choose = Callable[[list[int]], int]
"""Which of these goes on."""


async def in_one_order(race: Race, parts: list[Part], choose: Choose, cancel: Iterable[int] = ()) -> None:
    """Run the parts, an await of a chosen one at a time, from an empty cache.

    At the steps `cancel`, counted over all, the chosen one is cancelled instead.
    """
    for store in race.stores:
        store.cache.clear()
    tasks = [Stepped(part(), race.threads) for part in parts]
    await race.threads.settle()
    for step in count():
        able = [number for number, task in enumerate(tasks) if task.can_go_on]
        held = len(race.threads.held)
        if not able and not held:
            break
        place = choose([*able, *range(len(tasks), len(tasks) + held)])
        if place >= len(tasks):
            await race.threads.release(place - len(tasks))
            continue
        chosen = tasks[place]
        await (chosen.cancel() if step in cancel else chosen.go_on())
    race.threads.holding = False
    for task in tasks:
        assert task.done, "it waits for nobody"
        if not task.task.cancelled():
            task.task.result()
    await race.settled()


class EveryOrder:
    """Chooses in every order there is, the last choice changing first. To be asked again as long as there is `more`."""

    def __init__(self) -> None:
        self._path: list[tuple[int, int]] = []
        self._depth = 0
        self.more = True

    def choose(self, able: list[int]) -> int:
        if self._depth == len(self._path):
            self._path.append((0, len(able)))
        place, of = self._path[self._depth]
        assert of == len(able), "the same choices led somewhere else"
        self._depth += 1
        return able[place]

    def next(self) -> None:
        """Go on to the next order."""
        while self._path and self._path[-1][0] + 1 == self._path[-1][1]:
            self._path.pop()
        if self._path:
            place, of = self._path[-1]
            self._path[-1] = place + 1, of
        self._depth, self.more = 0, bool(self._path)


@asynccontextmanager
async def race_on(directory: Path, stores: int) -> AsyncIterator[Race]:
    """A race with so many stores on one file, all of whose connections are open."""
    path, threads = fresh_file(directory), Threads()
    with threads.watched():
        opened = [await Store.open(path, Settings(pool_size=2)) for _ in range(stores)]
        try:
            async with opened[0].begin() as unit:
                await unit.projects.create("Library", "ada", project_id="library")
            race = Race(path, opened, threads)
            for number, store in enumerate(opened):
                await race.write(number)
                with bypassed():
                    await asyncio.gather(*(store.conversations.count("library") for _ in range(2)))
            yield race
        finally:
            for store in opened:
                await store.close()


async def every_order(race: Race, parts: list[Part]) -> int:
    """Run the parts in every order, and tell how many there were."""
    orders = EveryOrder()
    for number in count(1):
        await in_one_order(race, parts, orders.choose)
        orders.next()
        if not orders.more:
            return number
    raise AssertionError


async def test_no_order_of_a_load_a_commit_and_a_later_read_is_stale(tmp_path: Path) -> None:
    async with race_on(tmp_path, 1) as race:
        orders = await every_order(race, [race.read, race.write, race.read])
        assert orders > 100
        did = race.stores[0].cache.total()
        assert did.overtaken
        assert did.hits > orders  # one is that at the end
        assert did.loads < did.misses


async def test_nor_is_one_with_readers_of_another_store(tmp_path: Path) -> None:
    async with race_on(tmp_path, 2) as race:
        assert await every_order(race, [race.read_elsewhere, race.write, race.read_elsewhere]) > 100


async def test_nor_is_one_in_which_another_process_commits_too(tmp_path: Path) -> None:
    async with race_on(tmp_path, 1) as race:
        assert await every_order(race, [race.read, race.write, race.write_elsewhere]) > 50
        assert await every_order(race, [race.read, race.write_elsewhere, race.read]) > 10


async def test_nor_is_any_order_of_many_of_whom_some_are_cancelled(tmp_path: Path) -> None:
    async with race_on(tmp_path, 2) as race:
        parts = [race.read, race.read, race.read_elsewhere, race.write, race.write, race.write_elsewhere]
        for seed in range(SEEDS):
            draw = Random(seed)
            chosen = draw.sample(parts, draw.randint(3, len(parts)))
            cancel = draw.sample(range(12), draw.choice([0, 0, 1, 2]))
            await in_one_order(race, chosen, draw.choice, cancel)


async def test_nor_is_one_while_a_commit_takes_its_time(tmp_path: Path) -> None:
    async with race_on(tmp_path, 1) as race:
        for seed in range(SEEDS):
            race.threads.holding = True
            await in_one_order(race, [race.read, race.write, race.read], Random(seed).choice)


async def test_a_load_that_is_kept_though_it_was_overtaken_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cache, "_was_overtaken", lambda *_: False)
    async with race_on(tmp_path, 1) as race:
        with pytest.raises(AssertionError, match="messages, of"):
            await every_order(race, [race.read, race.write, race.read])


async def test_a_load_that_is_shared_though_it_was_overtaken_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Load, "may_be_shared", lambda *_: True)
    async with race_on(tmp_path, 1) as race:
        with pytest.raises(AssertionError, match="messages, of"):
            await every_order(race, [race.read, race.write, race.read])
