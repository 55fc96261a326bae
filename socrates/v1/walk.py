"""The judgement of what a pickle gave: its types, its depth, and its size with sharing expanded.

A pickle may name one list a million times over and stay small. Converted, it would not: so every occurrence
counts. Without shared containers, as v1 wrote them, there is at most one node a byte.
"""

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from socrates.errors import DamagedRecordError

MAX_DEPTH = 100
MIN_NODES = 100_000
TEXT_BASE = 16 * 1024 * 1024
TEXT_PER_BYTE = 4
MAX_INTEGER_BITS = 4096  # far beyond any number of v1's, and short of Python's limit for printing one

_CONTAINERS = frozenset({dict, list, tuple, set})
_SCALARS = frozenset({str, int, bool, float, type(None), bytes, datetime, Decimal})
_HARMLESS = frozenset({bool, float, type(None), Decimal})


def walk(value: object, blob_size: int) -> dict[Any, Any]:
    """Return `value` if it is a dict of plain data within the bounds, else raise DamagedRecordError.

    `blob_size`: length of the pickle in bytes, from which the bounds follow. Dict keys may be any scalar here; where
    only text will do, the converter says so.
    """
    if type(value) is not dict:
        raise DamagedRecordError(f"the pickle holds {_name(value)}, not a dict")
    nodes = max(MIN_NODES, blob_size)
    text = TEXT_BASE + TEXT_PER_BYTE * blob_size
    level: list[Any] = [value]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise DamagedRecordError(f"the data is nested more than {MAX_DEPTH} deep")
        below: list[Any] = []
        for container in level:
            nodes -= len(container)
            if nodes < 0 or text < 0:
                raise DamagedRecordError("the data is far larger than its pickle, by sharing")
            if type(container) is dict:
                for key in container:
                    if type(key) is not str:
                        _check_scalar(key)
                members = container.values()
            else:
                members = container
            for member in members:
                kind = type(member)
                if kind is str:
                    text -= len(member)
                elif kind in _CONTAINERS:
                    below.append(member)
                elif kind not in _HARMLESS:
                    _check_scalar(member)
                    text -= len(member) if kind is bytes else 0
        level = below
    if text < 0:
        raise DamagedRecordError("the data is far larger than its pickle, by sharing")
    return value


def _check_scalar(value: object) -> None:
    kind = type(value)
    if kind not in _SCALARS:
        raise DamagedRecordError(f"the data holds {_name(value)}")
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        raise DamagedRecordError(f"the data holds an integer of more than {MAX_INTEGER_BITS} bits")
    if isinstance(value, datetime) and type(value.tzinfo) not in (type(None), timezone):
        raise DamagedRecordError("the data holds a time with an unknown kind of zone")


def _name(value: object) -> str:
    if isinstance(value, type):
        return f"the type {value.__name__} itself"
    return f"a value of type {type(value).__name__}"
