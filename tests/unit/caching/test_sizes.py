import asyncio
import gc
import tracemalloc
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from socrates.caching import size_of
from socrates.frozen import FrozenDict, FrozenList


@dataclass(frozen=True, slots=True)
class Book:
    title: str
    pages: Any = None


class Unchecked(Book):
    __slots__ = ("note",)


@dataclass(frozen=True)
class WithDict:
    title: str


@dataclass(slots=True)
class NotFrozen:
    title: str


class Plain:
    pass


class Colour(Enum):
    RED = "red"


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    "make",
    [
        lambda i: "x" * 1000 + str(i),
        lambda i: "ü" * 1000 + str(i),
        lambda i: "\N{OWL}" * 1000 + str(i),
        lambda i: bytes(1000 + i),
        lambda i: tuple(f"{i}-{each}" for each in range(50)),
        lambda i: FrozenList([f"{i}-{each}" for each in range(50)]),
        lambda i: FrozenDict({f"{i}-{each}": float(each) for each in range(50)}),
        lambda i: frozenset(f"{i}-{each}" for each in range(50)),
        lambda i: tuple(Book(f"{i}-{each}", (10**40 + each,)) for each in range(50)),
        lambda i: Book("t" * i, FrozenDict({"deep": FrozenList([FrozenDict({"er": (f"{i:500}",)})])})),
        lambda i: tuple(datetime(2024, 1, 1, microsecond=i + each, tzinfo=UTC) for each in range(50)),
        lambda i: tuple(Decimal("1.5") + i + each for each in range(50)),
    ],
)
def test_it_is_what_the_memory_grows_by(make: Callable[[int], Any]) -> None:
    make(0)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        values = [make(i) for i in range(100)]
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    counted = sum(map(size_of, values))
    assert 0.97 * grown <= counted <= 1.5 * grown


def test_what_is_shared_and_opened_twice_ends() -> None:
    nested: tuple[Any, ...] = ("leaf",)
    for _ in range(60):
        nested = (nested, nested)
    assert size_of(nested) < 100_000


@pytest.mark.parametrize("value", [Colour.RED, int, UUID(int=1), None, True, 1.5, (Colour.RED, Book), Decimal("1.50")])
def test_leaves_have_a_size(value: Any) -> None:
    assert 0 < size_of(value) < 1000


async def _coroutine() -> None: ...


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        set(),
        bytearray(),
        iter(()),
        (each for each in ()),
        asyncio.Lock(),
        NotFrozen("t"),
        WithDict("t"),
        Unchecked("t"),
        Plain(),
        Pair(1, 2),
        lambda: None,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_can_be_changed_is_refused_however_deep(value: Any) -> None:
    for each in (value, (value,), Book("t", (FrozenDict({"a": FrozenList([value])}),))):
        # Twice: what is known of a kind must not let it pass.
        for _ in range(2):
            with pytest.raises(TypeError, match=f"a {type(value).__name__} cannot be cached"):
                size_of(each)


def test_a_coroutine_is_refused() -> None:
    coroutine = _coroutine()
    with pytest.raises(TypeError, match="a coroutine cannot be cached"):
        size_of(coroutine)
    coroutine.close()


def test_what_is_too_large_is_not_measured_to_its_end() -> None:
    class Opened(list[Any]):
        """Refused, if anybody looks so far."""

    deep = ("x" * 100_000, (Opened(),))
    assert size_of(deep, enough=1_000) > 1_000
    with pytest.raises(TypeError):
        size_of(deep)
