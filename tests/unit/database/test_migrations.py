"""The schema, made by a program that opens a file: nothing is printed, nothing else is touched."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from socrates.database.migrations import create_schema, current_revision, directory, head_revision
from socrates.errors import MigrationError, NotRecognisedError, SchemaError
from tests.support.migrate import REPOSITORY, alembic, execute, rows, sha256, upgrade, value
from tests.support.v1_files import V1File


@pytest.fixture(autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Another database that the environment names. No test may touch it."""
    other = tmp_path_factory.mktemp("elsewhere") / "other.db"
    monkeypatch.setenv("SOCRATES_DATABASE_URL", f"sqlite:///{other}")
    yield other
    assert not other.exists()


def schema(path: Path) -> list[tuple[str, str]]:
    return rows(path, "SELECT name, sql FROM sqlite_master WHERE tbl_name <> 'alembic_version' ORDER BY name")


def files(path: Path) -> dict[str, str]:
    return {found.name: sha256(found) for found in path.parent.iterdir()}


def make(path: Path, content: str) -> None:
    """Bring a file into one of several states."""
    match content:
        case "missing":
            pass
        case "empty":
            path.touch()
        case "no tables" | "nothing but Alembic's table":
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
                if content == "no tables":
                    connection.execute("DROP TABLE alembic_version")
        case "v1" | "v1, stamped":
            with V1File(path) as v1:
                v1.add_user()
            if content == "v1, stamped":
                execute(path, f"CREATE TABLE alembic_version AS SELECT '{head_revision()}' AS version_num")
        case "other tables":
            execute(path, "CREATE TABLE books (id INTEGER)")
        case "an earlier revision":
            alembic(path, "upgrade", "0002")
        case "a later revision":
            upgrade(path)
            execute(path, "UPDATE alembic_version SET version_num = '9999'")
        case "a letter":
            path.write_text("Dear Ada, this is no database, but it is long enough to be looked at. " * 20)


@pytest.mark.parametrize("content", ["missing", "empty", "no tables", "nothing but Alembic's table"])
def test_an_empty_file_gets_the_schema_and_nothing_is_printed(
    tmp_path: Path, content: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "projects.db"
    make(path, content)
    capfd.readouterr()
    create_schema(path)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == [path]
    assert value(path, "SELECT version_num FROM alembic_version") == head_revision()
    by_hand = tmp_path / "by_hand.db"
    upgrade(by_hand)
    assert schema(path) == schema(by_hand)


def test_a_file_at_head_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    create_schema(path)
    before = files(path)
    create_schema(path)
    assert files(path) == before


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("v1", NotRecognisedError, "v1 wrote.*socrates db upgrade .*projects.db.*alembic upgrade head"),
        ("v1, stamped", NotRecognisedError, "marked as upgraded"),
        ("other tables", NotRecognisedError, "neither one that v1 wrote"),
        ("an earlier revision", SchemaError, "revision 0002.*socrates db upgrade .*projects.db"),
        ("a later revision", SchemaError, "revision 9999.*newer version"),
        ("a letter", MigrationError, "not a SQLite database"),
    ],
)
def test_any_other_file_is_refused_and_left_as_it_is(
    tmp_path: Path, content: str, error: type[Exception], message: str
) -> None:
    path = tmp_path / "projects.db"
    make(path, content)
    before = files(path)
    with pytest.raises(error, match=message):
        create_schema(path)
    assert files(path) == before


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing" / "projects.db"):
        with pytest.raises(MigrationError):
            create_schema(path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socrates.cli.migrating._LOCK_SECONDS", 0.05)
    path = tmp_path / "projects.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(MigrationError, match="in use"):
            create_schema(path)
    create_schema(path)


@pytest.mark.parametrize("name", ["a b%20.db", "~", ":memory:", "file:x", "é?#.db", "sqlite:", "-x"])
def test_a_path_is_a_path_whatever_it_looks_like(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    create_schema(Path(name))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with closing(sqlite3.connect(tmp_path / name)) as connection:
        assert current_revision(connection) == head_revision()


async def test_other_threads_make_schemas_while_an_event_loop_runs(tmp_path: Path) -> None:
    # Two of them want the same file: the second finds it made.
    paths = [tmp_path / name for name in ("a.db", "a.db", "b.db", "c.db")]
    tasks = [asyncio.create_task(asyncio.to_thread(create_schema, path)) for path in paths]
    turns = 0
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0.001)
        turns += 1
    await asyncio.gather(*tasks)
    assert turns > 1
    assert set(files(paths[0])) == {"a.db", "b.db", "c.db"}
    assert all(schema(path) == schema(paths[0]) for path in paths)


def test_processes_that_start_at_once_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    # They wait for one another for longer than usual: on a machine that does much else each takes its time.
    code = (
        "import sys, pathlib; from socrates.cli import migrating; migrating._LOCK_SECONDS = 60;"
        " from socrates.database.migrations import create_schema as c; c(pathlib.Path(sys.argv[1]))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(3)
    ]
    assert [(process.communicate()[0], process.returncode) for process in processes] == [(b"", 0)] * 3
    assert list(tmp_path.iterdir()) == [path]


def test_the_head_is_the_one_that_alembic_finds() -> None:
    assert head_revision() == ScriptDirectory(str(directory())).get_current_head()


def test_looking_at_revisions_does_not_load_alembic() -> None:
    code = "import sys, socrates.database.migrations as m; m.head_revision(); assert 'alembic' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


@pytest.mark.parametrize(
    ("content", "revision"),
    [
        ("empty", None),
        ("nothing but Alembic's table", None),
        ("v1", None),
        ("other tables", None),
        ("an earlier revision", "0002"),
        ("a later revision", "9999"),
    ],
)
def test_the_revision_of_a_file_is_told(tmp_path: Path, content: str, revision: str | None) -> None:
    path = tmp_path / "projects.db"
    make(path, content)
    with closing(sqlite3.connect(path)) as connection:
        assert current_revision(connection) == revision


def test_a_file_that_is_no_database_has_no_revision(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    make(path, "a letter")
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.DatabaseError):
        current_revision(connection)
