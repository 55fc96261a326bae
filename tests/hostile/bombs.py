"""Small blobs whose harm lies in the pickle: opcodes no v1 wrote, lies about lengths, sharing, depth, odd values."""

import pickle
from datetime import datetime, timedelta, timezone

from tests.support.v1_records import project_record, user_record
from tests.unit.v1 import assembly as a

MAX_INT64 = (2**63 - 1).to_bytes(8, "little")
ALL_ONES = b"\xff" * 8
MOMENT, DELTA, ZONE = (a.named("datetime", name) for name in ("datetime", "timedelta", "timezone"))
ONE = a.text("x") + a.MEMOIZE
"""A text, memoized."""


def planted(value: bytes, key: str, table: str = "projects") -> bytes:
    """A record of v1's in which `value` stands under `key`. Its code is the first that uses the memo."""
    records = {"users": user_record("ada"), "projects": project_record("project-1")}
    rest = {name: there for name, there in records.get(table, {}).items() if name != key}
    behind = pickle.dumps(rest, 3)[len(b"\x80\x03}q\x00") :]
    return a.PROTOCOL_4 + a.EMPTY_DICT + a.text(key) + value + a.SET_ITEM + behind


def _bytes(content: bytes) -> bytes:
    return b"C" + bytes([len(content)]) + content


def _framed(length: int, code: bytes) -> bytes:
    return b"\x95" + length.to_bytes(8, "little") + code


def _doubled(empty: bytes, levels: int) -> bytes:
    """A container that holds the one before it twice, so many times over. `empty` opens one that APPENDS fills."""
    code = empty + a.MEMOIZE
    return code + b"".join(empty + a.MARK + a.get(n) * 2 + a.APPENDS + a.MEMOIZE for n in range(levels))


def _doubled_dicts(levels: int) -> bytes:
    code = a.EMPTY_DICT + a.MEMOIZE
    for level in range(levels):
        items = b"".join(a.text(key) + a.get(level) for key in "ab")
        code += a.EMPTY_DICT + a.MARK + items + a.SET_ITEMS + a.MEMOIZE
    return code


FOREIGN_OPCODES = {
    name: a.record(code)
    for name, code in {
        "NEXT_BUFFER": b"\x97",
        "READONLY_BUFFER": _bytes(b"x") + b"\x98",
        "BYTEARRAY8": b"\x96\x01" + bytes(7) + b"x",
        "BYTEARRAY8 of 2**63": b"\x96" + MAX_INT64,
        "EXT1": b"\x82\x07",
        "EXT2": b"\x83\x07\x01",
        "EXT4": b"\x84\x07\x01\x00\x00",
        "EXT4, negative": b"\x84\xff\xff\xff\xff",
        "FROZENSET": a.MARK + a.NONE + b"\x91",
        "PUT and GET in text": b"Np0\n0g0\n",
        "PUT in text, huge": b"Np99999999999999999999\n",
        "PUT in text, negative": b"Np-1\n",
        "GET in text, negative": b"g-1\n",
        "INT in text": b"I5\n",
        "INT in text, true": b"I01\n",
        "INT in text, 100,000 digits": b"I" + b"9" * 100_000 + b"\n",
        "LONG in text": b"L5L\n",
        "LONG in text, 100,000 digits": b"L" + b"9" * 100_000 + b"L\n",
        "FLOAT in text": b"F1.5\n",
        "FLOAT in text, nonsense": b"Fnonsense\n",
        "UNICODE in text": b"V\\u0041\n",
        "UNICODE in text, without an end": b"V" + b"x" * 1000,
        "STRING in text": b"S'x'\n",
        "STRING in text, without quotes": b"Sx\n",
        "BINSTRING": b"T\x01\x00\x00\x00x",
        "BINSTRING, negative": b"T\xff\xff\xff\xffx",
        "SHORT_BINSTRING": b"U\x01x",
        "POP": b"NN0",
        "POP of more than there is": b"000000",
        "POP_MARK": b"N(NNN1",
        "POP_MARK without MARK": b"N1",
        "DUP": b"N20",
        "DUP by the hundred thousand": a.list_of(b"N" + b"2" * 100_000),
        "LIST": b"(NNl",
        "DICT": b"(NNd",
        "a PROTO in the middle": b"\x80\x04N",
        "a PROTO of 255 in the middle": b"\x80\xffN",
        "an opcode that there is not": b"\xff",
        "MARK as a value": a.MARK,
        "TUPLE without MARK": a.TUPLE,
        "SETITEMS without MARK": a.SET_ITEMS,
        "STACK_GLOBAL of bytes": _bytes(b"datetime") + _bytes(b"datetime") + b"\x93",
        "a global without an end": b"cdatetime\ndatetime",
        "a global of 100,000 letters": a.named("datetime", "x" * 100_000),
    }.items()
}

