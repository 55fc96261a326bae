"""Writing rows to the new tables and reading them back, below SQLAlchemy: on the driver's own cursor.

A Core insert of the same rows takes three times as long, in which nothing would be checked more strictly. `Target` is
SQLite's; `socrates.v1.postgres_target` has PostgreSQL's. Both speak DB-API.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Protocol

from socrates.v1.digest import decimals_of, settled_decimal
from socrates.v1.layout import Kind, Row, Rows, Table

_FETCH = 500
# What stands in the pickle of every text with a lone surrogate, and hardly anywhere else.
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")


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
        return first_reason(rows, tables, not_utf8)

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

    def has_table(self, name: str) -> bool:
        return bool(self.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)))

    def holds(self, _text: str) -> bool:
        """Whether the engine's text can hold a key that SQLite held."""
        return True

    def bound(self, _kind: Kind, value: object) -> object:
        """A value in neutral form as this engine's driver takes it."""
        return value

    def _with_placeholders(self, sql: str) -> str:
        return sql


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


def first_reason(rows: Rows, tables: Sequence[Table], judge: Callable[[str, Kind], str | None]) -> str | None:
    """Why, by `judge`, one of the texts in `rows` cannot be stored, or None."""
    for table in tables:
        for row in rows.get(table.name, ()):
            for (column, kind), value in zip(table.columns, row, strict=True):
                reason = judge(value, kind) if type(value) is str else None
                if reason is not None:
                    return f"{table.name}.{column} {reason}"
    return None


def not_utf8(value: str, _kind: Kind) -> str | None:
    """Why a text is not UTF-8, or None."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return "holds a lone surrogate, which no UTF-8 text can hold"
    return None


def parsed(value: Any) -> Any:
    """A JSON column's value: SQLite gives text, and asyncpg, as SQLAlchemy sets it up, what that says."""
    return json.loads(value) if isinstance(value, str) else value
