"""Takes imported records that are lost again from what is still there of v1.

Nothing is taken that is not proven: what a row of v1's converts to must have the digest that the import promised. And
nothing is brought back that somebody may have removed or changed: a record that is there is completed only by what is
known to be lost, and only where the rest of it is still what was imported. Messages are the exception: nothing ever
removes one, so an imported message that is not there is lost.
"""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from socrates.errors import DamagedRecordError, MigrationError
from socrates.v1.check import Keys, current_digests
from socrates.v1.corrections import from_stored
from socrates.v1.digest import digest
from socrates.v1.importer import NEEDS_PROJECT, compare, convert
from socrates.v1.layout import TABLES_OF, Kind, Row, Rows, Table
from socrates.v1.ledger import Run, deleted_keys, digests_of
from socrates.v1.quarantine import convert_entry, entry
from socrates.v1.reader import V1Reader
from socrates.v1.target import Target, same
from socrates.v1.times import Zone, as_text

IsLost = Callable[[str, Row], bool]
"""Called with a table and the key of a row that is not there: whether damage is known to have taken it."""

_MESSAGES = "conversation_messages"
_DELETIONS = Table(
    "v1_import_deletions",
    (("run_id", Kind.INTEGER), ("source_table", Kind.TEXT), ("source_key", Kind.TEXT), ("deleted_at", Kind.TIME)),
    (0, 1, 2),
)


@dataclass(slots=True)
class Retrieved:
    """What was taken again, by v1's names of the tables."""

    whole: Keys = field(default_factory=Keys)
    """Records that are again what was imported, all of them."""
    in_part: Keys = field(default_factory=Keys)
    """Records that changed after the import: of these only rows were taken that were lost."""
    failed: Keys = field(default_factory=Keys)
    """Records that are not there, and cannot be taken again."""