LIES = {
    "a frame too short": a.whole(_framed(1, a.EMPTY_DICT + a.text("k") + a.NONE + a.SET_ITEM)),
    "a frame of nothing": a.whole(_framed(0, a.EMPTY_DICT)),
    "a frame one byte too long": a.whole(_framed(3, a.EMPTY_DICT)),
    "a frame in a frame": a.whole(_framed(12, _framed(2, a.EMPTY_DICT))),
    "10,000 frames": a.whole(a.EMPTY_DICT + _framed(0, b"") * 10_000),
    "a frame of 2**64 - 1": a.whole(b"\x95" + ALL_ONES + a.EMPTY_DICT),
} | {
    f"{name} of {what}": a.record(opcode + length)
    for name, opcode, what, length in (
        ("BINUNICODE", b"X", "4 GB", ALL_ONES[:4]),
        ("BINUNICODE8", b"\x8d", "2**63 - 1", MAX_INT64),
        ("BINUNICODE8", b"\x8d", "2**64 - 1", ALL_ONES),
        ("SHORT_BINUNICODE", b"\x8c", "255 that are not there", b"\xff"),
        ("BINBYTES", b"B", "4 GB", ALL_ONES[:4]),
        ("BINBYTES8", b"\x8e", "2**63 - 1", MAX_INT64),
        ("BINBYTES8", b"\x8e", "2**64 - 1", ALL_ONES),
        ("BINBYTES8", b"\x8e", "1 GB", (2**30).to_bytes(8, "little")),
        ("SHORT_BINBYTES", b"C", "255 that are not there", b"\xff"),
        ("LONG1", b"\x8a", "255 that are not there", b"\xff"),
        ("LONG4", b"\x8b", "-1", ALL_ONES[:4]),
        ("LONG4", b"\x8b", "2**31 - 1", b"\xff\xff\xff\x7f"),
        ("LONG4", b"\x8b", "-2**31", b"\x00\x00\x00\x80"),
    )
}

MEMOS = {
    "BINGET of nothing": a.record(b"h\x05"),
    "LONG_BINGET of nothing": a.record(b"j" + ALL_ONES[:4]),
    "LONG_BINPUT of 2**32 - 1": a.record(b"Nr" + ALL_ONES[:4]),
    "LONG_BINPUT of 2**31": a.record(b"Nr\x00\x00\x00\x80"),
    "LONG_BINPUT of 65,536": a.record(b"Nr\x00\x00\x01\x00"),
    "MEMOIZE on an empty stack": a.whole(a.MEMOIZE),
    "BINPUT on an empty stack": a.whole(b"q\x00"),
    "BINPUT of a MARK": a.record(a.MARK + b"q\x00" + a.NONE + a.TUPLE),
    "memo indices going down": a.record(
        a.list_of(b"".join(b"Nr" + index.to_bytes(4, "little") for index in range(65_535, 0, -1)))
    ),
}

SHARED = {
    f"{what} in {key}": planted(code, key)
    for key in ("conversation_history", "team_members", "requirements", "categorized_specs", "category_scores", "more")
    for what, code in {
        "lists doubled 40 times": a.list_of(_doubled(a.EMPTY_LIST, 40)),
        "dicts doubled 40 times": a.list_of(_doubled_dicts(40)),
        "a dict of dicts doubled 40 times": a.EMPTY_DICT + a.text("k") + a.list_of(_doubled_dicts(40)) + a.SET_ITEM,
        "tuples doubled 40 times": a.list_of(a.doubling_tuples(40)),
        "a text of 40 KB 10,000 times": a.list_of(a.text("x" * 40_000) + a.MEMOIZE + a.get(0) * 10_000),
        "a wide text of 40 KB 10,000 times": a.list_of(a.text("😀" * 10_000) + a.MEMOIZE + a.get(0) * 10_000),
        "a text of NULs 3,000 times": a.list_of(a.text("\0" * 5_000) + a.MEMOIZE + a.get(0) * 3_000),
        "bytes of 255 10,000 times": a.list_of(_bytes(b"\xff" * 255) + a.MEMOIZE + a.get(0) * 10_000),
        "a list of itself": a.EMPTY_LIST + a.MEMOIZE + a.get(0) + a.APPEND,
        "a dict of itself": a.EMPTY_DICT + a.MEMOIZE + a.text("k") + a.get(0) + a.SET_ITEM,
        "a dict of 10,000 keys 100 times": a.list_of(
            a.EMPTY_DICT
            + a.MARK
            + b"".join(a.text(f"{n}") + a.NONE for n in range(10_000))
            + a.SET_ITEMS
            + a.MEMOIZE
            + a.get(0) * 100
        ),
    }.items()
}


