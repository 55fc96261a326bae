"""One cache: what is kept, what is being loaded, and what has been made wrong meanwhile."""

import asyncio
import math
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from socrates.caching.bypass import is_bypassing
from socrates.caching.entries import Entries, Entry, Tag, TagHash
from socrates.caching.keys import Key
from socrates.caching.loads import ASK_AGAIN, Load, Outcome
from socrates.caching.sizes import size_of
from socrates.caching.statistics import Counters, Statistics, register

T = TypeVar("T")

ABSENT: Final = object()
"""What `Cache.find` returns where nothing is kept: None is a result like any other."""

EVERYTHING: Final = "everything"
"""The tag that every entry has."""

_EVERYTHING: Final = hash(EVERYTHING)

_JITTER = 0.1
"""Lifetimes are shortened at random by up to this share, so that what was loaded together is not loaded anew
together."""

_LARGEST_SHARE = 0.1
"""One result takes at most this share of the bytes: a larger one would drive out all others for one that it serves."""

_REMEMBERED = 10_000
"""Tags whose invalidations are remembered one by one while loads are under way, a megabyte or so; beyond that, no load
that began before is kept."""


class Cache:
    """Results of cached methods, by the key of the call. Safe between threads and between tasks.

    **Never stale.** An entry has tags, and leaves with an invalidation of any of them. A load that began before an
    invalidation of one of its tags is not kept, and not shared with callers that came after it. Whoever changes what
    is cached says so with `changing` around the change, or `invalidate` after it.

    **Single flight.** Of callers that miss the same key at the same time in one event loop one loads, in its own task,
    and the others wait. One that is cancelled cancels nobody: where it was the one that loads, another loads anew.
    What a load raises reaches all that wait for it, and is not kept. A call from inside a load that would so wait for
    itself goes past the cache.

    **Bounded.** By bytes, all told, and by entries; what was least recently used leaves first. A result that takes over
    a tenth of the bytes is not kept. Entries expire `lifetime` seconds after they were loaded, or up to a tenth
    earlier; None keeps them for as long as there is room.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        max_entries: int,
        lifetime: float | None,
        lifetimes: Mapping[str, float] | None = None,
        enabled: bool = True,
        is_current: Callable[[], bool] | None = None,
        tag_as: Callable[[Tag], Tag] | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lifetimes` has those of methods that ask for one by name.

        `is_current` is asked before every hit and every load, and must be quick: False has the call go past the cache.
        It may invalidate and clear; what it raises, the call raises. `tag_as` gives the form in which tags are
        compared. Raises ValueError for a bound or a lifetime that would have nothing kept.
        """
        seconds = [each for each in (lifetime, *(lifetimes or {}).values()) if each is not None]
        if min(max_bytes, max_entries) < 1 or min(seconds, default=1) <= 0:
            raise ValueError("a cache needs bounds of at least 1, and lifetimes over 0 seconds")
        self._entries = Entries(max_bytes, max_entries, timer)
        self._largest = int(max_bytes * _LARGEST_SHARE)
        self._lifetime = lifetime
        self._lifetimes = dict(lifetimes or {})
        self._enabled = enabled
        self._is_current = is_current or _always
        self._tag_as = tag_as
        self._counters: defaultdict[str, Counters] = defaultdict(Counters)
        # Reentrant, because `is_current` clears.
        self._lock = threading.RLock()
        self._epoch = 0
        self._cleared = 0
        self._invalidated: dict[TagHash, int] = {}
        self._changing: Counter[TagHash] = Counter()
        self._loads: dict[Key, Load] = {}
        self._loading = 0
        register(self)

    @property
    def enabled(self) -> bool:
        """Whether anything is kept. Switching it off drops everything, and lets calls go past the cache."""
        return self._enabled

    @enabled.setter
    def enabled(self, value: bool) -> None:
        with self._lock:
            self._enabled = value
            self.clear()

    def find(self, key: Key) -> Any:
        """What is kept under `key`, counted as a hit, or ABSENT."""
        with self._lock:
            # Asking whether it is current may drop it.
            entry = self._entries.find(key) if self._is_usable() else None
            if entry is None:
                return ABSENT
            self._counters[key[0]].hits += 1
            return entry.value

    async def load(
        self,
        key: Key,
        loader: Callable[[], Awaitable[T]],
        tags: Callable[[T], Iterable[Tag]],
        lifetime: str | None = None,
    ) -> T:
        """What `loader` returns, or another call's that loads it already; kept under the `tags` of the result."""
        is_new = True
        while True:
            source, is_mine = self._board(key, is_new)
            if source is None:
                return await loader()
            if isinstance(source, Entry):
                kept: T = source.value
                return kept
            if is_mine:
                return await self._lead(source, loader, tags, lifetime)
            outcome = await source.wait()
            if outcome is not ASK_AGAIN:
                result: T = outcome.result()
                return result
            is_new = False

    def invalidate(self, tags: Iterable[Tag]) -> None:
        """Drop what has one of these tags, and keep no load of it that has begun. To be called after the change."""
        with self._lock:
            self._invalidate(self._in_form(tags))

    def invalidate_formed(self, tags: Iterable[Tag]) -> None:
        """The same for tags that are in the form of `tag_as` already."""
        with self._lock:
            self._invalidate(frozenset(map(hash, tags)))

    @contextmanager
    def changing(self, tags: Collection[Tag]) -> Iterator[None]:
        """Around a change that becomes visible somewhere inside: nothing that has one of these tags is kept meanwhile.

        So no caller is given what was there before the change after another was given what came of it.
        """
        formed = self._in_form(tags)
        with self._lock:
            self._changing.update(formed)
            self._invalidate(formed)
        try:
            yield
        finally:
            with self._lock:
                self._changing.subtract(formed)
                self._changing += Counter()  # drops what is zero
                self._invalidate(formed)

    def clear(self) -> None:
        """Drop everything, and keep no load that has begun."""
        self.invalidate([EVERYTHING])

    def stats(self) -> dict[str, Statistics]:
        """What every cached method did, by its name."""
        with self._lock:
            self._count("expired", self._entries.expire())
            sizes: defaultdict[str, list[int]] = defaultdict(list)
            for key, size in self._entries.sizes():
                sizes[key[0]].append(size)
            return {
                name: Statistics.of(counters, len(sizes[name]), sum(sizes[name]))
                for name, counters in sorted(self._counters.items())
            }

    def total(self) -> Statistics:
        """What all cached methods did together."""
        return Statistics.total(self.stats().values())

    def _is_usable(self) -> bool:
        return self._enabled and not is_bypassing() and self._is_current()

    def _board(self, key: Key, is_new: bool) -> tuple[Load | Entry | None, bool]:
        """Where a call has its result from, and whether it is to do that load itself; None to go past the cache.

        Only a call that `is_new` is counted, not one that asks again.
        """
        with self._lock:
            counters = self._counters[key[0]]
            is_usable = self._is_usable()
            load = self._loads.get(key)
            if load is not None and not load.may_be_shared(self._epoch):
                load = None
            if not is_usable or (load is not None and load.would_wait_for_itself()):
                counters.bypasses += is_new
                return None, False
            entry = self._entries.find(key)
            if entry is not None:
                counters.hits += is_new
                return entry, False
            counters.misses += is_new
            if load is not None:
                return load, False
            counters.loads += 1
            self._loads[key] = load = Load(key, self._epoch, frozenset(self._changing), asyncio.get_running_loop())
            self._loading += 1
            return load, True

    async def _lead(
        self,
        load: Load,
        loader: Callable[[], Awaitable[T]],
        tags: Callable[[T], Iterable[Tag]],
        lifetime: str | None,
    ) -> T:
        try:
            key_bytes = size_of(load.key)
            with load.running():
                value = await loader()
            entry = self._entry(key_bytes, value, tags(value), lifetime)
        except BaseException as error:
            self._end(load, None)
            # A cancellation, or an interruption, is the caller's own.
            load.tell(Outcome(error=error, trace=error.__traceback__) if isinstance(error, Exception) else ASK_AGAIN)
            raise
        self._end(load, entry)
        # What was read in the middle of a change may be older than what those who wait have seen of it.
        load.tell(ASK_AGAIN if _have_any(load.changing, entry.tags) else Outcome(value))
        return value

    def _entry(self, key_bytes: int, value: Any, tags: Iterable[Tag], lifetime: str | None) -> Entry:
        formed = self._in_form(tags)
        seconds = self._lifetime if lifetime is None else self._lifetimes[lifetime]
        jittered = math.inf if seconds is None else seconds * random.uniform(1 - _JITTER, 1)  # noqa: S311 - no secret
        size = Entries.cost(key_bytes, size_of(value, self._largest), len(formed))
        return Entry(value, formed, size, self._entries.now() + jittered)

    def _end(self, load: Load, entry: Entry | None) -> None:
        """End a load, and keep its result if nothing has made that wrong since the load began."""
        with self._lock:
            counters = self._counters[load.key[0]]
            if entry is None:
                counters.failures += 1
            elif self._was_overtaken(load, entry.tags):
                counters.overtaken += 1
            elif entry.size > self._largest:
                counters.too_large += 1
            else:
                self._keep(load.key, entry)
            if self._loads.get(load.key) is load:
                del self._loads[load.key]
            self._loading -= 1
            if not self._loading:
                self._invalidated.clear()

    def _was_overtaken(self, load: Load, tags: frozenset[TagHash]) -> bool:
        return (
            not self._enabled
            or load.epoch < self._cleared
            or _have_any(self._changing.keys(), tags)
            or any(self._invalidated.get(tag, 0) > load.epoch for tag in tags)
        )

    def _keep(self, key: Key, entry: Entry) -> None:
        removed = self._entries.keep(key, entry)
        self._count("evicted_for_bytes", removed.for_bytes)
        self._count("evicted_for_entries", removed.for_entries)
        self._count("expired", removed.expired)

    def _invalidate(self, tags: Collection[TagHash]) -> None:
        if not tags:
            return
        self._epoch += 1
        if _EVERYTHING in tags or len(self._invalidated) + len(tags) > _REMEMBERED:
            self._cleared = self._epoch
            self._invalidated.clear()
        elif self._loading:
            self._invalidated.update(dict.fromkeys(tags, self._epoch))
        if _EVERYTHING in tags:
            gone: Iterable[Key] = self._entries.clear()
        else:
            gone = self._entries.tagged(tags)
            self._entries.drop(gone)
        self._count("invalidated", gone)

    def _in_form(self, tags: Iterable[Tag]) -> frozenset[TagHash]:
        if self._tag_as is None:
            return frozenset(map(hash, tags))
        return frozenset(hash(tag if tag == EVERYTHING else self._tag_as(tag)) for tag in tags)

    def _count(self, what: str, keys: Iterable[Key]) -> None:
        for key in keys:
            counters = self._counters[key[0]]
            setattr(counters, what, getattr(counters, what) + 1)


def _always() -> bool:
    return True


def _have_any(changing: Set[TagHash], tags: frozenset[TagHash]) -> bool:
    """Whether what has these tags is among what is changing."""
    return bool(changing) and (_EVERYTHING in changing or not tags.isdisjoint(changing))
