"""Whole, consistent copies of a SQLite database, made by SQLite's own backup API.

Copying the file would miss what a journal or a write-ahead log still holds, and could catch it half-written.

A copy is made in one read transaction on the original, and compared within it: others may go on writing (to a
database in WAL mode; one with a rollback journal lets them wait until the copy is made), and the copy is what was
committed when it began. It is left in rollback-journal mode, so that it can be read where nothing can be written.
"""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from socrates.errors import MigrationError
from socrates.v1.contents import size_of
from socrates.v1.files import read_only

_WAIT_SECONDS = 5.0
# The new tables of a usual file take about its size again, and their journal and indexes some more.
GROWTH_FACTOR = 2
PARTIAL, RESTORING = UNFINISHED = (".partial", ".restoring")
"""How the names of unfinished copies end."""
_COMPANIONS = ("-journal", "-wal", "-shm")
RESERVED_ENDINGS = (*UNFINISHED, ".lock", *_COMPANIONS)
"""How no backup's name may end: SQLite, or we, would take the file for something else."""


def check_free_space(database: Path, backup_dir: Path) -> None:
    """Raises MigrationError unless the disks can hold the backup and the new tables of an upgrade."""
    size = database.stat().st_size
    needs = {backup_dir.resolve(): size}
    home = database.resolve().parent
    needs[home] = needs.get(home, 0) + GROWTH_FACTOR * size
    if len(needs) > 1 and backup_dir.stat().st_dev == home.stat().st_dev:
        needs = {home: sum(needs.values())}
    for directory, need in needs.items():
        free = shutil.disk_usage(directory).free
        if free < need:
            raise MigrationError(
                f"the disk of {directory} has {free:,} bytes free, and the upgrade needs about {need:,}. "
                "Nothing was changed. Free some space, or name another place for the backup with -x backup_dir=DIR."
            )


def require_space(directory: Path, need: int) -> None:
    """Raises MigrationError unless the disk of `directory` has `need` bytes free."""
    free = shutil.disk_usage(directory).free
    if free < need:
        raise MigrationError(
            f"the disk of {directory} has {free:,} bytes free, and this needs about {need:,}. "
            "Nothing was changed. Free some space, or use another disk."
        )


def back_up(database: Path, backup_dir: Path) -> Path:
    """Copy the committed content of `database` to a new file in `backup_dir` and return its path, as `back_up_as`."""
    final = default_name(database, backup_dir)
    back_up_as(database, final)
    return final


def back_up_as(database: Path, final: Path) -> None:
    """Copy the committed content of `database` to the new file `final`: for a migration.

    May be called while another connection of this process holds the write lock and has not begun to write pages, but
    not by a program that has `database` open as a plain file. Raises MigrationError.
    """
    # Not read_only(): it looks at the file's first bytes, and when a process closes a file, the system drops all locks
    # that the process has on it (POSIX), among them the migration's own.
    uri = f"{database.resolve().as_uri()}?mode=ro"
    advice = "Make room there, or name another place with -x backup_dir=DIR."
    with (
        explaining(f"the backup {final} could not be written", advice),
        closing(sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS)) as source,
    ):
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the transaction begins with the first read
        write_copy(source, final, database)


def back_up_to(database: Path, to: Path | None = None, remarks: list[str] | None = None) -> Path:
    """Copy the committed content of `database` to the new file `to`, or into that directory; return the path.

    Default: beside the database. `remarks` are as in `read_only`. `database` may be any SQLite file that can be read:
    ours at any revision, v1's, or another; in use or not; with a journal that a crash left. Raises MigrationError, and
    then there is no copy.
    """
    advice = "Name another place with --to."
    with read_only(database, remarks) as source:
        final = _place(database.resolve(), to)
        with explaining(f"the backup {final} could not be written", advice):
            require_space(final.parent, size_of(source))
            write_copy(source, final, database)
    return final


def default_name(database: Path, directory: Path, what: str = "backup") -> Path:
    """A name for a copy of `database` that nothing bears yet."""
    path = directory / f"{database.name}.{what}_{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    candidate, number = path, 1
    endings = ("", *UNFINISHED, RESTORING + PARTIAL)
    while any(candidate.with_name(candidate.name + ending).exists() for ending in endings):
        number += 1
        candidate = path.with_name(f"{path.name}_{number}")
    return candidate


def write_copy(source: sqlite3.Connection, final: Path, like: Path) -> None:
    """Copy what the read transaction that is open on `source` sees to the new file `final`, and check the copy.

    As `new_file` makes it, with the permissions of `like`. Raises MigrationError when the copy differs or is damaged;
    sqlite3.Error and OSError. Then there is no copy.
    """
    with new_file(final, like) as partial:
        with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
            copy.execute("PRAGMA journal_mode = OFF")  # a copy that fails is thrown away whole
            source.backup(copy)
        with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
            copy.execute("PRAGMA locking_mode = EXCLUSIVE")  # or SQLite would make a -shm beside it
            copy.execute("PRAGMA journal_mode = DELETE").fetchone()
            (finding,) = copy.execute("PRAGMA quick_check(1)").fetchone()
            if finding != "ok":
                raise MigrationError(
                    f"the database is damaged, and so would be its copy: {finding}. No copy was made, nothing was "
                    "changed. socrates db repair says more; it keeps the file as it was."
                )
            if shape(source) != shape(copy):
                raise MigrationError(f"the copy {final} does not hold what the original holds, and was removed.")


