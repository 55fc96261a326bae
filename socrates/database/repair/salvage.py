"""Carries what can be read of a damaged SQLite file over into a new one.

Every row is either put into the new file as it was, or given to `keep` with the reason why not, or named as lost as far
as anything still tells of it. A row is put there only if it stands where it belongs: in a page that its tree leads to
in order, or in one that a hole of only one tree has room for (and an index of that tree knows, where there is one).
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from socrates.database.repair.pages import Pages, UnsoundError, Value, decoded
from socrates.database.repair.stored_tables import StoredTable
from socrates.database.repair.trees import Doubt, Forest, Hole, Row, Tree, rank

Keep = Callable[[str, str, Mapping[str, object]], None]
"""Called with a table, a reason, and the values of a row that cannot be put back, or what is left of them."""

_UNKNOWN = "unknown"
_KEY = 3
"""Values of a row that hold its key, in our tables and v1's."""
_ALL = 2**16
"""More values than an index entry has: all of them order it."""


@dataclass(slots=True)
class Rescue:
    """What became of one table."""

    table: str
    by_rowid: bool
    rescued: int = 0
    kept: list[tuple[Value, ...]] = field(default_factory=list)
    """The first values of the rows that were given to `keep`."""
    holes: list[Hole] = field(default_factory=list)
    """The parts of the table that could not be read. Rows may be missing there, and nowhere else."""
    lost: list[dict[str, Value]] | None = None
    """What an index still has of the rows that are lost; None where no index tells."""

    @property
    def is_whole(self) -> bool:
        return not self.kept and (not self.holes if self.lost is None else not self.lost)

    def may_lack(self, key: Sequence[Value]) -> bool:
        """Whether it is damage that took the row with this key, which is not there."""
        if any(values[: len(key)] == tuple(key) for values in self.kept):
            return True
        # The holes of a table with row numbers are told by these, which nobody knows of a lost row.
        return bool(self.holes) if self.by_rowid else any(hole.holds(rank(key)) for hole in self.holes)


class _Object(NamedTuple):
    """An entry of the schema."""

    kind: str
    name: str
    table: str
    root: int
    sql: str | None


def salvage(damaged: Path, new: Path, keep: Keep, suspects: frozenset[str] = frozenset()) -> list[Rescue]:
    """Carry over what can be read of `damaged`, which has nothing beside it, into the file `new`, which is empty.

    `suspects`: indexes that are known not to fit their tables. Raises UnsoundError where the file cannot be read at
    all: its header, or the list of its tables, is damaged.
    """
    with closing(Pages(damaged)) as pages, closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.text_factory = decoded
        return _Salvage(pages, connection, keep, suspects).run()


