"""The second lane of the scan: opcodes, stack, memo, and what hashing and memory may cost."""

import pickle

import pytest

from socrates.errors import DamagedRecordError
from socrates.v1.opcodes import MAX_HASHING, MEMORY_BASE, follow
from socrates.v1.unpickling import load
from tests.support.v1_records import project_record
from tests.unit.v1 import assembly as a


def refusal(blob: bytes) -> str:
    """The reason for which a blob is refused."""
    with pytest.raises(DamagedRecordError) as caught:
        follow(blob)
    return str(caught.value)


FORBIDDEN = {
    "POP": b"N0",
    "POP_MARK": b"(1",
    "DUP": b"N2",
    "INT": b"I1\n",
    "LONG": b"L1L\n",
    "FLOAT": b"F1.5\n",
    "STRING": b"S'a'\n",
    "BINSTRING": b"T\x01\x00\x00\x00a",
    "SHORT_BINSTRING": b"U\x01a",
    "UNICODE": b"Va\n",
    "LIST": b"(l",
    "DICT": b"(d",
    "GET": b"g0\n",
    "PUT": b"Np0\n",
    "PERSID": b"Pid\n",
    "BINPERSID": b"NQ",
    "BUILD": b"]}b",
    "INST": b"(idatetime\ndatetime\n",
    "OBJ": b"(cdatetime\ndatetime\no",
    "NEWOBJ": b"cdatetime\ndatetime\n)\x81",
    "NEWOBJ_EX": b"cdatetime\ndatetime\n)}\x92",
    "EXT1": b"\x82\x01",
    "EXT2": b"\x83\x01\x00",
    "EXT4": b"\x84\x01\x00\x00\x00",
    "FROZENSET": b"(\x91",
    "BYTEARRAY8": b"\x96" + (1).to_bytes(8, "little") + b"a",
    "NEXT_BUFFER": b"\x97",
    "READONLY_BUFFER": b"N\x98",
    "PROTO": b"\x80\x04N",
    "an unknown one": b"\xff",
}


