"""The first lane of the scan knows what v1's pickler writes, and agrees with the second."""

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socrates.errors import DamagedRecordError
from socrates.v1.opcodes import follow
from socrates.v1.scan import FAST_LANE_BYTES, MAX_NUMBERS, MAX_REDUCES, MAX_REDUCES_BY_BYTES, _fast_lane, scan
from socrates.v1.unpickling import load
from tests.support.v1_records import LEARNED, project_record, user_record
from tests.unit.v1 import assembly as a
from tests.unit.v1.samples import PLAIN_RECORD, mutated, sample_blobs

PROTOCOLS = (3, 4, 5)


def accepted(blob: bytes) -> bool:
    """Tell whether the whole scan lets a blob pass."""
    try:
        scan(blob)
    except DamagedRecordError:
        return False
    return True


def test_every_sample_blob_ends_in_the_first_lane() -> None:
    blobs = sample_blobs()
    assert len(blobs) > 50
    assert all(map(_fast_lane, blobs))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("record", [project_record("p"), user_record("ada")])
def test_usual_records_end_in_the_first_lane(protocol: int, record: dict[str, Any]) -> None:
    assert _fast_lane(pickle.dumps(record, protocol))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_long_texts_and_bytes_end_in_the_first_lane(protocol: int) -> None:
    record = {"long": "x" * 70_000, "wide": "é" * 300, "raw": bytes(70_000), "some": bytes(256)}
    assert _fast_lane(pickle.dumps(record, protocol))


@pytest.mark.parametrize("length", [0, 1, 91, 92, 93, 127, 128, 255, 256, 257, 65_535, 65_536])
def test_texts_and_bytes_of_any_length_pass_both_lanes(length: int) -> None:
    blob = pickle.dumps({"text": "t" * length, "bytes": b"b" * length}, 4)
    assert _fast_lane(blob)
    follow(blob)


@given(PLAIN_RECORD, st.sampled_from(PROTOCOLS))
def test_both_lanes_accept_whatever_plain_data_is_pickled(record: dict[str, Any], protocol: int) -> None:
    blob = pickle.dumps(record, protocol)
    scan(blob)
    follow(blob)


@given(st.sets(st.integers() | st.text()), st.sampled_from((4, 5)))
def test_sets_pass_by_the_second_lane(members: set[Any], protocol: int) -> None:
    scan(pickle.dumps({"k": members}, protocol))


@given(PLAIN_RECORD, st.data())
def test_no_part_of_a_pickle_passes(record: dict[str, Any], data: st.DataObject) -> None:
    blob = pickle.dumps(record, 4)
    assert not accepted(blob[: data.draw(st.integers(0, len(blob) - 1))])


def test_what_loads_by_the_first_lane_passes_the_second() -> None:
    # Else the same data would be damage or not, depending on its length.
    for blob in mutated(sample_blobs(), 2000, seed=1):
        if blob[0] != 0x80 or not _fast_lane(blob):
            continue
        try:
            load(blob)
        except DamagedRecordError:
            continue
        follow(blob)


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("a value left on the stack", b"N}"),
        ("a memo index that runs ahead", b"}r\x05\x00\x00\x00"),
    ],
)
def test_the_length_of_a_blob_does_not_decide_whether_it_is_damaged(what: str, code: bytes) -> None:
    padding = a.text("k") + a.text("x" * FAST_LANE_BYTES) + a.SET_ITEM
    short, long = a.whole(code), a.whole(code + padding)
    assert accepted(short) == accepted(long), what


def test_bytes_after_stop_are_refused_by_both_lanes() -> None:
    blob = pickle.dumps(user_record("ada"), 4) + b"."
    assert not _fast_lane(blob)
    with pytest.raises(DamagedRecordError, match="1 bytes follow"):
        scan(blob)


@pytest.mark.parametrize("blob", [b"", b"\x80", b"\x80\x04", b"}.", b"(dp0\n."])
def test_what_does_not_begin_with_a_protocol_is_refused(blob: bytes) -> None:
    with pytest.raises(DamagedRecordError, match=r"not a pickle|ends before"):
        scan(blob)


