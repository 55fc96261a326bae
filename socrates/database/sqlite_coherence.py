"""Notices the commits of other processes on a SQLite file by `PRAGMA data_version`, exactly and without a write.

The pragma gives a connection a number that others' commits raise. An idle connection of ours is asked before every hit.
It also sees the commits of our own writer, and of several commits it may see one change. So the writer is asked too, as
each transaction of ours begins and after its commit: it sees foreign commits only. Did it see none, what the idle
connection saw was ours.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from socrates.config import CacheConfig
from socrates.database.coherence import Coherence
from socrates.database.dependencies import Dependencies, Tag
from socrates.database.urls import file_uri

_Version = int | None
"""None where the file cannot be asked: it is being recovered after a crash, for instance."""


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Of a transaction of ours: its connection, and what that and the idle one said."""

    writer: sqlite3.Connection
    of_writer: _Version
    of_idle: _Version


class SQLiteCoherence(Coherence):
    """Asks in the event loop's thread: the answer takes 2 µs, where crossing to another thread takes 50.

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
        self._trusted = config.cache_trusted_ms / 1000
        self._trusted_until = 0.0
        self._seen = self._asked()
        self._beginning: _Beginning | None = None
        self._committing = False

    def is_current(self) -> bool:
        """See `Coherence`. False while a commit of ours is under way that the idle connection saw already."""
        if self._trusted and time.monotonic() < self._trusted_until:
            return True
        version = self._asked()
        if version is None:
            return False
        if version != self._seen:
            if self._committing:
                return False
            self.cache.clear()
            self._seen = version
        if self._trusted:
            self._trusted_until = time.monotonic() + self._trusted
        return True

    def _began(self, connection: Connection) -> None:
        writer = _raw(connection)
        # The writer first: a commit of somebody's in between is then seen by it later.
        of_writer = _version(writer)
        self._beginning = _Beginning(writer, of_writer, self._asked())

    @contextmanager
    def _around_commit(self, connection: Connection, touched: set[Tag]) -> Iterator[None]:
        with self.cache.changing(touched):
            self._committing = True
            try:
                yield
                self._absorb()
            finally:
                self._committing = False

    def _absorb(self) -> None:
        """Take what the idle connection has seen for our own commit, if nobody else has committed.

        Otherwise it is left for the next hit to find, and so it is where the commit failed: it may have happened.
        """
        began = self._beginning
        # The idle connection first: a commit of somebody's in between is then seen by the writer.
        version = self._asked()
        if began is None or None in (version, began.of_writer):
            return
        # Others may have committed before ours began: of that the writer knows nothing.
        if began.of_idle == self._seen and _version(began.writer) == began.of_writer:
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


def _raw(connection: Connection) -> sqlite3.Connection:
    raw: sqlite3.Connection = connection.connection.driver_connection._conn  # type: ignore[union-attr]
    return raw
