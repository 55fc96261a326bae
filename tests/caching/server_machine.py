"""The machine for a server: two stores, each of which is exact on its own writes and soon hears of the other's."""

import asyncio
import time
from contextlib import ExitStack
from datetime import timedelta
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from socrates.config import CacheConfig, Settings
from socrates.repositories import base
from socrates.store import Store
from tests.caching.reads import CACHED_READ, WRITE, after, assert_one_of, changed_by, failed, founding, kept, made_in
from tests.stateful.calls import Call, Outcome, assert_same, made, made_on_model
from tests.stateful.model import Clock, Model, State
from tests.stateful.values import World
from tests.support.postgres import EmptyDatabases

PATIENCE = 10.0
"""Seconds that a notification may travel; it takes milliseconds."""

_STORE = st.integers(0, 1)


class ServerMachine(RuleBasedStateMachine):
    """Does what Hypothesis draws, and compares every read."""

    def __init__(self, world: World, databases: EmptyDatabases) -> None:
        super().__init__()
        self.world = world.for_postgres()
        self._clock = Clock()
        self.model = Model(State(self._clock))
        self._stack = ExitStack()
        self._url = self._stack.enter_context(databases.lent())
        self._stack.enter_context(patch.object(base, "datetime", self._clock))
        self._runner = asyncio.Runner()
        self._stores: list[Store] = []

    @initialize(entries=st.sampled_from([3, 40]))
    def open(self, entries: int) -> None:
        settings = Settings(cache_config=CacheConfig(read_cache_size=entries))
        self._runner.run(self._open(settings))
        self._runner.run(self._race(0, founding(self.world), rolls_back=False))

    @rule(store=_STORE, calls=st.lists(CACHED_READ, min_size=1, max_size=4))
    def read(self, store: int, calls: list[Call]) -> None:
        self._runner.run(self._compare(self._stores[store], calls))

    @rule(
        store=_STORE,
        calls=st.lists(WRITE, min_size=1, max_size=3),
        rolls_back=st.sampled_from([False] * 5 + [True]),
    )
    def race(self, store: int, calls: list[Call], rolls_back: bool) -> None:
        self._runner.run(self._race(store, calls, rolls_back))

    def teardown(self) -> None:
        try:
            for store in self._stores:
                self._runner.run(store.close())
            self._runner.close()
        finally:
            self._stack.close()

    async def _open(self, settings: Settings) -> None:
        for _ in range(2):
            self._stores.append(await Store.open(self._url, settings))

    async def _compare(self, store: Store, calls: list[Call]) -> None:
        for call in calls:
            known = call.known_to(self.model)
            assert_same(known, made_on_model(known, self.model), await made(known, store))

    async def _race(self, writer: int, calls: list[Call], rolls_back: bool) -> None:
        """Read what a unit changes: before it in both stores, while it is on its way, and after it."""
        self._clock.move(timedelta(hours=1))
        own, other = self._stores[writer], self._stores[1 - writer]
        reads = changed_by(calls, self.model, self.world)[:6]
        await self._compare(own, reads)
        await self._compare(other, reads)
        before = self.model
        reading = asyncio.gather(*(made(read, own) for read in reads))
        self.model = await self._written(own, calls, rolls_back)
        for read, outcome in zip(reads, await reading, strict=True):
            assert_one_of(read, outcome, [before, self.model])
        await self._compare(own, reads)
        self._compare_kept(own)
        await self._heard(other)
        await self._compare(other, reads)

    async def _written(self, store: Store, calls: list[Call], rolls_back: bool) -> Model:
        known = [call.known_to(self.model) for call in calls]
        try:
            async with store.begin() as unit:
                outcomes = await made_in(unit, known)
                changed = after(self.model, known, outcomes)
                if rolls_back or failed(outcomes):
                    raise _EndedError
        except _EndedError:
            return self.model
        return changed

    async def _heard(self, store: Store) -> None:
        """Wait until all that a store keeps is right again."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return self._compare_kept(store)
            except AssertionError:
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(0.002)

    def _compare_kept(self, store: Store) -> None:
        for call, value in kept(store.cache):
            assert_same(call, made_on_model(call, self.model), Outcome(value))


class _EndedError(Exception):
    """What the caller of a unit raises in it."""
