"""Makes a PostgreSQL database ready to serve: its schema at head."""

import asyncio

from sqlalchemy import URL, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from socrates.config import Settings
from socrates.database.failures import explained
from socrates.database.migrations import create_schema_on_server, require_head
from socrates.errors import ConfigurationError, NotRecognisedError

OLDEST = 18
"""The first PostgreSQL with Unicode's full case folding (`casefold` and the collation pg_unicode_fast), by which
texts are searched."""

_SERVER = text("SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding')")
_TABLES = text("SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()")
_REVISION = text("SELECT version_num FROM alembic_version")


async def make_ready(engine: AsyncEngine, url: URL, settings: Settings) -> None:
    """Give an empty database its schema.

    Raises SchemaError or NotRecognisedError, with the command that mends it, for any other schema than head;
    ConfigurationError for a server that will not do; DatabaseError when it cannot be reached; BusyError when another
    program makes the schema, or migrates, for longer than the setting lock_timeout.
    """
    shown = url.render_as_string(hide_password=True)
    if not await _is_ready(engine, shown):
        # The migration waits for an advisory lock, and does nothing if another process made the schema meanwhile.
        await asyncio.to_thread(create_schema_on_server, url, settings.lock_timeout)
        await _is_ready(engine, shown)


async def _is_ready(engine: AsyncEngine, shown: str) -> bool:
    try:
        async with engine.connect() as connection:
            return await _has_schema(connection, shown)
    except SQLAlchemyError as error:
        failure = explained(error)
    raise failure


async def _has_schema(connection: AsyncConnection, shown: str) -> bool:
    version, encoding = (await connection.execute(_SERVER)).one()
    if version < OLDEST:
        raise ConfigurationError(f"{shown} is PostgreSQL {version}; socrates needs {OLDEST} or newer")
    if encoding != "UTF8":
        raise ConfigurationError(f"{shown} has the encoding {encoding}; create a database with ENCODING 'UTF8'")
    names = set(await connection.scalars(_TABLES))
    if not names:
        return False
    if not {"alembic_version", "conversation_messages"} <= names:
        raise NotRecognisedError(
            f"{shown} is not empty, and doesn't have this version's schema; name an empty database. Nothing was "
            "changed."
        )
    require_head(shown, await connection.scalar(_REVISION))
    return True
