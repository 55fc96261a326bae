"""The two kinds of session: one that writes inside a unit of work, and one that reads, a connection per statement."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any, Protocol

from sqlalchemy import Connection, Executable, Result
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.util import greenlet_spawn

from socrates.caching import Cache
from socrates.database.coherence import Coherence
from socrates.database.failures import explained
from socrates.database.flight import Flight
from socrates.database.misfits import refuse_misfits
from socrates.database.turns import Turns
from socrates.errors import ClosedError, DatabaseError, SocratesError

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class RunsStatements(Protocol):
    """What a repository needs: a WriteSession inside a unit of work, a ReadSession outside."""

    async def run(self, statement: Executable, params: Parameters | None = None) -> Result[Any]:
        """Run `statement`, which selects columns and not entities, and return its buffered result."""
        ...

    locks: bool
    """Whether rows that are read to be changed have to be locked."""

    @property
    def cache(self) -> Cache | None:
        """Where results of reads are kept; None where every read must see what the transaction wrote."""
        ...

    async def hold(self, *key: str) -> None:
        """Have other units of work that hold the same `key` wait for the end of this one.

        For decisions on records that are not there yet: PostgreSQL can lock rows only.
        """
        ...

    def spoil(self, error: BaseException) -> None:
        """Note that a call failed after its statement had run, while its rows were read for instance."""
        ...


class ReadSession:
    """Runs each statement on a reader of its own choosing and gives the reader back at once.

    An AsyncSession per read does the same with three greenlets, a task and the bookkeeping of entities, which doubles
    what one read costs. Here everything happens in one greenlet, on a Connection: reads select columns, not entities.
    """

    locks = False

    def __init__(self, engine: AsyncEngine, flight: Flight, turns: Turns, cache: Cache | None = None) -> None:
        self.cache = cache
        self._engine = engine.sync_engine
        self._flight = flight
        self._turns = turns

    async def run(self, statement: Executable, params: Parameters | None = None) -> Result[Any]:
        """Run `statement` on a reader of its own."""
        with self._flight.aboard():
            async with self._turns:
                try:
                    return await greenlet_spawn(self._run, statement, params)
                except DBAPIError as error:
                    if not error.connection_invalidated:
                        raise
                # The server was restarted since; all connections of the pool are new now.
                return await greenlet_spawn(self._run, statement, params)

    async def hold(self, *key: str) -> None:
        """Nothing to do: a read decides nothing."""

    def spoil(self, error: BaseException) -> None:
        """Nothing to do: a read leaves nothing behind."""

    def _run(self, statement: Executable, params: Parameters | None) -> Result[Any]:
        with self._engine.connect() as connection:
            # Async drivers hand over all rows at once, so the result outlives the connection's return to the pool.
            return connection.execute(statement, params)


class WriteSession(AsyncSession):
    """The session of a unit of work: an AsyncSession with a short way for statements that need no entities.

    `run` goes straight to a connection, whose transaction is the session's: what an AsyncSession does besides, such as
    `execute`, joins it, at three times the price. Statements of tasks that share the unit run one after another.

    Once a call has failed or was cancelled, the session can only roll back: a call of a repository may be several
    statements, and if the second fails and somebody catches that, the first must not be committed alone. PostgreSQL
    holds it the same way.
    """

    locks = False
    cache = None

    def __init__(self, engine: AsyncEngine, coherence: Coherence | None = None) -> None:
        """`coherence` keeps a cache true to what the transaction commits."""
        super().__init__(engine, expire_on_commit=False, autoflush=False, close_resets_only=False)
        self._engine = engine.sync_engine
        self._coherence = coherence
        self._connection: Connection | None = None
        self._own: Connection | None = None
        self._failure: BaseException | None = None
        self._over = False
        # A task that the unit's own did not wait for may still be at a statement when the unit ends.
        self._one_at_a_time = asyncio.Lock()

    async def run(self, statement: Executable, params: Parameters | None = None) -> Result[Any]:
        """Run `statement` in the transaction, which begins with the first one."""
        try:
            self._refuse(statement, params or {})
            async with self._one_at_a_time:
                if self._over:
                    raise ClosedError("this unit of work is over; begin another one")
                return await greenlet_spawn(self._run, statement, params)
        except BaseException as error:
            self.spoil(error)
            raise

    def _refuse(self, statement: Executable, params: Parameters) -> None:
        refuse_misfits(statement, params)

    def _run(self, statement: Executable, params: Parameters | None) -> Result[Any]:
        return (self._connection or self._begun()).execute(statement, params)

    def _begun(self) -> Connection:
        """The connection of the transaction, which begins here unless the session itself has begun it."""
        if self.sync_session.in_transaction():
            self._connection = self.sync_session.connection()
        else:
            # 7 % of appending a message went into the session's own way of doing so.
            self._connection = self.sync_session.bind = self._own = self._engine.connect()
            self._own.begin()
        return self._connection

    async def hold(self, *key: str) -> None:
        """Nothing to do where one unit of work runs at a time."""

    def spoil(self, error: BaseException) -> None:
        """Have the unit roll back at its end, whoever catches `error`."""
        self._failure = error

    async def finish(self) -> None:
        """Commit and close. Raises DatabaseError when a call failed before, and what the database refuses."""
        async with self._one_at_a_time:
            self._over = True
            if self._failure is not None:
                raise DatabaseError(
                    "a call failed in this unit of work and its exception was caught inside; nothing of the unit was "
                    "stored. Let exceptions leave the unit, and begin another one"
                ) from self._failure
            await greenlet_spawn(self._commit_and_close)

    def _commit_and_close(self) -> None:
        session = self.sync_session
        if session.in_transaction():
            # Before the commit, which would flush too, but when it is too late to say what that touches.
            session.flush()
        with self._coherent_commit():
            if session.in_transaction():
                session.commit()
            if self._own is not None:
                self._own.commit()
        self._close_both()

    def _coherent_commit(self) -> AbstractContextManager[None]:
        if self._coherence is None or not (self._own or self.sync_session.in_transaction()):
            return nullcontext()
        return self._coherence.committing(self._connection or self.sync_session.connection())

    def _close_both(self) -> None:
        try:
            self.sync_session.close()
        finally:
            if self._own is not None:
                self._own.close()

    async def abandon(self) -> None:
        """Roll back and close."""
        async with self._one_at_a_time:
            self._over = True
            await greenlet_spawn(self._close_both)


@asynccontextmanager
async def write_session(session: WriteSession) -> AsyncIterator[WriteSession]:
    """Have the session commit at the end, and roll back on any exception or cancellation.

    Afterwards the session is closed for good. When the task is cancelled during the commit, the commit may have
    happened; on SQLite it is waited for, on PostgreSQL its connection is given up.
    """
    try:
        yield session
        await _finished(session)
    except BaseException:
        await _abandoned(session)
        raise


async def _finished(session: WriteSession) -> None:
    try:
        return await session.finish()
    except DBAPIError as error:
        failure = explained(error) if isinstance(error.orig, sqlite3.Error) else _not_known(error)
    except SQLAlchemyError as error:
        failure = explained(error)
    raise failure


def _not_known(error: DBAPIError) -> SocratesError:
    if not error.connection_invalidated:
        return explained(error)
    return DatabaseError(
        "the connection was lost during the commit: the unit of work is stored as a whole, or nothing of it is. Read "
        "again to see which"
    )


async def _abandoned(session: WriteSession) -> None:
    """Close the session, however often this task is cancelled meanwhile: a half closed one would keep the writer."""
    closing = asyncio.ensure_future(session.abandon())
    while not closing.done():
        try:
            await asyncio.wait([closing])
        except asyncio.CancelledError:
            continue  # the caller raises the first one
    closing.result()
