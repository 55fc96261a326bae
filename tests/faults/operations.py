"""The operations that are struck: what lies there before, and the command."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from socrates.sync import Store
from tests.support.migrate import REPOSITORY, alembic, execute, value
from tests.support.v1_files import V1File

DATABASE = "projects.db"
_BACKUP = "earlier.db"


@dataclass(frozen=True)
class Operation:
    """A command on the database of a directory, and what is there before."""

    name: str
    prepare: Callable[[Path], object]
    """Makes the files of an empty directory."""
    command: tuple[str, ...]
    """The program and its arguments; ``{directory}`` stands for the directory."""
    backs_up: bool = True
    """Whether a copy of the old content lies there when it is done."""
    status_again: int = 0
    """The exit status when it is run on what it has finished."""
    may_remain: bool = False
    """Whether exit status 1 says that it is done, but for something that can be made up for later."""
    small_cache: bool = False
    """Run it with next to no cache, so that changes go to the disk as they are made, as in a large file."""


def _alembic(*arguments: str) -> tuple[str, ...]:
    url = f"url={{directory}}/{DATABASE}"
    return ("alembic", "-c", str(REPOSITORY / "alembic.ini"), "-x", url, "-x", "v1_timezone=UTC", *arguments)


def _v1_file(directory: Path, name: str = DATABASE) -> Path:
    """A small v1 file with rows in each of its nine tables."""
    with V1File(directory / name) as v1:
        v1.add_project()
        v1.add_project(project_id="é/2", collaborators=["x", "y"])
        v1.add_user()
        v1.add_user("bob", passcode_hash="")
        v1.add_note()
        v1.add_note(project_id="gone")  # goes to quarantine, and is no failure
        v1.add_effectiveness()
        v1.add_pattern()
        v1.add_document()
        v1.add_llm_config()
        v1.add_api_key()
        v1.add_usage(columns={"cost": None})
    return v1.path


def _v1_file_with_log(directory: Path) -> None:
    """A v1 file in WAL mode, as a killed v1 leaves it: the last of its rows lie in the log only."""
    path = _v1_file(directory)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE users SET passcode_hash = 'in the log'")
        left = {name: (directory / name).read_bytes() for name in (DATABASE, f"{DATABASE}-wal")}
    for name, content in left.items():
        (directory / name).write_bytes(content)


def _socrates(*arguments: str) -> tuple[str, ...]:
    return ("socrates", "db", *arguments)


def _at_revision(directory: Path, revision: str, journal_mode: str) -> Path:
    path = _v1_file(directory)
    done = alembic(path, "upgrade", revision, v1_timezone="UTC")
    assert done.status == 0, done
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal_mode}")
    for backup in directory.glob(f"{DATABASE}.backup_*"):
        backup.unlink()
    return path


def _beside_a_smaller_backup(directory: Path) -> None:
    _v1_file(directory, _BACKUP)
    _at_revision(directory, "head", "DELETE")


def _beside_a_larger_backup(directory: Path) -> None:
    _at_revision(directory, "head", "DELETE").rename(directory / _BACKUP)
    _v1_file_with_log(directory)


def _with_a_row_to_retry(directory: Path) -> None:
    """The project that a note in quarantine belongs to is there by now."""
    path = _at_revision(directory, "head", "DELETE")
    with Store.open(path) as store, store.begin() as unit:
        unit.projects.create("The missing one", "ada", project_id="gone")
    (directory / f"{DATABASE}.lock").unlink()


def _with_wrong_counts(directory: Path) -> None:
    path = _at_revision(directory, "head", "WAL")
    execute(path, "UPDATE projects SET message_count = 99")
    execute(path, "DROP INDEX ix_users_archived_at_username")


def _with_a_damaged_index(directory: Path) -> None:
    path = _at_revision(directory, "head", "DELETE")
    page = value(path, "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_projects_1'")
    size = value(path, "PRAGMA page_size")
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))


UPGRADE = Operation("upgrade", _v1_file, _alembic("upgrade", "head"))
UPGRADE_LARGE = Operation("upgrade-large", UPGRADE.prepare, UPGRADE.command, small_cache=True)
UPGRADE_WAL = Operation("upgrade-wal", _v1_file_with_log, UPGRADE.command)
UPGRADE_OURS = Operation(
    "upgrade-ours", lambda directory: _at_revision(directory, "0002", "WAL"), _alembic("upgrade", "head")
)
DOWNGRADE = Operation(
    "downgrade", lambda directory: _at_revision(directory, "head", "DELETE"), _alembic("downgrade", "base")
)
DOWNGRADE_WAL = Operation("downgrade-wal", lambda directory: _at_revision(directory, "head", "WAL"), DOWNGRADE.command)
IMPORT = Operation(
    "import-elsewhere",
    lambda directory: _v1_file(directory, "old.db"),
    _alembic("-x", "v1={directory}/old.db", "upgrade", "head"),
    backs_up=False,
    status_again=2,  # it takes an empty database only
)
DRY_RUN = Operation("dry-run", UPGRADE.prepare, _alembic("-x", "dry_run=1", "upgrade", "head"), backs_up=False)
BACKUP = Operation(
    "backup",
    lambda directory: _at_revision(directory, "head", "WAL"),
    _socrates("backup", f"{{directory}}/{DATABASE}"),
)
RESTORE = Operation(
    "restore",
    _beside_a_smaller_backup,
    _socrates("restore", f"{{directory}}/{_BACKUP}", f"{{directory}}/{DATABASE}", "--yes"),
    may_remain=True,
)
RESTORE_WAL = replace(RESTORE, name="restore-wal", prepare=_beside_a_larger_backup)
DROP_V1 = Operation(
    "drop-v1-backup",
    lambda directory: _at_revision(directory, "head", "WAL"),
    _socrates("drop-v1-backup", f"{{directory}}/{DATABASE}", "--yes"),
    status_again=2,  # there is nothing to drop any more
    may_remain=True,
)
RETRY = Operation(
    "retry", _with_a_row_to_retry, _socrates("quarantine", "retry", f"{{directory}}/{DATABASE}"), backs_up=False
)
REPAIR = Operation(
    "repair",
    _with_wrong_counts,
    _socrates("repair", f"{{directory}}/{DATABASE}", "--yes"),
    may_remain=True,
)
REPAIR_DAMAGED = replace(REPAIR, name="repair-damaged", prepare=_with_a_damaged_index)

OPERATIONS = (
    UPGRADE,
    UPGRADE_LARGE,
    UPGRADE_WAL,
    UPGRADE_OURS,
    DOWNGRADE,
    DOWNGRADE_WAL,
    IMPORT,
    DRY_RUN,
    BACKUP,
    RESTORE,
    RESTORE_WAL,
    DROP_V1,
    RETRY,
    REPAIR,
    REPAIR_DAMAGED,
)


def with_options(operation: Operation, **x: object) -> Operation:
    """The same with further ``-x`` options of Alembic."""
    options = [word for name, value in x.items() for word in ("-x", f"{name}={value}")]
    return replace(operation, command=(*operation.command[:-2], *options, *operation.command[-2:]))
