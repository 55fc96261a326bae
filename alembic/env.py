"""Runs the revisions: on which database, and what the owner is told.

How the transactions go is in socrates/cli/migrating.py.

Exit status: 0; 1 when rows went to quarantine for another reason than a missing project; 2 when refused, and then the
database is as it was.

A program that calls Alembic (its configuration has no `cmd_opts`) gets exceptions instead, and nothing is printed. In
the configuration's attributes it may hand over "options", what `-x` gives at a terminal, and "only_new": touch nothing
but an empty file. `socrates.database.migrations.create_schema` is the one such program here.
"""

import json
import os
import sys
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError

from socrates.cli.migrating import look, migrate_postgres, migrate_sqlite, rehearse
from socrates.cli.migration_report import outcome, print_outcome, progress_bar, require_report_place, write_report
from socrates.config import Settings
from socrates.database.urls import database_url, sqlite_path
from socrates.errors import MigrationError, SocratesError
from socrates.models import Base
from socrates.v1.backup import with_notes
from socrates.v1.importer import Progress
from socrates.v1.migration import ATTRIBUTE, Migration
from socrates.v1.migration_guards import require_v1_file
from socrates.v1.options import Options, asks_for_json, parse_options
from socrates.v1.reading import printable

REFUSED, QUARANTINED, INTERRUPTED = 2, 1, 130


def _only_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Leave v1's backups, and tables that others made, out of comparisons."""
    return kind != "table" or name in Base.metadata.tables


CONFIGURATION: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "include_name": _only_ours,
    "render_as_batch": True,
    "transactional_ddl": True,  # SQLite's dialect denies it; without it a failing upgrade would commit the renames
    "transaction_per_migration": False,
}


def _url(options: Options) -> sa.URL:
    return database_url(Settings(), options.url, context.config.get_main_option("sqlalchemy.url"))


def run(options: Options, progress: Progress) -> Migration:
    """Do what Alembic was asked to, on the database that the options, the environment or alembic.ini name."""
    url = _url(options)
    path = sqlite_path(url)
    require_report_place(options, path)
    if options.v1 is not None:
        require_v1_file(options.v1)
    if path is None:
        migration = Migration(options, None, progress, shown_as=url.render_as_string(hide_password=True))
        context.config.attributes[ATTRIBUTE] = migration
        migrate_postgres(url, migration, _run_revisions, context.config.attributes.get("lock_timeout"))
        return migration
    migration = Migration(options, path, progress)
    context.config.attributes[ATTRIBUTE] = migration
    if not _is_migrating():
        look(path, migration, _only_look)
    elif options.dry_run:
        return rehearse(path, options, progress, _run_revisions)
    else:
        migrate_sqlite(migration, _run_revisions)
    return migration


def _is_migrating() -> bool:
    """Tell `upgrade`, `downgrade` and `stamp` from commands that only look, such as `current` and `check`."""
    try:
        context.get_revision_argument()
    except KeyError:
        return False
    return True


def _only_look(connection: sa.Connection, _migration: Migration) -> bool:
    context.configure(connection=connection, dont_mutate=True, **CONFIGURATION)
    context.run_migrations()
    return False


def _run_revisions(connection: sa.Connection, migration: Migration) -> bool:
    """Run what Alembic was asked for; tell whether there is something to commit."""
    if not _is_migrating():
        return _only_look(connection, migration)
    if context.config.attributes.get("only_new") and not migration.is_new(connection, context.get_head_revision()):
        return False  # another process has made the schema since the caller looked
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


def _write_script(options: Options) -> None:
    """`--sql`: the DDL for an empty database, on standard output."""
    if str(context.get_starting_revision_argument()) != "None":
        raise MigrationError("--sql writes the script for an empty database only")
    context.configure(url=_url(options), literal_binds=True, dialect_opts={"paramstyle": "named"}, **CONFIGURATION)
    with context.begin_transaction():
        context.run_migrations()


def _tell(migration: Migration, options: Options) -> None:
    """Print and write the outcome. It is done by now: not even a failure here changes that, or the exit status."""
    try:
        if options.report is not None:
            write_report(migration, options.report)
        if options.json:
            print(json.dumps(outcome(migration), indent=2))
        else:
            print_outcome(migration)
        sys.stdout.flush()
    except OSError as error:
        print(f"error: it is done, but could not be reported: {error}", file=sys.stderr)
        sys.stdout = open(os.devnull, "w")  # Python would fail on the same stream once more at its exit
    if migration.report is not None and migration.report.damaged:
        raise SystemExit(QUARANTINED)


def _tell_failure(error: BaseException, meaning: str, as_json: bool, prefix: str = "") -> None:
    message = with_notes(meaning, error)
    if as_json:
        print(json.dumps({"error": {"kind": type(error).__name__, "message": message}}, indent=2))
    else:
        print("\n".join(map(printable, f"{prefix}{message}".split("\n"))), file=sys.stderr)


def _meaning(error: Exception) -> str:
    if isinstance(error, CommandError) and str(error).startswith("Can't locate revision"):
        return (
            f"{error}. Nothing was changed. If a newer socrates made the database, install that version; if another "
            "program did, it is not for us."
        )
    return str(error)


def _state_after_interrupt() -> str:
    migration = context.config.attributes.get(ATTRIBUTE)
    if migration is None or migration.options.dry_run or (not migration.committed and migration.backup is None):
        return "nothing was changed"
    if migration.committed:
        backup = "" if migration.backup is None else f"; the backup is {migration.backup}"
        return f"but it was done already{backup}"
    return f"the database could not be proven to be as it was, so its backup is kept: {migration.backup}"


def _show_no_progress(_table: str, _done: int, _total: int) -> None:
    pass


def main() -> None:
    if context.config.cmd_opts is None and not context.is_offline_mode():
        run(parse_options(context.config.attributes.get("options", {})), _show_no_progress)
        return
    given = context.get_x_argument(as_dictionary=True)
    try:
        options = parse_options(given)
        if context.is_offline_mode():
            _write_script(options)
            return
        with progress_bar() as progress:
            migration = run(options, progress)
        if _is_migrating():
            _tell(migration, options)
    except (SocratesError, CommandError, sa.exc.SQLAlchemyError, OSError) as error:
        _tell_failure(error, _meaning(error), asks_for_json(given), "error: ")
        raise SystemExit(REFUSED) from error
    except KeyboardInterrupt as interrupt:
        _tell_failure(interrupt, f"interrupted: {_state_after_interrupt()}", asks_for_json(given))
        raise SystemExit(INTERRUPTED) from interrupt


main()
