"""An agent that does what a test needs, in a system with all that is around real ones."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Literal

import pytest

from socrates.agents.base import Agent, News, action, streamed_action
from socrates.agents.contracts.base import Key, OfProject, Request, Success, asker
from socrates.agents.services import Services
from socrates.events import EventType
from socrates.events.payloads import OfNote
from socrates.llm.caller import Caller
from socrates.store import UnitOfWork
from tests.support.systems import Lab

NAME = "learning"
"""A probe takes the place of this agent."""


def _nested(depth: int) -> list[object]:
    outer: list[object] = []
    for _ in range(depth):
        outer = [outer]
    return outer


UNPRINTABLE = (pytest.param(10**5000, id="huge"), pytest.param(_nested(5000), id="deep"))
"""What is no name, and cannot become a text either."""


class Answered(Success):
    text: str = ""


class Say(OfProject):
    """`asker` is v1's name for who asks."""

    action: Literal["say", "say_it"] = "say"
    current_user: Key = asker("asker")
    text: str = "x"


class Ask(Request):
    action: Literal["ask"] = "ask"


class Wait(Request):
    action: Literal["wait"] = "wait"


class Fail(Request):
    action: Literal["fail"] = "fail"


class Stream(Request):
    action: Literal["stream"] = "stream"


class Tell(Request):
    action: Literal["tell"] = "tell"


Work = Callable[[UnitOfWork], Awaitable[None]]


class Probe(Agent):
    """`before` is done before a unit of work, `inside` in it; `gate` holds up those who `wait`."""

    name = NAME

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.before: Callable[[], Awaitable[None]] | None = None
        self.inside: Work | None = None
        self.error: Exception = ZeroDivisionError("what nobody is to see")
        self.gate = asyncio.Event()
        self.waiting = 0
        self.most_at_once = 0

    @action
    async def say(self, request: Say) -> Answered:
        """Store a note with this text, and tell of it."""
        if self.before is not None:
            await self.before()

        async def work(unit: UnitOfWork, news: News) -> Answered:
            note = await unit.notes.create(request.project_id, request.text, "", created_by=request.current_user)
            payload = OfNote(project_id=request.project_id, user_id=request.current_user, note_id=note.id)
            news.tell(EventType.NOTE_ADDED, payload)
            news.tell(EventType.NOTE_UPDATED, payload)
            if self.inside is not None:
                await self.inside(unit)
            return Answered(text=request.text)

        return await self._store_and_tell(work)

    @action
    async def ask(self, request: Ask) -> Answered:
        """Ask a model."""
        caller = Caller(request.current_user)
        return Answered(text=(await self._services.llm.generate_response_async("Hello", caller=caller)).value)

    @action
    async def wait(self, request: Wait) -> Answered:
        """Wait for the gate."""
        self.waiting += 1
        self.most_at_once = max(self.most_at_once, self.waiting)
        try:
            await self.gate.wait()
            await asyncio.sleep(0.001)
        finally:
            self.waiting -= 1
        return Answered()

    @action
    async def fail(self, request: Fail) -> Answered:
        raise self.error

    @streamed_action
    async def stream(self, request: Stream) -> AsyncGenerator[str | Answered, None]:
        """Two pieces; the gate is between them."""
        yield "one "
        await self.gate.wait()
        yield "two"
        yield Answered(text="one two")

    @action
    async def tell(self, request: Tell) -> Answered:
        """One line of each level, each with a pause."""
        await self.log("debug", request.current_user)
        await asyncio.sleep(0)
        await self.log("info", request.current_user)
        await asyncio.sleep(0)
        await self.log("warning", request.current_user)
        await self.log("error", request.current_user)
        return Answered()


def with_probe(lab: Lab) -> Probe:
    """Put a probe into a system."""
    probe = Probe(lab.system.services)
    lab.system.agents = {**lab.system.agents, NAME: probe}
    return probe
