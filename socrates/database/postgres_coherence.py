"""Tells other processes what a transaction on PostgreSQL touched, and hears of theirs: NOTIFY and LISTEN.

The notification is part of the transaction: it is sent if that commits, and not otherwise. Until it arrives, another
process may still serve what it had.
"""

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from socrates.caching import EVERYTHING
from socrates.config import CacheConfig
from socrates.database.coherence import Coherence
from socrates.database.dependencies import Dependencies, Tag

CHANNEL = "socrates_cache"

MOST_TAGS = 100
"""A payload holds 8,000 bytes, and a transaction that touches more than this is told as one that touched everything."""

_NOTIFY = select(func.pg_notify(CHANNEL, bindparam("payload")))


class PostgresCoherence(Coherence):
    """Listens on a connection of its own. Nothing is current while that is lost."""

    def __init__(
        self, writer: AsyncEngine, listener: AsyncEngine, config: CacheConfig, dependencies: Dependencies
    ) -> None:
        """`listener` has connections that stay open without a transaction."""
        super().__init__(writer, config, dependencies)
        self._engine = listener
        self._sender = secrets.token_hex(8)
        self._listening = False
        self._connection: AsyncConnection | None = None
        self._ending = asyncio.Event()

    async def listen(self) -> None:
        """Begin to listen."""
        self._connection = await self._engine.connect()
        driver: Any = (await self._connection.get_raw_connection()).driver_connection
        driver.add_termination_listener(self._lose)
        await driver.add_listener(CHANNEL, self._hear)
        self.cache.clear()
        self._listening = True

    def is_current(self) -> bool:
        """See `Coherence`. False while nobody would tell us."""
        return self._listening

    @contextmanager
    def _around_commit(self, connection: Connection, touched: set[Tag]) -> Iterator[None]:
        if touched:
            connection.execute(_NOTIFY, {"payload": self._payload(touched)})
        with self.cache.changing(touched):
            yield

    @staticmethod
    def _tag_as(tag: Tag) -> str:
        """A tag in 64 bits, the same in every process. Two that share them are dropped together."""
        return hashlib.blake2b(repr(tag).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

    def _payload(self, touched: set[Tag]) -> str:
        if EVERYTHING in touched or len(touched) > MOST_TAGS:
            return f"{self._sender} {EVERYTHING}"
        return " ".join([self._sender, *map(self._tag_as, touched)])

    def _hear(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        sender, *tags = payload.split()
        if sender != self._sender:
            self.cache.invalidate_formed(tags)

    def _lose(self, _connection: Any) -> None:
        self._listening = False
        self.cache.clear()

    async def close(self) -> None:
        """See `Coherence`."""
        self._listening = False
        if self._connection is not None:
            with contextlib.suppress(Exception):
                await self._connection.close()
        await self._engine.dispose()
