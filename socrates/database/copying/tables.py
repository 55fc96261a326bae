"""What is copied: every table of the schema, parents first, and the form in which its values travel."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Float, Integer, LargeBinary, Table, UniqueConstraint
from sqlalchemy.types import TypeEngine

from socrates.models import Base
from socrates.models.types import CodePointText, ExactDecimal, TaggedJSON, UtcDateTime

Row = tuple[Any, ...]
"""The values of one row as SQLite stores them, in the order of the table's columns."""


class Kind(Enum):
    """What a column holds; its value is the Python type in which that travels, None aside.

    Flags are 0 or 1, times UTC as ``YYYY-MM-DD HH:MM:SS.ffffff``, Decimals as `str` writes them, JSON as it is written.
    """

    TEXT = ("text", str)
    INTEGER = ("integer", int)
    FLOAT = ("float", float)
    FLAG = ("flag", int)
    TIME = ("time", str)
    DECIMAL = ("decimal", str)
    JSON = ("JSON", str)
    BYTES = ("bytes", bytes)


_KINDS: tuple[tuple[type[TypeEngine[Any]], Kind], ...] = (
    (CodePointText, Kind.TEXT),
    (UtcDateTime, Kind.TIME),
    (ExactDecimal, Kind.DECIMAL),
    (TaggedJSON, Kind.JSON),
    (JSON, Kind.JSON),
    (Boolean, Kind.FLAG),
    (Integer, Kind.INTEGER),
    (Float, Kind.FLOAT),
    (LargeBinary, Kind.BYTES),
)


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """One table: its columns in order, and by their places those of its key and those of each index."""

    name: str
    columns: tuple[tuple[str, Kind], ...]
    key: tuple[int, ...]
    indexes: tuple[tuple[int, ...], ...]

    @property
    def names(self) -> str:
        """The columns as a statement lists them."""
        return ", ".join(name for name, _ in self.columns)

    @property
    def order(self) -> str:
        """The key as a statement lists it; both engines order it alike."""
        return ", ".join(self.columns[place][0] for place in self.key)

    def key_of(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[place] for place in self.key)


def _copied(table: Table) -> CopiedTable:
    places = {column.name: place for place, column in enumerate(table.columns)}
    unique = [constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    groups = [list(table.primary_key.columns)]
    groups += [list(index.columns) for index in table.indexes]
    groups += [list(constraint.columns) for constraint in unique]
    indexes = tuple(tuple(places[column.name] for column in group) for group in groups)
    return CopiedTable(
        table.name, tuple((column.name, kind_of(column)) for column in table.columns), indexes[0], indexes
    )


def kind_of(column: Column[Any]) -> Kind:
    """What a column of the models holds."""
    return next(kind for type_, kind in _KINDS if isinstance(column.type, type_))


TABLES = tuple(_copied(table) for table in Base.metadata.sorted_tables)
"""All of them, parents before their children."""


def misfit(kind: Kind, value: object) -> str | None:
    """Why a stored value is not what a column of this kind holds, or None. SQLite itself takes anything anywhere."""
    if value is None:
        return None
    name, type_ = kind.value
    if type(value) is not type_:
        return f"holds {type(value).__name__} where {name} belongs"
    if isinstance(value, str) and not value.isascii() and not _is_unicode(value):
        return "holds text that is not UTF-8"
    return None if _has_form(kind, value) else f"holds what is no {name}"


def _has_form(kind: Kind, value: Any) -> bool:
    try:
        if kind is Kind.FLAG:
            return bool(value in (0, 1))
        if kind is Kind.TIME:
            return bool(datetime.fromisoformat(value).isoformat(" ", "microseconds") == value)
        if kind is Kind.DECIMAL:
            return bool(str(Decimal(value)) == value and Decimal(value).is_finite())
        if kind is Kind.JSON:
            json.loads(value, parse_constant=_refuse_constant)
    except (ValueError, InvalidOperation, RecursionError):
        return False
    return True


def _refuse_constant(name: str) -> None:
    """Python's parser takes NaN and Infinity, which are no JSON."""
    raise ValueError(name)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def identical(one: object, other: object) -> bool:
    """Whether two stored values are the same to the type and the last digit: 1, 1.0 and -0.0 and 0.0 differ."""
    if isinstance(one, float) and isinstance(other, float):
        return one.hex() == other.hex()
    return type(one) is type(other) and one == other
