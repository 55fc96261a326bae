"""Everything that is held on one person, as JSON: what a person may ask for."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    false,
    func,
    or_,
    select,
    tuple_,
)

from socrates import tagged_json
from socrates.errors import UserNotFoundError
from socrates.models import ImportRun
from socrates.models.functions import contains_folded
from socrates.models.types import TaggedJSON
from socrates.repositories.base import AT_ONCE, Repository, now, table
from socrates.repositories.personal_data import OWNED, TABLES, Place, hangs_on, is_part_of_a_project, places_in

WITHHELD = "withheld"
"""What stands in the export for a secret: it would prove nothing to the person, and be of use to a thief."""

_SECRET_COLUMNS = frozenset({"passcode_hash", "encrypted_key", "key_hash", "digest"})
"""The digest of a user's row was made with the passcode hash."""

_SECRET_KEYS = frozenset({"passcode_hash", "encrypted_key", "key_hash", "api_key"})
"""The same in dicts: rows of v1's, and settings."""


def mentions(place: Place) -> ColumnElement[bool]:
    """That a column with `renaming` may name the person of the parameters `as_text` and `as_json`.

    Some rows that don't are found too, and `Place.names` tells.
    """
    if place.is_text:
        return contains_folded(place.column, bindparam("as_text"))
    return contains_folded(cast(place.column, Text()), bindparam("as_json"))


def mentioned(username: str) -> dict[str, str]:
    """The parameters of `mentions`."""
    # JSON columns hold ASCII on both engines, so the name stands in them with escapes and in quotation marks.
    return {"as_text": username.casefold(), "as_json": json.dumps(username).casefold()}


@dataclass(frozen=True)
class _Held:
    """How one table's rows on a person are read, by primary key."""

    of: Table
    places: tuple[Place, ...]
    """The columns whose value has to be looked at."""
    first: Select[Any]
    next: Select[Any]


def _held(of: Table) -> _Held:
    places = places_in(of)
    looked_at = tuple(place for place in places if place.renaming is not None)
    exact = or_(false(), hangs_on(of, OWNED), *(place.is_the_name for place in places if place.renaming is None))
    key = list(of.primary_key)
    first = (
        select(*of.c, func.coalesce(exact, false()).label("is_certain"))
        .where(or_(exact, *map(mentions, looked_at)))
        .order_by(*key)
        .limit(AT_ONCE)
    )
    after = tuple_(*(bindparam(f"after_{column.name}", type_=column.type) for column in key))
    return _Held(of, looked_at, first, first.where(tuple_(*key) > after))


# A report names other people too, and what it says of this one stands in the notes and in the quarantine.
_HELD = tuple(_held(of) for of in TABLES if (places_in(of) or is_part_of_a_project(of)) and of is not table(ImportRun))


class UserExport(Repository):
    """The one read that shows all tables."""

    async def export(self, username: str) -> dict[str, Any]:
        """Everything that is held on a person, to be written with `json.dumps`: ``tables`` has the rows of each table.

        These are the user's row and settings, owned projects with all that hangs on them, also what others wrote
        there, memberships, what the person wrote, answered, decided or is asked in other people's projects, what was
        learned about the person, calls of models, keys, and what the import of v1's file noted. Times are UTC in ISO
        format, Decimals text, bytes base64. Hashes and keys are "withheld". Rows of v1's own tables, texts that only
        mention the person, and backup files are not in it.

        Reads 500 rows at a time, and all of a table that has no index on names. Inside a unit of work on SQLite it is
        all of one moment; otherwise each 500 rows are. Raises UserNotFoundError when nothing is held on this name.
        """
        tables = {held.of.name: await self._held(held, username) for held in _HELD}
        tables = {name: rows for name, rows in tables.items() if rows}
        if not tables:
            raise UserNotFoundError(username)
        return {"username": username, "exported_at": now().isoformat(), "tables": tables}

    async def _held(self, held: _Held, username: str) -> list[dict[str, Any]]:
        parameters = {"username": username, **mentioned(username)}
        found: list[dict[str, Any]] = []
        rows = await self._rows(held.first, **parameters)
        while rows:
            found += [_as_json(held.of, row) for row in rows if _is_on(username, row, held)]
            if len(rows) < AT_ONCE:
                break
            last = {f"after_{column.name}": getattr(rows[-1], column.name) for column in held.of.primary_key}
            rows = await self._rows(held.next, **parameters, **last)
        return found


def _is_on(username: str, row: Row[Any], held: _Held) -> bool:
    if row.is_certain:
        return True
    return any(place.names(getattr(row, place.column.name), username) for place in held.places)


def _as_json(of: Table, row: Row[Any]) -> dict[str, Any]:
    written = {column.name: _written(column, row[place]) for place, column in enumerate(of.c)}
    if "data" in written and written["source_table"] == "users":
        written["data"] = WITHHELD  # v1's pickle of a user holds the passcode hash
    if written.get("field") in _SECRET_KEYS:
        written["original"] = WITHHELD
    return written


def _written(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if column.name in _SECRET_COLUMNS:
        return WITHHELD
    if isinstance(column.type, TaggedJSON):
        value = tagged_json.encode(value)
    return _WRITERS.get(type(value), _unchanged)(value)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: WITHHELD if key in _SECRET_KEYS else _without_secrets(item) for key, item in value.items()}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def _unchanged(value: Any) -> Any:
    return value


_WRITERS: dict[type, Callable[[Any], Any]] = {
    datetime: lambda value: value.astimezone(UTC).isoformat(),
    Decimal: str,
    bytes: lambda value: base64.b64encode(value).decode("ascii"),
    dict: _without_secrets,
    list: _without_secrets,
}
