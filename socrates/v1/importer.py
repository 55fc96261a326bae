"""The import: every v1 row is read once, scanned, loaded, walked, converted, written and compared, in chunks.

Memory is bounded by the chunk, not by the file. Rows come in the order of their keys and are written in it, so the
new tables grow at their end only, and what was written is read back as one range per table.
"""

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from socrates.errors import DamagedRecordError, MigrationError, QuarantineError
from socrates.v1.digest import digest
from socrates.v1.layout import TABLES_OF, Row, Rows, Table
from socrates.v1.ledger import Ledger
from socrates.v1.projects import convert_project
from socrates.v1.reader import SourceRow, V1Reader
from socrates.v1.reading import Note, Reading
from socrates.v1.records import convert_api_key, convert_note, convert_simple, convert_user
from socrates.v1.report import ImportReport, TableReport
from socrates.v1.shapes import V1_TABLES
from socrates.v1.target import Target, same
from socrates.v1.times import Zone
from socrates.v1.unpickling import load_measured

CHUNK_ROWS = 200
CHUNK_BYTES = 2 * 1024 * 1024
_REASONS_NAMED = 20

Progress = Callable[[str, int, int], None]
"""Called with a v1 table, the rows done and the rows there are."""

NEEDS_PROJECT = frozenset({"project_notes", "knowledge_documents"})
"""The v1 tables whose rows belong to a project, by their column `project_id`."""

_CONVERTERS: dict[str, Callable[[SourceRow, dict[Any, Any], Reading], Rows]] = {
    "users": convert_user,
    "projects": convert_project,
    "project_notes": convert_note,
    "api_keys": convert_api_key,
}


class OrphanError(DamagedRecordError):
    """A row whose project is not there."""

    def __init__(self, project_id: object) -> None:
        super().__init__(f"orphan: its project {project_id!r} does not exist or is in quarantine")


def convert(row: SourceRow, zone: Zone) -> tuple[Rows, list[Note]]:
    """The rows that a v1 row becomes, and what had to be adjusted. Raises DamagedRecordError."""
    if row.table == "api_keys":
        return convert_loaded(row, row.other_columns(), zone)
    source, spare = load_measured(row.blob)
    return convert_loaded(row, source, zone, spare)


def convert_loaded(row: SourceRow, source: dict[Any, Any], zone: Zone, spare: int = 0) -> tuple[Rows, list[Note]]:
    """The same, of a row whose blob holds `source`. `spare`: the bytes that loading it left of its allowance."""
    reading = Reading(zone)
    reading.budget.add(spare)
    try:
        return _CONVERTERS.get(row.table, convert_simple)(row, source, reading), reading.notes
    except MemoryError as error:
        raise DamagedRecordError("it would need more memory than there is") from error


