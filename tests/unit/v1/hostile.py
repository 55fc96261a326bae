"""Blobs that are no record of plain data, and what breaks when it is loaded: all of it must be refused."""

import pickle
from datetime import date, time, timedelta
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from tests.support.v1_records import user_record
from tests.unit.v1 import assembly as a
from tests.unit.v1.exploits import code_runners

__all__ = ["DAMAGED", "NEW_YEAR", "code_runners", "moment", "nested_lists"]

_USER = pickle.dumps(user_record("ada"), 4)
_DATETIME, _TIMEDELTA, _TIMEZONE = (a.named("datetime", name) for name in ("datetime", "timedelta", "timezone"))


class Exotic:
    """A class of an application."""


def nested_lists(depth: int) -> list[Any]:
    """A list in a list in a list …"""
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    return nested


def _ring() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


def _pickled(value: object, protocol: int = 4) -> bytes:
    return pickle.dumps({"k": value}, protocol)


def moment(state: bytes, *zone: bytes) -> bytes:
    """A datetime by the bytes of its state."""
    return a.called(_DATETIME, b"C" + bytes([len(state)]) + state, *zone)


NEW_YEAR = b"\x07\xe9\x01\x01\x00\x00\x00\x00\x00\x00"
"""1 January 2025, as a datetime pickles it."""

NO_PICKLES = {
    "no bytes": b"",
    "one byte": b"\x80",
    "no pickle": b"no pickle at all",
    "zeros": bytes(1000),
    "a zlib stream": b"x\x9c" + _USER,
    "JSON": b'{"username": "ada"}',
    "protocol 0": pickle.dumps({"username": "ada"}, 0),
    "protocol 1": pickle.dumps({"username": "ada"}, 1),
    "protocol 2": pickle.dumps({"username": "ada"}, 2),
    "protocol 6": b"\x80\x06" + _USER[2:],
    "protocol 255": b"\x80\xff" + _USER[2:],
    "without a protocol": _USER[2:],
    "PROTO in the middle": a.record(b"\x80\x04N"),
    "PROTO of another version in the middle": a.record(b"\x80\x05N"),
    "cut off": _USER[:-20],
    "without STOP": _USER[:-1],
    "STOP at once": b"\x80\x04.",
    "a byte behind STOP": _USER + b"\x00",
    "a STOP behind STOP": _USER + b".",
    "the same again behind STOP": _USER * 2,
    "STOP above a MARK": a.whole(a.EMPTY_DICT + a.MARK),
}

NO_RECORDS = {
    "a list": pickle.dumps([1], 4),
    "a text": pickle.dumps("record", 4),
    "a tuple": pickle.dumps(("a", 1), 4),
    "a set": pickle.dumps({1}, 4),
    "None": pickle.dumps(None, 4),
    "a number": pickle.dumps(1, 4),
    "a class of an application": _pickled(Exotic()),
    "a date": _pickled(date(2025, 1, 1)),
    "a time of day": _pickled(time(1, 2)),
    "a timedelta as a value": _pickled(timedelta(1)),
    "a timezone as a value": a.record(a.called(_TIMEZONE, a.called(_TIMEDELTA, a.number(0)))),
    "a fraction": _pickled(Fraction(1, 3)),
    "a UUID": _pickled(UUID(int=1)),
    "a path": _pickled(PurePosixPath("a")),
    "a complex number": _pickled(1j),
    "a range": _pickled(range(3)),
    "a frozenset": _pickled(frozenset({1})),
    "a frozenset by protocol 3": _pickled(frozenset({1}), 3),
    "a frozenset as a key": a.record(a.NONE, key=a.MARK + a.NONE + b"\x91"),
    "a bytearray": _pickled(bytearray(b"a"), 5),
    "a bytearray by protocol 4": _pickled(bytearray(b"a")),
    "a buffer that lies elsewhere": b"\x80\x05" + a.record(b"\x97")[2:],
    "a read-only buffer": b"\x80\x05" + a.record(a.text("x") + b"\x98")[2:],
    "a type as a value": a.record(a.DECIMAL),
    "a type as a key": a.record(a.NONE, key=a.DECIMAL),
    "another type as a key": a.record(a.NONE, key=_DATETIME),
    "a function as a value": _pickled(len),
    "a list as a key": a.record(a.NONE, key=a.EMPTY_LIST),
    "a dict as a key": a.record(a.NONE, key=a.EMPTY_DICT),
    "a set as a key": a.record(a.NONE, key=a.EMPTY_SET),
    "a tuple as a key": _pickled({(1, 2): 3}),
    "a tuple with a list as a key": a.record(a.NONE, key=a.EMPTY_LIST + a.TUPLE1),
    "an unhashable member of a set": a.record(a.set_of(a.EMPTY_LIST)),
}

