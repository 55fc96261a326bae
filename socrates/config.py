"""Settings, read from the environment with the prefix ``SOCRATES_``."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_MEGABYTE = 1_000_000

_SHARE_OF_READS = 0.6
"""Of the bytes that all caches may take; the others are for vectors and search results."""


class CacheConfig(BaseSettings):
    """How much is cached, and for how long: the plan's names, each with the prefix ``SOCRATES_`` in the environment."""

    model_config = SettingsConfigDict(env_prefix="SOCRATES_", frozen=True)

    enable_caching: bool = Field(default=True, description="false: every read goes to the database")
    max_cache_size_mb: int = Field(default=100, ge=1, description="megabytes that all caches of a store may take")
    read_cache_size: int = Field(default=10_000, ge=1, description="how many results of reads are kept")
    cache_ttl_seconds: float = Field(
        default=300, gt=0, description="how long a read is kept at the longest; writes end it at once"
    )
    context_cache_ttl_minutes: float = Field(default=5, gt=0, description="the same for whole projects")
    embedding_cache_size: int = Field(default=10_000, ge=1, description="how many vectors are kept in memory")
    search_cache_size: int = Field(default=1_000, ge=1, description="how many results of searches are kept")
    search_cache_ttl_seconds: float = Field(default=300, gt=0, description="how long a search's result is kept")
    cache_trusted_ms: float = Field(
        default=0,
        ge=0,
        description="SQLite: milliseconds for which a read is trusted without asking for other processes' commits",
    )

    @property
    def read_cache_bytes(self) -> int:
        """What the results of reads may take."""
        return int(self.max_cache_size_mb * _MEGABYTE * _SHARE_OF_READS)


class Settings(BaseSettings):
    """What the environment says. An explicit argument wins over the environment, and that over the default."""

    model_config = SettingsConfigDict(env_prefix="SOCRATES_", frozen=True)

    data_dir: Path = Field(default=Path("~/.socrates"), description="where the database lies by default")
    database_url: str | None = Field(
        default=None,
        description="URL of the database, or the path of a SQLite file; default data_dir/projects.db",
    )
    pool_size: int = Field(
        default=10, ge=1, le=10, description="how many reads, and on PostgreSQL units of work, can be at work at once"
    )
    lock_timeout: float = Field(
        default=60.0, gt=0, description="seconds to wait for the writer, a reader, a lock or another process: BusyError"
    )
    close_timeout: float = Field(
        default=10.0, ge=0, description="seconds that closing waits for units of work and reads that are under way"
    )
    statement_timeout: float = Field(
        default=60.0, ge=0, description="PostgreSQL: seconds that one statement may take; 0 is no limit"
    )
    transaction_attempts: int = Field(
        default=5, ge=1, description="how often `Store.transact` tries when units of work get in each other's way"
    )
    sqlite_driver: Literal["onehop", "stock"] = Field(
        default="onehop",
        description="stock: SQLAlchemy's own aiosqlite dialect; slower, but a way out",
    )
    sqlite_synchronous: Literal["NORMAL", "FULL"] = Field(
        default="NORMAL",
        description="NORMAL survives a crash of the program; FULL also keeps the last commits when the power fails",
    )

    encryption_key: SecretStr | None = Field(
        default=None, description="the secret under which API keys are encrypted; without it none can be stored"
    )

    cache_config: CacheConfig = Field(default_factory=CacheConfig, description="see CacheConfig")

    @property
    def default_database_path(self) -> Path:
        """The file that is used when nothing names another: v1's own place (v1-format, chapter 1)."""
        return Path(os.path.expanduser(self.data_dir)) / "projects.db"
