"""A PostgreSQL database that is copied from or into, or looked at by a command."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, NullPool
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from socrates.database.copying.sides import ROWS_AT_ONCE, portions, require_without_rows
from socrates.database.copying.tables import TABLES, CopiedTable, Kind, Row
from socrates.database.failures import explained
from socrates.database.log_filters import LOGGING_NAME
from socrates.database.migrations import head_revision, require_head
from socrates.database.postgres_opening import OLDEST
from socrates.errors import ConfigurationError, NotRecognisedError
from socrates.models import Base

try:
    from socrates.database.postgres_connection import connect, forget_values
except ModuleNotFoundError as missing:
    raise ConfigurationError("PostgreSQL needs its driver: pip install 'socrates[postgres]'") from missing

_T = TypeVar("_T")

MAX_INDEX_BYTES = 2_600
"""PostgreSQL: an entry of an index has at most 2,704 bytes, its header and the columns that are no text included."""

MAX_DIGITS = 16_000
"""PostgreSQL: NUMERIC has up to 16,383 digits after the point."""

_MIGRATION_LOCK = int.from_bytes(b"socrates", "big")
"""What migrations take, too: whoever opens the database meanwhile waits before looking for its schema."""

_READ = {Kind.JSON: "{0}::text", Kind.DECIMAL: "{0}::text", Kind.FLAG: "{0}::int"}
_READ[Kind.TIME] = "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
_SIZE = {Kind.TEXT: "octet_length({0})", Kind.BYTES: "octet_length({0})", Kind.JSON: "octet_length({0}::text)"}
_ARRAY = {
    Kind.TEXT: "text",
    Kind.INTEGER: "bigint",
    Kind.FLOAT: "double precision",
    Kind.FLAG: "bigint",
    Kind.TIME: "text",
    Kind.DECIMAL: "text",
    Kind.JSON: "text",
    Kind.BYTES: "bytea",
}
_WRITE = {
    Kind.FLAG: "{0} <> 0",
    Kind.TIME: "({0} || '+00')::timestamptz",
    Kind.DECIMAL: "{0}::numeric",
    Kind.JSON: "{0}::json",
}


class PostgresSide:
    """A connection in a transaction. Copying is synchronous, as SQLite is; each statement is waited for."""

    def __init__(self, runner: asyncio.Runner, connection: AsyncConnection, shown: str) -> None:
        self.shown = shown
        self._runner = runner
        self._connection = connection
        self._numbers = count()

    def rows(self, table: CopiedTable) -> Iterator[Row]:
        """All rows in the order of the key, by cursors of the server: one tells their sizes, one fetches as many."""
        read = ", ".join(_READ.get(kind, "{0}").format(name) for name, kind in table.columns)
        wide = [_SIZE[kind].format(name) for name, kind in table.columns if kind in _SIZE]
        size = " + ".join(f"coalesce({length}, 0)" for length in wide) or "0"
        rows, sizes = self._cursor(table, read), self._cursor(table, size)
        for portion in portions(self._all(sizes), lambda row: int(row[0])):
            yield from (_stored(table, row) for row in self.run(f"FETCH {len(portion)} FROM {rows}"))
        for cursor in (rows, sizes):
            self.run(f"CLOSE {cursor}")

    def _cursor(self, table: CopiedTable, columns: str) -> str:
        name = f"copied_{next(self._numbers)}"
        self.run(
            f"DECLARE {name} NO SCROLL CURSOR FOR SELECT {columns} FROM {table.name} ORDER BY {table.order}"  # noqa: S608
        )
        return name

    def _all(self, cursor: str) -> Iterator[Row]:
        while rows := self.run(f"FETCH {ROWS_AT_ONCE} FROM {cursor}"):
            yield from rows

    def count(self, table: CopiedTable) -> int:
        ((found,),) = self.run(f"SELECT count(*) FROM {table.name}")  # noqa: S608
        return int(found)

    def other_tables(self) -> tuple[str, ...]:
        ours = {"alembic_version", *(table.name for table in TABLES)}
        return tuple(sorted(self.tables() - ours))

    def tables(self) -> set[str]:
        """The names of all tables."""
        sql = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"
        return {name for (name,) in self.run(sql)}

    def objection(self, kind: Kind, value: object) -> str | None:
        """Why PostgreSQL cannot hold a value."""
        if kind is Kind.TEXT and isinstance(value, str) and "\x00" in value:
            return "holds a NUL character, which PostgreSQL's text cannot hold"
        if kind is Kind.DECIMAL and isinstance(value, str) and _digits(value) > MAX_DIGITS:
            return "has more digits than PostgreSQL's numeric can hold"
        return None

    def key_objection(self, values: Sequence[object]) -> str | None:
        """Why an index of PostgreSQL cannot hold these values."""
        texts = (value.encode("utf-8", "surrogatepass") for value in values if isinstance(value, str))
        return "is too long for an index of PostgreSQL" if sum(map(len, texts)) > MAX_INDEX_BYTES else None

    def kept(self, kind: Kind, value: object) -> object:
        """NUMERIC writes an exponent out, and knows no zero below zero; all else is kept as it is."""
        if kind is Kind.DECIMAL and isinstance(value, str):
            number = Decimal(value)
            return _number(f"{abs(number) if number.is_zero() else number:f}")
        return value

    def insert(self, table: CopiedTable, rows: Sequence[Row]) -> None:
        # One array a column, not executemany: asyncpg's waits for ever when the connection breaks while it writes.
        arrays = ", ".join(f"${place}::{_ARRAY[kind]}[]" for place, (_, kind) in enumerate(table.columns, 1))
        values = ", ".join(_WRITE.get(kind, "{0}").format(name) for name, kind in table.columns)
        self.run(
            f"INSERT INTO {table.name} ({table.names}) SELECT {values} "  # noqa: S608
            f"FROM unnest({arrays}) AS given ({table.names})",
            tuple(map(list, zip(*rows, strict=True))),
        )

    def commit(self) -> None:
        self.wait(self._connection.commit())

    def create_schema(self) -> None:
        """Make the tables in this transaction, as the revisions make them, and note the revision."""
        self.look(Base.metadata.create_all)
        self.run("CREATE TABLE alembic_version (version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY)")
        self.run("INSERT INTO alembic_version VALUES ($1)", (head_revision(),))

    def require_head(self) -> None:
        """Raises NotRecognisedError or SchemaError."""
        if not {"alembic_version", "conversation_messages"} <= self.tables():
            raise NotRecognisedError(f"{self.shown} doesn't have this version's schema. Nothing was changed.")
        require_head(self.shown, self.revision())

    def revision(self) -> str | None:
        """The revision that the database is at; None when it has none: it is empty, or somebody else's."""
        if not {"alembic_version", "v1_import_runs"} <= self.tables():
            return None
        revisions = self.run("SELECT version_num FROM alembic_version")
        return str(revisions[0][0]) if revisions else None

    def size(self) -> int:
        """What the database takes on the server's disk, in bytes."""
        ((found,),) = self.run("SELECT pg_database_size(current_database())")
        return int(found)

    def run(self, sql: str, parameters: tuple[Any, ...] | None = None) -> list[Row]:
        """Run one statement and return its rows."""
        result = self.wait(self._connection.exec_driver_sql(sql, parameters))
        return [tuple(row) for row in result] if result.returns_rows else []

    def look(self, work: Callable[[Connection], _T]) -> _T:
        """Run `work` on SQLAlchemy's own connection, in the same transaction."""
        return self.wait(self._connection.run_sync(work))

    def look_below(self, work: Callable[[Any], _T]) -> _T:
        """Run `work` on the driver's connection, which speaks DB-API, in the same transaction. Raises DatabaseError."""

        def run(connection: Connection) -> _T:
            driver = connection.connection.dbapi_connection
            try:
                return work(driver)
            except connection.dialect.loaded_dbapi.Error as error:
                is_lost = connection.dialect.is_disconnect(error, driver, None)
                raise DBAPIError(None, None, error, hide_parameters=True, connection_invalidated=is_lost) from error

        return self.look(run)

    def wait(self, work: Awaitable[_T]) -> _T:
        """Have the driver do its work. Raises what `explained` says."""

        async def wait() -> _T:
            return await work

        try:
            return self._runner.run(wait())
        except SQLAlchemyError as error:
            failure = explained(error)
        raise failure


