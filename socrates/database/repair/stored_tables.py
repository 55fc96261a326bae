"""How the columns of a table lie in its records, and how a record becomes a row of another file again."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from socrates.database.repair.pages import StoredText, Value
from socrates.database.repair.trees import Row, Tree

_ROWID = -1
"""What SQLite says in place of a column where an index has the row's number."""
_UNSURE = (str, int, float, bytes)
_TAKES: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("INT", (int,)),
    ("TEXT", (str,)),
    ("CHAR", (str,)),
    ("BLOB", (bytes,)),
    ("DOUBLE", (float, int)),
    ("REAL", (float, int)),
    ("FLOAT", (float, int)),
    ("JSON", (str,)),
    ("DATETIME", (str,)),
    ("BOOLEAN", (int,)),
)
"""What stands in columns of these types, in the files of v1 and in ours."""
_ADDED_LATER = {
    "llm_usage": ("operation", "cache_read_tokens", "cache_write_tokens"),
    "projects": ("dynamic_questions",),
}
"""The last columns of tables of ours that got them by a later revision: records from before it end in front of them."""


@dataclass(frozen=True, slots=True)
class StoredTable:
    """One table of a file, and where another file keeps it."""

    name: str
    columns: tuple[str, ...]
    """In the order in which a record has them: that of the key, where the table has no row numbers."""
    types: tuple[tuple[type, ...], ...]
    is_text: tuple[bool, ...]
    """Whether SQLite makes a text of every number that is written there."""
    nullable: tuple[bool, ...]
    alias: int | None
    """The column that is the row's number, which stands outside the record."""
    tree: Tree
    indexes: dict[str, tuple[int, ...]]
    """The indexes that hold every row: what their records consist of, as places in the table's own."""

    @classmethod
    def of(cls, connection: sqlite3.Connection, name: str, root: int) -> Self:
        """The table `name` that `connection` has, as it lies from page `root` on in another file."""
        info = connection.execute(f"PRAGMA table_info({quoted(name)})").fetchall()
        keys = [column[0] for column in sorted(info, key=lambda column: column[5]) if column[5]]
        listed = connection.execute(f"PRAGMA index_list({quoted(name)})").fetchall()
        by_rowid = _has_row_numbers(connection, name)
        rest = [column[0] for column in info if column[0] not in keys]
        order = list(range(len(info))) if by_rowid else keys + rest
        is_alias = by_rowid and len(keys) == 1 and not any(index[3] == "pk" for index in listed)
        columns = [info[number] for number in order]
        return cls(
            name,
            tuple(column[1] for column in columns),
            tuple(_types(column[2]) for column in columns),
            tuple(any(word in column[2].upper() for word in ("TEXT", "CHAR", "CLOB")) for column in columns),
            tuple(not column[3] for column in columns),
            keys[0] if is_alias else None,
            Tree(name, root, by_rowid, len(keys)),
            _indexes(connection, [index for index in listed if not index[4]], order, by_rowid),
        )

    def insert_all(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> bool:
        """Insert whole rows at once. False where that cannot be: then some of them may be there already."""
        if any(len(row.values) != len(self.columns) or StoredText in map(type, row.values) for row in rows):
            return False
        if any(map(self.is_foreign, rows)):
            return False
        try:
            connection.executemany(self._statement(len(self.columns)), [self._bound(row) for row in rows])
        except sqlite3.IntegrityError:
            return False
        return True

    def insert(self, connection: sqlite3.Connection, row: Row) -> str | None:
        """Insert one row, or say why that cannot be. A row that is there already, the same, is no objection."""
        if self.is_foreign(row):
            return f"it has not the columns of {self.name}: it is a row of another table"
        texts = frozenset(place for place, value in enumerate(row.values) if type(value) is StoredText)
        try:
            connection.execute(self._statement(len(row.values), texts), self._bound(row))
        except sqlite3.IntegrityError as error:
            return None if self._has(connection, row) else f"it cannot be put back: {error}"
        return None

    def take_out(self, connection: sqlite3.Connection, row: Row) -> Row | None:
        """Delete the row with the key of `row`, if it is there, and return it."""
        where, identity = self._identity(row)
        found = self._rows_where(connection, where, identity)
        connection.execute(f"DELETE FROM {quoted(self.name)} WHERE {where}", identity)  # noqa: S608
        return found[0] if found else None

    def without_content(self, row: Row) -> Row:
        """`row` with its key alone."""
        return Row(row.rowid, () if self.tree.by_rowid else row.values[: self.tree.key])

    def count(self, connection: sqlite3.Connection) -> int:
        (count,) = connection.execute(f"SELECT count(*) FROM {quoted(self.name)} NOT INDEXED").fetchone()  # noqa: S608
        return int(count)

    def entries(self, connection: sqlite3.Connection, index: str) -> set[tuple[Value, ...]]:
        """What `index` has to hold, read from the table itself."""
        places = self.indexes[index]
        names = ["rowid" if place == _ROWID else quoted(self.columns[place]) for place in places]
        return set(connection.execute(f"SELECT {', '.join(names)} FROM {quoted(self.name)} NOT INDEXED"))  # noqa: S608

    def find(self, connection: sqlite3.Connection, index: str, entry: tuple[Value, ...]) -> Row:
        """The row that `entry` of `index` is about."""
        names = ["rowid" if place == _ROWID else quoted(self.columns[place]) for place in self.indexes[index]]
        (row,) = self._rows_where(connection, " AND ".join(f"{name} IS ?" for name in names), entry)
        return row

    def named(self, row: Row) -> dict[str, object]:
        """The values of `row`, or as many as it has, by column."""
        values: list[object] = [bytes(value) if type(value) is StoredText else value for value in row.values]
        if self.alias is not None and len(values) > self.alias:
            values[self.alias] = row.rowid
        further = {f"value {place + 1}": value for place, value in enumerate(values) if place >= len(self.columns)}
        return dict(zip(self.columns, values, strict=False)) | further

    def fits(self, row: Row) -> bool:
        """Tell whether `row` can be one of this table: whether it has its columns, and in them what belongs there."""
        missing = self.columns[len(row.values) :]
        if len(row.values) > len(self.columns) or missing not in ((), _ADDED_LATER.get(self.name)):
            return False
        return all(
            (self.nullable[place] or place == self.alias) if value is None else isinstance(value, self.types[place])
            for place, value in enumerate(row.values)
        )

    def fits_index(self, index: str, row: Row) -> bool:
        """Tell whether `row` can be what `index` has of a row of this table."""
        places = self.indexes[index]
        return len(row.values) == len(places) and all(
            isinstance(value, int) if place == _ROWID else value is None or isinstance(value, self.types[place])
            for place, value in zip(places, row.values, strict=True)
        )

    def in_index(self, index: str, row: Row) -> tuple[Value, ...]:
        """The record that `index` has of `row`."""
        return tuple(row.rowid if place == _ROWID else row.values[place] for place in self.indexes[index])

    def from_index(self, index: str, values: Sequence[Value]) -> dict[str, Value]:
        """What a record of `index` says of its row, by column."""
        pairs = zip(self.indexes[index], values, strict=False)
        return {self.columns[place]: value for place, value in pairs if place != _ROWID}

    def is_foreign(self, row: Row) -> bool:
        """Whether SQLite can never have written `row` here: it has a value too many, or a number as a text."""
        return len(row.values) > len(self.columns) or any(
            is_text and isinstance(value, int | float) for is_text, value in zip(self.is_text, row.values, strict=False)
        )

    def _has(self, connection: sqlite3.Connection, row: Row) -> bool:
        where, identity = self._identity(row)
        values = list(row.values)
        if self.alias is not None:
            values[self.alias] = row.rowid
        return any(
            list(found.values[: len(values)]) == values for found in self._rows_where(connection, where, identity)
        )

    def _rows_where(self, connection: sqlite3.Connection, where: str, parameters: Sequence[Value]) -> list[Row]:
        names = ", ".join(["rowid" if self.tree.by_rowid else "NULL", *map(quoted, self.columns)])
        cursor = connection.execute(f"SELECT {names} FROM {quoted(self.name)} WHERE {where}", parameters)  # noqa: S608
        return [Row(rowid, tuple(values)) for rowid, *values in cursor]

    def _identity(self, row: Row) -> tuple[str, tuple[Value, ...]]:
        if self.tree.by_rowid:
            return "rowid = ?", (row.rowid,)
        keys = self.columns[: self.tree.key]
        return " AND ".join(f"{quoted(key)} = ?" for key in keys), row.values[: self.tree.key]

    def _bound(self, row: Row) -> tuple[Value, ...]:
        values = row.values
        if self.alias is not None:
            return (*values[: self.alias], row.rowid, *values[self.alias + 1 :])
        return (*values, row.rowid) if self.tree.by_rowid else values

    def _statement(self, count: int, texts: frozenset[int] = frozenset()) -> str:
        """An INSERT of the first `count` columns. Those in `texts` are bound as bytes: they are no text to Python."""
        names = [quoted(column) for column in self.columns[:count]]
        marks = ["CAST(? AS TEXT)" if place in texts else "?" for place in range(count)]
        if self.tree.by_rowid and self.alias is None:
            names.append("rowid")
            marks.append("?")
        return f"INSERT INTO {quoted(self.name)} ({', '.join(names)}) VALUES ({', '.join(marks)})"  # noqa: S608


def _indexes(
    connection: sqlite3.Connection, listed: Sequence[tuple[object, ...]], order: list[int], by_rowid: bool
) -> dict[str, tuple[int, ...]]:
    found = {}
    for _, name, _, origin, _ in listed:
        if origin == "pk" and not by_rowid:
            continue  # it is the table itself
        members = [row[1] for row in connection.execute(f"PRAGMA index_xinfo({quoted(str(name))})")]
        if min(members) >= _ROWID:  # an expression is -2
            found[str(name)] = tuple(_ROWID if member == _ROWID else order.index(member) for member in members)
    return found


def _has_row_numbers(connection: sqlite3.Connection, name: str) -> bool:
    try:
        connection.execute(f"SELECT rowid FROM {quoted(name)} LIMIT 0")  # noqa: S608
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:  # the disk fails, say: that is not a missing column
            raise
        return False
    return True


def _types(declared: str) -> tuple[type, ...]:
    return next((types for word, types in _TAKES if word in declared.upper()), _UNSURE)


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever it is."""
    return '"' + name.replace('"', '""') + '"'
