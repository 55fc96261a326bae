from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from itertools import combinations
from typing import Any

import pytest

from socrates.caching import size_of, typed_key


@dataclass(frozen=True, slots=True)
class Point:
    x: Any
    y: Any = 0


@dataclass
class Loose:
    x: int


class Colour(Enum):
    RED = 1


class Number(int):
    pass


NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)

TOLD_APART: list[list[Any]] = [
    [1, 1.0, True, Decimal(1), Number(1), "1", b"1", 1 + 0j, Colour.RED],
    [0, 0.0, -0.0, False, Decimal(0), Decimal("-0"), Decimal("0.0"), None, "", (), frozenset(), complex(0.0, -0.0)],
    [Decimal("0.5"), Decimal("0.50"), 0.5],
    [NOON, NOON.astimezone(timezone(timedelta(hours=2))), NOON.replace(tzinfo=None), NOON.replace(fold=1)],
    [NOON.timetz(), NOON.time(), time(14, tzinfo=timezone(timedelta(hours=2)))],
    [("a", "b"), "ab", ("ab",), (("a",), "b"), "a:b"],
]


@pytest.mark.parametrize("alike", TOLD_APART)
@pytest.mark.parametrize(
    "wrapped",
    [
        lambda value: value,
        lambda value: (value,),
        lambda value: ((("x", value),),),
        lambda value: frozenset({value}),
        lambda value: frozenset({(value, 1)}),
        Point,
        lambda value: (Point(1, Point(value)),),
    ],
)
def test_arguments_that_are_equal_but_not_the_same_make_different_keys(alike: list[Any], wrapped: Any) -> None:
    for one, other in combinations(alike, 2):
        assert typed_key("m", (wrapped(one),), {}) != typed_key("m", (wrapped(other),), {}), (one, other)
        assert typed_key("m", (), {"a": wrapped(one)}) != typed_key("m", (), {"a": wrapped(other)}), (one, other)


@pytest.mark.parametrize("alike", TOLD_APART)
def test_the_same_argument_makes_the_same_key(alike: list[Any]) -> None:
    for value in alike:
        for arguments in ((value,), ((value, 1),), (frozenset({value}),), (Point(value),)):
            one, other = (
                typed_key("m", arguments, {"b": value, "a": 1}),
                typed_key("m", arguments, {"a": 1, "b": value}),
            )
            assert one == other
            assert hash(one) == hash(other)


def test_not_a_number_is_the_same_as_itself() -> None:
    assert typed_key("m", (float("nan"),), {}) == typed_key("m", (float("nan"),), {})
    assert typed_key("m", (Decimal("nan"),), {}) == typed_key("m", (Decimal("nan"),), {})


def test_names_and_places_do_not_run_into_each_other() -> None:
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("m", (), {}),
        ("n", (), {}),
        ("m", ("a", "b"), {}),
        ("m", (("a", "b"),), {}),
        ("m", ("a",), {"b": "b"}),
        ("m", (), {"a": "a", "b": "b"}),
        ("m", (), {"a": "b", "b": "a"}),
        ("m", ("a", "b", (str, str)), {}),
    ]
    assert len({typed_key(*call) for call in calls}) == len(calls)


@pytest.mark.parametrize("value", [[1], {"a": 1}, {1}, bytearray(b"a"), Loose(1), ([1],), Point([1])])
def test_an_argument_that_can_be_changed_is_refused_by_the_name_of_the_method(value: Any) -> None:
    with pytest.raises(TypeError, match=r"books\.by is cached .* unhashable type: .*; pass tuples instead"):
        typed_key("books.by", (value,), {})
    with pytest.raises(TypeError, match=r"books\.by is cached"):
        typed_key("books.by", (), {"named": value})


def test_a_text_of_another_class_is_a_key_of_its_own() -> None:
    class Name(str):
        __slots__ = ()

    assert typed_key("by", (Name("Ada"),), {}) == typed_key("by", (Name("Ada"),), {})
    assert typed_key("by", (Name("Ada"),), {}) != typed_key("by", ("Ada",), {})
    size_of(typed_key("by", (Name("Ada"),), {}))
