"""A cached class whose loads the test ends by hand, and a clock that it moves by hand."""

import asyncio
from collections.abc import Iterator
from typing import Any

from socrates.caching import Cache, cached


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def new_cache(**changed: Any) -> Cache:
    return Cache(**{"max_bytes": 1_000_000, "max_entries": 1000, "lifetime": 100, **changed})


def by_author(_result: object, author: str) -> Iterator[tuple[str, str]]:
    yield "author", author


class Library:
    """Books by author. Each load waits until the test lets it go on, where `by_hand`."""

    def __init__(self, cache: Cache | None = None, *, by_hand: bool = False) -> None:
        self.cache: Cache | None = cache or new_cache()
        self.shelf: dict[str, Any] = {}
        self.loads: list[asyncio.Future[None]] = []
        self._by_hand = by_hand

    @cached("books.by", tags=by_author)
    async def by(self, author: str) -> Any:
        found = self.shelf.get(author, ())
        self.loads.append(asyncio.get_running_loop().create_future())
        if self._by_hand:
            await self.loads[-1]
        if isinstance(found, BaseException):
            raise found
        return found

    @property
    def kept(self) -> Cache:
        assert self.cache is not None
        return self.cache


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)
