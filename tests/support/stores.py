"""Stores on empty databases, and what they cost: statements and crossings between threads.

Tests take the store that they are given: inside `on_postgres` it is on a server, otherwise on a file.
"""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import aiosqlite
from sqlalchemy import event

from socrates.caching import bypassed
from socrates.config import Settings
from socrates.database.sqlite_opening import make_ready
from socrates.store import Store, UnitOfWork
from tests.support.postgres import EmptyDatabases


@cache
def _template() -> Path:
    """An empty database at head, made once per process: making one takes longer than most tests."""
    path = Path(mkdtemp(prefix="socrates-template-")) / "projects.db"
    make_ready(path, lock_timeout=30)
    return path


def fresh_file(directory: Path, name: str = "projects.db") -> Path:
    """An empty database at head."""
    return Path(shutil.copyfile(_template(), directory / name))


_server: ContextVar["EmptyDatabases | None"] = ContextVar("server", default=None)


@contextmanager
def on_postgres(server: EmptyDatabases) -> Iterator[None]:
    """Have `fresh_store` make its stores on this server."""
    token = _server.set(server)
    try:
        yield
    finally:
        _server.reset(token)


@asynccontextmanager
async def fresh_store(directory: Path, **settings: Any) -> AsyncIterator[Store]:
    """A store on an empty database, closed afterwards."""
    server = _server.get()
    if server is not None:
        with server.lent() as url:
            async with Store.open(url, Settings(**settings)) as store:
                yield store
        return
    async with Store.open(fresh_file(directory), Settings(**settings)) as store:
        for engine in (store._engines.writer.sync_engine, store._engines.reader.sync_engine):
            event.listen(engine, "before_cursor_execute", _refuse_what_no_type_converted)
        yield store


@contextmanager
def fresh_place(directory: Path) -> Iterator[str | Path]:
    """The file, or the URL, of an empty database."""
    server = _server.get()
    if server is None:
        yield fresh_file(directory)
        return
    with server.lent() as url:
        yield url


def another_store(store: Store) -> AbstractAsyncContextManager[Store]:
    """A second store, as another process would have it, on the same database."""
    on_file = is_on_sqlite(store)
    database = store._engines.path if on_file else store._engines.writer.url.render_as_string(hide_password=False)
    return Store.open(database, store.settings)


def _refuse_what_no_type_converted(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any
) -> None:
    """sqlite3 would store a datetime that meets no column type in a form of its own, with a zone."""
    rows = parameters if isinstance(parameters, list) else [parameters]
    for value in (value for row in rows for value in row):
        assert isinstance(value, str | int | float | bytes | memoryview | None), (type(value), statement)


@asynccontextmanager
async def thrown_away(store: Store) -> AsyncIterator[UnitOfWork]:
    """A unit of work whose calls may fail, and of which nothing is stored."""
    with suppress(_ThrownAway):
        async with store.begin() as unit:
            yield unit
            raise _ThrownAway


class _ThrownAway(Exception):
    pass


def is_on_sqlite(store: Store) -> bool:
    """Which of the two engines a store is on."""
    return store._engines.writer.dialect.name == "sqlite"


@dataclass
class Cost:
    """What was spent inside `counted`: the statements in order, and crossings to a connection's thread.

    On PostgreSQL there are no threads, and the locks that take the place of SQLite's single writer stand apart, as do
    the notifications of other processes' caches: one at the end of each unit that wrote.
    """

    on_sqlite: bool
    statements: list[str] = field(default_factory=list)
    notifications: list[str] = field(default_factory=list)
    locks: list[str] = field(default_factory=list)
    crossings: int = 0

    def must_be(self, statements: int, crossings: int, locks: int = 0) -> None:
        """Fail unless it cost so many statements, and crossings on SQLite or locks on PostgreSQL."""
        spent = (len(self.statements), self.crossings, len(self.locks))
        wanted = (statements, crossings, 0) if self.on_sqlite else (statements, 0, locks)
        assert spent == wanted, f"statements, crossings, locks: {spent}, not {wanted}: {self.statements}, {self.locks}"


@contextmanager
def counted(store: Store, past_caches: bool = True) -> Iterator[Cost]:
    """Count statements (as SQLAlchemy sends them) and crossings, by default as if nothing were cached.

    Connections should be open.
    """
    cost = Cost(is_on_sqlite(store))
    cross = aiosqlite.Connection._execute

    async def counting(self: aiosqlite.Connection, *arguments: Any, **named: Any) -> Any:
        cost.crossings += 1
        return await cross(self, *arguments, **named)

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        apart = {"pg_advisory": cost.locks, "pg_notify": cost.notifications}
        kind = next((name for name in apart if name in statement), None)
        (cost.statements if kind is None else apart[kind]).append(statement)

    engines = (store._engines.writer.sync_engine, store._engines.reader.sync_engine)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    aiosqlite.Connection._execute = counting  # type: ignore[method-assign]
    try:
        with bypassed() if past_caches else nullcontext():
            yield cost
    finally:
        aiosqlite.Connection._execute = cross  # type: ignore[method-assign]
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)
