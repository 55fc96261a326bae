"""The judgement of a pickle's bytes before anything is built from them.

`scan` has two lanes. The first is a regular expression of the opcodes that v1's own pickler wrote, in the orders it
wrote them; it costs about a tenth of a step through the opcodes, and nearly every blob ends there. Whatever it does not
know goes to the second lane, `socrates.v1.opcodes`, which follows the pickle opcode by opcode.

What the first lane lets through is safe to load for these reasons:

* only opcodes that build plain data, plus REDUCE on what the unpickler's list of types admits;
* a tuple is always consumed by REDUCE at once, and sets do not occur, so no hash can run through shared tuples;
* integers have at most 64 bits, and of numbers with more than 8 bits there are few, each of which is used once: what
  stands behind one lets it into no memo. So colliding dict keys stay cheap (integers of 64 bits cannot have equal
  hashes by the thousand, but can share their way through a dict);
* what REDUCE returns can be used often, as can long texts. So there are the fewer of them, the longer the blob is;
* memo indices stay under 65,536, so the memo stays under 1 MB;
* a blob of at most `FAST_LANE_BYTES` cannot need more memory than the second lane allows: the costliest opcode,
  EMPTY_DICT, takes 82 bytes with its places on the stack and in a list.
"""

import re

from socrates.errors import DamagedRecordError
from socrates.v1.opcodes import follow

FAST_LANE_BYTES = 384 * 1024
# As keys they cost together what the second lane allows.
MAX_REDUCES = 500
MAX_NUMBERS = 2500
# A look-up of a key takes three bytes, and compares it at worst with every other key that REDUCE made: 15 ns each.
MAX_REDUCES_BY_BYTES = 2**24
# Or it compares a long text with an equal one to the end, at four bytes a character: 10 GB a second.
MAX_LONGEST_BY_BYTES = 2**33
_BYTES_PER_KEY = 4  # BININT2, and a value of one

_PROTOCOLS = (3, 4, 5)


def _by_length(opcode: bytes, longest: int) -> bytes:
    """An opcode, one byte of length, that many bytes. A branch for each length: a regular expression cannot count."""
    branches = b"|".join(re.escape(bytes([n])) + b".{%d}" % n for n in range(longest + 1))
    return opcode + b"(?:" + branches + b")"


# A number that is memoized can be used many times over. Behind it stands no MEMOIZE or PUT, nor MARK or FRAME, which
# could come between: an APPENDS of nothing takes the MARK away again.
_USED_ONCE = rb"(?![\x94qr(\x95])"
_RUN = re.compile(
    rb"(?s)(?:"
    rb"" + _by_length(rb"\x8c", 255) + rb"\x94?"  # SHORT_BINUNICODE, usually memoized
    rb"|[\x94\x93\x88\x89N)(\]}eusa]++"  # MEMOIZE STACK_GLOBAL NEWTRUE NEWFALSE NONE, empty containers, MARK, adding
    rb"|[hKq]."  # BINGET BININT1 BINPUT
    rb"|\x95.{8}|j.{4}"  # FRAME LONG_BINGET
    rb"|r..\x00\x00"  # LONG_BINPUT under 65,536
    rb"|" + _by_length(rb"C", 255) + rb"|(?:G.{8}|J.{4}|M..|"  # SHORT_BINBYTES BINFLOAT BININT BININT2
    rb"" + _by_length(rb"\x8a", 8) + rb")" + _USED_ONCE + rb")*+"  # LONG1
)
_TUPLE_THEN_REDUCE = re.compile(rb"(?s)[\x85-\x87](?:\x94|q.|r..\x00\x00)?R")
_GLOBAL = re.compile(rb"c(?:datetime\n(?:datetime|timedelta|timezone)|decimal\nDecimal)\n")
# BINUNICODE, BINBYTES, BINUNICODE8, BINBYTES8: an opcode, the length in 4 or 8 bytes, the content.
_COUNTED = {ord("X"): 4, ord("B"): 4, 0x8D: 8, 0x8E: 8}
_STOP = ord(".")


def scan(blob: bytes) -> int:
    """Raise DamagedRecordError unless `blob` is a pickle that may be loaded.

    Returns how many bytes of the memory that loading may take it is known to leave: 0 after the first lane, which does
    not count them.

    Linear in the length of `blob`. What it guarantees is said at the top of this module and of `opcodes`; which globals
    may be named is the unpickler's business.
    """
    if len(blob) < 3 or blob[0] != 0x80:
        raise DamagedRecordError("not a pickle: it does not begin with a protocol")
    if blob[1] not in _PROTOCOLS:
        raise DamagedRecordError(f"pickle protocol {blob[1]} is not one of 3, 4, 5")
    if len(blob) > FAST_LANE_BYTES or _holds_many_numbers(blob) or not _fast_lane(blob):
        return follow(blob)
    return 0


def _holds_many_numbers(blob: bytes) -> bool:
    """Tell whether `blob` can hold too many of the numbers that collide as keys; its texts count too."""
    if len(blob) < _BYTES_PER_KEY * MAX_NUMBERS:
        return False
    return blob.count(b"J") + blob.count(b"G") + blob.count(b"M") + blob.count(b"\x8a") > MAX_NUMBERS


def _fast_lane(blob: bytes) -> bool:
    """Tell whether the whole of `blob` has the shape that v1's pickler writes."""
    position, reduces, longest, end = 2, 0, 0, len(blob)
    while True:
        run = _RUN.match(blob, position)
        position = run.end() if run else position
        if position >= end:
            return False
        opcode = blob[position]
        if opcode == _STOP:
            is_cheap = reduces * end <= MAX_REDUCES_BY_BYTES and longest * (end - longest) <= MAX_LONGEST_BY_BYTES
            return is_cheap and position == end - 1
        width = _COUNTED.get(opcode)
        if width is not None:
            length = int.from_bytes(blob[position + 1 : position + 1 + width], "little")
            longest = max(longest, length)
            position += 1 + width + length
            if position >= end:
                return False
            continue
        rare = _TUPLE_THEN_REDUCE.match(blob, position) or _GLOBAL.match(blob, position)
        reduces += 1
        if rare is None or reduces > MAX_REDUCES:
            return False
        position = rare.end()
