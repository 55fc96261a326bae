"""Whether what SQLite stores in our tables can be read by the types of their columns."""

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary
from sqlalchemy.dialects import sqlite

from socrates.database.repair.finding import Finding, Keys, Kind, shown
from socrates.database.repair.pages import StoredText, decoded
from socrates.database.repair.stored_tables import quoted
from socrates.models import Base

_DIALECT = sqlite.dialect()
_UNREADABLE = (ValueError, TypeError, ArithmeticError, LookupError, RecursionError)


def unreadable(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Values that our types cannot read."""
    factory, connection.text_factory = connection.text_factory, decoded
    try:
        for table in Base.metadata.sorted_tables:
            columns = [(place, column.name, _reader(column)) for place, column in enumerate(table.columns)]
            if not _has_columns(connection, table.name, [name for _, name, _ in columns]):
                continue
            keys = [place for place, column in enumerate(table.columns) if column.primary_key]
            unreadable: dict[str, Keys] = {}
            for row in connection.execute(f"SELECT {', '.join(name for _, name, _ in columns)} FROM {table.name}"):  # noqa: S608
                for place, name, read in columns:
                    if row[place] is not None and not _is_readable(read, row[place]):
                        unreadable.setdefault(name, Keys()).add(shown([row[key] for key in keys]))
            for name, found in unreadable.items():
                what = f"values of {table.name}.{name} that cannot be read"
                yield Finding(Kind.VALUE, what, table.name, found)
    finally:
        connection.text_factory = factory


def _reader(column: Column[Any]) -> Callable[[Any], object]:
    """What the column's type does with a stored value. Raises one of `_UNREADABLE` for one that it cannot read."""
    kind = column.type.dialect_impl(_DIALECT)
    if isinstance(kind, LargeBinary):
        return _bytes
    if isinstance(kind, Float):
        return _number
    if isinstance(kind, Boolean):
        return _flag
    process = kind.result_processor(_DIALECT, None)
    if process is None:
        return _integer if isinstance(kind, Integer) else _text
    return process if isinstance(kind, Integer) else lambda value: process(_text(value))


def _is_readable(read: Callable[[Any], object], value: object) -> bool:
    try:
        read(value)
    except _UNREADABLE:
        return False
    return True


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _number(value: object) -> None:
    if not isinstance(value, int | float):
        raise TypeError("no number")


def _integer(value: object) -> None:
    if not isinstance(value, int):
        raise TypeError("no integer")


def _flag(value: object) -> None:
    if value not in (0, 1) or not isinstance(value, int):
        raise TypeError("no flag")


def _bytes(value: object) -> None:
    if not isinstance(value, bytes) or isinstance(value, StoredText):
        raise TypeError("no bytes")


def _has_columns(connection: sqlite3.Connection, table: str, names: list[str]) -> bool:
    there = {column[1] for column in connection.execute(f"PRAGMA table_info({quoted(table)})")}
    return there.issuperset(names)
