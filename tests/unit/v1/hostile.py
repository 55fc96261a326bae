"""Pickles that no v1 wrote: those that want to run code, and those that lie about what they are."""

import pickle
from datetime import date, time, timedelta
from fractions import Fraction
from functools import partial
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from tests.support.v1_records import user_record
from tests.unit.v1 import assembly as a


class Calling:
    """Pickles as a call, which is how an exploit is made."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def code_runners(marker: str) -> dict[str, bytes]:
    """Every exploit, by what it tries. `marker`: the file that would be there if one of them worked."""
    shell = a.text(f"touch {marker}")
    command = f"touch {marker}".encode()
    eval_text = a.text(f"open({marker!r}, 'w')")
    builtins_eval, system = a.named("builtins", "eval"), a.named("os", "system")
    getattr_, import_ = a.named("builtins", "getattr"), a.named("builtins", "__import__")
    os_by_import = a.called(import_, a.text("os"))
    chain = a.called(a.called(getattr_, os_by_import, a.text("system")), shell)
    dotted_chain = a.called(a.named("datetime", "sys.modules.get"), a.text("os"))
    return {
        "eval by REDUCE": a.record(a.called(builtins_eval, eval_text)),
        "exec by REDUCE": a.record(a.called(a.named("builtins", "exec"), eval_text)),
        "os.system by REDUCE": a.record(a.called(system, shell)),
        "posix.system by REDUCE": a.record(a.called(a.named("posix", "system"), shell)),
        "nt.system by REDUCE": a.record(a.called(a.named("nt", "system"), shell)),
        "os.system by GLOBAL": a.record(a.called(b"cos\nsystem\n", shell)),
        "os.system by GLOBAL, protocol 3": b"\x80\x03" + a.record(a.called(b"cos\nsystem\n", shell))[2:],
        "os.system in text, protocol 0": b"cos\nsystem\n(S'" + command + b"'\ntR.",
        "os.system after a protocol": b"\x80\x04cos\nsystem\n(S'" + command + b"'\ntR.",
        "os.system by INST": a.record(b"(S'" + command + b"'\nios\nsystem\n"),
        "os.system by OBJ": a.record(b"(cos\nsystem\n" + shell + b"o"),
        "Popen by NEWOBJ": a.record(a.named("subprocess", "Popen") + shell + a.TUPLE1 + a.NEWOBJ),
        "Popen by NEWOBJ_EX": a.record(a.named("subprocess", "Popen") + shell + a.TUPLE1 + a.EMPTY_DICT + a.NEWOBJ_EX),
        "BUILD of a type's state": a.record(
            a.named("datetime", "datetime") + a.EMPTY_DICT + a.text("now") + system + a.SET_ITEM + a.BUILD
        ),
        "BUILD of a dict's state": a.record(a.EMPTY_DICT + a.EMPTY_DICT + a.text("x") + shell + a.SET_ITEM + a.BUILD),
        "EXT1 of a registered code": a.record(b"\x82\x01" + shell + a.TUPLE1 + a.REDUCE),
        "PERSID": a.record(a.PERSID + command + b"\n"),
        "BINPERSID": a.record(shell + a.BINPERSID),
        "getattr and __import__ in a chain": a.record(chain),
        "a dotted name out of a permitted module": a.record(dotted_chain),
        "a dotted name out of a permitted type": a.record(a.named("datetime", "datetime.__init__.__globals__")),
        "__reduce_ex__ of a permitted type": a.record(a.named("decimal", "Decimal.__reduce_ex__")),
        "subclasses of a permitted type": a.record(a.called(a.named("datetime", "datetime.__base__.__subclasses__"))),
        "a permitted name in another module": a.record(a.named("os", "datetime")),
        "another name in a permitted module": a.record(a.named("decimal", "getcontext")),
        "the C twin of a permitted module": a.record(a.named("_decimal", "Decimal")),
        "a permitted name with a blank": a.record(a.named("datetime ", "datetime")),
        "a permitted name in another case": a.record(a.named("datetime", "DateTime")),
        "an empty name": a.record(a.named("datetime", "")),
        "a name of a lone surrogate": a.record(a.text("datetime") + a.text(b"\xed\xa0\x80") + b"\x93"),
        "a newline in a name": a.record(a.named("datetime\ndatetime", "datetime")),
        "a name that is a number": a.record(a.text("datetime") + a.number(1) + b"\x93"),
        "operator.attrgetter": a.record(a.called(a.named("operator", "attrgetter"), a.text("x"))),
        "functools.partial": pickle.dumps({"k": partial(print, marker)}, 4),
        "copyreg._reconstructor": pickle.dumps({"k": Calling(eval, f"open({marker!r}, 'w')")}, 2),
        "code in a key": a.record(a.NONE, key=a.called(system, shell)),
        "code in place of the record": a.whole(a.called(system, shell)),
        "code under the record": a.whole(a.called(system, shell) + a.EMPTY_DICT),
        "code after a good record": pickle.dumps(user_record("ada"), 4)[:-1] + a.called(system, shell) + a.STOP,
        "a second pickle behind the first": pickle.dumps(user_record("ada"), 4) + a.whole(a.called(system, shell)),
    }


class Exotic:
    """A class of an application."""


def _ring() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


def _deep(levels: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(levels):
        nested = [nested]
    return nested


DAMAGED: dict[str, bytes] = {
    "no bytes": b"",
    "no pickle": b"no pickle at all",
    "a list": pickle.dumps([1], 4),
    "a text": pickle.dumps("record", 4),
    "a tuple": pickle.dumps(("a", 1), 4),
    "None": pickle.dumps(None, 4),
    "a class of an application": pickle.dumps({"k": Exotic()}, 4),
    "a date": pickle.dumps({"k": date(2025, 1, 1)}, 4),
    "a time of day": pickle.dumps({"k": time(1, 2)}, 4),
    "a timedelta as a value": pickle.dumps({"k": timedelta(1)}, 4),
    "a fraction": pickle.dumps({"k": Fraction(1, 3)}, 4),
    "a UUID": pickle.dumps({"k": UUID(int=1)}, 4),
    "a path": pickle.dumps({"k": PurePosixPath("a")}, 4),
    "a complex number": pickle.dumps({"k": 1j}, 4),
    "a range": pickle.dumps({"k": range(3)}, 4),
    "a frozenset": pickle.dumps({"k": frozenset({1})}, 4),
    "a bytearray": pickle.dumps({"k": bytearray(b"a")}, 5),
    "a type as a value": a.record(a.DECIMAL),
    "a function as a value": pickle.dumps({"k": len}, 4),
    "a list that holds itself": pickle.dumps({"k": _ring()}, 4),
    "a dict that holds itself": a.whole(a.EMPTY_DICT + a.MEMOIZE + a.text("k") + a.get(0) + a.SET_ITEM),
    "a dict nested 101 deep": pickle.dumps({"k": _deep(100)}, 4),
    "lists nested 100,000 deep": a.record(a.EMPTY_LIST * 100_000 + a.APPEND * 99_999),
    "tuples nested 100,000 deep": a.record(a.EMPTY_TUPLE + a.TUPLE1 * 100_000),
    "tuples nested 100,000 deep as a key": a.record(a.NONE, key=a.EMPTY_TUPLE + a.TUPLE1 * 100_000),
    "a tuple as a key": pickle.dumps({"k": {(1, 2): 3}}, 4),
    "a list as a key": a.record(a.NONE, key=a.EMPTY_LIST),
    "a type as a key": a.record(a.NONE, key=a.DECIMAL),
    "a doubled tuple as a key": a.record(a.NONE, key=a.doubling_tuples(40)),
    "a doubled tuple in a set": a.record(a.set_of(a.doubling_tuples(40))),
    "a doubled tuple as a value": a.record(a.doubling_tuples(40)),
    "an unhashable member of a set": a.record(a.set_of(a.EMPTY_LIST)),
    "an odd number of items": a.record(a.EMPTY_DICT + a.MARK + a.NONE + a.SET_ITEMS),
    "an item set in a list": a.record(a.EMPTY_LIST + a.number(0) + a.NONE + a.SET_ITEM),
    "an item appended to a dict": a.record(a.EMPTY_DICT + a.NONE + a.APPEND),
    "an item appended to a text": a.record(a.text("x") + a.NONE + a.APPEND),
    "an item set in a type": a.record(a.DECIMAL + a.NONE + a.NONE + a.SET_ITEM),
    "a member added to a list": a.record(a.EMPTY_LIST + a.MARK + a.NONE + a.ADD_ITEMS),
    "a call of a text": a.record(a.called(a.text("len"))),
    "a call with a list": a.record(a.DECIMAL + a.EMPTY_LIST + a.REDUCE),
    "a decimal of nonsense": a.record(a.called(a.DECIMAL, a.text("nonsense"))),
    "a decimal out of range": a.record(a.called(a.DECIMAL, a.text("1E999999999999999999999999"))),
    "a signalling NaN as a key": a.record(a.NONE, key=a.called(a.DECIMAL, a.text("sNaN"))),
    "a time of nonsense": a.record(a.called(a.named("datetime", "datetime"), a.text("nonsense"))),
    "a time in the month 13": a.record(a.called(a.named("datetime", "datetime"), *map(a.number, (2025, 13, 1)))),
    "a time in the year 10,000": a.record(a.called(a.named("datetime", "datetime"), *map(a.number, (10_000, 1, 1)))),
    "a timedelta out of range": a.record(a.called(a.named("datetime", "timedelta"), a.number(2**70))),
    "a zone of nonsense": a.record(a.called(a.named("datetime", "timezone"), a.text("CET"))),
    "a zone of 25 hours": a.record(
        a.called(a.named("datetime", "timezone"), a.called(a.named("datetime", "timedelta"), a.number(2)))
    ),
    "a text that is not UTF-8": a.record(b"\x8c\x01\xff"),
    "an integer of 5,000 bits": pickle.dumps({"k": 2**5000}, 4),
    "a frame that is too long": b"\x80\x04\x95" + b"\xff" * 8 + b"}.",
    "a length of 2**62": a.record(b"\x8e" + (2**62).to_bytes(8, "little")),
    "a memo bomb": a.record(b"Nr\xff\xff\xff\xff"),
    "a frozenset by call": pickle.dumps({"k": frozenset({1})}, 3),
}
"""What is no record of plain data, and what breaks when it is loaded."""
