"""A SQLite file that is copied from or into."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import URL

from socrates.database.copying.sides import require_without_rows
from socrates.database.copying.tables import TABLES, CopiedTable, Kind, Row
from socrates.database.migrations import create_schema, current_revision, require_head
from socrates.database.urls import file_uri
from socrates.errors import BusyError, DatabaseError, InvalidValueError, MigrationError, NotRecognisedError

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class SQLiteSide:
    """A connection in a transaction."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.shown = str(path)
        self._connection = connection
        # What is not UTF-8 becomes lone surrogates, which are refused by row: Python's own error repeats the value.
        connection.text_factory = _text

    def rows(self, table: CopiedTable) -> Iterator[Row]:
        """All rows in the order of the key; SQLite hands them over one by one."""
        with _explained(self.shown), closing(self._connection.cursor()) as cursor:
            yield from cursor.execute(f"SELECT {table.names} FROM {table.name} ORDER BY {table.order}")  # noqa: S608

    def count(self, table: CopiedTable) -> int:
        with _explained(self.shown):
            (count,) = self._connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()  # noqa: S608
        return int(count)

    def other_tables(self) -> tuple[str, ...]:
        ours = {"alembic_version", *(table.name for table in TABLES)}
        return tuple(sorted(name for name in _tables(self._connection) if name not in ours))

    def objection(self, _kind: Kind, _value: object) -> str | None:
        """SQLite holds whatever the schema can."""
        return None

    def key_objection(self, _values: Sequence[object]) -> str | None:
        """Nor is a key too long."""
        return None

    def kept(self, _kind: Kind, value: object) -> object:
        """The stored form is SQLite's own."""
        return value

    def insert(self, table: CopiedTable, rows: Sequence[Row]) -> None:
        marks = ", ".join("?" * len(table.columns))
        with _explained(f"{self.shown}, {table.name}"):
            self._connection.executemany(f"INSERT INTO {table.name} ({table.names}) VALUES ({marks})", rows)  # noqa: S608

    def commit(self) -> None:
        with _explained(self.shown):
            self._connection.execute("COMMIT")


class _NewFile(SQLiteSide):
    """A file under another name, which gets its own when it is whole."""

    def __init__(self, connection: sqlite3.Connection, partial: Path, path: Path) -> None:
        super().__init__(connection, path)
        self._partial = partial
        self._path = path

    def commit(self) -> None:
        super().commit()
        self._connection.close()
        os.replace(self._partial, self._path)
        _sync(self._path.parent)


@contextmanager
def open_source(url: URL, lock_timeout: float) -> Iterator[SQLiteSide]:
    """The file at one moment. Raises NotRecognisedError, SchemaError, BusyError or DatabaseError."""
    path = Path(str(url.database))
    if not path.is_file():
        raise DatabaseError(f"there is no file {path}; name a database of socrates")
    with _explained(str(path)), _connected(path, "ro", lock_timeout) as connection:
        connection.execute("BEGIN")
        _require_ours(connection, path)
        _require_parents(connection, path)
        yield SQLiteSide(connection, path)


@contextmanager
def open_target(url: URL, lock_timeout: float) -> Iterator[SQLiteSide]:
    """The file in a transaction, or a new one beside its place. Raises MigrationError, BusyError or DatabaseError.

    A missing or empty file is made anew under a lock file (``projects.db.lock``) that programs wait for which open it.
    """
    path = Path(str(url.database))
    if path.is_dir() or not path.parent.is_dir():
        raise MigrationError(f"{path} cannot be made: name a file in a directory that is there. Nothing was copied.")
    if _is_empty(path, lock_timeout):
        with _made_anew(path, lock_timeout) as side:
            yield side
        return
    with _explained(str(path)), _connected(path, "rw", lock_timeout) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN IMMEDIATE")
        _require_ours(connection, path)
        side = SQLiteSide(connection, path)
        require_without_rows(side)
        yield side


@contextmanager
def _made_anew(path: Path, lock_timeout: float) -> Iterator[SQLiteSide]:
    # One name only: what a kill left is found, and removed, by the next attempt.
    partial = path.with_name(f"{path.name}.copying")
    try:
        with FileLock(f"{path}.lock", timeout=lock_timeout):
            if not _is_empty(path, lock_timeout):
                raise BusyError(f"another process has just filled {path}. Nothing was copied.")
            _remove(partial)
            try:
                with _new_file(partial, path, lock_timeout) as side:
                    yield side
            finally:
                _remove(partial)
    except Timeout as error:
        raise BusyError(f"another process has been preparing {path} for {lock_timeout:g} seconds") from error


@contextmanager
def _new_file(partial: Path, path: Path, lock_timeout: float) -> Iterator[SQLiteSide]:
    create_schema(partial)
    with _explained(str(path)), _connected(partial, "rw", lock_timeout) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN IMMEDIATE")
        yield _NewFile(connection, partial, path)


def _remove(partial: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def _is_empty(path: Path, lock_timeout: float) -> bool:
    """Whether there is no file, or one without a table."""
    if not path.exists() or not path.stat().st_size:
        return True
    with _explained(str(path)), _connected(path, "ro", lock_timeout) as connection:
        return not _tables(connection)


def _require_ours(connection: sqlite3.Connection, path: Path) -> None:
    if not {"alembic_version", "conversation_messages"} <= set(_tables(connection)):
        raise NotRecognisedError(f"{path} has no schema of ours: run `socrates db upgrade {path}`. Nothing was copied.")
    require_head(str(path), current_revision(connection))


def _require_parents(connection: sqlite3.Connection, path: Path) -> None:
    """SQLite checks references only for who asks it to; a target always does."""
    orphans = {table for table, *_ in connection.execute("PRAGMA foreign_key_check")}
    ours = sorted(orphans & {table.name for table in TABLES})
    if ours:
        raise DatabaseError(
            f"{path} has rows whose parents are missing ({', '.join(ours)}): run `socrates db repair {path}`. "
            "Nothing was copied."
        )


def _tables(connection: sqlite3.Connection) -> list[str]:
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [name for (name,) in names]


@contextmanager
def _connected(path: Path, mode: str, lock_timeout: float) -> Iterator[sqlite3.Connection]:
    uri = f"{file_uri(path)}?mode={mode}"
    with closing(sqlite3.connect(uri, uri=True, timeout=lock_timeout, isolation_level=None)) as connection:
        try:
            yield connection
        finally:
            # The traceback of a failure keeps cursors, and those would keep the transaction after the closing.
            with suppress(sqlite3.ProgrammingError):  # closed already
                connection.rollback()


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


@contextmanager
def _explained(shown: str) -> Iterator[None]:
    """Around what SQLite does: its errors name tables and columns, never a value."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise InvalidValueError(f"{shown} does not take a row: {error}. Nothing was copied.") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BUSY:
            raise BusyError(f"{shown} is locked by another process; close it. Nothing was copied.") from error
        if code == sqlite3.SQLITE_NOTADB:
            raise NotRecognisedError(f"{shown} is not a SQLite database. Nothing was copied.") from error
        raise DatabaseError(f"{shown}: SQLite reports: {error}. Nothing was copied.") from error


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
