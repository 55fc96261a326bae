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
from socrates.v1.sqlite_errors import explained

_HEADER = b"SQLite format 3\x00"
_ANY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_WAIT_SECONDS = 5.0


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
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that reads the committed content of `path` and changes nothing, neither it nor what is beside it.

    Where a crash left a journal, SQLite would have to roll it back in place; then a copy of both is read instead.
    """
    require_readable(path)
    if not has_hot_journal(path):
        with closing(_open(path, "mode=ro")) as connection:
            yield connection
        return
    with TemporaryDirectory(prefix="socrates-") as directory:
        copy = Path(directory) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(_journal(path), _journal(copy))
        with closing(_open(copy, "mode=rw")) as connection:
            yield connection


def copy_to(path: Path, copy: Path) -> None:
    """Write the committed content of `path` to the new file `copy`, by SQLite's backup API."""
    with read_only(path) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def _open(path: Path, query: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?{query}"
    connection = sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS, isolation_level=None)
    try:
        # A read transaction, held until the end: whoever has a lock is met here, and nobody changes what is read.
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise explained(error, path) from error
    return connection


def _journal(path: Path) -> Path:
    resolved = path.resolve()
    return resolved.with_name(resolved.name + "-journal")
