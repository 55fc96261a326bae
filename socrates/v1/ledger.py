"""What the import writes about itself: its runs, the digests it promises, its notes, and the quarantine."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from socrates.errors import DamagedRecordError
from socrates.tagged_json import encode
from socrates.v1.layout import Kind, Row, Table
from socrates.v1.reader import SourceRow
from socrates.v1.reading import Note, printable
from socrates.v1.report import ImportReport
from socrates.v1.target import Target, parsed
from socrates.v1.times import as_text

_RUNS = Table(
    "v1_import_runs",
    (
        ("id", Kind.INTEGER),
        ("source", Kind.TEXT),
        ("started_at", Kind.TIME),
        ("finished_at", Kind.TIME),
        ("timezone", Kind.TEXT),
        ("options", Kind.JSON),
        ("report", Kind.JSON),
    ),
    (0,),
)
_DIGESTS = Table(
    "v1_import_digests",
    (
        ("run_id", Kind.INTEGER),
        ("source_table", Kind.TEXT),
        ("source_key", Kind.TEXT),
        ("digest", Kind.BYTES),
    ),
    (0, 1, 2),
)
_NOTES = Table(
    "v1_import_notes",
    (
        ("run_id", Kind.INTEGER),
        ("position", Kind.INTEGER),
        ("source_table", Kind.TEXT),
        ("source_key", Kind.TEXT),
        ("kind", Kind.TEXT),
        ("field", Kind.TEXT),
        ("original", Kind.JSON),
    ),
    (0, 1),
)
_QUARANTINE = Table(
    "v1_quarantine",
    (
        ("id", Kind.INTEGER),
        ("source_table", Kind.TEXT),
        ("source_key", Kind.TEXT),
        ("reason", Kind.TEXT),
        ("row_columns", Kind.JSON),
        ("data", Kind.BYTES),
    ),
    (0,),
)
_BACKUP_CHANGES = Table(
    "v1_backup_changes",
    (
        ("run_id", Kind.INTEGER),
        ("position", Kind.INTEGER),
        ("kind", Kind.TEXT),
        ("changed_at", Kind.TIME),
        ("details", Kind.JSON),
    ),
    (0, 1),
)
LEDGER_TABLES = tuple(table.name for table in (_DIGESTS, _NOTES, _QUARANTINE, _RUNS))
"""In an order in which they can be emptied."""


class Run(NamedTuple):
    """One finished import."""

    id: int
    source: str
    timezone: str
    options: dict[str, Any]


class Ledger:
    """The account of one import, while it is written. `v1_import_notes.original` is a list of one tagged value."""

    def __init__(self, target: Target, started: datetime) -> None:
        self._target = target
        self._started = started
        ((highest,),) = target.query("SELECT max(id) FROM v1_import_runs")
        self.run_id: int = (highest or 0) + 1
        ((quarantined,),) = target.query("SELECT max(id) FROM v1_quarantine")
        self._quarantined: int = quarantined or 0
        self._noted = 0

    def begin(self, report: ImportReport, options: dict[str, Any]) -> None:
        """Write the run, which digests and notes refer to; `finish` completes it."""
        values = (self.run_id, report.source, _stored(self._started), None, report.timezone, json.dumps(options), "{}")
        self._target.insert(_RUNS, [values])

    def add_digests(self, table: str, digests: list[tuple[str, bytes]]) -> None:
        self._target.insert(_DIGESTS, [(self.run_id, table, key, digest) for key, digest in digests])

    def add_notes(self, table: str, notes: list[tuple[str | None, Note]]) -> None:
        rows: list[Row] = []
        for key, note in notes:
            original = json.dumps([note.original])  # a bare number would fall to the JSON column's numeric affinity
            rows.append((self.run_id, self._noted, table, key, note.kind, printable(note.field), original))
            self._noted += 1
        self._target.insert(_NOTES, rows)

    def quarantine(self, row: SourceRow, reason: str) -> None:
        """Keep a row that cannot be read, whole: its key, its other columns, and its raw data."""
        self._quarantined += 1
        columns = json.dumps(encode(row.other_columns()))
        values = (
            self._quarantined,
            row.table,
            quarantine_key(self._target, row),
            printable(reason),
            columns,
            row.raw_data,
        )
        self._target.insert(_QUARANTINE, [values])

    def finish(self, report: ImportReport) -> None:
        finished = self._target.bound(Kind.TIME, _stored(datetime.now(UTC)))
        self._target.execute(
            "UPDATE v1_import_runs SET finished_at = ?, report = ? WHERE id = ?",
            (finished, json.dumps(report.as_json()), self.run_id),
        )


def quarantine_key(target: Target, row: SourceRow) -> str | None:
    """The key under which a quarantine keeps a row of v1's; None where that is no text, or none that `target` holds."""
    key = row.key
    return key if key is not None and target.holds(key) else None


