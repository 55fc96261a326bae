"""The Socratic system: built from settings, asked by requests to its agents.

emitter = Emitter()
emitter.on(EventType.PHASE_ADVANCED, celebrate)  # listens from the very first event on
async with Orchestrator.open(emitter=emitter) as system:
    response = await system.process_request(
        "project_manager", {"action": "create_project", "current_user": "ada", "project_name": "Reading Room"}
    )
    if response.status == "success":
        print(response.project.name)
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from pydantic import SecretStr

from socrates import __version__
from socrates.agents.base import Agent, OnPiece, action_in, shown, unheard
from socrates.agents.catalogue import AGENTS
from socrates.agents.contracts.base import Failure, Request, Response
from socrates.agents.services import Services, utc_now
from socrates.config import Settings
from socrates.database.flight import Flight
from socrates.errors import InvalidValueError
from socrates.events import AgentName, Emitter, EventType, correlated
from socrates.events import correlation_id as current_id
from socrates.events.payloads import AgentCompleted, AgentFailed, AgentStarted, KnowledgeLoaded, SystemInitialized
from socrates.llm.client import LLMClient
from socrates.llm.provider import Provider
from socrates.store import Store

if TYPE_CHECKING:
    from socrates.knowledge.embedder import Embedder
    from socrates.knowledge.knowledge_base import KnowledgeBase

_log = logging.getLogger(__name__)


class Orchestrator:
    """A system that is open. Safe to share between the tasks of one event loop."""

    def __init__(self, services: Services, resources: AsyncExitStack) -> None:
        """Use `Orchestrator.open`."""
        self.services = services
        """What the agents work with: the store, the client of models, what is known, the emitter."""
        self.agents: Mapping[str, Agent] = {kind.name: kind(services) for kind in AGENTS}
        """By the names under which they are asked."""
        self._settings = services.store.settings
        self._resources = resources
        self._flight = Flight()
        self._is_closing = False
        self._one_at_a_time = asyncio.Lock()
        self._served: asyncio.Task[object] | None = None
        """Whose turn it is."""

    @classmethod
    def open(
        cls,
        database: str | Path | None = None,
        settings: Settings | None = None,
        *,
        emitter: Emitter | None = None,
        knowledge: bool | None = None,
        embedder: "Embedder | None" = None,
        key: SecretStr | None = None,
        providers: Mapping[str, Provider] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> "_Opening":
        """Open a system, to be awaited or entered, as `Store.open` is.

        `database` and `settings` as there. `emitter` is one that is not open yet; what listens to it misses nothing
        (mends D37). `knowledge` says whether there is a knowledge base, by default where the extra is installed;
        `embedder` makes its vectors. `key` and `providers` as for LLMClient; `clock` gives the time, aware.

        Raises what opening a store and a knowledge base does.
        """
        stack = AsyncExitStack()

        async def opened() -> Orchestrator:
            async with stack:
                store = await stack.enter_async_context(Store.open(database, settings))
                listened = await stack.enter_async_context(emitter or Emitter())
                known = await _knowledge(stack, store, knowledge, embedder)
                client = LLMClient(
                    store,
                    search=None if known is None else known.search,
                    emit=listened.emit_async,
                    key=key,
                    providers=providers,
                )
                await stack.enter_async_context(client)
                system = cls(Services(store, client, listened, known, clock), stack.pop_all())
            try:
                await system._begin()
            except BaseException:
                await system.aclose()
                raise
            return system

        return _Opening(opened)

    async def process_request(
        self,
        agent: str,
        request: Request | Mapping[str, Any],
        *,
        on_piece: OnPiece = unheard,
        timeout: float | None = None,  # noqa: ASYNC109 - it becomes a response, which no block around a call can make
        correlation_id: str | None = None,
    ) -> Response:
        """Have an agent answer a request: with a Failure, whose `code` says why, where it is refused or fails.

        `on_piece` is awaited with each piece of what a model writes, where the action has a text that can be long.
        `timeout` is in seconds, by default the setting `request_timeout`; what was not stored by then, is not. Waiting
        for one's turn, without the setting `use_async`, does not count.
        `correlation_id` is in every event that the request causes; by default a new one. Raises ClosedError once the
        system is closed, and InvalidValueError for a timeout below 0; any other exception is a defect of ours, which is
        told by AGENT_ERROR, and logged.
        """
        asked = self.agents.get(agent) if isinstance(agent, str) else None
        if asked is None:
            names = ", ".join(self.agents)
            return Failure(code="UNKNOWN_AGENT", message=f"there is no agent {shown(agent)}; there are {names}")
        seconds = self._settings.request_timeout if timeout is None else timeout
        if not seconds >= 0:  # NaN, too, after which the event loop would lose the order of all it has to do
            raise InvalidValueError(f"a timeout is a number of seconds from 0 on, and not {seconds!r}")
        with self._flight.aboard(), correlated(correlation_id or current_id() or uuid4().hex):
            async with self._turn():
                return await self._answered(asked, request, on_piece, seconds)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Without the setting `use_async` requests wait for each other, but for one that `on_piece` makes inside."""
        task = asyncio.current_task()
        if self._settings.use_async or self._served is task:
            yield
            return
        async with self._one_at_a_time:
            self._served = task
            try:
                yield
            finally:
                self._served = None

    async def _answered(
        self, asked: Agent, request: Request | Mapping[str, Any], on_piece: OnPiece, seconds: float
    ) -> Response:
        action = _action_of(asked, request)
        tell, name = self.services.emitter.emit_async, asked.name
        limit = asyncio.timeout(seconds)
        try:
            await tell(EventType.AGENT_START, AgentStarted(agent=name, action=action))
            async with limit:
                response = await asked.process(request, on_piece)
        except BaseException as error:
            if not (isinstance(error, TimeoutError) and limit.expired()):
                self._tell_failed(name, action, error)
                raise
            response = Failure(
                code="TIMEOUT",
                message=f"{name} did not finish {action} within {seconds:g} s; what it had stored by then stays",
                details={"seconds": seconds},
            )
        await tell(EventType.AGENT_COMPLETE, AgentCompleted(agent=name, action=action, status=response.status))
        return response

    def _tell_failed(self, name: AgentName, action: str, error: BaseException) -> None:
        """Without the exception's text: nobody can say what an unforeseen one quotes."""
        if isinstance(error, Exception):
            _log.error("%s failed with %s in %s", name, type(error).__name__, action, exc_info=error)
        # Not awaited: whoever was cancelled would wait once more.
        self.services.emitter.emit(
            EventType.AGENT_ERROR, AgentFailed(agent=name, action=action, error=type(error).__name__)
        )

    async def aclose(self) -> None:
        """Let nobody ask any more, wait for those who did up to the setting `close_timeout`, and close all of it."""
        if self._is_closing:
            return
        self._is_closing = True
        try:
            await self._flight.land(self._settings.close_timeout)
            await self.services.emitter.emit_async(EventType.SYSTEM_SHUTDOWN)
        finally:
            await self._resources.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _begin(self) -> None:
        """Bring along what everybody knows, and tell that the system is there."""
        emit, known = self.services.emitter.emit_async, self.services.knowledge
        if known is not None:
            put = await known.load_defaults()
            count = put.added + put.changed + put.unchanged
            await emit(EventType.KNOWLEDGE_LOADED, KnowledgeLoaded(entry_count=count, error_count=0, status="success"))
        await emit(EventType.SYSTEM_INITIALIZED, await self._described())

    async def _described(self) -> SystemInitialized:
        file = self.services.store.file
        data_dir = self._settings.data_dir.expanduser() if file is None else file.parent
        _, model = await self.services.llm.resolve_model_async()
        return SystemInitialized(version=__version__, data_dir=str(data_dir), model=model)


