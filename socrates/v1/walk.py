"""The judgement of what a pickle gave: its types, its depth, and its size with sharing expanded.

A pickle may name one list a million times over and stay small. Converted, it would not: so every occurrence
counts. Without shared containers, as v1 wrote them, there is at most one node a byte.
"""

from collections.abc import Iterable
from datetime import datetime, timezone
from decimal import Decimal
from itertools import chain
from typing import Any

from socrates.errors import DamagedRecordError
from socrates.v1.budget import SMALL_BLOB

MAX_DEPTH = 100
MIN_NODES = SMALL_BLOB
TEXT_BASE = 2 * 1024 * 1024
TEXT_PER_BYTE = 3
MAX_INTEGER_BITS = 4096  # far beyond any number of v1's, and short of Python's limit for printing one

# What it may take to look at all containers and the rarer scalars, in nanoseconds: a seventh of what a blob may take.
TIME_BASE = 150_000_000
TIME_PER_BYTE = 15
_CONTAINER_TIME, _SCALAR_TIME, _MOMENT_TIME = 300, 250, 1000

_CONTAINERS = frozenset({dict, list, tuple, set})
_SCALARS = frozenset({str, int, bool, float, type(None), bytes, datetime, Decimal})
_TEXT = frozenset({str})
_HARMLESS = frozenset({str, bool, float, type(None)})


def walk(value: object, blob_size: int) -> dict[Any, Any]:
    """Return `value` if it is a dict of plain data within the bounds, else raise DamagedRecordError.

    `blob_size`: length of the pickle in bytes, from which the bounds follow. Dict keys may be any scalar here; where
    only text will do, the converter says so.
    """
    if type(value) is not dict:
        raise DamagedRecordError(f"the pickle holds {_name(value)}, not a dict")
    nodes = 0
    most_nodes = max(MIN_NODES, blob_size)
    time_left = TIME_BASE + TIME_PER_BYTE * blob_size
    levels: list[list[Any]] = [[value]]
    while levels[-1]:
        if len(levels) > MAX_DEPTH:
            raise DamagedRecordError(f"the data is nested more than {MAX_DEPTH} deep")
        below: list[Any] = []
        for container in levels[-1]:
            nodes += len(container)
            if nodes > most_nodes:
                raise _too_large()
            for member in _members(container):
                kind = type(member)
                if kind in _HARMLESS:
                    continue
                if kind in _CONTAINERS:
                    below.append(member)
                else:
                    time_left -= _MOMENT_TIME if kind is datetime else _SCALAR_TIME
                    if time_left < 0:
                        raise _too_slow()
                    _check_scalar(member)
        time_left -= _CONTAINER_TIME * len(below)
        if time_left < 0:
            raise _too_slow()
        levels.append(below)
    # No key and no value is longer than the blob, so few nodes cannot hold too much, and nothing needs adding up.
    if 2 * nodes * blob_size > TEXT_BASE:
        _check_text(levels, TEXT_BASE + TEXT_PER_BYTE * blob_size)
    return value


def _members(container: Any) -> Iterable[Any]:
    if type(container) is not dict:
        return container  # type: ignore[no-any-return]
    if not _TEXT.issuperset(map(type, container)):
        for key in container:
            _check_scalar(key)
    return container.values()


def _check_text(levels: list[list[Any]], most: int) -> None:
    """Raise DamagedRecordError when all that is written out together, sharing expanded, is longer than `most`."""
    digits: dict[int, int] = {}  # of a Decimal by its id: counting them anew for each occurrence could take for ever
    for level in levels:
        for container in level:
            members = chain(container, container.values()) if type(container) is dict else container
            for member in members:
                kind = type(member)
                if kind is str or kind is bytes:
                    most -= len(member)
                elif kind is Decimal:
                    if id(member) not in digits:
                        digits[id(member)] = len(str(member))
                    most -= digits[id(member)]
                elif kind is int:
                    most -= member.bit_length() // 3
                if most < 0:
                    raise _too_large()


def _too_large() -> DamagedRecordError:
    return DamagedRecordError("the data is far larger than its pickle, by sharing")


def _too_slow() -> DamagedRecordError:
    return DamagedRecordError("the data would take far more time than data of its size")


def _check_scalar(value: object) -> None:
    kind = type(value)
    if kind not in _SCALARS:
        raise DamagedRecordError(f"the data holds {_name(value)}")
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        raise DamagedRecordError(f"the data holds an integer of more than {MAX_INTEGER_BITS} bits")
    if isinstance(value, datetime):
        _check_moment(value)


def _check_moment(value: datetime) -> None:
    if type(value.tzinfo) not in (type(None), timezone):
        raise DamagedRecordError("the data holds a time with an unknown kind of zone")
    try:
        value.replace(tzinfo=value.tzinfo)  # checks every part, which loading does not: there could be a 31 February
    except ValueError as error:
        raise DamagedRecordError(f"the data holds a time that does not exist: {error}") from error


def _name(value: object) -> str:
    if isinstance(value, type):
        return f"the type {value.__name__} itself"
    return f"a value of type {type(value).__name__}"
