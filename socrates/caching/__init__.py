"""Caches for asynchronous methods that nothing can make stale: single flight, tags, limits in bytes and in time.

    class Books:
        def __init__(self) -> None:
            self.cache = Cache(max_bytes=10_000_000, max_entries=10_000, lifetime=300)

        @cached("books.by", tags=lambda titles, author: [("author", author)])
        async def by(self, author: str) -> tuple[str, ...]:
            ...

    books = Books()
    await books.by("Ada")                      # loads
    await books.by("Ada")                      # a hit
    books.cache.invalidate([("author", "Ada")])

Nothing here knows what is cached: the package works without the rest of `socrates`.
"""

from socrates.caching.bypass import bypassed
from socrates.caching.cache import EVERYTHING, Cache
from socrates.caching.decorator import cached
from socrates.caching.group import CacheGroup
from socrates.caching.keys import Key, typed_key
from socrates.caching.sizes import size_of
from socrates.caching.statistics import Statistics, stats

__all__ = [
    "EVERYTHING",
    "Cache",
    "CacheGroup",
    "Key",
    "Statistics",
    "bypassed",
    "cached",
    "size_of",
    "stats",
    "typed_key",
]
