"""Puts one database in the place of another, and keeps the one that it replaces.

A file that SQLite can open keeps its place: SQLite itself replaces the *content*, in one transaction, while nobody else
has the database. After a kill SQLite rolls that back at the next opening, as after any other transaction.

Rejected: renaming the new file over the old one. A program that has the old file open without holding a lock (an idle
v1, a SQLite shell) cannot be seen. It would go on with the old file, but with the journal and the -wal of the new one,
since those go by name; two such programs damaged a restored database within a second. Now it finds the new content.
"""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from socrates.errors import BusyError, MigrationError, NotRecognisedError
from socrates.v1.backup import (
    RESTORING,
    UNFINISHED,
    companions,
    default_name,
    discard,
    discarding,
    explaining,
    new_file,
    require_space,
    shape,
    sync,
    write_copy,
)
from socrates.v1.contents import Contents, contents_of, require_of_us, require_usable, size_of
from socrates.v1.exclusive import (
    UnopenableError,
    lock_file,
    lock_unopenable,
    only_user,
    refusal,
    require_openable,
    uninterrupted,
)
from socrates.v1.files import has_hot_journal, is_sqlite, read_only
from socrates.v1.sqlite_errors import explained, sqlite_cause

_ANY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_STEP = 1024 * 1024


class ReplacedError(MigrationError):
    """The database is replaced, and the old file kept as `kept`, but something failed after that."""

    def __init__(self, message: str, kept: Path | None) -> None:
        super().__init__(message)
        self.kept = kept


class Restoration:
    """One restore: `examine` tells what would replace what, `run` does it."""

    def __init__(self, backup: Path, database: Path) -> None:
        self.backup = backup
        self.database = database
        self.remarks: list[str] = []
        self.incoming: Contents | None = None
        """What the backup holds, once it was examined."""
        self.outgoing: Contents | None = None
        """What the database holds; None when it is missing, or its content is not known."""
        self.problem: str | None = None
        """Why the content of the database that is to be replaced is not known."""
        self.done = False
        self.doubt: str | None = None
        self.kept: Path | None = None
        """Where the replaced file is."""

    def examine(self, head: str) -> Contents:
        """Look at both sides, and return what the backup holds. `head`: the newest revision that this version knows.

        Raises MigrationError or SchemaError for a backup that cannot be restored, or a place where it cannot go, and
        BusyError when somebody is writing to the database.
        """
        _require_backup(self.backup)
        _require_place(self.database)
        if self.database.exists() and self.backup.exists() and os.path.samefile(self.backup, self.database):
            raise MigrationError(f"{self.backup} is the database itself. Nothing was changed. Name a backup of it.")
        with _reading(self.backup, self.remarks) as source:
            self.incoming = contents_of(source, self.backup)
            require_usable(source, self.incoming, head, self.backup)
            broken = sum(1 for _ in source.execute("PRAGMA foreign_key_check"))
        if broken:
            self.remarks.append(f"{broken:,} rows of the backup refer to rows that it does not hold")
        if self.database.exists():
            self._look_at_database()
        return self.incoming

    def _look_at_database(self) -> None:
        if not self.database.stat().st_size:
            self.problem = "an empty file"
            return
        try:
            with _reading(self.database, self.remarks) as connection:
                found = contents_of(connection, self.database)
                require_of_us(connection, found, self.database)
                self.outgoing = found
        except NotRecognisedError:
            self.problem = "a SQLite database that is neither v1's nor ours"
        except MigrationError as error:
            cause = sqlite_cause(error)
            if cause is not None and isinstance(meant := refusal(cause, self.database), BusyError):
                raise meant from error
            self.problem = "no SQLite database, or a damaged one"

    def run(self) -> None:
        """Put the backup's content in the place of the database. Raises BusyError or MigrationError.

        After a failure or Ctrl-C, `done` says whether the database was replaced. `doubt` is set when it was, but is
        not what the backup held when it was read back.
        """
        place = self.database.resolve()
        new = default_name(place, place.parent, "new")
        new = new.with_name(new.name + RESTORING)
        with discarding([new]):
            with _reading(self.backup) as source:
                if contents_of(source, self.backup) != self.incoming:
                    raise MigrationError(f"{self.backup} was not examined, or has changed since. Nothing was changed.")
                held = shape(source)
                with explaining(f"{self.database} could not be replaced"):
                    require_space(place.parent, size_of(source))
                    write_copy(source, new, like=place if place.exists() else self.backup)
            with uninterrupted():
                untidy = None
                try:
                    self.kept = put_in_place(new, self.database)
                except ReplacedError as error:
                    self.kept, untidy = error.kept, str(error)
                self.done = True
                self.doubt = "; ".join(filter(None, (_doubt(self.database, held), untidy))) or None


def _doubt(database: Path, held: list[tuple[object, ...]]) -> str | None:
    """Why a database may not be what it should be."""
    try:
        with _reading(database) as connection:
            same = shape(connection) == held
    except MigrationError as error:
        return f"it could not be read back: {error}".replace(" Nothing was changed.", "")
    return None if same else "it holds other rows than the backup; somebody may be writing to it already"


@contextmanager
def _reading(path: Path, remarks: list[str] | None = None) -> Iterator[sqlite3.Connection]:
    """As `read_only`; whatever SQLite reports inside the block is a MigrationError as well."""
    with read_only(path, remarks) as connection:
        try:
            yield connection
        except sqlite3.Error as error:
            raise explained(error, path) from error


