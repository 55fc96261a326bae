"""Writing rows to the new tables and reading them back, below SQLAlchemy: on the driver's own cursor.

A Core insert of the same rows takes three times as long, in which nothing would be checked more strictly. The driver's
connection is of SQLite's driver, or of asyncpg behind SQLAlchemy's synchronous face; both speak DB-API.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Protocol

from socrates.v1.digest import decimals_of, settled_decimal
from socrates.v1.layout import Kind, Row, Rows, Table
from socrates.v1.times import as_text

_FETCH = 500
# What stands in the pickle of every text with a lone surrogate, and hardly anywhere else.
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")
_MAX_NUMERIC_DIGITS = 16_000  # PostgreSQL: up to 16,383 digits after the point


class Cursor(Protocol):
    """What is used of a DB-API cursor."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Any: ...
    def executemany(self, sql: str, rows: Sequence[Any], /) -> Any: ...
    def fetchmany(self, size: int, /) -> list[Any]: ...
    def fetchone(self) -> Any: ...
    def close(self) -> Any: ...


class Connection(Protocol):
    """What is used of a DB-API connection."""

    def cursor(self) -> Cursor: ...


class Target:
    """The database that is imported into, on SQLite: what is bound is the neutral form itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def placeholder(self, _position: int, _kind: Kind = Kind.TEXT) -> str:
        """How a parameter is written in a statement."""
        return "?"

    def column(self, name: str, _kind: Kind) -> str:
        """How a column is selected, so that its value comes as the driver gives it."""
        return name

    def unstorable(self, rows: Rows, tables: Sequence[Table], blob: bytes) -> str | None:
        """Why this engine cannot hold one of `rows`, or None (V19). `blob` is the pickle they come from."""
        if not _SURROGATE.search(blob):
            return None
        return _first_reason(rows, tables, _not_utf8)

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            cursor = self._connection.cursor()
            marks = tuple(self.placeholder(position, kind) for position, (_, kind) in enumerate(table.columns, 1))
            cursor.executemany(_insert(table, marks), rows)
            cursor.close()

    def read_back(self, table: Table, low: str, high: str) -> Iterator[list[Row]]:
        """The rows whose key lies between `low` and `high`, in the order of the primary key, in portions."""
        cursor = self._connection.cursor()
        columns = tuple(self.column(name, kind) for name, kind in table.columns)
        cursor.execute(_select(table, columns, self.placeholder(1), self.placeholder(2)), (low, high))
        while rows := cursor.fetchmany(_FETCH):
            yield rows
        cursor.close()

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a statement of this package, its placeholders written as ``?``."""
        cursor = self._connection.cursor()
        cursor.execute(self._with_placeholders(sql), tuple(parameters))
        rows: list[Any] = []
        while portion := cursor.fetchmany(_FETCH):
            rows.extend(portion)
        cursor.close()
        return rows

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        cursor = self._connection.cursor()
        cursor.execute(self._with_placeholders(sql), tuple(parameters))
        cursor.close()

    def holds(self, _text: str) -> bool:
        """Whether the engine's text can hold a key that SQLite held."""
        return True

    def bound(self, _kind: Kind, value: object) -> object:
        """A value in neutral form as this engine's driver takes it."""
        return value

    def _with_placeholders(self, sql: str) -> str:
        return sql


