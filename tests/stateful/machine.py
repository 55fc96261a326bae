"""The machine: a store and a model, to which the same happens."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Any, Literal
from unittest.mock import patch
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from socrates import sync
from socrates.config import Settings
from socrates.errors import ConflictError, NotFoundError, QuotaExceededError, SocratesError, ThrottledError
from socrates.repositories import base
from tests.concurrency.checks import DRIVERS
from tests.stateful.calls import Call, assert_same, made, made_on_model
from tests.stateful.databases import OnFile, OnServer
from tests.stateful.imported import import_into
from tests.stateful.model import Clock, Model, State
from tests.stateful.poison import Poisoned
from tests.stateful.reads import contents, everything, touched_by
from tests.stateful.units import MATURITY, PROJECTS, TEAM, Unit, units
from tests.stateful.values import World
from tests.stateful.writes import WRITES

Restart = Literal["closed", "left open", "killed", "backed up"]

STEPS_OPEN = 12
"""How many steps a store stays open at least: one that is reopened prepares all its statements anew."""

PATIENCE = 10.0
"""Seconds that a notification of a server may travel; it takes milliseconds."""

_FOUNDING = WRITES["projects.create"] | WRITES["projects.create"] | WRITES["users.create"]


class StoreMachine(RuleBasedStateMachine):
    """Does to the store and to the model what Hypothesis draws, and compares after every step.

    There is a rule for each part of the store, because Hypothesis leaves some rules out of every run: so in one run it
    is the notes that get all the attention, and in another notes and people.
    """

    def __init__(self, kind: Any, world: World, database: AbstractContextManager[OnFile | OnServer]) -> None:
        super().__init__()
        self._kind = kind
        self.world = world
        self._clock = Clock()
        self.model = Model(State(self._clock))
        self._patches = [patch.object(base, "datetime", self._clock), *_ids_that_are_the_same_in_every_run()]
        for each in self._patches:
            each.start()
        self._lent = ExitStack()
        self._database = self._lent.enter_context(database)
        self._runner = asyncio.Runner()
        self._opened: list[tuple[Any, str]] = []
        self._steps = 0
        self._failed = False

    @initialize(imported=st.sampled_from([False, True, True, True]), calls=st.lists(_FOUNDING, max_size=12))
    def found(self, imported: bool, calls: list[Call]) -> None:
        self._run(self._open("onehop"))
        if imported:
            self._run(import_into(self._database.url, self.model, self.world))
            # A server does not tell of what other programs write by themselves.
            self._store.cache.clear()
        for call in calls:
            self._run(self._unit(Unit([call], [], timedelta(0), catches=True, ending="commit")))

    @rule(unit=units(""))
    def anything(self, unit: Unit) -> None:
        self._run(self._unit(unit))

    @rule(unit=units("users."))
    def people(self, unit: Unit) -> None:
        self._run(self._unit(unit))

    @rule(unit=units(*PROJECTS))
    def projects(self, unit: Unit) -> None:
        self._run(self._unit(unit))

    @rule(unit=units(*TEAM))
    def team(self, unit: Unit) -> None:
        self._run(self._unit(unit))

    @rule(unit=units(*MATURITY))
    def maturity(self, unit: Unit) -> None:
        self._run(self._unit(unit))

    @rule(unit=units("conversations."))
    def conversations(self, unit: Unit) -> None:
        self._run(self._unit(unit))

    @rule(unit=units("notes."))
    def notes(self, unit: Unit) -> None:
        self._run(self._unit(unit))

    @rule(unit=units("knowledge."))
    def knowledge(self, unit: Unit) -> None:
        self._run(self._unit(unit))

    @rule(unit=units("learning."))
    def learning(self, unit: Unit) -> None:
        self._run(self._unit(unit))

    @rule(unit=units("llm."))
    def models(self, unit: Unit) -> None:
        self._run(self._unit(unit))

    @rule(unit=units("login_failures.count", "users.export"))
    def guesses(self, unit: Unit) -> None:
        self._run(self._unit(unit))

    @rule(unit=units("login_failures.", "users.export"))
    def log_ins(self, unit: Unit) -> None:
        self._run(self._unit(unit))

    @rule(how=st.sampled_from(["closed", "left open", "killed", "backed up"]), driver=st.sampled_from(DRIVERS))
    def restart(self, how: Restart, driver: str) -> None:
        if self._steps >= STEPS_OPEN:
            self._run(self._restart(how, driver))

    def teardown(self) -> None:
        try:
            self._run(self._end())
        finally:
            self._runner.close()
            for each in self._patches:
                each.stop()
            self._lent.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._steps += 1
        try:
            self._runner.run(work)
        except BaseException:
            self._failed = True
            raise

    async def _unit(self, unit: Unit) -> None:
        """Where the unit fails or is killed, the model stays as it was."""
        self._clock.move(unit.later)
        touched = [*touched_by(unit.calls, self.world, self.model.state)]
        failures: list[SocratesError] = []
        url = self._database.url
        try:
            async with _begun(self._store) as begun:
                after = await self._filled(unit, begun, failures)
        except _EndedError:
            pass
        except asyncio.CancelledError:
            _this_task().uncancel()
        except SocratesError as error:
            _assert_rightly_refused(error, unit.calls, failures)
        else:
            assert not any(_is_of_the_database(each) for each in failures), f"committed after {failures}"
            self.model = after
        if self._database.url != url:
            await self._open("onehop")
        await self._compare(touched)

    async def _filled(self, unit: Unit, begun: Any, failures: list[SocratesError]) -> Model:
        """The calls of a unit, up to its end. Returns the model as it is afterwards, if the unit can be committed."""
        after = self.model
        for call in unit.calls:
            error, after = await self._step(call, begun, after)
            if error is not None:
                failures.append(error)
                if not unit.catches:
                    raise error
                if not _goes_on_after(error):
                    break
        await self._compare(unit.meanwhile)
        if unit.ending == "kill" and self._steps >= STEPS_OPEN:
            self._database.leave_as_on_disk()
        if unit.ending == "cancel":
            _this_task().cancel()
            await asyncio.sleep(0)
        if unit.ending != "commit":
            raise _EndedError
        return after

    async def _step(self, call: Call, on: Any, model: Model) -> tuple[SocratesError | None, Model]:
        """One call on both. Returns the error, and the model as it is then."""
        known, after = call.known_to(model), model.copy()
        actual = await made(known, on)
        if isinstance(call, Poisoned) and actual.error is not None:
            return actual.error, model
        expected = made_on_model(known, after, _made_up(actual.result))
        assert_same(known, expected, actual)
        return actual.error, model if expected.error else after

    async def _compare(self, calls: Iterable[Call], through: Any = None) -> None:
        """What the store's faces read is what the model has."""
        for call in calls:
            known = call.known_to(self.model)
            assert_same(known, made_on_model(known, self.model), await made(known, through or self._store))

    async def _compare_everything(self, opened: Any) -> None:
        """The same of all there is, and on a server once a store that was left open has heard of the last commits."""
        until = time.monotonic()
        if isinstance(self._database, OnServer) and opened is not self._store:
            until += PATIENCE
        while True:
            try:
                return await self._compare(everything(self.world, self.model.state), opened)
            except AssertionError:
                if time.monotonic() >= until:
                    raise
            await asyncio.sleep(0.01)

    async def _restart(self, how: Restart, driver: str) -> None:
        if how == "closed":
            await _close(self._opened.pop()[0])
        elif how == "killed":
            self._database.leave_as_on_disk()
        elif how == "backed up":
            self._database.back_up()
        await self._open(driver)

    async def _end(self) -> None:
        """Compare everything, also through stores that were left open on the same database; close them all."""
        try:
            if not self._failed:
                for opened, url in self._opened:
                    if url == self._database.url:
                        await self._compare_everything(opened)
        finally:
            for opened, _url in self._opened:
                await _close(opened)
        if not self._failed:
            self._database.assert_sound()

    @property
    def _store(self) -> Any:
        return self._opened[-1][0]

    async def _open(self, driver: str) -> None:
        url = self._database.url
        opened = self._kind.open(url, Settings(sqlite_driver=driver))  # type: ignore[arg-type]
        self._opened.append((opened if isinstance(opened, sync.Store) else await opened, url))
        self._steps = 0
        await self._compare(contents(self.world))


