"""The slow lane of `scan`: follows a pickle opcode by opcode, without building anything.

It plays the unpickler's stack and memo with one small number for each value, what hashing it may cost:

* 0 for what hashes fast and cannot be made to collide: text, bytes, None, booleans, floats, integers of 64 bits;
* 1 for what an attacker can make collide: longer integers, and what REDUCE returns (Decimals, times);
* 1 + the sum of its members for a tuple, sharing expanded, so that ``t = (t, t)`` thirty times over is seen as 2**30.

A dict key or set member is hashed while the pickle loads, hence before any later walk could object. The costs of all
of them together may not pass `MAX_HASHING`. Memory is bounded in the same pass by adding up what each opcode allocates
in CPython 3.11 (sizes by `sys.getsizeof`): at most `MEMORY_BASE` + `MEMORY_PER_BYTE` × the length of the blob. The
densest data that v1 writes, a history of very short messages, needs 6.5 bytes a byte.
"""

from collections.abc import Callable, Iterable

from socrates.errors import DamagedRecordError

MAX_HASHING = 1000
MEMORY_BASE = 36 * 1024 * 1024
MEMORY_PER_BYTE = 7

_TOO_COSTLY = 1 << 40
_INT64_BYTES = 8

# Opcode → number of bytes that follow it, and what the value it pushes takes.
_FIXED: dict[int, tuple[int, int]] = {
    ord("N"): (0, 8),
    0x88: (0, 8),  # NEWTRUE
    0x89: (0, 8),  # NEWFALSE
    ord("K"): (1, 8),  # BININT1: CPython keeps these integers ready
    ord("M"): (2, 40),  # BININT2
    ord("J"): (4, 40),  # BININT
    ord("G"): (8, 32),  # BINFLOAT
}
# Opcode → width of the length that follows it.
_TEXTS = {0x8C: 1, ord("X"): 4, 0x8D: 8}  # SHORT_BINUNICODE BINUNICODE BINUNICODE8
_BYTES = {ord("C"): 1, ord("B"): 4, 0x8E: 8}  # SHORT_BINBYTES BINBYTES BINBYTES8
_LONGS = {0x8A: 1, 0x8B: 4}  # LONG1 LONG4
_EMPTY = {ord("]"): 64, ord("}"): 72, 0x8F: 224}  # EMPTY_LIST EMPTY_DICT EMPTY_SET
_TUPLES = {0x85: 1, 0x86: 2, 0x87: 3}  # TUPLE1 TUPLE2 TUPLE3


def follow(blob: bytes) -> None:
    """Raise DamagedRecordError unless `blob`, from its protocol on, may be loaded."""
    _Machine(blob).run()


