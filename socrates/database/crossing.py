"""Work in a connection's own thread, and the way there: what the driver's cursors and connections have done for them.

A crossing queues one function for aiosqlite's thread and waits for it. It is tried again when another process is in the
way, and waited for when the task is cancelled.
"""

import asyncio
import random
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import aiosqlite

_T = TypeVar("_T")

Outcome = tuple[Any, list[Any], int, int | None]
"""Description, rows, row count, last row id."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05  # seconds between two tries; both are jittered
_INTERRUPT_AGAIN = 0.05  # seconds; an interrupt before the statement has begun is lost, so it is repeated


@dataclass(frozen=True, slots=True)
class Waiting:
    """A statement that is sent along with the next one."""

    operation: str
    parameters: Any = ()
    many: bool = False


async def cross_patiently(
    driver: aiosqlite.Connection, patience: float, work: Callable[..., _T], *arguments: Any
) -> _T:
    """Cross over, and again while another process is in the way and `patience` (seconds) lasts."""
    try:
        return await _cross(driver, work, *arguments)
    except sqlite3.OperationalError as error:
        if not patience or not _kept_out(driver, error, work, arguments):
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
            if not _kept_out(driver, error, work, arguments) or asyncio.get_running_loop().time() > deadline:
                raise


def _kept_out(
    driver: aiosqlite.Connection, error: sqlite3.OperationalError, work: Callable[..., Any], arguments: tuple[Any, ...]
) -> bool:
    """Whether trying again is safe and may help. Inside a transaction only COMMIT is: what a statement had read there
    may be stale, and then no waiting helps. The argument of a commit is what waits to be sent before it."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    committing = work in _COMMITS and not any(arguments)
    return code & 0xFF == sqlite3.SQLITE_BUSY and (committing or not driver.in_transaction)


async def _cross(driver: aiosqlite.Connection, work: Callable[..., _T], *arguments: Any) -> _T:
    try:
        # `_conn`, because its complaint about a closed connection is the one that SQLAlchemy knows.
        return await _queued(driver, work, driver._conn, *arguments)
    except asyncio.CancelledError:
        await _until_idle(driver, interrupt=work not in _COMMITS)
        raise


async def _queued(driver: aiosqlite.Connection, work: Callable[..., _T], *arguments: Any) -> _T:
    # aiosqlite logs the arguments and exceptions that it is given: hashes and keys are among the former, and what
    # sqlite3 could not decode is repeated in the latter.
    def run() -> tuple[_T | None, BaseException | None]:
        try:
            return work(*arguments), None
        except BaseException as error:  # noqa: BLE001 - raised again below, in the task that waits
            return None, error

    result, failure = await driver._execute(run)  # type: ignore[no-untyped-call]
    if failure is None:
        return cast(_T, result)
    try:
        raise failure
    finally:
        del failure  # or its traceback and this frame would keep each other, and cursors with them


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


async def close_through(driver: aiosqlite.Connection, streams: list[sqlite3.Cursor]) -> None:
    """Close, however often this task is cancelled meanwhile."""

    async def close() -> None:
        with suppress(ValueError):  # closed already
            await _queued(driver, close_cursors, driver._conn, *streams)
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


def execute(connection: sqlite3.Connection, operation: str, parameters: Any) -> Outcome:
    cursor = connection.cursor()
    try:
        cursor.execute(operation, parameters)
        description = cursor.description
        rows = cursor.fetchall() if description else []
        return description, rows, cursor.rowcount, cursor.lastrowid
    finally:
        cursor.close()  # also after an error: else its traceback would keep the cursor, and end it in another thread


def execute_many(connection: sqlite3.Connection, operation: str, parameters: Any) -> Outcome:
    cursor = connection.cursor()
    try:
        cursor.executemany(operation, parameters)
        return None, [], cursor.rowcount, cursor.lastrowid
    finally:
        cursor.close()


def open_cursor(connection: sqlite3.Connection, operation: str, parameters: Any) -> sqlite3.Cursor:
    return connection.execute(operation, parameters)


def fetch(_connection: sqlite3.Connection, cursor: sqlite3.Cursor, size: int | None) -> list[Any]:
    return cursor.fetchall() if size is None else cursor.fetchmany(size)


def close_cursors(_connection: sqlite3.Connection, *cursors: sqlite3.Cursor) -> None:
    for cursor in cursors:
        cursor.close()


def after(connection: sqlite3.Connection, waiting: deque[Waiting], work: Callable[..., _T], *arguments: Any) -> _T:
    """Send what waits, then do the work. What was sent waits no more, also when this is tried again.

    What failed waits on: no commit goes past it.
    """
    while waiting:
        first = waiting[0]
        if not (first.operation.startswith("BEGIN ") and connection.in_transaction):
            (execute_many if first.many else execute)(connection, first.operation, first.parameters)
        waiting.popleft()
    return work(connection, *arguments)


def commit(connection: sqlite3.Connection) -> None:
    connection.commit()


def commit_after(connection: sqlite3.Connection, waiting: deque[Waiting]) -> None:
    """Send what waits, then commit."""
    after(connection, waiting, commit)


def rollback(connection: sqlite3.Connection) -> None:
    connection.rollback()


def set_isolation_level(connection: sqlite3.Connection, level: Any) -> None:
    connection.isolation_level = level


def _nothing(_connection: sqlite3.Connection) -> None:
    pass


NEVER_TWICE = frozenset({execute_many, fetch})
"""What a second try would partly repeat: in autocommit each row of an executemany stands by itself."""

_COMMITS = frozenset({commit, commit_after})
