"""Telling listeners what happens, without letting them hold up what happens."""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import RLock
from types import TracebackType
from typing import Any, Literal, Self

from socrates.errors import ClosedError, InvalidValueError
from socrates.events.envelope import Event, correlation_id
from socrates.events.mailbox import Listener, Mailbox
from socrates.events.payloads import Payload, checked_payload, checked_type
from socrates.events.types import EventType

_log = logging.getLogger(__name__)
_THREADS = 32
"""So many listeners that are no coroutine functions can block at once before they hold up each other."""
_LAST_WORDS = 1.0
"""Seconds for a listener that is cancelled to clean up."""

_handled: contextvars.ContextVar["Emitter | None"] = contextvars.ContextVar("handled", default=None)
"""The emitter whose event is being handled here."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, eq=False)
class _Registration:
    mailbox: Mailbox
    is_once: bool


class Emitter:
    """Events for those who listen.

    Every listener has a queue of its own, and gets its events one at a time, in the order in which they were emitted;
    different listeners run side by side, and none notices the failure of another, which is logged (mends D49). A
    callable that listens to several types has one queue for all of them.

    `emit` and `emit_async` accept an event for all its listeners at once, and then only `emit_async` waits: while a
    listener has more than `limit` events to do, at most `patience` seconds, and not inside a listener, which could wait
    for itself. A listener for which somebody waited in vain holds up nobody else until it has caught up. With twice
    `limit` events to do it loses what comes further: each such event is logged as an error and counted in `lost`.

    Listeners can be registered and removed at any time, before the emitter is opened and inside a listener too. That
    and `emit` may be done from any thread; `emit_async` belongs to the event loop on which the emitter was opened.
    """

    def __init__(
        self,
        *,
        limit: int = 1000,
        patience: float = 1.0,
        close_timeout: float = 10.0,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """`patience` and `close_timeout` are in seconds. `clock` gives an aware time. Raises InvalidValueError."""
        if limit < 1 or patience < 0 or close_timeout < 0:
            raise InvalidValueError("an emitter's limit is at least 1, its patience and close_timeout at least 0")
        self.lost = 0
        """How often a listener did not get an event, as it was too slow or was cancelled; each is logged."""
        self._limit = limit
        self._patience = patience
        self._close_timeout = close_timeout
        self._clock = clock
        self._lock = RLock()
        self._registered: dict[EventType, list[_Registration]] = {}
        self._busy: dict[Mailbox, asyncio.Task[None] | None] = {}
        self._number = 0
        self._state: Literal["new", "open", "closing", "closed"] = "new"

    # Registering

    def on(self, event: EventType | str, listener: Listener) -> None:
        """Call `listener` at every such event from now on; if it is registered n times, n times for each event."""
        self._register(event, listener, is_once=False)

    def once(self, event: EventType | str, listener: Listener) -> None:
        """Call `listener` at the next such event, and never again, however many are emitted at once (mends D59)."""
        self._register(event, listener, is_once=True)

    def _register(self, event: EventType | str, listener: Listener, *, is_once: bool) -> None:
        event = checked_type(event)
        with self._lock:
            mailbox = self._mailbox(listener)
            # A new list, since somebody may be walking through the old one.
            self._registered[event] = [*self._registered.get(event, ()), _Registration(mailbox, is_once)]

    def _mailbox(self, listener: Listener) -> Mailbox:
        known = (each.mailbox for registrations in self._registered.values() for each in registrations)
        for mailbox in (*known, *self._busy):
            if mailbox.listener == listener:
                return mailbox
        return Mailbox(listener, self._limit, self._lock)

    def remove(self, event: EventType | str, listener: Listener) -> bool:
        """Undo the first `on` or `once` of this listener; False if there is none. What was accepted it still gets."""
        event = checked_type(event)
        with self._lock:
            registered = self._registered.get(event, [])
            for position, each in enumerate(registered):
                if each.mailbox.listener == listener:
                    self._registered[event] = registered[:position] + registered[position + 1 :]
                    return True
        return False

    def clear(self, event: EventType | str | None = None) -> None:
        """Undo every registration for this type, or for all. What was accepted is still handed out."""
        with self._lock:
            if event is None:
                self._registered.clear()
            else:
                self._registered.pop(checked_type(event), None)

    def count(self, event: EventType | str | None = None) -> int:
        """How many registrations there are for this type, or for all."""
        with self._lock:
            if event is not None:
                return len(self._registered.get(checked_type(event), ()))
            return sum(len(registered) for registered in self._registered.values())

    # Emitting

    def emit(self, event: EventType | str, payload: Payload | Mapping[str, Any] | None = None) -> None:
        """Tell the listeners, and wait for nobody. Any thread may call this.

        Raises InvalidValueError for a type or a payload that makes no sense, ClosedError unless the emitter is open.
        """
        self._accept(event, payload)

    async def emit_async(self, event: EventType | str, payload: Payload | Mapping[str, Any] | None = None) -> None:
        """Tell the listeners; wait while one has too much to do. Whoever is cancelled then has told them all the same.

        Raises what `emit` does; InvalidValueError on another event loop than the emitter's too.
        """
        self._require_own_loop()
        mailboxes = self._accept(event, payload)
        crowded = [each for each in mailboxes if each.is_crowded and not each.is_stalled]
        if not crowded or _handled.get() is self:
            return
        try:
            async with asyncio.timeout(self._patience):
                for mailbox in crowded:
                    await mailbox.has_room()
        except TimeoutError:
            for mailbox in crowded:
                if mailbox.is_crowded and not mailbox.is_stalled:
                    mailbox.stall()

    def _accept(self, kind: EventType | str, payload: Payload | Mapping[str, Any] | None) -> list[Mailbox]:
        """The mailboxes that have it now."""
        kind = checked_type(kind)
        checked = checked_payload(kind, {} if payload is None else payload)
        with self._lock:
            self._require_open()
            at, number = self._time(), self._number + 1
            event = Event(number=number, type=kind, at=at, correlation_id=correlation_id(), payload=checked)
            self._number = number
            mailboxes = self._listening(kind)
            for mailbox in mailboxes:
                if mailbox.take(event):
                    self._wake(mailbox)
                else:
                    self.lost += 1
        _log.debug("event %d: %s", event.number, kind)
        return mailboxes

    def _listening(self, kind: EventType) -> list[Mailbox]:
        registered = self._registered.get(kind, [])
        if any(each.is_once for each in registered):
            self._registered[kind] = [each for each in registered if not each.is_once]
        return [each.mailbox for each in registered]

    def _time(self) -> datetime:
        at = self._clock()
        if at.tzinfo is None:
            raise InvalidValueError(f"the emitter's clock gives {at!r}, without a time zone; it must give one")
        return at.astimezone(UTC)

    def _require_open(self) -> None:
        if self._state == "new":
            raise ClosedError("the emitter is not open yet; emit inside `async with emitter:`")
        # What listeners have to say to the last events is still heard.
        is_last = self._state == "closing" and _handled.get() is self
        if self._loop.is_closed() or (self._state != "open" and not is_last):
            raise ClosedError("the emitter is closed; make another one")

    def _require_own_loop(self) -> None:
        if self._state != "new" and asyncio.get_running_loop() is not self._loop:
            raise InvalidValueError(
                "the emitter belongs to another event loop; call its `emit`, which waits for nobody"
            )

    # Handing out

    def _wake(self, mailbox: Mailbox) -> None:
        if not mailbox.is_busy:
            mailbox.is_busy = True
            self._busy[mailbox] = None
            self._loop.call_soon_threadsafe(self._start, mailbox, context=self._context)

    def _start(self, mailbox: Mailbox) -> None:
        # Listeners see the context in which the emitter was opened: an emitting unit of work is no business of theirs.
        task = self._loop.create_task(mailbox.drain(self._threads), context=self._context.copy())
        with self._lock:
            self._busy[mailbox] = task
        task.add_done_callback(lambda ended: self._ended(mailbox, ended))

    def _ended(self, mailbox: Mailbox, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.critical("listener %s raised what is no Exception", mailbox.name, exc_info=error)
        with self._lock:
            if task.cancelled() or error is not None:
                self.lost += mailbox.abandon()
            if not mailbox.is_busy:
                self._busy.pop(mailbox, None)
            if not self._busy:
                self._idle.set()

    async def settle(self) -> None:
        """Wait until the listeners have handled everything that was emitted, and what they emitted themselves.

        Raises InvalidValueError inside a listener, which would wait for itself.
        """
        self._require_own_loop()
        self._require_outside()
        while self._busy:
            self._idle.clear()
            await self._idle.wait()

    def _require_outside(self) -> None:
        if _handled.get() is self:
            raise InvalidValueError("a listener cannot wait until all listeners are done: it would wait for itself")

    # Opening and closing

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise ClosedError("an emitter is opened once; make another one")
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._context.run(_handled.set, self)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="socrates-listener")
        self._idle = asyncio.Event()
        self._state = "open"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Take no more events but those of listeners, and wait until all are handled, at most `close_timeout` seconds.

        Listeners that have not ended by then are cancelled; what they leave is logged as an error and counted in
        `lost`. A thread that hangs cannot be cancelled, and goes on. Raises InvalidValueError inside a listener.
        """
        if self._state in {"new", "closed"}:
            self._state = "closed"
            return
        self._require_own_loop()
        self._require_outside()
        with self._lock:
            self._state = "closing"
        try:
            async with asyncio.timeout(self._close_timeout):
                await self.settle()
        except TimeoutError:
            _log.error(
                "%d listeners have not ended within %g s, and are cancelled", len(self._busy), self._close_timeout
            )
        finally:
            await self._end()

    async def _end(self) -> None:
        with self._lock:
            self._state = "closed"
        await asyncio.sleep(0)  # whatever was woken has its task then
        tasks = [task for task in self._busy.values() if task is not None]
        for task in tasks:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_WORDS)
