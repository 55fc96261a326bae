"""Writes pickles opcode by opcode, for what no pickler would write."""

import pickle
import pickletools
import struct
from typing import Any

PROTOCOL_4 = b"\x80\x04"
NONE, STOP, MARK, EMPTY_LIST, EMPTY_DICT, EMPTY_SET, EMPTY_TUPLE = b"N", b".", b"(", b"]", b"}", b"\x8f", b")"
APPEND, APPENDS, SET_ITEM, SET_ITEMS, ADD_ITEMS = b"a", b"e", b"s", b"u", b"\x90"
TUPLE, TUPLE1, TUPLE2, TUPLE3, REDUCE, MEMOIZE = b"t", b"\x85", b"\x86", b"\x87", b"R", b"\x94"
BUILD, NEWOBJ, NEWOBJ_EX, PERSID, BINPERSID = b"b", b"\x81", b"\x92", b"P", b"Q"


def text(content: str | bytes) -> bytes:
    """BINUNICODE, or the short form where it fits."""
    encoded = content.encode() if isinstance(content, str) else content
    if len(encoded) < 256:
        return b"\x8c" + bytes([len(encoded)]) + encoded
    return b"X" + len(encoded).to_bytes(4, "little") + encoded


def number(value: int) -> bytes:
    """The opcode for an integer that the pickler would choose."""
    if 0 <= value < 1 << 8:
        return b"K" + bytes([value])
    if 0 <= value < 1 << 16:
        return b"M" + value.to_bytes(2, "little")
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + value.to_bytes(4, "little", signed=True)
    length = value.bit_length() // 8 + 1
    encoded = value.to_bytes(length, "little", signed=True)
    return b"\x8a" + bytes([length]) + encoded if length < 256 else b"\x8b" + length.to_bytes(4, "little") + encoded


def real(value: float) -> bytes:
    """BINFLOAT."""
    return b"G" + struct.pack(">d", value)


def named(module: str, name: str) -> bytes:
    """A global by STACK_GLOBAL."""
    return text(module) + text(name) + b"\x93"


DECIMAL = named("decimal", "Decimal")


def get(index: int) -> bytes:
    """A value out of the memo."""
    return b"h" + bytes([index]) if index < 256 else b"j" + index.to_bytes(4, "little")


def put(index: int) -> bytes:
    """A place in the memo for the value on top of the stack."""
    return b"q" + bytes([index]) if index < 256 else b"r" + index.to_bytes(4, "little")


def list_of(items: bytes) -> bytes:
    """A list of what `items` pushes."""
    return EMPTY_LIST + MARK + items + APPENDS


def set_of(items: bytes) -> bytes:
    """A set of what `items` pushes."""
    return EMPTY_SET + MARK + items + ADD_ITEMS


def called(function: bytes, *arguments: bytes) -> bytes:
    """REDUCE."""
    return function + MARK + b"".join(arguments) + TUPLE + REDUCE


def whole(code: bytes) -> bytes:
    """A pickle that leaves what `code` leaves."""
    return PROTOCOL_4 + code + STOP


def dict_of(items: bytes) -> bytes:
    """A dict of the keys and values that `items` pushes in turn."""
    return EMPTY_DICT + MARK + items + SET_ITEMS


def entry(**fields: bytes) -> bytes:
    """A dict with these texts as keys."""
    return dict_of(b"".join(text(name) + value for name, value in fields.items()))


def shared(value: bytes, count: int, index: int) -> bytes:
    """A list that holds one value `count` times; `index` is the next free one of the memo."""
    return list_of(value + MEMOIZE + get(index) * (count - 1))


def frame(length: int) -> bytes:
    """FRAME."""
    return b"\x95" + length.to_bytes(8, "little")


def record(value: bytes, key: bytes = b"\x8c\x01k") -> bytes:
    """A pickle of a dict with one entry."""
    return whole(EMPTY_DICT + key + value + SET_ITEM)


def doubling_tuples(levels: int) -> bytes:
    """t = (t, t), `levels` times over: 2**levels leaves, of which only the outermost tuple stays on the stack."""
    code = EMPTY_TUPLE + MEMOIZE
    for level in range(levels):
        code += get(level) + TUPLE2 + MEMOIZE
    return code


def with_field(record: dict[str, Any], name: str, value: bytes) -> bytes:
    """A pickle of `record` whose field `name` holds what the code `value` leaves, which begins with an empty memo."""
    rest = pickle.dumps({key: field for key, field in record.items() if key != name}, 3)
    # Protocol 3 has no frames, and names the indices of its memo: it writes over those of the code.
    entries = next(position for opcode, _, position in pickletools.genops(rest) if opcode.name == "MARK")
    return PROTOCOL_4 + EMPTY_DICT + text(name) + value + SET_ITEM + rest[entries:]
