"""How much memory a value takes, with all that it refers to."""

import gc
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from itertools import chain
from math import inf
from sys import getsizeof
from typing import Any
from uuid import UUID

from socrates.frozen import FrozenDict, FrozenList

_LEAVES: frozenset[type[Any]] = frozenset({
    type(None), bool, int, float, complex, str, bytes, datetime, date, time, timedelta, timezone, Decimal, UUID
})  # fmt: skip

_ROUNDING = 8
"""The allocator hands out multiples of 16 bytes: so many are lost on average."""


def size_of(value: object, enough: float = inf) -> int:
    """The bytes that `value` takes with everything in it, or any number over `enough` if it takes more than that.

    A text that it holds twice counts twice.

    Raises TypeError for what could be changed behind the back of a cache: a list, a dict, a set, an object that is not
    a frozen dataclass with slots.
    """
    size = 0
    opened: set[int] = set()
    level: list[Any] = [value]
    while level and size <= enough:
        kinds = set(map(type, level))
        for kind in kinds - _sizers.keys():
            _learn(kind)
        size += sum([_sizers[type(item)](item) for item in level]) + _ROUNDING * len(level)
        level = _held_by(level, opened) if kinds & _containers else []
    return size


def _held_by(level: list[Any], opened: set[int]) -> list[Any]:
    """What the containers among these refer to. Each is opened once, or nested sharing would never end."""
    containers = {id(item): item for item in level if type(item) in _containers and id(item) not in opened}
    opened.update(containers)
    dicts = [item for item in containers.values() if isinstance(item, dict)]
    held = gc.get_referents(*(item for item in containers.values() if not isinstance(item, dict)))
    # The collector does not see the keys of a dict that are all texts.
    return [*held, *chain.from_iterable(chain(each.keys(), each.values()) for each in dicts)]


def _learn(kind: type[Any]) -> None:
    """Find out how objects of this kind are measured."""
    if issubclass(kind, type | Enum):
        # Every object refers to its class; classes, and members of enumerations, are there anyway.
        _sizers[kind] = _nothing
    elif kind in _containers or _is_frozen(kind):
        _containers.add(kind)
        _sizers[kind] = getsizeof
    else:
        raise TypeError(
            f"a {kind.__name__} cannot be cached, because it could be changed afterwards: use tuples, FrozenDict and "
            "frozen dataclasses with slots"
        )


def _nothing(_item: object) -> int:
    return 0


def _is_frozen(kind: type[Any]) -> bool:
    # Its own parameters: a class that inherits from a frozen dataclass may have slots that can be set.
    parameters = vars(kind).get("__dataclass_params__")
    return parameters is not None and parameters.frozen and not kind.__dictoffset__


_containers: set[type[Any]] = {tuple, frozenset, FrozenDict, FrozenList}

# By kind, the bytes of one object without what it refers to. Asked directly: `getsizeof` takes three times as long.
_sizers: dict[type[Any], Callable[[Any], int]] = {
    kind: vars(kind).get("__sizeof__", kind.__sizeof__) for kind in _LEAVES
}
