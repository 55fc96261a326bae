"""The file that is migrated or imported from: may it be used at all, and how is it read without touching it."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from socrates.errors import MigrationError
from socrates.v1.exclusive import uninterrupted
from socrates.v1.sqlite_errors import explained

_HEADER = b"SQLite format 3\x00"
_ANY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_WAIT_SECONDS = 5.0
_HEADER_BYTES = 100
_STEP = 1024 * 1024


class UnreadableSchemaError(MigrationError):
    """The database is damaged where its tables are listed: Python cannot even read SQLite's names for them."""


def require_readable(path: Path) -> None:
    """Raises MigrationError unless `path` is a SQLite file, or empty, that may be read."""
    _require_regular(path)
    try:
        usable = path.stat().st_size == 0 or is_sqlite(path)
    except OSError as error:
        raise MigrationError(f"{path} cannot be read: {error.strerror}. Nothing was changed.") from error
    if not usable:
        raise MigrationError(
            f"{path} is not a SQLite database, or it is encrypted. Nothing was changed. "
            "Name the file projects.db that v1 wrote."
        )


def is_sqlite(path: Path) -> bool:
    """Tell whether `path` begins as a SQLite database does. Raises OSError."""
    with path.open("rb") as file:
        return file.read(len(_HEADER)) == _HEADER


def require_writable(path: Path) -> None:
    """Raises MigrationError unless `path` is a SQLite file that may be changed, or may be made.

    The mode bits are asked as well as the system: what an owner has marked read-only is not to be changed, not even
    by an administrator, whom the bits don't stop.
    """
    if not path.parent.is_dir():
        raise MigrationError(f"there is no directory {path.parent}. Make it first, or name another database.")
    if path.exists() or path.is_symlink():
        require_readable(path)
        _require_write_access(path, "the file")
    _require_write_access(path.resolve().parent, "its directory, where SQLite keeps its journal,")


def _require_regular(path: Path) -> None:
    if path.is_dir():
        raise MigrationError(f"{path} is a directory. Name the file projects.db in it. Nothing was changed.")
    if not path.exists():
        raise MigrationError(f"there is no file {path}. Name the projects.db that v1 wrote. Nothing was changed.")
    if not path.is_file():
        raise MigrationError(f"{path} is not a regular file. Nothing was changed.")


def _require_write_access(path: Path, what: str) -> None:
    if not path.stat().st_mode & _ANY_WRITE or not os.access(path, os.W_OK):
        raise MigrationError(
            f"{what} {path} is read-only. Nothing was changed. Make it writable, or import it into an empty database "
            "elsewhere with -x v1=PATH."
        )


def has_hot_journal(path: Path) -> bool:
    """Tell whether a rollback journal with content lies beside `path`: a crash left it, or a writer holds it."""
    journal = _journal(path)
    try:
        with journal.open("rb") as file:
            return any(file.read(8))
    except FileNotFoundError:
        return False


@contextmanager
def read_only(path: Path, remarks: list[str] | None = None) -> Iterator[sqlite3.Connection]:
    """A connection that reads the committed content of `path`, and does not change the file.

    Where a crash left a journal, SQLite would have to roll it back in place; then a copy of both is read instead, and
    `remarks` gets a sentence about it. (Beside a file in WAL mode SQLite makes its -wal and -shm even to read.) Raises
    MigrationError.
    """
    require_readable(path)
    try:
        connection = _open(path, "mode=ro")
    except sqlite3.Error as error:
        if error.sqlite_errorname != "SQLITE_READONLY_ROLLBACK":
            raise explained(error, path) from error
    else:
        with closing(connection):
            yield connection
        return
    # SQLite says so only when nobody holds the journal's lock: it is a crash's, not that of a program at work.
    with temporary_directory("socrates-") as directory:
        copy = directory / path.name
        _copy_with_journal(path, copy)
        if remarks is not None:
            remarks.append(f"a journal that a crash had left beside {path} was rolled back in a copy of both")
        try:
            recovered = _open(copy, "mode=rw")
        except sqlite3.Error as error:
            raise explained(error, path) from error
        with closing(recovered):
            yield recovered


