"""A process with a store and a cache of its own, told by pickles: `python -m tests.caching.second_process`."""

import asyncio
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from socrates.config import CacheConfig, Settings
from socrates.repositories import base
from socrates.store import Store
from tests.caching.reads import failed, kept, made_in
from tests.stateful.calls import Call, Outcome, made
from tests.stateful.model import Clock
from tests.support.migrate import REPOSITORY


class SecondProcess:
    """The process, as a test sees it. Its errors go to the test's own output."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.caching.second_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
        )

    def open(self, path: Path, entries: int) -> None:
        """Open a store there, in place of the one before, with a cache of so many entries."""
        self._do("open", path, entries)

    def read(self, calls: list[Call]) -> list[Outcome]:
        return list(self._do("read", calls))

    def write(self, calls: list[Call], now: datetime) -> tuple[list[Outcome], bool]:
        """A unit of work, rolled back if a call fails for good; tell also whether it was committed."""
        outcomes, committed = self._do("write", calls, now)
        return list(outcomes), bool(committed)

    def kept(self) -> list[tuple[Call, Any]]:
        """See `reads.kept`."""
        return list(self._do("kept"))

    def end(self) -> None:
        """Let it close its store and end."""
        self._process.communicate()

    def _do(self, what: str, *arguments: Any) -> Any:
        pipes = self._process.stdin, self._process.stdout
        assert pipes[0] is not None
        assert pipes[1] is not None
        pickle.dump((what, *arguments), pipes[0])
        pipes[0].flush()
        return pickle.load(pipes[1])


@contextmanager
def second_process() -> Iterator[SecondProcess]:
    """Such a process, ended afterwards."""
    running = SecondProcess()
    try:
        yield running
    finally:
        running.end()


class _Served:
    """What the process does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._store: Store | None = None

    async def open(self, path: Path, entries: int) -> None:
        await self.close()
        self._store = await Store.open(path, Settings(cache_config=CacheConfig(read_cache_size=entries)))

    async def read(self, calls: list[Call]) -> list[Outcome]:
        return [await made(call, self._store) for call in calls]

    async def write(self, calls: list[Call], now: datetime) -> tuple[list[Outcome], bool]:
        assert self._store is not None
        self._clock.time = now
        outcomes: list[Outcome] = []
        try:
            async with self._store.begin() as unit:
                outcomes += await made_in(unit, calls)
                if failed(outcomes):
                    raise _FailedError
        except _FailedError:
            return outcomes, False
        return outcomes, True

    async def kept(self) -> list[tuple[Call, Any]]:
        assert self._store is not None
        return kept(self._store.cache)

    async def close(self) -> None:
        if self._store is not None:
            await self._store.close()


class _FailedError(Exception):
    pass


def main() -> None:
    clock = Clock()
    served = _Served(clock)
    with asyncio.Runner() as runner, patch.object(base, "datetime", clock):
        while True:
            try:
                what, *arguments = pickle.load(sys.stdin.buffer)
            except EOFError:
                break
            pickle.dump(runner.run(getattr(served, what)(*arguments)), sys.stdout.buffer)
            sys.stdout.buffer.flush()
        runner.run(served.close())


if __name__ == "__main__":
    main()
