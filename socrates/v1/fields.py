"""How one value of a blob becomes one value of a column (v1-format, chapters 3 and 5).

A `Field` says which key of a dict is read, what it becomes, and what stands in when the key is missing or None (V2,
V3). The converters below take the value in any shape v1's users managed to store. What they can convert without loss
they convert and note (V18); for the rest they raise DamagedRecordError, which quarantines the row.
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

from socrates.errors import DamagedRecordError
from socrates.v1.reading import Reading, Where, path
from socrates.v1.times import has_finer_fraction, parse_iso

Converter = Callable[[Any, Reading, Where, str], object]


class _Required:
    """The default of a field that has none: a row without it is damage (V17)."""


REQUIRED = _Required()

_INT64 = range(-(2**63), 2**63)
_DECIMAL_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_TEXT, _DICT, _CONTAINERS = frozenset({str}), frozenset({dict}), frozenset({dict, list, tuple, set})
_PLANS_KEPT = 1000
_ITEM_COST, _ODD_ITEM_COST = 130, 350  # a row of its own; its text and its original
_ENTRY_COST, _FIELD_COST = 100, 40
_MAX_DIGITS = 4000  # as far as Python reads a number from text


class Field(NamedTuple):
    """One key of a dict in a blob."""

    key: str
    plain: type | None
    """The type that needs no conversion."""
    convert: Converter
    default: object = None
    column: str = ""
    """How the row's own column of that name serves: ``fallback`` when the blob has nothing, or ``later`` (V5)."""


class Entry:
    """A dict in a blob that becomes a row: its fields in the order of their columns, and the `extra` behind them.

    The values are fetched in one go, and their types looked up in a table of plans: which values need converting or a
    default, and how. v1 wrote few combinations of types, so a plan is made rarely, and a value that is fine as it is
    costs nothing. Going field by field took twice as long.
    """

    def __init__(self, *fields: Field, also_known: Iterable[str] = ()) -> None:
        """`also_known`: further keys, which the converter reads by itself."""
        self.fields = fields
        self.known = frozenset((*(field.key for field in fields), *also_known))
        self.cost = _ENTRY_COST + _FIELD_COST * len(fields)
        """What a row of it takes, for a `Budget`."""
        self._keys = tuple(field.key for field in fields)
        self._plans: dict[tuple[type, ...], tuple[tuple[int, Converter, str], ...]] = {}

    def read(self, source: dict[Any, Any], reading: Reading, where: Where) -> list[Any]:
        """The values of the fields in `source`. Raises DamagedRecordError."""
        values = list(map(source.get, self._keys))
        types = tuple(map(type, values))
        plan = self._plans.get(types)
        if plan is None:
            plan = self._plan(types)
        for index, convert, key in plan:
            values[index] = convert(values[index], reading, where, key)
        return values

    def read_row(
        self, source: dict[Any, Any], reading: Reading, where: Where, kept: dict[str, Any] | None = None
    ) -> list[Any]:
        """The values of the fields, then `extra` as JSON text; `kept` is what it holds in any case."""
        values = self.read(source, reading, where)
        plain = kept is None and not reading.entry and source.keys() <= self.known
        values.append("{}" if plain else reading.extra_text(source, self.known, where, kept))
        return values

    def _plan(self, types: tuple[type, ...]) -> tuple[tuple[int, Converter, str], ...]:
        plan: list[tuple[int, Converter, str]] = []
        for index, (field, found) in enumerate(zip(self.fields, types, strict=True)):
            if found is type(None):
                if field.default is not None:
                    plan.append((index, _defaulting(field.default), field.key))
            elif found is not field.plain:
                plan.append((index, field.convert, field.key))
        if len(self._plans) >= _PLANS_KEPT:
            self._plans.clear()  # only hostile data has so many combinations
        self._plans[types] = tuple(plan)
        return self._plans[types]


def _defaulting(default: object) -> Converter:
    def give(_value: Any, _reading: Reading, where: Where, key: str) -> object:
        if default is REQUIRED:
            raise DamagedRecordError(f"{path(where, key)} is missing")
        return default

    return give


def wrong_type(value: object, where: Where, key: object, wanted: str) -> DamagedRecordError:
    return DamagedRecordError(f"{path(where, key)} is of type {type(value).__name__}, where {wanted} belongs")


def as_dict(value: object, where: Where, key: object) -> dict[Any, Any]:
    """`value` as a dict; None is an empty one (V3). Raises DamagedRecordError."""
    if value is None:
        return {}
    if type(value) is not dict:
        raise wrong_type(value, where, key, "a dict")
    return value


