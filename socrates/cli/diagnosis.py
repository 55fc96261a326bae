"""What is wrong with a database, and what of it a repair can mend."""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from socrates.database.migrations import current_revision, head_revision
from socrates.database.repair.finding import Finding, Keys, Kind
from socrates.database.repair.findings import (
    DAMAGED_PAGES,
    broken_rules,
    damage,
    is_damage,
    lost_parents,
    missing_parts,
)
from socrates.database.repair.misplaced import misplaced_pages
from socrates.errors import DatabaseError, MigrationError, NotRecognisedError
from socrates.models import Base
from socrates.v1.exclusive import refusal
from socrates.v1.files import UnreadableSchemaError, is_sqlite, read_only
from socrates.v1.layout import TABLES_OF
from socrates.v1.ledger import LEDGER_TABLES, gaps, last_run
from socrates.v1.reader import V1Reader
from socrates.v1.retrieval import Retrieval
from socrates.v1.shapes import FileKind, backups_in, recognise
from socrates.v1.sqlite_errors import sqlite_cause
from socrates.v1.target import Target

ACCOUNT_TABLES = frozenset(name for name in Base.metadata.tables if name.startswith("v1_"))
"""Those that prove an import. Nothing is taken out of them, and nothing gives back what they lost but a backup."""

_PLANS = {
    Kind.PAGES: "carry over what can be read into a new file, and put that in the place of this one, which is kept",
    Kind.INDEX: "carry the rows over into a new file, and put that in the place of this one, which is kept",
    Kind.SCHEMA: "make what is missing",
    Kind.IMPORT: "take again from v1's rows what is proven to be what was imported",
    Kind.GAP: "take messages again from v1's rows, as far as they were imported",
    Kind.REFERENCE: "take parents again from v1's rows; move rows whose parent stays away into a file beside this one",
    Kind.COUNT: "count the messages again",
}
"""What a repair does about each kind of finding. About the other kinds it can do nothing."""


@dataclass(slots=True)
class Diagnosis:
    """What was found. `kind` is None where too much is damaged to tell what the file is."""

    database: Path
    kind: FileKind | None
    revision: str | None = None
    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def is_at_head(self) -> bool:
        return self.kind is FileKind.OURS and self.revision == head_revision()

    @property
    def is_damaged(self) -> bool:
        """Whether the file has to be carried over: then nothing else can be known of it before."""
        return any(finding.kind in (Kind.PAGES, Kind.INDEX) for finding in self.findings)

    @property
    def suspects(self) -> frozenset[str]:
        """The indexes that do not fit their tables."""
        return frozenset(str(finding.name) for finding in self.findings if finding.kind is Kind.INDEX)

    @property
    def lacks_parents(self) -> bool:
        """Whether a table is missing that others refer to. No repair gives that back."""
        parents = {key.column.table.name for table in Base.metadata.sorted_tables for key in table.foreign_keys}
        return any(finding.kind is Kind.SCHEMA and finding.name in parents for finding in self.findings)

    def can_mend(self, finding: Finding) -> bool:
        """Whether a repair does something about `finding`."""
        if finding.kind in (Kind.PAGES, Kind.INDEX):
            return True
        if not self.is_at_head or self.lacks_parents or finding.table in ACCOUNT_TABLES:
            return False
        return finding.kind in _PLANS and (finding.kind is not Kind.SCHEMA or finding.name is not None)

    @property
    def plan(self) -> list[str]:
        """What a repair would do, in order."""
        kinds = {finding.kind for finding in self.findings if self.can_mend(finding)}
        return [text for kind, text in _PLANS.items() if kind in kinds]

    @property
    def advice(self) -> str | None:
        """What the owner should do about what no repair mends."""
        if all(map(self.can_mend, self.findings)):
            return None
        if self.kind is FileKind.OURS and not self.is_at_head:
            return f"upgrade it first, then repair it: socrates db upgrade {self.database}"
        return f"restore a backup, or mend by hand what is named: socrates db restore BACKUP {self.database}"


