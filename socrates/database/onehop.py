"""A SQLite driver for asyncio that crosses to the connection's thread once per statement: ``sqlite+onehop://``.

SQLAlchemy's own aiosqlite dialect crosses four times for one SELECT (make a cursor, execute, fetch, close) and again
for every commit and rollback, also of nothing. A crossing costs 30 to 60 µs, where the statement itself takes 10. This
dialect is that one with another connection and cursor: execute, fetch and close are one crossing, and a commit or
rollback outside a transaction is none. It keeps aiosqlite's connection and thread.

It takes two options of `create_async_engine` more:

* ``transaction_mode``: None leaves transactions to `sqlite3`, as the stock dialect does (BEGIN before the first INSERT,
  UPDATE or DELETE). "DEFERRED", "IMMEDIATE" or "EXCLUSIVE" opens one with the first statement of any kind, in the same
  crossing; a transaction without a statement never begins. Isolation level AUTOCOMMIT overrides it.
* ``busy_patience``: for how many seconds a statement that another process keeps out is tried again, as long as no
  transaction is open; so is a COMMIT. SQLite's busy time-out waits too, but in the thread, where no cancellation
  reaches.

A cancelled statement is interrupted and waited for, so that nobody meets a connection whose thread is still at work; a
cancelled COMMIT is waited for without being interrupted. SQLAlchemy then closes the connection, as with any driver.
"""

import asyncio
import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeVar
from weakref import WeakSet

import aiosqlite
from sqlalchemy import exc
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_dbapi,
    SQLiteDialect_aiosqlite,
)
from sqlalchemy.util.concurrency import in_greenlet

TransactionMode = Literal["DEFERRED", "IMMEDIATE", "EXCLUSIVE"]

_T = TypeVar("_T")
_Outcome = tuple[Any, list[Any], int, int | None]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05  # seconds between two tries; both are jittered
_LEGACY = getattr(sqlite3, "LEGACY_TRANSACTION_CONTROL", -1)  # sqlite3's default for `autocommit`, since Python 3.12
_INTERRUPT_AGAIN = 0.05  # seconds; an interrupt before the statement has begun is lost, so it is repeated


class OneHopCursor:
    """What one statement gave. Its rows are all here: closing it has nothing left to do."""

    __slots__ = ("_connection", "_next", "_rows", "arraysize", "description", "lastrowid", "rowcount")

    server_side = False

    def __init__(self, connection: "OneHopConnection") -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self._next = 0
        self.arraysize = 1
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    def execute(self, operation: str, parameters: Any = ()) -> None:
        self._keep(self._connection.run(_execute, operation, () if parameters is None else parameters))

    def executemany(self, operation: str, parameters: Any) -> None:
        self._keep(self._connection.run(_execute_many, operation, parameters))

    def _keep(self, outcome: _Outcome) -> None:
        self.description, self._rows, self.rowcount, self.lastrowid = outcome
        self._next = 0

    def fetchone(self) -> Any:
        if self._next >= len(self._rows):
            return None
        self._next += 1
        return self._rows[self._next - 1]

    def fetchmany(self, size: int | None = None) -> Sequence[Any]:
        first = self._next
        self._next = min(len(self._rows), first + (self.arraysize if size is None else size))
        return self._rows[first : self._next]

    def fetchall(self) -> Sequence[Any]:
        rows, first = self._rows, self._next
        self._rows, self._next = [], 0
        return rows[first:] if first else rows

    def __iter__(self) -> Iterator[Any]:
        while (row := self.fetchone()) is not None:
            yield row

    def setinputsizes(self, *sizes: Any) -> None:
        """Part of the interface of any DBAPI cursor; SQLite has no use for it."""

    def close(self) -> None:
        self._rows, self._next = [], 0

    async def _async_soft_close(self) -> None:
        """SQLAlchemy awaits this before it hands a result on; there is no cursor left to close."""


class OneHopStream(OneHopCursor):
    """A cursor whose rows stay in SQLite until they are asked for: every batch is a crossing."""

    __slots__ = ("_open",)

    server_side = True

    def __init__(self, connection: "OneHopConnection") -> None:
        super().__init__(connection)
        self._open: sqlite3.Cursor | None = None

    def execute(self, operation: str, parameters: Any = ()) -> None:
        self.close()
        self._open = cursor = self._connection.run(_open, operation, () if parameters is None else parameters)
        self._connection.streams.add(cursor)
        self._keep((cursor.description, [], cursor.rowcount, cursor.lastrowid))

    def fetchone(self) -> Any:
        return next(iter(self.fetchmany(1)), None)

    def fetchmany(self, size: int | None = None) -> Sequence[Any]:
        return self._fetch(self.arraysize if size is None else size)

    def fetchall(self) -> Sequence[Any]:
        return self._fetch(None)

    def _fetch(self, size: int | None) -> Sequence[Any]:
        return [] if self._open is None else self._connection.crossing(_fetch, self._open, size)

    def close(self) -> None:
        cursor, self._open = self._open, None
        if cursor is not None:
            self._connection.crossing(_close, cursor)


