"""The copy of a v1 file that is made before anything is changed, by SQLite's own backup API.

Copying the file would miss what a journal or a write-ahead log still holds, and could catch it half-written.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from socrates.errors import MigrationError

_PAGES_PER_STEP = 10_000
# The new tables of a usual file take about its size again, and their journal and indexes some more.
GROWTH_FACTOR = 2


def check_free_space(database: Path, backup_dir: Path) -> None:
    """Raises MigrationError unless the disks can hold the backup and the new tables."""
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


def back_up(database: Path, backup_dir: Path) -> Path:
    """Copy the committed content of `database` to a new file in `backup_dir` and return its path.

    The copy is written under a name that ends in ``.partial``, synced, and renamed: a file with the final name is
    whole. May be called while another connection of ours holds the write lock. Raises MigrationError.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    final = _unused(backup_dir / f"{database.name}.backup_{stamp}")
    partial = final.with_name(final.name + ".partial")
    try:
        _copy(database, partial)
        os.rename(partial, final)
        _sync(backup_dir)
    except MigrationError:
        partial.unlink(missing_ok=True)
        raise
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        raise MigrationError(
            f"the backup {final} could not be written: {error}. Nothing was changed. "
            "Make room there, or name another place with -x backup_dir=DIR."
        ) from error
    return final


def _unused(path: Path) -> Path:
    candidate, number = path, 1
    while candidate.exists() or candidate.with_name(candidate.name + ".partial").exists():
        number += 1
        candidate = path.with_name(f"{path.name}_{number}")
    return candidate


def _copy(database: Path, partial: Path) -> None:
    source_uri = f"{database.resolve().as_uri()}?mode=ro"
    partial.touch(exist_ok=False)
    # The copy holds the same passcode hashes and keys, so nobody else may read it who may not read the original.
    shutil.copymode(database, partial)
    with closing(sqlite3.connect(source_uri, uri=True)) as source, closing(sqlite3.connect(partial)) as copy:
        copy.execute("PRAGMA journal_mode = OFF")  # a copy that fails is thrown away whole
        source.backup(copy, pages=_PAGES_PER_STEP)
        if _shape(source) != _shape(copy):
            raise MigrationError(f"the backup {partial} does not hold what {database} holds")
    _sync(partial)


def _shape(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """The schema, and how many rows each table has."""
    schema = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
    tables = [name for kind, name, _ in schema if kind == "table" and not name.startswith("sqlite_")]
    counts = [connection.execute(f'SELECT count(*) FROM "{_quoted(name)}"').fetchone() for name in tables]  # noqa: S608
    return [*schema, *counts]


def _quoted(name: str) -> str:
    return name.replace('"', '""')


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
