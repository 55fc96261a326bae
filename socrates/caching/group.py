"""Several caches that depend on the same things, told of their changes as one."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from socrates.caching.cache import Cache
from socrates.caching.entries import Tag


class CacheGroup:
    """Each method does to every cache what `Cache` says of it."""

    def __init__(self, *caches: Cache) -> None:
        self._caches = caches

    @contextmanager
    def changing(self, tags: Collection[Tag]) -> Iterator[None]:
        """Around a change that becomes visible somewhere inside."""
        with ExitStack() as stack:
            for cache in self._caches:
                stack.enter_context(cache.changing(tags))
            yield

    def invalidate_formed(self, tags: Iterable[Tag]) -> None:
        """Drop what has one of these tags, which are in the form of `tag_as` already."""
        formed = tuple(tags)
        for cache in self._caches:
            cache.invalidate_formed(formed)

    def clear(self) -> None:
        """Forget everything."""
        for cache in self._caches:
            cache.clear()