def as_list(value: object, where: Where, key: object) -> list[Any]:
    """`value` as a list; None is an empty one (V3). Raises DamagedRecordError."""
    if value is None:
        return []
    if type(value) is not list:
        raise wrong_type(value, where, key, "a list")
    return value


def entries(value: object, entry: Entry, reading: Reading, where: Where, key: str) -> list[dict[Any, Any]]:
    """`value` as a list of dicts, each of which becomes a row of `entry`. Raises DamagedRecordError."""
    found = as_list(value, where, key)
    if not _DICT.issuperset(map(type, found)):
        position, other = next((place, member) for place, member in enumerate(found) if type(member) is not dict)
        raise wrong_type(other, where, f"{key}[{position}]", "a dict")
    reading.budget.spend(entry.cost * len(found))
    return found


def text_items(value: object, reading: Reading, where: Where, key: str) -> list[str]:
    """A list of texts. Items of another type become ``str(item)``; one note keeps them, with their positions (V13)."""
    items = as_list(value, where, key)
    reading.budget.spend(_ITEM_COST * len(items))
    if _TEXT.issuperset(map(type, items)):
        return items
    reading.budget.spend(_ODD_ITEM_COST * sum(type(item) is not str for item in items))
    odd = [[position, item] for position, item in enumerate(items) if type(item) is not str]
    reading.note("item_not_text", path(where, key), odd)
    return [_shown(item) if type(item) in _CONTAINERS else str(item) for item in items]


def _shown(value: object) -> str:
    """What `repr` gives, but with the members of sets in order: their own changes from process to process, and with it
    would the digest of what a row becomes."""
    if isinstance(value, set):
        return f"{{{', '.join(sorted(map(_shown, value)))}}}" if value else "set()"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_shown(key)}: {_shown(member)}' for key, member in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


def json_of_texts(texts: list[str], reading: Reading) -> str:
    """What `json.dumps` gives, in a third of the time: these lists are many and short."""
    if texts:
        reading.budget.spend_json(texts)
    return f"[{', '.join(map(encode_basestring_ascii, texts))}]"


def to_text(value: Any, reading: Reading, where: Where, key: str) -> str:
    """A number as text. Raises DamagedRecordError for what is neither."""
    if type(value) not in (int, float, bool, Decimal):
        raise wrong_type(value, where, key, "text")
    reading.note("converted", path(where, key), value)
    return str(value)


def _to_secret(value: Any, reading: Reading, where: Where, key: str) -> str:
    if type(value) not in (int, float, bool, Decimal):
        raise wrong_type(value, where, key, "text")
    reading.note("converted", path(where, key))
    return str(value)


def _to_integer(value: Any, reading: Reading, where: Where, key: str) -> int | None:
    if type(value) is not int:
        value = _other_as_integer(value, reading, where, key)
    if value is not None and value not in _INT64:
        reading.unreadable_number(where, key, value)
        return None
    return value  # type: ignore[no-any-return]


def _other_as_integer(value: Any, reading: Reading, where: Where, key: str) -> int | None:
    kind = type(value)
    if not _is_finite(value):
        reading.unreadable_number(where, key, value)
        return None
    integer: int | None = None
    if kind is bool or (kind is float and value.is_integer()):
        integer = int(value)
    elif kind is Decimal and abs(value.adjusted()) < _MAX_DIGITS and value == value.to_integral_value():
        integer = int(value)
    elif kind is str and len(value) < _MAX_DIGITS and _DECIMAL_INTEGER.fullmatch(value) and value != "-0":
        integer = int(value)
    if integer is None:
        raise wrong_type(value, where, key, "an integer")
    reading.note("converted", path(where, key), value)
    return integer


def _is_finite(value: object) -> bool:
    # math.isfinite would make a float of a Decimal, which its size or a signalling NaN forbids.
    return value.is_finite() if isinstance(value, Decimal) else not isinstance(value, float) or math.isfinite(value)


def _to_float(value: Any, reading: Reading, where: Where, key: str) -> float | None:
    if type(value) is float:
        if math.isfinite(value):
            return value + 0.0  # SQLite stores -0.0 as 0.0
        reading.unreadable_number(where, key, value)
        return None
    if (type(value) is int and value not in _INT64) or not _is_finite(value):
        reading.unreadable_number(where, key, value)
        return None
    number = _other_as_float(value)
    if number is None:
        raise wrong_type(value, where, key, "a number")
    reading.note("converted", path(where, key), value)
    return number + 0.0


