"""The walk judges types, depth, and size with sharing expanded."""

import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from socrates.errors import DamagedRecordError
from socrates.v1.walk import MAX_DEPTH, MAX_INTEGER_BITS, MIN_NODES, walk

BLOB_SIZE = 1000


def refusal(value: object, blob_size: int = BLOB_SIZE) -> str:
    """The reason for which a value is refused."""
    with pytest.raises(DamagedRecordError) as caught:
        walk(value, blob_size)
    return str(caught.value)


def nested(depth: int) -> dict[str, Any]:
    """Dicts in dicts, `depth` of them."""
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"k": value}
    return value


class Text(str):
    """A text that is more than a text."""

    __slots__ = ()


def test_plain_data_is_handed_back_itself() -> None:
    value = {"a": [1, 1.5, True, None, "x", b"x", (1,), {2}, Decimal(1), datetime(2025, 1, 1), {"b": {1: 2}}]}
    assert walk(value, BLOB_SIZE) is value


@pytest.mark.parametrize("value", [[], "x", None, 1, (), {1}, dict, Text("x")])
def test_only_a_dict_is_a_record(value: object) -> None:
    assert refusal(value).endswith(", not a dict")


@pytest.mark.parametrize(
    "value",
    [
        date(2025, 1, 1),
        timedelta(1),
        timezone.utc,  # noqa: UP017 - the value itself, not in a time
        frozenset({1}),
        bytearray(b"x"),
        1j,
        Text("x"),
        str,
        object(),
        datetime(2025, 1, 1, tzinfo=ZoneInfo("UTC")),
    ],
)
def test_other_types_are_refused_wherever_they_stand(value: object) -> None:
    for holder in ({"k": value}, {"k": [value]}, {"k": (value,)}, {"k": {"k": value}}):
        assert refusal(holder)


def test_aware_times_are_plain() -> None:
    walk(
        {"k": [datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=2)))]}, BLOB_SIZE
    )


@pytest.mark.parametrize("key", [1, 1.5, True, None, b"x", Decimal(1), datetime(2025, 1, 1)])
def test_any_scalar_may_be_a_key(key: object) -> None:
    walk({"k": {key: 1, "text": 2}}, BLOB_SIZE)


@pytest.mark.parametrize("key", [(1, 2), frozenset({1}), timedelta(1), date(2025, 1, 1)])
def test_nothing_else_may_be_a_key(key: object) -> None:
    assert refusal({"k": {"text": 2, key: 1}})


def test_the_type_itself_is_named_in_the_reason() -> None:
    assert refusal({"k": Decimal}) == "the data holds the type Decimal itself"


def test_depth_is_bounded() -> None:
    walk(nested(MAX_DEPTH), BLOB_SIZE)
    assert refusal(nested(MAX_DEPTH + 1)) == "the data is nested more than 100 deep"


def test_data_that_holds_itself_is_refused() -> None:
    ring: dict[str, Any] = {}
    ring["k"] = ring
    assert refusal(ring)


def test_integers_are_bounded() -> None:
    walk({"k": 2**MAX_INTEGER_BITS - 1}, BLOB_SIZE)
    assert "more than 4096 bits" in refusal({"k": -(2**MAX_INTEGER_BITS)})
    assert "more than 4096 bits" in refusal({"k": {2**MAX_INTEGER_BITS: 1}})


def test_sharing_counts_with_every_occurrence() -> None:
    shared: list[Any] = [None]
    for _ in range(40):
        shared = [shared, shared]
    assert refusal({"k": shared}) == "the data is far larger than its pickle, by sharing"


def test_a_blob_of_many_bytes_may_hold_many_nodes() -> None:
    value = {"k": [None] * (MIN_NODES * 3)}
    walk(value, MIN_NODES * 4)
    assert refusal(value, MIN_NODES)


SHARED = {
    "a text": "x" * 100_000,
    "bytes": b"x" * 100_000,
    "a Decimal": Decimal("7" * 100_000),
    "a key": {"x" * 100_000: None},
}


@pytest.mark.parametrize("shared", SHARED.values(), ids=SHARED.keys())
def test_long_content_counts_with_every_occurrence(shared: object) -> None:
    # 30,000 times 100 KB: the pickle has 160 KB, and its JSON would have 3 GB.
    value = {"k": [shared] * 30_000}
    size = len(pickle.dumps(value, 4))
    assert size < 200_000
    assert refusal(value, size) == "the data is far larger than its pickle, by sharing"


def test_long_texts_that_are_not_shared_are_fine() -> None:
    walk({"k": ["x" * 1_000_000 + str(n) for n in range(40)]}, 40_000_000)


@pytest.mark.parametrize(
    "state",
    [
        b"\x07\xe7\x02\x1f\x00\x00\x00\x00\x00\x00",  # 31 February
        b"\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00",  # the year 0
        b"\x07\xe7\x01\x01\xff\x00\x00\x00\x00\x00",  # hour 255
        b"\x07\xe7\x01\x01\x00\x00\x00\xff\xff\xff",  # more microseconds than a second has
    ],
)
def test_a_time_that_does_not_exist_is_refused(state: bytes) -> None:
    assert "a time that does not exist" in refusal({"k": datetime(state)})  # type: ignore[arg-type]
