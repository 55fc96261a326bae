"""The store for scripts that don't use asyncio: the same faces, units and methods, called without ``await``.

    from socrates import sync

    with sync.Store.open("projects.db") as store:
        for project in store.projects.for_user("ada"):
            print(project.name)
        with store.begin() as unit:
            unit.conversations.append(project.id, NewMessage("user", "It must lend books."))
        with sync.KnowledgeBase.open(store) as knowledge:
            print(knowledge.search("how long may I keep a book?"))

Everything is done by `socrates.store.Store`, on an event loop in a thread of its own; arguments, results and exceptions
are its own. Threads may share a store: their reads run side by side, their units one after another. What is cached is
given out in the caller's thread; `socrates.bypassed` holds for the thread that enters it.
"""

import asyncio
import inspect
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future, wait
from contextlib import contextmanager
from functools import cache, wraps
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from socrates import store
from socrates.caching.cache import ABSENT
from socrates.config import Settings
from socrates.errors import ClosedError, SocratesError

if TYPE_CHECKING:  # it loads numpy, which is an extra
    from socrates.knowledge import knowledge_base
    from socrates.knowledge.embedder import Embedder

_T = TypeVar("_T")

_Run = Callable[[Coroutine[Any, Any, Any]], Any]

_CLEANING_UP = 10.0
"""Seconds that what was interrupted is given to roll back."""

_BATCH = 1000
"""Items of an asynchronous iterator fetched with one crossing between the threads."""


class _Opened(ABC):
    """Something of ours that was opened on a loop in another thread, as seen from here."""

    def __init__(self, inner: Any, loop: "_LoopThread") -> None:
        """Use `open`."""
        self._inner = inner
        self._loop = loop

    @abstractmethod
    def close(self) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return getattr(_Blocking(self._inner, self._loop.run), name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(_Blocking(self._inner, self._loop.run))})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Store(_Opened):
    """A database that is open, for synchronous code. Its faces are those of `socrates.store.Store`."""

    def __init__(self, inner: store.Store, loop: "_LoopThread") -> None:
        """Use `Store.open`."""
        super().__init__(inner, loop)
        self._units = threading.local()
        self._closing = threading.Lock()

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
            raise SocratesError("this thread has a unit of work open, and would wait for its end; use that one")
        unit = _Unit(self._inner, self._loop)
        try:
            entered = unit.enter()
            self._units.open = True
            yield _Blocking(entered, unit.run)
        except BaseException:
            unit.abandon()
            raise
        else:
            unit.commit()
        finally:
            self._units.open = False

    def close(self) -> None:
        """Close the connections and end the thread. Units of other threads that are open are rolled back.

        Closing twice does nothing; who closes while another thread does waits for it.
        """
        with self._closing:
            if self._loop.running:
                try:
                    self._loop.run(self._inner.close())
                finally:
                    self._loop.stop()


class KnowledgeBase(_Opened):
    """What is known in one database, for synchronous code: `socrates.knowledge.knowledge_base.KnowledgeBase`.

    What it calls, such as a `progress`, it calls in the store's thread.
    """

    @classmethod
    def open(cls, store: Store, embedder: "Embedder | None" = None, *, check: bool = True) -> Self:
        """Open what is known in a store, as the other `KnowledgeBase.open` does. Close it before the store."""
        return cls(store._loop.run(_known(store._inner, embedder, check)), store._loop)

    def close(self) -> None:
        """Let go of the index and the model. Raises ClosedError where the store is closed already."""
        self._loop.run(self._inner.close())


async def _known(inner: store.Store, embedder: "Embedder | None", check: bool) -> "knowledge_base.KnowledgeBase":
    from socrates.knowledge.knowledge_base import KnowledgeBase as Knowledge  # noqa: PLC0415 - an extra

    return await Knowledge.open(inner, embedder, check=check)


async def _opened(database: str | Path | None, settings: Settings | None) -> store.Store:
    return await store.Store.open(database, settings)


