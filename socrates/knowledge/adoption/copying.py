"""A copy of a v1 directory, because whatever opens the original changes it: Chroma migrates it, SQLite mends it."""

import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

from socrates.errors import BusyError, ConfigurationError, DatabaseError

DATABASE = "chroma.sqlite3"

_PARTS = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-journal")
"""The database, and what SQLite needs to bring it to its last commit. Never `-shm`, which it makes anew."""

_ROOM = 3
"""Sizes of the directory that are needed: the copy, the vectors once more, and tables that Chroma rewrites."""

_ATTEMPTS = 3

_State = dict[Path, tuple[int, int, int]]


def directory_of(path: Path) -> Path:
    """The directory meant by `path`, which may name the database in it. Raises ConfigurationError where it is none."""
    directory = path.parent if path.name == DATABASE and not path.is_dir() else path
    if not directory.is_dir():
        raise ConfigurationError(f"there is no directory {directory}: name v1's, which is called vector_db")
    if not _is_file(directory / DATABASE):
        raise ConfigurationError(
            f"{directory} holds no file {DATABASE}: it is not v1's directory of vectors, which is called vector_db"
        )
    return directory.resolve()


def copy(directory: Path, target: Path) -> None:
    """Copy what Chroma reads of `directory` into `target`, as it was at one moment.

    Raises ConfigurationError without room for it, BusyError where somebody writes there all the time, and DatabaseError
    for files that cannot be read.
    """
    try:
        for _ in range(_ATTEMPTS):
            before = _state(directory)
            _require_room(target, _ROOM * sum(size for _, size, _ in before.values()))
            if _copied(directory, target, before) and _state(directory) == before:
                return
            shutil.rmtree(target)
    except OSError as error:
        raise DatabaseError(f"{directory} cannot be copied: {error}. Nothing was taken over") from error
    raise BusyError(f"{directory} changed while it was copied: close v1, then repeat the command")


def _copied(directory: Path, target: Path, files: _State) -> bool:
    """Whether all files were still there."""
    target.mkdir()
    for file in files:
        place = target / file
        place.parent.mkdir(exist_ok=True)
        try:
            # A link that took a file's place since must not be followed.
            source = os.open(directory / file, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        with open(source, "rb") as original, place.open("xb") as copied:
            shutil.copyfileobj(original, copied, 1 << 20)
    return True


def _state(directory: Path) -> _State:
    """What tells whether a file changed, of each that belongs to Chroma: inode, size, time of the last write."""
    found: _State = {}
    for path in _files(directory):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISREG(status.st_mode):
            found[path.relative_to(directory)] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def _files(directory: Path) -> Iterator[Path]:
    yield from (directory / name for name in _PARTS)
    for path in sorted(directory.iterdir()):
        if _is_uuid(path.name) and path.is_dir() and not path.is_symlink():
            yield from sorted(path.iterdir())


def _is_uuid(name: str) -> bool:
    """Vectors are in directories that are called so."""
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _require_room(target: Path, need: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < need:
        raise ConfigurationError(
            f"the disk of {target.parent} has {free:,} bytes free, and a copy to work on needs about {need:,}. Nothing "
            "was taken over. Free some space, or name a directory on another disk in TMPDIR"
        )
