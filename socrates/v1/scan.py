"""The judgement of a pickle's bytes before anything is built from them.

`scan` has two lanes. The first is a regular expression of the opcodes that v1's own pickler wrote, in the orders it
wrote them; it costs about a tenth of a step through the opcodes, and nearly every blob ends there. Whatever it does not
know goes to the second lane, `socrates.v1.opcodes`, which follows the pickle opcode by opcode.

What the first lane lets through is safe to load for these reasons:

* only opcodes that build plain data, plus REDUCE on what the unpickler's list of types admits;
* a tuple is always consumed by REDUCE at once, and sets do not occur, so no hash can run through shared tuples;
* integers have at most 64 bits, and there are few of them, of floats and of REDUCEs, so colliding dict keys stay cheap
  (integers of 64 bits cannot have equal hashes by the thousand, but can share their way through a dict);
* memo indices stay under 65,536, so the memo stays under 1 MB;
* a blob of at most `FAST_LANE_BYTES` cannot need more than 64 MB: the costliest opcode, EMPTY_DICT, takes 80 bytes.
"""

import re

from socrates.errors import DamagedRecordError
from socrates.v1.opcodes import follow

FAST_LANE_BYTES = 512 * 1024
MAX_REDUCES = 1000
MAX_NUMBERS = 4000
_BYTES_PER_KEY = 5  # LONG1 of two bytes, and a value of one

_PROTOCOLS = (3, 4, 5)


def _by_length(opcode: bytes, longest: int) -> bytes:
    """An opcode, one byte of length, that many bytes. A branch for each length: a regular expression cannot count."""
    branches = b"|".join(re.escape(bytes([n])) + b".{%d}" % n for n in range(longest + 1))
    return opcode + b"(?:" + branches + b")"


_RUN = re.compile(
    rb"(?s)(?:"
    rb"" + _by_length(rb"\x8c", 255) + rb"\x94?"  # SHORT_BINUNICODE, usually memoized
    rb"|[\x94\x93\x88\x89N)(\]}eusa]++"  # MEMOIZE STACK_GLOBAL NEWTRUE NEWFALSE NONE, empty containers, MARK, adding
    rb"|[hKq]."  # BINGET BININT1 BINPUT
    rb"|[G\x95].{8}"  # BINFLOAT FRAME
    rb"|[jJ].{4}"  # LONG_BINGET BININT
    rb"|M.."  # BININT2
    rb"|r..\x00\x00"  # LONG_BINPUT under 65,536
    rb"|" + _by_length(rb"C", 255) + rb"|" + _by_length(rb"\x8a", 8) + rb")*+"
)
_TUPLE_THEN_REDUCE = re.compile(rb"(?s)[\x85-\x87](?:\x94|q.|r..\x00\x00)?R")
_GLOBAL = re.compile(rb"c(?:datetime\n(?:datetime|timedelta|timezone)|decimal\nDecimal)\n")
# BINUNICODE, BINBYTES, BINUNICODE8, BINBYTES8: an opcode, the length in 4 or 8 bytes, the content.
_COUNTED = {ord("X"): 4, ord("B"): 4, 0x8D: 8, 0x8E: 8}
_STOP = ord(".")


def scan(blob: bytes) -> None:
    """Raise DamagedRecordError unless `blob` is a pickle that may be loaded.

    Linear in the length of `blob`. What it guarantees is said at the top of this module and of `opcodes`; which globals
    may be named is the unpickler's business.
    """
    if len(blob) < 3 or blob[0] != 0x80:
        raise DamagedRecordError("not a pickle: it does not begin with a protocol")
    if blob[1] not in _PROTOCOLS:
        raise DamagedRecordError(f"pickle protocol {blob[1]} is not one of 3, 4, 5")
    if len(blob) > FAST_LANE_BYTES or _holds_many_numbers(blob) or not _fast_lane(blob):
        follow(blob)


def _holds_many_numbers(blob: bytes) -> bool:
    """Tell whether `blob` can hold too many of the numbers that collide as keys; its texts count too."""
    if len(blob) < _BYTES_PER_KEY * MAX_NUMBERS:
        return False
    return blob.count(b"J") + blob.count(b"G") + blob.count(b"\x8a") > MAX_NUMBERS


def _fast_lane(blob: bytes) -> bool:
    """Tell whether the whole of `blob` has the shape that v1's pickler writes."""
    position, reduces, end = 2, 0, len(blob)
    while True:
        run = _RUN.match(blob, position)
        position = run.end() if run else position
        if position >= end:
            return False
        opcode = blob[position]
        if opcode == _STOP:
            return position == end - 1
        width = _COUNTED.get(opcode)
        if width is not None:
            position += 1 + width + int.from_bytes(blob[position + 1 : position + 1 + width], "little")
            if position >= end:
                return False
            continue
        rare = _TUPLE_THEN_REDUCE.match(blob, position) or _GLOBAL.match(blob, position)
        reduces += 1
        if rare is None or reduces > MAX_REDUCES:
            return False
        position = rare.end()
