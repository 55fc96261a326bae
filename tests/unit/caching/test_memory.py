"""The bound of bytes, by what is really allocated."""

import asyncio
import gc
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from socrates.caching import Cache
from socrates.views import ProjectSummary

BOUND = 2_000_000

_numbers = count(10**11)


def _text(length: int = 14) -> str:
    return f"{next(_numbers):>{length}}"


def _projects() -> tuple[ProjectSummary, ...]:
    def time() -> datetime:
        return datetime(2024, 5, 1, tzinfo=UTC).replace(minute=1)

    return tuple(
        ProjectSummary(*(_text() for _ in range(7)), 50, False, None, time(), time(), each, next(_numbers))
        for each in range(50)
    )


@pytest.fixture
def traced() -> Iterator[Callable[[], int]]:
    """The bytes that were allocated since the test began and are still there."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]

    def grown() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    yield grown
    tracemalloc.stop()


def fill(cache: Cache, entries: int, value: Callable[[], Any], tags: int, key: Callable[[], Any] = _text) -> None:
    async def load() -> Any:
        return value()

    async def run() -> None:
        for _ in range(entries):
            await cache.load(
                ("m", (), (), ("named",), (key(),), (str,)), load, lambda _: [_text() for _ in range(tags)]
            )

    asyncio.run(run())


@pytest.mark.parametrize(
    ("entries", "value", "tags", "key"),
    [
        (1500, lambda: next(_numbers), 2, _text),
        (40, lambda: _text(100_000), 2, _text),
        (40, lambda: next(_numbers), 200, _text),
        (60, _projects, 3, _text),
        (400, lambda: None, 1, lambda: _text(8000)),
    ],
    ids=["tiny", "large", "many tags", "lists of projects", "large keys"],
)
def test_a_full_cache_takes_half_of_its_bytes_at_least_and_no_more(
    entries: int, value: Callable[[], Any], tags: int, key: Callable[[], Any], traced: Callable[[], int]
) -> None:
    cache = Cache(max_bytes=BOUND, max_entries=10**6, lifetime=100)
    fill(cache, entries, value, tags, key)
    assert cache.total().evicted_for_bytes
    assert BOUND / 2 <= traced() <= BOUND


def test_large_entries_after_many_tiny_ones_take_no_more(traced: Callable[[], int]) -> None:
    cache = Cache(max_bytes=BOUND, max_entries=10**6, lifetime=None)
    fill(cache, 1500, lambda: next(_numbers), 2)
    for _ in range(8):
        fill(cache, 4, lambda: _text(100_000), 1)
        assert traced() <= BOUND
