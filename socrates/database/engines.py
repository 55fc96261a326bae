"""The connections of a database that is open. Which engine it is on is asked in this directory only."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from socrates.config import CacheConfig
from socrates.database.coherence import Coherence
from socrates.database.dependencies import Dependencies
from socrates.database.sessions import WriteSession


@dataclass(frozen=True, slots=True)
class Engines(ABC):
    """`writer` serves units of work, `units_at_once` at a time; `reader` serves reads, and cannot write."""

    writer: AsyncEngine
    reader: AsyncEngine
    units_at_once: int

    def write_session(self, coherence: Coherence | None = None) -> WriteSession:
        """The session of one unit of work; `coherence` keeps a cache true to it."""
        return WriteSession(self.writer, coherence)

    @abstractmethod
    async def open_cache(self, config: CacheConfig, dependencies: Dependencies) -> Coherence:
        """A cache of reads that depend on rows, and what keeps it true to this database."""

    @abstractmethod
    async def dispose(self) -> None:
        """Close all connections."""

    @abstractmethod
    async def measure(self, connection: AsyncConnection) -> tuple[int, int]:
        """The size of the database and that of its write-ahead log, in bytes."""

    @abstractmethod
    async def inspect(self, connection: AsyncConnection) -> list[str]:
        """What the engine finds wrong when it looks thoroughly; empty when all is well."""