def last_run(target: Target) -> Run | None:
    """The last import into this database, or None. Raises DamagedRecordError for options that no import writes."""
    rows = target.query("SELECT id, source, timezone, options FROM v1_import_runs ORDER BY id DESC LIMIT 1")
    if not rows:
        return None
    identity, source, timezone, options = rows[0]
    found = _object(options, identity, "options")
    tables = found.get("tables")
    if not isinstance(tables, list) or not all(isinstance(name, str) for name in tables):
        raise damaged_account(identity, "options")
    return Run(identity, source, timezone, found)


def reported(target: Target, run: Run) -> dict[str, dict[str, int]]:
    """What `run` said it had done: per table of v1, the numbers of rows "read", "imported" and "quarantined".

    Raises DamagedRecordError when that is not what stands there.
    """
    ((report,),) = target.query("SELECT report FROM v1_import_runs WHERE id = ?", (run.id,))
    tables = _object(report, run.id, "report").get("tables", {})
    if not isinstance(tables, dict) or not all(map(_are_figures, tables.values())):
        raise damaged_account(run.id, "report")
    return tables


def damaged_account(run_id: int, column: str) -> DamagedRecordError:
    """What to say of a run whose `column` holds what no import writes."""
    return DamagedRecordError(
        f"v1_import_runs.{column} of run {run_id} is not what an import writes there: it was changed by hand. Nothing "
        "was changed now. Put back what stood there, or restore a backup."
    )


def _object(value: Any, run_id: int, column: str) -> dict[str, Any]:
    try:
        found = parsed(value)
    except (ValueError, RecursionError) as error:
        raise damaged_account(run_id, column) from error
    if not isinstance(found, dict):
        raise damaged_account(run_id, column)
    return found


def _are_figures(rows: Any) -> bool:
    names = ("read", "imported", "quarantined")
    return isinstance(rows, dict) and all(isinstance(rows.get(name), int) for name in names)


def digests_of(target: Target, run: Run, table: str) -> Iterator[tuple[str, bytes]]:
    """Key and digest of every row of v1's `table` that `run` imported, by key, read in portions."""
    after: str | None = None
    while True:
        sql = "SELECT source_key, digest FROM v1_import_digests WHERE run_id = ? AND source_table = ?"
        parameters: list[Any] = [run.id, table]
        if after is not None:
            sql += " AND source_key > ?"
            parameters.append(after)
        rows = target.query(sql + " ORDER BY source_key LIMIT 500", parameters)
        if not rows:
            return
        for key, value in rows:
            yield key, bytes(value)
        after = rows[-1][0]


def deleted_keys(target: Target, run: Run, table: str) -> frozenset[str]:
    """The keys of v1's `table` whose records were deleted since `run`; none are known before revision 0004."""
    if not target.has_table("v1_import_deletions"):
        return frozenset()
    sql = "SELECT source_key FROM v1_import_deletions WHERE run_id = ? AND source_table = ?"
    return frozenset(key for (key,) in target.query(sql, (run.id, table)))


