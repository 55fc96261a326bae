"""Whole copies of a database: those made before anything is changed, and those an owner asks for."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from socrates.errors import MigrationError
from socrates.v1.backup import back_up, back_up_to, check_free_space, discarding, new_file
from tests.concurrency.checks import LONG
from tests.support.migrate import OBEY_PERMISSIONS, execute, value
from tests.support.other_process import can_write, other_process
from tests.support.v1_files import V1File


@pytest.fixture
def database(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    with V1File(home / "projects.db") as v1:
        for number in range(300):
            v1.add_user(f"user-{number}")
    return v1.path


class Usage(NamedTuple):
    """What `shutil.disk_usage` gives."""

    total: int
    used: int
    free: int


def names(directory: Path) -> set[str]:
    """The names of all files there."""
    return {path.name for path in directory.iterdir()}


def dump(path: Path) -> list[str]:
    """Everything a database holds."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    lines = list(connection.iterdump())
    connection.close()
    return lines


def test_a_backup_holds_everything_under_a_telling_name(database: Path, tmp_path: Path) -> None:
    backup = back_up(database, tmp_path)
    assert re.fullmatch(r"projects\.db\.backup_\d{8}T\d{6}Z", backup.name)
    assert backup.parent == tmp_path
    assert dump(backup) == dump(database)


def test_a_backup_leaves_nothing_else_behind(database: Path) -> None:
    backup = back_up(database, database.parent)
    assert set(database.parent.iterdir()) == {database, backup}


def test_backups_of_one_second_do_not_overwrite_each_other(database: Path) -> None:
    backups = {back_up(database, database.parent) for _ in range(4)}
    assert len(backups) == 4
    assert all(dump(backup) == dump(database) for backup in backups)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_nobody_may_read_a_backup_who_may_not_read_the_original(database: Path, mode: int) -> None:
    database.chmod(mode)
    assert back_up(database, database.parent).stat().st_mode & 0o777 == mode


def test_a_backup_holds_what_is_committed_while_we_hold_the_lock(database: Path) -> None:
    before = dump(database)
    writer = sqlite3.connect(database, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM users")
    backup = back_up(database, database.parent)
    writer.execute("ROLLBACK")
    writer.close()
    assert dump(backup) == before


def test_a_backup_holds_what_still_lies_in_a_write_ahead_log(database: Path) -> None:
    writer = sqlite3.connect(database, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("DELETE FROM users WHERE username <> 'user-7'")
    backup = back_up(database, database.parent)
    writer.close()
    connection = sqlite3.connect(backup)
    assert connection.execute("SELECT username FROM users").fetchall() == [("user-7",)]
    connection.close()


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "#1.db", "é.db"])
def test_any_file_name_is_backed_up(database: Path, name: str) -> None:
    path = database.rename(database.with_name(name))
    assert dump(back_up(path, path.parent)) == dump(path)


def test_a_backup_that_cannot_be_written_is_an_error(database: Path, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="could not be written"):
        back_up(database, tmp_path / "no such place")
    assert list(database.parent.iterdir()) == [database]


def test_a_file_that_cannot_be_read_whole_leaves_no_half_backup(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[4096 * 2 :] = os.urandom(len(content) - 4096 * 2)
    database.write_bytes(content)
    with pytest.raises(MigrationError):
        back_up(database, database.parent)
    assert list(database.parent.iterdir()) == [database]


def test_enough_space_is_enough(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = database.stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10 * size, 7 * size, 3 * size))
    check_free_space(database, database.parent)


def test_too_little_space_is_refused_with_the_figures(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = database.stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10 * size, 9 * size, size))
    with pytest.raises(MigrationError) as caught:
        check_free_space(database, database.parent)
    assert f"{size:,} bytes free" in str(caught.value)
    assert f"needs about {3 * size:,}" in str(caught.value)


def test_two_directories_of_one_disk_need_the_sum(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = database.stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10 * size, 8 * size, 2 * size))
    with pytest.raises(MigrationError, match=f"needs about {3 * size:,}"):
        check_free_space(database, tmp_path)


# One snapshot