STACKS = {
    "POP": a.record(a.NONE + a.NONE + b"0"),
    "POP of a MARK": a.record(a.NONE + a.MARK + b"0"),
    "POP_MARK": a.record(a.NONE + a.MARK + a.NONE + b"1"),
    "DUP": a.whole(a.EMPTY_DICT + b"2"),
    "PUT and GET as text": a.whole(a.EMPTY_DICT + b"p0\ng0\n"),
    "GET of a negative index": a.record(b"g-1\n"),
    "INT": a.record(b"I1\n"),
    "INT of 1 MB": a.record(b"I" + b"9" * 1_000_000 + b"\n"),
    "LONG": a.record(b"L1L\n"),
    "LONG of 1 MB": a.record(b"L" + b"9" * 1_000_000 + b"L\n"),
    "FLOAT": a.record(b"F1.5\n"),
    "FLOAT of 1 MB": a.record(b"F" + b"9" * 1_000_000 + b"\n"),
    "STRING": a.record(b"S'a'\n"),
    "BINSTRING": a.record(b"T\x01\x00\x00\x00a"),
    "UNICODE": a.record(b"Va\n"),
    "LIST": a.record(a.MARK + b"l"),
    "DICT": a.record(a.MARK + b"d"),
    "an unknown opcode": a.record(b"\xff"),
    "an odd number of items": a.record(a.EMPTY_DICT + a.MARK + a.NONE + a.SET_ITEMS),
    "SETITEM with one value": a.whole(a.EMPTY_DICT + a.NONE + a.SET_ITEM),
    "SETITEMS without a MARK": a.whole(a.EMPTY_DICT + a.NONE * 2 + a.SET_ITEMS),
    "APPENDS without a MARK": a.whole(a.EMPTY_LIST + a.NONE + a.APPENDS),
    "APPEND across a MARK": a.record(a.EMPTY_LIST + a.MARK + a.APPEND),
    "APPENDS twice": a.record(a.EMPTY_LIST + a.MARK + a.NONE + a.APPENDS * 2),
    "TUPLE without a MARK": a.record(a.NONE + a.TUPLE),
    "TUPLE3 of two": a.whole(a.NONE * 2 + a.TUPLE3),
    "MEMOIZE of nothing": b"\x80\x04\x94.",
    "MEMOIZE behind a MARK": a.record(a.MARK + a.MEMOIZE + a.TUPLE),
    "a memo entry that is missing": a.record(a.get(5)),
    "a memo entry that comes later": a.record(a.list_of(a.get(1) + a.text("x") + a.MEMOIZE + a.MEMOIZE)),
    "an entry between two of the memo": a.record(a.list_of(a.NONE + a.put(9) + a.get(4))),
    "an item set in a list": a.record(a.EMPTY_LIST + a.number(0) + a.NONE + a.SET_ITEM),
    "an item set in a text": a.record(a.text("x") + a.number(0) + a.text("y") + a.SET_ITEM),
    "an item set in bytes": a.record(b"C\x01x" + a.number(0) + a.number(1) + a.SET_ITEM),
    "an item set in a type": a.record(a.DECIMAL + a.NONE + a.NONE + a.SET_ITEM),
    "an item appended to a dict": a.record(a.EMPTY_DICT + a.NONE + a.APPEND),
    "an item appended to a text": a.record(a.text("x") + a.NONE + a.APPEND),
    "items appended to a set": a.record(a.EMPTY_SET + a.MARK + a.NONE + a.APPENDS),
    "a member added to a list": a.record(a.EMPTY_LIST + a.MARK + a.NONE + a.ADD_ITEMS),
    "a call of a text": a.record(a.called(a.text("len"))),
    "a call of a time": a.record(a.called(moment(NEW_YEAR))),
    "a call with a list": a.record(a.DECIMAL + a.EMPTY_LIST + a.REDUCE),
}

