"""The two kinds of session: one that writes inside a unit of work, and one that reads, a connection per statement."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from sqlalchemy import Connection, Executable, Result
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.util import greenlet_spawn

from socrates.database.failures import explained
from socrates.database.flight import Flight
from socrates.database.misfits import refuse_misfits
from socrates.database.turns import Turns
from socrates.errors import DatabaseError

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class RunsStatements(Protocol):
    """What a repository needs: a WriteSession inside a unit of work, a ReadSession outside."""

    async def run(self, statement: Executable, params: Parameters | None = None) -> Result[Any]:
        """Run `statement`, which selects columns and not entities, and return its buffered result."""
        ...


class ReadSession:
    """Runs each statement on a reader of its own choosing and gives the reader back at once.

    An AsyncSession per read does the same with three greenlets, a task and the bookkeeping of entities, which doubles
    what one read costs. Here everything happens in one greenlet, on a Connection: reads select columns, not entities.
    """

    def __init__(self, engine: AsyncEngine, flight: Flight, turns: Turns) -> None:
        self._engine = engine.sync_engine
        self._flight = flight
        self._turns = turns

    async def run(self, statement: Executable, params: Parameters | None = None) -> Result[Any]:
        """Run `statement` on a reader of its own."""
        with self._flight.aboard():
            async with self._turns:
                return await greenlet_spawn(self._run, statement, params)

    def _run(self, statement: Executable, params: Parameters | None) -> Result[Any]:
        with self._engine.connect() as connection:
            # Async drivers hand over all rows at once, so the result outlives the connection's return to the pool.
            return connection.execute(statement, params)


class WriteSession(AsyncSession):
    """The session of a unit of work: an AsyncSession with a short way for statements that need no entities.

    `run` goes straight to the transaction's connection; `execute` does the same through the session's bookkeeping, at
    three times the price. Once a statement has failed in `run`, the session can only roll back: a call of a repository
    may be several statements, and if the second fails and somebody catches that, the first must not be committed
    alone. PostgreSQL holds it the same way.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, expire_on_commit=False, autoflush=False, close_resets_only=False)
        self.failure: Exception | None = None
        self._connection: Connection | None = None

    async def run(self, statement: Executable, params: Parameters | None = None) -> Result[Any]:
        """Run `statement` in the transaction, which begins with the first one."""
        try:
            refuse_misfits(statement, params or {})
            return await greenlet_spawn(self._run, statement, params)
        except Exception as error:
            self.failure = error
            raise

    def _run(self, statement: Executable, params: Parameters | None) -> Result[Any]:
        if self._connection is None:
            self._connection = self.sync_session.connection()
        return self._connection.execute(statement, params)

    async def finish(self) -> None:
        """Commit and close, which is one greenlet less than one after the other."""
        await greenlet_spawn(self._finish)

    def _finish(self) -> None:
        self.sync_session.commit()
        self.sync_session.close()


@asynccontextmanager
async def write_session(engine: AsyncEngine) -> AsyncIterator[WriteSession]:
    """A session that commits at the end, and rolls back on any exception or cancellation.

    Afterwards the session is closed for good. When the task is cancelled during the commit, the commit is waited for
    and may have happened.
    """
    session = WriteSession(engine)
    try:
        yield session
        await _finish(session)
    except BaseException:
        await _closed(session)
        raise


async def _finish(session: WriteSession) -> None:
    if session.failure is not None:
        raise DatabaseError(
            "a call failed in this unit of work and its exception was caught inside; nothing of the unit was stored. "
            "Let exceptions leave the unit, and begin another one"
        ) from session.failure
    try:
        await session.finish()
    except Exception as error:
        raise explained(error) from error


async def _closed(session: AsyncSession) -> None:
    """Close the session, however often this task is cancelled meanwhile: a half closed one would keep the writer."""
    closing = asyncio.ensure_future(session.close())
    while not closing.done():
        try:
            await asyncio.wait([closing])
        except asyncio.CancelledError:
            continue  # the caller raises the first one
    closing.result()