class OneHopConnection(AsyncAdapt_aiosqlite_connection):
    """An aiosqlite connection as SQLAlchemy sees it, from inside a greenlet."""

    __slots__ = ("_isolation_level", "_mode", "_patience", "_pending_begin", "streams")

    _cursor_cls: Any = OneHopCursor

    def __init__(self, dbapi: Any, connection: Any, mode: TransactionMode | None, patience: float) -> None:
        super().__init__(dbapi, connection)
        self._mode = mode
        self._patience = patience
        self._isolation_level: str | None = connection.isolation_level
        self._pending_begin: str | None = None
        self.streams: WeakSet[sqlite3.Cursor] = WeakSet()

    @property
    def isolation_level(self) -> str | None:
        """As in `sqlite3`: None means autocommit."""
        return self._isolation_level

    @isolation_level.setter
    def isolation_level(self, value: str | None) -> None:
        if value == self._isolation_level:
            return
        self._isolation_level = value
        self._pending_begin = None
        self.crossing(_set_isolation_level, value)

    def cursor(self, server_side: bool = False) -> Any:
        return OneHopStream(self) if server_side else OneHopCursor(self)

    def begin(self) -> None:
        """Have the next statement begin a transaction, if this connection has a mode of its own for them."""
        if self._mode is not None and self._isolation_level is not None:
            self._pending_begin = f"BEGIN {self._mode}"

    def run(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """`work(connection, *arguments)` in the thread, behind the BEGIN that is due."""
        if self._pending_begin is None:
            return self.crossing(work, *arguments)
        result: _T = self.crossing(_begin_and, self._pending_begin, work, *arguments)
        # Only now: after a BEGIN that was refused, the next statement must not run outside a transaction.
        self._pending_begin = None
        return result

    def commit(self) -> None:
        self._end(_commit)

    def rollback(self) -> None:
        self._end(_rollback)

    def _end(self, work: Callable[[sqlite3.Connection], None]) -> None:
        self._pending_begin = None
        driver = self.driver_connection
        # The flag is SQLite's own and is read without a crossing; no thread is at work here between two statements.
        if driver is not None and driver._connection is not None and driver.in_transaction:
            self.crossing(work)

    def terminate(self) -> None:
        """Close at once, after a cancellation for instance.

        The stock way, when cancelled once more, stops the thread before the close that is under way has been answered,
        and leaves a task that waits for ever. Streams are closed too, or else SQLite keeps the connection and its
        transaction open behind our back until the last of them is collected.
        """
        if in_greenlet():
            self.run_async(lambda driver: _closed(driver, list(self.streams)))
        else:
            super().terminate()

    def crossing(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """`work(connection, *arguments)` in the thread."""
        patience = 0.0 if work in _NEVER_TWICE else self._patience
        try:
            return self.run_async(lambda driver: _patiently(driver, patience, work, *arguments))
        except Exception as error:  # noqa: BLE001 (raised again, in the words that SQLAlchemy knows)
            self._handle_exception(error)


async def _patiently(driver: aiosqlite.Connection, patience: float, work: Callable[..., _T], *arguments: Any) -> _T:
    """Cross over, and again while another process is in the way and `patience` (seconds) lasts."""
    try:
        return await _cross(driver, work, *arguments)
    except sqlite3.OperationalError as error:
        if not patience or not _kept_out(driver, work, error):
            raise
    deadline = asyncio.get_running_loop().time() + patience
    pause = _FIRST_PAUSE
    while True:
        # Jitter, so that processes which were kept out together don't come back together.
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 (no secret)
        pause = min(2 * pause, _LONGEST_PAUSE)
        try:
            return await _cross(driver, work, *arguments)
        except sqlite3.OperationalError as error:
            if not _kept_out(driver, work, error) or asyncio.get_running_loop().time() > deadline:
                raise


def _kept_out(driver: aiosqlite.Connection, work: Callable[..., Any], error: sqlite3.OperationalError) -> bool:
    """Whether trying again is safe and may help. Inside a transaction only COMMIT is: what a statement had read there
    may be stale, and then no waiting helps."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY and (work is _commit or not driver.in_transaction)


async def _cross(driver: aiosqlite.Connection, work: Callable[..., _T], *arguments: Any) -> _T:
    try:
        # `_conn`, because its complaint about a closed connection is the one that SQLAlchemy knows.
        return await _queued(driver, work, driver._conn, *arguments)
    except asyncio.CancelledError:
        await _until_idle(driver, interrupt=work is not _commit)
        raise


async def _queued(driver: aiosqlite.Connection, work: Callable[..., _T], *arguments: Any) -> _T:
    result: _T = await driver._execute(work, *arguments)  # type: ignore[no-untyped-call]
    return result


async def _until_idle(driver: aiosqlite.Connection, interrupt: bool) -> None:
    """Wait until the thread has nothing left to do, however often this task is cancelled meanwhile."""
    last = asyncio.ensure_future(_queued(driver, _nothing, driver._connection))
    while not last.done():
        if interrupt:
            with suppress(ValueError, sqlite3.ProgrammingError):  # closed meanwhile
                await driver.interrupt()
        try:
            await asyncio.wait([last], timeout=_INTERRUPT_AGAIN)
        except asyncio.CancelledError:
            continue  # the caller raises the first one
    last.exception()  # a connection that somebody closed is idle too


async def _closed(driver: aiosqlite.Connection, streams: list[sqlite3.Cursor]) -> None:
    """Close, however often this task is cancelled meanwhile."""

    async def close() -> None:
        with suppress(ValueError):  # closed already
            await _queued(driver, _close, driver._conn, *streams)
        await driver.close()

    closing, cancelled = asyncio.ensure_future(close()), None
    while not closing.done():
        try:
            await asyncio.wait([closing])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        closing.exception()
        raise cancelled
    closing.result()


def _execute(connection: sqlite3.Connection, operation: str, parameters: Any) -> _Outcome:
    cursor = connection.cursor()
    try:
        cursor.execute(operation, parameters)
        description = cursor.description
        rows = cursor.fetchall() if description else []
        return description, rows, cursor.rowcount, cursor.lastrowid
    finally:
        cursor.close()  # also after an error: else its traceback would keep the cursor, and end it in another thread


def _execute_many(connection: sqlite3.Connection, operation: str, parameters: Any) -> _Outcome:
    cursor = connection.cursor()
    try:
        cursor.executemany(operation, parameters)
        return None, [], cursor.rowcount, cursor.lastrowid
    finally:
        cursor.close()


def _open(connection: sqlite3.Connection, operation: str, parameters: Any) -> sqlite3.Cursor:
    return connection.execute(operation, parameters)


def _fetch(_connection: sqlite3.Connection, cursor: sqlite3.Cursor, size: int | None) -> list[Any]:
    return cursor.fetchall() if size is None else cursor.fetchmany(size)


def _close(_connection: sqlite3.Connection, *cursors: sqlite3.Cursor) -> None:
    for cursor in cursors:
        cursor.close()


def _begin_and(connection: sqlite3.Connection, begin: str, work: Callable[..., _T], *arguments: Any) -> _T:
    if not connection.in_transaction:
        connection.execute(begin)
    return work(connection, *arguments)


def _commit(connection: sqlite3.Connection) -> None:
    connection.commit()


def _rollback(connection: sqlite3.Connection) -> None:
    connection.rollback()


def _set_isolation_level(connection: sqlite3.Connection, level: TransactionMode | None) -> None:
    connection.isolation_level = level


def _nothing(_connection: sqlite3.Connection) -> None:
    pass


_NEVER_TWICE = frozenset({_execute_many, _fetch})
"""What a second try would partly repeat: in autocommit each row of an executemany stands by itself."""


class OneHopDBAPI(AsyncAdapt_aiosqlite_dbapi):
    """aiosqlite as a DBAPI module whose connections cross once per statement."""

    def connect(self, *arguments: Any, **options: Any) -> OneHopConnection:
        mode = options.pop("transaction_mode", None)
        patience = options.pop("busy_patience", 0.0)
        if mode is not None and options.get("autocommit", _LEGACY) != _LEGACY:
            raise exc.ArgumentError("transaction_mode and sqlite3's autocommit exclude each other")
        return OneHopConnection(self, super().connect(*arguments, **options).driver_connection, mode, patience)


class OneHopDialect(SQLiteDialect_aiosqlite):
    """The dialect ``sqlite+onehop``."""

    driver = "onehop"
    supports_statement_cache = True

    def __init__(
        self, transaction_mode: TransactionMode | None = None, busy_patience: float = 0.0, **options: Any
    ) -> None:
        super().__init__(**options)
        self._of_connections = {"transaction_mode": transaction_mode, "busy_patience": busy_patience}

    @classmethod
    def import_dbapi(cls) -> OneHopDBAPI:
        return OneHopDBAPI(aiosqlite, sqlite3)

    def create_connect_args(self, url: Any) -> Any:
        arguments, options = super().create_connect_args(url)
        return arguments, {**options, **self._of_connections}

    def do_begin(self, dbapi_connection: Any) -> None:
        dbapi_connection.begin()


registry.register("sqlite.onehop", __name__, "OneHopDialect")
