"""The keys of cached calls: the arguments with their types, all the way down."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Any

Key = tuple[Any, ...]
"""Its first item is the name of what is cached."""

_PLAIN = frozenset({str, int, bool, bytes, type(None)})


def typed_key(name: str, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Key:
    """The key of one call of `name`. Raises TypeError for an argument that can be changed, such as a list.

    Arguments that are equal but not the same are told apart: 1, 1.0 and True; 0.0 and -0.0; Decimal("0.5") and
    Decimal("0.50"); one moment in two zones; also inside tuples, frozen sets and frozen dataclasses. Any other hashable
    object is the same as those that it equals. The same argument given by its name or by its place makes two keys,
    because finding out which is which would take longer than a hit.
    """
    try:
        if named:
            names = tuple(sorted(named))
            return (name, *_typed(arguments), names, *_typed(tuple(named[each] for each in names)))
        return (name, *_typed(arguments))
    except TypeError as error:
        raise TypeError(f"{name} is cached and cannot be called like this: {error}; pass tuples instead") from None


def _typed(values: tuple[Any, ...]) -> tuple[Any, Any]:
    types = tuple(map(type, values))
    if not _PLAIN.issuperset(types):
        values = tuple(map(_exact, values))
    return values, types


def _exact(value: Any) -> Any:
    """Something hashable that equals another value's only if the two are the same, given that their types are."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, tuple):
        return _typed(tuple(value))
    if isinstance(value, frozenset):
        return frozenset((type(item), _exact(item)) for item in value)
    if isinstance(value, float | complex | Decimal | datetime | time):
        return repr(value)
    hash(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _typed(tuple(getattr(value, field.name) for field in fields(value)))
    return value
