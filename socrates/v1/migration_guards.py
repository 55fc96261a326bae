"""What a migration refuses: each `require_…` raises before anything is changed, and says what the owner can do."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sqlalchemy import Connection, inspect

from socrates.errors import ChangedSinceError, MigrationError, NotRecognisedError, SchemaError
from socrates.v1.check import check_source
from socrates.v1.files import read_only
from socrates.v1.layout import TABLES_OF
from socrates.v1.ledger import LEDGER_TABLES, Run
from socrates.v1.reader import V1Reader
from socrates.v1.shapes import BACKUP_SUFFIX, FileKind, backups_in, names_in, recognise
from socrates.v1.sqlite_errors import explained
from socrates.v1.target import Target


def require_v1_file(path: Path) -> None:
    """Raises MigrationError unless `path` is a file that v1 wrote. To be asked before anything else is made."""
    with read_only(path) as raw:
        try:
            kind = recognise(raw, frozenset(), str(path))
        except sqlite3.Error as error:
            raise explained(error, path) from error
        if kind is not FileKind.V1:
            raise NotRecognisedError(f"{path} is not a database that v1 wrote. Nothing was changed.")


def require_sound(raw: sqlite3.Connection, path: Path) -> None:
    """Raises MigrationError when SQLite's own check of the file at `path` finds damage.

    A truncated or damaged file can still open, and lose rows silently.
    """
    try:
        # Not quick_check: it would not see a row that an index lacks, and rows are read by their index.
        (finding,) = raw.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        raise explained(error, path) from error
    if finding != "ok":
        raise MigrationError(
            f"{path} is damaged: {finding}. Nothing was changed. Recover it first (sqlite3's .recover), "
            "or use a backup."
        )


def require_empty(connection: Connection) -> None:
    """Raises NotRecognisedError when a database on a server holds tables."""
    tables = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
    if tables:
        raise NotRecognisedError(
            f"the database is not empty: it holds {', '.join(sorted(tables)[:10])}. Nothing was changed. "
            "Name an empty database."
        )


def require_head(raw: sqlite3.Connection, head: str | None, shown: str) -> None:
    """Raises SchemaError when a database of ours is at another revision than `head`."""
    revisions = {name for (name,) in raw.execute("SELECT version_num FROM alembic_version")}
    if revisions != {head}:
        raise SchemaError(
            f"{shown} is at revision {', '.join(sorted(revisions))}, and this version works on {head}. "
            f"Nothing was changed. Upgrade it: socrates db upgrade {shown}, or: alembic upgrade head. If that "
            "does not know the file's revision, a newer version of socrates made it: install that one."
        )


def require_schema(connection: Connection, shown: str) -> None:
    """Raises NotRecognisedError when one of the tables that the import fills is missing, or lacks a column."""
    inspector = inspect(connection)
    for table in (table for group in TABLES_OF.values() for table in group):
        columns = (
            {column["name"] for column in inspector.get_columns(table.name)}
            if inspector.has_table(table.name)
            else set()
        )
        if not columns.issuperset(table.names):
            raise _not_upgraded(shown, table.name)


def _not_upgraded(shown: str, table: str) -> NotRecognisedError:
    return NotRecognisedError(
        f"{shown} is marked as upgraded, but its table {table} is missing or another. Nothing was "
        "changed. If it is a v1 database, remove the mark (DROP TABLE alembic_version), then upgrade it."
    )


def require_references(raw: sqlite3.Connection) -> None:
    """Raises MigrationError when a row that the import wrote refers to one that is not there."""
    there = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for name in there.intersection(own_tables()):
        broken = raw.execute(f'PRAGMA foreign_key_check("{name}")').fetchone()
        if broken is not None:
            raise MigrationError(f"a row of {name} refers to one that {broken[2]} does not hold")


def require_free_names(raw: sqlite3.Connection, ours: frozenset[str], shown: str) -> None:
    """Raises NotRecognisedError when something bears a name, of those in `ours`, that is about to be added."""
    in_the_way = sorted(name for name in names_in(raw) if name.lower() in ours)
    if in_the_way:
        raise NotRecognisedError(
            f"{shown} holds tables or indexes that bear names of the new schema: {', '.join(in_the_way)}. "
            "Nothing was changed. Rename or remove them, then run the upgrade again."
        )


def require_free_columns(connection: Connection, table: str, columns: Iterable[str], shown: str) -> None:
    """Raises NotRecognisedError when `table` is not there, or has a column already that is about to be added."""
    inspector = inspect(connection)
    if not inspector.has_table(table):
        raise _not_upgraded(shown, table)
    there = {column["name"].lower() for column in inspector.get_columns(table)}
    in_the_way = [column for column in columns if column in there]
    if in_the_way:
        raise NotRecognisedError(
            f"in {shown} the table {table} has columns that bear names of the new schema: {', '.join(in_the_way)}. "
            "Nothing was changed. Rename or remove them, then run the upgrade again."
        )


def require_v1_tables(backups: Mapping[str, str], run: Run | None) -> None:
    """Raises MigrationError when a table that `run` imported in place is no longer among `backups`, set aside."""
    if run is None or run.options.get("v1") is not None:
        return
    gone = [name + BACKUP_SUFFIX for name in run.options["tables"] if name not in backups]
    if gone:
        raise MigrationError(
            f"v1's rows are gone: there is no {', '.join(gone)}. Nothing was changed. "
            "A downgrade would lose everything; restore a backup file instead."
        )


def require_v1_rows(raw: sqlite3.Connection, target: Target, run: Run) -> None:
    """Raises ChangedSinceError when the tables that are set aside do not hold what `run` imported."""
    found = check_source(V1Reader(raw, backups_in(raw)), target, run)
    if not found.proven:
        raise ChangedSinceError(
            f"v1's tables no longer hold what was imported: changed {found.differing}; gone {found.missing}; "
            f"added {found.unaccounted}. "
            "Nothing was changed. To have them as they are now, run it again with -x discard=1"
        )


def filled(target: Target, tables: Sequence[str]) -> list[str]:
    """Return those of `tables` that hold a row."""
    return [name for name in tables if target.query(f"SELECT 1 FROM {name} LIMIT 1")]  # noqa: S608


def filled_columns(target: Target, table: str, says_something: Mapping[str, str]) -> list[str]:
    """Return those of the columns in which, by the condition beside each, a row of `table` holds something."""
    return [
        column
        for column, condition in says_something.items()
        if target.query(f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1")  # noqa: S608 - names of this package only
    ]


def own_tables() -> list[str]:
    """The tables that the import fills, children first."""
    tables = [table.name for group in reversed(TABLES_OF.values()) for table in reversed(group)]
    return [*tables, *LEDGER_TABLES]
