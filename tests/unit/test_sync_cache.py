"""The cache through `socrates.sync`: hits in the caller's own thread, and never a stale one, whoever writes."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import socrates
from socrates import sync
from socrates.errors import ClosedError, InvalidValueError, ProjectNotFoundError
from tests.support.stores import fresh_file

SECONDS = 1.5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return fresh_file(tmp_path)


@pytest.fixture
def store(path: Path) -> Iterator[sync.Store]:
    with sync.Store.open(path) as store:
        with store.begin() as unit:
            unit.projects.create("0", "ada", project_id="ours")
            unit.projects.create("0", "ada", project_id="theirs")
        yield store


def crossings(store: sync.Store, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is handed to the loop's thread from now on."""
    handed: list[object] = []
    start = store._loop.start

    def noting(job: Any) -> None:
        handed.append(job)
        start(job)

    monkeypatch.setattr(store._loop, "start", noting)
    return handed


def test_a_hit_stays_in_the_callers_thread(store: sync.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    handed = crossings(store, monkeypatch)
    first = store.projects.summary("ours")
    assert len(handed) == 1
    assert store.projects.summary("ours") is first
    assert len(handed) == 1
    total = store.cache.total()
    assert (total.hits, total.misses) == (1, 1)


def test_a_read_that_is_not_cached_crosses_each_time(store: sync.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    handed = crossings(store, monkeypatch)
    assert [len(store.projects.for_user("ada", limit=1)) for _ in range(2)] == [1, 1]
    assert len(handed) == 2


def test_errors_are_the_same_and_not_kept(store: sync.Store) -> None:
    for _ in range(2):
        with pytest.raises(ProjectNotFoundError):
            store.projects.summary("nowhere")
        with pytest.raises(InvalidValueError):
            store.conversations.last("ours", 0)
        with pytest.raises(TypeError):
            store.projects.summary(["ours"])
        with pytest.raises(TypeError):
            store.projects.summary()


def test_a_thread_that_bypasses_goes_past_the_cache_alone(store: sync.Store) -> None:
    kept = store.projects.summary("ours")
    with socrates.bypassed():
        past = store.projects.summary("ours")
        with ThreadPoolExecutor(1) as others:
            assert others.submit(store.projects.summary, "ours").result() is kept
        fresh = store.users.exists("ada")
    assert past == kept
    assert past is not kept
    assert fresh is False
    assert store.cache.stats()["users.exists"].entries == 0
    assert store.cache.stats()["users.exists"].bypasses == 1


def test_a_unit_sees_what_it_wrote_and_not_what_is_kept(store: sync.Store) -> None:
    kept = store.projects.summary("ours")
    with store.begin() as unit:
        unit.projects.update("ours", kept.version, name="1")
        assert unit.projects.summary("ours").name == "1"
        assert store.projects.summary("ours") is kept
    assert store.projects.summary("ours").name == "1"


def test_a_closed_store_gives_out_nothing_that_it_kept(path: Path) -> None:
    with sync.Store.open(path) as store:
        store.users.exists("ada")
        ask = store.users.exists
    for _ in range(2):
        with pytest.raises(ClosedError, match="the store is closed"):
            ask("ada")
        with pytest.raises(ClosedError, match="the store is closed"):
            store.users.exists("ada")


def test_threads_that_read_and_write_and_another_store_that_writes_see_nothing_stale(
    store: sync.Store, path: Path
) -> None:
    """Each project counts upwards in its name, and no reader sees less than what was committed before it asked."""
    committed = {"ours": 0, "theirs": 0}
    end = time.monotonic() + SECONDS

    def write(through: sync.Store, project_id: str) -> int:
        while time.monotonic() < end:
            with through.begin() as unit:
                version = unit.projects.summary(project_id).version
                unit.projects.update(project_id, version, name=str(committed[project_id] + 1))
            committed[project_id] += 1
            time.sleep(0.002)  # let somebody hit
        return committed[project_id]

    def names_one_by_one() -> dict[str, int]:
        return {project_id: int(store.projects.summary(project_id).name) for project_id in committed}

    def names_whole() -> dict[str, int]:
        return {project_id: int(store.projects.details(project_id).summary.name) for project_id in committed}

    def names_in_a_list() -> dict[str, int]:
        return {project.id: int(project.name) for project in store.projects.for_user("ada")}

    def read(names: Callable[[], dict[str, int]]) -> int:
        count = 0
        while time.monotonic() < end:
            before = dict(committed)
            seen = names()
            stale = {key: (seen[key], before[key]) for key in before if seen[key] < before[key]}
            assert not stale, f"{names.__name__}: {stale}"
            count += 1
        return count

    with sync.Store.open(path) as other, ThreadPoolExecutor(8) as threads:
        writers = [threads.submit(write, store, "ours"), threads.submit(write, other, "theirs")]
        readers = [threads.submit(read, names) for names in (names_one_by_one, names_whole, names_in_a_list) * 2]
        assert all(each.result() > 2 for each in [*writers, *readers])
    total = store.cache.total()
    assert total.hits > 20
    assert total.invalidated > 3
