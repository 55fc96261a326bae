"""Units of work for synchronous code."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from socrates import store
from socrates.errors import ClosedError
from socrates.sync.loop import LoopThread

_T = TypeVar("_T")


class Unit:
    """One unit of work on the loop: a task of its own from its beginning to its end, which takes calls from a queue.

    A transaction belongs to one task, so that whoever closes the store can cancel it.
    """

    def __init__(self, inner: store.Store, loop: LoopThread) -> None:
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
