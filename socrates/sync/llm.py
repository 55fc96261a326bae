"""`sync.LLMClient`, and `sync.brief`."""

import inspect
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from functools import wraps
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import SecretStr

from socrates.sync.blocking import Opened
from socrates.sync.knowledge import KnowledgeBase
from socrates.sync.loop import Job, LoopThread
from socrates.sync.store import Store

if TYPE_CHECKING:  # it takes a while to load, and not everybody calls models
    from socrates.llm import client
    from socrates.llm.briefing import Briefing
    from socrates.llm.emitting import Emit
    from socrates.llm.provider import Provider

_T = TypeVar("_T")

_SUFFIX = "_async"

_END = object()

Tell = Callable[[str, Mapping[str, Any]], None]
"""Takes an event's type, such as `token.usage`, and its payload."""


class LLMClient(Opened):
    """Language models for synchronous code: `socrates.llm.client.LLMClient`, without `_async` in the names.

    What streams is an iterator. It reads ahead of its reader; close it, or let go of it, to stop the model early.
    """

    def __init__(self, inner: "client.LLMClient", loop: LoopThread) -> None:
        """Use `LLMClient.open`."""
        super().__init__(inner, loop)
        self._streams: set[Job[None]] = set()

    @classmethod
    def open(
        cls,
        store: Store,
        *,
        knowledge: KnowledgeBase | None = None,
        tell: Tell | None = None,
        key: SecretStr | None = None,
        providers: "Mapping[str, Provider] | None" = None,
    ) -> Self:
        """A client on a store; close it before the store. Raises ConfigurationError.

        Prompts are told what `knowledge` has. `tell` is called with events, in the store's thread: it must not call the
        store. `key` and `providers` are those of the other `LLMClient`.
        """
        from socrates.llm.client import LLMClient as Client  # noqa: PLC0415 - as above
        from socrates.llm.emitting import silent  # noqa: PLC0415 - as above

        search = None if knowledge is None else knowledge._inner.search
        emit = silent if tell is None else _emitting(tell)
        return cls(Client(store._inner, search=search, emit=emit, key=key, providers=providers), store._loop)

    def close(self) -> None:
        """End every stream and close every connection. Raises ClosedError where the store is closed already."""
        for stream in list(self._streams):
            stream.cancel()
        self._loop.run(self._inner.aclose())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in _hidden(self._inner):
            raise AttributeError(name)
        method = getattr(self._inner, name + _SUFFIX, None)
        if method is None:
            return super().__getattr__(name)
        if inspect.isasyncgenfunction(method):
            return self._streaming(method)
        return super().__getattr__(name + _SUFFIX)

    def _streaming(self, method: Callable[..., AsyncGenerator[_T, None]]) -> Callable[..., Iterator[_T]]:
        """One task reads a stream from its beginning to its end, or is cancelled."""

        @wraps(method)
        def iterate(*arguments: Any, **named: Any) -> Iterator[_T]:
            pieces: SimpleQueue[Any] = SimpleQueue()
            job = self._loop.job(_read(method(*arguments, **named), pieces.put))
            job.ended.add_done_callback(lambda _: pieces.put(_END))
            self._loop.start(job)
            self._streams.add(job)
            try:
                while (piece := pieces.get()) is not _END:
                    yield piece
                job.result()
            finally:
                job.cancel()
                self._streams.discard(job)

        return iterate

    def __dir__(self) -> list[str]:
        return sorted({name.removesuffix(_SUFFIX) for name in super().__dir__()} - _hidden(self._inner))


def brief(store: Store, project_id: str, messages: int = 10) -> "Briefing":
    """What the operations need of a project, as `socrates.brief` reads it. Raises ProjectNotFoundError."""
    from socrates.llm import briefing  # noqa: PLC0415 - as above

    return store._loop.run(briefing.brief(store._inner, project_id, messages))


def _hidden(inner: object) -> set[str]:
    return {"aclose", *(name for name in dir(inner) if name.endswith(_SUFFIX))}


def _emitting(tell: Tell) -> "Emit":
    async def emit(event: str, payload: Mapping[str, Any]) -> None:
        tell(event, payload)

    return emit


async def _read(stream: AsyncGenerator[_T, None], put: Callable[[_T], None]) -> None:
    async with aclosing(stream) as pieces:
        async for piece in pieces:
            put(piece)
