"""Writing rows to PostgreSQL and reading them back, on asyncpg behind SQLAlchemy's synchronous face."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from socrates.v1.layout import Kind, Row, Rows, Table
from socrates.v1.target import Target, first_reason, not_utf8

# PostgreSQL: an entry of an index has at most 2,704 bytes, its header and the columns that are no text included.
_MAX_KEY_BYTES = 2_600
_MAX_NUMERIC_DIGITS = 16_000  # PostgreSQL: up to 16,383 digits after the point


class PostgresTarget(Target):
    """A target whose values are turned into what asyncpg wants, and back."""

    def placeholder(self, position: int, _kind: Kind = Kind.TEXT) -> str:
        return f"${position}"

    def column(self, name: str, kind: Kind) -> str:
        # As text: the driver parses JSON, and takes the first and the last moment for infinity.
        if kind is Kind.JSON:
            return f"{name}::text"
        if kind is Kind.TIME:
            return f"to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
        return name

    def unstorable(self, rows: Rows, tables: Sequence[Table], blob: bytes) -> str | None:
        return first_reason(rows, tables, _not_for_postgres) or _first_long_key(rows, tables)

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        # One array a column, not executemany: asyncpg's waits for ever when the connection breaks while it writes.
        if rows:
            binders = [_TO_POSTGRES.get(kind) for _, kind in table.columns]
            arrays = [list(column) for column in zip(*(_mapped(row, binders) for row in rows), strict=True)]
            self.execute(_insert_arrays(table), arrays)

    def read_back(self, table: Table, low: str, high: str) -> Iterator[list[Row]]:
        readers = [_FROM_POSTGRES.get(kind) for _, kind in table.columns]
        for rows in super().read_back(table, low, high):
            yield [_mapped(row, readers) for row in rows]

    def has_table(self, name: str) -> bool:
        ((found,),) = self.query("SELECT to_regclass(?) IS NOT NULL", (name,))
        return bool(found)

    def holds(self, text: str) -> bool:
        return "\x00" not in text and len(text.encode()) <= _MAX_KEY_BYTES

    def bound(self, kind: Kind, value: object) -> object:
        return _as_moment(value) if kind is Kind.TIME and isinstance(value, str) else value

    def _with_placeholders(self, sql: str) -> str:
        parts = sql.split("?")
        return "".join(part + (f"${i}" if i < len(parts) else "") for i, part in enumerate(parts, 1))


@cache
def _insert_arrays(table: Table) -> str:
    names = ", ".join(table.names)
    values = ", ".join(_CASTS.get(kind, "{}").format(name) for name, kind in table.columns)
    arrays = ", ".join(f"${position}::{_ARRAYS[kind]}[]" for position, (_, kind) in enumerate(table.columns, 1))
    return f"INSERT INTO {table.name} ({names}) SELECT {values} FROM unnest({arrays}) AS given ({names})"  # noqa: S608


_ARRAYS = {
    Kind.TEXT: "text",
    Kind.INTEGER: "bigint",
    Kind.FLOAT: "double precision",
    Kind.FLAG: "boolean",
    Kind.TIME: "text",
    Kind.DECIMAL: "numeric",
    Kind.JSON: "text",
    Kind.BYTES: "bytea",
}
_CASTS = {Kind.JSON: "{}::json", Kind.TIME: "({} || '+00')::timestamptz"}


def _mapped(row: Row, converters: Sequence[Callable[[Any], Any] | None]) -> Row:
    return tuple(
        convert(value) if convert is not None and value is not None else value
        for value, convert in zip(row, converters, strict=True)
    )


def _as_moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


_TO_POSTGRES: dict[Kind, Callable[[Any], Any]] = {
    Kind.DECIMAL: Decimal,
    Kind.FLAG: bool,
}
_FROM_POSTGRES: dict[Kind, Callable[[Any], Any]] = {
    Kind.DECIMAL: str,
    Kind.FLAG: int,
}


def _first_long_key(rows: Rows, tables: Sequence[Table]) -> str | None:
    for table in tables:
        for index in table.indexes:
            places = [table.names.index(name) for name in index]
            for row in rows.get(table.name, ()):
                texts = [value for value in (row[place] for place in places) if isinstance(value, str)]
                if sum(len(text.encode()) for text in texts) > _MAX_KEY_BYTES:
                    return f"{table.name}.{' and '.join(index)} is too long for an index of PostgreSQL"
    return None


def _not_for_postgres(value: str, kind: Kind) -> str | None:
    if kind is Kind.TEXT and "\x00" in value:
        return "holds a NUL character, which PostgreSQL's text cannot hold"
    if kind is Kind.DECIMAL and abs(Decimal(value).adjusted()) + len(value) > _MAX_NUMERIC_DIGITS:
        return "has more digits than PostgreSQL's numeric can hold"
    return not_utf8(value, kind)
