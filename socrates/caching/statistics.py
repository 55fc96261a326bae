"""What caches did, in numbers."""

import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from socrates.caching.cache import Cache


@dataclass(slots=True)
class Counters:
    """The running counts of one cached method."""

    hits: int = 0
    misses: int = 0
    bypasses: int = 0
    loads: int = 0
    failures: int = 0
    overtaken: int = 0
    too_large: int = 0
    evicted_for_bytes: int = 0
    evicted_for_entries: int = 0
    expired: int = 0
    invalidated: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """What one cached method did since its cache was made, or several together, and what it keeps now.

    A call is a hit, a miss, or a bypass. A miss loads, or waits for the load of another; a load may fail. What was
    loaded is kept unless an invalidation overtook it or it is too large, until it leaves for want of bytes or entries,
    because it expired, or because it was invalidated.
    """

    hits: int
    misses: int
    bypasses: int
    loads: int
    failures: int
    overtaken: int
    too_large: int
    evicted_for_bytes: int
    evicted_for_entries: int
    expired: int
    invalidated: int
    entries: int
    bytes: int

    @property
    def hit_rate(self) -> float:
        """The share of hits among hits and misses, from 0 to 1; 0 before the first call."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0

    @classmethod
    def of(cls, counters: Counters, entries: int, size: int) -> "Statistics":
        return cls(**asdict(counters), entries=entries, bytes=size)

    @classmethod
    def total(cls, parts: "Iterable[Statistics]") -> "Statistics":
        """All of them added up."""
        found = tuple(parts)
        return cls(**{field.name: sum(getattr(part, field.name) for part in found) for field in fields(cls)})


_caches: "WeakSet[Cache]" = WeakSet()
_registering = threading.Lock()


def register(cache: "Cache") -> None:
    """Have `stats` count this cache, as long as somebody has it."""
    with _registering:
        _caches.add(cache)


def stats() -> dict[str, Statistics]:
    """What every cached method of this process did, by its name; caches of the same methods are added up."""
    parts: dict[str, list[Statistics]] = {}
    with _registering:
        caches = tuple(_caches)
    for cache in caches:
        for name, statistics in cache.stats().items():
            parts.setdefault(name, []).append(statistics)
    return {name: Statistics.total(parts[name]) for name in sorted(parts)}