class Gap(NamedTuple):
    """Where the account of an import holds another number of rows than the import reported."""

    kind: str
    """"digests" or "quarantine"."""
    table: str
    """v1's table that the rows are of."""
    reported: int
    held: int

    def __str__(self) -> str:
        return f"{self.kind} of {self.table}: {self.held:,} in place of {self.reported:,}"


def gaps(target: Target, run: Run) -> list[Gap]:
    """What was lost of the account of `run`, or put into it, in figures. Raises DamagedRecordError."""
    told_of = reported(target, run)
    counted = "SELECT source_table, count(*) FROM {} GROUP BY source_table"
    digests = dict(target.query(counted.format("v1_import_digests WHERE run_id = ?"), (run.id,)))
    quarantine = dict(target.query(counted.format("v1_quarantine")))
    later: dict[str, int] = {}
    if target.has_table("v1_quarantine_releases"):
        later = dict(target.query(counted.format("v1_quarantine_releases JOIN v1_quarantine ON id = quarantine_id")))
    found = []
    for table in sorted({*told_of, *digests, *quarantine}):
        told = told_of.get(table, {})
        promised = told.get("imported", 0) + later.get(table, 0)
        found.append(Gap("digests", table, promised, digests.get(table, 0)))
        found.append(Gap("quarantine", table, told.get("quarantined", 0), quarantine.get(table, 0)))
    return [gap for gap in found if gap.held != gap.reported]


def has_remains(target: Target) -> bool:
    """Tell whether anything is left of the account of an import whose run is gone."""
    return any(target.query(f"SELECT 1 FROM {name} LIMIT 1") for name in LEDGER_TABLES)  # noqa: S608


class BackupChange(NamedTuple):
    """What a command of ours did to v1's own tables; `changed_at` is in UTC."""

    kind: str
    changed_at: str
    details: dict[str, Any]

    def __str__(self) -> str:
        at = f"at {self.changed_at[:19]} UTC"
        if self.kind == COPIED:
            return f"v1's tables stayed behind in {self.details['source']} when the rest was copied, {at}"
        return f"v1's tables were {self.kind} {at}"


DROPPED = "dropped"
"""The kind of change that leaves none of v1's tables."""
COPIED = "copied"
"""The kind that `socrates.database.copying` notes in a copy: the tables that its details name are in the `source`."""
BLANKED = "blanked of API keys"
"""The kind that empties `encrypted_key` in v1's `api_keys`; its details hold the digest of what each row is since."""


def backup_changes(target: Target, run: Run) -> list[BackupChange]:
    """What was done to v1's tables since `run`, the earliest first; nothing is known before revision 0004."""
    if not target.has_table("v1_backup_changes"):
        return []
    at = target.column("changed_at", Kind.TIME)
    sql = f"SELECT kind, {at}, details FROM v1_backup_changes WHERE run_id = ? ORDER BY position"  # noqa: S608
    return [BackupChange(kind, str(at), parsed(details)) for kind, at, details in target.query(sql, (run.id,))]


def blanked_digests(target: Target, run: Run) -> dict[str, bytes]:
    """The digest of every row of v1's `api_keys` that was blanked since `run`, by key."""
    blanked = (change.details["digests"] for change in backup_changes(target, run) if change.kind == BLANKED)
    return {key: bytes.fromhex(found) for digests in blanked for key, found in digests.items()}


def note_backup_change(target: Target, run: Run, kind: str, details: dict[str, Any]) -> None:
    """Write down, in the transaction that makes it, a change to v1's tables."""
    values = (run.id, len(backup_changes(target, run)), kind, _stored(datetime.now(UTC)), json.dumps(details))
    target.insert(_BACKUP_CHANGES, [values])


def _stored(moment: datetime) -> str:
    return as_text(moment.astimezone(UTC).replace(tzinfo=None))