LIES = {
    "a text that is not UTF-8": a.record(b"\x8c\x01\xff"),
    "a text of half a character": a.record(b"\x8c\x02\xe2\x82"),
    "a text of an overlong character": a.record(b"\x8c\x02\xc0\x80"),
    "a frame that is too long": b"\x80\x04" + a.frame(2**64 - 1) + b"}.",
    "a frame of 2**62": b"\x80\x04" + a.frame(2**62) + b"}.",
    "a frame one byte too long": b"\x80\x04" + a.frame(3) + b"}.",
    "a frame that is cut off": b"\x80\x04\x95\x02\x00",
    "a frame as the last": a.record(a.NONE)[:-1] + a.frame(1),
    **{
        f"{name} of a length of {shown}": a.record(opcode + length)
        for name, opcode, width in (
            ("BINUNICODE", b"X", 4),
            ("BINUNICODE8", b"\x8d", 8),
            ("BINBYTES", b"B", 4),
            ("BINBYTES8", b"\x8e", 8),
            ("BYTEARRAY8", b"\x96", 8),
            ("LONG4", b"\x8b", 4),
        )
        for shown, length in (("-1", b"\xff" * width), ("2 to the 30", (2**30).to_bytes(width, "little")))
    },
    "BINBYTES8 of a length of 2 to the 62": a.record(b"\x8e" + (2**62).to_bytes(8, "little")),
    "LONG1 of 255 bytes that are not there": a.record(b"\x8a\xff"),
    "a memo index of 2**32 - 1": a.record(a.NONE + a.put(2**32 - 1)),
    "a memo index of 2**31": a.record(a.NONE + a.put(2**31)),
    "a memo index that is read at 2**32 - 1": a.record(a.get(2**32 - 1)),
    "an integer of 5,000 bits": _pickled(2**5000),
    "a negative integer of 5,000 bits": _pickled(-(2**5000)),
    "an integer of 300 bytes, by LONG4": a.record(b"\x8b" + (300).to_bytes(4, "little") + b"\x01" * 300)[:-200],
}

VALUES = {
    "a decimal of nonsense": a.record(a.called(a.DECIMAL, a.text("nonsense"))),
    "a decimal of no text": a.record(a.called(a.DECIMAL, a.text(""))),
    "a decimal of a NUL": a.record(a.called(a.DECIMAL, a.text("1\x00"))),
    "a decimal of a lone surrogate": a.record(a.called(a.DECIMAL, a.text(b"\xed\xa0\x80"))),
    "a decimal of a number": a.record(a.called(a.DECIMAL, a.number(1))),
    "a decimal of a float": a.record(a.called(a.DECIMAL, a.real(0.1))),
    "a decimal of a tuple": a.record(
        a.called(a.DECIMAL, a.number(0) + a.number(1) + a.TUPLE1 + a.number(0) + a.TUPLE3)
    ),
    "a decimal of two texts": a.record(a.called(a.DECIMAL, a.text("1"), a.text("1"))),
    "a decimal of nothing": a.record(a.called(a.DECIMAL)),
    "a decimal out of range": a.record(a.called(a.DECIMAL, a.text("1E999999999999999999999999"))),
    "a signalling NaN as a key": a.record(a.NONE, key=a.called(a.DECIMAL, a.text("sNaN"))),
    "a signalling NaN in a set": a.record(a.set_of(a.called(a.DECIMAL, a.text("sNaN")))),
    "a time of nonsense": a.record(a.called(_DATETIME, a.text("nonsense"))),
    "a time of nothing": a.record(a.called(_DATETIME)),
    "a time of nine bytes": a.record(moment(NEW_YEAR[:9])),
    "a time of eleven bytes": a.record(moment(NEW_YEAR + b"\x00")),
    "a time in the month 13": a.record(a.called(_DATETIME, *map(a.number, (2025, 13, 1)))),
    "a time in the year 10,000": a.record(a.called(_DATETIME, *map(a.number, (10_000, 1, 1)))),
    "a time in the year 2**4000": a.record(a.called(_DATETIME, a.number(2**4000), a.number(1), a.number(1))),
    "a time by bytes in the month 0": a.record(moment(b"\x07\xe9\x00" + NEW_YEAR[3:])),
    "a time by bytes in the month 127": a.record(moment(b"\x07\xe9\x7f" + NEW_YEAR[3:])),
    "a time by bytes on 31 February": a.record(moment(b"\x07\xe9\x02\x1f" + NEW_YEAR[4:])),
    "a time by bytes in the year 0": a.record(moment(b"\x00\x00" + NEW_YEAR[2:])),
    "a time by bytes at hour 255": a.record(moment(NEW_YEAR[:4] + b"\xff" + NEW_YEAR[5:])),
    "a time by bytes with 2**24 microseconds": a.record(moment(NEW_YEAR[:7] + b"\xff\xff\xff")),
    "such a time as a key": a.record(a.NONE, key=moment(b"\x07\xe9\x02\x1f" + NEW_YEAR[4:])),
    "such a time with a zone as a key": a.record(
        a.NONE, key=moment(b"\x00\x00\x01\x00" + NEW_YEAR[4:], a.called(_TIMEZONE, a.called(_TIMEDELTA, a.number(0))))
    ),
    "a time with a Decimal for its zone": a.record(moment(NEW_YEAR, a.called(a.DECIMAL, a.text("1")))),
    "a time with a type for its zone": a.record(moment(NEW_YEAR, _TIMEZONE)),
    "a time with a text for its zone": a.record(moment(NEW_YEAR, a.text("UTC"))),
    "a timedelta out of range": a.record(a.called(_TIMEDELTA, a.number(2**70))),
    "a timedelta of 4,000 bits": a.record(a.called(_TIMEDELTA, a.number(2**4000))),
    "a timedelta of infinity": a.record(a.called(_TIMEDELTA, a.real(float("inf")))),
    "a timedelta of NaN": a.record(a.called(_TIMEDELTA, a.real(float("nan")))),
    "a zone of nonsense": a.record(a.called(_TIMEZONE, a.text("CET"))),
    "a zone of two days": a.record(a.called(_TIMEZONE, a.called(_TIMEDELTA, a.number(2)))),
    "a zone whose name is a number": a.record(
        moment(NEW_YEAR, a.called(_TIMEZONE, a.called(_TIMEDELTA, a.number(0)), a.number(1)))
    ),
}

