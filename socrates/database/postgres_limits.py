"""Refuses what SQLite can hold and PostgreSQL cannot, in words of ours."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import Executable, Insert, Table, Update

from socrates.errors import InvalidValueError

MAX_KEY_BYTES = 512
"""An entry of an index has at most 2,704 bytes in PostgreSQL; our widest index has five texts."""


def refuse_what_postgres_cannot_hold(
    statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> None:
    """Raise InvalidValueError for a text with a NUL character, and for a key or indexed text that is too long."""
    if not isinstance(statement, Insert | Update):
        return
    written = cast(Table, statement.table)
    indexed = _indexed(written)
    for row in (parameters,) if isinstance(parameters, Mapping) else parameters:
        for name, value in row.items():
            if isinstance(value, str):
                _refuse(f"{written.name}.{name}", value, name in indexed)


def _refuse(column: str, value: str, indexed: bool) -> None:
    if "\x00" in value:
        raise InvalidValueError(f"{column} takes no NUL character: PostgreSQL cannot hold one")
    if indexed and 4 * len(value) > MAX_KEY_BYTES and len(value.encode("utf-8", "replace")) > MAX_KEY_BYTES:
        raise InvalidValueError(f"{column} takes at most {MAX_KEY_BYTES} bytes of UTF-8 on PostgreSQL")


@cache
def _indexed(written: Table) -> frozenset[str]:
    groups = [written.primary_key.columns, *(index.columns for index in written.indexes)]
    groups += [constraint.columns for constraint in written.constraints if hasattr(constraint, "columns")]
    return frozenset(column.name for group in groups for column in group)
