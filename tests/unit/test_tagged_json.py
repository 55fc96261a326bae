"""Tagged JSON gives back what went in, by way of real JSON."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socrates.tagged_json import decode, encode

OFFSETS = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
HASHABLE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.datetimes(allow_imaginary=False)
    | st.datetimes(timezones=st.just(UTC) | OFFSETS)
)
KEYS = st.text() | st.sampled_from(["$", "$$", "$decimal", "$dict", "$$set", "$tuple"])
ANYTHING = st.recursive(
    HASHABLE | st.sets(HASHABLE, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.dictionaries(HASHABLE, inner, max_size=3)
    ),
    max_leaves=15,
)


def through_json(value: object) -> Any:
    """Encode, write, read, decode."""
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)))


def shape(value: Any) -> Any:
    """`value` with the type and the text of every scalar, so that 1, 1.0 and True, or 0.5 and 0.50, differ."""
    if isinstance(value, dict):
        return (dict, [(shape(key), shape(item)) for key, item in value.items()])
    if isinstance(value, (list, tuple)):
        return (type(value), [shape(item) for item in value])
    if isinstance(value, set):
        return (set, sorted(repr(shape(item)) for item in value))
    return (type(value), value.isoformat() if isinstance(value, datetime) else repr(value))


@given(ANYTHING)
def test_every_value_comes_back_as_what_it_was(value: Any) -> None:
    assert shape(through_json(value)) == shape(value)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (datetime(2025, 12, 4, 13, 1, 19, 197734), {"$datetime": "2025-12-04T13:01:19.197734"}),
        (datetime(2025, 12, 4, tzinfo=UTC), {"$datetime": "2025-12-04T00:00:00+00:00"}),
        (Decimal("0.50"), {"$decimal": "0.50"}),
        (b"\x00\xff", {"$bytes": "AP8="}),
        ((1, "a"), {"$tuple": [1, "a"]}),
        ({2}, {"$set": [2]}),
        (float("nan"), {"$float": "nan"}),
        (float("inf"), {"$float": "inf"}),
        (float("-inf"), {"$float": "-inf"}),
        ({1: "a", "b": 2}, {"$dict": [[1, "a"], ["b", 2]]}),
        ({"$a": 1}, {"$$a": 1}),
        ({"$$a": 1}, {"$$$a": 1}),
        ({"$": 1}, {"$$": 1}),
        ({"a$": 1}, {"a$": 1}),
        ({"$decimal": "1"}, {"$$decimal": "1"}),
        ({"$dict": 1, 2: 3}, {"$dict": [["$dict", 1], [2, 3]]}),
        ({}, {}),
    ],
)
def test_the_forms_are_those_of_the_format(value: Any, form: Any) -> None:
    assert encode(value) == form
    assert shape(decode(form)) == shape(value)


def test_plain_values_stay_as_they_are() -> None:
    value = {"a": [1, 1.5, True, None, "x", {"b": []}]}
    assert encode(value) == value
    assert shape(decode(value)) == shape(value)


def test_a_signalling_nan_comes_back() -> None:
    assert str(through_json(Decimal("sNaN12"))) == "sNaN12"


def test_negative_zeros_come_back() -> None:
    assert [str(zero) for zero in through_json([-0.0, Decimal("-0.00")])] == ["-0.0", "-0.00"]


def test_lone_surrogates_and_nul_come_back() -> None:
    assert through_json({"\ud800": "\x00\udfff"}) == {"\ud800": "\x00\udfff"}


def test_equal_sets_have_one_form() -> None:
    names = [f"name {number}" for number in range(100)]
    backwards: set[str] = set()
    for name in reversed(names):
        backwards.add(name)  # so that the two differ in their inner order
    assert encode(set(names)) == encode(backwards)


def test_the_order_of_keys_is_kept() -> None:
    assert list(through_json({"b": 1, "a": 2})) == ["b", "a"]
    assert list(through_json({2: 1, 1: 2})) == [2, 1]


@pytest.mark.parametrize("value", [object(), 1j, bytearray(b"x"), range(3), timedelta(1), int])
def test_a_type_without_a_form_is_refused(value: object) -> None:
    for holder in (value, [value], {"k": value}):
        with pytest.raises(TypeError, match="cannot be kept as JSON"):
            encode(holder)


@pytest.mark.parametrize(
    "form",
    [
        {"$unknown": 1},
        {"$": 1},
        {"$set": "abc"},
        {"$tuple": {"a": 1}},
        {"$dict": {"ab": 1}},
        {"$dict": ["ab"]},
        {"$datetime": "soon"},
        {"$datetime": 5},
        {"$decimal": "many"},
        {"$decimal": []},
        {"$bytes": "%%"},
        {"$bytes": 5},
        {"$float": "many"},
        {"$float": None},
        {"$set": 5},
        {"$set": [[1]]},
        {"$tuple": None},
        {"$dict": [[1]]},
        {"$dict": [[[1], 2]]},
        {"$dict": 5},
    ],
    ids=json.dumps,
)
def test_a_form_that_was_never_written_raises_value_error(form: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of any wording
        decode(form)


@pytest.mark.parametrize(
    "offset",
    [timedelta(microseconds=1), -timedelta(microseconds=1), timedelta(hours=-3, seconds=-7), timedelta(seconds=1)],
)
def test_a_time_keeps_an_offset_of_less_than_a_minute(offset: timedelta) -> None:
    moment = datetime(2000, 1, 1, tzinfo=timezone(offset))
    assert through_json(moment).utcoffset() == offset
    assert through_json(moment) == moment


@pytest.mark.parametrize(
    "value", [{frozenset({1})}, {(frozenset({1, 2}), 3)}, {frozenset({1}): "key"}, {frozenset({frozenset()})}]
)
def test_a_frozen_set_inside_a_set_or_as_a_key_comes_back(value: object) -> None:
    assert through_json(value) == value
