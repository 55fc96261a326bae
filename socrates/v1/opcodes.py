"""The slow lane of `scan`: follows a pickle opcode by opcode, without building anything.

It plays the unpickler's stack and memo with one small number for each value, what hashing it may cost:

* 0 for what hashes fast and cannot be made to collide: short texts, None, booleans, integers of 8 bits;
* 1 for each 256 bytes of a text: two equal ones are compared to their end at every look-up;
* 1 for numbers that can share their way through a dict: longer integers, floats;
* 5 for what can have equal hashes by the thousand, and compares slowly: integers over 64 bits, and what REDUCE returns
  (Decimals, times);
* for a tuple its length and the sum of its members, sharing expanded, so that ``t = (t, t)`` thirty times over is seen
  as too costly, which is 255.

A dict key or set member is hashed while the pickle loads, hence before any later walk could object. The costs of all
of them together may not pass `MAX_HASHING`. Memory is bounded in the same pass by adding up what each opcode allocates
in CPython 3.11 (sizes by `sys.getsizeof`): at most `MEMORY_BASE` + `MEMORY_PER_BYTE` × the length of the blob. An
opcode that takes long to follow or to load counts for more than it allocates, so that this bounds the time as well.

What the unpickler itself finds wrong at once, such as a value taken from an empty stack, need not be found here.
"""

from collections.abc import Callable, Iterable

from socrates.errors import DamagedRecordError

MAX_HASHING = 5000
MEMORY_BASE = 30 * 1024 * 1024
MEMORY_PER_BYTE = 5

# A cost takes one byte: as lists of integers, stack and memo would take more memory than the pickle.
_TOO_COSTLY, _MOST_COSTLY_TEXT = 255, 254
_MEMO_AHEAD = 65_535  # the first lane cannot count, and lets these pass: they cost 1 MB
_INT64_BYTES = 8
# As long as the walk takes, and a byte for the sign. What is made of a longer one may take the square of its length.
_LONGEST_INTEGER = 513
_BYTES_COMPARED_AT_ONCE = 256

_SAFE, _NUMBER, _SLOW = 0, 1, 5

_PLACE = 9  # on the unpickler's stack, or in a list or tuple
_READY = 14  # a place for a value that is there already; and for the time, which is the same for all values
_MEMO_ENTRY = 17
_SLOW_PUT = 28  # no memory: for the time
_DICT_TABLE, _DICT_TABLE_ITEMS = 168, 10
_DICT_ITEM = 51  # for each key and each value beyond the first table, at the worst moment of its growth
_SET_MEMBER = 140

_BINGET, _MEMOIZE, _SHORT_TEXT, _STOP = ord("h"), 0x94, 0x8C, ord(".")

# Opcode → the bytes that follow it, what the value it pushes takes, and what hashing it costs.
_FIXED: dict[int, tuple[int, int, int]] = {
    ord("N"): (0, _READY + 6, _SAFE),  # NONE
    0x88: (0, _READY + 6, _SAFE),  # NEWTRUE
    0x89: (0, _READY + 6, _SAFE),  # NEWFALSE
    ord("K"): (1, _READY, _SAFE),  # BININT1
    ord("M"): (2, _PLACE + 32, _NUMBER),  # BININT2
    ord("J"): (4, _PLACE + 32, _NUMBER),  # BININT
    ord("G"): (8, _PLACE + 24, _NUMBER),  # BINFLOAT
    ord("]"): (0, _PLACE + 64, _SAFE),  # EMPTY_LIST; nobody can hash it
    ord("}"): (0, _PLACE + 64, _SAFE),  # EMPTY_DICT
    0x8F: (0, _PLACE + 216, _SAFE),  # EMPTY_SET
    ord(")"): (0, _READY + 6, 1),  # EMPTY_TUPLE
}
_PUSHES = tuple(map(_FIXED.get, range(256)))
# Opcode → width of the length that follows it.
_TEXTS = {ord("X"): 4, 0x8D: 8}  # BINUNICODE BINUNICODE8
_BYTES = {ord("C"): 1, ord("B"): 4, 0x8E: 8}  # SHORT_BINBYTES BINBYTES BINBYTES8
_LONGS = {0x8A: 1, 0x8B: 4}  # LONG1 LONG4
_TUPLES = {0x85: 1, 0x86: 2, 0x87: 3}  # TUPLE1 TUPLE2 TUPLE3
_LONG_BINPUT = ord("r")


