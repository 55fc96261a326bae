"""What the connections of a store may do, and how they are set."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncEngine

from socrates.config import Settings
from socrates.database.sqlite_engines import SQLiteEngines, open_engines
from tests.concurrency.checks import DRIVERS, companions
from tests.support.stores import fresh_file


@pytest.fixture(params=DRIVERS)
def settings(request: pytest.FixtureRequest) -> Settings:
    return Settings(sqlite_driver=request.param, pool_size=3, lock_timeout=1)


async def pragma(engine: AsyncEngine, name: str) -> object:
    async with engine.connect() as connection:
        return await connection.scalar(text(f"PRAGMA {name}"))


async def test_both_kinds_of_connection_are_set_as_meant(tmp_path: Path, settings: Settings) -> None:
    engines = open_engines(fresh_file(tmp_path), settings)
    for engine in (engines.writer, engines.reader):
        assert await pragma(engine, "foreign_keys") == 1
        assert await pragma(engine, "journal_mode") == "wal"
        assert await pragma(engine, "temp_store") == 2
        assert await pragma(engine, "trusted_schema") == 0
    assert await pragma(engines.writer, "synchronous") == 1
    assert await pragma(engines.writer, "query_only") == 0
    assert await pragma(engines.reader, "query_only") == 1
    assert await pragma(engines.reader, "busy_timeout") == (1000 if settings.sqlite_driver == "stock" else 100)
    await engines.dispose()


async def test_synchronous_full_is_a_setting(tmp_path: Path) -> None:
    engines = open_engines(fresh_file(tmp_path), Settings(sqlite_synchronous="FULL"))
    assert await pragma(engines.writer, "synchronous") == 2
    await engines.dispose()


async def test_foreign_keys_are_enforced(tmp_path: Path, settings: Settings) -> None:
    engines = open_engines(fresh_file(tmp_path), settings)
    with pytest.raises(exc.IntegrityError, match="FOREIGN KEY"):
        async with engines.writer.begin() as connection:
            await connection.execute(text(PHASE))
    await engines.dispose()


PHASE = "INSERT INTO phase_maturity_scores (project_id, phase, score) VALUES ('nowhere', 'design', 1)"
WRITES = ("DELETE FROM projects", "CREATE TABLE t (x)", "PRAGMA user_version = 7", "BEGIN IMMEDIATE")


@pytest.mark.parametrize("statement", WRITES)
async def test_readers_cannot_write(tmp_path: Path, settings: Settings, statement: str) -> None:
    engines = open_engines(fresh_file(tmp_path), settings)
    async with engines.reader.connect() as connection:
        with pytest.raises(exc.OperationalError, match="readonly database"):
            await connection.exec_driver_sql(statement)
    await engines.dispose()


@pytest.mark.parametrize("statement", WRITES[:2])
async def test_readers_cannot_write_even_when_the_pragma_is_taken_back(
    tmp_path: Path, settings: Settings, statement: str
) -> None:
    engines = open_engines(fresh_file(tmp_path), settings)
    async with engines.reader.connect() as connection:
        await connection.exec_driver_sql("PRAGMA query_only = OFF")
        with pytest.raises(exc.OperationalError, match="readonly database"):
            await connection.exec_driver_sql(statement)
    await engines.dispose()


async def test_readers_cannot_write_to_an_attached_file(tmp_path: Path, settings: Settings) -> None:
    engines = open_engines(fresh_file(tmp_path), settings)
    other = tmp_path / "other.db"
    sqlite3.connect(other).close()
    async with engines.reader.connect() as connection:
        await connection.exec_driver_sql(f"ATTACH 'file:{other}?mode=rw' AS other")
        with pytest.raises(exc.OperationalError, match="readonly database"):
            await connection.exec_driver_sql("CREATE TABLE other.t (x)")
    await engines.dispose()


async def test_a_file_that_was_removed_does_not_come_back_empty(tmp_path: Path, settings: Settings) -> None:
    path = fresh_file(tmp_path)
    engines = open_engines(path, settings)
    path.unlink()
    for engine in (engines.writer, engines.reader):
        with pytest.raises(exc.OperationalError, match="unable to open"):
            await pragma(engine, "user_version")
    await engines.dispose()
    assert companions(path) == set()
    assert not path.is_file()


async def test_there_is_one_writer_and_as_many_readers_as_set(tmp_path: Path, settings: Settings) -> None:
    engines: SQLiteEngines = open_engines(fresh_file(tmp_path), settings)
    assert (engines.writer.pool.size(), engines.reader.pool.size()) == (1, 3)
    readers = [engines.reader.connect() for _ in range(3)]
    for reader in readers:
        await reader.start()
    with pytest.raises(exc.TimeoutError):
        await engines.reader.connect().start()
    for reader in readers:
        await reader.close()
    await engines.dispose()


async def test_the_writer_has_the_lock_from_its_first_statement_even_a_read(tmp_path: Path, settings: Settings) -> None:
    path = fresh_file(tmp_path)
    engines = open_engines(path, settings)
    async with engines.writer.connect() as connection:
        await connection.execute(text("SELECT 1"))
        other = sqlite3.connect(path, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    await engines.dispose()
    assert companions(path) == set()
