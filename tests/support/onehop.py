"""Engines on one file, what they cost in crossings, and cancellation at every await."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Generator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

import socrates.database.onehop  # noqa: F401 (makes the dialect known without an installed entry point)

COUNT_FOR_SECONDS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50000000) SELECT max(i) FROM n"
)


@asynccontextmanager
async def opened(path: Path, driver: str = "onehop", **options: Any) -> AsyncIterator[AsyncEngine]:
    """An engine, and a table `t` (id, name) in the file, which is in WAL mode."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
    # SQLAlchemy before 2.0.38 pools no connections to files unless told so.
    engine = create_async_engine(f"sqlite+{driver}:///{path}", poolclass=AsyncAdaptedQueuePool, **options)
    try:
        yield engine
    finally:
        await engine.dispose()


@contextmanager
def crossings() -> Iterator[list[Callable[..., Any]]]:
    """What was handed to connections' threads."""
    crossed: list[Callable[..., Any]] = []
    cross = aiosqlite.Connection._execute

    async def noting(self: aiosqlite.Connection, work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        crossed.append(work)
        return await cross(self, work, *arguments, **named)

    aiosqlite.Connection._execute = noting  # type: ignore[method-assign]
    try:
        yield crossed
    finally:
        aiosqlite.Connection._execute = cross  # type: ignore[method-assign]


@contextmanager
def write_lock(path: Path) -> Iterator[sqlite3.Connection]:
    """Another connection that holds the write lock; refused at once when somebody has it already."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def can_write(path: Path) -> bool:
    """Whether nobody holds the write lock."""
    try:
        with write_lock(path):
            return True
    except sqlite3.OperationalError:
        return False


class Steps:
    """Awaits a coroutine, and cancels the task that does so at given suspensions (1 is the first)."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], cancel_at: Collection[int] = ()) -> None:
        self._coroutine = coroutine
        self._cancel_at = cancel_at
        self.count = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self._coroutine.__await__()
        step: Callable[[], Any] = partial(next, inner)
        while True:
            try:
                waited_for = step()
            except StopIteration as stop:
                return stop.value
            self.count += 1
            if self.count in self._cancel_at:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waited_for
            except BaseException as error:  # noqa: BLE001 (handed on)
                step = partial(inner.throw, error)
            else:
                step = partial(next, inner)


async def others_done() -> None:
    """Wait for what SQLAlchemy left running in tasks of its own."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        done, _ = await asyncio.wait(others, timeout=5)
        assert done, f"never ends: {others}"
