"""A restore: what it accepts, shows before, and leaves. How a file is replaced is in test_put_in_place.py."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from socrates import sync
from socrates.database.migrations import head_revision
from socrates.drafts import NewMessage
from socrates.errors import BusyError, DatabaseError, MigrationError, NotRecognisedError, SchemaError
from socrates.v1 import files
from socrates.v1.backup import back_up_to
from socrates.v1.restore import Restoration
from socrates.v1.shapes import FileKind
from tests.migration.test_failures import hide_from_the_index
from tests.support.migrate import alembic, execute, sha256, table_names, value
from tests.support.other_process import other_process
from tests.support.stores import fresh_file
from tests.support.v1_files import V1File


def v1_file(path: Path, *names: str) -> Path:
    with V1File(path) as v1:
        for name in names:
            v1.add_user(name)
            v1.add_project(owner=name)
    return path


def users(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT username FROM users ORDER BY username")]


def restore(backup: Path, database: Path) -> Restoration:
    restoration = Restoration(backup, database)
    restoration.examine(head_revision())
    restoration.run()
    return restoration


def refusal(backup: Path, database: Path) -> DatabaseError:
    """Why a restore is refused; nothing may have changed."""
    before = {path.name: sha256(path) for path in database.parent.iterdir() if path.is_file()}
    with pytest.raises(DatabaseError) as caught:
        restore(backup, database)
    after = {path.name: sha256(path) for path in database.parent.iterdir() if path.is_file()}
    assert after == before
    assert str(caught.value)
    return caught.value


@pytest.fixture
def database(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return v1_file(home / "projects.db", "ada", "bob")


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    return v1_file(tmp_path / "backup.db", "eve")


def test_a_backup_brings_back_what_it_holds(database: Path) -> None:
    backup = back_up_to(database)
    execute(database, "DELETE FROM users")
    restoration = restore(backup, database)
    assert (restoration.done, restoration.doubt) == (True, None)
    assert users(database) == ["ada", "bob"]
    assert restoration.kept is not None
    assert users(restoration.kept) == []
    assert {path.name for path in database.parent.iterdir()} == {
        *("projects.db", "projects.db.lock", backup.name, restoration.kept.name)
    }


def test_both_sides_are_shown_before_anything_is_done(database: Path, tmp_path: Path) -> None:
    before = sha256(database)
    ours = fresh_file(tmp_path, "ours.db")
    with sync.Store.open(ours) as store, store.begin() as unit:
        project = unit.projects.create("Library", "ada")
        unit.conversations.append_many(project.id, [NewMessage("user", text) for text in ("one", "two")])
    restoration = Restoration(ours, database)
    incoming = restoration.examine(head_revision())
    changed = value(ours, "SELECT updated_at FROM projects")
    assert (incoming.kind, incoming.revision) == (FileKind.OURS, head_revision())
    assert (incoming.users, incoming.projects, incoming.messages, incoming.last_change) == (0, 1, 2, changed)
    assert restoration.outgoing is not None
    assert (restoration.outgoing.kind, restoration.outgoing.revision) == (FileKind.V1, None)
    assert (restoration.outgoing.users, restoration.outgoing.projects, restoration.outgoing.messages) == (2, 2, None)
    assert restoration.outgoing.last_change == value(database, "SELECT max(updated_at) FROM projects")
    assert restoration.outgoing.size == database.stat().st_size
    assert sha256(database) == before


@pytest.mark.parametrize("revision", ["0001", "0003"])
def test_an_older_revision_of_ours_is_restored(database: Path, tmp_path: Path, revision: str) -> None:
    older = tmp_path / "older.db"
    assert alembic(older, "upgrade", revision).status == 0
    restoration = restore(older, database)
    assert restoration.incoming is not None
    assert restoration.incoming.revision == revision
    assert "alembic_version" in table_names(database)


def test_a_missing_database_is_made_with_the_permissions_of_the_backup(backup: Path, tmp_path: Path) -> None:
    backup.chmod(0o640)
    restoration = restore(backup, tmp_path / "missing.db")
    assert (restoration.kept, restoration.outgoing, restoration.problem) == (None, None, None)
    assert users(tmp_path / "missing.db") == ["eve"]
    assert (tmp_path / "missing.db").stat().st_mode & 0o777 == 0o640


PROBLEMS: dict[str, Callable[[Path], object]] = {
    "an empty file": lambda path: path.write_bytes(b""),
    "no SQLite database": lambda path: path.write_text("This is a letter. " * 300),
    "a damaged one": lambda path: os.truncate(path, 5000),
    "neither v1's nor ours": lambda path: execute(path, "DROP TABLE users"),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_whatever_is_in_the_place_is_replaced_and_kept(database: Path, backup: Path, problem: str) -> None:
    PROBLEMS[problem](database)
    before = database.read_bytes()
    restoration = restore(backup, database)
    assert restoration.outgoing is None
    assert problem in (restoration.problem or "")
    assert users(database) == ["eve"]
    assert restoration.kept is not None
    assert restoration.kept.read_bytes() == before


def test_what_lies_in_a_wal_beside_the_backup_belongs_to_it(database: Path, backup: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(backup, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE users SET username = 'mallory'")
        shutil.copyfile(backup, copy)
        shutil.copyfile(f"{backup}-wal", f"{copy}-wal")
    restore(copy, database)
    assert users(database) == ["mallory"]


def test_references_that_lead_nowhere_are_said_and_no_obstacle(database: Path, tmp_path: Path) -> None:
    backup = fresh_file(tmp_path, "ours.db")
    execute(backup, "INSERT INTO project_requirements (project_id, position, value) VALUES ('gone', 0, 'x')")
    assert "1 rows of the backup refer to rows" in restore(backup, database).remarks[0]


# Somebody writes to the database in the moment after it was replaced and before it is read back.
WRITE_AT_ONCE = """
import sqlite3, sys
from pathlib import Path
from socrates.v1.restore import Restoration
backup, database, head = sys.argv[1:]
def write(event, arguments):
    if event == "os.remove" and str(arguments[0]).endswith(".restoring"):
        connection = sqlite3.connect(database, isolation_level=None)
        connection.execute("DELETE FROM users")
        connection.close()