def follow(blob: bytes) -> int:
    """Raise DamagedRecordError unless `blob`, from its protocol on, may be loaded.

    Returns how many bytes of the memory that loading may take it will leave.
    """
    machine = _Machine(blob)
    stack, memo = machine.stack, machine.memo
    memory = MEMORY_BASE + MEMORY_PER_BYTE * len(blob)
    position = 2
    try:
        while (opcode := blob[position]) != _STOP:
            position += 1
            # Four kinds make nearly all of a pickle, and are done here: by handlers it took four times as long.
            if opcode == _BINGET:
                stack.append(memo[blob[position]])
                position += 1
                memory -= _READY
            elif opcode == _MEMOIZE and not machine.gaps:
                memo.append(stack[-1])
                memory -= _MEMO_ENTRY
            elif opcode == _SHORT_TEXT:
                end = position + 1 + blob[position]
                memory -= _text_memory(blob[position + 1 : end])
                position = end
                stack.append(_SAFE)
            elif (pushes := _PUSHES[opcode]) is not None:
                width, taken, cost = pushes
                position += width
                memory -= taken
                stack.append(cost)
            elif (handler := _HANDLERS.get(opcode)) is not None:
                position, taken = handler(machine, opcode, position)
                memory -= taken
            else:
                raise DamagedRecordError(f"pickle opcode 0x{opcode:02x} at byte {position - 1} is not allowed")
            if memory < 0:
                raise DamagedRecordError("the pickle would need far more memory than data of its size")
    except IndexError as error:
        if position >= len(blob):
            raise DamagedRecordError("the pickle ends before its STOP, or declares more bytes than it has") from error
        raise DamagedRecordError("the pickle takes a value from an empty stack or memo") from error
    if position + 1 != len(blob):
        raise DamagedRecordError(f"{len(blob) - position - 1} bytes follow the pickle's STOP")
    return memory


def _text_memory(encoded: bytes) -> int:
    # One character beyond the Basic Multilingual Plane makes CPython store all of them in four bytes.
    return _PLACE + 64 + (len(encoded) if encoded.isascii() else 20 + 4 * len(encoded))