def import_v1(
    reader: V1Reader,
    target: Target,
    report: ImportReport,
    zone: Zone,
    *,
    strict: bool,
    options: dict[str, Any],
    progress: Progress,
) -> None:
    """Import every row of `reader` into `target`, whose tables are empty, and fill `report`.

    Writes, but does not commit. Raises QuarantineError when `strict` and a row cannot be read for another reason
    than V8 - after all rows were tried, so that its message names them together - and MigrationError when what was
    read back is not what was written.
    """
    began = time.monotonic()
    ledger = Ledger(target, datetime.now(UTC))
    ledger.begin(report, options)
    written: Counter[str] = Counter()
    with _without_collector():
        for table in TABLES_OF:
            if table in reader.names:
                report.tables[table] = _TableImport(reader, target, ledger, zone, table, written).run(progress)
    _check_counts(target, written)
    report.seconds = time.monotonic() - began
    if strict and report.damaged:
        raise QuarantineError(_strict_message(report))
    ledger.finish(report)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Rows and blobs make no cycles, but so many containers that the collector would take a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _TableImport:
    """The import of one v1 table."""

    def __init__(
        self, reader: V1Reader, target: Target, ledger: Ledger, zone: Zone, table: str, written: Counter[str]
    ) -> None:
        self._reader = reader
        self._target = target
        self._ledger = ledger
        self._zone = zone
        self._table = table
        self._tables = TABLES_OF[table]
        self._key_column = V1_TABLES[table].key
        self._written = written
        self._report = TableReport()

    def run(self, progress: Progress) -> TableReport:
        total = self._reader.count(self._table)
        for chunk in _chunks(self._reader.rows(self._table)):
            self._import(chunk)
            progress(self._table, self._report.read, total)
        if self._report.read != total or self._report.imported + self._report.quarantined != total:
            raise MigrationError(f"{self._table} has {total} rows, of which {self._report.read} could be read")
        return self._report

    def _import(self, chunk: list[SourceRow]) -> None:
        rows: Rows = {table.name: [] for table in self._tables}
        digests: list[tuple[str, bytes]] = []
        notes: list[tuple[str | None, Note]] = []
        known = self._projects_among(chunk) if self._table in NEEDS_PROJECT else None
        may_hold_cycles = False
        for row in chunk:
            self._report.read += 1
            try:
                converted, adjusted = self._convert(row, known)
            except DamagedRecordError as error:
                self._quarantine(row, error)
                may_hold_cycles |= not isinstance(error, OrphanError)
                continue
            key = row.value(self._key_column)
            for name, added in converted.items():
                rows[name].extend(added)
            digests.append((key, digest(converted, self._tables)))
            if adjusted:
                self._report.add_notes(key, adjusted)
                notes.extend((key, note) for note in adjusted)
        if digests:
            self._write(rows, digests[0][0], digests[-1][0])
            self._ledger.add_digests(self._table, digests)
            self._ledger.add_notes(self._table, notes)
            self._report.imported += len(digests)
        if may_hold_cycles:  # what cannot be read may; nothing else does
            gc.collect()

    def _convert(self, row: SourceRow, known: frozenset[str] | None) -> tuple[Rows, list[Note]]:
        if known is not None and row.value("project_id") not in known:
            raise OrphanError(row.value("project_id"))
        converted, notes = convert(row, self._zone)
        reason = self._target.unstorable(converted, self._tables, row.raw_data or b"")
        if reason is not None:
            raise DamagedRecordError(reason)
        return converted, notes

    def _projects_among(self, chunk: list[SourceRow]) -> frozenset[str]:
        """Which of the projects that `chunk` refers to were imported."""
        wanted: set[str] = set()
        for row in chunk:
            value = row.other_columns()["project_id"]
            if type(value) is str and self._target.holds(value):
                wanted.add(value)
        if not wanted:
            return frozenset()
        marks = ", ".join("?" * len(wanted))
        found = self._target.query(f"SELECT id FROM projects WHERE id IN ({marks})", sorted(wanted))  # noqa: S608
        return frozenset(key for (key,) in found)

    def _quarantine(self, row: SourceRow, error: DamagedRecordError) -> None:
        reason = str(error)
        self._ledger.quarantine(row, reason)
        self._report.add_quarantined(row.key, reason, orphan=isinstance(error, OrphanError))

    def _write(self, rows: Rows, low: str, high: str) -> None:
        for table in self._tables:
            self._target.insert(table, rows[table.name])
            self._written[table.name] += len(rows[table.name])
            compare(self._target, table, rows[table.name], low, high)


def compare(target: Target, table: Table, written: list[Row], low: str, high: str) -> None:
    """Raises MigrationError unless the rows of the keys from `low` to `high` are exactly those that were written.

    Every value of every row, both ways: nothing is missing, nothing else, nothing changed.
    """
    position = 0
    for portion in target.read_back(table, low, high):
        expected = written[position : position + len(portion)]
        if not same(table, expected, portion):
            raise MigrationError(f"what was written to {table.name} did not come back the same")
        position += len(portion)
    if position != len(written):
        raise MigrationError(f"{len(written)} rows were written to {table.name}, {position} came back")


def _chunks(rows: Iterator[SourceRow]) -> Iterator[list[SourceRow]]:
    chunk: list[SourceRow] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += row.size
        if len(chunk) == CHUNK_ROWS or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _check_counts(target: Target, written: Counter[str]) -> None:
    for name, count in written.items():
        ((there,),) = target.query(f"SELECT count(*) FROM {name}")  # noqa: S608 - names of this package only
        if there != count:
            raise MigrationError(f"{count} rows were written to {name}, but it holds {there}")


def _strict_message(report: ImportReport) -> str:
    lines = [
        f"  {table} {reason['key']!r}: {reason['reason']}"
        for table, account in report.tables.items()
        for reason in account.reasons
    ]
    named = lines[:_REASONS_NAMED]
    if report.damaged > len(named):
        named.append(f"  and {report.damaged - len(named)} more")
    return (
        f"{report.damaged} rows of {report.source} cannot be read, so nothing was imported and nothing was changed:\n"
        + "\n".join(named)
        + "\nTo import the rest and keep these rows whole in the table v1_quarantine, run it again with "
        "-x on_bad=quarantine"
    )