def _made_up(result: Any) -> str | None:
    """The id, or the pseudonym, of what a call returned."""
    return getattr(result, "id", None) or getattr(result, "pseudonym", None)


def _ids_that_are_the_same_in_every_run() -> list[Any]:
    random = Random(0)
    modules = [module for name, module in sys.modules.items() if name.startswith("socrates.repositories.")]
    return [
        patch.object(module, "uuid4", lambda: UUID(int=random.getrandbits(128), version=4))
        for module in modules
        if hasattr(module, "uuid4")
    ]


class _EndedError(Exception):
    """What the caller of a unit raises in it."""


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


@asynccontextmanager
async def _begun(opened: Any) -> AsyncIterator[Any]:
    if isinstance(opened, sync.Store):
        with opened.begin() as unit:
            yield unit
    else:
        async with opened.begin() as unit:
            yield unit


async def _close(opened: Any) -> None:
    closed = opened.close()
    if closed is not None:
        await closed


def _assert_rightly_refused(error: SocratesError, calls: list[Call], failures: list[SocratesError]) -> None:
    """A unit raises what a call in it raised, or that one had failed, or what a write that went along could not do."""
    if failures and error is not failures[-1]:
        assert "a call failed" in str(error), error
        assert not _goes_on_after(failures[-1]), f"refused after {failures}"
    assert failures or any(isinstance(call, Poisoned) for call in calls), f"nothing failed, and it raised {error!r}"


def _is_of_the_database(error: SocratesError) -> bool:
    """Whether the database refused something, which is the cause then: the unit cannot be committed."""
    return error.__cause__ is not None


def _goes_on_after(error: SocratesError) -> bool:
    """Whether nothing was done when this was raised, so that a unit in which it was caught can be committed."""
    nothing_done = NotFoundError | ConflictError | QuotaExceededError | ThrottledError
    return isinstance(error, nothing_done) and not _is_of_the_database(error)