class _Machine:
    """The unpickler's state, as far as it matters for hashing and memory.

    Its handlers take an opcode and the position behind it; they return the position of the next, and what memory the
    opcode takes.
    """

    def __init__(self, blob: bytes) -> None:
        self.blob = blob
        self.stack = bytearray()
        self.memo = bytearray()
        self.marks: list[int] = []
        self.gaps: set[int] = set()
        """Indices below the memo's end that nothing was written to."""
        self.deepest = 0
        self.hashing = 0

    def _counted(self, width: int, position: int) -> tuple[int, int]:
        """Read a length of `width` bytes; return where the content starts and ends."""
        start = position + width
        return start, start + int.from_bytes(self.blob[position:start], "little")

    def _pop_to_mark(self) -> tuple[bytearray, int]:
        """What lies above the last MARK, and what the stack has taken for it that is not counted yet."""
        mark = self.marks.pop()
        depth = len(self.stack)
        taken = max(0, depth - self.deepest) * _PLACE
        self.deepest = max(depth, self.deepest)
        items = self.stack[mark:]
        del self.stack[mark:]
        return items, taken

    def _push_text(self, opcode: int, position: int) -> tuple[int, int]:
        start, end = self._counted(_TEXTS[opcode], position)
        self.stack.append(min((end - start) // _BYTES_COMPARED_AT_ONCE, _MOST_COSTLY_TEXT))
        return end, _text_memory(self.blob[start:end])

    def _push_bytes(self, opcode: int, position: int) -> tuple[int, int]:
        start, end = self._counted(_BYTES[opcode], position)
        self.stack.append(min((end - start) // _BYTES_COMPARED_AT_ONCE, _MOST_COSTLY_TEXT))
        return end, _PLACE + 48 + end - start

    def _push_long(self, opcode: int, position: int) -> tuple[int, int]:
        start, end = self._counted(_LONGS[opcode], position)
        if end - start > _LONGEST_INTEGER:
            raise DamagedRecordError(f"the pickle holds an integer of more than {_LONGEST_INTEGER} bytes")
        self.stack.append(_SLOW if end - start > _INT64_BYTES else _NUMBER)
        return end, _PLACE + 32 + 2 * (end - start)

    def _push_tuple(self, members: bytes | bytearray) -> int:
        self.stack.append(min(1 + len(members) + sum(members), _TOO_COSTLY))
        return 2 * _PLACE + 56

    def _tuple_of(self, opcode: int, position: int) -> tuple[int, int]:
        return position, self._push_tuple(bytes(self.stack.pop() for _ in range(_TUPLES[opcode])))

    def _tuple_from_mark(self, _opcode: int, position: int) -> tuple[int, int]:
        members, taken = self._pop_to_mark()
        return position, taken + self._push_tuple(members)

    def _mark(self, _opcode: int, position: int) -> tuple[int, int]:
        self.marks.append(len(self.stack))
        return position, 40

    def _append(self, _opcode: int, position: int) -> tuple[int, int]:
        self.stack.pop()
        return position, 40

    def _appends(self, _opcode: int, position: int) -> tuple[int, int]:
        _, taken = self._pop_to_mark()
        return position, taken + 60

    def _hash(self, costs: bytes | bytearray) -> None:
        self.hashing += sum(costs)
        if self.hashing > MAX_HASHING or _TOO_COSTLY in costs:
            raise DamagedRecordError("the pickle's dict keys or set members are too costly to hash")

    def _set_item(self, _opcode: int, position: int) -> tuple[int, int]:
        self.stack.pop()
        self._hash(bytes((self.stack.pop(),)))
        return position, _DICT_TABLE

    def _set_items(self, _opcode: int, position: int) -> tuple[int, int]:
        items, taken = self._pop_to_mark()
        self._hash(items[::2])
        if len(items) <= _DICT_TABLE_ITEMS:
            return position, taken + _DICT_TABLE - _PLACE * len(items)
        return position, taken + _DICT_TABLE + _DICT_ITEM * (len(items) - _DICT_TABLE_ITEMS)

    def _add_items(self, _opcode: int, position: int) -> tuple[int, int]:
        items, taken = self._pop_to_mark()
        self._hash(items)
        return position, taken + 100 + _SET_MEMBER * len(items)

    def _memoize(self, _opcode: int, position: int) -> tuple[int, int]:
        return position, _SLOW_PUT + self._remember(len(self.memo) - len(self.gaps))

    def _put(self, opcode: int, position: int) -> tuple[int, int]:
        end = position + (4 if opcode == _LONG_BINPUT else 1)
        return end, _SLOW_PUT + self._remember(int.from_bytes(self.blob[position:end], "little"))

    def _remember(self, index: int) -> int:
        """Write to the memo, as the unpickler does: MEMOIZE writes to the index that is the number of its entries."""
        length = len(self.memo)
        # The unpickler's memo is an array as long as the highest index, so an index may not run far ahead.
        if index > length and index > _MEMO_AHEAD:
            raise DamagedRecordError("the pickle's memo index is larger than the number of its entries")
        if index >= length:
            self.gaps.update(range(length, index))
            self.memo.extend(bytes(index + 1 - length))  # _SAFE: the unpickler refuses to read what was not written
        self.gaps.discard(index)
        self.memo[index] = self.stack[-1]
        return _MEMO_ENTRY * max(1, index + 1 - length)

    def _long_get(self, _opcode: int, position: int) -> tuple[int, int]:
        end = position + 4
        self.stack.append(self.memo[int.from_bytes(self.blob[position:end], "little")])
        return end, _READY

    def _frame(self, _opcode: int, position: int) -> tuple[int, int]:
        return position + 8, 0

    def _global(self, _opcode: int, position: int) -> tuple[int, int]:
        for _ in range(2):
            position = self.blob.find(b"\n", position) + 1
            if position == 0:
                raise DamagedRecordError("the pickle names a global without an end")
        self.stack.append(_SAFE)
        return position, 300

    def _stack_global(self, _opcode: int, position: int) -> tuple[int, int]:
        self.stack.pop()
        self.stack[-1] = _SAFE
        return position, 300

    def _reduce(self, _opcode: int, position: int) -> tuple[int, int]:
        self.stack.pop()
        self.stack[-1] = _SLOW
        return position, 128


_Handler = Callable[[_Machine, int, int], tuple[int, int]]


def _table() -> dict[int, _Handler]:
    groups: list[tuple[_Handler, Iterable[int]]] = [
        (_Machine._push_text, _TEXTS),
        (_Machine._push_bytes, _BYTES),
        (_Machine._push_long, _LONGS),
        (_Machine._tuple_of, _TUPLES),
        (_Machine._tuple_from_mark, b"t"),
        (_Machine._mark, b"("),
        (_Machine._append, b"a"),
        (_Machine._appends, b"e"),
        (_Machine._set_item, b"s"),
        (_Machine._set_items, b"u"),
        (_Machine._add_items, b"\x90"),
        (_Machine._memoize, b"\x94"),
        (_Machine._put, b"qr"),
        (_Machine._long_get, b"j"),
        (_Machine._frame, b"\x95"),
        (_Machine._global, b"c"),
        (_Machine._stack_global, b"\x93"),
        (_Machine._reduce, b"R"),
    ]
    return {opcode: handler for handler, opcodes in groups for opcode in opcodes}


_HANDLERS = _table()
