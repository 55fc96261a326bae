"""How a SQLite database is repaired: what is found, and how it is mended in place or carried over into a new file."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from socrates.cli.diagnosis import ACCOUNT_TABLES, Diagnosis, beyond_repair, examine
from socrates.database.migrations import head_revision
from socrates.database.repair.finding import Finding, Keys, Kind, shown
from socrates.database.repair.findings import damage
from socrates.database.repair.kept_rows import KeptRows
from socrates.database.repair.mending import (
    MESSAGES,
    complete_conversations,
    make_missing_parts,
    move_out_orphans,
    recount_messages,
    write_revision,
)
from socrates.database.repair.pages import UnsoundError
from socrates.database.repair.salvage import Rescue, salvage
from socrates.database.repair.stored_tables import quoted
from socrates.errors import BusyError, DatabaseError
from socrates.v1.backup import default_name, discarding, new_file, note_leftover, require_space, shape
from socrates.v1.exclusive import lock_unopenable, only_user, uninterrupted
from socrates.v1.files import read_only
from socrates.v1.layout import TABLES_OF
from socrates.v1.ledger import last_run
from socrates.v1.reader import V1Reader
from socrates.v1.restore import ReplacedError, put_in_place
from socrates.v1.retrieval import Retrieval
from socrates.v1.shapes import backups_in
from socrates.v1.target import Target

_COMPANIONS = ("-journal", "-wal")
_ROOM = 3
"""How often its own size a damaged file needs while it is carried over: a copy, the new file, and the kept one."""
_CERTAIN = (Kind.COUNT, Kind.REFERENCE, Kind.SCHEMA)
"""The kinds of findings that are gone after a repair, where it can do something about them."""
_HOLES_TOLD = 10
_WHOLE = Rescue("", by_rowid=False)


@dataclass(slots=True)
class Repair:
    """One repair, and what it did."""

    database: Path
    done: list[str] = field(default_factory=list)
    remaining: list[Finding] = field(default_factory=list)
    rescues: list[Rescue] = field(default_factory=list)
    """The tables that could not be carried over whole."""
    backup: Path | None = None
    """What was there before, where it was mended in place."""
    replaced: Path | None = None
    """The damaged file, where a new one took its place."""
    kept: Path | None = None
    kept_rows: Counter[str] = field(default_factory=Counter)
    is_over: bool = False
    """Whether the database is changed by now."""
    doubt: str | None = None
    """What failed after that, if anything."""

    def as_json(self) -> dict[str, Any]:
        return {
            "done": self.done,
            "tables": [_as_json(rescue) for rescue in self.rescues],
            "remaining": [finding.as_json() for finding in self.remaining],
            "backup": None if self.backup is None else str(self.backup),
            "replaced": None if self.replaced is None else str(self.replaced),
            "doubt": self.doubt,
            "kept": None if self.kept is None else {"file": str(self.kept), "rows": dict(self.kept_rows)},
        }

    def mend(self) -> None:
        """Mend in one transaction, after a backup. Raises BusyError or DatabaseError, and then nothing was changed."""
        path = self.database
        with ExitStack() as stack:
            kept = stack.enter_context(KeptRows(_orphans_file(path), path))
            connection = stack.enter_context(only_user(path))
            backup = default_name(path, path.parent)
            undone = [backup]
            with discarding(undone):
                _back_up(connection, path, backup)
                connection.execute("BEGIN EXCLUSIVE")
                before = examine(connection, path)
                done = _mend(connection, kept, {})
                after = examine(connection, path)
                _require_progress(before, after)
                if not done:
                    connection.execute("ROLLBACK")
                    backup.unlink()
                    self.remaining = after.findings
                    return
                with uninterrupted():
                    self.kept, self.kept_rows = kept.finish(), kept.tables
                    connection.execute("COMMIT")
                    kept.stays = True
                    undone.clear()
                    self.done, self.remaining, self.backup, self.is_over = done, after.findings, backup, True

    def carry_over(self, suspects: frozenset[str]) -> None:
        """Carry what can be read over into a new file, mend that, and put it in the place of the database.

        `suspects`: indexes that do not fit their tables. Raises BusyError or DatabaseError, and then nothing was
        changed.
        """
        try:
            self._carry_over(suspects)
        except OSError as error:
            if not self.is_over:
                raise
            self._add_doubt(f"what is left of the work could not be tidied up: {error}")

    def _carry_over(self, suspects: frozenset[str]) -> None:
        path = self.database
        size = sum(beside.stat().st_size for beside in _files(path))
        require_space(path.parent, _ROOM * size)
        with ExitStack() as stack:
            directory = stack.enter_context(_directory_beside(path))
            kept = stack.enter_context(KeptRows(_orphans_file(path), path))
            before = _fingerprint(path)
            damaged = _settled_copy(path, directory)
            new = directory / "new.db"
            with new_file(new, like=path) as partial:
                rescues = self._salvage(damaged, partial, kept, suspects)
                after = self._mend_new(partial, kept, {rescue.table: rescue for rescue in rescues})
            damaged.unlink()
            held = _shape(new)
            with uninterrupted():
                self.kept, self.kept_rows = kept.finish(), kept.tables
                if _fingerprint(path) != before:
                    raise BusyError(f"{path} changed while it was read. Nothing was changed. Close what uses it.")
                try:
                    self.replaced = put_in_place(new, path)
                except ReplacedError as error:
                    self.replaced, self.doubt = error.kept, str(error)
                self.is_over, self.remaining = True, after.findings
                self.rescues = [rescue for rescue in rescues if not rescue.is_whole]
                kept.stays = True
            self._add_doubt(_doubt(path, held))

    def _add_doubt(self, doubt: str | None) -> None:
        self.doubt = "; ".join(filter(None, (self.doubt, doubt))) or None

    def state(self) -> str:
        """What was done, for an owner who interrupts it."""
        if not self.is_over:
            return "nothing was changed"
        return f"but the repair was done already; what was there before is kept as {self.backup or self.replaced}"

    def _salvage(self, damaged: Path, new: Path, kept: KeptRows, suspects: frozenset[str]) -> list[Rescue]:
        try:
            return salvage(damaged, new, kept.add, suspects)
        except UnsoundError as error:
            raise beyond_repair(self.database, str(error)) from error

    def _mend_new(self, new: Path, kept: KeptRows, rescues: Mapping[str, Rescue]) -> Diagnosis:
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")  # a file that fails is thrown away whole
            connection.execute("BEGIN")
            if write_revision(connection, head_revision()):
                self.done.append(f"wrote down anew that the schema is at revision {head_revision()}")
            before = examine(connection, self.database)
            if before.is_at_head and not before.lacks_parents:
                self.done += _mend(connection, kept, rescues)
            _strike_rows_found_again(connection, rescues)
            connection.execute("COMMIT")
            after = examine(connection, self.database)
            if damage(connection):
                raise DatabaseError(f"what was read of {self.database} makes no sound database. Nothing was changed.")
        return after


def _doubt(path: Path, held: Sequence[object]) -> str | None:
    """Why a database that was put in place may not be what it should be."""
    try:
        same = _shape(path) == held
    except (sqlite3.Error, DatabaseError) as error:
        return f"it could not be read back: {error}".replace(" Nothing was changed.", "")
    return None if same else "it is not what it should be: somebody may be writing to it already"


def _mend(connection: sqlite3.Connection, kept: KeptRows, rescues: Mapping[str, Rescue]) -> list[str]:
    """Mend what can be, in the transaction that is open; return what was done."""
    made = make_missing_parts(connection)
    done = [f"made the {part.kind} {part.name}, which was missing" for part in made]
    tables_made = {part.name for part in made}

    def is_lost(table: str, key: Sequence[Any]) -> bool:
        return table in tables_made or (table in rescues and rescues[table].may_lack(key))

    target = Target(connection)
    run = last_run(target)
    retrieval = None if run is None else Retrieval(target, run, V1Reader(connection, backups_in(connection)))
    if retrieval is not None:
        found = retrieval.run(is_lost)
        if found.whole.count:
            done.append(f"took again from v1's rows, as they were imported: {found.whole}")
        if found.in_part.count:
            done.append(
                f"took again what v1's rows still have of records that changed after the import: {found.in_part}"
            )

    def move(table: str, reason: str, row: Mapping[str, object]) -> None:
        kept.add(table, reason, row)
        if retrieval is not None:
            retrieval.note_deletion(table, str(row.get("id")))

    moved = move_out_orphans(connection, move, ACCOUNT_TABLES)
    if moved:
        counts = ", ".join(f"{number:,} of {table}" for table, number in moved.items())
        done.append(f"moved rows whose parent is not there into a file beside the database: {counts}")
    _strike_what_is_proven(connection, retrieval, rescues)
    recounted = recount_messages(connection)
    if recounted:
        done.append(f"projects whose messages were counted again: {recounted:,}")
    return done


def _strike_what_is_proven(
    connection: sqlite3.Connection, retrieval: Retrieval | None, rescues: Mapping[str, Rescue]
) -> None:
    """Forget the holes that are filled: where every record has, in all its rows, what was imported; or all its
    messages, by its own count of them."""
    _strike_rows_found_again(connection, rescues)
    for source, (main, *others) in TABLES_OF.items():
        parents = rescues.get(main.name, _WHOLE)
        damaged = [rescue for table in others if not (rescue := rescues.get(table.name, _WHOLE)).is_whole]
        if parents.is_whole and not damaged:
            continue
        proven = set() if retrieval is None else retrieval.unchanged(source)
        parents.kept = [values for values in parents.kept if not values or values[0] not in proven]
        key = main.names[0]
        if not all(key in row for row in parents.lost or ()) or (parents.lost is None and not parents.is_whole):
            continue  # whose rows may be lost, nobody knows
        records = {value for (value,) in connection.execute(f"SELECT {key} FROM {main.name}")}  # noqa: S608
        records.update(str(row[key]) for row in parents.lost or ())
        records.update(set() if retrieval is None else retrieval.missing(source))
        for rescue in damaged:
            whole = proven | complete_conversations(connection) if rescue.table == MESSAGES else proven
            rescue.kept = [values for values in rescue.kept if not values or values[0] not in whole]
            if not rescue.by_rowid:
                rescue.holes = [hole for hole in rescue.holes if any(map(hole.may_hold, records - whole))]


def _require_progress(before: Diagnosis, after: Diagnosis) -> None:
    """Raises DatabaseError unless what can be mended for certain is mended, and nothing else is wrong than before."""
    known = {finding.identity: finding.rows.count for finding in before.findings}
    for finding in after.findings:
        is_new = finding.identity not in known or finding.rows.count > known[finding.identity]
        # A record that is taken again brings its gaps with it: what it lacks was lost before.
        if (is_new and finding.kind is not Kind.GAP) or (finding.kind in _CERTAIN and after.can_mend(finding)):
            raise DatabaseError(f"{after.database} could not be mended: afterwards, {finding}. Nothing was changed.")


def _orphans_file(path: Path) -> Path:
    plain = default_name(path, path.parent, "orphans")
    numbers = (f"{plain.name}{'' if number == 1 else f'_{number}'}.json" for number in count(1))
    return next(found for found in map(plain.with_name, numbers) if not found.exists())


def _back_up(connection: sqlite3.Connection, path: Path, final: Path) -> None:
    """Copy the database as it is to `final`, through the only connection to it, whatever is wrong with it."""
    require_space(path.parent, path.stat().st_size)
    with new_file(final, like=path) as partial, closing(sqlite3.connect(partial, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode = OFF")  # a copy that fails is thrown away whole
        connection.backup(copy)


def _shape(path: Path) -> list[tuple[object, ...]]:
    with read_only(path) as connection:
        return [row[:3] for row in shape(connection)]


@contextmanager
def _directory_beside(path: Path) -> Iterator[Path]:
    """A directory for the time of the block, on the file system of `path`."""
    directory = TemporaryDirectory(prefix=f"{path.name}.salvaging_", dir=path.parent)
    try:
        yield Path(directory.name)
    except BaseException as error:
        try:
            directory.cleanup()
        except OSError as reason:
            note_leftover(error, Path(directory.name), reason)
        raise
    try:
        directory.cleanup()
    except OSError as reason:
        raise OSError(f"{directory.name}: {reason}") from reason


def _settled_copy(path: Path, directory: Path) -> Path:
    """A copy of a damaged file, into which SQLite has folded what lies beside it. Nobody else writes meanwhile."""
    copy = directory / path.name
    with path.open("r+b") as file:
        lock_unopenable(file, path)
        for source in _files(path):
            shutil.copyfile(source, directory / source.name)
    try:
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            # Otherwise SQLite would not even look at a file that is cut short.
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if len(_files(copy)) > 1:
            raise beyond_repair(path, f"what lies beside it cannot be folded into it ({error})") from error
    return copy


def _files(path: Path) -> list[Path]:
    """The file, and what SQLite has left beside it that belongs to its content."""
    return [path, *filter(Path.exists, (path.with_name(path.name + ending) for ending in _COMPANIONS))]


def _fingerprint(path: Path) -> list[tuple[str, int, int, int]]:
    states = [(found.name, found.stat()) for found in _files(path)]
    return [(name, state.st_ino, state.st_size, state.st_mtime_ns) for name, state in states]


def _strike_rows_found_again(connection: sqlite3.Connection, rescues: Mapping[str, Rescue]) -> None:
    """Forget the lost rows that are there again."""
    for rescue in rescues.values():
        rescue.lost = rescue.lost and [row for row in rescue.lost if not _is_there(connection, rescue.table, row)]


def _is_there(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> bool:
    condition = " AND ".join(f"{quoted(name)} IS ?" for name in row)
    found = connection.execute(f"SELECT 1 FROM {quoted(table)} WHERE {condition}", tuple(row.values()))  # noqa: S608
    return found.fetchone() is not None


def _as_json(rescue: Rescue) -> dict[str, Any]:
    lost = None if rescue.lost is None else Keys.of(shown(list(row.values())) for row in rescue.lost)
    return {
        "table": rescue.table,
        "carried_over": rescue.rescued,
        "kept": len(rescue.kept),
        "lost": None if lost is None else {"count": lost.count, "first": lost.first},
        "rows_may_be_missing": [] if lost is not None else [str(hole) for hole in rescue.holes[:_HOLES_TOLD]],
        "why": sorted({hole.reason for hole in rescue.holes})[:_HOLES_TOLD],
    }
