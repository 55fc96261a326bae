"""The base of all agents: finding the action, checking the request, storing, telling.

    class NoteManager(Agent):
        name = "note_manager"

        @action
        async def delete_note(self, request: DeleteNote) -> NoteDeleted:
            async def work(unit: UnitOfWork, news: News) -> NoteDeleted:
                ...

            return await self._store_and_tell(work)

The names of an action are the `Literal` of its request's field `action`; v1's aliases stand there too.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar, cast, get_args, get_type_hints

from pydantic import ValidationError

from socrates.agents.contracts.base import Request, Response
from socrates.agents.failures import RefusedError, failure_of
from socrates.agents.services import Services
from socrates.errors import DatabaseError, SocratesError
from socrates.events import AgentName, EventType, Payload
from socrates.events.payloads import Logged
from socrates.store import UnitOfWork

_T = TypeVar("_T")
_Function = TypeVar("_Function", bound=Callable[..., Any])

LogLevel = Literal["debug", "info", "warning", "error"]
"""Exhaustive, so that no message gets the wrong severity (mends D38)."""

OnPiece = Callable[[str], Awaitable[None]]
"""Takes a text piece by piece, as it is written."""

_MARK = "__socrates_action__"

_SHOWN = 80
"""Characters of a name that somebody made up, in a message about it."""


async def unheard(_piece: str) -> None:
    """Takes no notice of a text before it is whole."""


def action_in(request: object) -> object:
    """What a request calls its action, which can be anything; None where it names none."""
    if isinstance(request, Request):
        return request.action
    return request.get("action") if isinstance(request, Mapping) else None


def _unnoticed(_result: object) -> None:
    """Nobody has to know that it is stored."""


def shown(name: object) -> str:
    """A name that somebody made up, as messages have it; what is no text can fail to become one."""
    return repr(name[:_SHOWN]) if isinstance(name, str) else f"of type {type(name).__name__}"


async def ended(task: "asyncio.Task[Any]") -> None:
    """Wait for a task, however often this one is cancelled meanwhile; the caller raises the first one."""
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])


@dataclass(slots=True)
class News:
    """What is told once a unit of work has been committed, and not at all otherwise."""

    events: list[tuple[EventType, Payload]] = field(default_factory=list)

    def tell(self, event: EventType, payload: Payload) -> None:
        """Tell of this after the commit."""
        self.events.append((event, payload))


@dataclass(frozen=True, slots=True)
class _Action:
    method: str
    model: type[Request]
    is_streamed: bool


def action(function: _Function) -> _Function:
    """A coroutine method that takes one request and returns its response. It raises SocratesError for a failure."""
    setattr(function, _MARK, "plain")
    return function


def streamed_action(function: _Function) -> _Function:
    """An asynchronous generator that yields a text in pieces and, at the end, the response."""
    setattr(function, _MARK, "streamed")
    return function


class Agent:
    """Part of the system that answers requests of its own kind. Nothing about a request is kept in it (mends D44)."""

    name: ClassVar[AgentName]
    _actions: ClassVar[Mapping[str, _Action]] = {}

    def __init__(self, services: Services) -> None:
        self._services = services
        self._store = services.store
        self._now = services.clock
        self._log = logging.getLogger(f"socrates.agents.{self.name}")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        found = dict(cls._actions)
        for method, function in vars(cls).items():
            if hasattr(function, _MARK):
                model = get_type_hints(function)["request"]
                for name in get_args(model.model_fields["action"].annotation):
                    found[name] = _Action(method, model, getattr(function, _MARK) == "streamed")
        cls._actions = found

    @classmethod
    def actions(cls) -> tuple[str, ...]:
        """What it can be asked, by name."""
        return tuple(cls._actions)

    @classmethod
    def request_of(cls, action: str) -> type[Request]:
        """The form of a request for this action: `model_json_schema()` is for those who write clients."""
        return cls._actions[action].model

    async def process(self, request: Request | Mapping[str, Any], on_piece: OnPiece = unheard) -> Response:
        """Answer a request: with a Failure for what is refused or fails, with an exception only for a defect.

        `on_piece` is awaited with each piece of a text that a model writes, where the action has one. A Failure may
        come after pieces: what was shown by then is incomplete.
        """
        try:
            found, checked = self._checked(request)
            if found.is_streamed:
                return await self._streamed(getattr(self, found.method)(checked), on_piece)
            return cast(Response, await getattr(self, found.method)(checked))
        except SocratesError as error:
            return await self._failed(error)

    def _checked(self, request: Request | Mapping[str, Any]) -> tuple[_Action, Request]:
        """The action, and the request in its form (mends D80)."""
        if not isinstance(request, Request | Mapping):
            raise RefusedError("INVALID_REQUEST", f"a request is a mapping of fields, not {type(request).__name__}")
        name = action_in(request)
        found = self._actions.get(name) if isinstance(name, str) else None
        if found is None:
            known = ", ".join(self._actions)
            raise RefusedError("UNKNOWN_ACTION", f"{self.name} has no action {shown(name)}; it has {known}", "action")
        if isinstance(request, found.model):
            return found, request
        given = request.model_dump() if isinstance(request, Request) else dict(request)
        try:
            return found, found.model.model_validate(given)
        except ValidationError as error:
            refusal = RefusedError.by_form(error)
        # Out of reach of pydantic's error, which knows what was given.
        raise refusal

    @staticmethod
    async def _streamed(pieces: AsyncGenerator[str | Response, None], on_piece: OnPiece) -> Response:
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, Response):
                    return piece
                await on_piece(piece)
        raise AssertionError("a streamed action ends with its response, or raises")

    async def _failed(self, error: SocratesError) -> Response:
        if isinstance(error, DatabaseError):
            await self.log("error", f"the database failed: {error}")
        return failure_of(error)

    async def _store_and_tell(
        self, work: Callable[[UnitOfWork, News], Awaitable[_T]], committed: Callable[[_T], None] = _unnoticed
    ) -> _T:
        """Run `work` as one unit of work, again where another got in the way, and tell its news once it is stored.

        `work` must not await a model: on SQLite everybody else who writes would wait for it. `committed` is called with
        what is stored, even where CancelledError is raised then.
        """

        async def attempt(unit: UnitOfWork) -> tuple[_T, News]:
            news = News()
            return await work(unit, news), news

        result, news = await self._stored(attempt, committed)
        committed(result)
        await self._tell(news)
        return result

    async def _stored(
        self, attempt: Callable[[UnitOfWork], Awaitable[tuple[_T, News]]], committed: Callable[[_T], None]
    ) -> tuple[_T, News]:
        """What the unit of work gives. Whoever is cancelled during its commit waits for it, and tells what it stored.

        Raises CancelledError all the same; before the commit nothing is stored then, and nothing told.
        """
        is_done = False

        async def noted(unit: UnitOfWork) -> tuple[_T, News]:
            nonlocal is_done
            is_done = False
            result = await attempt(unit)
            is_done = True
            return result

        storing = asyncio.create_task(self._store.transact(noted))
        try:
            return await asyncio.shield(storing)
        except asyncio.CancelledError as cancelled:
            if not is_done:
                storing.cancel()
            await ended(storing)
            if storing.cancelled():
                raise
            if storing.exception() is None:
                result, news = storing.result()
                committed(result)
                self._tell_at_once(news)
            raise cancelled from storing.exception()

    async def _tell(self, news: News) -> None:
        if not news.events:
            return
        # All but the last without a wait: whoever is cancelled in one has stored it, so all of it must be told.
        self._tell_at_once(News(news.events[:-1]))
        await self._emit(*news.events[-1])

    def _tell_at_once(self, news: News) -> None:
        for event in news.events:
            self._services.emitter.emit(*self._signed(*event))

    async def _emit(self, event: EventType, payload: Payload) -> None:
        """Tell of something that stores nothing."""
        await self._services.emitter.emit_async(*self._signed(event, payload))

    def _signed(self, event: EventType, payload: Payload) -> tuple[EventType, Payload]:
        """With the agent's routing name, as all its events have (mends D39)."""
        return event, payload if payload.agent else payload.model_copy(update={"agent": self.name})

    async def log(self, level: LogLevel, message: str) -> None:
        """Write to the agent's logger, and tell those who listen to LOG_DEBUG … LOG_ERROR."""
        self._log.log(logging.getLevelNamesMapping()[level.upper()], "%s", message)
        await self._emit(EventType(f"log.{level}"), Logged(message=message))