@pytest.mark.parametrize("code", FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_opcodes_that_plain_data_does_not_need_are_refused(code: bytes) -> None:
    assert "is not allowed" in refusal(a.record(code))


def test_the_reason_names_opcode_and_place() -> None:
    assert refusal(b"\x80\x04N0.") == "pickle opcode 0x30 at byte 3 is not allowed"


UNDERFLOWS = {
    "STOP": b"",
    "APPEND": b"]a",
    "APPEND across a MARK": b"](a",
    "APPENDS without MARK": b"]Ne",
    "SETITEM": b"}Ns",
    "SETITEMS without MARK": b"}NNu",
    "ADDITEMS without MARK": b"\x8fN\x90",
    "TUPLE1": b"\x85",
    "TUPLE2": b"N\x86",
    "TUPLE3": b"NN\x87",
    "TUPLE without MARK": b"Nt",
    "REDUCE": b")R",
    "STACK_GLOBAL": b"N\x93",
    "MEMOIZE": b"\x94",
    "BINPUT": b"q\x00",
    "BINGET of nothing": b"h\x00",
    "LONG_BINGET of nothing": b"N\x94j\x01\x00\x00\x00",
}


@pytest.mark.parametrize("code", UNDERFLOWS.values(), ids=UNDERFLOWS.keys())
def test_what_the_stack_or_the_memo_lacks_is_refused(code: bytes) -> None:
    # Some of it only the unpickler finds, at once.
    with pytest.raises(DamagedRecordError):
        load(a.whole(code))


@pytest.mark.parametrize("index", [0x10000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_memo_index_that_runs_ahead_is_refused(index: int) -> None:
    assert "memo index" in refusal(a.record(b"Nr" + index.to_bytes(4, "little")))


def test_a_memo_index_may_be_written_again() -> None:
    follow(a.record(b"]q\x00(Nq\x00e"))


COUNTED = {
    "SHORT_BINUNICODE": b"\x8c\xff",
    "BINUNICODE": b"X\xff\xff\xff\xff",
    "BINUNICODE8": b"\x8d" + b"\xff" * 8,
    "SHORT_BINBYTES": b"C\xff",
    "BINBYTES": b"B\xff\xff\xff\xff",
    "BINBYTES8": b"\x8e" + b"\xff" * 8,
    "LONG1": b"\x8a\xff",
    "LONG4": b"\x8b\xff\xff\xff\x7f",
    "LONG4 of a negative length": b"\x8b\xff\xff\xff\xff",
    "BINFLOAT": b"G\x00",
    "BININT": b"J",
    "FRAME": b"\x95\x00",
    "GLOBAL": b"cdatetime\ndatetime",
}


@pytest.mark.parametrize("code", COUNTED.values(), ids=COUNTED.keys())
def test_more_bytes_declared_than_there_are_is_refused(code: bytes) -> None:
    reason = refusal(b"\x80\x04" + code + b"aN.")
    assert any(words in reason for words in ("more bytes", "more memory", "an integer of more", "without an end"))


def test_the_cost_of_hashing_counts_sharing() -> None:
    follow(a.record(a.NONE, key=a.doubling_tuples(6)))
    assert "too costly to hash" in refusal(a.record(a.NONE, key=a.doubling_tuples(12)))
    assert "too costly to hash" in refusal(a.record(a.NONE, key=a.doubling_tuples(200)))


def test_shared_tuples_may_be_values() -> None:
    # What they cost there, the walk judges.
    follow(a.record(a.doubling_tuples(200)))


def test_the_members_of_sets_count_as_keys() -> None:
    assert "too costly to hash" in refusal(a.record(a.set_of(a.doubling_tuples(40))))


def test_a_wide_tuple_costs_what_it_is_wide() -> None:
    # Tuples don't remember their hash: each use as a member goes through all of it again.
    wide = a.MARK + a.NONE * 100_000 + a.TUPLE + a.MEMOIZE
    assert "too costly to hash" in refusal(a.record(a.set_of(wide + a.get(0) * 900)))


def test_many_keys_that_an_attacker_can_make_collide_are_refused() -> None:
    colliding = [k * (2**61 - 1) for k in range(10, 20 + MAX_HASHING)]
    keys = b"".join(a.number(key) + a.NONE for key in colliding)
    assert "too costly to hash" in refusal(a.record(a.EMPTY_DICT + a.MARK + keys + a.SET_ITEMS))
    follow(pickle.dumps({"k": dict.fromkeys(colliding[:500])}, 4))


def test_thousands_of_text_keys_are_fine() -> None:
    follow(pickle.dumps({f"key {n}": {str(n): n} for n in range(20_000)}, 4))


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("lists", a.EMPTY_LIST),
        ("dicts", a.EMPTY_DICT),
        ("sets", a.EMPTY_SET),
        ("lists of one", b"]Na"),
        ("dicts of one", b"}NNs"),
        ("sets of one", b"\x8f(N\x90"),
        ("texts", b"\x8c\x02ab"),
    ],
)
def test_containers_by_the_million_are_refused(what: str, code: bytes) -> None:
    assert "far more memory" in refusal(a.record(a.list_of(code * 3_000_000 if len(code) < 4 else code * 1_000_000)))


def test_memory_grows_with_the_length_of_the_blob() -> None:
    follow(a.record(a.list_of(a.EMPTY_LIST * (MEMORY_BASE // 160))))
    follow(pickle.dumps({"text": "x" * 20_000_000}, 4))


def test_a_long_history_of_short_messages_is_fine() -> None:
    message = {"timestamp": "2025-01-01T00:00:00", "type": "user", "content": "", "phase": "design", "author": "ada"}
    history = [dict(message, content=str(number)) for number in range(100_000)]
    follow(pickle.dumps(project_record("p") | {"conversation_history": history}, 4))


def test_long_keys_cost_what_comparing_them_costs() -> None:
    # Two equal texts that are not one object: every look-up of the second compares them to their end.
    long = a.text("x" * 1_000_000) + a.MEMOIZE
    uses = a.MARK + b"h\x01N" * 50 + a.SET_ITEMS
    assert "too costly to hash" in refusal(a.whole(a.EMPTY_DICT + a.MEMOIZE + long + a.NONE + a.SET_ITEM + uses))


def test_the_memo_counts_as_memory_to_the_last_opcode() -> None:
    assert "far more memory" in refusal(a.whole(a.EMPTY_DICT + a.MEMOIZE * 6_000_000))
