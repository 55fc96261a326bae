"""Notices the commits of other processes on a SQLite file by `PRAGMA data_version`, exactly and without a write.

The pragma tells a connection whether others have committed since it asked last. An idle connection of ours is asked
before every hit. It also sees the commits of our own writer, and of several commits it may see one change; so after
each commit of ours the writer is asked too, which sees foreign commits only. Did it see none, what the idle connection
saw was ours.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from socrates.config import CacheConfig
from socrates.database.coherence import Coherence
from socrates.database.dependencies import Dependencies, Tag
from socrates.database.urls import file_uri

_Version = int | None
"""None where the file cannot be asked: it is being recovered after a crash, for instance."""


class SQLiteCoherence(Coherence):
    """Asks in the event loop's thread: the answer takes 2 µs, where crossing to another thread takes 50."""

    def __init__(self, writer: AsyncEngine, path: Path, config: CacheConfig, dependencies: Dependencies) -> None:
        """Open the idle connection."""
        super().__init__(writer, config, dependencies)
        # No time-out: where the file is busy, the call goes past the cache instead of waiting here.
        self._idle = sqlite3.connect(
            f"{file_uri(path)}?mode=ro", uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
        self._trusted = config.cache_trusted_ms / 1000
        self._trusted_until = 0.0
        self._seen = _version(self._idle)
        self._of_writer: tuple[sqlite3.Connection, _Version] | None = None
        self._committing = 0

    def is_current(self) -> bool:
        """See `Coherence`. False while a commit of ours is under way that the idle connection saw already."""
        if self._trusted and time.monotonic() < self._trusted_until:
            return True
        version = _version(self._idle)
        if version is None:
            return False
        if version != self._seen:
            if self._committing:
                return False
            self._see(version)
        if self._trusted:
            self._trusted_until = time.monotonic() + self._trusted
        return True

    def _began(self, connection: Connection) -> None:
        """Learn what a new connection of the writer starts from."""
        writer = _raw(connection)
        if self._of_writer is not None and self._of_writer[0] is writer:
            return
        # The writer first: a commit of somebody's in between is then seen by it later.
        self._of_writer = writer, _version(writer)
        version = _version(self._idle)
        if version != self._seen:
            self._see(version)

    @contextmanager
    def _around_commit(self, connection: Connection, touched: set[Tag]) -> Iterator[None]:
        writer = _raw(connection)
        with self.cache.changing(touched):
            self._committing += 1
            try:
                yield
            except BaseException:
                # It may have happened or not, and the connection may be gone.
                self._of_writer = None
                self._see(_version(self._idle))
                raise
            else:
                self._absorb(writer)
            finally:
                self._committing -= 1

    def _absorb(self, writer: sqlite3.Connection) -> None:
        """Take what the idle connection has seen for our own commit, unless others have committed too."""
        # The idle connection first: a commit of somebody's in between is then seen by the writer.
        version = _version(self._idle)
        of_writer = writer, _version(writer)
        if self._of_writer == of_writer and version is not None:
            self._seen = version
        else:
            self._of_writer = of_writer
            self._see(version)

    def _see(self, version: _Version) -> None:
        """Take note of somebody else's commit."""
        self._seen = version
        self.cache.clear()

    async def close(self) -> None:
        """See `Coherence`."""
        self._idle.close()


def _version(connection: sqlite3.Connection) -> _Version:
    try:
        # Read to its end: a statement that is not keeps its snapshot, in which the version stands still.
        ((version,),) = connection.execute("PRAGMA data_version")
    except sqlite3.Error:  # closed, too: whoever asks goes past the cache, and is told by the database
        return None
    return int(version)


def _raw(connection: Connection) -> sqlite3.Connection:
    raw: sqlite3.Connection = connection.connection.driver_connection._conn  # type: ignore[union-attr]
    return raw
