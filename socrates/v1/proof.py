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
from socrates.v1.key_copies import cannot_be_given_back
from socrates.v1.ledger import (
    COPIED,
    DROPPED,
    BackupChange,
    Gap,
    Run,
    backup_changes,
    gaps,
    has_remains,
    last_run,
)
from socrates.v1.reader import V1Reader
from socrates.v1.shapes import BACKUP_SUFFIX
from socrates.v1.target import Target


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found of one import. `source` is None where v1's rows could not be read; `elsewhere` says why."""

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
                "blanked": source.blanked.as_json(),
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


def prove_last(target: Target, reader: V1Reader | None, database: str, given: V1Reader | None = None) -> Proof | None:
    """Check the last import; None where nothing was ever imported.

    `reader` reads v1's tables where they were set aside beside the new ones, `given` reads those of a file that takes
    their place, `database` is for the message. Raises MigrationError when an import left traces, or is still to come,
    and there is no account of it.
    """
    run = last_run(target)
    if run is not None:
        return prove(run, target, given or reader)
    if (reader is not None and reader.names) or has_remains(target):
        raise MigrationError(
            f"{database} holds v1's tables, or what an import noted, but no account of an import: nothing can be "
            "proven. Nothing was changed. If the import is still to come: socrates db upgrade. If not, the account "
            "was removed: restore a backup."
        )
    return None


def prove(run: Run, target: Target, reader: V1Reader | None) -> Proof:
    """Check the import `run` by v1's rows that `reader` reads, if there are any."""
    done = tuple(backup_changes(target, run))
    elsewhere = _elsewhere(run, done, reader)
    source = check_source(reader, target, run) if elsewhere is None else None
    return Proof(run, source, elsewhere, done, changes_since(target, run), tuple(gaps(target, run)))


def _elsewhere(run: Run, done: tuple[BackupChange, ...], reader: V1Reader | None) -> str | None:
    """Where v1's rows are, if it is no loss that they are not at hand."""
    if reader is not None and reader.names:  # tables that came back have to prove themselves
        return None
    if run.options.get("v1") is not None:
        return f"they came from {run.source}"
    return next((str(change) for change in done if _explains_absence(change, run)), None)


def _explains_absence(change: BackupChange, run: Run) -> bool:
    """Whether v1's tables are gone by `change`. A copy of a file that lacked some of them doesn't make up for these."""
    if change.kind == COPIED:
        return {name + BACKUP_SUFFIX for name in run.options["tables"]}.issubset(change.details["tables"])
    return change.kind == DROPPED


def what_came_after(target: Target, run: Run) -> str:
    """Why a downgrade is refused that would lose what was written since the import, and the account of it."""
    ((released,),) = target.query("SELECT count(*) FROM v1_quarantine_releases")
    parts = (
        f"rows were written since the import: {changes_since(target, run)}; imported out of quarantine: {released}",
        cannot_be_given_back(target, run),
        "Nothing was changed. To lose these changes, run it again with -x discard=1",
    )
    return ". ".join(filter(None, parts))
