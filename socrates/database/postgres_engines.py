"""The engines of a PostgreSQL database: a pool for units of work and one for reads, on asyncpg."""

from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from socrates.config import CacheConfig, Settings
from socrates.database.coherence import Coherence
from socrates.database.dependencies import Dependencies
from socrates.database.engines import Engines
from socrates.database.log_filters import LOGGING_NAME
from socrates.database.postgres_coherence import PostgresCoherence
from socrates.database.postgres_connection import connect, forget_values
from socrates.database.postgres_listener import Connect
from socrates.database.postgres_opening import make_ready
from socrates.database.postgres_session import PostgresWriteSession
from socrates.database.sessions import WriteSession

_PREPARED_STATEMENTS = 256
"""Prepared statements kept per connection; SQLAlchemy's 100 are fewer than this package has."""

_CHECKSUM_FAILURES = text("SELECT checksum_failures FROM pg_stat_database WHERE datname = current_database()")


@dataclass(frozen=True, slots=True)
class PostgresEngines(Engines):
    """`writer` and `reader` have up to `pool_size` connections each.

    Two pools, because a unit of work that reads through the store would wait for a second connection of the pool that
    its like have emptied, for ever.
    """

    connect_listener: Connect

    @property
    def file(self) -> None:
        """There is none."""
        return None

    def write_session(self, coherence: Coherence | None = None) -> WriteSession:
        """A session whose units of work run beside others', and lock what they read to change it."""
        return PostgresWriteSession(self.writer, coherence)

    async def open_cache(self, config: CacheConfig, dependencies: Dependencies) -> PostgresCoherence:
        """A cache that other processes tell of their commits. Raises what any connection that is refused does."""
        coherence = PostgresCoherence(self.writer, self.connect_listener, config, dependencies)
        await coherence.listen()
        return coherence

    async def dispose(self) -> None:
        """Close all connections."""
        await self.reader.dispose()
        await self.writer.dispose()

    async def measure(self, connection: AsyncConnection) -> tuple[int, int]:
        """The size of the database; its log belongs to the whole server."""
        return int(await connection.scalar(text("SELECT pg_database_size(current_database())"))), 0

    async def inspect(self, connection: AsyncConnection) -> list[str]:
        """The pages that PostgreSQL has found damaged while it read them, where its checksums are on."""
        failures = int(await connection.scalar(_CHECKSUM_FAILURES) or 0)
        return [f"PostgreSQL has found {failures} damaged pages; restore a backup"] if failures else []


async def open_engines(url: URL, settings: Settings) -> PostgresEngines:
    """Make the database ready, its schema at head, and its engines. Raises like `open_database`."""
    writer = _engine(url, settings, read_only=False)
    try:
        await make_ready(writer, url, settings)
    except BaseException:
        await writer.dispose()
        raise
    reader = _engine(url, settings, read_only=True)
    return PostgresEngines(writer, reader, settings.pool_size, _listener(reader, url, settings))


def _listener(engine: AsyncEngine, url: URL, settings: Settings) -> Connect:
    """How the connection is made that listens: by the driver alone, which hears without a statement being run."""
    _, options = engine.dialect.create_connect_args(url)
    for option in ("prepared_statement_cache_size", "prepared_statement_name_func"):
        options.pop(option, None)  # SQLAlchemy's own

    # By which the server's administrator knows it from one that was forgotten: it is always idle.
    session = _session_settings(settings, read_only=True) | {"application_name": "socrates listener"}

    # A function and not a partial one, whose repr would show the password.
    async def connect_listener() -> asyncpg.Connection:
        return await connect(**options, server_settings=session)

    return connect_listener


def _engine(url: URL, settings: Settings, read_only: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        # Reads run in autocommit: each statement sees one moment, and no snapshot is left open.
        isolation_level="AUTOCOMMIT" if read_only else "READ COMMITTED",
        poolclass=AsyncAdaptedQueuePool,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.lock_timeout,
        # A unit that began on a connection which a restart of the server had cut could not be begun again: its caller
        # holds values from its first statement. A read can, so it is spared the round trip.
        pool_pre_ping=not read_only,
        # Parameters hold hashes, keys and people's texts, and the messages of errors go to logs.
        hide_parameters=True,
        logging_name=LOGGING_NAME,
        connect_args={
            "async_creator_fn": connect,
            "server_settings": _session_settings(settings, read_only),
            "prepared_statement_cache_size": _PREPARED_STATEMENTS,
        },
    )
    forget_values(engine)
    return engine


def _session_settings(settings: Settings, read_only: bool) -> dict[str, str]:
    chosen: dict[str, Any] = {
        "application_name": "socrates",
        # Days of a report are days in UTC, wherever the server stands.
        "timezone": "UTC",
        # All statements here are short; compiling one takes longer than running it.
        "jit": "off",
        # So does starting other processes for it.
        "max_parallel_workers_per_gather": 0,
        # PostgreSQL's own 4 is that of a disk which has to seek: for one person's list it read everybody's projects.
        "random_page_cost": 1.1,
        "default_transaction_read_only": "on" if read_only else "off",
        "lock_timeout": _milliseconds(settings.lock_timeout),
        "statement_timeout": _milliseconds(settings.statement_timeout),
    }
    return {name: str(value) for name, value in chosen.items()}


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000)) if seconds else 0
