"""One listener, and the events that wait for it."""

import asyncio
import contextvars
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import partial
from threading import RLock

from socrates.events.envelope import Event, correlated

Listener = Callable[[Event], Awaitable[object] | object]
"""A coroutine function runs on the event loop; any other callable in a thread, where it may block."""

_log = logging.getLogger(__name__)


class Mailbox:
    """Hands events to one listener, one at a time, in the order in which they were emitted.

    A task does so, from the first event that waits until none is left. `lock` is the emitter's: it guards `waiting` and
    `is_busy`, which every thread may change; the rest belongs to the event loop.
    """

    def __init__(self, listener: Listener, limit: int, lock: RLock) -> None:
        self.listener = listener
        self.name = getattr(listener, "__qualname__", None) or type(listener).__qualname__
        self.is_busy = False
        """Events wait, or one is being handled."""
        self.is_stalled = False
        """Somebody's patience with it came to an end, and there is still no room: nobody else waits for it."""
        self._limit = limit
        self._lock = lock
        self._waiting: deque[Event] = deque()
        self._room: list[asyncio.Future[None]] = []

    @property
    def is_crowded(self) -> bool:
        return len(self._waiting) > self._limit

    def take(self, event: Event) -> bool:
        """Whether it is accepted; with the lock held. What is not accepted is lost for this listener, and logged."""
        if len(self._waiting) >= 2 * self._limit:
            _log.error(
                "event %d, %s, is lost for listener %s: %d events wait for it already; it is too slow, or hangs",
                *(event.number, event.type, self.name, len(self._waiting)),
            )
            return False
        self._waiting.append(event)
        return True

    async def drain(self, threads: Executor) -> None:
        """Hand out what waits, until nothing does."""
        while (event := self._next()) is not None:
            self._open_up()
            await self._hand(event, threads)

    def _next(self) -> Event | None:
        with self._lock:
            self.is_busy = bool(self._waiting)
            return self._waiting.popleft() if self._waiting else None

    def _open_up(self) -> None:
        if not self.is_crowded:
            self.is_stalled = False
            self._release()

    async def _hand(self, event: Event, threads: Executor) -> None:
        try:
            with correlated(event.correlation_id):
                await self._call(event, threads)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                self._waiting.appendleft(event)
                raise
            _log.exception("listener %s failed at event %d, %s", self.name, event.number, event.type)
        except Exception:  # noqa: BLE001 - it is the listener's, and must reach neither its emitter nor the others
            _log.exception("listener %s failed at event %d, %s", self.name, event.number, event.type)

    async def _call(self, event: Event, threads: Executor) -> None:
        if _is_async(self.listener):
            result = self.listener(event)
        else:
            run = partial(contextvars.copy_context().run, self.listener, event)
            result = await asyncio.get_running_loop().run_in_executor(threads, run)
        if inspect.isawaitable(result):
            await result

    async def has_room(self) -> None:
        """Wait until it is no longer crowded, or has stalled."""
        while self.is_crowded and not self.is_stalled:
            room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._room.append(room)
            try:
                await room
            finally:
                if room in self._room:
                    self._room.remove(room)

    def stall(self) -> None:
        """Let nobody wait for it until it has room again."""
        self.is_stalled = True
        _log.warning(
            "listener %s is too slow: %d events wait for it. It holds up nobody any longer; from %d on they are lost",
            *(self.name, len(self._waiting), 2 * self._limit),
        )
        self._release()

    def abandon(self) -> int:
        """Forget what waits, as nobody will hand it out any more; how many those were is logged."""
        with self._lock:
            lost = list(self._waiting)
            self._waiting.clear()
            self.is_busy = False
        if lost:
            _log.error(
                "%d events, from number %d on, are lost for listener %s: it ended before it had handled them",
                *(len(lost), lost[0].number, self.name),
            )
        self._open_up()
        return len(lost)

    def _release(self) -> None:
        for room in self._room:
            if not room.done():
                room.set_result(None)
        self._room.clear()


def _is_async(listener: Listener) -> bool:
    return inspect.iscoroutinefunction(listener) or inspect.iscoroutinefunction(type(listener).__call__)
