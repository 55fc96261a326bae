"""How much memory converting one record may take.

A blob may take 64 MB + 8 × its size in all. Loading it takes at most 30 MB + 5 × its size (see `opcodes`), and its
conversion what a `Budget` has: 30 MB + 3 × its size, and what is known that the loading left. 4 MB remain for what
nobody counts.

Each step draws on the budget before it makes anything. What it draws is about what CPython 3.11 allocates, or more
where a step takes long for what it makes, so that the budget bounds the time too: to ten nanoseconds a byte.
"""

import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from socrates.errors import DamagedRecordError

SMALL_BLOB = 32 * 1024
"""The size of a blob up to which the walk lets it hold as many nodes as it would have bytes, whatever it shares. Their
JSON cannot pass the bounds, and need not be counted."""

_BASE = 30 * 1024 * 1024
_PER_BYTE = 3

_CONTAINERS: dict[type, tuple[int, int]] = {dict: (240, 80), list: (70, 12), tuple: (330, 12), set: (500, 150)}
"""What the tagged form of an empty one takes, and what each member adds."""
_SCALARS: dict[type, int] = {type(None): 12, bool: 12, int: 24, float: 60, Decimal: 350, bytes: 330, datetime: 400}
_TEXT = 40


class Budget:
    """The memory that may still be taken, in bytes."""

    __slots__ = ("_counts_json", "_left")

    def __init__(self) -> None:
        self._left = _BASE
        self._counts_json = True

    def add(self, size: int) -> None:
        """Allow `size` bytes more, which the loading did not take."""
        self._left += size

    def extend(self, blob_size: int) -> None:
        """Allow what a blob of that size may take."""
        self._left += _PER_BYTE * blob_size
        self._counts_json = blob_size > SMALL_BLOB

    def spend(self, size: int) -> None:
        """Draw `size` bytes. Raises DamagedRecordError when there are not as many."""
        self._left -= size
        if self._left < 0:
            raise DamagedRecordError("it would need far more memory than data of its size")

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Of what is drawn in the block two thirds come back at its end: there only a text is left, and the time."""
        before = self._left
        yield
        self._left += (before - self._left) * 2 // 3

    def spend_json(self, value: object) -> None:
        """Draw what the tagged JSON of `value` takes, as objects and as text, sharing expanded."""
        if not self._counts_json:
            return
        holders: list[Iterable[Any]] = [(value,)]
        for holder in holders:  # grows meanwhile
            size = 0
            for item in holder:
                kind = type(item)
                if kind is str:
                    size += _TEXT + (2 * len(item) if item.isascii() and item.isprintable() else _escaped_size(item))
                elif kind in _CONTAINERS:
                    empty, member = _CONTAINERS[kind]
                    size += empty + member * len(item)
                    holders.append(item)
                    if kind is dict:
                        holders.append(item.values())
                else:
                    size += _SCALARS[kind] + _digits_size(item, kind)
            self.spend(size)


def _escaped_size(text: str) -> int:
    """In parts and joined, and a little more: a character is up to six in JSON, twelve beyond the Basic Plane."""
    is_wide = sys.getsizeof(text) > 3 * len(text) + 80
    return (28 if is_wide else 14) * len(text)


def _digits_size(value: Any, kind: type) -> int:
    if kind is int:
        return int(value.bit_length())
    if kind is float:
        return 0 if math.isfinite(value) else 300
    if kind is Decimal:
        return 4 * len(str(value))
    return 4 * len(value) if kind is bytes else 0
