"""One database in the place of another: nobody is in it, and the old one is kept."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from socrates.errors import BusyError, MigrationError
from socrates.v1 import exclusive
from socrates.v1.exclusive import only_user
from socrates.v1.restore import put_in_place
from tests.concurrency.checks import assert_sound
from tests.support.migrate import value
from tests.support.other_process import can_write, other_process
from tests.support.stores import fresh_file
from tests.unit.v1.texts import held, left_by_a_crash, state, texts


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't wait as long for somebody who will not go."""
    monkeypatch.setattr(exclusive, "_WAIT_SECONDS", 0.3)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / "home"
    directory.mkdir()
    return directory


@pytest.fixture
def database(home: Path) -> Path:
    return texts(home / "projects.db", "old")


@pytest.fixture
def new(home: Path) -> Path:
    return texts(home / "projects.db.new.restoring", "new", 500)


# In the place of a database that SQLite can open


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("page_size", [1024, 4096, 16384])
def test_the_new_content_is_there_and_the_old_is_kept(home: Path, mode: str, page_size: int) -> None:
    database = texts(home / "projects.db", "old", mode=mode)
    new = texts(home / "new.restoring", "new", 500, page_size=page_size)
    kept = put_in_place(new, database)
    assert kept is not None
    assert (held(database), held(kept)) == (("new", 500), ("old", 300))
    assert {path.name for path in home.iterdir()} == {"projects.db", "projects.db.lock", kept.name}
    assert kept.name.startswith("projects.db.replaced_")


def test_what_lies_in_a_wal_of_a_crash_is_kept_with_the_old(database: Path, new: Path) -> None:
    left_by_a_crash(database)
    kept = put_in_place(new, database)
    assert kept is not None
    assert (held(database), held(kept)) == (("new", 500), ("OLD", 300))


def test_what_lies_in_a_journal_of_a_crash_is_rolled_back_in_the_old(database: Path, new: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 2")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE content SET text = hex(randomblob(50))")
        shutil.copyfile(database, database.with_name("aside"))
        shutil.copyfile(f"{database}-journal", database.with_name("aside-journal"))
        connection.execute("ROLLBACK")
    os.replace(database.with_name("aside"), database)
    os.replace(database.with_name("aside-journal"), f"{database}-journal")
    kept = put_in_place(new, database)
    assert kept is not None
    assert (held(database), held(kept)) == (("new", 500), ("old", 300))


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_the_place_keeps_its_permissions_and_its_links(database: Path, new: Path, tmp_path: Path, mode: int) -> None:
    database.chmod(mode)
    new.chmod(0o644)
    link = tmp_path / "link.db"
    link.symlink_to(database)
    kept = put_in_place(new, link)
    assert kept is not None
    assert link.is_symlink()
    assert held(link) == ("new", 500)
    assert kept.parent == database.parent
    assert [path.stat().st_mode & 0o777 for path in (database, kept)] == [mode, mode]


def test_a_missing_database_is_made(home: Path, new: Path) -> None:
    assert put_in_place(new, home / "projects.db") is None
    assert held(home / "projects.db") == ("new", 500)
    assert not new.exists()


@pytest.mark.parametrize("ending", ["-wal", "-journal"])
def test_what_a_missing_database_left_does_not_become_part_of_the_new_one(home: Path, new: Path, ending: str) -> None:
    home.joinpath(f"projects.db{ending}").write_bytes(b"left")
    with pytest.raises(MigrationError, match="without its database"):
        put_in_place(new, home / "projects.db")
    assert new.exists()


# Somebody else has it open

