"""How much memory a value takes, with all that it refers to."""

import gc
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import cache
from sys import getsizeof
from typing import Any
from uuid import UUID

from socrates.frozen import FrozenDict, FrozenList

_LEAVES = frozenset({
    type(None), bool, int, float, complex, str, bytes, datetime, date, time, timedelta, timezone, Decimal, UUID
})  # fmt: skip
_CONTAINERS = frozenset({tuple, frozenset, FrozenDict, FrozenList})

_ROUNDING = 8
"""The allocator hands out multiples of 16 bytes: so many are lost on average."""


def size_of(value: object) -> int:
    """The bytes that `value` takes with everything in it. A text that it holds twice counts twice.

    Raises TypeError for what could be changed behind the back of a cache: a list, a dict, a set, an object that is not
    a frozen dataclass with slots.
    """
    size = 0
    seen: set[int] = set()
    level: list[Any] = [value]
    while level:
        containers = False
        for kind in set(map(type, level)):
            containers |= kind not in _LEAVES
            _require_frozen(kind)
        size += sum(map(getsizeof, level)) + _ROUNDING * len(level)
        level = _held_by(level, seen) if containers else []
    return size


def _held_by(level: list[Any], seen: set[int]) -> list[Any]:
    """What the containers among these refer to. Each is opened once, or nested sharing would never end."""
    containers = [item for item in level if type(item) not in _LEAVES and id(item) not in seen]
    seen.update(map(id, containers))
    held = gc.get_referents(*containers)
    # Every object of a class with slots refers to its class too.
    return [item for item in held if not isinstance(item, type)] if type in set(map(type, held)) else held


@cache
def _require_frozen(kind: type) -> None:
    if kind in _LEAVES or kind in _CONTAINERS:
        return
    parameters = getattr(kind, "__dataclass_params__", None)
    if parameters is not None and parameters.frozen and not kind.__dictoffset__:
        return
    raise TypeError(
        f"a {kind.__name__} cannot be cached, because it could be changed afterwards: return tuples, FrozenDict and "
        "frozen dataclasses with slots"
    )
