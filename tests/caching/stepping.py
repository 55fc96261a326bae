"""Runs tasks an await at a time: a test decides which of them goes on, and nothing else decides anything.

What SQLite's threads have to do is done in between: whoever waited for it stays where it is until it is its turn.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import Any
from unittest.mock import patch

import aiosqlite.core


class _Work(SimpleQueue[Any]):
    """What one connection's thread has to do."""

    def __init__(self, threads: "Threads") -> None:
        super().__init__()
        self._threads = threads

    def put_nowait(self, item: Any) -> None:
        if self._threads.holding:
            self._threads.held.append(partial(self._put, item))
        else:
            self._put(item)

    def _put(self, item: Any) -> None:
        future: asyncio.Future[Any] | None = item[0]
        if future is not None:
            self._threads.owe(future)
        super().put_nowait(item)


class Threads:
    """The threads of all connections that are opened inside `watched`, and those in which somebody waits for them."""

    def __init__(self) -> None:
        self.owed: set[asyncio.Future[Any]] = set()
        self.holding = False
        """Whether threads begin what they have to do when `release` says so only, instead of at once."""
        self.held: list[Callable[[], None]] = []

    @contextmanager
    def watched(self) -> Iterator["Threads"]:
        with (
            patch.object(aiosqlite.core, "SimpleQueue", lambda: _Work(self)),
            patch.object(asyncio, "to_thread", self._to_thread),
        ):
            yield self

    def owe(self, future: asyncio.Future[Any]) -> None:
        """A thread is at work, and will set this."""
        self.owed.add(future)
        future.add_done_callback(self.owed.discard)

    async def _to_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        future = asyncio.get_running_loop().run_in_executor(None, work, *arguments)
        self.owe(future)
        return await future

    async def release(self, number: int) -> None:
        """Have a thread do what is held with this number, from 0."""
        self.held.pop(number)()
        await self.settle()

    async def settle(self) -> None:
        """Wait until everybody waits for a turn, or for somebody who does."""
        loop: Any = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)
            if loop._ready:
                continue
            if not self.owed:
                return
            await asyncio.wait(tuple(self.owed))


class Stepped:
    """A task that stops after each of its awaits, once what it awaited is there, until `go_on`."""

    def __init__(self, work: Coroutine[Any, Any, Any], threads: Threads) -> None:
        """To be made inside an event loop. It stands before its beginning."""
        self._work = work
        self._threads = threads
        self._turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.ensure_future(self._run())
        self.steps = 0

    @property
    def done(self) -> bool:
        return self.task.done()

    @property
    def can_go_on(self) -> bool:
        """False for one that is done, or waits for what another has to do."""
        return not self.done and not self._turn.done()

    async def go_on(self) -> None:
        """Let it run up to the end of its next await."""
        self.steps += 1
        self._turn.set_result(None)
        await self._threads.settle()

    async def cancel(self) -> None:
        """Cancel the task where it is: before what it awaits is there, or after that."""
        self.task.cancel()
        await self._threads.settle()

    async def _run(self) -> Any:
        try:
            await self._turn
            return await self
        finally:
            self._work.close()

    def __await__(self) -> Generator[Any, None, Any]:
        steps = self._work.__await__()
        send, value = steps.send, None
        while True:
            try:
                awaited = send(value)
            except StopIteration as end:
                return end.value
            try:
                yield awaited
                self._turn = asyncio.get_running_loop().create_future()
                yield from self._turn
                send, value = steps.send, None
            except BaseException as error:  # noqa: BLE001 - handed on
                send, value = steps.throw, error
