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

A statement with the execution option `WITH_NEXT` is not sent by itself: it goes along with the next one, or with the
commit, in the same crossing and in order. It is for writes whose outcome nobody needs; a failure is raised where it is
sent, and again until the rollback; its row count stays unknown, and a rollback drops it. Inside a savepoint it is sent
by itself. Any other dialect ignores the option.

A cancelled statement is interrupted and waited for, so that nobody meets a connection whose thread is still at work; a
cancelled COMMIT is waited for without being interrupted. SQLAlchemy then closes the connection, as with any driver.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
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

from socrates.database.crossing import (
    NEVER_TWICE,
    Outcome,
    Waiting,
    after,
    close_cursors,
    close_through,
    commit,
    commit_after,
    cross_patiently,
    execute,
    execute_many,
    fetch,
    open_cursor,
    rollback,
    set_isolation_level,
)

TransactionMode = Literal["DEFERRED", "IMMEDIATE", "EXCLUSIVE"]

_T = TypeVar("_T")
_LEGACY = getattr(sqlite3, "LEGACY_TRANSACTION_CONTROL", -1)  # sqlite3's default for `autocommit`, since Python 3.12

WITH_NEXT = "onehop_with_next"
"""The execution option of a statement whose outcome nobody needs; see above."""


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
        self._keep(self._connection.run(execute, operation, () if parameters is None else parameters))

    def executemany(self, operation: str, parameters: Any) -> None:
        self._keep(self._connection.run(execute_many, operation, parameters))

    def defer(self, operation: str, parameters: Any, many: bool) -> bool:
        """Have it sent along with the next statement, if that can be; the outcome stays unknown."""
        return self._connection.defer(Waiting(operation, parameters, many))

    def _keep(self, outcome: Outcome) -> None:
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
        self._open = cursor = self._connection.run(open_cursor, operation, () if parameters is None else parameters)
        self._connection.streams.add(cursor)
        self._keep((cursor.description, [], cursor.rowcount, cursor.lastrowid))

    def fetchone(self) -> Any:
        return next(iter(self.fetchmany(1)), None)

    def fetchmany(self, size: int | None = None) -> Sequence[Any]:
        return self._fetch(self.arraysize if size is None else size)

    def fetchall(self) -> Sequence[Any]:
        return self._fetch(None)

    def _fetch(self, size: int | None) -> Sequence[Any]:
        return [] if self._open is None else self._connection.crossing(fetch, self._open, size)

    def close(self) -> None:
        cursor, self._open = self._open, None
        if cursor is not None:
            self._connection.crossing(close_cursors, cursor)


class OneHopConnection(AsyncAdapt_aiosqlite_connection):
    """An aiosqlite connection as SQLAlchemy sees it, from inside a greenlet."""

    __slots__ = ("_isolation_level", "_mode", "_patience", "_waiting", "streams")

    _cursor_cls: Any = OneHopCursor

    def __init__(self, dbapi: Any, connection: Any, mode: TransactionMode | None, patience: float) -> None:
        super().__init__(dbapi, connection)
        self._mode = mode
        self._patience = patience
        self._isolation_level: str | None = connection.isolation_level
        self._waiting: deque[Waiting] = deque()
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
        self._waiting.clear()
        self.crossing(set_isolation_level, value)

    def cursor(self, server_side: bool = False) -> Any:
        return OneHopStream(self) if server_side else OneHopCursor(self)

    def begin(self) -> None:
        """Have the next statement begin a transaction, if this connection has a mode of its own for them."""
        if self._mode is not None and self._isolation_level is not None:
            self._waiting.append(Waiting(f"BEGIN {self._mode}"))

    def defer(self, waiting: Waiting) -> bool:
        """Send a statement along with the next one. Refused outside a transaction, where it might stay unsent."""
        deferred = self._mode is not None and self._isolation_level is not None
        if deferred:
            self._waiting.append(waiting)
            self.run_async(_no_wait)  # an AsyncConnection raises AwaitRequired for a statement that awaits nothing
        return deferred

    def run(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """`work(connection, *arguments)` in the thread, behind what waits to be sent along."""
        if not self._waiting:
            return self.crossing(work, *arguments)
        result: _T = self.crossing(after, self._waiting, work, *arguments)
        return result

    def commit(self) -> None:
        if any(not waiting.operation.startswith("BEGIN ") for waiting in self._waiting):
            self._commit_after_waiting()
        else:
            self._end(commit)

    def _commit_after_waiting(self) -> None:
        try:
            self.crossing(commit_after, self._waiting)
        except Exception:
            # SQLAlchemy sends no ROLLBACK after a commit that failed, and what waits must not get into the next unit.
            if self._waiting:
                self.rollback()
            raise

    def rollback(self) -> None:
        self._end(rollback)

    def _end(self, work: Callable[[sqlite3.Connection], None]) -> None:
        self._waiting.clear()
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
            self.run_async(lambda driver: close_through(driver, list(self.streams)))
        else:
            super().terminate()

    def crossing(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """`work(connection, *arguments)` in the thread."""
        patience = 0.0 if work in NEVER_TWICE else self._patience
        try:
            return self.run_async(lambda driver: cross_patiently(driver, patience, work, *arguments))
        except Exception as error:  # noqa: BLE001 (raised again, in the words that SQLAlchemy knows)
            self._handle_exception(error)


class OneHopDBAPI(AsyncAdapt_aiosqlite_dbapi):
    """aiosqlite as a DBAPI module whose connections cross once per statement."""

    def connect(self, *arguments: Any, **options: Any) -> OneHopConnection:
        mode = options.pop("transaction_mode", None)
        patience = options.pop("busy_patience", 0.0)
        if mode is not None and options.get("autocommit", _LEGACY) != _LEGACY:
            raise exc.ArgumentError("transaction_mode and sqlite3's autocommit exclude each other")
        options.setdefault("async_creator_fn", _open)
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

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        if not (_may_wait(context) and cursor.defer(statement, parameters, many=False)):
            cursor.execute(statement, parameters)

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        if not (_may_wait(context) and cursor.defer(statement, parameters, many=True)):
            cursor.executemany(statement, parameters)


def _may_wait(context: Any) -> bool:
    if context is None or not context.execution_options.get(WITH_NEXT):
        return False
    # A failure at the RELEASE of a savepoint would be too late: SQLAlchemy doesn't roll back to it then.
    return not context.root_connection.in_nested_transaction()


async def _open(*arguments: Any, **options: Any) -> aiosqlite.Connection:
    """A connection of aiosqlite's. Where the file cannot be opened, its thread is over when the error is raised.

    So it is where the opening is cancelled. aiosqlite tells that thread to stop and does not wait: one that is late
    finds its event loop closed.
    """
    connection = aiosqlite.connect(*arguments, **options)
    thread: Any = getattr(connection, "_thread", connection)  # before 0.22 the connection was the thread
    thread.daemon = True  # as SQLAlchemy's own has it: a program that forgets to close must still end
    try:
        return await connection
    except BaseException:
        # Cancelled once more, the end of the event loop waits for it: asyncio joins its executor's threads.
        await asyncio.to_thread(thread.join)
        raise


async def _no_wait(_driver: aiosqlite.Connection) -> None:
    pass


registry.register("sqlite.onehop", __name__, "OneHopDialect")
