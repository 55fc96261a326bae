"""SQLite's file format, read page by page without trusting any of it (https://www.sqlite.org/fileformat2.html).

SQLite itself gives up a whole table where one page of it is damaged. What is here reads each page for itself, and says
of each whether it can be what it should be.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from socrates.errors import DatabaseError

INDEX_INTERIOR, TABLE_INTERIOR, INDEX_LEAF, TABLE_LEAF = 2, 5, 10, 13
"""The kinds of pages that hold cells, by their first byte. Tables WITHOUT ROWID are stored as indexes are."""

_INTERIOR = (INDEX_INTERIOR, TABLE_INTERIOR)
_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_UTF8 = 1
_SMALLEST_CELL = 4
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)
_FLOAT, _ZERO, _ONE, _FIRST_BLOB = 7, 8, 9, 12


class UnsoundError(DatabaseError):
    """A page, or a row, cannot be what it should be. The message says why."""


class StoredText(bytes):
    """A text whose bytes are not UTF-8."""


def decoded(content: bytes) -> str | StoredText:
    """A text as SQLite stores it."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return StoredText(content)


Value = int | float | str | bytes | None


class Cell(NamedTuple):
    """One entry of a page. What a kind of page does not have is 0."""

    left: int
    """The child page that stands before it."""
    rowid: int
    size: int
    """The bytes of its record, of which `local` lie in the page and the rest in a chain from page `overflow`."""
    local: bytes
    overflow: int


class Node(NamedTuple):
    """A page that holds cells."""

    number: int
    kind: int
    cells: tuple[Cell, ...]
    """Those that can be read; all of them where there is no `problem`."""
    right: int
    problem: str | None

    @property
    def is_interior(self) -> bool:
        return self.kind in _INTERIOR


class Pages:
    """A database file without anything beside it, for reading. Raises UnsoundError where its header cannot be used."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        header = self._file.read(_HEADER_BYTES)
        size = int.from_bytes(header[16:18], "big")
        self.page_size = 65536 if size == 1 else size
        if header[:16] != _MAGIC or self.page_size < 512 or self.page_size & (self.page_size - 1):
            self._file.close()
            raise UnsoundError("its first page, which says what it is, is damaged")
        self.usable = self.page_size - header[20]
        self.count = path.stat().st_size // self.page_size
        self._header = header
        self._previous: tuple[int, bytes] = (0, b"")

    def close(self) -> None:
        self._file.close()

    def field(self, offset: int) -> int:
        """The four bytes at `offset` of the header, as a number."""
        return int.from_bytes(self._header[offset : offset + 4], "big")

    @property
    def is_plain(self) -> bool:
        """Whether the texts are UTF-8, and every page belongs to a tree, a chain, or the free list."""
        return self.field(56) in (0, _UTF8) and self.field(52) == 0

    def page(self, number: int) -> bytes:
        """The bytes of a page, counted from 1."""
        if self._previous[0] == number:
            return self._previous[1]
        if not 1 <= number <= self.count:
            raise UnsoundError(f"page {number} is not in the file, which has {self.count}")
        self._file.seek((number - 1) * self.page_size)
        data = self._file.read(self.page_size)
        if len(data) != self.page_size:
            raise UnsoundError(f"page {number} cannot be read")
        self._previous = (number, data)
        return data

    def free_pages(self) -> tuple[set[int], bool]:
        """The pages of the free list, and whether the list is whole: then every other page is in use."""
        free: set[int] = set()
        trunk = self.field(32)
        try:
            while trunk:
                data = self.page(trunk)
                count = int.from_bytes(data[4:8], "big")
                if trunk in free or count > self.usable // 4 - 2:
                    return free, False
                leaves = {int.from_bytes(data[at : at + 4], "big") for at in range(8, 8 + 4 * count, 4)}
                if len(leaves) != count or leaves & free or not all(1 < leaf <= self.count for leaf in leaves):
                    return free, False
                free |= leaves | {trunk}
                trunk = int.from_bytes(data[:4], "big")
        except UnsoundError:
            return free, False
        return free, len(free) == self.field(36)

    def node(self, number: int) -> Node:
        """A page that holds cells. Raises UnsoundError where it is no such page."""
        data = self.page(number)
        start = _HEADER_BYTES if number == 1 else 0
        kind = data[start]
        if kind not in (INDEX_INTERIOR, TABLE_INTERIOR, INDEX_LEAF, TABLE_LEAF):
            raise UnsoundError(f"page {number} holds no rows: it begins with {kind}")
        first = start + (12 if kind in _INTERIOR else 8)
        count = int.from_bytes(data[start + 3 : start + 5], "big")
        right = int.from_bytes(data[start + 8 : start + 12], "big") if kind in _INTERIOR else 0
        if first + 2 * count > self.usable:
            return Node(number, kind, (), right, f"page {number} counts more rows than it has room for")
        offsets = [int.from_bytes(data[at : at + 2], "big") for at in range(first, first + 2 * count, 2)]
        cells, spans, problem = [], [], None
        for offset in offsets:
            try:
                if offset < first + 2 * count:
                    raise UnsoundError(f"page {number} has a row in its own list of rows")
                cell, end = self._cell(data, kind, offset)
            except (UnsoundError, IndexError) as error:
                problem = problem or f"page {number} has a row that does not fit into it: {error}"
                continue
            cells.append(cell)
            spans.append((offset, max(end, offset + _SMALLEST_CELL)))
        spans.sort()
        if any(one[1] > other[0] for one, other in pairwise(spans)):
            problem = problem or f"page {number} has rows that lie over each other"
        return Node(number, kind, tuple(cells), right, problem)

    def record(self, cell: Cell) -> tuple[tuple[Value, ...], tuple[int, ...]]:
        """A cell's values, and the pages of its chain. Raises UnsoundError."""
        payload, chain = self._payload(cell)
        return tuple(_values(payload, has_chain=bool(chain))), chain

    def local_values(self, cell: Cell) -> tuple[Value, ...]:
        """The first values of a cell, as many as lie wholly in its own page, whatever became of its chain."""
        values: list[Value] = []
        with suppress(UnsoundError):  # what was read before it stands
            values.extend(_values(cell.local, has_chain=True, size=cell.size))
        return tuple(values)

    def _cell(self, data: bytes, kind: int, offset: int) -> tuple[Cell, int]:
        left = rowid = size = overflow = 0
        if kind in _INTERIOR:
            left = int.from_bytes(data[offset : offset + 4], "big")
            offset += 4
        if kind != TABLE_INTERIOR:
            size, offset = _varint(data, offset)
        if kind in (TABLE_INTERIOR, TABLE_LEAF):
            rowid, offset = _varint(data, offset)
            rowid -= (rowid >> 63) << 64
        here = self._local_size(kind, size) if size else 0
        end = offset + here + (4 if size > here else 0)
        if end > self.usable:
            raise UnsoundError("it would end behind it")
        if size > here:
            overflow = int.from_bytes(data[end - 4 : end], "big")
        return Cell(left, rowid, size, data[offset : offset + here], overflow), end

    def _local_size(self, kind: int, size: int) -> int:
        """How much of a record of `size` bytes lies in the page itself."""
        usable = self.usable
        most = usable - 35 if kind == TABLE_LEAF else (usable - 12) * 64 // 255 - 23
        if size <= most:
            return size
        least = (usable - 12) * 32 // 255 - 23
        wanted = least + (size - least) % (usable - 4)
        return wanted if wanted <= most else least

    def _payload(self, cell: Cell) -> tuple[bytes, tuple[int, ...]]:
        if len(cell.local) == cell.size:
            return cell.local, ()
        parts, chain = [cell.local], []
        missing, number = cell.size - len(cell.local), cell.overflow
        if missing > self.count * self.page_size:
            raise UnsoundError("it is said to be longer than the file")
        seen: set[int] = set()
        while missing:
            if number in seen or number < 2:
                raise UnsoundError("its end is not there: the chain of pages that holds it is broken")
            data = self.page(number)
            part = data[4 : min(self.usable, 4 + missing)]
            if not any(data):
                raise UnsoundError(f"its end is not there: page {number} holds nothing but zeros")
            parts.append(part)
            chain.append(number)
            seen.add(number)
            missing -= len(part)
            number = int.from_bytes(data[:4], "big")
        if number:
            raise UnsoundError(f"its end is not there: page {chain[-1]} is not the last of its chain")
        return b"".join(parts), tuple(chain)


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    """The number at `offset`, unsigned, and where it ends. Raises IndexError behind the page's end."""
    value = data[offset]
    if value < 0x80:
        return value, offset + 1
    value &= 0x7F
    for at in range(offset + 1, offset + 8):
        byte = data[at]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + 1
    return value << 8 | data[offset + 8], offset + 9


