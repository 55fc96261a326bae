"""Settings, read from the environment with the prefix ``SOCRATES_``."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


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

    @property
    def default_database_path(self) -> Path:
        """The file that is used when nothing names another: v1's own place (v1-format, chapter 1)."""
        return Path(os.path.expanduser(self.data_dir)) / "projects.db"