def _require_backup(backup: Path) -> None:
    if not backup.exists():
        raise MigrationError(f"there is no backup {backup}. Nothing was changed.")
    if backup.name.endswith(UNFINISHED):
        raise MigrationError(f"{backup} is an unfinished copy. Nothing was changed. Name a finished one.")
    with explaining(f"{backup} cannot be read"):
        if not backup.is_file() or not is_sqlite(backup):
            raise MigrationError(
                f"{backup} is no SQLite database, or it is encrypted, so it is no backup. Nothing was changed."
            )


def _require_place(database: Path) -> None:
    """Raises MigrationError unless a database can be written there."""
    home = database.resolve().parent
    if not home.is_dir():
        raise MigrationError(f"there is no directory {home}. Make it first, or name another database.")
    if database.exists() and not database.is_file():
        raise MigrationError(f"{database} is not a file, so it cannot be replaced. Nothing was changed.")
    # The mode bits are asked as well as the system, for they do not stop an administrator.
    if database.exists() and not database.stat().st_mode & _ANY_WRITE:
        raise MigrationError(f"{database} is read-only. Nothing was changed. Make it writable, then try again.")
    if not home.stat().st_mode & _ANY_WRITE or not os.access(home, os.W_OK):
        raise MigrationError(f"the directory {home} is read-only. Nothing was changed. Make it writable.")


def put_in_place(new: Path, database: Path) -> Path | None:
    """Make `new` the content of `database`; return where the replaced file is kept, or None if there was none.

    `new` is a complete database, synced, with nothing beside it, on the file system of `database`; it is gone
    afterwards. The replaced file is kept beside the database as ``projects.db.replaced_<UTC>``, byte for byte after
    SQLite has folded in its journal or -wal. Whatever is killed at whatever moment, `database` is the whole old one or
    the whole new one to whoever opens it next with SQLite; a journal beside it belongs to it until then.

    Where SQLite cannot open the old file (it is no database, or half of one), the file is kept as it is, with its
    -journal, -wal and -shm under the same new name; these are removed, and `new` is renamed over it. That is the one
    case where a kill can leave a database without its journal: the kept copies have it.

    Raises BusyError when somebody else has the database open for longer than a few seconds (in rollback-journal mode:
    works in it), MigrationError for anything else that is in the way. Then nothing was changed and nothing is kept,
    unless the message says otherwise; `new` is still there. Ctrl-C is not heard until it is done. No other connection
    of this process may have `database` open.
    """
    database = database.absolute()
    _require_place(database)
    with uninterrupted(), explaining(f"{database} could not be replaced"), lock_file(database):
        kept = _put(new, database.resolve())
        try:
            new.unlink(missing_ok=True)
            sync(database.resolve().parent)
        except OSError as error:
            raise ReplacedError(f"what is left of the work could not be tidied up: {error}", kept) from error
        return kept


def _put(new: Path, database: Path) -> Path | None:
    if not database.exists():
        _put_where_nothing_is(new, database)
        return None
    # Opened before SQLite opens it and closed after: when a process closes a file, the system drops all locks that the
    # process has on it (POSIX).
    with database.open("r+b") as old:
        try:
            require_openable(database)
            with only_user(database) as connection:
                return _replace_content(new, database, old, connection)
        except UnopenableError:
            return _replace_file(new, database, old)


def _put_where_nothing_is(new: Path, database: Path) -> None:
    left = companions(database)
    if left:
        raise MigrationError(
            f"{left[0]} lies there without its database, and SQLite would take it for a part of the new one. Nothing "
            "was changed. Move it away, then try again."
        )
    os.rename(new, database)


def _replace_content(new: Path, database: Path, old: BinaryIO, connection: sqlite3.Connection) -> Path:
    size = database.stat().st_size
    # The kept copy, SQLite's journal with the old pages, and what the new content has more.
    require_space(database.parent, 2 * size + max(0, new.stat().st_size - size))
    kept = default_name(database, database.parent, "replaced")
    _keep(old, kept, database)
    try:
        # Immutable: it is complete, and nothing is to be made beside it.
        with closing(sqlite3.connect(f"{new.resolve().as_uri()}?immutable=1", uri=True)) as source:
            source.backup(connection)
    except sqlite3.Error as error:
        if _may_be_half_replaced(database):
            raise MigrationError(
                f"{database} could not be replaced ({error}), nor is it certain that SQLite took back at once what it "
                f"had begun: it does so at the next opening, so leave {database}-journal there, if there is one. The "
                f"old file is kept as {kept}."
            ) from error
        discard(error, [kept])
        raise explained(error, database) from error
    return kept


def _may_be_half_replaced(database: Path) -> bool:
    try:
        return has_hot_journal(database)
    except OSError:
        return True  # nobody can tell


def _replace_file(new: Path, database: Path, old: BinaryIO) -> Path:
    """The same where SQLite cannot open the old file."""
    lock_unopenable(old, database)
    beside = companions(database)
    require_space(database.parent, sum(path.stat().st_size for path in (database, *beside)))
    kept = default_name(database, database.parent, "replaced")
    copies: list[Path] = []
    with discarding(copies):
        for companion in beside:
            copy = kept.with_name(kept.name + companion.name.removeprefix(database.name))
            with companion.open("rb") as content:
                _keep(content, copy, database)
            copies.append(copy)
        _keep(old, kept, database)
        copies.append(kept)
        new.chmod(kept.stat().st_mode)
        sync(new)
    try:
        for companion in beside:
            companion.unlink()
        sync(database.parent)
        os.replace(new, database)
    except OSError as error:
        raise MigrationError(f"{database} could not be replaced: {error}. What was there is kept as {kept}.") from error
    return kept


def _keep(old: BinaryIO, kept: Path, like: Path) -> None:
    with new_file(kept, like) as partial, partial.open("wb") as copy:
        old.seek(0)
        shutil.copyfileobj(old, copy, _STEP)
