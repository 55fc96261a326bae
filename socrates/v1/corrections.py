"""What an owner puts in place of what cannot be read of a v1 row.

A correction is tagged JSON: first in a file that a person edited, afterwards in `v1_quarantine_releases`. Neither is
trusted. Before anything is built from it, its depth is bounded, and what hashing its dict keys and set members may
cost, as `socrates.v1.opcodes` does for a pickle; then it is walked as a loaded pickle is.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from socrates.errors import DamagedRecordError
from socrates.tagged_json import decode, encode
from socrates.v1.opcodes import MAX_HASHING
from socrates.v1.reading import printable
from socrates.v1.shapes import V1_TABLES
from socrates.v1.walk import MAX_DEPTH, walk

_MOST_LEVELS = 3 * (MAX_DEPTH + 1)  # {"$dict": [[key, value]]} takes three levels of JSON for one of data
_NUMBER, _SLOW = 1, 5  # what hashing costs, by the scale of `socrates.v1.opcodes`
_SMALL = range(-(2**16), 2**16)
_INT64 = range(-(2**63), 2**63)
_TOLD = 200
_FORMS: dict[str, type] = {
    "$set": list,
    "$tuple": list,
    "$dict": list,
    "$datetime": str,
    "$decimal": str,
    "$bytes": str,
    "$float": str,
}
"""What each form of tagged JSON holds. `decode` would make something of other content too."""


class Correction(NamedTuple):
    """What stands in for parts of a v1 row, and the zone of its naive times. None leaves a part as it is."""

    columns: dict[str, Any] | None = None
    """All columns but `data`."""
    value: dict[Any, Any] | None = None
    """What the pickle should have held."""
    timezone: str | None = None

    @property
    def stand_in(self) -> bytes:
        """What takes the place of the pickle where its size counts, and where lone surrogates are looked for."""
        return json.dumps(encode(self.value), ensure_ascii=False).encode("utf-8", "surrogatepass")

    def stored(self) -> str | None:
        """The correction as JSON text; None when it corrects nothing."""
        parts = {
            "columns": None if self.columns is None else encode(self.columns),
            "value": None if self.value is None else encode(self.value),
            "timezone": self.timezone,
        }
        given = {name: part for name, part in parts.items() if part is not None}
        return json.dumps(given) if given else None


def from_stored(text: str | None, table: str) -> Correction:
    """What `stored` gave for a row of v1's `table`. Raises DamagedRecordError when it is something else by now."""
    if text is None:
        return Correction()
    parts = parse(text)
    if type(parts) is not dict or not parts.keys() <= set(Correction._fields):
        raise DamagedRecordError("the stored correction is none")
    columns, value, timezone = (parts.get(name) for name in Correction._fields)
    return Correction(
        None if columns is None else columns_of(columns, table),
        None if value is None else value_of(value, len(text)),
        None if timezone is None else str(timezone),
    )


def parse(text: str) -> Any:
    """Read tagged JSON, without decoding it.

    Raises DamagedRecordError, also for what readers usually let pass: a key that stands twice, NaN, a form with other
    content than it has.
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise DamagedRecordError(f"it cannot be read as JSON: {_told(error)}") from error


def columns_of(content: Any, table: str) -> dict[str, Any]:
    """The columns of a row of v1's `table`, but `data`, from tagged JSON. Raises DamagedRecordError."""
    if table not in V1_TABLES:
        raise DamagedRecordError("it is of no table of v1's")
    if type(content) is not dict:
        raise DamagedRecordError("columns: an object belongs here")
    names = [name for name in V1_TABLES[table].columns if name != "data"]
    for name in content:
        if name not in names:
            raise DamagedRecordError(f"columns.{_told(name)}: v1's {table} have no such column to correct")
    for name in names:
        if name not in content:
            raise DamagedRecordError(f"columns.{name} is missing")
    return {name: _column(name, content[name]) for name in names}


def _column(name: str, content: Any) -> Any:
    value = _decoded(content, f"columns.{name}")
    if type(value) not in (str, int, float, bytes, type(None)):
        raise DamagedRecordError(f"columns.{name}: a text, a number, bytes or null belongs here")
    if type(value) is int and value not in _INT64:
        raise DamagedRecordError(f"columns.{name}: no column holds an integer of over 64 bits")
    if type(value) is str:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise DamagedRecordError(
                f"columns.{name}: it holds half a surrogate pair, which is no character"
            ) from error
    return value


def value_of(content: Any, size: int) -> dict[Any, Any]:
    """What a v1 pickle should have held, from tagged JSON of `size` characters. Raises DamagedRecordError."""
    value = _decoded(content, "value")
    if type(value) is not dict:
        raise DamagedRecordError("value: an object with the fields of the record belongs here")
    try:
        return walk(value, size)
    except DamagedRecordError as error:
        raise DamagedRecordError(f"value: {error}") from error


def _decoded(content: Any, where: str) -> Any:
    try:
        _require_cheap(content)
        return decode(content)
    except RecursionError as error:
        raise _too_deep() from error
    except (ValueError, DamagedRecordError) as error:
        raise DamagedRecordError(f"{where}: {_told(error)}") from error


def _require_cheap(content: Any) -> None:
    """Raises DamagedRecordError for what `decode` would take too long for, or too many levels."""
    hashing = 0
    level = [content]
    for _ in range(_MOST_LEVELS):
        below: list[Any] = []
        for holder in level:
            if type(holder) is dict:
                hashing += sum(map(_cost, _hashed(holder)))
                below.extend(holder.values())
            elif type(holder) is list:
                below.extend(holder)
        if hashing > MAX_HASHING:
            raise DamagedRecordError("its dict keys or set members are too costly to hash")
        if not below:
            return
        level = below
    raise _too_deep()


def _hashed(holder: dict[str, Any]) -> Iterator[Any]:
    """What `decode` will hash of a form, beside plain keys: the members of a set, the keys of a dict."""
    members, pairs = holder.get("$set"), holder.get("$dict")
    if type(members) is list:
        yield from members
    if type(pairs) is list:
        yield from (pair[0] for pair in pairs if type(pair) is list and pair)


def _cost(member: Any) -> int:
    kind = type(member)
    if kind in (str, bool, type(None)) or (kind is int and member in _SMALL):
        return 0
    return _NUMBER if kind is float or (kind is int and member in _INT64) else _SLOW


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {name!r} stands twice in one object")
    if len(found) == 1:
        _check_form(*pairs[0])
    # Alone it is a form, or refused as one. Beside others it would be taken for a key, and for the same one as with $$.
    if len(found) > 1 and (odd := [name for name in found if name.startswith("$") and not name.startswith("$$")]):
        raise ValueError(f"a key that begins with $ is written with two: {'$' + odd[0]!r}")
    return found


def _check_form(name: str, content: Any) -> None:
    expected = _FORMS.get(name, object)
    is_right = isinstance(content, expected)
    if name == "$dict" and is_right:
        is_right = all(type(pair) is list and len(pair) == 2 for pair in content)
    if not is_right:
        raise ValueError(f"a form {name!r} holds what it never does")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f'{name} is no JSON: write {{"$float": "nan"}}, "inf" or "-inf"')


def _too_deep() -> DamagedRecordError:
    return DamagedRecordError(f"it is nested more than {MAX_DEPTH} deep")


def _told(what: object) -> str:
    return printable(str(what)[:_TOLD])
