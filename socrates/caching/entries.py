"""What a cache keeps: bounded in bytes, in number and in time, and found by key or by tag."""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cachetools import Cache as AnyCache
from cachetools import LRUCache

from socrates.caching.keys import Key

Tag = Hashable

TagHash = int
"""What is kept of a tag, however large it is. Two tags that share it are dropped together."""

_PER_ENTRY = 700
"""Bytes that an entry costs besides its key and its value: two dicts and an ordered dict of cachetools, and the entry
itself. Measured with tracemalloc on Python 3.11 where the tables have just grown, and rounded up."""

_PER_TAG = 400
"""Bytes that one tag of an entry costs, measured likewise: its hash, and a set of keys of its own in the index."""

_SWEEP_SECONDS = 1.0
"""How often, at most, entries are looked through for expired ones: at 10,000 entries that takes a millisecond."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One result that is kept; `expires` is a time of the cache's clock, in seconds."""

    value: Any
    tags: frozenset[TagHash]
    size: int
    expires: float


@dataclass(frozen=True, slots=True)
class Removed:
    """What had to leave so that something else could be kept."""

    for_bytes: list[Key] = field(default_factory=list)
    for_entries: list[Key] = field(default_factory=list)
    expired: list[Key] = field(default_factory=list)


class Entries:
    """Entries by key, the least recently used first to leave. Not safe between threads by itself."""

    def __init__(self, max_bytes: int, max_entries: int, timer: Callable[[], float]) -> None:
        self._max_entries = max_entries
        self._timer = timer
        # Not TLRUCache: it holds on to the keys of what has left, which no bound of bytes counts.
        self._kept: Any = LRUCache(max_bytes, getsizeof=_size)
        self._keys_by_tag: dict[TagHash, set[Key]] = {}
        self._most = 0
        self._next_sweep = timer()

    @staticmethod
    def cost(key_bytes: int, value_bytes: int, tags: int) -> int:
        """The bytes that an entry counts, all told."""
        return key_bytes + value_bytes + _PER_ENTRY + tags * _PER_TAG

    def now(self) -> float:
        """The time of the clock, in seconds."""
        return self._timer()

    def find(self, key: Key) -> Entry | None:
        """The entry of this key, which is the most recently used one now; None where there is none, or it expired."""
        try:
            entry: Entry = self._kept[key]
        except KeyError:
            return None
        return entry if self._timer() < entry.expires else None

    def keep(self, key: Key, entry: Entry) -> Removed:
        """Keep an entry, of at most `max_bytes`, in the place of an earlier one; tell what had to leave."""
        now = self._timer()
        removed = Removed(expired=self.expire() if now >= self._next_sweep else [])
        replaced = self._drop(key)
        if replaced is not None and replaced.expires <= now:
            removed.expired.append(key)
        while len(self._kept) >= self._max_entries:
            self._drop_oldest(now, removed.for_entries, removed.expired)
        while self._kept.currsize + entry.size > self._kept.maxsize:
            self._drop_oldest(now, removed.for_bytes, removed.expired)
        self._add(key, entry)
        self._give_back_tables()
        return removed

    def tagged(self, tags: Iterable[TagHash]) -> set[Key]:
        """The keys of all entries that have one of these tags."""
        return {key for tag in tags for key in self._keys_by_tag.get(tag, ())}

    def drop(self, keys: Collection[Key]) -> None:
        """Remove what is there under these keys."""
        if 2 * len(keys) > len(self._kept):
            # Forgetting the tags of so many one by one takes longer than beginning anew.
            return self._move(without=frozenset(keys))
        for key in keys:
            self._drop(key)
        return None

    def clear(self) -> list[Key]:
        """Remove everything; tell the keys."""
        keys = list(self._kept)
        self._kept.clear()
        self._keys_by_tag.clear()
        return keys

    def expire(self) -> list[Key]:
        """Remove what has expired; tell the keys."""
        now = self._timer()
        self._next_sweep = now + _SWEEP_SECONDS
        expired = [key for key, entry in self._items() if entry.expires <= now]
        self.drop(expired)
        return expired

    def sizes(self) -> list[tuple[Key, int]]:
        """Every key with the bytes that its entry counts."""
        return [(key, entry.size) for key, entry in self._items()]

    def _items(self) -> Iterator[tuple[Key, Entry]]:
        # Asking the LRUCache itself would make each of them the most recently used in turn.
        return ((key, AnyCache.__getitem__(self._kept, key)) for key in self._kept)

    def _add(self, key: Key, entry: Entry) -> None:
        self._kept[key] = entry
        for tag in entry.tags:
            self._keys_by_tag.setdefault(tag, set()).add(key)

    def _give_back_tables(self) -> None:
        """Move to new tables once a quarter of the entries has left: dicts and sets shrink by that only."""
        self._most = max(self._most, len(self._kept))
        if len(self._kept) * 4 <= self._most * 3:
            self._move()

    def _move(self, without: frozenset[Key] = frozenset()) -> None:
        """Move to new tables, and leave what is under these keys behind."""
        former, self._kept, self._keys_by_tag = self._kept, LRUCache(self._kept.maxsize, getsizeof=_size), {}
        while former:
            key, entry = former.popitem()
            if key not in without:
                self._add(key, entry)
        self._most = len(self._kept)

    def _drop_oldest(self, now: float, removed: list[Key], expired: list[Key]) -> None:
        key, entry = self._kept.popitem()
        self._forget_tags(key, entry)
        (removed if now < entry.expires else expired).append(key)

    def _drop(self, key: Key) -> Entry | None:
        entry: Entry | None = self._kept.pop(key, None)
        if entry is not None:
            self._forget_tags(key, entry)
        return entry

    def _forget_tags(self, key: Key, entry: Entry) -> None:
        for tag in entry.tags:
            keys = self._keys_by_tag[tag]
            keys.discard(key)
            if not keys:
                del self._keys_by_tag[tag]


def _size(entry: Entry) -> int:
    return entry.size
