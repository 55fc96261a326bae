"""What a cache keeps: bounded in bytes, in number and in time, and found by key or by tag."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache, TLRUCache

from socrates.caching.keys import Key

Tag = Hashable

_PER_ENTRY = 900
"""Bytes that an entry costs besides its key and its value: two dicts, an ordered dict and a heap of cachetools, and
the entry itself. Measured with tracemalloc on Python 3.11, rounded up."""

_PER_TAG = 500
"""Bytes that one tag of an entry costs: the tag, its set of keys, and its place in the index."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One result that is kept; `lifetime` in seconds, without a meaning where entries never expire."""

    value: Any
    tags: frozenset[Tag]
    size: int
    lifetime: float


@dataclass(frozen=True, slots=True)
class Removed:
    """What had to leave so that something else could be kept."""

    for_bytes: list[Key]
    for_entries: list[Key]
    expired: list[Key]


class Entries:
    """Entries by key, the least recently used first to leave. Not safe between threads by itself."""

    def __init__(self, max_bytes: int, max_entries: int, lifetime: float | None, timer: Callable[[], float]) -> None:
        """`lifetime` None is for entries that never expire."""
        self._max_entries = max_entries
        self._timer = timer
        self._expires = lifetime is not None
        self._now = timer()
        # TLRUCache is TTLCache with a time for each entry: with one time for all, what was loaded together would
        # expire together, and all of it be loaded anew at one moment.
        self._kept: Any = (
            TLRUCache(max_bytes, _expiry, self._frozen_time, _size)
            if self._expires
            else LRUCache(max_bytes, getsizeof=_size)
        )
        self._keys_by_tag: dict[Tag, set[Key]] = {}

    @staticmethod
    def cost(key_bytes: int, value_bytes: int, tags: int) -> int:
        """The bytes that an entry counts, all told."""
        return key_bytes + value_bytes + _PER_ENTRY + tags * _PER_TAG

    def find(self, key: Key) -> Entry | None:
        """The entry of this key, which is the most recently used one now; None where there is none, or it expired."""
        self._now = self._timer()
        try:
            entry: Entry = self._kept[key]
        except KeyError:
            return None
        return entry

    def keep(self, key: Key, entry: Entry) -> Removed:
        """Keep an entry, of at most `max_bytes`, in the place of an earlier one; tell what had to leave."""
        removed = Removed([], [], self.expire())
        self.drop([key])
        while len(self._kept) >= self._max_entries:
            removed.for_entries.append(self._drop_oldest())
        while self._kept.currsize + entry.size > self._kept.maxsize:
            removed.for_bytes.append(self._drop_oldest())
        self._kept[key] = entry
        for tag in entry.tags:
            self._keys_by_tag.setdefault(tag, set()).add(key)
        return removed

    def tagged(self, tags: Iterable[Tag]) -> set[Key]:
        """The keys of all entries that have one of these tags."""
        return {key for tag in tags for key in self._keys_by_tag.get(tag, ())}

    def drop(self, keys: Iterable[Key]) -> None:
        """Remove what is there under these keys."""
        for key in keys:
            entry = self._kept.pop(key, None)
            if entry is not None:
                self._forget_tags(key, entry)

    def clear(self) -> list[Key]:
        """Remove everything; tell the keys."""
        keys = list(self._kept)
        self._kept.clear()
        self._keys_by_tag.clear()
        return keys

    def expire(self) -> list[Key]:
        """Remove what has expired; tell the keys."""
        self._now = self._timer()
        expired = self._kept.expire() if self._expires else []
        for key, entry in expired:
            self._forget_tags(key, entry)
        return [key for key, _ in expired]

    def sizes(self) -> list[tuple[Key, int]]:
        """Every key with the bytes that its entry counts."""
        return [(key, entry.size) for key, entry in self._kept.items()]

    def _frozen_time(self) -> float:
        # One operation sees one moment: cachetools drops what expires in the middle of one without telling.
        return self._now

    def _drop_oldest(self) -> Key:
        key, entry = self._kept.popitem()
        self._forget_tags(key, entry)
        found: Key = key
        return found

    def _forget_tags(self, key: Key, entry: Entry) -> None:
        for tag in entry.tags:
            keys = self._keys_by_tag[tag]
            keys.discard(key)
            if not keys:
                del self._keys_by_tag[tag]


def _size(entry: Entry) -> int:
    return entry.size


def _expiry(_key: Key, entry: Entry, now: float) -> float:
    return now + entry.lifetime