BACKUPS = 40 if LONG else 6
WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
connection.execute("PRAGMA synchronous = OFF")  # a slow disk would leave nobody else a turn in five seconds
number = 0
while True:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE account SET paid = paid + 1")
    connection.execute("INSERT INTO entry (text) VALUES (hex(randomblob(300)))")
    connection.execute("UPDATE account SET entries = (SELECT count(*) FROM entry), received = received + 1")
    connection.execute("COMMIT")
    number += 1
    if number == 20:
        print("busy", flush=True)
"""


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_copy_of_a_busy_database_is_one_moment_of_it(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "busy.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE account (paid, received, entries)")
        connection.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, text)")
        connection.execute("INSERT INTO account VALUES (0, 0, 0)")
        numbers = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 30000) "
        connection.execute(f"INSERT INTO entry (text) {numbers} SELECT hex(randomblob(100)) FROM n")
    seen = []
    with other_process(WRITER, path):
        for number in range(BACKUPS):
            copy = back_up_to(path, tmp_path / f"copy-{number}.db")
            with closing(sqlite3.connect(copy)) as connection:
                paid, received, entries = connection.execute("SELECT * FROM account").fetchone()
                assert paid == received
                assert connection.execute("SELECT count(*) FROM entry").fetchone() == (entries,)
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            seen.append(paid)
    assert seen == sorted(seen)
    assert seen[0] < seen[-1], "nobody wrote meanwhile, so this proved nothing"


def test_a_copy_for_a_migration_is_one_moment_too(tmp_path: Path) -> None:
    path = tmp_path / "busy.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE account (paid, received, entries)")
        connection.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, text)")
        connection.execute("INSERT INTO account VALUES (0, 0, 0)")
    with other_process(WRITER, path):
        for _ in range(BACKUPS):
            back_up(path, tmp_path)


def test_a_backup_does_not_drop_the_lock_of_a_migration(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as migration:
        migration.execute("BEGIN IMMEDIATE")
        back_up(database, database.parent)
        assert "locked" in can_write(database)
        migration.execute("ROLLBACK")
    assert can_write(database) == "yes"


def test_what_a_crash_left_in_a_journal_is_rolled_back_in_the_copy_only(database: Path, tmp_path: Path) -> None:
    crashed = tmp_path / "crashed.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 2")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE users SET created_at = 'half', passcode_hash = hex(randomblob(200))")
        shutil.copyfile(database, crashed)
        shutil.copyfile(f"{database}-journal", f"{crashed}-journal")
        connection.execute("ROLLBACK")
    before = crashed.read_bytes()
    remarks: list[str] = []
    copy = back_up_to(crashed, tmp_path / "copy.db", remarks)
    assert dump(copy) == dump(database)
    assert "journal" in remarks[0]
    assert crashed.read_bytes() == before


# What the copy is


def test_a_copy_of_a_database_in_wal_mode_can_be_read_where_nothing_can_be_written(
    database: Path, tmp_path: Path
) -> None:
    execute(database, "PRAGMA journal_mode = WAL")
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    copy = back_up_to(database, shelf)
    assert names(shelf) == {copy.name}
    read = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM users').fetchone())"
    shelf.chmod(0o555)
    try:
        command = [sys.executable, "-c", OBEY_PERMISSIONS, "-c", read, str(copy)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    finally:
        shelf.chmod(0o755)
    assert done.stdout.strip() == "(300,)"
    assert value(copy, "PRAGMA journal_mode") == "delete"


# Prints how far the copy's permissions went at each step, whatever the umask.
WATCH_PERMISSIONS = """
import os, sys
from pathlib import Path
home = Path(sys.argv[1]).parent
os.umask(0)
def look(event, arguments):
    if event.startswith(("os.", "open", "sqlite3.")):
        for entry in os.scandir(str(home)) if event != "os.scandir" else ():
            if ".backup_" in entry.name:
                modes.add(entry.stat().st_mode & 0o777)
