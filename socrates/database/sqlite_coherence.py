"""Notices the commits of other processes on a SQLite file by `PRAGMA data_version`, exactly and without a write.

The pragma gives a connection a number that others' commits raise. An idle connection of ours is asked before every hit.
It also sees the commits of our own writer, and of several commits it may see one change. So after each commit of ours
the writer is asked too: it sees foreign commits only. Did it see none since the last time, what the idle connection saw
was ours.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from socrates.config import CacheConfig
from socrates.database.coherence import Coherence
from socrates.database.dependencies import Dependencies, Tag
from socrates.database.sqlite_connection import OurConnection
from socrates.database.urls import file_uri

_Version = int | None
"""None where the file cannot be asked: it is being recovered after a crash, for instance."""


class SQLiteCoherence(Coherence):
    """Asks in the caller's thread: the answer takes 2 µs, where crossing to another thread takes 50.

    After a commit, both connections are asked in the writer's own thread, where the commit itself is made.

    `_seen` is the version of which the cache holds nothing that is older. It is set after the cache was cleared, and
    versions only grow: whatever two threads do at once, a hit was asked for when `_seen` was the file's own version.
    """

    def __init__(self, writer: AsyncEngine, path: Path, config: CacheConfig, dependencies: Dependencies) -> None:
        """Open the idle connection."""
        super().__init__(writer, config, dependencies)
        # No time-out: where the file is busy, the call goes past the cache instead of waiting here.
        self._idle = sqlite3.connect(
            f"{file_uri(path)}?mode=ro", uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
        # Two threads in one statement of a connection would take each other's row.
        self._one_at_a_time = threading.Lock()
        self._dropping = threading.Lock()
        self._trusted = config.cache_trusted_ms / 1000
        self._trusted_until = 0.0
        self._seen = self._asked()
        self._writer: sqlite3.Connection | None = None
        self._of_writer: _Version = None
        self._after_commit: tuple[_Version, _Version] | None = None
        self._committing = False
        self._unannounced = False

    def is_current(self) -> bool:
        """See `Coherence`. False while a commit of ours is under way that the idle connection saw already.

        And while another thread drops what is wrong.
        """
        if self._trusted and time.monotonic() < self._trusted_until:
            return True
        version = self._asked()
        if version is None:
            return False
        if version != self._seen:
            # Whoever asks has the lock of one cache, and dropping takes those of all: two that do would wait for each
            # other.
            if self._committing or not self._dropping.acquire(blocking=False):
                return False
            try:
                self._drop_all(version)
            finally:
                self._dropping.release()
        if self._trusted:
            self._trusted_until = time.monotonic() + self._trusted
        return True

    def _began(self, connection: Connection) -> None:
        """Learn what a new connection of the writer starts from."""
        writer: OurConnection = connection.connection.driver_connection._conn  # type: ignore[union-attr]
        if writer is self._writer:
            return
        self._writer = writer
        writer.after_commit = self._ask_both
        # The writer first: a commit of somebody's in between is then seen by it later.
        self._of_writer = _version(writer)
        version = self._asked()
        if version != self._seen:
            self._drop_all(version)

    def _ask_both(self, writer: sqlite3.Connection) -> None:
        """Called after every commit of the writer, in its thread."""
        # The idle connection first: a commit of somebody's in between is then seen by the writer.
        self._after_commit = self._asked(), _version(writer)
        self._unannounced |= not self._committing

    @contextmanager
    def _around_commit(self, connection: Connection, touched: set[Tag]) -> Iterator[None]:
        with self._caches.changing(touched):
            self._committing = True
            self._after_commit = None
            try:
                yield
                self._absorb()
            except BaseException:
                # It may have happened; and the connection is asked what it starts from before it is used again.
                self._writer = None
                raise
            finally:
                self._committing = False

    def _absorb(self) -> None:
        """Take what the idle connection has seen for our own commit, or drop everything where it was not only that."""
        if self._after_commit is None:
            return  # nothing had been sent, so there was nothing to commit
        version, of_writer = self._after_commit
        ours = of_writer == self._of_writer and not self._unannounced and None not in (version, of_writer)
        self._of_writer, self._unannounced = of_writer, False
        if ours:
            self._seen = version
        else:
            self._drop_all(version)

    def _drop_all(self, version: _Version) -> None:
        self._caches.clear()
        self._seen = version

    async def close(self) -> None:
        """See `Coherence`."""
        self._idle.close()

    def _asked(self) -> _Version:
        with self._one_at_a_time:
            return _version(self._idle)


def _version(connection: sqlite3.Connection) -> _Version:
    try:
        # Read to its end: a statement that is not keeps its snapshot, in which the version stands still.
        ((version,),) = connection.execute("PRAGMA data_version")
    except sqlite3.Error:  # closed, too: whoever asks goes past the cache, and is told by the database
        return None
    return int(version)
