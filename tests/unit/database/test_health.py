"""What a store says about its database."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from socrates.config import Settings
from socrates.database.migrations import head_revision
from socrates.store import Store
from tests.concurrency.checks import DRIVERS
from tests.support.stores import fresh_file, fresh_store


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("deep", [False, True])
async def test_a_healthy_database(tmp_path: Path, driver: str, deep: bool) -> None:
    async with fresh_store(tmp_path, sqlite_driver=driver) as store:
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada")
            within = await store.health(deep)
        health = await store.health(deep)
        assert within.writers_in_use
        assert not health.writers_in_use
        assert (health.ok, health.problems, health.revision) == (True, (), head_revision())
        assert health.readers_in_use == 0
        assert health.database_bytes == (tmp_path / "projects.db").stat().st_size > 0
        assert health.wal_bytes == (tmp_path / "projects.db-wal").stat().st_size > 0
        assert 0 < health.read_seconds < 10


async def test_damage_is_found_by_the_deep_look(tmp_path: Path) -> None:
    path = fresh_file(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    async with Store.open(path) as store:
        assert (await store.health()).ok
        health = await store.health(deep=True)
        assert not health.ok
        assert "never used" in health.problems[0]


async def test_a_file_that_was_overwritten_is_a_problem_and_no_exception(tmp_path: Path) -> None:
    path = fresh_file(tmp_path)
    async with Store.open(path) as store:
        path.write_bytes(b"no database" * 1000)
        health = await store.health()
    assert not health.ok
    assert "damaged" in health.problems[0]


async def test_a_file_that_is_gone_is_a_problem_and_no_exception(tmp_path: Path) -> None:
    path = fresh_file(tmp_path)
    async with Store.open(path, Settings(lock_timeout=1)) as store:
        path.unlink()
        health = await store.health()
    assert (health.ok, health.database_bytes, health.revision) == (False, 0, None)
    assert "unable to open" in health.problems[0]
