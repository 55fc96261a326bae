"""Blobs that no v1 wrote and no pickler would write, but that hold plain data: they must be read, and read right."""

import pickle
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from tests.support.v1_records import user_record
from tests.unit.v1 import assembly as a
from tests.unit.v1.hostile import NEW_YEAR, moment, nested_lists


def _pickled(value: object, protocol: int = 4) -> bytes:
    return pickle.dumps({"k": value}, protocol)


def _decimal(text: str) -> bytes:
    return a.record(a.called(a.DECIMAL, a.text(text)))


_OPCODES = {
    "frames that overlap": b"\x80\x04" + a.frame(14) + b"}" + a.frame(4) + b"\x8c\x01kNs.",
    "a frame that ends within an opcode": b"\x80\x04" + a.frame(3) + b"}\x8c\x01kNs.",
    "a frame of nothing": b"\x80\x04" + a.frame(0) + b"}" + a.frame(0) + b".",
    "a value left on the stack": a.whole(a.text("below") + a.EMPTY_DICT),
    "a memo entry ahead of its turn": a.record(a.list_of(a.text("x") + a.put(900) + a.get(900))),
    "a memo entry written twice": a.record(a.list_of(a.text("x") + a.put(0) + a.text("y") + a.put(0) + a.get(0))),
    "MEMOIZE beside a gap": a.record(a.list_of(a.text("x") + a.put(7) + a.text("y") + a.MEMOIZE + a.get(1))),
    "a short integer by LONG4": a.record(b"\x8b\x01\x00\x00\x00\xff"),
    "a negative integer by LONG1": a.record(b"\x8a\x02\x00\x80"),
    "an integer of no bytes": a.record(b"\x8a\x00"),
    "an integer with leading zeros": a.record(b"\x8a\x09\x01" + bytes(8)),
    "a short text by BINUNICODE8": a.record(b"\x8d\x01" + bytes(7) + b"x"),
    "short bytes by BINBYTES8": a.record(b"\x8e\x01" + bytes(7) + b"x"),
    "no items at all": a.record(a.list_of(b"") + a.MARK + a.APPENDS),
    "items in two batches": a.record(a.list_of(a.NONE) + a.MARK + a.number(1) * 2 + a.APPENDS),
    "an item set in a list": a.record(a.list_of(a.NONE) + a.number(0) + a.text("x") + a.SET_ITEM),
    "a key twice": a.record(a.dict_of(a.text("x") + a.number(1) + a.text("x") + a.number(2))),
    "a type that is not used": a.whole(a.DECIMAL + a.EMPTY_DICT),
    "protocol 3": pickle.dumps(user_record("username"), 3),
    "protocol 5": pickle.dumps(user_record("username"), 5),
    "no record at all": a.whole(a.EMPTY_DICT),
}
_VALUES = {
    "a tuple of tuples": _pickled(((), (1,), (1, (2, 3)), tuple(range(9)))),
    "a set of scalars": _pickled({1, "a", None, 2.5, b"x", Decimal("1.0")}),
    "a set of tuples": _pickled({("a", 1), ("b", 2)}),
    "a set with NaN twice": a.record(a.set_of(a.real(float("nan")) * 2)),
    "NaN as a key, twice": a.record(a.dict_of((a.real(float("nan")) + a.NONE) * 2)),
    "keys of every kind": _pickled(
        {"a": 1, 2: 3, 4.5: 6, None: 7, b"x": 8, Decimal("9.5"): 1, datetime(2025, 1, 1): 2}
    ),
    "keys that are equal": a.record(
        a.dict_of(
            b"".join(
                key + a.text(str(n))
                for n, key in enumerate((a.number(1), b"\x88", a.real(1.0), a.called(a.DECIMAL, a.text("1.0"))))
            )
        )
    ),
    "keys of one hash": _pickled({n * (2**61 - 1): n for n in range(200)}),
    "-1 and -2 as keys": _pickled({-1: -2, -2: -1}),
    "nested 100 deep": pickle.dumps({"k": nested_lists(98)}, 4),
    "one list at two places": a.record(a.list_of(a.list_of(a.number(1)) + a.MEMOIZE + a.get(0))),
    "a tuple that is a value often": a.record(a.doubling_tuples(9)),
    "lone surrogates": a.record(a.text(b"\xed\xa0\x80 and \xed\xb0\x80")),
    "NULs and control characters": _pickled("\x00\x1b[2J\x7f\u202e"),
    "the longest integers": _pickled([2**4096 - 1, -(2**4095), 2**63, -(2**63), 2**64]),
    "infinity": _pickled([float("inf"), float("-inf"), -0.0, 5e-324]),
    "keys that look like our forms": _pickled({"$decimal": "1", "$": 1, "$$x": {"$dict": []}}),
}
_DECIMALS = {
    f"a decimal: {shown}": _decimal(text)
    for shown, text in (
        ("NaN", "NaN"),
        ("NaN with a payload", "-NaN123"),
        ("a signalling NaN", "sNaN"),
        ("minus zero", "-0E+5"),
        ("infinity", "-Infinity"),
        ("underscores", "1_000.5"),
        ("blanks around it", " 1.5\n"),
        ("digits of another script", "\u0661\u0662"),
        ("a huge exponent", "1E+999999999999999999"),
        ("a tiny exponent", "1E-999999999999999999"),
        ("a thousand digits", "7" * 1000 + "." + "3" * 1000),
    )
}
_TIMES = {
    "the first and the last moment": _pickled([datetime.min, datetime.max]),
    "a time in a fold": _pickled(datetime(2025, 10, 26, 2, 30, fold=1)),
    "a time by a state in text": a.record(
        a.called(a.named("datetime", "datetime"), a.text(NEW_YEAR.decode("latin-1")))
    ),
    "a time by its numbers": a.record(a.called(a.named("datetime", "datetime"), *map(a.number, (2025, 1, 1, 2, 3)))),
    "a time without a zone, said": a.record(moment(NEW_YEAR, a.NONE)),
    "offsets with seconds and less": _pickled(
        [
            datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30), "NST")),
            datetime(2025, 1, 1, tzinfo=timezone(timedelta(seconds=1))),
            datetime(2025, 1, 1, tzinfo=timezone(timedelta(microseconds=-1))),
            datetime(2025, 1, 1, tzinfo=timezone(-timedelta(hours=23, minutes=59), "x" * 1000)),
        ]
    ),
}

ODDITIES: dict[str, bytes] = {**_OPCODES, **_VALUES, **_DECIMALS, **_TIMES}
