"""Knows what is under way, so that closing can wait for it, and stop it when it takes too long."""

import asyncio
from types import TracebackType
from typing import Any

from socrates.errors import ClosedError, ConfigurationError

_ROLLING_BACK = 5.0  # seconds that what was stopped is given to roll back and hand back its connection


class Flight:
    """The reads and units of work that are under way."""

    def __init__(self) -> None:
        self._aboard: set[_Seat] = set()
        self._closed = False
        self._landed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def aboard(self) -> "_Seat":
        """A context in which one is counted. Raises ClosedError when nobody is let on any more.

        Inside, when the patience of `land` runs out, the task is cancelled; the context ends with ClosedError then.
        """
        if self._closed:
            raise ClosedError("the store is closed; open it again with Store.open")
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                raise ConfigurationError("a store belongs to the event loop that uses it first; open another one here")
            self._loop = loop
        return _Seat(self._aboard, self._landed)

    async def land(self, patience: float) -> None:
        """Let nobody on any more, wait up to `patience` seconds for those aboard, and cancel the others."""
        self._closed = True
        if not await self._empty(patience):
            for seat in tuple(self._aboard):
                seat.cancel()
            await self._empty(_ROLLING_BACK)

    async def _empty(self, patience: float) -> bool:
        if self._aboard:
            self._landed.clear()
            try:
                await asyncio.wait_for(self._landed.wait(), patience)
            except TimeoutError:
                return False
        return True


class _Seat:
    """One that is under way. What `asyncio.timeout` does, without a clock."""

    __slots__ = ("_aboard", "_cancelled", "_cancelling", "_landed", "_task")

    def __init__(self, aboard: "set[_Seat]", landed: asyncio.Event) -> None:
        self._aboard = aboard
        self._landed = landed
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._task.cancel()

    def __enter__(self) -> None:
        self._task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]
        self._cancelling = self._task.cancelling()
        self._aboard.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._aboard.discard(self)
        if not self._aboard:
            self._landed.set()
        # More requests than at the start are somebody else's, who wants to see the CancelledError.
        if self._cancelled and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise ClosedError(
                "the store was closed before this was done; a unit of work was rolled back, unless it was committing"
            ) from error
