"""Blobs that must never be loaded: code, bombs, and damage of every kind."""

import pickle
from datetime import date
from fractions import Fraction
from typing import Any

from tests.support.v1_records import user_record

PROTOCOL_4 = b"\x80\x04"
STOP = b"."


class Echo:
    """Pickles as a call of a harmless builtin, as an attacker's object would of a harmful one."""

    def __init__(self, callable_: Any, *arguments: Any) -> None:
        self.reduced = (callable_, arguments)

    def __reduce__(self) -> Any:
        return self.reduced


def shell_command(command: str) -> bytes:
    """Return the classic exploit: a call of os.system."""
    text = command.encode()
    return b"cos\nsystem\n(" + b"X" + len(text).to_bytes(4, "little") + text + b"tR."


def user_blob(**changes: Any) -> bytes:
    """Return a user's record as a blob."""
    return pickle.dumps(user_record("ada") | changes, protocol=4)


def _global(module: str, name: str) -> bytes:
    """Return a user's blob whose unknown key holds the global `module.name`, looked up by STACK_GLOBAL."""
    reference = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name)) + b"\x93"
    return user_blob()[:-2] + b"\x8c\x01g" + reference + b"u" + STOP


def _doubled_tuples(levels: int) -> bytes:
    """Return the code of a tuple that holds the one before it twice: 2**levels leaves in 5 bytes a level."""
    code = b")\x94"
    for level in range(levels):
        reference = b"h" + bytes([level])
        code += reference + reference + b"\x86\x94"
    # The lower levels stay on the stack; POP_MARK takes them away before the last is fetched once more.
    return b"(" + code + b"1" + b"h" + bytes([levels])


def shared_tuples(levels: int = 60) -> bytes:
    """Return a dict of one entry whose value is a small file and an endless walk."""
    return PROTOCOL_4 + b"}\x8c\x01k" + _doubled_tuples(levels) + b"s" + STOP


def shared_tuples_as_key(levels: int = 60) -> bytes:
    """Return a dict whose key is such a tuple: computing its hash alone takes for ever."""
    return PROTOCOL_4 + b"}" + _doubled_tuples(levels) + b"K\x01s" + STOP


def nested_lists(depth: int) -> list[Any]:
    """Return a list in a list in a list ..."""
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    return nested


def _self_containing() -> dict[str, Any]:
    ring: dict[str, Any] = {}
    ring["again"] = ring
    return ring


DAMAGED_BLOBS = {
    "not a pickle": b"these are no opcodes",
    "empty": b"",
    "NULL": None,
    "text in place of bytes": "text",
    "a number": 5,
    "cut off": user_blob()[:-20],
    "without STOP": user_blob()[:-1],
    "bytes after STOP": user_blob() + b"more",
    "a second pickle after STOP": user_blob() * 2,
    "a list": pickle.dumps([1, 2], protocol=4),
    "None": pickle.dumps(None, protocol=4),
    "a text": pickle.dumps("user", protocol=4),
    "protocol 0": pickle.dumps({"username": "ada"}, protocol=0),
    "protocol 2": pickle.dumps({"username": "ada"}, protocol=2),
    "an unknown protocol": b"\x80\x09" + user_blob()[2:],
    "os.system": shell_command("true"),
    "builtins.eval": pickle.dumps({"x": Echo(eval, "1+1")}, protocol=4),
    "builtins.getattr": pickle.dumps({"x": Echo(getattr, "a", "upper")}, protocol=4),
    "datetime.date": user_blob(day=date(2025, 1, 1)),
    "fractions.Fraction": user_blob(part=Fraction(1, 3)),
    "a dotted name": _global("datetime", "datetime.strptime"),
    "a dotted module": _global("os.path", "join"),
    "a class as a value": user_blob(kind=dict),
    "shared tuples": shared_tuples(),
    "shared tuples as a key": shared_tuples_as_key(),
    "a huge memo index": PROTOCOL_4 + b"}r\xff\xff\xff\x7f" + STOP,
    "a huge length": PROTOCOL_4 + b"}\x8c\x01k\x8e" + (2**62).to_bytes(8, "little") + b"s" + STOP,
    "bytes of a length over 63 bits": PROTOCOL_4 + b"}\x8c\x01k\x8e" + b"\xff" * 8 + b"s" + STOP,
    "text of a length over 63 bits": PROTOCOL_4 + b"}\x8c\x01k\x8d" + b"\xff" * 8 + b"s" + STOP,
    "a frame of a length over 63 bits": PROTOCOL_4 + b"\x95" + b"\xff" * 8 + b"}" + STOP,
    "a negative length": PROTOCOL_4 + b"}\x8c\x01k\x8b" + b"\xff" * 4 + b"s" + STOP,
    "a missing memo entry": PROTOCOL_4 + b"}\x8c\x01kh\x05s" + STOP,
    "an empty stack": PROTOCOL_4 + STOP,
    "a persistent id": PROTOCOL_4 + b"}\x8c\x01kPid\ns" + STOP,
    "too deep": user_blob(deep=nested_lists(150)),
    "far too deep": PROTOCOL_4 + b"}\x8c\x01k" + b"]" * 50_000 + b"a" * 49_999 + b"s" + STOP,
    "a ring": user_blob(ring=_self_containing()),
    "a key that is not text": user_blob(**{"projects": []})[:-2] + b"K\x05K\x06u" + STOP,
}
