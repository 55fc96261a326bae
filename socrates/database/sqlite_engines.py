"""The engines of a SQLite file: one writer, queued in this process, and a pool of read-only readers."""

import asyncio
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, ExceptionContext, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from socrates.config import CacheConfig, Settings
from socrates.database import onehop
from socrates.database.dependencies import Dependencies
from socrates.database.engines import Engines
from socrates.database.log_filters import LOGGING_NAME, silence_aiosqlite
from socrates.database.sqlite_coherence import SQLiteCoherence
from socrates.database.sqlite_connection import ONE_HOP_BUSY_MS, Role, connection_class
from socrates.database.urls import file_uri

_CACHED_STATEMENTS = 256
"""Prepared statements kept per connection; sqlite3's 128 are fewer than this package has."""


@dataclass(frozen=True, slots=True)
class SQLiteEngines(Engines):
    """`writer` has one connection, opened with BEGIN IMMEDIATE; `reader` up to ten, which cannot write."""

    path: Path

    @property
    def file(self) -> Path:
        """The same."""
        return self.path

    async def dispose(self) -> None:
        """Close all connections, and have SQLite fold the -wal file back into the database if nobody else has it open.

        The last connection that is closed does that, if it may write: readers may not.
        """
        await self.reader.dispose()
        await self.writer.dispose()
        await asyncio.to_thread(_fold, self.path)

    async def open_cache(self, config: CacheConfig, dependencies: Dependencies) -> SQLiteCoherence:
        """A cache that asks the file before every hit."""
        return await asyncio.to_thread(SQLiteCoherence, self.writer, self.path, config, dependencies)

    async def measure(self, _connection: AsyncConnection) -> tuple[int, int]:
        """The sizes of the file and of its -wal file."""
        wal = self.path.with_name(self.path.name + "-wal")
        return _size(self.path), _size(wal)

    async def inspect(self, connection: AsyncConnection) -> list[str]:
        """What SQLite finds when it reads every page."""
        return [row for row in await connection.scalars(text("PRAGMA integrity_check")) if row != "ok"]


def open_engines(path: Path, settings: Settings) -> SQLiteEngines:
    """Make the engines; no connection is opened yet.

    One writer, because SQLite lets one write at a time anyway: a queue in the process is fair and can be cancelled,
    where waiting for the file's lock is neither. Readers are opened ``mode=ro``, so that the engine and not a
    convention keeps them from writing. They run in autocommit: each statement sees one moment, and no snapshot is
    left open.
    """
    writer = _engine(path, settings, "writer", pool_size=1)
    reader = _engine(path, settings, "reader", pool_size=settings.pool_size, isolation_level="AUTOCOMMIT")
    _leave_after_failures(writer)
    if settings.sqlite_driver == "stock":
        _begin_immediate(writer)
    return SQLiteEngines(writer, reader, 1, path)


def _fold(path: Path) -> None:
    """Open and close the database once more, when there was no writer or it was not the last to go."""
    if not path.with_name(f"{path.name}-wal").exists():
        return
    uri = f"{file_uri(path)}?mode=rw"
    # Suppressed, because whoever opens the database next can do it as well.
    with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True, timeout=0)) as connection:
        connection.execute("SELECT 1 FROM sqlite_master").close()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _engine(path: Path, settings: Settings, role: Role, **options: Any) -> AsyncEngine:
    stock = settings.sqlite_driver == "stock"
    connect: dict[str, Any] = {
        "factory": connection_class(role, settings.sqlite_synchronous),
        "cached_statements": _CACHED_STATEMENTS,
        # As the first unit of work begins on it, the event loop asks the writer's connection what it starts from.
        "check_same_thread": role == "reader",
        # The stock driver cannot try again, so there SQLite does all the waiting.
        "timeout": settings.lock_timeout if stock else ONE_HOP_BUSY_MS / 1000,
    }
    if stock:
        silence_aiosqlite()
        connect["isolation_level"] = None
    else:
        options["busy_patience"] = settings.lock_timeout
        if role == "writer":
            options["transaction_mode"] = "IMMEDIATE"
    return create_async_engine(
        _url(path, "aiosqlite" if stock else onehop.OneHopDialect.driver, "ro" if role == "reader" else "rw"),
        connect_args=connect,
        poolclass=AsyncAdaptedQueuePool,
        max_overflow=0,
        pool_timeout=settings.lock_timeout,
        # Parameters hold hashes, keys and people's texts, and the messages of errors go to logs.
        hide_parameters=True,
        logging_name=LOGGING_NAME,
        **options,
    )


def _url(path: Path, driver: str, mode: str) -> URL:
    # mode=rw, not rwc: a file that somebody removed meanwhile must not come back empty.
    return URL.create(f"sqlite+{driver}", database=file_uri(path), query={"uri": "true", "mode": mode})


def _leave_after_failures(writer: AsyncEngine) -> None:
    """Have SQLAlchemy give up the connection, and with it the unit of work, where going on would be wrong.

    After some failures, such as a full disk, SQLite has rolled back the whole transaction by itself: whoever went on
    would store the second half only. After a failed COMMIT the transaction may still be open, and SQLAlchemy takes it
    for ended: the next unit of work would commit it.
    """

    @event.listens_for(writer.sync_engine, "handle_error")
    def leave(failure: ExceptionContext) -> None:
        connection = failure.connection
        if connection is None or connection.invalidated or not isinstance(failure.original_exception, sqlite3.Error):
            return
        driver = connection.connection.driver_connection
        if failure.statement is None or (driver is not None and not driver.in_transaction):
            failure.is_disconnect = True
            failure.invalidate_pool_on_disconnect = False


def _begin_immediate(writer: AsyncEngine) -> None:
    """Plain BEGIN takes the write lock with the first write only, and a snapshot that is stale by then is refused."""

    @event.listens_for(writer.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
