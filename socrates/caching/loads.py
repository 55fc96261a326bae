"""Loads that are under way, and the callers that wait for them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

from socrates.caching.keys import Key


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a load ended for those that waited for it."""

    value: Any = None
    error: Exception | None = None
    trace: TracebackType | None = None

    def result(self) -> Any:
        """The value. Raises the error of the load."""
        if self.error is not None:
            # The load's own trace each time: raised again as it is, it would grow by every caller's.
            raise self.error.with_traceback(self.trace)
        return self.value


ASK_AGAIN: Final = Outcome()
"""The load ended without anything that those who waited may have."""


class Load:
    """One load, in the task of the caller that came first."""

    def __init__(self, key: Key, epoch: int, changing: frozenset[int], loop: asyncio.AbstractEventLoop) -> None:
        """It begins at this `epoch`, while what has the tags of `changing` is being changed."""
        self.key = key
        self.epoch = epoch
        self.changing = changing
        self._loop = loop
        self._waiting: list[asyncio.Future[Outcome]] = []
        self._needed: list[Load] = []

    def may_be_shared(self, epoch: int) -> bool:
        """Whether a caller who comes at `epoch` may wait for it: not after any invalidation, whatever its tags.

        The load's own tags are known at its end only; and a future belongs to one event loop.
        """
        return self.epoch == epoch and self._loop is asyncio.get_running_loop()

    def would_wait_for_itself(self) -> bool:
        """Whether it cannot end before the caller does, who calls from inside of it."""
        return self._needs(_inside.get())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around the loader: calls from inside are known by it."""
        token = _inside.set((*_inside.get(), self))
        try:
            yield
        finally:
            _inside.reset(token)

    async def wait(self) -> Outcome:
        """How it ended. A caller that is cancelled here takes nothing from the others."""
        # One future each, because a task that is cancelled cancels the future that it waits for.
        mine: asyncio.Future[Outcome] = self._loop.create_future()
        self._waiting.append(mine)
        outer = _inside.get()
        for load in outer:
            load._needed.append(self)
        try:
            return await mine
        finally:
            for load in outer:
                load._needed.remove(self)

    def tell(self, outcome: Outcome) -> None:
        """End it for those that wait."""
        # Emptied, or the futures would hold the error, whose trace holds this load.
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(outcome)

    def _needs(self, loads: tuple["Load", ...]) -> bool:
        return self in loads or any(load._needs(loads) for load in self._needed)


_inside: ContextVar[tuple[Load, ...]] = ContextVar("inside", default=())
"""The loads whose loaders the current task is in, from the outermost to the innermost."""