def diagnose(path: Path) -> Diagnosis:
    """What is wrong with the file. It is only read.

    Raises NotRecognisedError for a database that is neither v1's nor ours, DatabaseError for a file that cannot be
    read at all, with the backups that lie beside it, and BusyError when somebody is writing to it.
    """
    remarks: list[str] = []
    try:
        with read_only(path, remarks) as connection:
            found = examine(connection, path)
            _look_for_misplaced_pages(connection, found)
    except NotRecognisedError:
        raise
    except (UnreadableSchemaError, UnicodeDecodeError):  # Python cannot tell what SQLite says of names that are none
        return Diagnosis(path, None, None, [_damaged("the list of its tables")], remarks)
    except (MigrationError, sqlite3.Error) as error:
        cause = sqlite_cause(error)
        if is_damage(cause):
            return Diagnosis(path, None, None, [_damaged(str(cause))], remarks)
        if _is_no_database(cause, path):
            why = "its first page, which says what it is, is damaged, or it is encrypted"
            raise beyond_repair(path, why) from error
        if cause is not None:
            raise refusal(cause, path) from error
        raise
    found.remarks += remarks
    return found


def _look_for_misplaced_pages(connection: sqlite3.Connection, found: Diagnosis) -> None:
    """Rows whose parent is not there may be those of another table, in the place of rows that are lost."""
    suspects = frozenset(str(finding.table) for finding in found.findings if finding.kind is Kind.REFERENCE)
    if suspects and not found.is_damaged:
        keys = misplaced_pages(connection, suspects)
        if keys.count:
            found.findings.insert(0, Finding(Kind.PAGES, "pages of other tables in the place of lost ones", None, keys))


def _damaged(what: str) -> Finding:
    return Finding(Kind.PAGES, DAMAGED_PAGES, None, Keys.of([what]))


def examine(connection: sqlite3.Connection, path: Path) -> Diagnosis:
    """The same of an open connection. Raises NotRecognisedError, and sqlite3.Error."""
    kind = recognise(connection, frozenset(), str(path))
    found = Diagnosis(path, kind, current_revision(connection) if kind is FileKind.OURS else None)
    found.findings += damage(connection)
    if found.is_damaged or kind is FileKind.EMPTY:
        return found
    ours = {table.name for table in Base.metadata.sorted_tables}
    for finding in lost_parents(connection):
        if kind is FileKind.OURS and finding.table in ours:
            found.findings.append(finding)
        elif kind is FileKind.V1:
            found.remarks.append(f"{finding}. v1's own deletes leave such rows; an upgrade keeps them in quarantine")
    if found.is_at_head:
        found.findings += broken_rules(connection)
        found.findings += _lost_imports(connection)
    return found


def _lost_imports(connection: sqlite3.Connection) -> Iterator[Finding]:
    """What is missing of what was imported, and of the account of that."""
    if any(part.kind == "table" for part in missing_parts(connection)):
        return
    target = Target(connection)
    run = last_run(target)
    if run is None:
        return
    retrieval = Retrieval(target, run, V1Reader(connection, backups_in(connection)))
    for table in TABLES_OF:
        keys = Keys.of(map(repr, sorted(retrieval.missing(table))))
        if keys.count:
            yield Finding(
                Kind.IMPORT, f"imported records of v1's {table} that are missing", TABLES_OF[table][0].name, keys
            )
    lost = Keys.of(map(str, gaps(target, run)))
    if lost.count:
        yield Finding(Kind.IMPORT, "the account of the import is not whole", LEDGER_TABLES[0], lost)


def beyond_repair(path: Path, why: str) -> DatabaseError:
    """Why nothing can be repaired, and which backups there are."""
    why = why.removesuffix(" Nothing was changed.").rstrip(".")
    sound = sound_backups(path)
    if not sound:
        hint = "There is no sound backup beside it. sqlite3's .recover may still find rows."
    else:
        names = ", ".join(backup.name for backup in sound)
        hint = f"Restore a backup: socrates db restore {sound[0]} {path}. Sound ones, the newest first: {names}."
    return DatabaseError(f"{path}: {why}. Nothing was changed. {hint}")


def sound_backups(path: Path) -> list[Path]:
    """The copies of the database that lie beside it and are not damaged, the newest first."""
    home = path.resolve()
    found = [
        beside
        for beside in home.parent.glob("*")
        if beside.name.startswith((f"{home.name}.backup_", f"{home.name}.replaced_")) and _is_sound(beside)
    ]
    return sorted(found, key=lambda beside: beside.name.rpartition(".")[2].partition("_")[2], reverse=True)


def _is_sound(backup: Path) -> bool:
    with suppress(MigrationError, sqlite3.Error, OSError), read_only(backup) as connection:
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    return False


def _is_no_database(cause: sqlite3.Error | None, path: Path) -> bool:
    if cause is not None:
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB
    with suppress(OSError):
        return path.is_file() and path.stat().st_size > 0 and not is_sqlite(path)
    return False
