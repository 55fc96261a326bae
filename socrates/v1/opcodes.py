"""The slow lane of `scan`: follows a pickle opcode by opcode, without building anything.

It plays the unpickler's stack and memo with one small number for each value, what hashing it may cost:

* 0 for what hashes fast and cannot be made to collide: short texts, None, booleans, integers of 16 bits;
* 1 for each 1,000 bytes of a text: two equal ones are compared to their end at every look-up;
* 1 for numbers that can share their way through a dict: longer integers, floats;
* 5 for what can have equal hashes by the thousand, and compares slowly: integers over 64 bits, and what REDUCE returns
  (Decimals, times);
* for a tuple its length and the sum of its members, sharing expanded, so that ``t = (t, t)`` thirty times over is seen
  as 2**30.

A dict key or set member is hashed while the pickle loads, hence before any later walk could object. The costs of all
of them together may not pass `MAX_HASHING`. Memory is bounded in the same pass by adding up what each opcode allocates
in CPython 3.11 (sizes by `sys.getsizeof`): at most `MEMORY_BASE` + `MEMORY_PER_BYTE` × the length of the blob. The
densest data that v1 writes, a history of very short messages, needs 6.5 bytes a byte.
"""

import re
from collections.abc import Callable, Iterable

from socrates.errors import DamagedRecordError

MAX_HASHING = 5000
MEMORY_BASE = 36 * 1024 * 1024
MEMORY_PER_BYTE = 7

_TOO_COSTLY = 1 << 40
_MEMO_AHEAD = 65_535  # the first lane cannot count, and lets these pass: they cost 1 MB
_INT64_BYTES = 8
# As long as the walk takes. A Decimal of a longer one would take time that grows with its square.
_LONGEST_INTEGER = 512

_SAFE, _NUMBER, _SLOW = 0, 1, 5
_BYTES_COMPARED_AT_ONCE = 1000

