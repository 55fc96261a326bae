"""Settings, read from the environment with the prefix ``SOCRATES_``."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the environment says. An explicit argument wins over the environment, and that over the default."""

    model_config = SettingsConfigDict(env_prefix="SOCRATES_", frozen=True)

    data_dir: Path = Field(default=Path("~/.socrates"), description="where the database lies by default")
    database_url: str | None = Field(
        default=None,
        description="URL of the database, or the path of a SQLite file; default data_dir/projects.db",
    )

    @property
    def default_database_path(self) -> Path:
        """The file that is used when nothing names another: v1's own place (v1-format, chapter 1)."""
        return Path(os.path.expanduser(self.data_dir)) / "projects.db"
