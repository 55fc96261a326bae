"""The store for scripts that don't use asyncio: the same faces, units and methods, called without ``await``.

    from socrates import sync

    with sync.Store.open("projects.db") as store:
        for project in store.projects.for_user("ada"):
            print(project.name)
        with store.begin() as unit:
            unit.conversations.append(project.id, NewMessage("user", "It must lend books."))

Everything is done by `socrates.store.Store`, on an event loop in a thread of its own; arguments, results and exceptions
are its own. Threads may share a store: their reads run side by side, their units one after another.
"""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from socrates import store
from socrates.config import Settings
from socrates.errors import ClosedError, SocratesError

_T = TypeVar("_T")

_BATCH = 1000
"""Items of an asynchronous iterator fetched with one crossing between the threads."""


class Store:
    """A database that is open, for synchronous code. Its faces are those of `socrates.store.Store`."""

    def __init__(self, inner: store.Store, loop: "_LoopThread") -> None:
        """Use `Store.open`."""
        self._inner = inner
        self._loop = loop
        self._units = threading.local()

    @classmethod
    def open(cls, database: str | Path | None = None, settings: Settings | None = None) -> Self:
        """Open a database, as `socrates.store.Store.open` does, and start its thread."""
        loop = _LoopThread()
        try:
            return cls(loop.run(_opened(database, settings)), loop)
        except BaseException:
            loop.stop()
            raise

    @contextmanager
    def begin(self) -> "Iterator[_Blocking]":
        """One transaction; its repositories are attributes, such as ``unit.projects``."""
        if getattr(self._units, "open", False):
            raise SocratesError(
                "this thread has a unit of work open, and would wait for its end for ever; use that one"
            )
        unit = self._inner.begin()
        entered = self._loop.run(unit.__aenter__())
        self._units.open = True
        try:
            yield _Blocking(entered, self._loop)
        except BaseException as error:
            self._loop.run(unit.__aexit__(type(error), error, error.__traceback__))
            raise
        else:
            self._loop.run(unit.__aexit__(None, None, None))
        finally:
            self._units.open = False

    def close(self) -> None:
        """Close the connections and end the thread. Closing twice does nothing."""
        if self._loop.running:
            try:
                self._loop.run(self._inner.close())
            finally:
                self._loop.stop()

    def __getattr__(self, name: str) -> Any:
        return getattr(_Blocking(self._inner, self._loop), name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(_Blocking(self._inner, self._loop))})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _opened(database: str | Path | None, settings: Settings | None) -> store.Store:
    return await store.Store.open(database, settings)


class _LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon: a script that forgets to close its store must still end.
        self._thread = threading.Thread(target=self._loop.run_forever, name="socrates", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Have the loop do it and wait. Ctrl-C cancels it."""
        if not self.running:
            work.close()
            raise ClosedError("the store is closed; open it again with Store.open")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Blocking:
    """An object whose coroutine methods are called and waited for, and whose asynchronous iterators are plain ones.

    A proxy and not a second set of classes: what is there to call is said once, in the repositories.
    """

    def __init__(self, target: Any, loop: _LoopThread) -> None:
        self._target = target
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._target, name)
        if inspect.iscoroutinefunction(found):
            return _blocking(found, self._loop)
        if inspect.isasyncgenfunction(found):
            return _iterating(found, self._loop)
        return found if callable(found) else _Blocking(found, self._loop)

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._target) if not name.startswith("_")]


def _blocking(method: Callable[..., Coroutine[Any, Any, _T]], loop: _LoopThread) -> Callable[..., _T]:
    @wraps(method)
    def call(*arguments: Any, **named: Any) -> _T:
        return loop.run(method(*arguments, **named))

    return call


def _iterating(method: Callable[..., AsyncIterator[_T]], loop: _LoopThread) -> Callable[..., Iterator[_T]]:
    @wraps(method)
    def iterate(*arguments: Any, **named: Any) -> Iterator[_T]:
        items = method(*arguments, **named)
        while batch := loop.run(_next_batch(items)):
            yield from batch

    return iterate


async def _next_batch(items: AsyncIterator[_T]) -> list[_T]:
    batch: list[_T] = []
    async for item in items:
        batch.append(item)
        if len(batch) == _BATCH:
            break
    return batch
