"""Opens a database, of whichever engine."""

import asyncio

from sqlalchemy import URL

from socrates.config import Settings
from socrates.database import sqlite_engines
from socrates.database.engines import Engines
from socrates.database.sqlite_opening import make_ready
from socrates.database.urls import sqlite_path
from socrates.errors import ConfigurationError


async def open_database(url: URL, settings: Settings) -> Engines:
    """Make the database ready, its schema at head, and the engines for it. `url` is one that `database_url` gave.

    Raises SchemaError or NotRecognisedError for any schema that is not at head, ConfigurationError when the driver or
    the version of the engine will not do, and DatabaseError when the database cannot serve.
    """
    path = sqlite_path(url)
    if path is None:
        return await _open_postgres(url, settings)
    await asyncio.to_thread(make_ready, path, settings.lock_timeout)
    return sqlite_engines.open_engines(path, settings)


async def _open_postgres(url: URL, settings: Settings) -> Engines:
    try:
        from socrates.database import postgres_engines  # noqa: PLC0415 - its driver is an extra
    except ModuleNotFoundError as error:
        raise ConfigurationError("PostgreSQL needs its driver: pip install 'socrates[postgres]'") from error
    return await postgres_engines.open_engines(url, settings)