modes = set()
from socrates.v1.backup import back_up_to
sys.addaudithook(look)
back_up_to(Path(sys.argv[1]))
print(*sorted(map(oct, modes)))
"""


def test_nobody_may_read_a_copy_not_even_while_it_is_made(database: Path) -> None:
    database.chmod(0o440)
    done = subprocess.run(
        [sys.executable, "-c", WATCH_PERMISSIONS, database], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0o440", "0o600"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only an administrator can give a file to a group he is not in")
def test_another_group_does_not_get_the_rights_of_the_original_s(database: Path) -> None:
    database.chmod(0o660)
    os.chown(database, -1, 54_321)
    assert back_up_to(database).stat().st_mode & 0o777 == 0o600


def test_any_database_of_sqlite_s_is_copied(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
        connection.execute("INSERT INTO words VALUES ('one two')")
        connection.execute('CREATE TABLE "a ""quoted"" name" (id INTEGER PRIMARY KEY AUTOINCREMENT)')
        connection.execute("CREATE VIEW broken AS SELECT * FROM gone")
        connection.commit()
    copy = back_up_to(path)
    assert value(copy, "SELECT count(*) FROM words WHERE words MATCH 'two'") == 1


# Where it goes


def test_a_copy_goes_where_its_owner_says(database: Path, tmp_path: Path) -> None:
    assert back_up_to(database).parent == database.parent
    assert back_up_to(database, tmp_path).parent == tmp_path
    assert back_up_to(database, tmp_path / "copy.db") == tmp_path / "copy.db"
    assert dump(tmp_path / "copy.db") == dump(database)


def test_a_copy_overwrites_nothing(database: Path, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place in (tmp_path / "precious.txt", tmp_path / "link", database):
        with pytest.raises(MigrationError, match="overwrites nothing"):
            back_up_to(database, place)
    assert (tmp_path / "precious.txt").read_text() == "precious"


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal", ".lock", ".partial", ".restoring"])
def test_a_copy_gets_no_name_that_means_something_else(database: Path, ending: str) -> None:
    with pytest.raises(MigrationError, match="taken for something else"):
        back_up_to(database, database.with_name(database.name + ending))
    assert names(database.parent) == {database.name}


def test_a_copy_that_was_left_unfinished_is_not_gone_on_with(database: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db.partial").write_text("half")
    with pytest.raises(MigrationError, match="remove it, then try again"):
        back_up_to(database, tmp_path / "copy.db")
    assert (tmp_path / "copy.db.partial").read_text() == "half"


def test_there_is_no_copy_of_what_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "letter.db").write_text("This is a letter. " * 100)
    (tmp_path / "encrypted.db").write_bytes(os.urandom(8192))
    before = names(tmp_path)
    for name in ("letter.db", "encrypted.db", "missing.db", "."):
        with pytest.raises(MigrationError):
            back_up_to(tmp_path / name)
    assert names(tmp_path) == before


def test_there_is_no_copy_of_a_damaged_database(database: Path) -> None:
    with database.open("r+b") as file:
        file.seek(36)  # the number of free pages
        file.write((7).to_bytes(4, "big"))
    for make in (lambda: back_up_to(database), lambda: back_up(database, database.parent)):
        with pytest.raises(MigrationError, match="is damaged"):
            make()
    assert names(database.parent) == {database.name}


def test_a_disk_that_is_known_to_be_too_small_is_not_filled(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(1_000_000, 999_999, 1))
    with pytest.raises(MigrationError, match="has 1 bytes free"):
        back_up_to(database)
    assert names(database.parent) == {database.name}


# No file may grow beyond half of what the copy needs, as on a disk that others fill meanwhile.
FILL_UP = """
import resource, sys
from pathlib import Path
from socrates.errors import MigrationError
from socrates.v1.backup import back_up_to
path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size // 2,) * 2)
try:
    back_up_to(path)
except MigrationError as error:
    print(error)
"""


def test_a_disk_that_fills_up_leaves_no_half_copy(database: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FILL_UP, database], capture_output=True, text=True, check=True)
    assert "could not be written" in done.stdout
    assert names(database.parent) == {database.name}


def test_a_file_that_somebody_else_made_meanwhile_is_not_removed(tmp_path: Path) -> None:
    like, final = tmp_path / "projects.db", tmp_path / "projects.db.backup"
    like.write_bytes(b"ours")
    with pytest.raises(FileExistsError, match="somebody else"), discarding([final]), new_file(final, like):
        final.write_bytes(b"theirs")
    assert final.read_bytes() == b"theirs"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["projects.db", "projects.db.backup"]
