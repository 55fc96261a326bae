"""Loads that are under way, and the callers that wait for them."""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from socrates.caching.keys import Key


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a load ended for those that waited for it."""

    value: Any = None
    error: BaseException | None = None
    trace: TracebackType | None = None
    was_cancelled: bool = False

    def result(self) -> Any:
        """The value. Raises the error of the load."""
        if self.error is not None:
            # The load's own trace each time: raised again as it is, it would grow by every caller's.
            raise self.error.with_traceback(self.trace)
        return self.value


class Load:
    """One load, from the `epoch` at which it began, in the task of the caller that came first."""

    def __init__(self, key: Key, epoch: int, loop: asyncio.AbstractEventLoop) -> None:
        self.key = key
        self.epoch = epoch
        self._loop = loop
        self._waiting: list[asyncio.Future[Outcome]] = []

    def may_be_shared(self, epoch: int) -> bool:
        """Whether a caller who comes at `epoch` may have its result: not after any invalidation, whatever its tags.

        The load's own tags are known at its end only; and a future belongs to one event loop.
        """
        return self.epoch == epoch and self._loop is asyncio.get_running_loop()

    async def wait(self) -> Outcome:
        """How it ended. A caller that is cancelled here takes nothing from the others."""
        # One future each, because a task that is cancelled cancels the future that it waits for.
        mine: asyncio.Future[Outcome] = self._loop.create_future()
        self._waiting.append(mine)
        return await mine

    def succeed(self, value: Any) -> None:
        self._tell(Outcome(value))

    def fail(self, error: BaseException) -> None:
        if isinstance(error, Exception):
            self._tell(Outcome(error=error, trace=error.__traceback__))
        else:
            # A cancellation, or an interruption, is the caller's own.
            self._tell(Outcome(was_cancelled=True))

    def _tell(self, outcome: Outcome) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(outcome)
