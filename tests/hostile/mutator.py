"""Real blobs with something wrong: the same for the same seed, whatever the process and the day."""

import pickletools
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from itertools import pairwise
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "support" / "v1_samples"

_INTERESTING = [
    number.to_bytes(width, "little")
    for width in (1, 2, 4, 8)
    for number in {0, 1, 0x7F, 0x80, 0xFF, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1}
    if number < 2 ** (8 * width)
]
_DANGEROUS = [
    *(b"cos\nsystem\n", b"cbuiltins\neval\n", b"cdatetime\ndatetime\n", b"cdecimal\nDecimal\n", b"ios\nsystem\n"),
    *(
        b"R",
        b"b",
        b"o",
        b"\x81",
        b"\x92",
        b"\x93",
        b"Px\n",
        b"Q",
        b"\x82\x01",
        b"\x83\x01\x00",
        b"\x84\x01\x00\x00\x00",
    ),
    *(
        b"\x97",
        b"\x98",
        b"\x91",
        b"\x8f",
        b"\x90",
        b"\x96" + b"\x01" + bytes(7) + b"x",
        b"I1\n",
        b"V\\u0041\n",
        b"d",
        b"l",
    ),
]
_STRUCTURAL = [
    b"(",
    b"0",
    b"1",
    b"2",
    b"t",
    b"\x85",
    b"\x86",
    b"\x87",
    b".",
    b"e",
    b"u",
    b"a",
    b"s",
    b"\x94",
    b"\x80\x04",
]
_MEMO_OPCODES = {"BINGET": 1, "BINPUT": 1, "LONG_BINGET": 4, "LONG_BINPUT": 4}

Span = tuple[int, int]


@cache
def samples() -> tuple[tuple[str, bytes], ...]:
    """(v1 table, blob) of every row of the sample databases that has one."""
    found: list[tuple[str, bytes]] = []
    for path in sorted(SAMPLES.glob("*.db")):
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
            for (table,) in names:
                columns = {column[1] for column in connection.execute(f"PRAGMA table_info({table})")}
                if "data" in columns:
                    blobs = connection.execute(f"SELECT data FROM {table} ORDER BY data").fetchall()
                    found.extend((table, blob) for (blob,) in blobs)
    return tuple(found)


def mutants(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """`count` times a v1 table, and a damaged copy of a blob that v1 wrote into such a table."""
    chance = random.Random(seed)
    for _ in range(count):
        table, blob = chance.choice(samples())
        mutant = blob
        if chance.random() < 0.6:
            mutant = chance.choice(_OF_OPCODES)(chance, blob)
        if mutant == blob or chance.random() < 0.3:
            for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
                mutant = chance.choice(_OF_BYTES)(chance, mutant)
        yield table, mutant


@cache
def _opcodes(blob: bytes) -> tuple[tuple[str, Span], ...]:
    """The name and the span of every opcode of an undamaged pickle but its protocol."""
    places = [(opcode.name, position or 0) for opcode, _, position in pickletools.genops(blob)]
    ends = [*places, ("", len(blob))]
    return tuple((name, (start, end)) for (name, start), (_, end) in pairwise(ends))[1:]


def _span(chance: random.Random, blob: bytes, longest: int) -> Span:
    start = chance.randrange(len(blob) + 1)
    return start, min(len(blob), start + chance.randint(1, longest))


def _replaced(blob: bytes, span: Span, by: bytes) -> bytes:
    return blob[: span[0]] + by + blob[span[1] :]


def _flip(chance: random.Random, blob: bytes) -> bytes:
    start, end = _span(chance, blob, 1)
    return _replaced(blob, (start, end), bytes(byte ^ 1 << chance.randrange(8) for byte in blob[start:end]))


def _insert(chance: random.Random, blob: bytes) -> bytes:
    place = chance.randrange(len(blob) + 1)
    return _replaced(blob, (place, place), chance.randbytes(chance.choice((1, 1, 2, 8))))


def _delete(chance: random.Random, blob: bytes) -> bytes:
    return _replaced(blob, _span(chance, blob, 16), b"")


def _duplicate(chance: random.Random, blob: bytes) -> bytes:
    start, end = _span(chance, blob, 64)
    place = chance.randrange(len(blob) + 1)
    return _replaced(blob, (place, place), blob[start:end])


def _splice(chance: random.Random, blob: bytes) -> bytes:
    _, other = chance.choice(samples())
    return blob[: chance.randrange(len(blob) + 1)] + other[chance.randrange(len(other)) :]


def _truncate(chance: random.Random, blob: bytes) -> bytes:
    return blob[: chance.randrange(len(blob) + 1)]


def _lengthen(chance: random.Random, blob: bytes) -> bytes:
    return blob + chance.choice((b".", b"\x00", chance.randbytes(20), blob))


def _put_integer(chance: random.Random, blob: bytes) -> bytes:
    integer = chance.choice(_INTERESTING)
    place = chance.randrange(len(blob) + 1)
    return _replaced(blob, (place, min(len(blob), place + len(integer))), integer)


def _swap_opcodes(chance: random.Random, blob: bytes) -> bytes:
    (_, (a, b)), (_, (c, d)) = sorted(chance.sample(_opcodes(blob), 2), key=lambda found: found[1])
    return blob[:a] + blob[c:d] + blob[b:c] + blob[a:b] + blob[d:]


def _replace_opcode(chance: random.Random, blob: bytes) -> bytes:
    (_, span), (_, (start, end)) = chance.sample(_opcodes(blob), 2)
    return _replaced(blob, span, blob[start:end])


def _duplicate_opcode(chance: random.Random, blob: bytes) -> bytes:
    _, (start, end) = chance.choice(_opcodes(blob))
    return _replaced(blob, (end, end), blob[start:end])


def _endanger(chance: random.Random, blob: bytes) -> bytes:
    _, span = chance.choice(_opcodes(blob))
    return _replaced(blob, span, chance.choice(_DANGEROUS))


def _insert_opcode(chance: random.Random, blob: bytes) -> bytes:
    _, (start, _) = chance.choice(_opcodes(blob))
    return _replaced(blob, (start, start), chance.choice(_STRUCTURAL))


def _change_memo_index(chance: random.Random, blob: bytes) -> bytes:
    of_memo = [(name, span) for name, span in _opcodes(blob) if name in _MEMO_OPCODES]
    if not of_memo:
        return blob
    name, (start, _) = chance.choice(of_memo)
    width = _MEMO_OPCODES[name]
    fitting = [integer for integer in _INTERESTING if len(integer) == width]
    index = chance.choice([chance.randbytes(width), *fitting])
    return _replaced(blob, (start + 1, start + 1 + width), index)


def _repeat_chunk(chance: random.Random, blob: bytes) -> bytes:
    opcodes = _opcodes(blob)
    first = chance.randrange(len(opcodes))
    last = min(len(opcodes) - 1, first + chance.randrange(12))
    start, end = opcodes[first][1][0], opcodes[last][1][1]
    return _replaced(blob, (start, end), blob[start:end] * chance.choice((2, 10, 100, 2000)))


_Mutation = Callable[[random.Random, bytes], bytes]
_OF_BYTES: list[_Mutation] = [_flip, _insert, _delete, _duplicate, _splice, _truncate, _lengthen, _put_integer]
_OF_OPCODES: list[_Mutation] = [
    _swap_opcodes,
    _replace_opcode,
    _duplicate_opcode,
    _endanger,
    _insert_opcode,
    _change_memo_index,
    _repeat_chunk,
]
