"""Runs the revisions: on which database, in which transaction, and what the owner is told.

One transaction holds a whole upgrade or downgrade, on both engines, so that a failure or a kill at any moment leaves
the old state. On SQLite that takes `isolation_level=None` (Python's driver would commit before DDL), a BEGIN IMMEDIATE
of our own, and `transactional_ddl=True`, which the dialect denies.

Exit status: 0; 1 when rows went to quarantine for another reason than a missing project; 2 when refused, and then the
database is as it was.
"""

import asyncio
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError
from sqlalchemy.ext.asyncio import create_async_engine

from socrates.cli.migration_report import print_outcome, progress_bar, write_report
from socrates.config import Settings
from socrates.database.urls import database_url, sqlite_path
from socrates.errors import ConfigurationError, MigrationError, SocratesError
from socrates.models import Base
from socrates.v1.files import copy_to, has_hot_journal, require_writable
from socrates.v1.migration import ATTRIBUTE, Migration
from socrates.v1.options import Options, parse_options
from socrates.v1.sqlite_errors import explained, sqlite_cause

REFUSED, QUARANTINED, INTERRUPTED = 2, 1, 130
_LOCK_SECONDS = 5
# Any number will do as long as nobody else uses it: "socrates" as ASCII, in 8 bytes.
_ADVISORY_LOCK = int.from_bytes(b"socrates", "big")


def _only_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Leave v1's backups, and tables that others made, out of comparisons."""
    return kind != "table" or name in Base.metadata.tables


CONFIGURATION: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "include_name": _only_ours,
    "render_as_batch": True,
    "transactional_ddl": True,
    "transaction_per_migration": False,
}


def run(options: Options) -> Migration:
    """Do what Alembic was asked to, on the database that the options, the environment or alembic.ini name."""
    url = database_url(Settings(), options.url, context.config.get_main_option("sqlalchemy.url"))
    with progress_bar() as progress:
        path = sqlite_path(url)
        if path is None:
            migration = Migration(options, None, progress, shown_as=url.render_as_string(hide_password=True))
            _run_on_postgres(url, migration)
        elif options.dry_run:
            migration = _dry_run(path, options, progress)
        else:
            migration = Migration(options, path, progress)
            _run_on_sqlite(path, migration)
    return migration


def _dry_run(path: Path, options: Options, progress: Any) -> Migration:
    with TemporaryDirectory(prefix="socrates-dry-run-", dir=options.backup_dir) as directory:
        copy = Path(directory) / path.name
        if path.exists():
            copy_to(path, copy)
        migration = Migration(replace(options, backup_dir=Path(directory)), copy, progress, shown_as=str(path))
        _run_on_sqlite(copy, migration)
    return migration


def _run_on_sqlite(path: Path, migration: Migration) -> None:
    require_writable(path)
    existed = path.exists()
    journal = existed and has_hot_journal(path)
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"isolation_level": None, "timeout": _LOCK_SECONDS},
        poolclass=sa.NullPool,
    )
    sa.event.listen(engine, "connect", _set_pragmas)
    sa.event.listen(engine, "begin", _begin_immediate)
    try:
        with engine.connect() as connection, connection.begin() as transaction:
            if journal and not has_hot_journal(path):
                migration.remarks.append("a journal that a crash had left was rolled back by SQLite first")
            if not _run_revisions(connection, migration):
                transaction.rollback()
    except (sqlite3.Error, sa.exc.SQLAlchemyError) as error:
        migration.undo()
        cause = sqlite_cause(error)
        raise explained(cause, path) if cause is not None else error from error
    except BaseException:
        migration.undo()
        raise
    finally:
        if not existed and path.exists() and path.stat().st_size == 0:
            path.unlink()  # SQLite makes the file as soon as one looks


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


def _run_on_postgres(url: sa.URL, migration: Migration) -> None:
    async def run_async() -> None:
        try:
            engine = create_async_engine(url, poolclass=sa.NullPool)
        except ModuleNotFoundError as error:
            raise ConfigurationError("PostgreSQL needs its driver: pip install 'socrates[postgres]'") from error
        async with engine.connect() as connection, connection.begin() as transaction:
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            worth_keeping = await connection.run_sync(_run_revisions, migration)
            if migration.options.dry_run or not worth_keeping:
                await transaction.rollback()

    asyncio.run(run_async())


def _run_revisions(connection: sa.Connection, migration: Migration) -> bool:
    """Run what Alembic was asked for; tell whether there is something to commit."""
    had_versions = _has_versions(connection)
    context.config.attributes[ATTRIBUTE] = migration
    context.configure(connection=connection, **CONFIGURATION)
    with context.begin_transaction():
        context.run_migrations()
    migration.check_foreign_keys(connection)
    if migration.options.v1 is not None and migration.report is None:
        raise MigrationError(
            f"-x v1={migration.options.v1} imports into an empty database, and this one has its schema already. "
            "Nothing was changed. Name an empty database."
        )
    if not _has_versions(connection):
        return False
    if connection.scalar(sa.text("SELECT count(*) FROM alembic_version")) > 0:
        migration.check_schema(connection)
        return True
    if had_versions:
        connection.execute(sa.text("DROP TABLE alembic_version"))  # v1 had none, and base means nothing of ours
    return had_versions


def _has_versions(connection: sa.Connection) -> bool:
    return sa.inspect(connection).has_table("alembic_version")


def _write_script() -> None:
    """`--sql`: the DDL for an empty database, on standard output."""
    options = parse_options(context.get_x_argument(as_dictionary=True))
    url = database_url(Settings(), options.url, context.config.get_main_option("sqlalchemy.url"))
    context.configure(url=url, literal_binds=True, dialect_opts={"paramstyle": "named"}, **CONFIGURATION)
    with context.begin_transaction():
        context.run_migrations()


def _is_migrating() -> bool:
    """Tell `upgrade` and `downgrade` from commands that only look, such as `current` and `check`."""
    try:
        context.get_revision_argument()
    except KeyError:
        return False
    return True


def _tell(migration: Migration, options: Options) -> None:
    if options.report is not None:
        write_report(migration, options.report)
    print_outcome(migration)
    if migration.report is not None and migration.report.damaged:
        raise SystemExit(QUARANTINED)


def main() -> None:
    if context.is_offline_mode():
        _write_script()
        return
    if context.config.cmd_opts is None:  # called from code, which wants exceptions and prints for itself
        run(parse_options({}))
        return
    try:
        options = parse_options(context.get_x_argument(as_dictionary=True))
        migration = run(options)
    except (SocratesError, CommandError, sa.exc.SQLAlchemyError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(REFUSED) from error
    except KeyboardInterrupt as interrupt:
        print("interrupted: nothing was changed", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from interrupt
    if _is_migrating():
        _tell(migration, options)


main()
