"""The two kinds of session: one that writes inside a unit of work, and one that reads, a connection per statement."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from sqlalchemy import Executable, Result
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.util import greenlet_spawn

from socrates.database.failures import explained
from socrates.database.flight import Flight
from socrates.database.misfits import refuse_misfits
from socrates.database.turns import Turns
from socrates.errors import DatabaseError

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class ReadsFrom(Protocol):
    """What a repository needs. An AsyncSession is one, and so is a ReadSession."""

    async def execute(self, statement: Executable, params: Parameters | None = None) -> Result[Any]:
        """Run `statement` and return its buffered result."""
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

    async def execute(self, statement: Executable, params: Parameters | None = None) -> Result[Any]:
        with self._flight.aboard():
            async with self._turns:
                return await greenlet_spawn(self._run, statement, params)

    def _run(self, statement: Executable, params: Parameters | None) -> Result[Any]:
        with self._engine.connect() as connection:
            # Async drivers hand over all rows at once, so the result outlives the connection's return to the pool.
            return connection.execute(statement, params)


class WriteSession(AsyncSession):
    """The session of a unit of work. Once a statement has failed in it, it can only roll back.

    A call of a repository may be several statements. If the second fails and somebody catches that, the first must not
    be committed alone. PostgreSQL holds it the same way.
    """

    failure: Exception | None = None

    async def execute(self, statement: Executable, params: Parameters | None = None, **options: Any) -> Result[Any]:
        try:
            refuse_misfits(statement, params or {})
            return await super().execute(statement, params, **options)
        except Exception as error:
            self.failure = error
            raise


@asynccontextmanager
async def write_session(engine: AsyncEngine) -> AsyncIterator[WriteSession]:
    """A session that commits at the end, and rolls back on any exception or cancellation.

    Afterwards the session is closed for good. When the task is cancelled during the commit, the commit is waited for
    and may have happened.
    """
    session = WriteSession(engine, expire_on_commit=False, autoflush=False, close_resets_only=False)
    try:
        yield session
        await _commit(session)
    except BaseException:
        await _closed(session)
        raise
    else:
        await session.close()


async def _commit(session: WriteSession) -> None:
    if session.failure is not None:
        raise DatabaseError(
            "a call failed in this unit of work and its exception was caught inside; nothing of the unit was stored. "
            "Let exceptions leave the unit, and begin another one"
        ) from session.failure
    try:
        await session.commit()
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
