"""`socrates db drop-v1-backup`: letting v1's own tables go, once they have proven the import."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from socrates.cli.command import (
    FAILED,
    AsJson,
    Database,
    Yes,
    answer,
    answering,
    interruptible,
    require_consent,
    require_head,
    say,
    sqlite_file,
)
from socrates.errors import ChangedSinceError, MigrationError
from socrates.v1.backup import back_up_as, default_name, discard, require_space
from socrates.v1.exclusive import uninterrupted
from socrates.v1.files import require_readable, require_writable
from socrates.v1.ledger import DROPPED, note_backup_change
from socrates.v1.proof import prove_last
from socrates.v1.reader import V1Reader
from socrates.v1.shapes import backups_in
from socrates.v1.sqlite_errors import explained
from socrates.v1.target import Target

app = typer.Typer()

_T = TypeVar("_T")

_WAIT_SECONDS = 5

_NoBackup = Annotated[bool, typer.Option("--no-backup", help="Don't copy the database first.")]


@app.command("drop-v1-backup")
def drop_v1_backup(
    database: Database = None, no_backup: _NoBackup = False, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Drop v1's own tables and give their room back. Refused when the check fails; there is no downgrade afterwards.

    Other programs may have the database open. Exit status 1 when the tables are dropped, but what they held still lies
    in the file.
    """
    dropping = Dropping(keep_backup=not no_backup)
    with answering(as_json), interruptible(as_json, dropping.state):
        path = sqlite_file(database)
        require_readable(path)
        require_writable(path)
        require_consent(f"Drop v1's own tables in {path}? It cannot be downgraded afterwards.", yes, as_json)
        before = path.stat().st_size
        with connected(path) as connection:
            dropping.run(connection, path)
            unshrunk = shrink(connection)
        facts = {
            "database": str(path),
            "dropped": dropping.dropped,
            "backup": None if dropping.backup is None else str(dropping.backup),
            "bytes_before": before,
            "bytes_after": path.stat().st_size,
            "not_shrunk": unshrunk,
        }
        answer(facts, as_json, lambda: _print(facts))
        if unshrunk is not None:
            raise typer.Exit(FAILED)


class Dropping:
    """The check, the backup and the drop, in one transaction."""

    def __init__(self, *, keep_backup: bool) -> None:
        self._keep_backup = keep_backup
        self.dropped: dict[str, int] = {}
        """The tables that were dropped, with their rows; none until it is committed."""
        self.backup: Path | None = None

    def run(self, connection: sqlite3.Connection, path: Path) -> None:
        """Raises ChangedSinceError when the check fails, MigrationError with nothing to drop or no room for a backup;
        then everything is as it was."""
        try:
            keep_or_undo(connection, lambda: self._drop(connection, path), self._note)
        except BaseException as error:
            if not self.dropped:
                self._remove_backup(error)
            raise

    def _note(self, dropped: dict[str, int]) -> None:
        self.dropped = dropped

    def state(self) -> str:
        """What was done, for an owner who interrupts it."""
        if not self.dropped:
            return "nothing was changed"
        backup = "" if self.backup is None else f"; the backup is {self.backup}"
        return f"but v1's tables were dropped by then{backup}"

    def _remove_backup(self, error: BaseException) -> None:
        if self.backup is not None:
            discard(error, [self.backup])
            self.backup = None

    def _drop(self, connection: sqlite3.Connection, path: Path) -> dict[str, int]:
        require_head(connection, path)
        target, tables = Target(connection), backups_in(connection)
        proof = prove_last(target, V1Reader(connection, tables), str(path))
        if proof is None or not tables:
            raise MigrationError(f"{path} holds no tables of v1. Nothing was changed.")
        if not proof.holds:
            raise ChangedSinceError(
                f"the check of {path} fails, so v1's tables are still needed. Nothing was changed. "
                f"See what is missing: socrates db check {path}"
            )
        if self._keep_backup:
            directory = path.resolve().parent
            require_space(directory, 2 * path.stat().st_size)  # the backup, and the smaller file that SQLite writes
            self.backup = default_name(path, directory)  # known before it is there, so that it is found after a failure
            back_up_as(path, self.backup)
        counts = {name: _count(connection, name) for name in tables.values()}
        for name in counts:
            connection.execute(f'DROP TABLE "{name}"')
        note_backup_change(target, proof.run, DROPPED, {"tables": counts})
        return counts


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, to be written to, with transactions begun and ended by hand. Raises DatabaseError."""
    try:
        uri = f"{path.resolve().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise explained(error, path) from error


def keep_or_undo(connection: sqlite3.Connection, work: Callable[[], _T], note: Callable[[_T], None]) -> None:
    """Take something out of v1's tables, in one transaction: after a failure everything is as it was.

    `note` gets what `work` returned once that is committed, before a Ctrl-C is heard, whose message depends on it.
    """
    connection.execute("PRAGMA secure_delete = ON")  # what the pages held is overwritten: keys, hashes, texts
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = work()
        with uninterrupted():
            connection.execute("COMMIT")
            note(done)
    except BaseException:
        if connection.in_transaction:  # SQLite itself rolls back when the disk is full
            connection.execute("ROLLBACK")
        raise


def _count(connection: sqlite3.Connection, table: str) -> int:
    (count,) = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()  # noqa: S608 - names of this package
    return int(count)


def shrink(connection: sqlite3.Connection) -> str | None:
    """Give the room of what is gone back to the disk. Returns why not, if not: what was done before stays done."""
    try:
        connection.execute("VACUUM")
        (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        return f"{error}; it can be done later: sqlite3 FILE VACUUM"
    if busy:
        return "another program is reading what it was; SQLite does it when all programs have closed the database"
    return None


def _print(facts: dict[str, Any]) -> None:
    rows = sum(facts["dropped"].values())
    say(f"{facts['database']}: {len(facts['dropped'])} tables of v1 with {rows:,} rows are dropped.")
    if facts["backup"] is not None:
        say(f"Backup: {facts['backup']} (it still holds them, and the keys in them)")
    say(f"Size: {facts['bytes_before']:,} bytes before, {facts['bytes_after']:,} now")
    if facts["not_shrunk"] is not None:
        say(f"What they held may still lie in the file, which was not made smaller: {facts['not_shrunk']}")