@contextmanager
def temporary_directory(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A directory for the time of the block. Python's own leaves copies behind when Ctrl-C comes as it removes them."""
    with uninterrupted():
        directory = TemporaryDirectory(prefix=prefix, dir=parent)
    try:
        yield Path(directory.name)
    finally:
        with uninterrupted():
            directory.cleanup()


def _copy_with_journal(path: Path, copy: Path) -> None:
    pairs = ((path, copy), (_journal(path), _journal(copy)))
    try:
        before = [_fingerprint(source) for source, _ in pairs]
        for source, target in pairs:
            shutil.copyfile(source, target)
        after = [_fingerprint(source) for source, _ in pairs]
    except OSError as error:
        raise MigrationError(f"{path} could not be copied with its journal: {error}. Nothing was changed.") from error
    if before != after:
        raise MigrationError(f"{path} changed while it was read. Close what uses it. Nothing was changed.")


def _fingerprint(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def copy_to(path: Path, copy: Path, remarks: list[str]) -> None:
    """Write the committed content of `path` to the new file `copy`, by SQLite's backup API. Raises MigrationError."""
    with read_only(path, remarks) as source, closing(sqlite3.connect(copy)) as target:
        try:
            source.backup(target)
        except sqlite3.Error as error:
            raise explained(error, path) from error


def remove_if_empty(path: Path) -> bool:
    """Remove the file that SQLite made when it was asked to open a missing one; tell whether that was done.

    Not when somebody else works on it, or it cannot be locked. The lock is held until it is gone, so that nobody begins
    to in between; who has it open and begins afterwards gets SQLite's error that the file was moved.
    """
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=0)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            if path.stat().st_size:
                return False
            path.unlink()
            return True
    except sqlite3.Error:
        return False


def is_rolled_back(path: Path) -> bool:
    """After a failure, let SQLite roll back what it still has to, and tell whether it could."""
    try:
        with closing(_open(path, "mode=rw")) as connection:
            connection.execute("ROLLBACK")
            # What a write-ahead log holds goes to the file, be it that somebody has the database open still: the failed
            # connection itself is, as long as a traceback holds one of its cursors.
            connection.execute("PRAGMA wal_checkpoint")
            return not has_hot_journal(path)
    except (sqlite3.Error, OSError):
        return False


def same_content(database: Path, backup: Path) -> bool:
    """Tell whether a database is page for page what its backup holds. Counters of changes in the header don't count."""
    if database.stat().st_size != backup.stat().st_size:
        return False
    with database.open("rb") as one, backup.open("rb") as other:
        if _without_counters(one.read(_HEADER_BYTES)) != _without_counters(other.read(_HEADER_BYTES)):
            return False
        while part := one.read(_STEP):
            if part != other.read(_STEP):
                return False
    return True


def _without_counters(header: bytes) -> tuple[bytes, bytes]:
    """A database's header without the journal mode (18-19), which a backup does not share, the change counter (24-27),
    the schema cookie (40-43), which a backup sets anew, and what depends on the counter and the writer (92-99)."""
    return header[:18], header[20:24] + header[28:40] + header[44:92]


def _open(path: Path, query: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?{query}"
    connection = sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS, isolation_level=None)
    try:
        # A read transaction, held until the end: whoever has a lock is met here, and nobody changes what is read.
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
    except sqlite3.Error:
        connection.close()
        raise
    except UnicodeDecodeError as error:
        connection.close()
        raise UnreadableSchemaError(
            f"{path} is damaged: its schema is not text. Nothing was changed. Run socrates db repair on it, or restore "
            "a backup."
        ) from error
    return connection


def _journal(path: Path) -> Path:
    resolved = path.resolve()
    return resolved.with_name(resolved.name + "-journal")