@pytest.mark.parametrize("protocol", [0, 1, 2, 6, 255])
def test_other_protocols_are_refused(protocol: int) -> None:
    with pytest.raises(DamagedRecordError, match=f"protocol {protocol} is not one of"):
        scan(b"\x80" + bytes([protocol]) + b"}.")


def test_a_large_blob_is_followed_opcode_by_opcode() -> None:
    # The first lane knows nothing of memory; only the second refuses a million empty dicts.
    small = a.record(a.list_of(a.EMPTY_DICT * (FAST_LANE_BYTES // 2)))
    large = a.record(a.list_of(a.EMPTY_DICT * (FAST_LANE_BYTES * 2)))
    assert accepted(small)
    assert not accepted(large)


def test_many_calls_are_left_to_the_second_lane() -> None:
    few = pickle.dumps({"k": [LEARNED.replace(year=1 + n) for n in range(MAX_REDUCES // 2)]}, 4)
    many = pickle.dumps({"k": [LEARNED.replace(year=1 + n) for n in range(MAX_REDUCES + 1)]}, 4)
    assert _fast_lane(few)
    assert not _fast_lane(many)
    assert accepted(many)


@pytest.mark.parametrize(
    ("what", "blob"),
    [
        ("a tuple that nothing consumes", pickle.dumps({"k": (1, 2)}, 4)),
        ("a set", pickle.dumps({"k": {1}}, 4)),
        ("an integer of 65 bits", pickle.dumps({"k": 2**64}, 4)),
        ("a memo index over 65,535", a.record(b"Nr\x00\x00\x01\x00")),
        ("a call of another global", a.record(b"cos\nsystem\n)R")),
    ],
)
def test_the_first_lane_leaves_to_the_second(what: str, blob: bytes) -> None:
    assert not _fast_lane(blob), what


NUMBERS = {"BININT2": a.number(1000), "BININT": a.number(-1), "BINFLOAT": a.real(0.1), "LONG1": a.number(2**40)}
BETWEEN = {
    "MEMOIZE": a.MEMOIZE,
    "BINPUT": a.put(7),
    "LONG_BINPUT": a.put(300),
    "an APPENDS of nothing": a.MARK + a.APPENDS + a.MEMOIZE,
    "a SETITEMS of nothing": a.MARK + a.SET_ITEMS + a.MEMOIZE,
    "a frame": a.frame(0) + a.MEMOIZE,
    "a frame in an APPENDS of nothing": a.MARK + a.frame(0) + a.APPENDS + a.MEMOIZE,
}


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS.keys())
@pytest.mark.parametrize("between", BETWEEN.values(), ids=BETWEEN.keys())
def test_a_number_that_is_memoized_is_left_to_the_second_lane(number: bytes, between: bytes) -> None:
    # As a key it could be looked up in two bytes, and cost as much as walking through the whole dict.
    assert _fast_lane(a.record(number))
    assert not _fast_lane(a.record(number + between))


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS.keys())
def test_many_numbers_are_left_to_the_second_lane_which_bounds_them_as_keys(number: bytes) -> None:
    assert accepted(a.record(a.list_of(number * (2 * MAX_NUMBERS + 1))))
    assert not accepted(a.record(a.dict_of((number + a.NONE) * (2 * MAX_NUMBERS + 1))))


def test_the_longer_the_blob_the_fewer_calls_pass_the_first_lane() -> None:
    # What a call gives can be memoized, and looked up as a key in three bytes of the blob.
    times = {str(n): LEARNED.replace(year=1 + n) for n in range(200)}
    assert _fast_lane(pickle.dumps(times, 4))
    long = pickle.dumps(times | {"padding": ["x" * 200] * 2 + [f"{n:0200}" for n in range(800)]}, 4)
    assert 3 * 200 * len(long) > MAX_REDUCES_BY_BYTES
    assert not _fast_lane(long)
    assert accepted(long)


def test_a_long_text_passes_the_first_lane_unless_there_is_room_for_looking_it_up_often() -> None:
    long = a.text("x" * 100_000)
    assert _fast_lane(a.record(long))
    keys = a.dict_of(long + a.NONE + long + a.MEMOIZE + a.NONE + (a.get(0) + a.NONE) * 50_000)
    assert not _fast_lane(a.record(keys))
    assert not accepted(a.record(keys))
