"""Keeps caches of reads and searches true to the database: to our own commits, and to those of other processes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

from socrates.caching import EVERYTHING, Cache, CacheGroup
from socrates.config import CacheConfig
from socrates.database.dependencies import Dependencies, Tag

_TOUCHED = "socrates_touched"

_MOST_TAGS = 10_000
"""Of one transaction, a megabyte or so; one that touches more is taken for one that touches everything."""


class Coherence(ABC):
    """Collects what each transaction of the writer touches, and has the caches drop it as the transaction commits.

    How other processes' commits are noticed is the engine's matter.
    """

    def __init__(self, writer: AsyncEngine, config: CacheConfig, dependencies: Dependencies) -> None:
        self.reads = self._cache(
            config.read_cache_bytes,
            config.read_cache_size,
            config.cache_ttl_seconds,
            config,
            context=config.context_cache_ttl_minutes * 60,
        )
        self.searches = self._cache(
            config.search_cache_bytes, config.search_result_cache_size, config.search_cache_ttl_seconds, config
        )
        self._caches = CacheGroup(self.reads, self.searches)
        self._dependencies = dependencies
        event.listen(writer.sync_engine, "begin", self._begin)
        event.listen(writer.sync_engine, "before_cursor_execute", self._collect)

    def _cache(
        self, max_bytes: int, max_entries: int, lifetime: float, config: CacheConfig, **lifetimes: float
    ) -> Cache:
        return Cache(
            max_bytes=max_bytes,
            max_entries=max_entries,
            lifetime=lifetime,
            lifetimes=lifetimes,
            enabled=config.enable_caching,
            is_current=self.is_current,
            tag_as=self._tag_as,
        )

    @contextmanager
    def committing(self, connection: Connection) -> Iterator[None]:
        """Around the commit of a transaction. To be used in the greenlet of its connection."""
        touched: set[Tag] = connection.info.pop(_TOUCHED, {EVERYTHING})
        with self._around_commit(connection, touched):
            yield

    @abstractmethod
    def is_current(self) -> bool:
        """Whether what the caches keep still holds; what another process has changed is dropped first.

        False where that cannot be told at the moment. Takes microseconds.
        """

    @abstractmethod
    async def close(self) -> None:
        """Stop looking. Nothing is current any more."""

    _tag_as: Any = None
    """The form in which the cache compares tags; None for the tags themselves."""

    @abstractmethod
    def _around_commit(self, connection: Connection, touched: set[Tag]) -> AbstractContextManager[None]:
        """Around the commit of what was touched: have the cache drop it."""

    def _began(self, connection: Connection) -> None:  # noqa: B027 - not every engine has something to do
        """A transaction begins on this connection, which has not sent anything yet but perhaps a BEGIN."""

    def _begin(self, connection: Connection) -> None:
        connection.info[_TOUCHED] = set()
        self._began(connection)

    def _collect(
        self, connection: Connection, _cursor: Any, _statement: str, _values: Any, context: Any, _many: bool
    ) -> None:
        touched = connection.info.get(_TOUCHED)
        # The stock driver sends its BEGIN before the transaction is known here.
        if touched is None or EVERYTHING in touched:
            return
        parameters: list[Mapping[str, Any]] = context.compiled_parameters if context.compiled else []
        touched.update(self._dependencies.touched(context.compiled, parameters))
        if len(touched) > _MOST_TAGS:
            touched.clear()
            touched.add(EVERYTHING)
