"""The rows that an import could not read: what is kept of them, and importing them later.

A row of `v1_quarantine` stays there, whole, for good. When it is imported after all, as it is or as its owner corrected
it, `v1_quarantine_releases` says under which key it came in and with which correction, and the import's own account
grows by its digest and its notes: so `socrates.v1.check` can convert it again, and proves it like any other.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from socrates.errors import ConfigurationError, DamagedRecordError, InvalidValueError
from socrates.tagged_json import encode
from socrates.v1.corrections import Correction, columns_of, from_stored, parse
from socrates.v1.digest import digest
from socrates.v1.importer import NEEDS_PROJECT, OrphanError, compare, convert, convert_loaded
from socrates.v1.layout import TABLES_OF, Kind, Rows, Table
from socrates.v1.ledger import Ledger, Run
from socrates.v1.reader import SourceRow
from socrates.v1.reading import Note, printable
from socrates.v1.shapes import V1_TABLES
from socrates.v1.target import Target
from socrates.v1.times import Zone, as_text

_RELEASES = Table(
    "v1_quarantine_releases",
    (
        ("quarantine_id", Kind.INTEGER),
        ("source_key", Kind.TEXT),
        ("released_at", Kind.TIME),
        ("correction", Kind.JSON),
    ),
    (0,),
)
_ORDER = {table: place for place, table in enumerate(TABLES_OF)}


class Held(NamedTuple):
    """A row in quarantine, without what it holds."""

    id: int
    table: str
    key: str | None
    """v1's key; None where that is no text."""
    reason: str
    size: int
    """Bytes of the raw data."""
    released_as: str | None
    """The key under which it was imported later; None while it was not."""
    released_at: str | None
    """When that was, in UTC."""
    corrected: bool
    """Whether its owner had corrected it for that."""


class Entry(NamedTuple):
    """A row in quarantine, whole."""

    id: int
    table: str
    key: str | None
    reason: str
    columns_text: str
    """All columns but `data`, as tagged JSON."""
    data: bytes | None

    @property
    def columns(self) -> dict[str, Any]:
        """All columns but `data`; text that is not UTF-8 as bytes. Raises DamagedRecordError."""
        return columns_of(parse(self.columns_text), self.table)

    def row(self, correction: Correction) -> SourceRow:
        """The row of v1's, as `correction` has it. Raises DamagedRecordError."""
        columns = self.columns if correction.columns is None else correction.columns
        data = self.data if correction.value is None else correction.stand_in
        return _KeptRow(self.table, {**columns, "data": data})


class _KeptRow(SourceRow):
    """A row out of quarantine, which keeps as bytes what v1 stored as text that is not UTF-8."""

    __slots__ = ()

    def value(self, column: str) -> Any:
        value = super().value(column)
        if type(value) is bytes and not _is_utf8(value):
            raise DamagedRecordError(f"the column {column} is not valid UTF-8")
        return value


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def held(target: Target) -> list[Held]:
    """All rows in quarantine, those that were imported later too, in the order in which they came there."""
    found = target.query(
        "SELECT q.id, q.source_table, q.source_key, q.reason, length(q.data), r.source_key, r.released_at, "
        "r.correction IS NOT NULL FROM v1_quarantine q LEFT JOIN v1_quarantine_releases r ON r.quarantine_id = q.id "
        "ORDER BY q.id"
    )
    return [
        Held(identity, table, key, reason, size or 0, released_as, at and str(at), bool(corrected))
        for identity, table, key, reason, size, released_as, at, corrected in found
    ]


def entry(target: Target, identity: int) -> Entry:
    """One row in quarantine, whole. Raises InvalidValueError when there is none with this id."""
    columns_text = target.column("row_columns", Kind.JSON)
    found = target.query(
        f"SELECT source_table, source_key, reason, {columns_text}, data FROM v1_quarantine WHERE id = ?",  # noqa: S608
        (identity,),
    )
    if not found:
        raise InvalidValueError(f"there is no row {identity} in quarantine. Nothing was changed.")
    ((table, key, reason, columns, data),) = found
    return Entry(identity, table, key, reason, str(columns), None if data is None else bytes(data))


def chosen(rows: Iterable[Held], ids: Iterable[int]) -> list[Held]:
    """The rows with these ids; without any id all that were not imported yet. Raises InvalidValueError."""
    by_id = {row.id: row for row in rows}
    wanted = list(dict.fromkeys(ids))
    for identity in wanted:
        if identity not in by_id:
            raise InvalidValueError(f"there is no row {identity} in quarantine. Nothing was changed.")
    return [by_id[identity] for identity in wanted] or [row for row in by_id.values() if row.released_as is None]


