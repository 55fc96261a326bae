"""The transactions in which migrations run, on both engines, and what is left when one fails.

One transaction holds a whole upgrade or downgrade, so that a failure or a kill at any moment leaves the old state. On
SQLite that takes `isolation_level=None` (Python's driver would commit before DDL) and a BEGIN IMMEDIATE of our own.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from socrates.config import Settings
from socrates.database import postgres_failures
from socrates.database.log_filters import LOGGING_NAME
from socrates.database.migrations import current_revision
from socrates.errors import BusyError, ConfigurationError, DatabaseError, MigrationError
from socrates.v1.exclusive import uninterrupted
from socrates.v1.files import (
    copy_to,
    has_hot_journal,
    read_only,
    remove_if_empty,
    require_writable,
    temporary_directory,
)
from socrates.v1.importer import Progress
from socrates.v1.migration import Migration
from socrates.v1.options import Options
from socrates.v1.sqlite_errors import explained, sqlite_cause

_LOCK_SECONDS = 5
# Any number will do as long as nobody else uses it: "socrates" as ASCII, in 8 bytes.
_ADVISORY_LOCK = int.from_bytes(b"socrates", "big")

Work = Callable[[sa.Connection, Migration], bool]
"""Runs revisions on a connection; returns whether there is something to commit."""


def look(path: Path, migration: Migration, work: Work) -> None:
    """Let `work` read a SQLite file. Nothing is written, whatever it tries. Raises DatabaseError."""
    with read_only(path, migration.remarks) as raw:
        engine = sa.create_engine("sqlite://", creator=lambda: raw, poolclass=sa.StaticPool)
        with engine.connect() as connection:
            work(connection, migration)


def rehearse(path: Path, options: Options, progress: Progress, work: Work) -> Migration:
    """Do it all on a copy of a SQLite file, which is gone afterwards. Raises DatabaseError."""
    with temporary_directory("socrates-dry-run-", options.backup_dir) as directory:
        copy = directory / path.name
        migration = Migration(replace(options, backup_dir=directory), copy, progress, shown_as=str(path))
        require_writable(path)
        if path.exists():
            copy_to(path, copy, migration.remarks)
        migrate_sqlite(migration, work)
    return migration


def migrate_sqlite(migration: Migration, work: Work) -> None:
    """Run `work` on the migration's file in one transaction. Raises DatabaseError, and then the file is as it was."""
    path = migration.database
    if path is None:
        raise DatabaseError("this migration has no file")
    require_writable(path)
    was_missing = not path.exists()
    try:
        _migrate_in_one_transaction(path, migration, work)
    except (sqlite3.Error, sa.exc.SQLAlchemyError, DatabaseError) as error:
        cause = None if isinstance(error, DatabaseError) else sqlite_cause(error)
        failure: Exception = error if cause is None else explained(cause, Path(migration.name))
        with uninterrupted():
            raise _with_backup(failure, migration) from error
    except BaseException:
        with uninterrupted():
            migration.undo()
        raise
    finally:
        # SQLite makes an empty file to look into it.
        removed = was_missing and not migration.committed and remove_if_empty(path)
    if removed:
        raise MigrationError(f"there is no file {migration.name}. Nothing was changed, and only an upgrade makes one.")


def _migrate_in_one_transaction(path: Path, migration: Migration, work: Work) -> None:
    journal = has_hot_journal(path)
    engine = sa.create_engine(
        sa.URL.create("sqlite"),
        creator=lambda: sqlite3.connect(path, isolation_level=None, timeout=_LOCK_SECONDS),
        poolclass=sa.NullPool,
        hide_parameters=True,
        logging_name=LOGGING_NAME,
    )
    sa.event.listen(engine, "connect", _set_pragmas)
    sa.event.listen(engine, "begin", _begin_immediate)
    _require_alone(path)
    with _connected(engine) as connection:
        transaction = connection.begin()
        if journal and not has_hot_journal(path):
            migration.remarks.append("a journal that a crash had left was rolled back by SQLite first")
        if work(connection, migration):
            with uninterrupted():
                transaction.commit()
                migration.committed = True


