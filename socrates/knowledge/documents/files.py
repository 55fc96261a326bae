"""Files to read documents from: found in a directory, and opened so that nothing but a file inside the root is read."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from socrates.errors import DocumentError, InvalidValueError

# Not everywhere: Windows has none of these. NONBLOCK is for pipes, whose opening waits for whoever writes.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FILE = os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_DIRECTORY = os.O_RDONLY | _NO_LINK | getattr(os, "O_DIRECTORY", 0)
_STEP_BY_STEP = os.open in os.supports_dir_fd


@dataclass(frozen=True, slots=True)
class Refused:
    """A part of a directory that could not be listed."""

    path: Path
    reason: str


def in_megabytes(size: int) -> str:
    """A number of bytes, for messages."""
    return f"{size / 1_000_000:g} MB"


def too_large(name: object, max_bytes: int) -> InvalidValueError:
    """The error for a document beyond the limit."""
    return InvalidValueError(
        f"{name} is larger than {in_megabytes(max_bytes)}, the most that one document may have: import it in parts, "
        "or raise SOCRATES_MAX_DOCUMENT_MB"
    )


def read(path: Path, root: Path | None, max_bytes: int) -> bytes:
    """The bytes of a file. `root` is the directory that neither the path nor its links may leave.

    Raises InvalidValueError for what is outside, too large or no ordinary file, and DocumentError for what cannot be
    read. It blocks, but never waits for somebody to write.
    """
    place = _resolved(path, root)
    try:
        _require_file(path, place.stat().st_mode)
        with os.fdopen(_opened(place, root), "rb") as file:
            status = os.fstat(file.fileno())
            _require_file(path, status.st_mode)
            # What grows, or does not tell its size, is noticed while it is read.
            if status.st_size > max_bytes or len(data := file.read(max_bytes + 1)) > max_bytes:
                raise too_large(path, max_bytes)
            return data
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror or error}") from error


def found_in(
    directory: Path, root: Path | None, suffixes: frozenset[str], recursive: bool
) -> tuple[Path, list[Path | Refused]]:
    """The directory, all links followed, and its files of these suffixes (lower-case), in order.

    Links to directories are not followed. Raises InvalidValueError for what is no directory, or outside of `root`.
    """
    place = _resolved(directory, root)
    if not place.is_dir():
        raise InvalidValueError(f"{directory} is no directory that can be read")
    found: list[Path | Refused] = []

    def refuse(error: OSError) -> None:
        found.append(Refused(Path(error.filename), f"cannot be listed: {error.strerror or error}"))

    for parent, directories, names in os.walk(place, onerror=refuse):
        directories[:] = sorted(directories) if recursive else []
        found += _of_suffixes(Path(parent), sorted(names), suffixes)
    return place, found


def _of_suffixes(parent: Path, names: list[str], suffixes: frozenset[str]) -> Iterator[Path]:
    return (parent / name for name in names if Path(name).suffix.lower() in suffixes)


def _resolved(path: Path, root: Path | None) -> Path:
    """Where a path leads, all links followed. Whether there is anything is not looked at: not even that leaks out."""
    try:
        place = Path(os.path.realpath(path))
    except ValueError as error:  # a NUL in it
        raise InvalidValueError(f"{str(path)!r} is no path: {error}") from error
    if root is not None and not place.is_relative_to(os.path.realpath(root)):
        raise InvalidValueError(f"{path} leads out of the directory that the setting documents_root allows")
    return place


def _opened(place: Path, root: Path | None) -> int:
    """The descriptor of a file at a path without links.

    Below `root` each directory is opened in the one before, none of them by a link: whoever puts a link there after the
    path was looked at has it refused.
    """
    if root is None or not _STEP_BY_STEP:
        return os.open(place, _FILE)
    base = os.path.realpath(root)
    *directories, name = place.relative_to(base).parts
    descriptor = os.open(base, _DIRECTORY)
    try:
        for directory in directories:
            above, descriptor = descriptor, os.open(directory, _DIRECTORY, dir_fd=descriptor)
            os.close(above)
        return os.open(name, _FILE, dir_fd=descriptor)
    finally:
        os.close(descriptor)


def _require_file(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise InvalidValueError(f"{path} is no ordinary file: directories, pipes and devices are not read")
