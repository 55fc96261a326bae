"""JSON that gives back what went in: values that JSON lacks are written as ``{"$type": …}``.

The forms are fixed by the v1 format (chapter 3), because scripts of other people read them:

=====================  ==============================================================
``{"$datetime": iso}``   a datetime, naive or aware, by ``isoformat()``
``{"$decimal": text}``   a Decimal with all its digits
``{"$bytes": base64}``   bytes
``{"$tuple": [...]}``    a tuple
``{"$set": [...]}``      a set, in the order of its members' encoded text
``{"$float": text}``     ``nan``, ``inf`` or ``-inf``
``{"$dict": [[k, v]]}``  a dict with a key that is not text
=====================  ==============================================================

A text key that begins with ``$`` gets a second one, so no data can pass for a form.
"""

import base64
import json
import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from socrates.frozen import FrozenDict, FrozenList

_ODD_OFFSET = re.compile(r"(?P<local>.+)(?P<sign>[+-])(?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)(\.(?P<us>\d{6}))?")
"""A time whose offset has seconds."""

_PLAIN = frozenset({str, int, bool, type(None)})


def encode(value: object) -> Any:
    """Return `value` as JSON can hold it. Raises TypeError for a type that has no form here."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    encoder = _ENCODERS.get(kind)
    if encoder is None:
        raise TypeError(f"a value of type {kind.__name__} cannot be kept as JSON")
    return encoder(value)


def decode(value: Any) -> Any:
    """Return what `encode` was given. Raises ValueError for a form that `encode` never writes."""
    if type(value) is list:
        return [decode(item) for item in value]
    if type(value) is not dict:
        return value
    if len(value) == 1:
        ((key, content),) = value.items()
        if key.startswith("$") and not key.startswith("$$"):
            return _decode_form(key, content)
    return {_unescape(key): decode(item) for key, item in value.items()}


def _encode_float(value: float) -> Any:
    return value if math.isfinite(value) else {"$float": str(value)}


def _encode_dict(value: dict[Any, Any]) -> dict[str, Any]:
    if all(type(key) is str for key in value):
        return {("$" + key if key.startswith("$") else key): encode(item) for key, item in value.items()}
    return {"$dict": [[encode(key), encode(item)] for key, item in value.items()]}


def _encode_list(value: list[Any]) -> list[Any]:
    return [encode(item) for item in value]


def _encode_set(value: set[Any] | frozenset[Any]) -> dict[str, Any]:
    # Sorted by encoded text: a set has no order of its own, and equal sets must give equal digests.
    return {"$set": sorted((encode(item) for item in value), key=json.dumps)}


_ENCODERS: dict[type, Callable[[Any], Any]] = {
    float: _encode_float,
    dict: _encode_dict,
    list: _encode_list,
    set: _encode_set,
    tuple: lambda value: {"$tuple": _encode_list(value)},
    datetime: lambda value: {"$datetime": value.isoformat()},
    Decimal: lambda value: {"$decimal": str(value)},
    bytes: lambda value: {"$bytes": base64.b64encode(value).decode("ascii")},
    # What a view holds goes back as what it was read from.
    FrozenDict: _encode_dict,
    FrozenList: lambda value: [encode(item) for item in value],
    frozenset: _encode_set,
}


def _decode_datetime(text: str) -> datetime:
    """`datetime.fromisoformat`, which takes an offset of less than a second for none."""
    odd = _ODD_OFFSET.fullmatch(text)
    if odd is None:
        return datetime.fromisoformat(text)
    hours, minutes, seconds, microseconds = (int(part or 0) for part in odd.group("h", "m", "s", "us"))
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=microseconds)
    zone = timezone(-offset if odd["sign"] == "-" else offset)
    return datetime.fromisoformat(odd["local"]).replace(tzinfo=zone)


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "$float": float,
    "$set": lambda content: {_hashable(decode(item)) for item in _list(content)},
    "$tuple": lambda content: tuple(decode(item) for item in _list(content)),
    "$datetime": _decode_datetime,
    "$decimal": Decimal,
    "$bytes": lambda content: base64.b64decode(content, validate=True),
    "$dict": lambda content: {_hashable(decode(key)): decode(item) for key, item in map(_list, _list(content))},
}


def _list(content: Any) -> list[Any]:
    """`content`, if it is a list: a text or a dict has items too, and would be read as what nobody wrote."""
    if type(content) is not list:
        raise TypeError(f"{type(content).__name__} stands where a list belongs")
    return content


def _decode_form(key: str, content: Any) -> Any:
    decoder = _DECODERS.get(key)
    if decoder is None:
        raise ValueError(f"unknown form {key!r} in tagged JSON")
    try:
        return decoder(content)
    except (TypeError, ArithmeticError) as error:
        raise ValueError(f"a form {key!r} in tagged JSON holds what it never does") from error


def _hashable(value: Any) -> Any:
    """A set that is a member of a set, or a key, was a frozenset."""
    if isinstance(value, set):
        return frozenset(value)
    return tuple(map(_hashable, value)) if isinstance(value, tuple) else value


def _unescape(key: str) -> str:
    return key[1:] if key.startswith("$$") else key