restoration = Restoration(Path(backup), Path(database))
restoration.examine(head)
sys.addaudithook(write)
restoration.run()
print(restoration.done, restoration.doubt)
"""


def test_a_database_that_is_not_what_it_should_be_afterwards_is_doubted(database: Path, backup: Path) -> None:
    command = [sys.executable, "-c", WRITE_AT_ONCE, backup, database, head_revision()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("True it holds other rows than the backup")


# What is no backup


def test_what_is_no_database_is_refused(database: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.db").write_text("This is a letter. " * 300)
    (tmp_path / "encrypted.db").write_bytes(os.urandom(8192))
    (tmp_path / "empty.db").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.db")
    for name in ("letter.db", "encrypted.db", "empty.db", "pipe.db", ".", "missing.db"):
        refusal(tmp_path / name, database)


def test_an_unfinished_copy_is_refused(database: Path, backup: Path) -> None:
    for ending in (".partial", ".restoring"):
        unfinished = backup.rename(backup.with_name(f"backup.db{ending}"))
        assert "unfinished" in str(refusal(unfinished, database))
        unfinished.rename(backup)


def test_the_database_itself_is_refused_under_any_name(database: Path, tmp_path: Path) -> None:
    os.link(database, tmp_path / "hard.db")
    (tmp_path / "soft.db").symlink_to(database)
    for name in (database, tmp_path / "hard.db", tmp_path / "soft.db"):
        assert "the database itself" in str(refusal(name, database))


def test_a_database_without_content_is_refused(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "empty.db")) as connection:
        connection.execute("PRAGMA user_version = 1")
    assert isinstance(refusal(tmp_path / "empty.db", database), NotRecognisedError)


def test_the_database_of_another_program_is_refused(database: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE projects (id)")
    assert isinstance(refusal(other, database), NotRecognisedError)
    for revision in ("a1b2c3d4", "0003", "9999"):
        execute(other, "CREATE TABLE IF NOT EXISTS alembic_version (version_num)")
        execute(other, "DELETE FROM alembic_version")
        execute(other, f"INSERT INTO alembic_version VALUES ('{revision}')")
        refusal(other, database)


def test_a_newer_revision_is_refused_with_what_to_do(database: Path, tmp_path: Path) -> None:
    newer = fresh_file(tmp_path, "newer.db")
    execute(newer, "UPDATE alembic_version SET version_num = '9999'")
    found = refusal(newer, database)
    assert isinstance(found, SchemaError)
    assert "Install that version" in str(found)


@pytest.mark.parametrize("damage", ["cut short", "a page", "a list"])
def test_a_damaged_backup_is_refused(database: Path, tmp_path: Path, damage: str) -> None:
    backup = v1_file(tmp_path / "backup.db", *(f"user-{number}" for number in range(100)))
    content = bytearray(backup.read_bytes())
    if damage == "cut short":
        content = content[: len(content) // 2]
    elif damage == "a page":
        content[-4096:] = os.urandom(4096)
    else:
        content[36:40] = (7).to_bytes(4, "big")
    backup.write_bytes(content)
    assert "damaged" in str(refusal(backup, database))


def test_a_backup_with_a_row_that_an_index_lacks_is_refused(database: Path, backup: Path) -> None:
    hide_from_the_index(backup, "hidden")
    assert "missing from index" in str(refusal(backup, database))


def test_a_backup_that_changed_after_it_was_shown_is_refused(database: Path, backup: Path) -> None:
    restoration = Restoration(backup, database)
    restoration.examine(head_revision())
    execute(backup, "DELETE FROM users")
    with pytest.raises(MigrationError, match="changed since"):
        restoration.run()
    assert users(database) == ["ada", "bob"]


# Where it cannot go


def test_a_place_that_is_no_file_is_refused(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    assert "is not a file" in str(refusal(backup, tmp_path / "directory"))
    with pytest.raises(MigrationError, match="there is no directory"):
        restore(backup, tmp_path / "nowhere" / "projects.db")


def test_a_read_only_place_is_refused(database: Path, backup: Path) -> None:
    database.chmod(0o444)
    assert "is read-only" in str(refusal(backup, database))
    database.chmod(0o644)
    database.parent.chmod(0o555)
    try:
        assert "is read-only" in str(refusal(backup, database))
    finally:
        database.parent.chmod(0o755)


def test_a_database_that_somebody_writes_to_is_left_alone(
    database: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_WAIT_SECONDS", 0.3)
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN EXCLUSIVE'); "
        "print('held', flush=True); sys.stdin.readline()"
    )
    with other_process(code, database):
        assert isinstance(refusal(backup, database), BusyError)
    assert users(database) == ["ada", "bob"]
