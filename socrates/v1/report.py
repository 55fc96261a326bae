"""What an import did, table by table: kept in `v1_import_runs`, written by ``-x report=``, and shown to the owner."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from socrates.v1.reading import Note, printable

NOTES_SHOWN = 1000
"""Notes that a report repeats per table. All of them are rows of `v1_import_notes`."""


@dataclass(slots=True)
class TableReport:
    """The account of one v1 table. `read` = `imported` + `quarantined`, always."""

    read: int = 0
    imported: int = 0
    quarantined: int = 0
    orphaned: int = 0
    """How many of the quarantined rows only lack their project (V8)."""
    adjusted: Counter[str] = field(default_factory=Counter)
    """Kind of adjustment → how often."""
    notes: list[dict[str, Any]] = field(default_factory=list)
    orphans: list[dict[str, Any]] = field(default_factory=list)
    reasons: list[dict[str, Any]] = field(default_factory=list)
    """Key and reason of rows in quarantine, those that only lack their project apart; at most `NOTES_SHOWN` each."""

    def add_notes(self, key: str | None, notes: list[Note]) -> None:
        self.adjusted.update(note.kind for note in notes)
        for note in notes[: max(0, NOTES_SHOWN - len(self.notes))]:
            self.notes.append({"key": key, **note._asdict()})

    def add_quarantined(self, key: str | None, reason: str, *, orphan: bool) -> None:
        self.quarantined += 1
        self.orphaned += orphan
        named = self.orphans if orphan else self.reasons
        if len(named) < NOTES_SHOWN:
            named.append({"key": key, "reason": printable(reason)})

    def as_json(self) -> dict[str, Any]:
        return {
            "read": self.read,
            "imported": self.imported,
            "quarantined": self.quarantined,
            "orphaned": self.orphaned,
            "adjusted": dict(sorted(self.adjusted.items())),
            "notes": self.notes,
            "notes_omitted": self.adjusted.total() - len(self.notes),
            "reasons": self.reasons,
            "orphans": self.orphans,
        }


@dataclass(slots=True)
class ImportReport:
    """The account of one import."""

    source: str
    timezone: str
    tables: dict[str, TableReport] = field(default_factory=dict)
    seconds: float = 0.0
    remarks: list[str] = field(default_factory=list)
    """What the owner should know beside the figures."""

    @property
    def damaged(self) -> int:
        """Rows in quarantine for another reason than a missing project."""
        return sum(table.quarantined - table.orphaned for table in self.tables.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "timezone": self.timezone,
            "seconds": round(self.seconds, 3),
            "tables": {name: table.as_json() for name, table in self.tables.items()},
            "remarks": self.remarks,
        }