class Retrieval:
    """Taking records again. Writes in the caller's transaction, and does not commit."""

    def __init__(self, target: Target, run: Run, reader: V1Reader) -> None:
        """`reader` reads v1's own tables, as far as they are there."""
        self._target = target
        self._run = run
        self._reader = reader
        self._zone = Zone(run.timezone)

    def missing(self, table: str) -> set[str]:
        """The keys of v1's `table` that were imported and are not there, though nobody deleted them."""
        main = TABLES_OF[table][0]
        there = {key for (key,) in self._target.query(f"SELECT {main.names[0]} FROM {main.name}")}  # noqa: S608
        promised = {key for key, _ in digests_of(self._target, self._run, table)}
        return promised - there - deleted_keys(self._target, self._run, table)

    def unchanged(self, table: str) -> set[str]:
        """The keys of v1's `table` whose records are, every row of them, what was imported."""
        promised = dict(digests_of(self._target, self._run, table))
        return {key for key, found in current_digests(self._target, table) if promised.get(key) == found}

    def run(self, is_lost: IsLost) -> Retrieved:
        """Take again what is missing, and complete what is not whole."""
        result = Retrieved()
        for table in TABLES_OF:
            missing = self.missing(table)
            wanted = {key for key in missing if self._is_certainly_lost(table, key, is_lost)}
            # First read, then write: a savepoint that is rolled back would end the reading.
            for key, rows in list(self._proven(table, missing, wanted)):
                work = self._bring_back if key in wanted else partial(self._complete, is_lost=is_lost)
                if self._in_savepoint(partial(work, table, key, rows, result)):
                    missing.discard(key)
            for key in sorted(missing):
                result.failed.add(table, key)
        return result

    def note_deletion(self, table: str, key: str) -> None:
        """Write down that an imported record was taken out on purpose, so that no check takes it for lost."""
        if table not in TABLES_OF or key in deleted_keys(self._target, self._run, table):
            return
        promised = "SELECT 1 FROM v1_import_digests WHERE run_id = ? AND source_table = ? AND source_key = ?"
        if self._target.query(promised, (self._run.id, table, key)):
            now = as_text(datetime.now(UTC).replace(tzinfo=None))
            self._target.insert(_DELETIONS, [(self._run.id, table, key, now)])

    def _is_certainly_lost(self, table: str, key: str, is_lost: IsLost) -> bool:
        """Whether a missing record was not deleted: where the account of deletions is damaged, it may have been."""
        may_be_deleted = is_lost(_DELETIONS.name, (self._run.id, table, key))
        return not may_be_deleted or is_lost(TABLES_OF[table][0].name, (key,))

    def _proven(self, table: str, missing: set[str], wanted: set[str]) -> Iterator[tuple[str, Rows]]:
        """The records of v1's `table` that are `wanted` or not whole, and convert to what the import promised."""
        promised = dict(digests_of(self._target, self._run, table))
        tables = TABLES_OF[table]
        if wanted or len(tables) > 1:
            for key, rows in self._sources(table):
                is_there = len(tables) > 1 and key not in missing
                lacks = key in wanted or (is_there and any(self._compare(tables, key, rows)[0].values()))
                if lacks and digest(rows, tables) == promised.get(key):
                    yield key, rows

    def _sources(self, table: str) -> Iterator[tuple[str, Rows]]:
        """What v1's rows convert to, by key: those of its own table, then those that came in out of quarantine."""
        if table in self._reader.names:
            for row in self._reader.rows(table):
                try:
                    rows, _ = convert(row, self._zone)
                except DamagedRecordError:
                    continue
                if row.key is not None:
                    yield row.key, rows
        released = self._target.query(
            "SELECT q.id, r.correction FROM v1_quarantine_releases r JOIN v1_quarantine q ON q.id = r.quarantine_id"
            " WHERE q.source_table = ? ORDER BY q.id",
            (table,),
        )
        for identity, correction in released:
            try:
                key, rows, _ = convert_entry(entry(self._target, identity), from_stored(correction, table), self._zone)
            except DamagedRecordError:
                continue
            yield key, rows

    def _in_savepoint(self, work: Callable[[], bool]) -> bool:
        """Do it wholly, or not at all."""
        self._target.execute("SAVEPOINT v1_record")
        try:
            done = work()
        except (sqlite3.IntegrityError, MigrationError):  # another record has taken its place
            done = False
        if not done:
            self._target.execute("ROLLBACK TO v1_record")
        self._target.execute("RELEASE v1_record")
        return done

    def _bring_back(self, table: str, key: str, rows: Rows, result: Retrieved) -> bool:
        """Insert a record whose own row is gone, and of its other rows those that are gone too."""
        main, *_ = tables = TABLES_OF[table]
        if table in NEEDS_PROJECT:
            project_id = rows[main.name][0][main.names.index("project_id")]
            if not self._target.query("SELECT 1 FROM projects WHERE id = ?", (project_id,)):
                return False
        absent, is_unchanged = self._compare(tables[1:], key, rows)
        self._target.insert(main, rows[main.name])
        if is_unchanged:
            self._fill(tables, key, rows, absent)
            result.whole.add(table, key)
        else:
            self._target.insert(_part(tables, _MESSAGES), absent.get(_MESSAGES, []))
            result.in_part.add(table, key)
        return True

    def _complete(self, table: str, key: str, rows: Rows, result: Retrieved, is_lost: IsLost) -> bool:
        """Insert what is lost of a record whose own row is there."""
        tables = TABLES_OF[table]
        absent, is_unchanged = self._compare(tables, key, rows)
        known = (
            part.name == _MESSAGES or is_lost(part.name, _key(part, row))
            for part in tables
            for row in absent[part.name]
        )
        if is_unchanged and all(known):
            self._fill(tables, key, rows, absent)
            result.whole.add(table, key)
            return True
        if not absent.get(_MESSAGES):
            return False
        self._target.insert(_part(tables, _MESSAGES), absent[_MESSAGES])
        result.in_part.add(table, key)
        return True

    def _compare(self, tables: tuple[Table, ...], key: str, rows: Rows) -> tuple[Rows, bool]:
        """The rows of a record that are not there, and whether those that are there are as they were imported."""
        absent: Rows = {}
        is_unchanged = True
        for part in tables:
            there = {_key(part, row): row for portion in self._target.read_back(part, key, key) for row in portion}
            imported = {_key(part, row): row for row in rows[part.name]}
            absent[part.name] = [row for place, row in imported.items() if place not in there]
            is_unchanged = is_unchanged and all(
                place in imported and same(part, [imported[place]], [row]) for place, row in there.items()
            )
        return absent, is_unchanged

    def _fill(self, tables: tuple[Table, ...], key: str, rows: Rows, absent: Rows) -> None:
        """Insert what is absent, and read the whole record back. Raises MigrationError when it is not the imported."""
        for part in tables:
            self._target.insert(part, absent.get(part.name, []))
        for part in tables:
            compare(self._target, part, rows[part.name], key, key)


def _key(table: Table, row: Row) -> Row:
    return tuple(row[index] for index in table.order)


def _part(tables: tuple[Table, ...], name: str) -> Table:
    return next((table for table in tables if table.name == name), tables[0])
