"""The machine: two stores and a second process on one file, whose caches must never be behind the database.

Tasks go on one await at a time and in an order that Hypothesis draws. Between two steps nothing moves, and a connection
that only looks tells whether a commit has happened: so it is known of every moment what is committed, and a read must
have returned what was there at one of the moments between its beginning and its end.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Coroutine
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from socrates.caching import bypassed
from socrates.config import CacheConfig, Settings
from socrates.repositories import base
from socrates.store import Store
from tests.caching.reads import CACHED_READ, WRITE, after, assert_one_of, changed_by, failed, founding, kept, made_in
from tests.caching.second_process import SecondProcess
from tests.caching.stepping import Stepped, Threads
from tests.stateful.calls import Call, Outcome, assert_same, made, made_on_model
from tests.stateful.model import Clock, Model, State
from tests.stateful.values import World
from tests.support.stores import fresh_file

LIFETIME = 100
"""Seconds on the machine's own clock."""

_STORE = st.integers(0, 1)
_TASK = st.integers(0, 7)
_READS = st.lists(CACHED_READ, min_size=1, max_size=3)
_WRITES = st.lists(WRITE, min_size=1, max_size=3)
_ENTRIES = st.sampled_from([3, 40])


class SmallCache(CacheConfig):
    """So small that results leave for want of bytes, and some are too large."""

    @property
    def read_cache_bytes(self) -> int:
        return 40_000


class EndedError(Exception):
    """What the caller of a unit raises in it."""


@dataclass
class _Unit:
    """A unit of work on its way. Its `outcome` is what will be committed, from just before that until it has been."""

    outcome: Model | None = None
    over: bool = False
    """Whether it has committed, or cannot any more."""


