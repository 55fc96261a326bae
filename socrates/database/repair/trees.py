"""Walks the trees of pages in which SQLite keeps tables and indexes, past what is damaged.

A tree's inner pages say between which keys each page below them lies. So a page that cannot be used leaves a hole with
known bounds, and a page that nothing leads to any more can only belong where a hole has room for it.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

from socrates.database.repair.finding import shown
from socrates.database.repair.pages import (
    INDEX_INTERIOR,
    INDEX_LEAF,
    TABLE_INTERIOR,
    TABLE_LEAF,
    Node,
    Pages,
    StoredText,
    UnsoundError,
    Value,
)

Key = tuple[tuple[int, int | float | bytes], ...]
"""The values by which a tree is ordered, such that Python orders them as SQLite does."""


class Row(NamedTuple):
    """One record of a tree. `rowid` is None in a tree that is ordered by its values."""

    rowid: int | None
    values: tuple[Value, ...]
    chain: tuple[int, ...] = ()
    """The further pages that it was read from."""


class Doubt(NamedTuple):
    """What is left of a record that cannot be trusted: all its values, or the first ones."""

    row: Row
    reason: str


class Hole(NamedTuple):
    """A part of a tree that cannot be read: what stands behind `low`, up to `high`. None: no bound is known."""

    low: Key | None
    high: Key | None
    reason: str

    def holds(self, key: Key) -> bool:
        return (self.low is None or key > self.low) and (self.high is None or key <= self.high)

    def may_hold(self, start: Value) -> bool:
        """Whether keys that begin with `start` can lie here."""
        key = rank([start])
        return (self.low is None or key >= self.low[:1]) and (self.high is None or key <= self.high[:1])

    def __str__(self) -> str:
        if self.low is None and self.high is None:
            return "anywhere"
        bounds = [("behind", self.low), ("up to", self.high)]
        return " ".join(f"{word} {shown(_values(key))}" for word, key in bounds if key is not None)


@dataclass(slots=True)
class Piece:
    """What one page of a tree gave."""

    rows: list[Row] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    hole: Hole | None = None
    is_twin: bool = False
    """Whether another page holds the same. (Two indexes of the same keys do so by right.)"""


class Tree(NamedTuple):
    """Where a table or an index begins, and its kind. `key` is the number of values that order it."""

    name: str
    root: int
    by_rowid: bool
    key: int
    is_table: bool = True

    def key_of(self, row: Row) -> Key:
        return rank((row.rowid,)) if self.by_rowid else rank(row.values[: self.key])


class Forest:
    """All trees of one file. Walk each tree once; then ask for what none of them led to."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._seen: set[int] = set()
        self._free, whole = pages.free_pages()
        self.is_free_list_whole = whole and pages.is_plain
        """Otherwise a page that nothing leads to may hold rows that were deleted."""
        self._twins = self._find_twins()
        self._misplaced: set[int] = set()

    def walk(self, tree: Tree) -> Iterator[Piece]:
        """What the pages of `tree` hold, page by page and nearly in order."""
        todo: list[tuple[int, Key | None, Key | None]] = [(tree.root, None, None)]
        while todo:
            number, low, high = todo.pop()
            try:
                node = self._node(tree, number)
            except UnsoundError as error:
                yield Piece(hole=Hole(low, high, str(error)))
                continue
            piece, bounds = self._read(tree, node, low, high)
            yield piece
            if piece.hole is None and node.is_interior:
                children = [*(cell.left for cell in node.cells), node.right]
                edges = [low, *bounds, high]
                todo.extend(reversed(list(zip(children, edges[:-1], edges[1:], strict=True))))

    def lost_pages(self, by_rowid: bool) -> Iterator[tuple[str, list[Row], list[Doubt]]]:
        """Of each page with rows that no tree led to, or whose place is in doubt: why, its rows, and doubts."""
        kinds = (TABLE_LEAF,) if by_rowid else (INDEX_LEAF, INDEX_INTERIOR)
        told: set[int] = set()
        for number in range(2, self._pages.count + 1):
            if number in self._free or (number in self._seen and number not in self._misplaced):
                continue
            twins = self._twins.get(number, ())
            if any(twin in told or (twin in self._seen and twin not in self._misplaced) for twin in twins):
                continue
            told.add(number)
            try:
                node = self._pages.node(number)
            except UnsoundError:
                continue  # it holds no rows: the end of a long row, or what is damaged beyond reading
            if node.kind in kinds:
                rows, doubts = self._records(node, by_rowid)
                yield _why(number, twins), [] if node.problem else rows, [*doubts, *_doubted(rows, node.problem)]

    def _find_twins(self) -> dict[int, tuple[int, ...]]:
        """The pages whose content stands in the file twice: one of them was written to the wrong place."""
        alike: dict[bytes, list[int]] = defaultdict(list)
        for number in range(1, self._pages.count + 1):
            data = self._pages.page(number)
            has_cells = data[0] in (TABLE_LEAF, TABLE_INTERIOR, INDEX_LEAF, INDEX_INTERIOR) and any(data[3:5])
            if has_cells and number not in self._free:
                alike[blake2b(data, digest_size=16).digest()].append(number)
        return {number: tuple(group) for group in alike.values() if len(group) > 1 for number in group}

    def _node(self, tree: Tree, number: int) -> Node:
        if number in self._seen:
            raise UnsoundError(f"page {number} is used twice")
        node = self._pages.node(number)
        self._seen.add(number)
        if tree.is_table and number in self._twins:  # two indexes of the same keys are alike by right
            self._misplaced.add(number)
            raise UnsoundError(_why(number, self._twins[number]))
        if node.kind not in ((TABLE_LEAF, TABLE_INTERIOR) if tree.by_rowid else (INDEX_LEAF, INDEX_INTERIOR)):
            raise UnsoundError(f"page {number} is none of a {'table' if tree.by_rowid else 'tree of keys'}")
        return node

    def _read(self, tree: Tree, node: Node, low: Key | None, high: Key | None) -> tuple[Piece, list[Key | None]]:
        """What `node` holds, and the key of each of its cells; None for one that cannot be read."""
        rows, doubts = self._records(node, tree.by_rowid)
        keys = [rank((cell.rowid,)) for cell in node.cells] if tree.by_rowid else [tree.key_of(row) for row in rows]
        problem = node.problem or _disorder(node.number, keys, low, high)
        if not node.cells and node.number != tree.root:
            problem = problem or f"page {node.number} is empty"
        if problem is not None:
            return Piece(doubts=[*doubts, *_doubted(rows, problem)], hole=Hole(low, high, problem)), []
        bounds: list[Key | None] = list(keys)
        if node.is_interior and len(keys) < len(node.cells):  # a row is the bound of two pages, and is in doubt
            bounds = [None] * len(node.cells)
        return Piece(rows, doubts, is_twin=node.number in self._twins), bounds

    def _records(self, node: Node, by_rowid: bool) -> tuple[list[Row], list[Doubt]]:
        rows: list[Row] = []
        doubts: list[Doubt] = []
        if node.kind == TABLE_INTERIOR:
            return rows, doubts
        for cell in node.cells:
            rowid = cell.rowid if by_rowid else None
            try:
                values, chain = self._pages.record(cell)
            except UnsoundError as error:
                doubts.append(Doubt(Row(rowid, self._pages.local_values(cell)), str(error)))
            else:
                rows.append(Row(rowid, values, chain))
                self._seen.update(chain)
        return rows, doubts


