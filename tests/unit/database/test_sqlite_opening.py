"""Which files a store opens, and that it leaves all others as they are."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from socrates.database.migrations import head_revision
from socrates.database.sqlite_opening import make_ready
from socrates.errors import BusyError, ConfigurationError, DatabaseError, NotRecognisedError, SchemaError
from socrates.store import Store
from tests.support.migrate import OBEY_PERMISSIONS, REPOSITORY, alembic, execute, sha256, value
from tests.support.stores import fresh_file

SAMPLE = REPOSITORY / "tests" / "support" / "v1_samples" / "nine-tables.db"


def make(path: Path, state: str) -> None:
    match state:
        case "v1":
            shutil.copyfile(SAMPLE, path)
        case "foreign":
            execute(path, "CREATE TABLE books (id INTEGER)")
        case "foreign, without tables":
            execute(path, "CREATE VIEW books AS SELECT 1 AS id")
        case "a letter":
            path.write_text("Dear Ada, this is no database, but it is long enough to be looked at. " * 20)
        case "a short note":
            path.write_text("Dear Ada")
        case "an earlier revision":
            assert alembic(path, "upgrade", "0002").status == 0
        case "a later revision":
            fresh_file(path.parent, path.name)
            execute(path, "UPDATE alembic_version SET version_num = '9999'")
        case "no revision":
            fresh_file(path.parent, path.name)
            execute(path, "DELETE FROM alembic_version")


def files(directory: Path) -> dict[str, str]:
    return {found.name: sha256(found) for found in directory.iterdir() if found.suffix != ".lock"}


def names(directory: Path) -> set[str]:
    return {found.name for found in directory.iterdir()}


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        ("v1", NotRecognisedError, "If v1 wrote it, .*`socrates db upgrade .*projects.db`"),
        ("foreign", NotRecognisedError, "doesn't have this version's schema"),
        ("foreign, without tables", NotRecognisedError, "doesn't have this version's schema"),
        ("a letter", NotRecognisedError, "not a SQLite database"),
        ("a short note", NotRecognisedError, "not a SQLite database"),
        ("an earlier revision", SchemaError, "revision 0002.*`socrates db upgrade .*projects.db`"),
        ("a later revision", SchemaError, "newer socrates.*9999"),
        ("no revision", SchemaError, "revision none"),
    ],
)
async def test_a_file_that_is_not_at_head_is_refused_and_left_as_it_is(
    tmp_path: Path, state: str, error: type[Exception], message: str
) -> None:
    path = tmp_path / "projects.db"
    make(path, state)
    before = files(tmp_path)
    for _ in range(2):
        with pytest.raises(error, match=message):
            await Store.open(path)
    assert files(tmp_path) == before


async def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a directory"):
        await Store.open(tmp_path)
    assert names(tmp_path) == set()


async def test_a_place_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatabaseError, match="cannot be opened"):
        await Store.open(tmp_path / "file" / "projects.db")
    assert files(tmp_path) == {"file": sha256(tmp_path / "file")}


OPEN = """
import asyncio, sys
from socrates.store import Store
try:
    asyncio.run(Store.open(sys.argv[1])._open())
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("protected", ["file", "directory", "directory of a missing file", "file not in WAL mode"])
def test_what_may_not_be_written_is_refused(tmp_path: Path, protected: str) -> None:
    path = tmp_path / "place" / "projects.db"
    path.parent.mkdir()
    if protected != "directory of a missing file":
        fresh_file(path.parent)
    if protected == "file not in WAL mode":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    before = files(path.parent)
    (path if "file" in protected.split() and "directory" not in protected else path.parent).chmod(0o555)
    # Even the superuser is held to the permissions there.
    script = [sys.executable, "-c", OBEY_PERMISSIONS, "-c", OPEN, str(path)]
    outcome = subprocess.run(script, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    path.parent.chmod(0o755)
    assert outcome.stdout.startswith("DatabaseError")
    assert str(path) in outcome.stdout
    assert outcome.stderr == ""
    assert files(path.parent) == before


@pytest.mark.parametrize("state", ["missing", "in a missing directory", "empty"])
async def test_a_file_with_nothing_in_it_gets_the_schema_and_wal(tmp_path: Path, state: str) -> None:
    path = tmp_path / ("a/b/projects.db" if state == "in a missing directory" else "projects.db")
    if state == "empty":
        path.touch()
    async with Store.open(path) as store:
        assert (await store.health()).revision == head_revision()
    assert names(path.parent) <= {"projects.db", "projects.db.lock"}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_file_that_is_ready_is_only_looked_at(tmp_path: Path) -> None:
    path = fresh_file(tmp_path)
    before = files(tmp_path)
    async with Store.open(path):
        pass
    assert files(tmp_path) == before
    assert names(tmp_path) == {path.name}, "no lock file is needed"


@pytest.mark.parametrize("name", ["with space.db", "100%.db", "who?.db", "a#b.db", "Bücher.db", "%41.db"])
async def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    async with Store.open(tmp_path / name) as store, store.begin() as unit:
        await unit.projects.create("Library", "ada")
    assert value(tmp_path / name, "SELECT name FROM projects") == "Library"
    assert names(tmp_path) <= {name, name + ".lock", name + "-wal", name + "-shm"}


def test_somebody_else_who_prepares_the_file_is_waited_for_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    with FileLock(f"{path}.lock"), pytest.raises(BusyError, match=r"0\.2 seconds"):
        make_ready(path, 0.2)
    make_ready(path, 0.2)


def test_a_writer_from_elsewhere_is_waited_for_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    assert alembic(path, "upgrade", "head").status == 0  # its journal is not in WAL mode yet
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BusyError, match="locked by another process"):
            make_ready(path, 0.2)
        other.execute("ROLLBACK")
    make_ready(path, 0.2)
    assert value(path, "PRAGMA journal_mode") == "wal"


IMPORTS = """
import asyncio, sys
import socrates.store
print(sorted(name for name in sys.modules if name.partition(".")[0] == "alembic"))
async def main():
    async with socrates.store.Store.open(sys.argv[1]) as store:
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada")
asyncio.run(main())
print(sorted(name for name in sys.modules if name.partition(".")[0] == "alembic"))
"""


def test_a_file_that_is_ready_is_opened_without_alembic(tmp_path: Path) -> None:
    script = [sys.executable, "-c", IMPORTS, str(fresh_file(tmp_path))]
    outcome = subprocess.run(script, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert outcome.stdout.split("\n") == ["[]", "[]", ""]


def test_several_stores_of_one_process_can_open_a_fresh_path_at_once(tmp_path: Path) -> None:
    async def open_all() -> None:
        stores = await asyncio.gather(*(Store.open(tmp_path / "projects.db") for _ in range(6)))
        for store in stores:
            assert (await store.health()).ok
            await store.close()

    asyncio.run(open_all())
    assert value(tmp_path / "projects.db", "PRAGMA integrity_check") == "ok"