class _LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._gate = threading.Lock()
        self.running = True
        # A daemon: a script that forgets to close its store must still end.
        self._thread = threading.Thread(target=self._loop.run_forever, name="socrates", daemon=True)
        self._thread.start()

    def job(self, work: Coroutine[Any, Any, _T]) -> "_Job[_T]":
        """Work that has yet to be started."""
        return _Job(work, self._loop)

    def start(self, job: "_Job[Any]") -> None:
        """Have the loop do it. Raises ClosedError when it takes nothing more."""
        with self._gate:
            if not self.running:
                job.refuse()
                raise ClosedError("the store is closed; open it again with Store.open")
            job.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Have the loop do it and wait. Ctrl-C cancels it, and waits until it has cleaned up."""
        job = self.job(work)
        self.start(job)
        return job.result()

    def stop(self) -> None:
        """Take nothing more, cancel what is left, end the thread."""
        with self._gate:
            self.running = False
        last = self.job(_cancel_others())
        last.start()
        last.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Job(Generic[_T]):
    """Work on a loop in another thread.

    `asyncio.run_coroutine_threadsafe` will not do: its future is done as soon as it is cancelled, while the work may
    still hold a transaction.
    """

    def __init__(self, work: Coroutine[Any, Any, _T], loop: asyncio.AbstractEventLoop) -> None:
        self._work = work
        self._loop = loop
        self.ended: Future[_T] = Future()
        self._task: asyncio.Task[_T] | None = None

    def start(self) -> None:
        self._loop.call_soon_threadsafe(self._begin)

    def refuse(self) -> None:
        """End it without having begun."""
        self._work.close()
        self.ended.set_exception(CancelledError())

    def result(self) -> _T:
        """Wait for the work. When this thread is interrupted, cancel it and wait until it is over."""
        try:
            return self.ended.result()
        except CancelledError as error:
            raise ClosedError("the store was closed before this was done") from error
        except BaseException:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Cancel the work, and wait until it is over."""
        if not self.ended.done():
            self._loop.call_soon_threadsafe(self._cancel)
            wait([self.ended], _CLEANING_UP)

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._work)
        self._task.add_done_callback(self._end)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        elif not self.ended.done():  # interrupted before it was started
            self.refuse()

    def _end(self, task: "asyncio.Task[_T]") -> None:
        error = CancelledError() if task.cancelled() else task.exception()
        if error is None:
            self.ended.set_result(task.result())
        else:
            self.ended.set_exception(error)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class _Unit:
    """One unit of work on the loop: a task of its own from its beginning to its end, which takes calls from a queue.

    A transaction belongs to one task, so that whoever closes the store can cancel it.
    """

    def __init__(self, inner: store.Store, loop: _LoopThread) -> None:
        self._inner = inner
        self._loop = loop
        self._over = False
        self._entered: Future[store.UnitOfWork] = Future()
        self._job = loop.job(self._serve())
        self._job.ended.add_done_callback(self._fail_to_enter)

    def enter(self) -> store.UnitOfWork:
        """Begin, and return what `socrates.store.Store.begin` gives."""
        self._loop.start(self._job)
        return self._entered.result()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Have the unit's task do it and wait."""
        return self._loop.run(self._asked(work))

    def commit(self) -> None:
        self._loop.run(self._calls.put(None))
        self._job.result()

    def abandon(self) -> None:
        """Roll back, and wait until that is done."""
        self._job.cancel()

    async def _serve(self) -> None:
        self._calls: asyncio.Queue[tuple[Coroutine[Any, Any, Any], asyncio.Future[Any]] | None] = asyncio.Queue()
        try:
            async with self._inner.begin() as unit:
                self._entered.set_result(unit)
                while (call := await self._calls.get()) is not None:
                    await _answer(*call)
        finally:
            self._over = True
            while not self._calls.empty():
                _refuse(self._calls.get_nowait())

    async def _asked(self, work: Coroutine[Any, Any, _T]) -> _T:
        if self._over:
            work.close()
            raise ClosedError("this unit of work is over; begin another one")
        answer: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        await self._calls.put((work, answer))
        return await answer

    def _fail_to_enter(self, ended: "Future[None]") -> None:
        error = ended.exception()
        if error is not None and not self._entered.done():
            self._entered.set_exception(error)


def _refuse(call: tuple[Coroutine[Any, Any, Any], "asyncio.Future[Any]"] | None) -> None:
    if call is not None:
        call[0].close()
        call[1].cancel()


async def _answer(work: Coroutine[Any, Any, Any], answer: "asyncio.Future[Any]") -> None:
    try:
        result = await work
    except asyncio.CancelledError:
        answer.cancel()
        raise
    except Exception as error:  # noqa: BLE001 (it is the caller's)
        if not answer.done():
            answer.set_exception(error)
    else:
        if not answer.done():
            answer.set_result(result)


class _Blocking:
    """An object whose coroutine methods are called and waited for, and whose asynchronous iterators are plain ones.

    A proxy and not a second set of classes: what is there to call is said once, in the repositories.
    """

    def __init__(self, target: Any, run: _Run) -> None:
        self._target = target
        self._run = run

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._target, name)
        if inspect.iscoroutinefunction(found):
            return _blocking(found, self._run)
        if inspect.isasyncgenfunction(found):
            return _iterating(found, self._run)
        return _Blocking(found, self._run) if _has_to_be_waited_for(found.__class__) else found

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            setattr(self._target, name, value)

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._target) if not name.startswith("_")]


@cache
def _has_to_be_waited_for(kind: type) -> bool:
    """Whether objects of a class have anything that is asynchronous; all else is given out as it is."""
    members = (getattr(kind, name, None) for name in dir(kind) if not name.startswith("_"))
    return any(inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each) for each in members)


def _blocking(method: Callable[..., Coroutine[Any, Any, _T]], run: _Run) -> Callable[..., _T]:
    kept: Callable[..., Any] | None = getattr(method, "kept", None)

    @wraps(method)
    def call(*arguments: Any, **named: Any) -> _T:
        # What is kept is given out in this thread: the way to the loop's and back takes several times as long.
        found: Any = ABSENT if kept is None else kept(method.__self__, *arguments, **named)  # type: ignore[attr-defined]
        result: _T = run(method(*arguments, **named)) if found is ABSENT else found
        return result

    return call


def _iterating(method: Callable[..., AsyncIterator[_T]], run: _Run) -> Callable[..., Iterator[_T]]:
    @wraps(method)
    def iterate(*arguments: Any, **named: Any) -> Iterator[_T]:
        items = method(*arguments, **named)
        while batch := run(_next_batch(items)):
            yield from batch

    return iterate


async def _next_batch(items: AsyncIterator[_T]) -> list[_T]:
    batch: list[_T] = []
    async for item in items:
        batch.append(item)
        if len(batch) == _BATCH:
            break
    return batch
