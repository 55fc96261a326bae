"""Refuses values that their column is not made for. SQLite stores them all the same."""

from collections.abc import Mapping, Sequence
from functools import cache
from math import isfinite
from typing import Any, cast

from sqlalchemy import Executable, Float, Insert, Integer, Table, Update

from socrates.errors import InvalidValueError
from socrates.models.types import CodePointText, TaggedJSON

_TAKES: tuple[tuple[type[Any], tuple[type[Any], ...]], ...] = (
    (CodePointText, (str,)),
    (Integer, (int,)),
    (Float, (float, int)),
    (TaggedJSON, (dict,)),
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
            taken = kinds.get(name)
            if taken is not None and not _fits(value, taken):
                wrong = value if isinstance(value, float) else type(value).__name__
                raise InvalidValueError(f"{statement.table}.{name} takes {taken[0].__name__}, not {wrong}")


@cache
def _kinds(written: Table) -> dict[str, tuple[type[Any], ...]]:
    """What the columns take, save those whose type sees to it itself."""
    return {column.name: taken for column in written.c for kind, taken in _TAKES if isinstance(column.type, kind)}


def _fits(value: object, taken: tuple[type[Any], ...]) -> bool:
    if value is None:
        return taken != (dict,)  # a JSON column takes None for JSON's null, past NOT NULL
    return isinstance(value, taken) and not isinstance(value, bool) and (type(value) is not float or isfinite(value))
