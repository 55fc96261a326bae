"""What a database holds, in figures by which an owner can tell two of them apart."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from socrates.errors import MigrationError, NotRecognisedError, SchemaError
from socrates.v1.layout import TABLES_OF
from socrates.v1.shapes import FileKind, recognise, tables_in


@dataclass(frozen=True, slots=True)
class Contents:
    """The figures of a v1 file, an empty one, or one of ours."""

    kind: FileKind
    revision: str | None
    size: int
    """Bytes of the database as a transaction sees it."""
    users: int
    projects: int
    messages: int | None
    """None for a v1 file, where they lie inside the projects."""
    last_change: str | None
    """The latest time at which a project was changed, as stored: ours in UTC, v1's as v1 wrote it."""


def contents_of(connection: sqlite3.Connection, path: Path) -> Contents:
    """Raises NotRecognisedError for a database that is neither v1's nor ours nor empty, and sqlite3.Error."""
    kind = recognise(connection, frozenset(), str(path))
    names = tables_in(connection)  # what a view of somebody's gives may never end

    def count(table: str) -> int:
        if table not in names:
            return 0
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our own names

    changed = connection.execute("SELECT max(updated_at) FROM projects").fetchone()[0] if "projects" in names else None
    return Contents(
        kind,
        _revision(connection) if kind is FileKind.OURS else None,
        size_of(connection),
        count("users"),
        count("projects"),
        None if kind is FileKind.V1 else count("conversation_messages"),
        None if changed is None else str(changed),
    )


def size_of(connection: sqlite3.Connection) -> int:
    """The bytes of a database as a transaction sees it, which in WAL mode is not the size of its file."""
    (pages,), (size,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    return int(pages * size)


def require_of_us(connection: sqlite3.Connection, contents: Contents, path: Path) -> None:
    """Raises NotRecognisedError for another program's database that bears a revision, as ours do."""
    if contents.kind is FileKind.OURS and "v1_import_runs" not in tables_in(connection):
        raise NotRecognisedError(f"{path} bears a revision, but is not a database of ours. Nothing was changed.")


def require_usable(connection: sqlite3.Connection, contents: Contents, head: str, path: Path) -> None:
    """Raises NotRecognisedError or SchemaError unless this version, at revision `head`, can work with the database or
    upgrade it, and MigrationError unless it is sound."""
    if contents.kind is FileKind.EMPTY:
        raise NotRecognisedError(f"{path} is empty: it is no backup. Nothing was changed.")
    if contents.kind is FileKind.OURS:
        _require_revision(contents.revision, head, path)
        missing = {table.name for group in TABLES_OF.values() for table in group} - tables_in(connection)
        if missing:
            raise NotRecognisedError(
                f"{path} bears a revision, but lacks {', '.join(sorted(missing)[:5])}: it is not a database of ours. "
                "Nothing was changed."
            )
    # Not quick_check: it would not see a row that an index lacks.
    (finding,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if finding != "ok":
        raise MigrationError(
            f"{path} is damaged: {finding}. Nothing was changed. Use another backup, or repair a copy of this one "
            "first: socrates db repair."
        )


def _require_revision(revision: str | None, head: str, path: Path) -> None:
    # Revisions are numbered in their order, with leading zeros.
    if revision is None or not revision.isdecimal() or len(revision) != len(head):
        raise NotRecognisedError(f"{path} is at a revision that no version of ours has: it is another program's.")
    if revision > head:
        raise SchemaError(
            f"{path} was written by a newer socrates (revision {revision}, here {head}). Nothing was changed. Install "
            "that version, and restore with it."
        )


def _revision(connection: sqlite3.Connection) -> str | None:
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])