def _stored(table: CopiedTable, row: Row) -> Row:
    return tuple(
        _number(value) if kind is Kind.DECIMAL and value is not None else value
        for (_, kind), value in zip(table.columns, row, strict=True)
    )


def _number(digits: str) -> str:
    """Digits written out, as `str` of a Decimal writes them: what SQLite keeps."""
    return str(Decimal(digits))


def _digits(number: str) -> int:
    """At least as many as it has written out, on either side of the point."""
    return abs(Decimal(number).adjusted()) + len(number)


@contextmanager
def open_reading(url: URL, lock_timeout: float) -> Iterator[PostgresSide]:
    """The database at one moment, whatever its schema. Raises ConfigurationError or DatabaseError."""
    with _connected(url, lock_timeout, "REPEATABLE READ", read_only=True) as side:
        yield side


@contextmanager
def open_source(url: URL, lock_timeout: float) -> Iterator[PostgresSide]:
    """The database at one moment. Raises NotRecognisedError, SchemaError, ConfigurationError or DatabaseError."""
    with open_reading(url, lock_timeout) as side:
        side.require_head()
        yield side


@contextmanager
def open_target(url: URL, lock_timeout: float) -> Iterator[PostgresSide]:
    """The database in a transaction that keeps other writers out of its tables.

    Raises MigrationError when it holds rows, and what `open_source` does.
    """
    with _connected(url, lock_timeout, "READ COMMITTED", read_only=False) as side:
        side.run("SELECT pg_advisory_xact_lock($1)", (_MIGRATION_LOCK,))
        if not side.tables():
            side.create_schema()
        side.require_head()
        side.run(f"LOCK TABLE {', '.join(table.name for table in TABLES)} IN EXCLUSIVE MODE")
        require_without_rows(side)
        yield side


