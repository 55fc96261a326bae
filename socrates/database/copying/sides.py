"""What copying asks of the two databases."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from sys import getsizeof
from typing import Protocol, TypeVar

from socrates.database.copying.tables import TABLES, CopiedTable, Kind, Row
from socrates.errors import MigrationError

_T = TypeVar("_T")

ROWS_AT_ONCE = 500
BYTES_AT_ONCE = 4 * 1024 * 1024
"""As much of the data as is in memory at once; one larger row stands alone."""


class Source(Protocol):
    """A database at head, all of it at one moment."""

    shown: str
    """Its name for people, without a password."""

    def rows(self, table: CopiedTable) -> Iterator[Row]:
        """All rows in the order of the key, read in portions. Raises DatabaseError."""
        ...

    def count(self, table: CopiedTable) -> int:
        """The number of rows."""
        ...

    def other_tables(self) -> tuple[str, ...]:
        """The tables that are not of our schema, such as v1's own."""
        ...


class Target(Source, Protocol):
    """A database at head without a row, in a transaction that only `commit` keeps."""

    def objection(self, kind: Kind, value: object) -> str | None:
        """Why this engine cannot hold a value, or None."""
        ...

    def key_objection(self, values: Sequence[object]) -> str | None:
        """Why this engine cannot hold these values of one index, or None."""
        ...

    def kept(self, kind: Kind, value: object) -> object:
        """The form in which this engine keeps a value."""
        ...

    def insert(self, table: CopiedTable, rows: Sequence[Row]) -> None:
        """Write rows. Raises DatabaseError, and InvalidValueError for what a constraint does not allow."""
        ...

    def commit(self) -> None:
        """Keep what was written. Raises DatabaseError, and then nothing is kept unless it says otherwise."""
        ...


def portions(items: Iterable[_T], size: Callable[[_T], int]) -> Iterator[list[_T]]:
    """Items in lists that are bounded in number and, by their `size` in bytes, in memory."""
    portion: list[_T] = []
    weight = 0
    for item in items:
        added = size(item)
        if portion and (len(portion) == ROWS_AT_ONCE or weight + added > BYTES_AT_ONCE):
            yield portion
            portion, weight = [], 0
        portion.append(item)
        weight += added
    if portion:
        yield portion


def memory_of(row: Row) -> int:
    """The bytes that a row takes in memory."""
    return sum(map(getsizeof, row))


def require_without_rows(side: Source) -> None:
    """Raises MigrationError."""
    filled = [table.name for table in TABLES if side.count(table)]
    if filled:
        raise MigrationError(
            f"{side.shown} holds rows already (in {', '.join(filled[:3])}); name a database that is missing or empty. "
            "Nothing was copied."
        )
