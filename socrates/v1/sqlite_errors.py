"""What SQLite's errors mean to the owner of a file."""

import sqlite3
from pathlib import Path

from socrates.errors import MigrationError

_MEANINGS = {
    "SQLITE_BUSY": "is in use: another program holds a lock on it. Close it (v1 too), then run this again.",
    "SQLITE_LOCKED": "is in use: another program holds a lock on it. Close it (v1 too), then run this again.",
    "SQLITE_NOTADB": "is not a SQLite database, or it is encrypted. Name the file projects.db that v1 wrote.",
    "SQLITE_CORRUPT": "is damaged or cut short. Run socrates db repair on it, or restore a backup.",
    "SQLITE_FULL": "cannot grow: the disk is full. Free some space, then run this again.",
    "SQLITE_READONLY": "is read-only. Make it writable, or import it elsewhere with -x v1=PATH.",
    "SQLITE_CANTOPEN": "cannot be opened, or its journal cannot be made. Look at the rights of its directory.",
    "SQLITE_IOERR": "cannot be read or written: the system reports an error of the disk, which may be full.",
    "SQLITE_INTERRUPT": "was being worked on when the work was interrupted.",
}


def sqlite_cause(error: BaseException) -> sqlite3.Error | None:
    """SQLite's own error behind `error`, if there is one."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, sqlite3.Error):
            return seen
        seen = getattr(seen, "orig", None) or seen.__cause__
    return None


def explained(error: sqlite3.Error, path: Path) -> MigrationError:
    """The same as a MigrationError that says what happened to `path` and what to do."""
    name = getattr(error, "sqlite_errorname", "") or ""
    for code, meaning in _MEANINGS.items():
        if name == code or name.startswith(code + "_"):
            return MigrationError(f"{path} {meaning} Nothing was changed.")
    if "error in view" in str(error) or "error in trigger" in str(error):
        return MigrationError(
            f"{path}: SQLite reports: {error}. Nothing was changed. v1 made no views and no triggers: drop it, "
            "then run this again."
        )
    if "decode to UTF-8" in str(error):  # Python's own message repeats the value, which may be a key or a hash
        return MigrationError(f"{path} holds text that is not UTF-8. Nothing was changed.")
    return MigrationError(f"{path}: SQLite reports {name or type(error).__name__}: {error}. Nothing was changed.")
