"""The whole proof that an import lost nothing, at any time after it (design, Migrations).

It has two halves. (a) v1's own rows still convert to the digests that the import kept. (b) The new tables hold what
these digests promise, or what was written, changed or deleted since. The proof fails by (a), by a row that is missing
though nobody deleted it, or when the account that it relies on is not whole: what was lost together with its digest
would not be missed otherwise.
"""

from dataclasses import dataclass
from typing import Any

from socrates.errors import MigrationError
from socrates.v1.check import Changes, SourceCheck, changes_since, check_source
from socrates.v1.ledger import DROPPED, BackupChange, Gap, Run, backup_changes, gaps, has_remains, last_run
from socrates.v1.reader import V1Reader
from socrates.v1.target import Target


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found of one import. `source` is None where v1's rows are elsewhere or dropped; `elsewhere` says it."""

    run: Run
    source: SourceCheck | None
    elsewhere: str | None
    backup_changes: tuple[BackupChange, ...]
    changes: Changes
    gaps: tuple[Gap, ...]

    @property
    def holds(self) -> bool:
        return (self.source is None or self.source.proven) and not self.changes.missing.count and not self.gaps

    def as_json(self) -> dict[str, Any]:
        """The figures, and the first few keys of each kind."""
        source, changes = self.source, self.changes
        return {
            "proven": self.holds,
            "source": None
            if source is None
            else {
                "equal": source.equal,
                "differing": source.differing.as_json(),
                "missing": source.missing.as_json(),
                "quarantined": source.quarantined,
                "unaccounted": source.unaccounted.as_json(),
            },
            "source_elsewhere": self.elsewhere,
            "account_gaps": [gap._asdict() for gap in self.gaps],
            "backup_changes": [change._asdict() for change in self.backup_changes],
            "rows": {
                "equal": changes.equal,
                "changed": changes.changed.as_json(),
                "added": changes.added.as_json(),
                "deleted": changes.deleted.as_json(),
                "missing": changes.missing.as_json(),
            },
        }


def prove_last(target: Target, reader: V1Reader, database: str) -> Proof | None:
    """Check the last import; None where nothing was ever imported.

    `reader` reads v1's tables where they were set aside beside the new ones, `database` is for the message. Raises
    MigrationError when an import left traces, or is still to come, and there is no account of it.
    """
    run = last_run(target)
    if run is not None:
        return prove(run, target, reader)
    if reader.names or has_remains(target):
        raise MigrationError(
            f"{database} holds v1's tables, or what an import noted, but no account of an import: nothing can be "
            "proven. Nothing was changed. If the import is still to come: socrates db upgrade. If not, the account "
            "was removed: restore a backup."
        )
    return None


def prove(run: Run, target: Target, reader: V1Reader) -> Proof:
    """Check the import `run`; `reader` is as in `prove_last`."""
    done = tuple(backup_changes(target, run))
    elsewhere = _elsewhere(run, done, reader)
    source = check_source(reader, target, run) if elsewhere is None else None
    return Proof(run, source, elsewhere, done, changes_since(target, run), tuple(gaps(target, run)))


def _elsewhere(run: Run, done: tuple[BackupChange, ...], reader: V1Reader) -> str | None:
    """Where v1's rows are, if not here."""
    if run.options.get("v1") is not None:
        return f"v1's rows are not kept here: they came from {run.source}"
    dropped = next((change for change in done if change.kind == DROPPED), None)
    if dropped is None or reader.names:  # tables that came back have to prove themselves
        return None
    return f"v1's tables were dropped at {dropped.changed_at[:19]} UTC, after a check"
