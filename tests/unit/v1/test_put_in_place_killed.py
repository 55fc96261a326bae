"""A replacement that is killed at any moment leaves the old database or the new one, whole."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.other_process import other_process
from tests.unit.v1.texts import held, left_by_a_crash, texts


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


# In a process of its own each time, kills it before the N-th operation on a file, for every N; waits in between.
KILL_EVERYWHERE = """
import os, shutil, signal, sqlite3, sys
from pathlib import Path
from socrates.v1.restore import put_in_place
template, home = map(Path, sys.argv[1:])
EVENTS = {"open", "os.rename", "os.remove", "os.chmod", "os.truncate", "sqlite3.connect"}
def run(moment):
    left = moment
    def count(event, arguments):
        nonlocal left
        if event in EVENTS and str(home) in str(arguments[0]):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
    sys.addaudithook(count)
    put_in_place(home / "new.restoring", home / "projects.db")
    os._exit(0)
print("ready", flush=True)
moment, status = 0, None
while status != 0:
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(template, home)
    child = os.fork() or run(moment)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(status, flush=True)
    sys.stdin.readline()
    moment += 1
"""


def moments(template: Path, home: Path) -> Iterator[int]:
    """Kill a replacement at every operation on a file in turn; yield the exit status, 0 the last."""
    with other_process(KILL_EVERYWHERE, template, home) as killer:
        status = None
        while status != 0:
            status = int(killer.answer())
            assert status in (0, -signal.SIGKILL)
            yield status
            killer.go_on()


def test_a_kill_at_any_moment_leaves_the_old_or_the_new_database_whole(
    database: Path, new: Path, tmp_path: Path
) -> None:
    left_by_a_crash(database)
    new.rename(new.with_name("new.restoring"))
    seen = []
    home = tmp_path / "killed"
    for status in moments(database.parent, home):
        seen.append(held(home / "projects.db"))
        for kept in home.glob("projects.db.replaced_*"):
            assert kept.suffix == ".partial" or held(kept) == ("OLD", 300)
        assert status != 0 or seen[-1] == ("new", 500)
    assert set(seen) == {("OLD", 300), ("new", 500)}
    assert seen == sorted(seen), "once replaced, always replaced"
    assert len(seen) > 10


def test_a_kill_at_any_moment_loses_no_byte_of_what_could_not_be_opened(
    database: Path, new: Path, tmp_path: Path
) -> None:
    os.truncate(database, 5000)
    database.with_name("projects.db-wal").write_bytes(b"no -wal, but who knows")
    new.rename(new.with_name("new.restoring"))
    content, wal = database.read_bytes(), database.with_name("projects.db-wal").read_bytes()
    home = tmp_path / "killed"
    count = 0
    for status in moments(database.parent, home):
        count += 1
        finished = [path for path in home.glob("projects.db.replaced_*") if path.suffix != ".partial"]
        everything = [path.read_bytes() for path in (home / "projects.db", *finished)]
        assert content in everything
        beside = home / "projects.db-wal"
        assert wal in [path.read_bytes() for path in (*finished, *([beside] if beside.exists() else []))]
        if (home / "projects.db").read_bytes() != content:
            assert held(home / "projects.db") == ("new", 500)
        assert status != 0 or held(home / "projects.db") == ("new", 500)
    assert count > 10


# The system kills at the write that would make a file larger than a limit: inside of SQLite's own writing.
KILLED_BY_LIMIT = """
import resource, signal, sys
from pathlib import Path
from socrates.v1.restore import put_in_place
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
put_in_place(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("growth", [1, 100_000, 1_000_000])
def test_a_kill_amid_sqlite_s_writing_leaves_the_old_database_whole(home: Path, growth: int) -> None:
    database, new = texts(home / "projects.db", "old"), texts(home / "new.restoring", "new", 10_000)
    limit = database.stat().st_size + growth
    killed = subprocess.run([sys.executable, "-c", KILLED_BY_LIMIT, new, database, str(limit)], check=False)
    assert killed.returncode == -signal.SIGXFSZ
    (kept,) = home.glob("projects.db.replaced_*")
    assert (held(database), held(kept)) == (("old", 300), ("old", 300))