@contextmanager
def new_file(final: Path, like: Path) -> Iterator[Path]:
    """A new file that the block fills, under the name it gets, and that bears its final name only when it is whole.

    Nobody else may read it until it is complete; then it gets the permissions of `like`, is synced, and renamed. It is
    gone when the block fails. Raises OSError.
    """
    partial = final.with_name(final.name + PARTIAL)
    try:
        _create(partial)
        yield partial
        partial.chmod(_permissions(like, partial))
        sync(partial)
        if os.path.lexists(final):  # who makes it now, of us, is refused by the partial file
            raise FileExistsError(f"{final} was made by somebody else meanwhile, and is not overwritten")
        os.rename(partial, final)
        sync(final.parent)
    except _TakenError:
        raise
    except BaseException as error:
        written = partial if partial.exists() else final
        _remove(error, [written.with_name(written.name + ending) for ending in ("", *_COMPANIONS)])
        raise


class _TakenError(FileExistsError):
    """Somebody else has the file, so it is not for us to remove."""


def _create(partial: Path) -> None:
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise _TakenError(error.errno, error.strerror, str(partial)) from error


def discard(error: BaseException, paths: Iterable[Path]) -> None:
    """Remove the files that work which ended by `error` has left. Those that cannot be removed are noted on it.

    Nothing is removed when a name was taken: then the file that bears it is somebody else's.
    """
    if not any(isinstance(link, FileExistsError) for link in _led_to(error)):
        _remove(error, paths)


def _remove(error: BaseException, paths: Iterable[Path]) -> None:
    for path in filter(os.path.lexists, paths):
        try:
            path.unlink(missing_ok=True)
        except OSError as reason:
            note_leftover(error, path, reason)


def note_leftover(error: BaseException, path: Path, reason: OSError) -> None:
    """Note on `error` that its work has left `path`, for `with_notes` to tell the owner."""
    error.add_note(f"{path} is left of it and could not be removed ({reason}): remove it.")


@contextmanager
def discarding(paths: Iterable[Path]) -> Iterator[None]:
    """`discard` the files that are among `paths` by the time the block fails."""
    try:
        yield
    except BaseException as error:
        discard(error, paths)
        raise


def with_notes(message: str, error: BaseException) -> str:
    """`message`, which tells of `error`, and what is noted on that and on the errors that led to it, line by line."""
    return "\n".join([message, *(note for link in _led_to(error) for note in getattr(link, "__notes__", ()))])


def _led_to(error: BaseException) -> list[BaseException]:
    """The error and those that it came from."""
    met: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop(0)
        if link is not None and link not in met:
            met.append(link)
            waiting += [link.__cause__, link.__context__]
    return met


def companions(database: Path) -> list[Path]:
    """What SQLite has left beside a database: its journal, its -wal and the index of that."""
    paths = (database.with_name(database.name + ending) for ending in _COMPANIONS)
    return [path for path in paths if os.path.lexists(path)]


def shape(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """The schema, and how many rows each table has. Virtual tables have none of their own."""
    schema = connection.execute("SELECT type, name, sql, rootpage FROM sqlite_master ORDER BY name").fetchall()
    tables = [name for kind, name, _, root in schema if kind == "table" and root]
    quoted = [name.replace('"', '""') for name in tables]
    counts = [connection.execute(f'SELECT count(*) FROM "{name}"').fetchone() for name in quoted]  # noqa: S608
    return [*schema, *counts]


def sync(path: Path) -> None:
    """Have the system write a file, or the names in a directory, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def explaining(what: str, advice: str = "") -> Iterator[None]:
    """Whatever SQLite or the system says against it, as a MigrationError that says `what` failed, and what to do."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise MigrationError(f"{what}: {error}. Nothing was changed. {advice}".rstrip()) from error


def _place(database: Path, to: Path | None) -> Path:
    if to is None or to.is_dir():
        return default_name(database, to or database.parent)
    if to.exists() or to.is_symlink():
        raise MigrationError(f"{to} exists already, and a backup overwrites nothing. Name a new file, or a directory.")
    if not to.parent.is_dir():
        raise MigrationError(f"there is no directory {to.parent}. Make it first, or name another place.")
    if to.name.endswith(RESERVED_ENDINGS):
        endings = ", ".join(RESERVED_ENDINGS)
        raise MigrationError(f"{to} would be taken for something else: no backup's name ends in {endings}.")
    left = companions(to)
    if left:
        raise MigrationError(
            f"{left[0]} lies there without its database, and SQLite would take it for a part of the backup. Move it "
            "away, or name another place."
        )
    partial = to.with_name(to.name + PARTIAL)
    if partial.exists():
        raise MigrationError(
            f"{partial} is being written, or was left by a kill. In that case remove it, then try again."
        )
    return to


def _permissions(like: Path, path: Path) -> int:
    """Who may read the original may read the copy, and nobody else: it holds the same passcode hashes and keys."""
    original = like.stat()
    permissions = stat.S_IMODE(original.st_mode) & 0o777
    # The same bits would mean other people where the copy belongs to another group.
    return permissions if original.st_gid == path.stat().st_gid else permissions & ~stat.S_IRWXG