HOLDS = {
    "an idle connection in WAL mode": "c.execute('SELECT 1 FROM content').fetchall()",
    "a writer in WAL mode": "c.execute('BEGIN IMMEDIATE')",
    "a reader": "c.execute('BEGIN'); c.execute('SELECT 1 FROM content').fetchall()",
    "a writer": "c.execute('BEGIN IMMEDIATE')",
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("who", HOLDS)
def test_a_database_that_is_open_elsewhere_is_not_touched(home: Path, new: Path, who: str) -> None:
    database = texts(home / "projects.db", "old", mode="wal" if "WAL" in who else "delete")
    code = f"import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); {HOLDS[who]}"
    with other_process(code + "; print('held', flush=True); sys.stdin.readline()", database):
        before = state(home)
        with pytest.raises(BusyError, match="is open elsewhere"):
            put_in_place(new, database)
        assert state(home) == before
    assert put_in_place(new, database) is not None
    assert held(database) == ("new", 500)


@pytest.mark.usefixtures("impatient")
async def test_a_database_that_a_store_has_open_is_not_replaced(home: Path, new: Path) -> None:
    path = fresh_file(home)
    with other_process(
        "import asyncio, sys; from socrates.store import Store\n"
        "async def main():\n"
        "    async with Store.open(sys.argv[1]) as store:\n"
        "        async with store.begin() as unit: await unit.projects.create('Library', 'ada')\n"
        "        print('open', flush=True); sys.stdin.readline()\n"
        "        async with store.begin() as unit: await unit.projects.create('Archive', 'ada')\n"
        "asyncio.run(main())",
        path,
    ) as user:
        with pytest.raises(BusyError):
            put_in_place(new, path)
        user.rest()
    assert_sound(path)
    assert value(path, "SELECT count(*) FROM projects") == 2


@pytest.mark.usefixtures("impatient")
def test_a_database_that_is_being_prepared_is_not_replaced(database: Path, new: Path) -> None:
    code = (
        "import sys; from filelock import FileLock; lock = FileLock(sys.argv[1] + '.lock'); lock.acquire(); "
        "print('held', flush=True); sys.stdin.readline()"
    )
    with other_process(code, database), pytest.raises(BusyError):
        put_in_place(new, database)
    assert held(database) == ("old", 300)


def test_who_waits_for_a_moment_gets_his_turn(database: Path, new: Path) -> None:
    code = (
        "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); time.sleep(0.3); c.execute('COMMIT')"
    )
    with other_process(code, database):
        put_in_place(new, database)
    assert held(database) == ("new", 500)


UNSEEN = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("PRAGMA synchronous = OFF")
connection.execute("SELECT count(*) FROM content").fetchone()
print("idle", flush=True)
sys.stdin.readline()
print(connection.execute("SELECT min(text) FROM content").fetchone()[0][:3])
for number in range(300):
    connection.execute("INSERT INTO content (text) VALUES (?)", (f"unseen {number}" * 40,))
"""


def test_a_program_that_could_not_be_seen_finds_the_new_content_and_does_no_harm(home: Path) -> None:
    database = texts(home / "projects.db", "old", 2500)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("DELETE FROM content WHERE id BETWEEN 500 AND 1200")
    new = texts(home / "new.restoring", "new", 2500)
    with other_process(UNSEEN, database) as idle:
        put_in_place(new, database)
        with closing(sqlite3.connect(database, isolation_level=None)) as program:
            program.execute("PRAGMA journal_mode = WAL")
            program.execute("PRAGMA synchronous = OFF")
            program.execute("INSERT INTO content (text) VALUES ('program')")
            assert idle.rest().strip() == "new"
            for number in range(300):
                program.execute("INSERT INTO content (text) VALUES (?)", (f"program {number}" * 40,))
            assert program.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert program.execute("SELECT count(*) FROM content").fetchone() == (2500 + 601,)


# Asks another process, at the moment when the old file is kept, whether it could write to the database.
ASK_WHILE_KEEPING = """
import sys
from pathlib import Path
from tests.support.other_process import can_write
from socrates.v1.restore import put_in_place
new, database = map(Path, sys.argv[1:])
def ask(event, arguments):
    if event == "os.rename" and ".replaced_" in str(arguments[1]) and str(arguments[1])[-4:] not in ("-wal", "-shm"):
        print(can_write(database))
sys.addaudithook(ask)
put_in_place(new, database)
"""


@pytest.mark.parametrize("sound", [True, False])
def test_nobody_can_write_between_the_keeping_and_the_replacing(database: Path, new: Path, sound: bool) -> None:
    if not sound:
        os.truncate(database, 5000)
    command = [sys.executable, "-c", ASK_WHILE_KEEPING, new, database]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "database is locked"
    assert can_write(database) == "yes"


def test_the_only_user_s_failure_leaves_the_journal_mode_as_it_was(home: Path) -> None:
    database = texts(home / "projects.db", "old", mode="wal")

    def fail_amid_a_transaction() -> None:
        with only_user(database) as connection:
            connection.execute("BEGIN")
            connection.execute("DELETE FROM content")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_amid_a_transaction()
    assert value(database, "PRAGMA journal_mode") == "wal"
    assert held(database) == ("old", 300)


# In the place of what SQLite cannot open

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "a letter": lambda _: b"This is a letter. " * 500,
    "encrypted": lambda whole: os.urandom(len(whole)),
    "half": lambda whole: whole[: len(whole) // 2],
    "a few bytes": lambda whole: whole[:50],
    "a damaged schema": lambda whole: whole[:100] + os.urandom(3996) + whole[4096:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_cannot_be_opened_is_kept_byte_for_byte_with_what_lay_beside_it(
    database: Path, new: Path, damage: str
) -> None:
    content = DAMAGES[damage](database.read_bytes())
    database.write_bytes(content)
    database.chmod(0o640)
    database.with_name("projects.db-wal").write_bytes(b"no -wal, but who knows")
    kept = put_in_place(new, database)
    assert kept is not None
    assert kept.read_bytes() == content
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == b"no -wal, but who knows"
    assert not database.with_name("projects.db-wal").exists()
    assert held(database) == ("new", 500)
    assert [path.stat().st_mode & 0o777 for path in (database, kept)] == [0o640, 0o640]


@pytest.mark.parametrize("damage", ["a damaged page", "a damaged list of free pages"])
def test_what_can_be_opened_is_kept_whatever_its_pages_hold(database: Path, new: Path, damage: str) -> None:
    content = bytearray(database.read_bytes())
    if damage == "a damaged page":
        content[4096 * 2 : 4096 * 3] = os.urandom(4096)
    else:
        content[32:40] = b"\x00\x00\x00\x09\x00\x00\x00\x09"
    database.write_bytes(content)
    kept = put_in_place(new, database)
    assert kept is not None
    assert kept.read_bytes() == content
    assert held(database) == ("new", 500)


@pytest.mark.usefixtures("impatient")
def test_a_damaged_file_that_is_open_elsewhere_is_not_touched(home: Path, new: Path) -> None:
    database = texts(home / "projects.db", "old", mode="wal")
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM content').fetchall(); "
        "print('held', flush=True); sys.stdin.readline()"
    )
    with other_process(code, database):
        with database.open("r+b") as file:
            file.write(b"no longer a database")
        content = database.read_bytes()
        with pytest.raises(BusyError):
            put_in_place(new, database)
        assert database.read_bytes() == content
    assert put_in_place(new, database) is not None


# Places where it cannot be done


def test_a_read_only_file_or_directory_is_not_written_not_even_by_an_administrator(database: Path, new: Path) -> None:
    before = state(database.parent)
    database.chmod(0o444)
    with pytest.raises(MigrationError, match="is read-only"):
        put_in_place(new, database)
    database.chmod(0o600)
    database.parent.chmod(0o555)
    try:
        with pytest.raises(MigrationError, match="is read-only"):
            put_in_place(new, database)
    finally:
        database.parent.chmod(0o755)
    assert state(database.parent) == before


# No file may grow beyond a limit, as on a disk that others fill meanwhile.
FILL_UP = """
import resource, sys
from pathlib import Path
from socrates.errors import MigrationError
from socrates.v1.restore import put_in_place
new, database = map(Path, sys.argv[1:3])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    put_in_place(new, database)
except MigrationError as error:
    print(error)
"""


def on_a_full_disk(new: Path, database: Path, limit: int) -> str:
    """What a replacement says that cannot make any file larger than `limit` bytes."""
    command = [sys.executable, "-c", FILL_UP, new, database, str(limit)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_disk_that_fills_up_leaves_the_old_database_and_nothing_else(home: Path, mode: str) -> None:
    database, new = texts(home / "projects.db", "old", mode=mode), texts(home / "new.restoring", "new", 10_000)
    before = state(home)
    assert "Nothing was changed." in on_a_full_disk(new, database, limit=database.stat().st_size * 2)
    assert state(home).keys() == before.keys()
    assert value(database, "PRAGMA journal_mode") == mode
    assert held(database) == ("old", 300)


def test_a_disk_that_fills_up_while_a_damaged_file_is_kept_changes_nothing(database: Path, new: Path) -> None:
    database.write_bytes(os.urandom(20_000))
    database.with_name("projects.db-wal").write_bytes(b"no -wal, but who knows")
    before = state(database.parent)
    assert "Nothing was changed." in on_a_full_disk(new, database, limit=10_000)
    assert state(database.parent) == before


def test_a_disk_that_is_known_to_be_too_small_is_not_filled(
    database: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(database.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1))
    with pytest.raises(MigrationError, match="has 1 bytes free"):
        put_in_place(new, database)
    assert state(database.parent) == before