def _keys(*keys: bytes) -> bytes:
    return a.EMPTY_DICT + a.MARK + b"".join(key + a.NONE for key in keys) + a.SET_ITEMS


def _decimal(text: str) -> bytes:
    return a.called(a.DECIMAL, a.text(text))


KEYS = {
    name: planted(code, "more")
    for name, code in {
        "40,000 multiples of 2**61 - 1 as keys": _keys(*(a.number(n * (2**61 - 1)) for n in range(40_000))),
        "4,000 long multiples of 2**61 - 1 as keys": _keys(*(a.number((n << 200) * (2**61 - 1)) for n in range(4_000))),
        "20,000 floats of few hashes as keys": _keys(*(a.real(2.0 ** (61 * n % 900) * (n + 1)) for n in range(20_000))),
        "10,000 Decimals of one hash as keys": _keys(*(_decimal(str(n * (2**61 - 1))) for n in range(10_000))),
        "1, 1.0 and True as keys": _keys(a.number(1), a.real(1.0), b"\x88", _decimal("1.00")),
        "NaN as a key, 1,000 times": _keys(*[a.real(float("nan"))] * 1_000),
        "a Decimal NaN as a key": _keys(_decimal("NaN")),
        "a signalling NaN as a key": _keys(_decimal("sNaN")),
        "1E999999 as a key": _keys(_decimal("1E999999")),
        "1E-999999 as a key": _keys(_decimal("1E-999999")),
        "1E999999999999999999 as a key": _keys(_decimal("1E999999999999999999")),
        "100 times 1E+n as keys": _keys(*(_decimal(f"1E{999_999 - n}") for n in range(100))),
        "a tuple of doubled tuples as a key": _keys(a.doubling_tuples(50)),
        "a time without a date as a key": _keys(a.called(MOMENT, _bytes(bytes(10)))),
        "a surrogate as a key": _keys(a.text(b"\xed\xa0\x80")),
    }.items()
}

NUMBER_FIELDS = (
    ("projects", "progress"),
    ("projects", "phase_maturity_scores"),
    ("projects", "name"),
    ("users", "questions_used_this_month"),
    ("users", "is_archived"),
    ("llm_usage", "cost"),
    ("llm_usage", "input_tokens"),
    ("question_effectiveness", "effectiveness_score"),
)
"""The v1 table and the field of its record that NUMBERS plants something in."""

NUMBERS = {
    f"{what} as {key}": planted(code, key, table)
    for table, key in NUMBER_FIELDS
    for what, bare in {
        "1E999999": _decimal("1E999999"),
        "1E-999999": _decimal("1E-999999"),
        "1E999999999999999999": _decimal("1E999999999999999999"),
        "a NaN": _decimal("NaN123"),
        "a signalling NaN": _decimal("sNaN"),
        "an infinity": _decimal("-Infinity"),
        "a Decimal of 200,000 digits": _decimal("7" * 200_000),
        "a text of 200,000 digits": a.text("7" * 200_000),
        "a text 1E999999": a.text("1E999999"),
        "an integer of 500 bytes": a.number(1 << 3990),
        "the float 1E308": a.real(1e308),
    }.items()
    for code in [a.EMPTY_DICT + a.text("design") + bare + a.SET_ITEM if key.endswith("scores") else bare]
}