class _Machine:
    """The unpickler's state, as far as it matters for hashing and memory."""

    def __init__(self, blob: bytes) -> None:
        self.blob = blob
        self.position = 2
        self.stack: list[int] = []
        self.marks: list[int] = []
        self.memo: list[int] = []
        self.hashing = 0
        self.memory = MEMORY_BASE + MEMORY_PER_BYTE * len(blob)

    def run(self) -> None:
        blob, end = self.blob, len(self.blob)
        while self.position < end:
            opcode = blob[self.position]
            self.position += 1
            if opcode == ord("."):
                self._stop(end)
                return
            handler = _HANDLERS.get(opcode)
            if handler is None:
                raise DamagedRecordError(f"pickle opcode 0x{opcode:02x} at byte {self.position - 1} is not allowed")
            handler(self, opcode)
            if self.memory < 0:
                raise DamagedRecordError("the pickle would need far more memory than data of its size")
        raise DamagedRecordError("the pickle ends before its STOP")

    def _stop(self, end: int) -> None:
        if self.position != end:
            raise DamagedRecordError(f"{end - self.position} bytes follow the pickle's STOP")
        if len(self.stack) != 1 or self.marks:
            raise DamagedRecordError("the pickle does not leave exactly one value")

    def _skip(self, count: int) -> None:
        self.position += count
        if self.position > len(self.blob):
            raise DamagedRecordError("the pickle declares more bytes than it has")

    def _counted(self, width: int) -> tuple[int, int]:
        """Read a length of `width` bytes and skip the content; return where the content starts and ends."""
        start = self.position + width
        length = int.from_bytes(self.blob[self.position : start], "little")
        self._skip(width + length)
        return start, start + length

    def _pop(self) -> int:
        bottom = self.marks[-1] if self.marks else 0
        if len(self.stack) <= bottom:
            raise DamagedRecordError("the pickle takes a value from an empty stack")
        return self.stack.pop()

    def _pop_to_mark(self) -> list[int]:
        if not self.marks:
            raise DamagedRecordError("the pickle lacks a MARK")
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def _push_fixed(self, opcode: int) -> None:
        width, memory = _FIXED[opcode]
        self._skip(width)
        self.memory -= memory
        self.stack.append(0)

    def _push_text(self, opcode: int) -> None:
        start, end = self._counted(_TEXTS[opcode])
        # One character beyond the Basic Multilingual Plane makes CPython store all of them in four bytes.
        self.memory -= 64 + (end - start if self.blob[start:end].isascii() else 4 * (end - start))
        self.stack.append(0)

    def _push_bytes(self, opcode: int) -> None:
        start, end = self._counted(_BYTES[opcode])
        self.memory -= 48 + end - start
        self.stack.append(0)

    def _push_long(self, opcode: int) -> None:
        start, end = self._counted(_LONGS[opcode])
        self.memory -= 40 + 2 * (end - start)
        self.stack.append(1 if end - start > _INT64_BYTES else 0)

    def _push_empty(self, opcode: int) -> None:
        self.memory -= _EMPTY[opcode]
        self.stack.append(0)

    def _push_tuple(self, members: list[int]) -> None:
        self.memory -= 64 + 8 * len(members)
        self.stack.append(min(1 + sum(members), _TOO_COSTLY))

    def _tuple_of(self, opcode: int) -> None:
        self._push_tuple([self._pop() for _ in range(_TUPLES[opcode])])

    def _empty_tuple(self, _opcode: int) -> None:
        self._push_tuple([])

    def _tuple_from_mark(self, _opcode: int) -> None:
        self._push_tuple(self._pop_to_mark())

    def _mark(self, _opcode: int) -> None:
        self.memory -= 8
        self.marks.append(len(self.stack))

    def _append(self, _opcode: int) -> None:
        self.memory -= 40
        self._pop()

    def _appends(self, _opcode: int) -> None:
        self.memory -= 32 + 10 * len(self._pop_to_mark())

    def _hash(self, cost: int) -> None:
        self.hashing += cost
        if self.hashing > MAX_HASHING:
            raise DamagedRecordError("the pickle's dict keys or set members are too costly to hash")

    def _set_item(self, _opcode: int) -> None:
        self.memory -= 168
        self._pop()
        self._hash(self._pop())

    def _set_items(self, _opcode: int) -> None:
        items = self._pop_to_mark()
        self.memory -= 168 + 45 * max(0, len(items) - 10)
        self._hash(sum(items[::2]))

    def _add_items(self, _opcode: int) -> None:
        items = self._pop_to_mark()
        self.memory -= 140 * len(items)
        self._hash(sum(items))

    def _memoize(self, _opcode: int) -> None:
        self._remember(len(self.memo))

    def _put(self, opcode: int) -> None:
        self._remember(self._index(opcode == ord("r")))

    def _remember(self, index: int) -> None:
        # The unpickler's memo is an array as long as the highest index, so an index may not run ahead.
        if index > len(self.memo):
            raise DamagedRecordError("the pickle's memo index is larger than the number of its entries")
        if not self.stack:
            raise DamagedRecordError("the pickle takes a value from an empty stack")
        self.memory -= 16
        self.memo[index : index + 1] = [self.stack[-1]]

    def _get(self, opcode: int) -> None:
        index = self._index(opcode == ord("j"))
        if index >= len(self.memo):
            raise DamagedRecordError("the pickle reads a memo entry that it has not written")
        self.memory -= 8
        self.stack.append(self.memo[index])

    def _index(self, is_long: bool) -> int:
        start = self.position
        self._skip(4 if is_long else 1)
        return int.from_bytes(self.blob[start : self.position], "little")

    def _frame(self, _opcode: int) -> None:
        self._skip(8)

    def _global(self, _opcode: int) -> None:
        for _ in range(2):
            newline = self.blob.find(b"\n", self.position)
            if newline < 0:
                raise DamagedRecordError("the pickle declares more bytes than it has")
            self.position = newline + 1
        self.stack.append(0)

    def _stack_global(self, _opcode: int) -> None:
        self._pop()
        self._pop()
        self.stack.append(0)

    def _reduce(self, _opcode: int) -> None:
        self.memory -= 128
        self._pop()
        self._pop()
        self.stack.append(1)


def _table() -> dict[int, Callable[[_Machine, int], None]]:
    groups: list[tuple[Callable[[_Machine, int], None], Iterable[int]]] = [
        (_Machine._push_fixed, _FIXED),
        (_Machine._push_text, _TEXTS),
        (_Machine._push_bytes, _BYTES),
        (_Machine._push_long, _LONGS),
        (_Machine._push_empty, _EMPTY),
        (_Machine._tuple_of, _TUPLES),
        (_Machine._empty_tuple, b")"),
        (_Machine._tuple_from_mark, b"t"),
        (_Machine._mark, b"("),
        (_Machine._append, b"a"),
        (_Machine._appends, b"e"),
        (_Machine._set_item, b"s"),
        (_Machine._set_items, b"u"),
        (_Machine._add_items, b"\x90"),
        (_Machine._memoize, b"\x94"),
        (_Machine._put, b"qr"),
        (_Machine._get, b"hj"),
        (_Machine._frame, b"\x95"),
        (_Machine._global, b"c"),
        (_Machine._stack_global, b"\x93"),
        (_Machine._reduce, b"R"),
    ]
    return {opcode: handler for handler, opcodes in groups for opcode in opcodes}


_HANDLERS = _table()
