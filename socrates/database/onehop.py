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
  transaction is open. SQLite's busy time-out waits too, but in the thread, where no cancellation reaches.

A cancelled statement is interrupted and waited for, so that nobody meets a connection whose thread is still at work; a
cancelled COMMIT is waited for without being interrupted. SQLAlchemy then closes the connection, as with any driver.
"""

import asyncio
import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeVar

import aiosqlite
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_dbapi,
    SQLiteDialect_aiosqlite,
)

TransactionMode = Literal["DEFERRED", "IMMEDIATE", "EXCLUSIVE"]

_T = TypeVar("_T")
_Outcome = tuple[Any, list[Any], int, int | None]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05  # seconds between two tries; both are jittered
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


class OneHopConnection(AsyncAdapt_aiosqlite_connection):
    """An aiosqlite connection as SQLAlchemy sees it, from inside a greenlet."""

    __slots__ = ("_isolation_level", "_mode", "_patience", "_pending_begin")

    _cursor_cls: Any = OneHopCursor

    def __init__(self, dbapi: Any, connection: Any, mode: TransactionMode | None, patience: float) -> None:
        super().__init__(dbapi, connection)
        self._mode = mode
        self._patience = patience
        self._isolation_level: str | None = connection.isolation_level
        self._pending_begin: str | None = None

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
        self._crossing(_set_isolation_level, value)

    def cursor(self, server_side: bool = False) -> Any:
        """A cursor; one that streams (`server_side`) crosses for every batch, like the stock dialect's."""
        if not server_side:
            return OneHopCursor(self)
        if self._pending_begin is not None:
            self.run(_nothing)
        return super().cursor(server_side=True)

    def begin(self) -> None:
        """Have the next statement begin a transaction, if this connection has a mode of its own for them."""
        if self._mode is not None and self._isolation_level is not None:
            self._pending_begin = f"BEGIN {self._mode}"

    def run(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """`work(connection, *arguments)` in the thread, behind the BEGIN that is due."""
        begin, self._pending_begin = self._pending_begin, None
        if begin is None:
            return self._crossing(work, *arguments)
        return self._crossing(_begin_and, begin, work, *arguments)

    def commit(self) -> None:
        self._end(_commit)

    def rollback(self) -> None:
        self._end(_rollback)

    def _end(self, work: Callable[[sqlite3.Connection], None]) -> None:
        self._pending_begin = None
        driver = self.driver_connection
        # The flag is SQLite's own and is read without a crossing; no thread is at work here between two statements.
        if driver is not None and driver._connection is not None and driver.in_transaction:
            self._crossing(work)

    def _crossing(self, work: Callable[..., _T], *arguments: Any) -> _T:
        try:
            return self.run_async(lambda driver: _patiently(driver, self._patience, work, *arguments))
        except Exception as error:
            self._handle_exception(error)


async def _patiently(driver: aiosqlite.Connection, patience: float, work: Callable[..., _T], *arguments: Any) -> _T:
    """Cross over, and again while another process is in the way and `patience` (seconds) lasts."""
    try:
        return await _cross(driver, work, *arguments)
    except sqlite3.OperationalError as error:
        if not patience or not _kept_out(driver, error):
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
            if not _kept_out(driver, error) or asyncio.get_running_loop().time() > deadline:
                raise


def _kept_out(driver: aiosqlite.Connection, error: sqlite3.OperationalError) -> bool:
    """Whether trying again is safe and may help: inside a transaction an earlier statement would be lost."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY and not driver.in_transaction


async def _cross(driver: aiosqlite.Connection, work: Callable[..., _T], *arguments: Any) -> _T:
    try:
        result: _T = await driver._execute(work, driver._connection, *arguments)
        return result
    except asyncio.CancelledError:
        await _until_idle(driver, interrupt=work is not _commit)
        raise


async def _until_idle(driver: aiosqlite.Connection, interrupt: bool) -> None:
    """Wait until the thread has nothing left to do, however often this task is cancelled meanwhile."""
    last = asyncio.ensure_future(driver._execute(_nothing, driver._connection))
    while not last.done():
        if interrupt:
            await driver.interrupt()
        try:
            await asyncio.wait([last], timeout=_INTERRUPT_AGAIN)
        except asyncio.CancelledError:
            continue  # the caller raises the first one
    last.exception()  # a connection that somebody closed is idle too


def _execute(connection: sqlite3.Connection, operation: str, parameters: Any) -> _Outcome:
    cursor = connection.execute(operation, parameters)
    description = cursor.description
    rows = cursor.fetchall() if description else []
    outcome = description, rows, cursor.rowcount, cursor.lastrowid
    cursor.close()
    return outcome


def _execute_many(connection: sqlite3.Connection, operation: str, parameters: Any) -> _Outcome:
    cursor = connection.executemany(operation, parameters)
    outcome: _Outcome = None, [], cursor.rowcount, cursor.lastrowid
    cursor.close()
    return outcome


def _begin_and(connection: sqlite3.Connection, begin: str, work: Callable[..., _T], *arguments: Any) -> _T:
    if not connection.in_transaction:
        connection.execute(begin)
    return work(connection, *arguments)


def _commit(connection: sqlite3.Connection) -> None:
    connection.commit()


def _rollback(connection: sqlite3.Connection) -> None:
    connection.rollback()


def _set_isolation_level(connection: sqlite3.Connection, level: str | None) -> None:
    connection.isolation_level = level


def _nothing(_connection: sqlite3.Connection) -> None:
    pass


class OneHopDBAPI(AsyncAdapt_aiosqlite_dbapi):
    """aiosqlite as a DBAPI module whose connections cross once per statement."""

    def connect(self, *arguments: Any, **options: Any) -> OneHopConnection:
        mode = options.pop("transaction_mode", None)
        patience = options.pop("busy_patience", 0.0)
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
