"""Makes a SQLite file ready to serve: its schema at head, its journal in WAL mode.

A file that is ready is only looked at. Anything else happens under a lock file beside it (``projects.db.lock``),
because processes that start at once on a fresh path would otherwise make the tables twice, or be refused the change
to WAL.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from filelock import FileLock, Timeout

from socrates.database.migrations import create_schema, current_revision, require_head
from socrates.database.urls import file_uri
from socrates.errors import BusyError, ConfigurationError, DatabaseError, NotRecognisedError

_POLL_SECONDS = 0.005
"""Between two looks at the lock file. To make the schema takes about so long; filelock's own pause is ten times it."""


def make_ready(path: Path, lock_timeout: float) -> None:
    """Give a missing or empty file its schema, and have the file in WAL mode. Blocks; run it in a thread.

    Raises SchemaError or NotRecognisedError, with the command that mends it, for a file with any other schema than
    head; BusyError when others hold the file for `lock_timeout` seconds; DatabaseError when it cannot be read or
    written.
    """
    try:
        if _is_ready(path, lock_timeout):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock", timeout=lock_timeout, poll_interval=_POLL_SECONDS):
            if not _is_ready(path, lock_timeout):
                _prepare(path, lock_timeout)
    except Timeout as error:
        raise BusyError(f"another process has been preparing {path} for {lock_timeout:g} seconds") from error
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    except OSError as error:
        raise DatabaseError(f"{path} cannot be opened: {error}") from error


def _is_ready(path: Path, lock_timeout: float) -> bool:
    """Whether the file has a schema, at head, and is in WAL mode. Raises for a schema that is not at head."""
    if path.is_dir():
        raise ConfigurationError(f"{path} is a directory; name a file in it")
    if not path.exists() or not path.stat().st_size:
        return False
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        # SQLite would open it all the same, and refuse the first write.
        raise DatabaseError(f"{path} cannot be opened: see that the file and its directory can be written")
    with _connected(path, lock_timeout) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if not names:
            return False
        if not {"alembic_version", "conversation_messages"} <= names:
            raise NotRecognisedError(
                f"{path} is not empty, and doesn't have this version's schema. If v1 wrote it, close v1 and run "
                f"`socrates db upgrade {path}`. Nothing was changed."
            )
        require_head(str(path), current_revision(connection))
        return bool(connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal")


def _prepare(path: Path, lock_timeout: float) -> None:
    if not path.exists() or not _tables(path, lock_timeout):
        create_schema(path)
    with _connected(path, lock_timeout) as connection:
        # Kept in the file's header: once is enough, for every connection and process.
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise DatabaseError(
            f"{path} cannot be put into WAL mode: this file system has no shared memory; use a local disk"
        )


def _tables(path: Path, lock_timeout: float) -> int:
    with _connected(path, lock_timeout) as connection:
        count: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return count


def _connected(path: Path, lock_timeout: float) -> "closing[sqlite3.Connection]":
    uri = f"{file_uri(path)}?mode=rw"
    return closing(sqlite3.connect(uri, uri=True, timeout=lock_timeout, isolation_level=None))


def _unusable(path: Path, error: sqlite3.Error) -> DatabaseError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return NotRecognisedError(f"{path} is not a SQLite database; nothing was changed")
    if code == sqlite3.SQLITE_BUSY:
        return BusyError(f"{path} is locked by another process; close it, or wait until it is done")
    return DatabaseError(f"{path} cannot be opened: {error}; see that the file and its directory can be written")