SHAPES = {
    "a list that holds itself": _pickled(_ring()),
    "a dict that holds itself": a.whole(a.EMPTY_DICT + a.MEMOIZE + a.text("k") + a.get(0) + a.SET_ITEM),
    "a list that holds itself through a dict": a.record(
        a.EMPTY_LIST + a.MEMOIZE + a.EMPTY_DICT + a.text("k") + a.get(0) + a.SET_ITEM + a.APPEND
    ),
    "a tuple that holds itself through a list": a.record(
        a.EMPTY_LIST + a.MEMOIZE + a.TUPLE1 + a.MEMOIZE + a.get(0) + a.get(1) + a.APPEND + a.TUPLE2
    ),
    "two lists that hold each other": a.record(
        a.EMPTY_LIST + a.MEMOIZE + a.EMPTY_LIST + a.MEMOIZE + a.get(0) + a.APPEND + a.APPEND
    ),
    "a record nested 101 deep": _pickled(nested_lists(99)),
    "dicts nested 101 deep": a.whole((a.EMPTY_DICT + a.text("k")) * 100 + a.EMPTY_DICT + a.SET_ITEM * 100),
    "tuples nested 101 deep": a.record(a.EMPTY_TUPLE + a.TUPLE1 * 99),
    "lists nested 100,000 deep": a.record(a.EMPTY_LIST * 100_000 + a.APPEND * 99_999),
    "dicts nested 50,000 deep": a.whole((a.EMPTY_DICT + a.text("k")) * 50_000 + a.EMPTY_DICT + a.SET_ITEM * 50_000),
    "tuples nested 100,000 deep": a.record(a.EMPTY_TUPLE + a.TUPLE1 * 100_000),
    "tuples nested 100,000 deep as a key": a.record(a.NONE, key=a.EMPTY_TUPLE + a.TUPLE1 * 100_000),
    "equal tuples nested 1,200 deep in a set": a.record(a.set_of((a.EMPTY_TUPLE + a.TUPLE1 * 1_200) * 2)),
    "a doubled tuple as a key": a.record(a.NONE, key=a.doubling_tuples(60)),
    "a doubled tuple in a set": a.record(a.set_of(a.doubling_tuples(60))),
    "a doubled tuple as a value": a.record(a.doubling_tuples(60)),
    "a doubled tuple as the argument of a type": a.record(a.DECIMAL + a.doubling_tuples(60) + a.REDUCE),
}

DAMAGED: dict[str, bytes] = {**NO_PICKLES, **NO_RECORDS, **STACKS, **LIES, **VALUES, **SHAPES}