# Values that CPython keeps ready (NONE, NEWTRUE, NEWFALSE, BININT1), in runs.
_READY_RUN = re.compile(rb"(?s)(?:[N\x88\x89]|K.){1,4096}+")
_READY = re.compile(rb"(?s)[N\x88\x89]|K.")
_GET_RUN = re.compile(rb"(?s)(?:h.){1,4096}+")
_READY_MEMORY = 24  # a place on the unpickler's stack, and two on ours
# Opcode → number of bytes that follow it, what the value it pushes takes, and what hashing it costs.
_FIXED: dict[int, tuple[int, int, int]] = {
    ord("M"): (2, 40, _SAFE),  # BININT2
    ord("J"): (4, 40, _NUMBER),  # BININT
    ord("G"): (8, 32, _NUMBER),  # BINFLOAT
}
# Opcode → width of the length that follows it.
_TEXTS = {0x8C: 1, ord("X"): 4, 0x8D: 8}  # SHORT_BINUNICODE BINUNICODE BINUNICODE8
_BYTES = {ord("C"): 1, ord("B"): 4, 0x8E: 8}  # SHORT_BINBYTES BINBYTES BINBYTES8
_MEMOIZE, _BINGET, _STOP = 0x94, ord("h"), ord(".")
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
        self.memo: list[int | None] = []
        self.remembered = 0
        self.hashing = 0
        self.memory = MEMORY_BASE + MEMORY_PER_BYTE * len(blob)

    def run(self) -> None:
        blob, end = self.blob, len(self.blob)
        while self.position < end:
            opcode = blob[self.position]
            self.position += 1
            # The two that every second opcode is are done first, and gets in runs: one by one took twice the time.
            if opcode == _MEMOIZE and self.stack and self.remembered == len(self.memo):
                self.memo.append(self.stack[-1])
                self.remembered += 1
                self.memory -= 24
            elif opcode == _BINGET:
                self._get_run()
            elif opcode == _STOP:
                self._stop(end)
                return
            elif (handler := _HANDLERS.get(opcode)) is not None:
                handler(self, opcode)
            else:
                raise DamagedRecordError(f"pickle opcode 0x{opcode:02x} at byte {self.position - 1} is not allowed")
            if self.memory < 0:
                raise DamagedRecordError("the pickle would need far more memory than data of its size")
        raise DamagedRecordError("the pickle ends before its STOP")

    def _stop(self, end: int) -> None:
        if self.position != end:
            raise DamagedRecordError(f"{end - self.position} bytes follow the pickle's STOP")
        if not self.stack:
            raise DamagedRecordError("the pickle leaves no value")

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
        width, memory, cost = _FIXED[opcode]
        self._skip(width)
        self.memory -= memory
        self.stack.append(cost)

    def _push_ready(self, _opcode: int) -> None:
        run = _READY_RUN.match(self.blob, self.position - 1)
        if run is None:
            raise DamagedRecordError("the pickle declares more bytes than it has")
        count = len(_READY.findall(self.blob, run.start(), run.end()))
        self.position = run.end()
        self.memory -= _READY_MEMORY * count
        if self.memory >= 0:
            self.stack.extend([_SAFE] * count)

    def _push_text(self, opcode: int) -> None:
        start, end = self._counted(_TEXTS[opcode])
        # One character beyond the Basic Multilingual Plane makes CPython store all of them in four bytes.
        self.memory -= 64 + (end - start if self.blob[start:end].isascii() else 4 * (end - start))
        self.stack.append((end - start) // _BYTES_COMPARED_AT_ONCE)

    def _push_bytes(self, opcode: int) -> None:
        start, end = self._counted(_BYTES[opcode])
        self.memory -= 48 + end - start
        self.stack.append((end - start) // _BYTES_COMPARED_AT_ONCE)

    def _push_long(self, opcode: int) -> None:
        start, end = self._counted(_LONGS[opcode])
        if end - start > _LONGEST_INTEGER:
            raise DamagedRecordError(f"the pickle holds an integer of more than {_LONGEST_INTEGER} bytes")
        self.memory -= 40 + 2 * (end - start)
        self.stack.append(_SLOW if end - start > _INT64_BYTES else _NUMBER)

    def _push_empty(self, opcode: int) -> None:
        self.memory -= _EMPTY[opcode]
        self.stack.append(0)

    def _push_tuple(self, members: list[int]) -> None:
        self.memory -= 64 + 8 * len(members)
        self.stack.append(min(1 + len(members) + sum(members), _TOO_COSTLY))

    def _tuple_of(self, opcode: int) -> None:
        self._push_tuple([self._pop() for _ in range(_TUPLES[opcode])])

    def _empty_tuple(self, _opcode: int) -> None:
        self._push_tuple([])

    def _tuple_from_mark(self, _opcode: int) -> None:
        self._push_tuple(self._pop_to_mark())

    def _mark(self, _opcode: int) -> None:
        self.memory -= 48
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

    def _put(self, opcode: int) -> None:
        self._remember(self._index(opcode == ord("r")))

    def _memoize(self, _opcode: int) -> None:
        self._remember(self.remembered)

    def _remember(self, index: int) -> None:
        # The unpickler's memo is an array as long as the highest index, so an index may not run far ahead.
        if index > len(self.memo) and index > _MEMO_AHEAD:
            raise DamagedRecordError("the pickle's memo index is larger than the number of its entries")
        if not self.stack:
            raise DamagedRecordError("the pickle takes a value from an empty stack")
        self.memory -= 24
        self.memo.extend([None] * (index + 1 - len(self.memo)))
        self.remembered += self.memo[index] is None
        self.memo[index] = self.stack[-1]

    def _get_run(self) -> None:
        run = _GET_RUN.match(self.blob, self.position - 1)
        if run is None:
            raise DamagedRecordError("the pickle declares more bytes than it has")
        indices = self.blob[run.start() + 1 : run.end() : 2]
        self.position = run.end()
        self.memory -= 16 * len(indices)
        for index in indices:
            self._push_remembered(index)

    def _get(self, _opcode: int) -> None:
        self.memory -= 16
        self._push_remembered(self._index(is_long=True))

    def _push_remembered(self, index: int) -> None:
        value = self.memo[index] if index < len(self.memo) else None
        if value is None:
            raise DamagedRecordError("the pickle reads a memo entry that it has not written")
        self.stack.append(value)

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
        self.stack.append(_SLOW)


def _table() -> dict[int, Callable[[_Machine, int], None]]:
    groups: list[tuple[Callable[[_Machine, int], None], Iterable[int]]] = [
        (_Machine._push_ready, b"N\x88\x89K"),
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
        (_Machine._put, b"qr"),
        (_Machine._memoize, b"\x94"),
        (_Machine._get, b"j"),
        (_Machine._frame, b"\x95"),
        (_Machine._global, b"c"),
        (_Machine._stack_global, b"\x93"),
        (_Machine._reduce, b"R"),
    ]
    return {opcode: handler for handler, opcodes in groups for opcode in opcodes}


_HANDLERS = _table()
