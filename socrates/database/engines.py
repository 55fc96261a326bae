"""The connections of a database that is open. Which engine it is on is asked in this directory only."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

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

    @property
    @abstractmethod
    def file(self) -> Path | None:
        """The file of the database; None for one on a server."""

    @property
    def identity(self) -> str:
        """A digest that tells the database from others: of its file's path, or its server and name. Holds no secret."""
        place = self.writer.url.set(username=None, password=None) if self.file is None else self.file.resolve()
        return hashlib.sha256(str(place).encode("utf-8", "surrogatepass")).hexdigest()[:16]

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