def _require_alone(path: Path) -> None:
    """Raises sqlite3.Error when a program has a database of ours open: it would go on with a schema that is gone.

    Such a database is in WAL mode, where that can be seen. In a v1 file `_begin_immediate` meets whoever is at work.
    """
    if not _is_ours(path):
        return
    with closing(sqlite3.connect(path, isolation_level=None, timeout=_LOCK_SECONDS)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("ROLLBACK")


def _is_ours(path: Path) -> bool:
    if not path.exists():
        return False
    with closing(sqlite3.connect(path, isolation_level=None, timeout=_LOCK_SECONDS)) as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()
        return mode == ("wal",) and current_revision(connection) is not None


@contextmanager
def _connected(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection that Ctrl-C does not keep from rolling back and closing: SQLAlchemy would print a traceback."""
    connection = engine.connect()
    try:
        yield connection
    finally:
        with uninterrupted():
            connection.close()


def _with_backup(failure: Exception, migration: Migration) -> Exception:
    """`failure`, and where the backup is if the file could not be proven to be as it was."""
    migration.undo()
    if migration.backup is None or migration.committed:
        return failure
    text = str(failure).replace("Nothing was changed.", "").strip()
    return MigrationError(
        f"{text}\nThe database could not be proven to be as it was, so its backup is kept: {migration.backup}. "
        f"If there is a file {migration.database}-journal, leave it there: SQLite rolls it back at the next opening."
    )


def _set_pragmas(raw: Any, _record: object) -> None:
    # Off, for DROP TABLE and batch operations would run the CASCADEs of tables that stay. Checked before the commit.
    raw.execute("PRAGMA foreign_keys = OFF")
    raw.execute("PRAGMA legacy_alter_table = OFF")  # foreign keys are to follow a renamed table
    raw.execute("PRAGMA cache_size = -16000")  # 16 MB: the inner pages of all new tables stay in memory
    raw.execute("PRAGMA temp_store = MEMORY")


def _begin_immediate(connection: sa.Connection) -> None:
    # An exclusive lock, for a moment: a reader elsewhere would let us work and refuse us at the commit.
    connection.exec_driver_sql("BEGIN EXCLUSIVE")
    connection.exec_driver_sql("ROLLBACK")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def migrate_postgres(url: sa.URL, migration: Migration, work: Work, patience: float | None = None) -> None:
    """Run `work` in one transaction, alone: a second migration waits.

    Raises BusyError when another migration, or a program at work, keeps the database for longer than `patience`
    (seconds; by default the setting lock_timeout), MigrationError and ConfigurationError. Then nothing was changed.
    """
    seconds = Settings().lock_timeout if patience is None else patience
    engine = _postgres_engine(url)
    try:
        asyncio.run(_migrate_postgres(engine, migration, work, seconds))
    except OSError as error:
        raise MigrationError(f"{migration.name} cannot be reached: {error}. Is the server running?") from error
    except (sa.exc.DBAPIError, engine.dialect.loaded_dbapi.Error) as error:
        cause = getattr(error, "orig", None) or error
        if postgres_failures.code(cause) == postgres_failures.LOCK_TIMEOUT:
            raise BusyError(
                f"another migration of {migration.name}, or a program that works on it, kept it locked for longer than "
                f"{seconds:g} seconds (the setting lock_timeout). Nothing was changed. Try again when it is done."
            ) from error
        raise MigrationError(f"PostgreSQL reports: {cause}. Nothing was changed.") from error


def _postgres_engine(url: sa.URL) -> AsyncEngine:
    try:
        engine = create_async_engine(
            url,
            poolclass=sa.NullPool,
            isolation_level="READ COMMITTED",
            hide_parameters=True,
            logging_name=LOGGING_NAME,
        )
        from socrates.database.postgres_connection import forget_values  # noqa: PLC0415 - its driver is an extra
    except ModuleNotFoundError as error:
        raise ConfigurationError("PostgreSQL needs its driver: pip install 'socrates[postgres]'") from error
    forget_values(engine)
    return engine


async def _migrate_postgres(engine: AsyncEngine, migration: Migration, work: Work, patience: float) -> None:
    connection = engine.connect()
    try:
        await connection.start()
    except (TypeError, ValueError) as error:
        raise ConfigurationError("the PostgreSQL URL has a parameter that the driver does not know") from error
    async with aclosing(connection):
        transaction = await connection.begin()
        milliseconds = str(max(1, round(patience * 1000)))
        await connection.execute(sa.select(sa.func.set_config("lock_timeout", milliseconds, True)))
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        if await connection.run_sync(work, migration) and not migration.options.dry_run:
            with uninterrupted():
                await transaction.commit()
                migration.committed = True
