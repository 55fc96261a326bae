"""An event loop in a thread of its own, and work that is done there."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, wait
from typing import Any, Generic, TypeVar

from socrates.errors import ClosedError

_T = TypeVar("_T")

Run = Callable[[Coroutine[Any, Any, Any]], Any]
"""Has work done on the loop, waits, and gives its result."""

_CLEANING_UP = 10.0
"""Seconds that what was interrupted is given to roll back."""


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._gate = threading.Lock()
        self.running = True
        # A daemon: a script that forgets to close its store must still end.
        self._thread = threading.Thread(target=self._loop.run_forever, name="socrates", daemon=True)
        self._thread.start()

    def job(self, work: Coroutine[Any, Any, _T]) -> "Job[_T]":
        """Work that has yet to be started."""
        return Job(work, self._loop)

    def start(self, job: "Job[Any]") -> None:
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


class Job(Generic[_T]):
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
        """Cancel the work, and wait until it is over; not in the loop's own thread, which would wait for itself."""
        if not self.ended.done():
            self._loop.call_soon_threadsafe(self._cancel)
            if not self._is_here():
                wait([self.ended], _CLEANING_UP)

    def _is_here(self) -> bool:
        # The garbage collector closes what it finds in whichever thread it happens to run.
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

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