class PostgresTarget(Target):
    """The same on PostgreSQL: values are turned into what asyncpg wants, and back."""

    def placeholder(self, position: int, kind: Kind = Kind.TEXT) -> str:
        # As text, or the driver would make JSON of what is JSON already.
        return f"CAST(${position} AS text)::json" if kind is Kind.JSON else f"${position}"

    def column(self, name: str, kind: Kind) -> str:
        return f"{name}::text" if kind is Kind.JSON else name

    def unstorable(self, rows: Rows, tables: Sequence[Table], blob: bytes) -> str | None:
        return _first_reason(rows, tables, _not_for_postgres)

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        binders = [_TO_POSTGRES.get(kind) for _, kind in table.columns]
        super().insert(table, [_mapped(row, binders) for row in rows])

    def read_back(self, table: Table, low: str, high: str) -> Iterator[list[Row]]:
        readers = [_FROM_POSTGRES.get(kind) for _, kind in table.columns]
        for rows in super().read_back(table, low, high):
            yield [_mapped(row, readers) for row in rows]

    def holds(self, text: str) -> bool:
        return "\x00" not in text

    def bound(self, kind: Kind, value: object) -> object:
        (bound,) = _mapped((value,), (_TO_POSTGRES.get(kind),))
        return bound

    def _with_placeholders(self, sql: str) -> str:
        parts = sql.split("?")
        return "".join(part + (f"${i}" if i < len(parts) else "") for i, part in enumerate(parts, 1))


def same(table: Table, written: list[Row], read: list[Row]) -> bool:
    """Tell whether `read` is what was written. A decimal may come back in another form of the same digits."""
    if written == read:
        return True
    decimals = decimals_of(table)
    if not decimals or len(written) != len(read):
        return False

    def settled(row: Row) -> list[object]:
        return [settled_decimal(value) if index in decimals else value for index, value in enumerate(row)]

    return all(settled(one) == settled(other) for one, other in zip(written, read, strict=True))


@cache
def _insert(table: Table, placeholders: tuple[str, ...]) -> str:
    return f"INSERT INTO {table.name} ({', '.join(table.names)}) VALUES ({', '.join(placeholders)})"  # noqa: S608


@cache
def _select(table: Table, columns: tuple[str, ...], low: str, high: str) -> str:
    key = table.names[0]
    order = ", ".join(table.names[index] for index in table.order)
    return (
        f"SELECT {', '.join(columns)} FROM {table.name} "  # noqa: S608 - names of this package only
        f"WHERE {key} >= {low} AND {key} <= {high} ORDER BY {order}"
    )


def _mapped(row: Row, converters: Sequence[Callable[[Any], Any] | None]) -> Row:
    return tuple(
        convert(value) if convert is not None and value is not None else value
        for value, convert in zip(row, converters, strict=True)
    )


def _as_moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _from_moment(moment: datetime) -> str:
    return as_text(moment.astimezone(UTC).replace(tzinfo=None))


_TO_POSTGRES: dict[Kind, Callable[[Any], Any]] = {
    Kind.TIME: _as_moment,
    Kind.DECIMAL: Decimal,
    Kind.FLAG: bool,
}
_FROM_POSTGRES: dict[Kind, Callable[[Any], Any]] = {
    Kind.TIME: _from_moment,
    Kind.DECIMAL: str,
    Kind.FLAG: int,
}


def _first_reason(rows: Rows, tables: Sequence[Table], judge: Callable[[str, Kind], str | None]) -> str | None:
    for table in tables:
        for row in rows.get(table.name, ()):
            for (column, kind), value in zip(table.columns, row, strict=True):
                reason = judge(value, kind) if type(value) is str else None
                if reason is not None:
                    return f"{table.name}.{column} {reason}"
    return None


def _not_utf8(value: str, _kind: Kind) -> str | None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return "holds a lone surrogate, which no UTF-8 text can hold"
    return None


def _not_for_postgres(value: str, kind: Kind) -> str | None:
    if kind is Kind.TEXT and "\x00" in value:
        return "holds a NUL character, which PostgreSQL's text cannot hold"
    if kind is Kind.DECIMAL and abs(Decimal(value).adjusted()) + len(value) > _MAX_NUMERIC_DIGITS:
        return "has more digits than PostgreSQL's numeric can hold"
    return _not_utf8(value, kind)


def parsed(value: Any) -> Any:
    """A JSON column's value: SQLite gives text, and so does asyncpg as SQLAlchemy sets it up."""
    return json.loads(value) if isinstance(value, str) else value
