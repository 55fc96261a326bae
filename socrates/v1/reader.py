"""Reading the rows of a v1 table one by one, in the order of their keys, without trusting what the columns hold."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from socrates.errors import DamagedRecordError
from socrates.v1.shapes import V1_TABLES, V1Table


class _StoredText(bytes):
    """A text value as SQLite stores it. It need not be UTF-8, and unlike a blob it says that it is text."""


class SourceRow:
    """One row of a v1 table."""

    __slots__ = ("_values", "table")

    def __init__(self, table: str, values: dict[str, Any]) -> None:
        self.table = table
        self._values = values

    def value(self, column: str) -> Any:
        """The value of `column`; None for a column that the table lacks.

        Raises DamagedRecordError for text that is not UTF-8.
        """
        value = self._values.get(column)
        if type(value) is not _StoredText:
            return value
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise DamagedRecordError(f"the column {column} is not valid UTF-8") from error

    @property
    def key(self) -> str | None:
        """The primary key, or None where it is no text."""
        try:
            value = self.value(V1_TABLES[self.table].key)
        except DamagedRecordError:
            return None
        return value if type(value) is str else None

    @property
    def blob(self) -> bytes:
        """The pickle. Raises DamagedRecordError where the column holds none."""
        value = self._values["data"]
        if type(value) is not bytes:
            held = "nothing" if value is None else "text" if type(value) is _StoredText else "a number"
            raise DamagedRecordError(f"the column data holds {held}, not a blob")
        return value

    @property
    def raw_data(self) -> bytes | None:
        """The column `data` as it lies in the file, whatever it is."""
        value = self._values.get("data")
        return value if value is None or isinstance(value, bytes) else str(value).encode()

    def other_columns(self) -> dict[str, Any]:
        """Every column but `data`; text that is not UTF-8 as bytes."""
        columns = {}
        for name, value in self._values.items():
            if name == "data":
                continue
            try:
                columns[name] = self.value(name)
            except DamagedRecordError:
                columns[name] = bytes(value)
        return columns

    @property
    def size(self) -> int:
        """Roughly the bytes that the row takes."""
        return len(self.raw_data or b"") + 200


class V1Reader:
    """The v1 tables of one SQLite connection.

    `names` maps a v1 table to the name it bears there, which after an upgrade is that of its backup.
    """

    def __init__(self, connection: sqlite3.Connection, names: dict[str, str]) -> None:
        self._connection = connection
        self.names = names

    def count(self, table: str) -> int:
        """The rows of v1's `table`, counted in the table itself: `rows` goes by its index."""
        (count,) = self._connection.execute(f'SELECT count(*) FROM "{self.names[table]}" NOT INDEXED').fetchone()  # noqa: S608
        return int(count)

    def rows(self, table: str) -> Iterator[SourceRow]:
        """The rows of v1's `table`, by key."""
        shape = V1_TABLES[table]
        cursor = self._connection.execute(_select(shape, self.names[table]))
        while (values := self._fetch(cursor)) is not None:
            yield SourceRow(table, dict(zip(shape.columns, values, strict=True)))

    def _fetch(self, cursor: sqlite3.Cursor) -> Sequence[Any] | None:
        # The connection also serves the writes, whose text must come back as str: so the factory changes for each row.
        before = self._connection.text_factory
        self._connection.text_factory = _StoredText
        try:
            row: Sequence[Any] | None = cursor.fetchone()
        finally:
            self._connection.text_factory = before
        return row


def _select(shape: V1Table, name: str) -> str:
    columns = ", ".join(shape.columns)
    return f'SELECT {columns} FROM "{name}" ORDER BY {shape.key}'  # noqa: S608 - names of this package only
