import copy
import json
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socrates import tagged_json
from socrates.frozen import FrozenDict, FrozenList, freeze, texts

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.sets(st.integers(), max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=20,
)


def walk(value: Any) -> Any:
    """Every value inside, however deep."""
    yield value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(key)
            yield from walk(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from walk(item)


@given(ANYTHING)
def test_nothing_that_can_change_is_left_inside(value: Any) -> None:
    assert {type(each) for each in walk(freeze(value))}.isdisjoint({dict, list, set, bytearray})


@given(ANYTHING)
def test_a_frozen_value_is_written_as_what_it_was(value: Any) -> None:
    assert json.dumps(tagged_json.encode(freeze(value))) == json.dumps(tagged_json.encode(value))


@given(ANYTHING)
def test_freezing_twice_changes_nothing(value: Any) -> None:
    once = freeze(value)
    assert repr(freeze(once)) == repr(once)
    assert freeze(once) == once


@given(ANYTHING)
def test_a_frozen_value_can_be_copied_and_sent(value: Any) -> None:
    frozen = freeze(value)
    for twin in (copy.copy(frozen), copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        assert twin == frozen
        assert [type(each) for each in walk(twin)] == [type(each) for each in walk(frozen)]


@pytest.mark.parametrize(
    "change",
    [
        lambda frozen: frozen.__setitem__("a", 2),
        lambda frozen: frozen.__delitem__("a"),
        lambda frozen: frozen.__ior__({"b": 1}),
        lambda frozen: frozen.clear(),
        lambda frozen: frozen.pop("a"),
        lambda frozen: frozen.pop("none", None),
        lambda frozen: frozen.popitem(),
        lambda frozen: frozen.setdefault("a", 1),
        lambda frozen: frozen.setdefault("b", 1),
        lambda frozen: frozen.update(b=1),
        lambda frozen: frozen.update(),
        lambda frozen: setattr(frozen, "attribute", 1),
        lambda frozen: frozen["list"].append(1),
        lambda frozen: frozen["list"].__setitem__(0, 1),
        lambda frozen: frozen["list"][1].update(x=1),
        lambda frozen: frozen["set"].add(1),
    ],
)
def test_every_change_is_refused(change: Any) -> None:
    frozen = freeze({"a": 1, "list": [0, {"x": 0}], "set": {0}})
    before = repr(frozen)
    with pytest.raises((TypeError, AttributeError)):
        change(frozen)
    assert repr(frozen) == before


def test_the_message_says_how_to_get_a_copy() -> None:
    frozen = freeze({"a": 1})
    with pytest.raises(TypeError, match=r"dict\(…\)"):
        frozen["a"] = 2
    assert dict(frozen) | {"a": 2} == {"a": 2}
    assert frozen | {"b": 1} == {"a": 1, "b": 1}


def test_lists_become_tuples_that_remember_and_tuples_stay() -> None:
    frozen = freeze([1, (2, [3]), [4]])
    assert frozen == (1, (2, (3,)), (4,))
    assert [type(each) for each in frozen] == [int, tuple, FrozenList]
    assert type(frozen[1][1]) is FrozenList
    assert json.dumps(frozen) == "[1, [2, [3]], [4]]"


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "a", b"a", Decimal("0.50"), datetime(2026, 1, 2, tzinfo=UTC)])
def test_what_cannot_change_is_the_same_thing(value: Any) -> None:
    assert freeze(value) is value


def test_a_frozen_value_does_not_follow_what_it_was_made_of() -> None:
    inner, members = [1], {1}
    frozen = freeze({"inner": inner, "members": members})
    inner.append(2)
    members.add(2)
    assert frozen == {"inner": (1,), "members": {1}}


def test_a_frozen_dict_keeps_its_order_and_is_json() -> None:
    frozen = freeze({"b": 1, "a": [2]})
    assert type(frozen) is FrozenDict
    assert json.dumps(frozen) == '{"b": 1, "a": [2]}'


def test_texts_of_nothing_are_none() -> None:
    assert texts(None) == texts([]) == ()
    assert texts(["b", "a", "b"]) == ("b", "a", "b")