def rank(values: Sequence[Value]) -> Key:
    """`values` as a key: NULL first, then numbers, texts by their bytes, and bytes."""
    return tuple(_rank(value) for value in values)


def _rank(value: Value) -> tuple[int, int | float | bytes]:
    if value is None:
        return 0, 0
    if isinstance(value, str):
        return 2, value.encode()
    if isinstance(value, bytes):
        return (2 if isinstance(value, StoredText) else 3), bytes(value)
    return 1, value


def _values(key: Key) -> list[object]:
    return [value.decode(errors="replace") if isinstance(value, bytes) and kind == 2 else value for kind, value in key]


def _disorder(number: int, keys: list[Key], low: Key | None, high: Key | None) -> str | None:
    if any(one >= other for one, other in pairwise(keys)):
        return f"page {number} is not in the order of its keys"
    place = Hole(low, high, "")
    if keys and not (place.holds(keys[0]) and place.holds(keys[-1])):
        return f"page {number} does not belong where it stands"
    return None


def _doubted(rows: list[Row], problem: str | None) -> list[Doubt]:
    return [] if problem is None else [Doubt(row, problem) for row in rows]


def _why(number: int, twins: tuple[int, ...]) -> str:
    if not twins:
        return f"nothing leads to page {number} any more"
    other = next(twin for twin in twins if twin != number)
    return f"page {number} holds the same as page {other}: one of them was written to the wrong place"
