"""The copy itself: every row over, then every row read back and compared."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, Protocol

from sqlalchemy import URL

from socrates.config import Settings
from socrates.database.copying import sqlite_side
from socrates.database.copying.sides import Source, Target, memory_of, portions
from socrates.database.copying.tables import TABLES, CopiedTable, Row, identical, misfit
from socrates.database.urls import sqlite_path
from socrates.errors import ConfigurationError, InvalidValueError, MigrationError
from socrates.models import BackupChange, ImportRun

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the rows done and the rows in all."""

_TABLE = {table.name: table for table in TABLES}
_NAMED = 20
_KEY_SHOWN = 80
_V1_SUFFIX = "_v1_backup"
_COPIED = "copied"
"""The kind of change to v1's tables that `socrates db check` knows in a copy."""


@dataclass(slots=True)
class Copy:
    """A copy from `source` to `target`, of which nothing is kept before `commit`."""

    source: Source
    target: Target
    rows: dict[str, int] = field(default_factory=dict)
    """How many rows of each table were copied and compared."""
    seconds: float = 0.0
    committed: bool = False

    def run(self, progress: Progress) -> None:
        """Copy every row and compare every value.

        Raises InvalidValueError that names the first values which cannot be copied, MigrationError that names a value
        which the target gives back as another, and DatabaseError. Nothing is kept then.
        """
        began = time.monotonic()
        self._fill(progress)
        for table in TABLES:
            self._compare(table, progress)
        self._note_what_stayed_behind()
        self.seconds = time.monotonic() - began

    def commit(self) -> None:
        """Keep the copy. Raises DatabaseError."""
        self.target.commit()
        self.committed = True

    def _fill(self, progress: Progress) -> None:
        """After the first value that cannot be copied the rest is only looked at, to name them together."""
        refused: list[str] = []
        for table in TABLES:
            done, total = 0, self.source.count(table)
            for rows in portions(self.source.rows(table), memory_of):
                for row in rows:
                    refused += self._objections(table, row)
                if len(refused) >= _NAMED:
                    raise _cannot_copy(self.source, self.target, [*refused[:_NAMED], "and perhaps more"])
                if not refused:
                    self.target.insert(table, rows)
                done += len(rows)
                progress(table.name, done, total)
            self.rows[table.name] = done
        if refused:
            raise _cannot_copy(self.source, self.target, refused)

    def _objections(self, table: CopiedTable, row: Row) -> Iterator[str]:
        for (column, kind), value in zip(table.columns, row, strict=True):
            reason = misfit(kind, value) or self.target.objection(kind, value)
            if reason is not None:
                yield f"{table.name}.{column} of {_shown(table, row)} {reason}"
        for index in table.indexes:
            reason = self.target.key_objection([row[place] for place in index])
            if reason is not None:
                columns = ", ".join(table.columns[place][0] for place in index)
                yield f"{table.name}.{columns} of {_shown(table, row)} {reason}"

    def _compare(self, table: CopiedTable, progress: Progress) -> None:
        total = self.rows[table.name]
        for done, (row, copied) in enumerate(zip_longest(self.source.rows(table), self.target.rows(table)), 1):
            if row is None or copied is None or table.key_of(row) != table.key_of(copied):
                raise self._differs(f"{table.name}: {_shown(table, row or copied)} is not in both")
            for (column, kind), value, found in zip(table.columns, row, copied, strict=True):
                if not identical(self.target.kept(kind, value), found):
                    raise self._differs(f"{table.name}.{column} of {_shown(table, row)}")
            if done == total or not done % 1000:
                progress(f"{table.name}, compared", done, total)

    def _note_what_stayed_behind(self) -> None:
        """Write into the copy that v1's tables are in the source: a check would take them for lost."""
        tables = [name for name in self.source.other_tables() if name.endswith(_V1_SUFFIX)]
        runs = [row["id"] for row in _named(self.source, ImportRun.__tablename__)]
        if not tables or not runs:
            return
        changes = [row["run_id"] for row in _named(self.source, BackupChange.__tablename__)]
        change = {
            "run_id": max(runs),
            "position": changes.count(max(runs)),
            "kind": _COPIED,
            "changed_at": datetime.now(UTC).replace(tzinfo=None).isoformat(" ", "microseconds"),
            "details": json.dumps({"source": self.source.shown, "tables": tables}),
        }
        table = _TABLE[BackupChange.__tablename__]
        self.target.insert(table, [tuple(change[name] for name, _ in table.columns)])

    def _differs(self, where: str) -> MigrationError:
        return MigrationError(
            f"what {self.target.shown} gives back is not what {self.source.shown} holds: {where}. Nothing was copied. "
            "See that nothing in the target, such as a trigger, changes rows"
        )


def _named(source: Source, name: str) -> Iterator[dict[str, Any]]:
    """The rows of one table, with the names of their columns."""
    table = _TABLE[name]
    for row in source.rows(table):
        yield {column: value for (column, _), value in zip(table.columns, row, strict=True)}


def _shown(table: CopiedTable, row: Row) -> str:
    key = ", ".join(map(repr, table.key_of(row)))
    return key if len(key) <= _KEY_SHOWN else f"{key[:_KEY_SHOWN]}…"


def _cannot_copy(source: Source, target: Target, refused: list[str]) -> InvalidValueError:
    listed = "\n  ".join(refused)
    return InvalidValueError(
        f"{target.shown} cannot hold all that {source.shown} does. Nothing was copied. Change or delete first:\n"
        f"  {listed}"
    )


@contextmanager
def opened_copy(source: URL, target: URL, settings: Settings) -> Iterator[Copy]:
    """A copy that can run. The URLs are such as `database_url` gave; what was not committed at the end is undone.

    Raises SchemaError or NotRecognisedError unless the source is at head, MigrationError unless the target is missing,
    empty, or at head without a row; ConfigurationError when both are the same; BusyError; DatabaseError.
    """
    if source == target:
        raise ConfigurationError("the two databases are the same one; name another to copy into")
    with (
        _engine(source).open_source(source, settings.lock_timeout) as read,
        _engine(target).open_target(target, settings.lock_timeout) as written,
    ):
        yield Copy(read, written)


class _Engine(Protocol):
    """How the databases of one engine are opened: `sqlite_side` or `postgres_side`."""

    def open_source(self, url: URL, lock_timeout: float) -> AbstractContextManager[Source]: ...

    def open_target(self, url: URL, lock_timeout: float) -> AbstractContextManager[Target]: ...


def _engine(url: URL) -> _Engine:
    if sqlite_path(url) is not None:
        return sqlite_side
    from socrates.database.copying import postgres_side  # noqa: PLC0415 - its driver is an extra

    return postgres_side