def convert_entry(kept: Entry, correction: Correction, zone: Zone) -> tuple[str, Rows, list[Note]]:
    """The key of a row in quarantine, the rows that it becomes, and what was adjusted. Raises DamagedRecordError.

    `zone` is that of the import, unless `correction` has another.
    """
    row = kept.row(correction)
    if correction.timezone is not None:
        zone = _zone(correction.timezone)
    if correction.value is None:
        rows, notes = convert(row, zone)
    else:
        rows, notes = convert_loaded(row, correction.value, zone)
    return row.value(V1_TABLES[kept.table].key), rows, notes


def _zone(name: str) -> Zone:
    try:
        return Zone(name)
    except ConfigurationError as error:
        raise DamagedRecordError(str(error)) from error


def require_project(target: Target, row: SourceRow) -> None:
    """Raises OrphanError when `row` belongs to a project that is not there."""
    if row.table not in NEEDS_PROJECT:
        return
    project_id = row.value("project_id")
    if type(project_id) is not str or not target.query("SELECT 1 FROM projects WHERE id = ?", (project_id,)):
        raise OrphanError(project_id)


class Released(NamedTuple):
    """A row that was imported out of quarantine, as it proves itself later."""

    source_key: str | None
    """v1's key."""
    fingerprint: bytes
    """Of the whole row as v1 had it."""
    key: str
    """The key under which it was imported."""
    digest: bytes | None
    """Of what it converts to now; None when it no longer converts."""


def released(target: Target, table: str, zone: Zone) -> Iterator[Released]:
    """The rows of v1's `table` that were imported later, read and converted one by one.

    None are known before revision 0004.
    """
    if not target.has_table(_RELEASES.name):
        return
    found = target.query(
        "SELECT q.id FROM v1_quarantine_releases r JOIN v1_quarantine q ON q.id = r.quarantine_id "
        "WHERE q.source_table = ? ORDER BY q.id",
        (table,),
    )
    stored_correction = target.column("correction", Kind.JSON)
    for (identity,) in found:
        kept = entry(target, identity)
        ((key, correction),) = target.query(
            f"SELECT source_key, {stored_correction} FROM v1_quarantine_releases WHERE quarantine_id = ?",  # noqa: S608
            (identity,),
        )
        stored = None if correction is None else str(correction)
        yield Released(kept.key, _fingerprint(kept.columns_text, kept.data), key, _digest(kept, stored, zone))


class Waiting(NamedTuple):
    """A row that is still in quarantine."""

    key: str | None
    """v1's key."""
    fingerprint: bytes
    """Of the whole row as v1 had it."""


def waiting(target: Target, table: str) -> Iterator[Waiting]:
    """The rows of v1's `table` that were not imported later, read one by one."""
    sql = "SELECT id FROM v1_quarantine WHERE source_table = ?"
    if target.has_table(_RELEASES.name):
        sql += " AND id NOT IN (SELECT quarantine_id FROM v1_quarantine_releases)"
    for (identity,) in target.query(sql, (table,)):
        kept = entry(target, identity)
        yield Waiting(kept.key, _fingerprint(kept.columns_text, kept.data))


def _digest(kept: Entry, stored: str | None, zone: Zone) -> bytes | None:
    try:
        _, rows, _ = convert_entry(kept, from_stored(stored, kept.table), zone)
    except DamagedRecordError:
        return None
    return digest(rows, TABLES_OF[kept.table])


def fingerprint_of(row: SourceRow) -> bytes:
    """What `Released.fingerprint` is of the same row while v1 has it."""
    return _fingerprint(json.dumps(encode(row.other_columns())), row.raw_data)


def _fingerprint(columns_text: str, data: bytes | None) -> bytes:
    parts = hashlib.blake2b(columns_text.encode("ascii", "backslashreplace"))
    parts.update(b"\x00" if data is None else b"\x01" + data)
    return parts.digest()


class Outcome(NamedTuple):
    """What became of one row."""

    id: int
    table: str
    source_key: str | None
    key: str | None
    """The key under which it was imported; None when it still is not."""
    corrected: bool
    adjusted: int
    """How many notes the import made of it."""
    reason: str | None
    """Why it still is not imported."""

    @property
    def imported(self) -> bool:
        return self.key is not None


