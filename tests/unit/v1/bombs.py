"""Blobs that are small for what they ask of the machine, while their bytes are scanned, loaded and walked.

Each is a function of the size, in bytes, that it should have about.
"""

import pickle
from collections.abc import Callable

from tests.unit.v1 import assembly as a
from tests.unit.v1.collisions import cycle, slow_keys
from tests.unit.v1.hostile import NEW_YEAR, moment

FAST_LANE = 380_000
"""A size that the first lane of the scan takes as a whole."""

_MERSENNE = 2**61 - 1  # integers that differ by it have equal hashes

Bomb = Callable[[int], bytes]


def _list_of(code: bytes) -> Bomb:
    return lambda size: a.record(a.list_of(code * (size // len(code))))


def _filled(code: bytes, ahead: bytes = b"", behind: bytes = b"") -> Bomb:
    return lambda size: a.whole(a.EMPTY_DICT + ahead + code * (size // len(code)) + behind)


def _list_of_one(value: bytes) -> Bomb:
    """One value, by the memo, as often as it fits."""
    return lambda size: a.record(a.shared(value, size // 2, 0))


MANY: dict[str, Bomb] = {
    "empty dicts": _list_of(a.EMPTY_DICT),
    "empty lists": _list_of(a.EMPTY_LIST),
    "empty sets": _list_of(a.EMPTY_SET),
    "empty tuples": _list_of(a.EMPTY_TUPLE),
    "empty dicts that are memoized": _list_of(a.EMPTY_DICT + a.MEMOIZE),
    "dicts of one": _list_of(a.EMPTY_DICT + a.NONE * 2 + a.SET_ITEM),
    "dicts of six": _list_of(a.EMPTY_DICT + a.MARK + b"".join(b"K" + bytes([n]) + b"N" for n in range(6)) + b"u"),
    "lists of one": _list_of(a.EMPTY_LIST + a.NONE + a.APPEND),
    "lists of a list of one": _list_of(a.EMPTY_LIST * 2 + a.NONE + a.APPEND * 2),
    "sets of one": _list_of(a.set_of(a.NONE)),
    "sets of nothing": _list_of(a.set_of(b"")),
    "sets of five": _list_of(a.set_of(b"".join(map(a.number, range(5))))),
    "tuples of one": _list_of(a.NONE + a.TUPLE1),
    "tuples of three": _list_of(a.NONE * 3 + a.TUPLE3),
    "tuples by MARK": _list_of(a.MARK + a.NONE + a.TUPLE),
    "None": _list_of(a.NONE),
    "False": _list_of(b"\x89"),
    "small integers": _list_of(a.number(7)),
    "small integers and None in turn": _list_of(a.NONE + a.number(7)),
    "integers of 16 bits": _list_of(a.number(1000)),
    "integers of 32 bits": _list_of(a.number(10**9)),
    "integers of 64 bits": _list_of(a.number(10**18)),
    "integers of no bytes": _list_of(b"\x8a\x00"),
    "integers of 4,000 bits": _list_of(a.number(2**4000)),
    "floats": _list_of(a.real(0.1)),
    "empty texts": _list_of(a.text("")),
    "texts of two letters": _list_of(a.text("ab")),
    "texts of two letters that are memoized": _list_of(a.text("ab") + a.MEMOIZE),
    "texts with a long form of their length": _list_of(b"X\x02\x00\x00\x00ab"),
    "texts of a wide letter": _list_of(a.text("😀")),
    "bytes of none": _list_of(b"C\x00"),
    "bytes of six": _list_of(b"C\x06abcdef"),
    "times": _list_of(a.get(0) + b"C\x0a" + NEW_YEAR + a.TUPLE1 + a.REDUCE),
    "lists in lists": lambda size: a.record(a.EMPTY_LIST * (size // 2) + a.APPEND * (size // 2 - 1)),
    "dicts in dicts": lambda size: a.record((a.EMPTY_DICT + a.NONE) * (size // 3) + a.NONE + a.SET_ITEM * (size // 3)),
    "tuples in tuples": lambda size: a.record(a.EMPTY_TUPLE + a.TUPLE1 * size),
    "different texts as keys": lambda size: pickle.dumps({"k": {f"{n:x}": None for n in range(size // 9)}}, 4),
    "different texts in a set": lambda size: pickle.dumps({"k": {f"{n:x}" for n in range(size // 8)}}, 4),
}

OPCODES: dict[str, Bomb] = {
    "MARK": _filled(a.MARK),
    "MARK and APPENDS": _filled(a.MARK + a.APPENDS, a.text("k") + a.EMPTY_LIST, a.SET_ITEM),
    "MARK and SETITEMS": _filled(a.MARK + a.SET_ITEMS),
    "MARK and ADDITEMS": _filled(a.MARK + a.ADD_ITEMS, a.text("k") + a.EMPTY_SET, a.SET_ITEM),
    "APPEND": _filled(a.NONE + a.APPEND, a.text("k") + a.EMPTY_LIST, a.SET_ITEM),
    "SETITEM": _filled(a.NONE * 2 + a.SET_ITEM),
    "SETITEM by memo": _filled(a.get(0) + a.NONE + a.SET_ITEM, a.text("k") + a.MEMOIZE + a.NONE + a.SET_ITEM),
    "MEMOIZE": _filled(a.MEMOIZE),
    "MEMOIZE beside a gap": _filled(a.MEMOIZE, a.put(60_000)),
    "BINPUT": _filled(a.put(0)),
    "LONG_BINPUT": _filled(a.put(300)),
    "LONG_BINPUT of 65,535": _filled(a.put(65_535)),
    "LONG_BINPUT up and up": lambda size: a.whole(a.EMPTY_DICT + b"".join(map(a.put, range(256, size // 5)))),
    "BINGET": _filled(a.get(0), a.MEMOIZE),
    "BINGET and None in turn": _filled(a.get(0) + a.NONE, a.MEMOIZE + a.text("k") + a.EMPTY_LIST + a.MARK, b"es"),
    "BINGET of the record": _filled(a.get(0), a.MEMOIZE + a.text("k") + a.EMPTY_LIST + a.MARK, b"es"),
    "LONG_BINGET of the record": _filled(b"j\x00\x00\x00\x00", a.MEMOIZE + a.text("k") + a.EMPTY_LIST + a.MARK, b"es"),
    "FRAME": _filled(a.frame(0)),
    "FRAME to the end": lambda size: a.whole(
        a.EMPTY_DICT + b"".join(a.frame(9 * left) for left in range(min(size // 9, 3000), 0, -1))
    ),
    "GLOBAL": _filled(b"cdatetime\ndatetime\n"),
    "GLOBAL without names": _filled(b"c\n\n"),
    "STACK_GLOBAL of nothing": _filled(a.NONE * 2 + b"\x93"),
    "STACK_GLOBAL": _filled(a.DECIMAL),
    "REDUCE of nothing": _filled(a.NONE * 2 + a.REDUCE),
    "REDUCE of a type": _filled(a.get(0) + a.EMPTY_TUPLE + a.REDUCE, a.DECIMAL + a.MEMOIZE),
    "a short text, byte by byte": _filled(b"\x8c\x01x"),
    "lengths of 255 that overlap": lambda size: b"\x80\x04" + b"\x8c" * size + b".",
}


def _doubled_lists(_size: int) -> bytes:
    levels = b"".join(a.list_of(a.get(n) * 2) + a.MEMOIZE for n in range(60))
    return a.record(a.list_of(a.NONE) + a.MEMOIZE + levels)


def _doubled_dicts(_size: int) -> bytes:
    levels = b"".join(a.entry(a=a.get(n), b=a.get(n)) + a.MEMOIZE for n in range(60))
    return a.record(a.EMPTY_DICT + a.MEMOIZE + levels)


def _wide_and_shared(size: int) -> bytes:
    return a.record(a.shared(a.list_of(a.NONE * (size // 2)), size // 4, 0))


def _shared_by_levels(size: int) -> bytes:
    """1,000 × 1,000 × 1,000 … times one list, each level as wide as the size allows."""
    width = size // 10
    levels = b"".join(a.list_of(a.get(n) * width) + a.MEMOIZE for n in range(5))
    return a.record(a.EMPTY_LIST + a.MEMOIZE + levels)


SHARING: dict[str, Bomb] = {
    "lists doubled 60 times": _doubled_lists,
    "dicts doubled 60 times": _doubled_dicts,
    "tuples doubled 250 times": lambda _size: a.record(a.doubling_tuples(250)),
    "a wide list, often": _wide_and_shared,
    "wide lists of wide lists": _shared_by_levels,
    "one empty list, often": _list_of_one(a.EMPTY_LIST),
    "one empty dict, often": _list_of_one(a.EMPTY_DICT),
    "one empty tuple, often": _list_of_one(a.EMPTY_TUPLE),
    "one set, often": _list_of_one(a.set_of(a.text("a"))),
    "one dict of one, often": _list_of_one(a.entry(a=a.NONE)),
    "one time, often": _list_of_one(moment(NEW_YEAR)),
    "one Decimal, often": _list_of_one(a.called(a.DECIMAL, a.text("1.5"))),
    "one float, often": _list_of_one(a.real(1 / 3)),
    "one NaN, often": _list_of_one(a.real(float("nan"))),
    "one integer of 4,000 bits, often": _list_of_one(a.number(2**4000)),
    "one Decimal of 1,000 digits, often": _list_of_one(a.called(a.DECIMAL, a.text("7" * 1000))),
    "a short text, often": _list_of_one(a.text("x" * 200)),
    "a short text of wide letters, often": _list_of_one(a.text("😀" * 60)),
    "a text of half the size, often": lambda size: a.record(a.shared(a.text("x" * (size // 2)), size // 4, 0)),
    "bytes of half the size, often": lambda size: a.record(
        a.shared(b"B" + (size // 2).to_bytes(4, "little") + b"x" * (size // 2), size // 4, 0)
    ),
    "a key of half the size, often": lambda size: a.record(
        a.list_of(
            a.text("x" * (size // 2)) + a.MEMOIZE + (a.EMPTY_DICT + a.get(0) + a.NONE + a.SET_ITEM) * (size // 10)
        )
    ),
    "NULs of a third of the size, three times": lambda size: a.record(a.shared(a.text("\0" * (size // 3)), 3, 0)),
    "a wide tuple in a set, often": lambda size: a.record(
        a.set_of(a.MARK + a.NONE * (size // 2) + a.TUPLE + a.MEMOIZE + a.get(0) * 990)
    ),
    "tuples of short texts in a set": lambda size: a.record(
        a.set_of(b"".join(a.text(f"{n:x}") + a.TUPLE1 for n in range(size // 8)))
    ),
}


def _colliding_integers(size: int) -> bytes:
    keys = b"".join(a.number(k * _MERSENNE) + a.NONE for k in range(1, size // 12))
    return a.record(a.dict_of(keys))


def _colliding_floats(size: int) -> bytes:
    keys = b"".join(a.real(k * 2.0 ** (61 * (k % 16))) + a.NONE for k in range(1, size // 10))
    return a.record(a.dict_of(keys))


def _colliding_decimals(count: int, often: int, prefix: str = "") -> bytes:
    """Decimals of one hash as keys, of which the last 100 are looked up `often`."""
    kept = min(count, 100)
    keys = b""
    for k in range(count):
        number = a.get(0) + a.text(f"{prefix}{10**18 + k * _MERSENNE}") + a.TUPLE1 + a.REDUCE
        keys += number + (a.MEMOIZE if k >= count - kept else b"") + a.NONE
    uses = b"".join(a.get(1 + n % kept) + a.NONE for n in range(often))
    return a.whole(
        a.EMPTY_DICT + a.DECIMAL + a.MEMOIZE + a.NONE + a.SET_ITEM + a.text("k") + a.dict_of(keys + uses) + b"s"
    )


def _sharing_their_way(size: int) -> bytes:
    """Integers of 60 bits; see `collisions`."""
    bits = 18 if size > 1_500_000 else 14
    filled = cycle(bits, int(2**bits * 0.45))
    slow = slow_keys(bits, filled, len(filled) // 3)
    return a.record(a.dict_of(b"".join(a.number(key) + a.NONE for key in (*filled, *slow))))


def _sharing_their_way_by_memo(size: int) -> bytes:
    filled = cycle(12, int(2**12 * 0.5))
    slow = slow_keys(12, filled, 200)
    keys = b"".join(a.number(key) + a.NONE for key in filled)
    keys += b"".join(a.number(key) + a.MEMOIZE + a.NONE for key in slow)
    return a.record(a.dict_of(keys + b"".join(a.get(n % 200) + a.NONE for n in range((size - len(keys)) // 3))))


def _sharing_their_way_in_16_bits(size: int) -> bytes:
    """In a dict of 2**14 slots even integers of two bytes can walk a long piece of the cycle."""
    bits, mask = 14, 2**14 - 1
    filled = cycle(bits, int(2**bits * 0.6))
    place = {slot: position for position, slot in enumerate(filled)}
    slow: dict[int, int] = {}
    for key in range(2**bits, 2**16):
        slot, rest = key & mask, key
        while slot in place:
            if rest == 0:
                slow[key] = place[slot]
                break
            rest >>= 5
            slot = (5 * slot + rest + 1) & mask
    slowest = sorted(slow, key=slow.__getitem__)[:120]
    keys = b"".join(a.number(key) + a.NONE for key in (*filled, *slowest))
    uses = b"".join(a.number(slowest[n % 120]) + a.NONE for n in range((size - len(keys)) // 4))
    return a.record(a.dict_of(keys + uses))


def _equal_long_texts(size: int, letter: str = "a", length: int = 128_000) -> bytes:
    """Two equal texts that are not one object: each look-up of the second compares them to the end."""
    long = a.text("😀" + letter * length if letter != "a" else letter * length)
    uses = (a.get(0) + a.NONE) * max(0, (size - 2 * len(long)) // 3)
    return a.whole(a.EMPTY_DICT + a.MARK + long + a.NONE + long + a.MEMOIZE + a.NONE + uses + a.SET_ITEMS)


def _minus_one_and_two(_size: int) -> bytes:
    """-1 and -2 have one hash, so all tuples of them that are equally long have one too."""
    bits = range(11)
    tuples = (a.MARK + b"".join(a.number(-1 - (n >> bit & 1)) for bit in bits) + a.TUPLE for n in range(2 ** len(bits)))
    return a.record(a.set_of(b"".join(tuples)))


HASHES: dict[str, Bomb] = {
    "multiples of 2**61 - 1 as keys": _colliding_integers,
    "multiples of 2**61 - 1 in a set": lambda size: a.record(
        a.set_of(b"".join(a.number(k * _MERSENNE) for k in range(1, size // 11)))
    ),
    "multiples of 2**61 - 1 in the first lane": lambda _size: _colliding_integers(FAST_LANE),
    "floats times 2**61 as keys": _colliding_floats,
    "-1 and -2 in tuples": _minus_one_and_two,
    "Decimals of one hash": lambda size: _colliding_decimals(min(size // 30, 30_000), 0),
    "Decimals of one hash, by memo": lambda size: _colliding_decimals(900, size // 3 - 14_000),
    "Decimals of one hash, by memo, in the first lane": lambda _size: _colliding_decimals(490, 110_000),
    "long Decimals of one hash, by memo, in the first lane": lambda _size: _colliding_decimals(30, 50_000, "7" * 7000),
    "integers that share their way": _sharing_their_way,
    "integers that share their way, by memo": _sharing_their_way_by_memo,
    "integers that share their way, by memo, in the first lane": lambda _size: _sharing_their_way_by_memo(FAST_LANE),
    "integers of 16 bits that share their way": _sharing_their_way_in_16_bits,
    "integers of 16 bits that share their way, in the first lane": lambda _size: _sharing_their_way_in_16_bits(
        FAST_LANE
    ),
    "equal long texts": _equal_long_texts,
    "equal long texts in the first lane": lambda _size: _equal_long_texts(FAST_LANE),
    "equal long texts of wide letters in the first lane": lambda _size: _equal_long_texts(FAST_LANE, "b", 90_000),
    "equal texts of 255 bytes": lambda size: _equal_long_texts(size, "b", 247),
    "a Decimal of a huge exponent as a key": lambda _size: a.record(
        a.NONE, key=a.called(a.DECIMAL, a.text("1E+999999999999999999"))
    ),
    "a Decimal of a tiny exponent as a key": lambda _size: a.record(
        a.NONE, key=a.called(a.DECIMAL, a.text("1E-999999999999999999"))
    ),
    "a Decimal of many digits as a key": lambda size: a.record(
        a.NONE, key=a.called(a.DECIMAL, a.text("7" * size + "E+999999999"))
    ),
}


def _decimals_of_one_text(digits: int, count: int) -> bytes:
    code = a.DECIMAL + a.MEMOIZE + a.text("7" * digits) + a.MEMOIZE
    return a.record(a.list_of(code + (a.get(0) + a.get(1) + a.TUPLE1 + a.REDUCE) * count))


CONTENT: dict[str, Bomb] = {
    "an integer as long as the blob": lambda size: a.record(a.number(1 << 8 * size)),
    "integers of 255 bytes": _list_of(a.number(1 << 2000)),
    "a Decimal of as many digits": lambda size: a.record(a.called(a.DECIMAL, a.text("7" * size))),
    "a Decimal of an integer": lambda size: a.record(a.called(a.DECIMAL, a.number(1 << 8 * size))),
    "a time of an integer": lambda size: a.record(a.called(a.named("datetime", "datetime"), a.number(1 << 8 * size))),
    "Decimals of one text of a hundredth of the size": lambda size: _decimals_of_one_text(size // 100, 990),
    "20,000 Decimals of one long text": lambda size: _decimals_of_one_text(size // 10, 20_000),
    "one wide letter behind narrow ones": lambda size: pickle.dumps({"k": "x" * size + "😀"}, 4),
    "wide letters": lambda size: pickle.dumps({"k": "😀" * (size // 4)}, 4),
    "NULs": lambda size: pickle.dumps({"k": "\0" * size}, 4),
    "lone surrogates": lambda size: a.record(a.text(b"\xed\xa0\x80" * (size // 3))),
    "bytes": lambda size: pickle.dumps({"k": bytes(size)}, 4),
    "a key as long as the blob": lambda size: pickle.dumps({"k" * size: 1}, 4),
    "a text that is cut off": lambda size: pickle.dumps({"k": "x" * size}, 4)[:-100],
}

BOMBS: dict[str, Bomb] = {
    f"{kind}: {name}": bomb
    for kind, group in (
        ("many", MANY),
        ("opcodes", OPCODES),
        ("sharing", SHARING),
        ("hashes", HASHES),
        ("content", CONTENT),
    )
    for name, bomb in group.items()
}