class CacheMachine(RuleBasedStateMachine):
    """Does what Hypothesis draws, and compares every read."""

    steps_done = 0
    """Of all machines."""
    seen: ClassVar[Counter[tuple[str, str]]] = Counter()
    """What the caches counted, by read, of all machines."""

    def __init__(self, world: World, other: SecondProcess, driver: str) -> None:
        super().__init__()
        self.world = world
        self.other = other
        self._driver = driver
        self._clock = Clock()
        self._seconds = 0.0
        self.history = [Model(State(self._clock))]
        self._tasks: list[Stepped] = []
        self._units: list[_Unit] = []
        self._stack = ExitStack()
        self._threads = self._stack.enter_context(Threads().watched())
        self._stack.enter_context(patch.object(base, "datetime", self._clock))
        self._runner = asyncio.Runner()
        self._stores: list[Store] = []

    @property
    def model(self) -> Model:
        """What is committed."""
        return self.history[-1]

    @initialize(entries=_ENTRIES, small=st.booleans())
    def open(self, entries: int, small: bool) -> None:
        path = fresh_file(Path(self._stack.enter_context(TemporaryDirectory())))
        config = (SmallCache if small else CacheConfig)(read_cache_size=entries, cache_ttl_seconds=LIFETIME)
        settings = Settings(sqlite_driver=self._driver, cache_config=config)  # type: ignore[arg-type]
        for _ in range(2):
            store = self._runner.run(self._opened(path, settings))
            store.cache._entries._timer = lambda: self._seconds
            self._stores.append(store)
        self._observer = sqlite3.connect(path, isolation_level=None, timeout=0)
        self._observed = self._version()
        self.other.open(path, entries)
        self._write_elsewhere(founding(self.world))

    @rule(store=_STORE, calls=_READS, bypass=st.sampled_from([False] * 5 + [True]), steps=st.integers(1, 8))
    def read(self, store: int, calls: list[Call], bypass: bool, steps: int) -> None:
        self._start(self._reading(self._stores[store], calls, bypass), steps)

    @rule(stores=st.lists(_STORE, min_size=2, max_size=3), call=CACHED_READ, steps=st.integers(1, 3))
    def read_the_same(self, stores: list[int], call: Call, steps: int) -> None:
        for store in stores:
            self._start(self._reading(self._stores[store], [call], bypass=False), steps)

    @rule(
        store=_STORE,
        writer=st.sampled_from([0, 0, 1, None]),
        calls=_WRITES,
        place=_TASK,
        steps=st.tuples(st.sampled_from([1, 1, 2, 4]), st.integers(3, 12), st.integers(1, 4)),
    )
    def race(self, store: int, writer: int | None, calls: list[Call], place: int, steps: tuple[int, int, int]) -> None:
        """Read what a unit changes, before it and after it. It is the second process's where there is no writer."""
        self._make_way()
        reads = changed_by(calls, self.model, self.world)
        reads = reads[place:] + reads[:place]
        for read in reads[:4]:
            self._start(self._reading(self._stores[store], [read], bypass=False), steps[0])
        if place % 2:
            self.read_elsewhere(reads[:4])
        if writer is None:
            self._write_elsewhere(calls)
        else:
            self._clock.move(timedelta(hours=1))
            self._start(self._writing(self._stores[writer], calls, rolls_back=False), steps[1])
        for read in reads[:2]:
            self._start(self._reading(self._stores[store], [read], bypass=False), steps[2])
        if place % 3 == 0:  # not always, because it has every store look for the others' commits
            self._compare_kept()

    @rule(store=_STORE, calls=_WRITES, rolls_back=st.sampled_from([False] * 5 + [True]), steps=st.integers(1, 12))
    def write(self, store: int, calls: list[Call], rolls_back: bool, steps: int) -> None:
        self._make_way()
        self._clock.move(timedelta(hours=1))
        self._start(self._writing(self._stores[store], calls, rolls_back), steps)

    @rule(which=_TASK, steps=st.integers(1, 6))
    def go_on(self, which: int, steps: int) -> None:
        self._step(self._chosen(which), steps)

    @rule(which=_TASK, steps=st.integers(1, 6))
    def go_on_again(self, which: int, steps: int) -> None:
        self._step(self._chosen(which), steps)

    @rule()
    def end_all(self) -> None:
        self._run(self._to_the_end())

    @rule(which=_TASK)
    def cancel(self, which: int) -> None:
        # The stock driver does not wait for the thread of a statement that is cancelled.
        chosen = self._chosen(which)
        if chosen is not None and self._driver == "onehop":
            self._run(chosen.cancel())

    @rule(calls=_WRITES)
    def write_elsewhere(self, calls: list[Call]) -> None:
        if self._is_unlocked():
            self._write_elsewhere(calls)

    @rule(calls=_READS)
    def read_elsewhere(self, calls: list[Call]) -> None:
        known = [call.known_to(self.model) for call in calls]
        for call, outcome in zip(known, self.other.read(known), strict=True):
            assert_same(call, made_on_model(call, self.model), outcome)
        self._count()

    @rule()
    def compare_what_is_kept(self) -> None:
        self._compare_kept()
        self._count()

    @rule()
    def switch_on(self) -> None:
        for store in self._stores:
            if not store.cache.enabled:
                store.cache.enabled = True

    @rule(store=_STORE, what=st.sampled_from(["expire", "clear", "switch off"]))
    def drop(self, store: int, what: str) -> None:
        cache = self._stores[store].cache
        if what == "expire":
            self._seconds += LIFETIME
        elif what == "clear":
            cache.clear()
        else:
            cache.enabled = False
        self._count()

    def teardown(self) -> None:
        try:
            if self._stores:
                self._run(self._to_the_end())
                self._compare_kept()
                for store in self._stores:
                    for name, statistics in store.cache.stats().items():
                        for what in statistics.__slots__:
                            CacheMachine.seen[name, what] += getattr(statistics, what)
        finally:
            for store in self._stores:
                self._runner.run(store.close())
            self._runner.close()
            if self._stores:
                self._observer.close()
            self._stack.close()

    async def _opened(self, path: Path, settings: Settings) -> Store:
        return await Store.open(path, settings)

    async def _reading(self, store: Store, calls: list[Call], bypass: bool) -> None:
        for call in calls:
            began = len(self.history) - 1
            known = call.known_to(self.model)
            with bypassed() if bypass else nullcontext():
                outcome = await made(known, store)
            assert_one_of(known, outcome, self.history[began:])

    async def _writing(self, store: Store, calls: list[Call], rolls_back: bool) -> None:
        unit = _Unit()
        self._units.append(unit)
        try:
            async with store.begin() as begun:
                await begun.users.exists("")  # from now on it has the lock, and nobody else commits
                known = [call.known_to(self.model) for call in calls]
                outcomes = await made_in(begun, known)
                changed = after(self.model, known, outcomes)
                if rolls_back or failed(outcomes):
                    raise EndedError
                unit.outcome = changed
        except EndedError:
            pass
        finally:
            unit.over, unit.outcome = True, None

    def _write_elsewhere(self, calls: list[Call]) -> None:
        self._clock.move(timedelta(hours=1))
        known = [call.known_to(self.model) for call in calls]
        outcomes, committed = self.other.write(known, self._clock.time)
        changed = after(self.model, known, outcomes)
        if committed:
            self.history.append(changed)
        self._observed = self._version()
        self._count()

    def _compare_kept(self) -> None:
        caches = [kept(store.cache) for store in self._stores]
        for call, value in [*caches[0], *caches[1], *self.other.kept()]:
            assert_same(call, made_on_model(call, self.model), Outcome(value))

    def _start(self, work: Coroutine[Any, Any, None], steps: int) -> None:
        async def start() -> Stepped:
            return Stepped(work, self._threads)

        task = self._runner.run(start())
        self._tasks.append(task)
        self._step(task, steps)

    def _chosen(self, which: int) -> Stepped | None:
        able = [task for task in self._tasks if task.can_go_on]
        return able[which % len(able)] if able else None

    def _step(self, task: Stepped | None, steps: int) -> None:
        async def step() -> None:
            for _ in range(steps):
                if task is None or not task.can_go_on:
                    return
                await task.go_on()
                self._observe()

        self._run(step())

    async def _to_the_end(self) -> None:
        while any(not task.done for task in self._tasks):
            able = [task for task in self._tasks if task.can_go_on]
            assert able, "everybody waits for somebody else"
            for task in able:
                if task.can_go_on:
                    await task.go_on()
                    self._observe()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._runner.run(work)
        self._observe()
        done = [task for task in self._tasks if task.done]
        self._tasks = [task for task in self._tasks if not task.done]
        for task in done:
            if not task.task.cancelled():
                task.task.result()
        self._count()

    def _observe(self) -> None:
        """Note a commit that has happened in this step."""
        version = self._version()
        if version != self._observed:
            self._observed = version
            (committing,) = (unit for unit in self._units if unit.outcome is not None)
            assert committing.outcome is not None
            self.history.append(committing.outcome)
            committing.over, committing.outcome = True, None

    def _version(self) -> int:
        ((version,),) = self._observer.execute("PRAGMA data_version")
        return int(version)

    def _make_way(self) -> None:
        """End what is under way if a unit of ours would have to wait for a lock, which takes as long as it likes."""
        if not (all(unit.over for unit in self._units) and self._is_unlocked()):
            self._runner.run(self._to_the_end())

    def _is_unlocked(self) -> bool:
        try:
            self._observer.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        self._observer.execute("ROLLBACK")
        return True

    def _count(self) -> None:
        CacheMachine.steps_done += 1