class Retry:
    """Importing rows out of quarantine. Writes in the caller's transaction, and does not commit."""

    def __init__(self, target: Target, run: Run, timezone: str | None = None) -> None:
        """`run`: the last import. `timezone`: the zone of naive times; None is that of the import.

        Raises ConfigurationError for a zone that is not known.
        """
        self._target = target
        self._run = run
        self._zone = Zone(run.timezone)
        self._timezone = None if timezone is None or Zone(timezone).name == run.timezone else Zone(timezone).name
        self._ledger = _LaterLedger(target, run)

    def run(self, rows: Iterable[Held], correction_of: Callable[[Entry], Correction]) -> Iterator[Outcome]:
        """Try each of `rows` that is not imported yet, in the import's order, and tell what became of it."""
        for row in sorted(rows, key=lambda row: (_ORDER.get(row.table, len(_ORDER)), row.id)):
            if row.released_as is not None:
                yield Outcome(row.id, row.table, row.key, row.released_as, row.corrected, 0, None)
                continue
            kept = entry(self._target, row.id)
            correction = correction_of(kept)._replace(timezone=self._timezone)
            yield self._try(kept, correction)

    def _try(self, kept: Entry, correction: Correction) -> Outcome:
        corrected = any(part is not None for part in correction)
        self._target.execute("SAVEPOINT v1_row")
        try:
            key, adjusted = self._import(kept, correction)
        except (DamagedRecordError, sqlite3.IntegrityError) as error:
            self._target.execute("ROLLBACK TO v1_row")
            self._target.execute("RELEASE v1_row")
            return Outcome(kept.id, kept.table, kept.key, None, corrected, 0, printable(str(error)))
        self._target.execute("RELEASE v1_row")
        return Outcome(kept.id, kept.table, kept.key, key, corrected, adjusted, None)

    def _import(self, kept: Entry, correction: Correction) -> tuple[str, int]:
        row = kept.row(correction)
        require_project(self._target, row)
        key, rows, notes = convert_entry(kept, correction, self._zone)
        tables = TABLES_OF[kept.table]
        reason = self._target.unstorable(rows, tables, row.raw_data or b"")
        if reason is not None:
            raise DamagedRecordError(reason)
        self._require_free(kept.table, key, rows)
        for table in tables:
            self._target.insert(table, rows[table.name])
            compare(self._target, table, rows[table.name], key, key)
        self._ledger.add_digests(kept.table, [(key, digest(rows, tables))])
        self._ledger.add_notes(kept.table, [(key, note) for note in notes])
        self._ledger.add_release(kept.id, key, correction)
        return key, len(notes)

    def _require_free(self, table: str, key: str, rows: Rows) -> None:
        """Raises DamagedRecordError when a row that is there, or was, stands in the way. Nothing is overwritten."""
        main, *_ = tables = TABLES_OF[table]
        where = f"columns.{V1_TABLES[table].key}"
        for part in tables:
            if self._target.query(f"SELECT 1 FROM {part.name} WHERE {part.names[0]} = ? LIMIT 1", (key,)):  # noqa: S608
                raise DamagedRecordError(f"{part.name} has rows with its key by now; another key may stand in {where}")
        promised = "SELECT 1 FROM v1_import_digests WHERE run_id = ? AND source_table = ? AND source_key = ?"
        if self._target.query(promised, (self._run.id, table, key)):
            raise DamagedRecordError(
                f"another row was imported with its key, and deleted since; another key may stand in {where}"
            )
        if unique := V1_TABLES[table].unique:
            (row,) = rows[main.name]
            condition = " AND ".join(f"{name} = ?" for name in unique)
            values = [row[main.names.index(name)] for name in unique]
            found = self._target.query(f"SELECT id FROM {main.name} WHERE {condition}", values)  # noqa: S608
            if found:
                raise DamagedRecordError(f"the row {found[0][0]!r} has the same {' and '.join(unique)} by now")


class _LaterLedger(Ledger):
    """The account of an import that is over, continued."""

    def __init__(self, target: Target, run: Run) -> None:
        super().__init__(target, datetime.now(UTC))
        self.run_id = run.id
        ((highest,),) = target.query("SELECT max(position) FROM v1_import_notes WHERE run_id = ?", (run.id,))
        self._noted = 0 if highest is None else highest + 1

    def add_release(self, identity: int, key: str, correction: Correction) -> None:
        now = as_text(datetime.now(UTC).replace(tzinfo=None))
        self._target.insert(_RELEASES, [(identity, key, now, correction.stored())])
