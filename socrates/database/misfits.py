"""Refuses values that their column is not made for. SQLite stores them all the same."""

from collections.abc import Mapping, Sequence
from functools import cache
from math import isfinite
from types import NoneType
from typing import Any, cast

from sqlalchemy import JSON, Executable, Float, Insert, Integer, Table, Update

from socrates.errors import InvalidValueError
from socrates.models.types import CodePointText, TaggedJSON

_TAKES: tuple[tuple[type[Any], tuple[type[Any], ...]], ...] = (
    (CodePointText, (str,)),
    (Integer, (int,)),
    (Float, (float, int)),
    (TaggedJSON, (dict,)),
    (JSON, (list, tuple)),
)


def refuse_misfits(statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
    """Raise InvalidValueError for a value to be written that its column is not made for.

    SQLite would store it all the same, or turn it into another one: 5 into "5", NaN into NULL.
    """
    if not isinstance(statement, Insert | Update):
        return
    kinds = _kinds(cast(Table, statement.table))
    for row in (parameters,) if isinstance(parameters, Mapping) else parameters:
        for name, value in row.items():
            objection = _objection(value, kinds[name]) if name in kinds else None
            if objection is not None:
                raise InvalidValueError(f"{statement.table}.{name} {objection}")


@cache
def _kinds(written: Table) -> dict[str, tuple[type[Any], ...]]:
    """What the columns take, save those whose type sees to it itself."""
    return {
        # A JSON column would take None for JSON's null, past NOT NULL.
        column.name: (*taken, NoneType) if column.nullable else taken
        for column in written.c
        for kind, taken in _TAKES
        if isinstance(column.type, kind)
    }


def _objection(value: object, taken: tuple[type[Any], ...]) -> str | None:
    if not isinstance(value, taken) or isinstance(value, bool):
        return f"takes {taken[0].__name__}, not {'None' if value is None else type(value).__name__}"
    if isinstance(value, str):
        return None if value.isascii() or _is_unicode(value) else "takes no lone surrogates"
    if isinstance(value, float):
        return None if isfinite(value) else f"takes float, not {value}"
    if isinstance(value, int):
        return None if -(2**63) <= value < 2**63 else "takes integers of 64 bits"
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
