"""Having a SQLite file to oneself.

In WAL mode whoever has a database open holds a lock on it, so it is known whether anybody does. In rollback-journal
mode only a program that is at work holds one: an idle v1 cannot be seen.
"""

import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from filelock import FileLock, Timeout

from socrates.errors import BusyError, MigrationError
from socrates.v1.sqlite_errors import explained

_T = TypeVar("_T")

_WAIT_SECONDS = 3.0
_RETRY_SECONDS = 0.05
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
# Where SQLite's locks lie in every database file: its "pending byte" and the 511 behind it.
_LOCK_START, _LOCK_BYTES = 0x40000000, 512


class UnopenableError(MigrationError):
    """SQLite cannot open the file: it is no database, or damaged where the opening begins."""


@contextmanager
def only_user(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection in autocommit to a database that nobody else can read or write until the block ends.

    It is in rollback-journal mode then, with nothing beside it, and stays so until a store opens it (which sets WAL
    mode again); after a failure it is put back at once. Raises BusyError when somebody else has it open for longer
    than a few seconds, UnopenableError, or MigrationError. No other connection of this process may have it open.
    """
    try:
        connection, mode = _patiently(lambda: _opened_alone(database.resolve()))
    except sqlite3.Error as error:
        raise refusal(error, database) from error
    with closing(connection):
        try:
            yield connection
        except BaseException:
            _set_back(connection, mode)
            raise


def _set_back(connection: sqlite3.Connection, mode: str) -> None:
    if mode == "wal":
        # Suppressed, because a store does the same when it opens the database.
        with suppress(sqlite3.Error):
            connection.rollback()
            connection.execute("PRAGMA journal_mode = WAL").fetchone()


def _opened_alone(database: Path) -> tuple[sqlite3.Connection, str]:
    """The connection, and the journal mode that was found. Raises sqlite3.Error."""
    connection = sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None)
    mode = ""
    try:
        # From now on a lock that is taken is kept until the connection is closed.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()  # folds a -wal in
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        # The index of a -wal that is gone, which a crash or a reader left.
        database.with_name(f"{database.name}-shm").unlink(missing_ok=True)
    except BaseException:
        _set_back(connection, mode)
        connection.close()
        raise
    return connection, mode


def _patiently(attempt: Callable[[], _T]) -> _T:
    """Try until nobody holds a lock that is in the way. Raises the last refusal, after a few seconds.

    Everything is let go in between: SQLite's own waiting would keep a lock that a writer elsewhere waits for.
    """
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            return attempt()
        except (sqlite3.Error, BlockingIOError, PermissionError) as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)


def _is_busy(error: Exception) -> bool:
    return not isinstance(error, sqlite3.Error) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY


def require_openable(database: Path) -> None:
    """Raises UnopenableError, and leaves a damaged file and what lies beside it as they are; BusyError; MigrationError.

    A connection that may write would fold a -wal into the damaged file, or remove it beside an empty one.
    """
    if not database.stat().st_size:
        raise UnopenableError(f"{database} is empty")
    uri = f"{database.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        # With a journal that a crash left, nothing can be read before it is rolled back, which takes writing.
        if error.sqlite_errorname != "SQLITE_READONLY_ROLLBACK":
            raise refusal(error, database) from error


@contextmanager
def lock_file(database: Path) -> Iterator[None]:
    """Keep out the programs that are about to prepare the database, as `socrates.database.sqlite_opening` does.

    Raises BusyError.
    """
    lock = FileLock(f"{database}.lock", timeout=_WAIT_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        raise _busy(database) from error
    try:
        yield
    finally:
        lock.release()


def lock_unopenable(file: BinaryIO, database: Path) -> None:
    """Take SQLite's exclusive lock on a file that SQLite itself cannot open, until `file` is closed.

    `file` is open for reading and writing. Raises BusyError.
    """
    import fcntl  # noqa: PLC0415 - there is none on Windows, where all else must still load

    try:
        _patiently(lambda: fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCK_BYTES, _LOCK_START))
    except (BlockingIOError, PermissionError) as error:
        raise _busy(database) from error


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Meanwhile Ctrl-C is not heard: it could be raised when the work is already done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def refusal(error: sqlite3.Error, database: Path) -> MigrationError | BusyError:
    """What SQLite's error means to who wants the database for himself."""
    if _is_busy(error):
        return _busy(database)
    meant = explained(error, database)
    damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE
    return UnopenableError(str(meant)) if damaged else meant


def _busy(database: Path) -> BusyError:
    return BusyError(f"{database} is open elsewhere. Nothing was changed. Close what uses it (v1 too), then try again.")
