"""`socrates cache stats`: a session is replayed, and what the cache did with it is told. Nothing is written."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, event
from typer.testing import CliRunner, Result

from socrates import sync
from socrates.cli.main import app
from socrates.drafts import NewMessage
from tests.support.migrate import sha256
from tests.support.postgres import EmptyDatabases
from tests.support.stores import fresh_file
from tests.support.v1_files import V1File

A_SESSION = {
    "conversations.last",
    "learning.effectiveness_of",
    "learning.patterns_of",
    "llm.configs",
    "notes.for_project",
    "projects.context",
    "projects.details",
    "projects.for_user",
    "projects.members",
    "projects.summary",
    "users.exists",
    "users.get",
    "users.subscription",
}
OF_A_PROJECT = {name for name in A_SESSION if name.startswith(("conv", "notes", "projects."))} - {"projects.for_user"}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A statement takes a millisecond and all else next to nothing: a pause of the machine would make a hit slow."""
    sent: list[str] = []
    looks = count()

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    passed = SimpleNamespace(perf_counter=lambda: len(sent) / 1_000 + next(looks) / 1_000_000)
    monkeypatch.setattr("socrates.cli.cache.time", passed)
    yield
    event.remove(Engine, "before_cursor_execute", note)


def cache_stats(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["cache", "stats", *map(str, arguments)])


def facts(*arguments: object) -> dict[str, Any]:
    result = cache_stats(*arguments, "--json")
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def fill(database: str | Path) -> None:
    """Three projects of ada's, who is a user, and one of bob's, who is none."""
    with sync.Store.open(database) as store, store.begin() as unit:
        unit.users.create("ada", "no hash")
        for name in ("a", "b", "c"):
            unit.projects.create(name, "ada", project_id=name)
            unit.conversations.append(name, NewMessage("user", "It must lend books."))
        unit.projects.create("d", "bob", project_id="d")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = fresh_file(tmp_path)
    fill(path)
    return path


def assert_replayed(told: dict[str, Any], users: list[str], projects: int) -> None:
    """The first of three rounds missed, and the others hit."""
    assert (told["users"], told["rounds"], told["caching"], set(told["methods"])) == (users, 3, True, A_SESSION)
    for name in OF_A_PROJECT:
        figures = told["methods"][name]
        assert (figures["calls"], figures["hits"], figures["misses"]) == (3 * projects, 2 * projects, projects), name
        assert (figures["entries"], figures["hit_rate"]) == (projects, 0.6667)
        assert figures["bytes"] > 0
        assert 0 < figures["hit_microseconds"] < figures["miss_microseconds"]
    total = told["total"]
    for column in ("calls", "hits", "misses", "entries", "bytes"):
        assert total[column] == sum(figures[column] for figures in told["methods"].values())


def test_a_session_of_those_with_most_projects_is_replayed(database: Path) -> None:
    told = facts(database)
    assert told["database"] == str(database)
    assert_replayed(told, ["ada", "bob"], projects=4)


@pytest.mark.postgres
def test_it_works_on_postgresql(empty_databases: EmptyDatabases) -> None:
    with empty_databases.lent() as url:
        fill(url)
        told = facts(url)
        assert "postgresql" in told["database"]
        assert_replayed(told, ["ada", "bob"], projects=4)


def test_one_user_can_be_named(database: Path) -> None:
    assert_replayed(facts(database, "--user", "ada"), ["ada"], projects=3)
    told = facts(database, "--user", "bob")
    assert set(told["methods"]) == A_SESSION - {"users.get", "users.subscription"}


def test_a_user_who_is_nowhere_is_refused(database: Path) -> None:
    result = cache_stats(database, "--user", "eve")
    assert (result.exit_code, result.stderr.strip()) == (2, "error: there is no user 'eve'")


def test_people_get_a_table_and_are_told_that_a_running_program_has_its_own(database: Path) -> None:
    result = cache_stats(database)
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].endswith("what a session of ada, bob reads, 3 times")
    assert lines[1].split()[:4] == ["method", "calls", "hits", "misses"]
    assert {line.split()[0] for line in lines[2:-2]} == A_SESSION
    assert lines[-2].startswith("all ")
    assert "socrates.caching.stats()" in lines[-1]
    assert "socrates.caching.stats()" in cache_stats("--help").stdout


def test_nothing_is_written(database: Path) -> None:
    before = sha256(database)
    with closing(sqlite3.connect(database)) as watching:
        version = watching.execute("PRAGMA data_version").fetchone()
        cache_stats(database)
        assert watching.execute("PRAGMA data_version").fetchone() == version
    assert sha256(database) == before


def test_it_says_when_caching_is_off(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_ENABLE_CACHING", "false")
    told = facts(database)
    assert (told["caching"], told["total"]["hits"], told["total"]["entries"]) == (False, 0, 0)
    assert told["total"]["calls"] == 3 * len(told["methods"]) + 3 * 3 * len(OF_A_PROJECT) + 3 * 5
    assert told["methods"]["projects.details"]["miss_microseconds"] > 0
    assert told["methods"]["projects.details"]["hit_microseconds"] is None
    assert "Caching is off (SOCRATES_ENABLE_CACHING)" in cache_stats(database).stdout


def test_a_database_without_projects_has_nothing_to_replay(tmp_path: Path) -> None:
    path = fresh_file(tmp_path)
    assert (facts(path)["methods"], facts(path)["total"]["calls"]) == ({}, 0)
    assert "has no project" in cache_stats(path).stdout


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    result = cache_stats(tmp_path / "typo.db")
    assert (result.exit_code, "there is no file" in result.stderr) == (2, True)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_empty_stays_so(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    result = cache_stats(tmp_path / "empty.db")
    assert (result.exit_code, "run socrates db upgrade" in result.stderr) == (2, True)
    assert (tmp_path / "empty.db").stat().st_size == 0


def test_a_file_of_v1_is_refused_with_the_way_on(tmp_path: Path) -> None:
    with V1File(tmp_path / "v1.db") as v1:
        v1.add_user("ada")
    result = cache_stats(v1.path, "--json")
    assert result.exit_code == 2
    told = json.loads(result.stdout)["error"]
    assert (told["kind"], "socrates db upgrade" in told["message"]) == ("NotRecognisedError", True)