@contextmanager
def _connected(url: URL, lock_timeout: float, isolation: str, read_only: bool) -> Iterator[PostgresSide]:
    engine = create_async_engine(
        url,
        poolclass=NullPool,
        isolation_level=isolation,
        hide_parameters=True,
        logging_name=LOGGING_NAME,
        connect_args={
            "async_creator_fn": connect,
            "server_settings": {
                "application_name": "socrates db",
                "default_transaction_read_only": "on" if read_only else "off",
                "lock_timeout": str(max(1, round(lock_timeout * 1000))),
                # One statement may wait for a whole portion, and an owner's limit is meant for small ones.
                "statement_timeout": "0",
                "jit": "off",
            },
        },
    )
    forget_values(engine)
    with asyncio.Runner() as runner:
        connection = engine.connect()
        side = PostgresSide(runner, connection, url.render_as_string(hide_password=True))
        side.wait(connection.start())
        try:
            _require_server(side)
            yield side
        finally:
            runner.run(connection.close())


def _require_server(side: PostgresSide) -> None:
    """Raises ConfigurationError for a server that will not do, as opening a store on it does."""
    ((version, encoding),) = side.run(
        "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding')"
    )
    if version < OLDEST or encoding != "UTF8":
        raise ConfigurationError(
            f"{side.shown} is PostgreSQL {version} with the encoding {encoding}; socrates needs {OLDEST} or newer, "
            "and a database with ENCODING 'UTF8'"
        )