def _other_as_float(value: Any) -> float | None:
    """`value` as the float that says the same in its shortest decimal form, or None."""
    if type(value) is bool:
        return float(value)
    if type(value) not in (int, Decimal, str):
        return None
    try:
        number = float(value)
        exact = Decimal(repr(number)) == Decimal(value)
    except (ValueError, InvalidOperation):
        return None
    return number if exact and math.isfinite(number) else None


def _to_decimal(value: Any, reading: Reading, where: Where, key: str) -> str | None:
    kind = type(value)
    if not _is_finite(value):
        reading.unreadable_number(where, key, value)
        return None
    if kind is Decimal:
        return str(value)
    if kind is float:
        return str(Decimal(repr(value)))  # its shortest decimal form (V11)
    if kind is int:
        return str(value)
    number = _other_as_decimal(value)
    if number is None:
        raise wrong_type(value, where, key, "a decimal number")
    reading.note("converted", path(where, key), value)
    return str(number)


def _other_as_decimal(value: Any) -> Decimal | None:
    if type(value) is bool:
        return Decimal(int(value))
    if type(value) is not str:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


_FLAGS: dict[object, int] = {"True": 1, "False": 0, "true": 1, "false": 0, "1": 1, "0": 0}


def _to_flag(value: Any, reading: Reading, where: Where, key: str) -> int:
    if type(value) is bool:
        return int(value)
    flag = None
    if type(value) in (int, float, Decimal) and _is_finite(value) and value in (0, 1):
        flag = int(value)
    elif type(value) is str:
        flag = _FLAGS.get(value)
    if flag is None:
        raise wrong_type(value, where, key, "true or false")
    reading.note("converted", path(where, key), value)
    return flag


def to_time(value: Any, reading: Reading, where: Where, key: str) -> str | None:
    """A time in UTC as text, or None for one that cannot be read, which is then kept and noted (V4)."""
    try:
        if type(value) is str and (stored := reading.zone.quick(value)) is not None:
            return stored
        moment = parse_iso(value) if type(value) is str else value
        if type(moment) is not datetime:
            raise ValueError("not a time")
        utc, ambiguous = reading.zone.to_utc(moment)
    except (ValueError, OverflowError):
        reading.unreadable_time(where, key, value)
        return None
    if ambiguous:
        reading.note("time_ambiguous", path(where, key), value)
    if type(value) is str:
        reading.zone.remember(value, moment)
        if has_finer_fraction(value):
            reading.note("fraction_shortened", path(where, key), value)
    return utc.isoformat(" ", "microseconds")


def _to_bytes(value: Any, _reading: Reading, where: Where, key: str) -> bytes:
    raise wrong_type(value, where, key, "bytes")


def _to_text_list(value: Any, reading: Reading, where: Where, key: str) -> str:
    return json_of_texts(text_items(value, reading, where, key), reading)


def _to_tagged_dict(value: Any, reading: Reading, where: Where, key: str) -> str:
    return json.dumps(reading.encoded(as_dict(value, where, key))) if value != {} else "{}"


def text(key: str, default: object = None, column: str = "") -> Field:
    return Field(key, str, to_text, default, column)


def secret(key: str, default: object = None, column: str = "") -> Field:
    """A text that no note and no report may repeat."""
    return Field(key, str, _to_secret, default, column)


def integer(key: str, default: int | None = None) -> Field:
    return Field(key, None, _to_integer, default)


def number(key: str, default: float | None = None) -> Field:
    """A float."""
    return Field(key, None, _to_float, default)


def decimal(key: str, default: str | None = None, column: str = "") -> Field:
    """A decimal that keeps every digit."""
    return Field(key, None, _to_decimal, default, column)


def flag(key: str, *, default: bool) -> Field:
    return Field(key, None, _to_flag, int(default))


def time(key: str, default: object = None, column: str = "") -> Field:
    return Field(key, None, to_time, default, column)


def raw(key: str) -> Field:
    """Bytes, or None."""
    return Field(key, bytes, _to_bytes)


def text_list(key: str) -> Field:
    """A list of texts, as a JSON list."""
    return Field(key, None, _to_text_list, "[]")


def tagged(key: str) -> Field:
    """A dict of anything, as tagged JSON."""
    return Field(key, None, _to_tagged_dict, "{}")