class _Opening:
    """What `Orchestrator.open` returns: opens when awaited, and when entered, where leaving closes."""

    def __init__(self, opened: Callable[[], Coroutine[Any, Any, Orchestrator]]) -> None:
        self._open = opened
        self._system: Orchestrator | None = None

    def __await__(self) -> Generator[Any, None, Orchestrator]:
        return self._open().__await__()

    async def __aenter__(self) -> Orchestrator:
        self._system = await self._open()
        return self._system

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._system is not None:
            await self._system.aclose()


async def _knowledge(
    stack: AsyncExitStack, store: Store, wanted: bool | None, embedder: "Embedder | None"
) -> "KnowledgeBase | None":
    """The knowledge base, opened on the stack; None where none is wanted, or where the extra is not installed."""
    if wanted is False or (wanted is None and embedder is None and find_spec("chromadb") is None):
        return None
    from socrates.knowledge.knowledge_base import KnowledgeBase  # noqa: PLC0415 - it needs an extra

    return await stack.enter_async_context(KnowledgeBase.open(store, embedder))


def _action_of(asked: Agent, request: Request | Mapping[str, Any]) -> str:
    """What events call the action: one that the agent has, as the name in a request is whatever somebody sent."""
    action = action_in(request)
    return action if isinstance(action, str) and action in asked.actions() else "unknown"