class _Salvage:
    def __init__(self, pages: Pages, new: sqlite3.Connection, keep: Keep, suspects: frozenset[str]) -> None:
        self._pages = pages
        self._new = new
        self._keep = keep
        self._suspects = suspects
        self._forest = Forest(pages)
        self._schema = self._read_schema()
        self._tables: dict[str, StoredTable] = {}
        self._rescues: dict[str, Rescue] = {}
        self._readers: dict[int, tuple[str, Row]] = {}
        """Page of a long row → the key of the row that was read from it."""
        self._empty: set[str] = set()
        self._broken: list[tuple[StoredTable, str]] = []
        """The indexes of which pages are lost."""
        self._known: dict[str, tuple[str, set[tuple[Value, ...]]]] = {}
        """Table that may lack rows → a whole index of it, and what that holds."""

    def run(self) -> list[Rescue]:
        self._new.execute(f"PRAGMA page_size = {self._pages.page_size}")
        self._new.execute("PRAGMA journal_mode = OFF")
        self._new.execute("BEGIN")
        self._make_schema()
        for table in self._tables.values():
            self._carry_over(table)
        self._read_indexes()
        self._place_lost_pages()
        for name in self._known:
            self._compare_with_index(self._tables[name])
        for entry in self._schema:
            if entry.kind in ("view", "trigger"):
                self._make(str(entry.sql))
        for name, table in self._tables.items():
            self._rescues[name].rescued = table.count(self._new)
        self._new.execute(f"PRAGMA user_version = {self._pages.field(60)}")
        self._new.execute(f"PRAGMA application_id = {self._pages.field(68)}")
        self._new.execute("COMMIT")
        return list(self._rescues.values())

    def _read_schema(self) -> list[_Object]:
        if self._pages.field(56) not in (0, 1):
            raise UnsoundError("its texts are not UTF-8")
        entries: list[_Object] = []
        for piece in self._forest.walk(Tree("sqlite_master", 1, by_rowid=True, key=1, is_table=False)):
            problem = piece.hole.reason if piece.hole else piece.doubts[0].reason if piece.doubts else None
            if problem is not None:
                raise UnsoundError(f"the list of its tables cannot be read ({problem})")
            for row in piece.rows:
                match row.values:
                    case (str(kind), str(name), str(table), int(root), str() | None as sql):
                        entries.append(_Object(kind, name, table, root, sql))
                    case _:
                        raise UnsoundError("the list of its tables cannot be read")
        return entries

    def _make_schema(self) -> None:
        for entry in self._schema:
            if entry.sql is None or entry.name.startswith("sqlite_") or entry.kind not in ("table", "index"):
                continue
            if not entry.root:
                raise UnsoundError(f"{entry.name} is a virtual table, which only the program that made it can fill")
            self._make(entry.sql)
            if entry.kind == "table":
                self._tables[entry.name] = StoredTable.of(self._new, entry.name, entry.root)
                self._rescues[entry.name] = Rescue(entry.name, self._tables[entry.name].tree.by_rowid)

    def _make(self, sql: str) -> None:
        try:
            self._new.execute(sql)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            raise UnsoundError(f"the list of its tables cannot be used ({error})") from error

    def _carry_over(self, table: StoredTable) -> None:
        rescue = self._rescues[table.name]
        for piece in self._forest.walk(table.tree):
            if piece.hole is not None:
                rescue.holes.append(piece.hole)
            elif not piece.rows and not piece.doubts:
                self._empty.add(table.name)
            self._put(table, piece.rows)
            for doubt in piece.doubts:
                self._keep_row(table, doubt.row, doubt.reason)

    def _put(self, table: StoredTable, rows: Sequence[Row]) -> None:
        sound = [row for row in rows if not row.chain or self._is_only_reader(table, row)]
        if not table.insert_all(self._new, sound):
            for row in sound:
                objection = table.insert(self._new, row)
                if objection is not None:
                    self._keep_row(table, row, objection)

    def _is_only_reader(self, table: StoredTable, row: Row) -> bool:
        """Whether no other row was read from the same pages. If one was, neither can be trusted."""
        others = {page: self._readers[page] for page in row.chain if page in self._readers}
        if not others:
            self._readers.update(dict.fromkeys(row.chain, (table.name, table.without_content(row))))
            return True
        for page, (name, other) in others.items():
            reason = f"page {page}, which holds its end, is also that of another row"
            taken = self._tables[name].take_out(self._new, other)
            if taken is not None:
                self._keep_row(self._tables[name], taken, reason)
            self._keep_row(table, row, reason)
        return False

    def _keep_row(self, table: StoredTable, row: Row, reason: str) -> None:
        self._rescues[table.name].kept.append(row.values[:_KEY])
        self._keep(table.name, reason, table.named(row))

    def _read_indexes(self) -> None:
        """Learn which pages the indexes have, and what whole ones say of the tables that may lack rows."""
        for entry in self._schema:
            if entry.kind != "index" and not entry.name.startswith("sqlite_"):
                continue
            table = self._tables.get(entry.table)
            is_suspect = entry.name in self._suspects
            rescue = self._rescues.get(entry.table)
            is_asked = table is not None and entry.name in table.indexes and table.name not in self._known
            is_asked = is_asked and rescue is not None and bool(is_suspect or rescue.holes or rescue.kept)
            entries: set[tuple[Value, ...]] = set()
            is_whole = True
            for piece in self._forest.walk(Tree(entry.name, entry.root, entry.kind == "table", _ALL, is_table=False)):
                if piece.hole and table is not None and entry.name in table.indexes:
                    self._broken.append((table, entry.name))
                is_whole = is_whole and not (piece.hole or piece.doubts or (is_suspect and piece.is_twin))
                if is_asked and is_whole:
                    entries.update(row.values for row in piece.rows)
            if is_asked and is_whole:
                self._known[entry.table] = entry.name, entries

    def _place_lost_pages(self) -> None:
        """Find the tables of the pages that no tree led to."""
        for by_rowid in (True, False):
            tables = [table for table in self._tables.values() if table.tree.by_rowid == by_rowid]
            for why, rows, doubts in self._forest.lost_pages(by_rowid):
                every_row = [*rows, *(doubt.row for doubt in doubts)]
                homes = [table for table in tables if self._has_room(table, rows)]
                fits_table = any(all(map(table.fits, every_row)) for table in tables)
                of_index = not by_rowid and self._is_of_index(every_row, any_index=not fits_table)
                if of_index and not homes:
                    continue  # indexes are made anew
                home = None if of_index else self._home(homes, rows)
                if home is not None:
                    self._put(home, rows)
                homeless = [Doubt(row, why) for row in rows] if home is None else []
                for doubt in [*doubts, *homeless]:
                    self._keep_lost(home, tables, doubt)

    def _has_room(self, table: StoredTable, rows: Sequence[Row]) -> bool:
        keys = [table.tree.key_of(row) for row in rows]
        holes = self._rescues[table.name].holes
        has_hole = table.name in self._empty or any(all(map(hole.holds, keys)) for hole in holes)
        return bool(rows) and has_hole and all(map(table.fits, rows))

    def _is_of_index(self, rows: Sequence[Row], *, any_index: bool) -> bool:
        """Whether `rows` can be of an index that lacks pages, or of any."""
        every = ((table, index) for table in self._tables.values() for index in table.indexes)
        indexes = every if any_index else self._broken
        return any(all(table.fits_index(index, row) for row in rows) for table, index in indexes)

    def _home(self, homes: Sequence[StoredTable], rows: Sequence[Row]) -> StoredTable | None:
        """The only one of `homes` that can have had `rows`, which have room in each."""
        knowing = [table for table in homes if self._knows(table, rows)]
        homes = knowing or [table for table in homes if table.name not in self._known]
        certain = bool(knowing) or self._forest.is_free_list_whole
        if len(homes) != 1 or not certain:
            return None
        rescue = self._rescues[homes[0].name]
        if not rescue.holes:
            rescue.holes.append(Hole(None, None, "its first page was empty, and there were others"))
        return homes[0]

    def _knows(self, table: StoredTable, rows: Sequence[Row]) -> bool:
        if table.name not in self._known:
            return False
        index, entries = self._known[table.name]
        return all(table.in_index(index, row) in entries for row in rows)

    def _keep_lost(self, home: StoredTable | None, tables: Sequence[StoredTable], doubt: Doubt) -> None:
        """Give away a row of a lost page, under the names of the tables that it may be of."""
        fitting = [home] if home else [table for table in tables if table.fits(doubt.row)]
        for table in fitting:
            self._rescues[table.name].kept.append(doubt.row.values[:_KEY])
        names = " or ".join(table.name for table in fitting) or _UNKNOWN
        values = _by_place(doubt.row) if not fitting else fitting[0].named(doubt.row)
        self._keep(names, doubt.reason, values)

    def _compare_with_index(self, table: StoredTable) -> None:
        """Name the rows that an index has and the table has not.

        Where it is the other way round as well, rows stand in the place of others: then they are taken out.
        """
        index, entries = self._known[table.name]
        there = table.entries(self._new, index)
        lost = entries - there
        self._rescues[table.name].lost = [table.from_index(index, values) for values in sorted(lost, key=rank)]
        for foreign in (there - entries) if lost else ():
            row = table.find(self._new, index, foreign)
            table.take_out(self._new, row)
            self._keep_row(table, row, f"the index {index} has other rows in its place")


def _by_place(row: Row) -> dict[str, object]:
    """The values of a row of no known table."""
    return {f"value {place + 1}": value for place, value in enumerate(row.values)}