_STATE = datetime(2025, 3, 1, 9).__reduce__()[1][0]
assert isinstance(_STATE, bytes)
TIMES = {
    f"{what} as {key}": planted(code, key)
    for key in ("created_at", "archived_at", "more")
    for what, code in {
        "a time of ten zeros": a.called(MOMENT, _bytes(bytes(10))),
        "a time of ten 255s": a.called(MOMENT, _bytes(b"\xff" * 10)),
        "a time in the month 13": a.called(MOMENT, _bytes(_STATE[:2] + b"\x0d" + _STATE[3:])),
        "a time with its fold set": a.called(MOMENT, _bytes(_STATE[:2] + bytes([_STATE[2] | 0x80]) + _STATE[3:])),
        "the 31st of February": a.called(MOMENT, _bytes(_STATE[:2] + b"\x02\x1f" + _STATE[4:])),
        "a time at 61 minutes": a.called(MOMENT, _bytes(_STATE[:5] + b"\x3d" + _STATE[6:])),
        "a time of too many microseconds": a.called(MOMENT, _bytes(_STATE[:7] + b"\xff\xff\xff")),
        "a time of nine bytes": a.called(MOMENT, _bytes(_STATE[:9])),
        "a time of text": a.called(MOMENT, a.text("\x07\xe9\x03\x01\t\0\0\0\0\0")),
        "a time whose zone is a Decimal": a.called(MOMENT, _bytes(_STATE), _decimal("1")),
        "a time whose zone is a type": a.called(MOMENT, _bytes(_STATE), ZONE),
        "a time in a zone of a microsecond": pickle.dumps(
            datetime(2025, 1, 1, tzinfo=timezone(timedelta(microseconds=1))), 3
        )[2:-1],
        "the first time of all, east of Greenwich": pickle.dumps(
            datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=23, minutes=59))), 3
        )[2:-1],
        "the last time of all, west of Greenwich": pickle.dumps(
            datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(-timedelta(hours=23, minutes=59))), 3
        )[2:-1],
        "a zone of a long name": a.called(
            MOMENT, _bytes(_STATE), a.called(ZONE, a.called(DELTA, a.number(0), a.number(60)), a.text("x" * 50_000))
        ),
        "a zone of a surrogate": a.called(
            MOMENT, _bytes(_STATE), a.called(ZONE, a.called(DELTA, a.number(0)), a.text(b"\xed\xa0\x80"))
        ),
        "a zone of 30 hours": a.called(ZONE, a.called(DELTA, a.number(0), a.number(108_000))),
        "a timedelta of Decimals": a.called(DELTA, _decimal("1E999999")),
        "a timedelta of floats": a.called(DELTA, a.real(1e308)),
        "a timedelta of a NaN": a.called(DELTA, a.real(float("nan"))),
        "a text of the first time, east of Greenwich": a.text("0001-01-01T00:00:00+23:59"),
        "a text of the last time, west of Greenwich": a.text("9999-12-31T23:59:59-23:59"),
        "a text of 200,000 nines": a.text("9" * 200_000),
        "a text of wide digits": a.text("２０２５-03-01T09:00:00"),
        "a text of a time with NULs": a.text("2025-03-01T09:00:00\0"),
        "a text of a surrogate": a.text(b"\xed\xa0\x80"),
    }.items()
}

_ENDED = pickle.dumps(user_record("ada"), 4)
STRUCTURES = {
    "nested 97 deep": planted(a.EMPTY_LIST * 97 + a.APPEND * 96, "more"),
    "nested 100 deep": planted(a.EMPTY_LIST * 99 + a.APPEND * 98, "more"),
    "nested 101 deep": planted(a.EMPTY_LIST * 100 + a.APPEND * 99, "more"),
    "dicts nested 100,000 deep": planted((a.EMPTY_DICT + a.NONE) * 100_000 + a.NONE + a.SET_ITEM * 100_000, "more"),
    "sets in tuples in sets": planted(a.set_of(a.set_of(a.NONE) + a.TUPLE1), "more"),
    "tuples nested 5,000 deep in two equal keys": planted(
        _keys(a.EMPTY_TUPLE + a.TUPLE1 * 2_000, a.EMPTY_TUPLE + a.TUPLE1 * 2_000), "more"
    ),
    "a record in its own extra key": a.whole(a.EMPTY_DICT + a.MEMOIZE + a.text("k") + a.get(0) + a.SET_ITEM),
    "a record in its own list": a.whole(a.EMPTY_DICT + a.MEMOIZE + a.text("k") + a.list_of(a.get(0)) + a.SET_ITEM),
    "a tuple that holds itself": a.record(a.EMPTY_LIST + a.MEMOIZE + a.get(0) + a.TUPLE1 + a.APPEND),
    "a byte behind the end": _ENDED + b"\0",
    "two pickles": _ENDED + _ENDED,
    "a STOP in the middle": _ENDED[:40] + a.STOP + _ENDED[40:],
    "cut in half": _ENDED[: len(_ENDED) // 2],
    "100,000 STOPs": a.whole(a.STOP * 100_000),
    "what is none of JSON's in extra": planted(
        a.list_of(_decimal("NaN") + a.real(float("-inf")) + _bytes(b"\xff") + a.set_of(a.NONE) + a.EMPTY_TUPLE), "$type"
    ),
    "a forged tagged value": planted(
        a.EMPTY_DICT + a.text("$type") + a.EMPTY_DICT + a.text("$decimal") + ONE + a.SET_ITEM + a.SET_ITEM, "more"
    ),
}

SMALL: dict[str, bytes] = FOREIGN_OPCODES | LIES | MEMOS | SHARED | KEYS | NUMBERS | TIMES | STRUCTURES
"""Every entry, by what it tries."""
