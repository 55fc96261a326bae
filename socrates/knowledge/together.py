"""Asks once for what several tasks want in the same turn of the event loop."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

_Kind = TypeVar("_Kind", bound=Hashable)
_Wanted = TypeVar("_Wanted")
_Found = TypeVar("_Found")


class Together(Generic[_Kind, _Wanted, _Found]):
    """Searches that begin at the same time go on in step, and ten that ask as one take little more time than one.

    `ask` gets what is wanted of one kind, and gives what it found for each, in that order. Its error reaches all of
    them. Whoever is cancelled takes nobody else along, and asking goes on even where nobody waits any more.
    """

    def __init__(self, ask: Callable[[_Kind, Sequence[_Wanted]], Awaitable[Sequence[_Found]]]) -> None:
        self._ask = ask
        self._asked: defaultdict[_Kind, list[tuple[_Wanted, asyncio.Future[_Found]]]] = defaultdict(list)
        # The event loop keeps no task alive.
        self._answering: set[asyncio.Task[None]] = set()

    async def find(self, kind: _Kind, wanted: _Wanted) -> _Found:
        """What is found for one. Raises what `ask` raises."""
        loop = asyncio.get_running_loop()
        if kind not in self._asked:
            # It is nobody's own work: not what goes past the caches, nor part of a unit of work.
            loop.call_soon(self._begin, kind, context=Context())
        answer: asyncio.Future[_Found] = loop.create_future()
        self._asked[kind].append((wanted, answer))
        return await answer

    def _begin(self, kind: _Kind) -> None:
        answering = asyncio.get_running_loop().create_task(self._answer(kind, self._asked.pop(kind)))
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    async def _answer(self, kind: _Kind, asked: Sequence[tuple[_Wanted, asyncio.Future[_Found]]]) -> None:
        waiting = [(wanted, answer) for wanted, answer in asked if not answer.done()]
        if not waiting:
            return
        try:
            found = await self._ask(kind, [wanted for wanted, _ in waiting])
            for (_, answer), each in zip(waiting, found, strict=True):
                if not answer.done():
                    answer.set_result(each)
        except Exception as error:  # noqa: BLE001 - it is theirs who wait
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
        finally:
            # None is left, unless this task was cancelled, as when the event loop ends.
            for _, answer in waiting:
                answer.cancel()