def _values(payload: bytes, *, has_chain: bool, size: int | None = None) -> Iterator[Value]:
    """The values of a record of `size` bytes (default: all of them), one by one. Raises UnsoundError."""
    size = len(payload) if size is None else size
    try:
        header_size, at = _varint(payload, 0)
        kinds = []
        while at < header_size:
            kind, at = _varint(payload, at)
            kinds.append(kind)
    except IndexError as error:
        raise UnsoundError("it is cut short") from error
    if at != header_size or at == 1:
        raise UnsoundError("it does not say what it holds")
    lengths = [_length(kind) for kind in kinds]
    if header_size + sum(lengths) != size:
        raise UnsoundError("it is not as long as it says")
    for kind, length in zip(kinds, lengths, strict=True):
        if at + length > len(payload):
            raise UnsoundError("it is cut short")
        yield _value(kind, payload[at : at + length], has_chain)
        at += length


def _length(kind: int) -> int:
    if kind < len(_INTEGER_BYTES):
        return _INTEGER_BYTES[kind]
    if kind >= _FIRST_BLOB:
        return (kind - _FIRST_BLOB) // 2
    if kind == _FLOAT:
        return 8
    if kind in (_ZERO, _ONE):
        return 0
    raise UnsoundError("it holds a value of a kind that there is not")


def _value(kind: int, content: bytes, has_chain: bool) -> Value:
    if kind >= _FIRST_BLOB:
        return _text(content, has_chain) if kind % 2 else content
    if kind == _FLOAT:
        return float(struct.unpack(">d", content)[0])
    if kind in (_ZERO, _ONE):
        return kind - _ZERO
    return int.from_bytes(content, "big", signed=True) if kind else None


def _text(content: bytes, has_chain: bool) -> str | StoredText:
    text = decoded(content)
    if has_chain and isinstance(text, StoredText):
        raise UnsoundError("a text in it is not UTF-8: a page of something else got into the chain")
    return text
