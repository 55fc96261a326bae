"""The SQLite driver when another process holds the lock: it waits in the event loop, and only where that is safe."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.onehop import can_write, crossings, opened, write_lock

INSERT = text("INSERT INTO t (name) VALUES (:name)")
NO_WAIT_IN_SQLITE: dict[str, Any] = {"connect_args": {"timeout": 0}}


async def _insert(engine: AsyncEngine, name: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(INSERT, {"name": name})


@pytest.mark.parametrize("options", [{"transaction_mode": "IMMEDIATE"}, {"isolation_level": "AUTOCOMMIT"}])
async def test_waits_until_the_lock_is_free(tmp_path: Path, options: dict[str, Any]) -> None:
    async with opened(tmp_path / "x.db", busy_patience=30, **options, **NO_WAIT_IN_SQLITE) as engine:
        await _insert(engine, "first")
        with write_lock(tmp_path / "x.db") as other:
            start = perf_counter()
            asyncio.get_running_loop().call_later(0.5, other.rollback)
            await _insert(engine, "second")
            waited = perf_counter() - start
        assert 0.4 < waited < 15
        async with engine.connect() as connection:
            assert (await connection.scalars(text("SELECT name FROM t"))).all() == ["first", "second"]


async def test_the_event_loop_goes_on_meanwhile(tmp_path: Path) -> None:
    options: dict[str, Any] = {"transaction_mode": "IMMEDIATE", "busy_patience": 30}
    async with opened(tmp_path / "x.db", **options, **NO_WAIT_IN_SQLITE) as engine:
        with write_lock(tmp_path / "x.db") as other:
            inserting = asyncio.create_task(_insert(engine, "a"))
            turns = 0
            while turns < 20:
                await asyncio.sleep(0.005)
                turns += 1
            assert not inserting.done()
            other.rollback()
            await inserting


async def test_gives_up_when_patience_ends(tmp_path: Path) -> None:
    options: dict[str, Any] = {"transaction_mode": "IMMEDIATE", "busy_patience": 0.2}
    async with opened(tmp_path / "x.db", **options, **NO_WAIT_IN_SQLITE) as engine:
        await _insert(engine, "first")
        with write_lock(tmp_path / "x.db"):
            start = perf_counter()
            with pytest.raises(exc.OperationalError, match="database is locked"):
                await _insert(engine, "second")
            assert 0.2 <= perf_counter() - start < 5
        await _insert(engine, "third")


async def test_without_patience_it_fails_at_once(tmp_path: Path) -> None:
    options: dict[str, Any] = {"transaction_mode": "IMMEDIATE"}
    async with opened(tmp_path / "x.db", **options, **NO_WAIT_IN_SQLITE) as engine, engine.connect() as connection:
        with write_lock(tmp_path / "x.db"), crossings() as crossed:
            with pytest.raises(exc.OperationalError, match="locked"):
                await connection.execute(INSERT, {"name": "a"})
            assert len(crossed) == 1


async def test_nothing_is_tried_again_inside_a_transaction(tmp_path: Path) -> None:
    """What the transaction has read is stale by then, and an earlier statement of it must not be lost."""
    options: dict[str, Any] = {"transaction_mode": "DEFERRED", "busy_patience": 30}
    async with opened(tmp_path / "x.db", **options, **NO_WAIT_IN_SQLITE) as engine, engine.connect() as connection:
        await connection.execute(text("SELECT * FROM t"))
        with write_lock(tmp_path / "x.db"), crossings() as crossed:
            with pytest.raises(exc.OperationalError, match="locked"):
                await connection.execute(INSERT, {"name": "a"})
            assert len(crossed) == 1


async def test_after_a_refused_begin_nothing_runs_outside_a_transaction(tmp_path: Path) -> None:
    options: dict[str, Any] = {"transaction_mode": "IMMEDIATE"}
    async with opened(tmp_path / "x.db", **options, **NO_WAIT_IN_SQLITE) as engine, engine.connect() as connection:
        with write_lock(tmp_path / "x.db"), pytest.raises(exc.OperationalError, match="locked"):
            await connection.execute(text("SELECT 1"))
        await connection.execute(text("SELECT 1"))
        # The second statement has begun what the first could not.
        assert not can_write(tmp_path / "x.db")


async def test_a_commit_that_readers_keep_out_is_tried_again(tmp_path: Path) -> None:
    """Without WAL a reader keeps a commit out, and the transaction stays open."""
    options: dict[str, Any] = {"transaction_mode": "IMMEDIATE", "busy_patience": 30}
    async with opened(tmp_path / "x.db", **options, **NO_WAIT_IN_SQLITE) as engine:
        with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as other:
            other.execute("PRAGMA journal_mode = DELETE")
            other.execute("INSERT INTO t (name) VALUES ('a')")
            other.execute("BEGIN")
            other.execute("SELECT * FROM t").fetchall()
            asyncio.get_running_loop().call_later(0.2, other.rollback)
            await _insert(engine, "b")
            assert other.execute("SELECT count(*) FROM t").fetchone() == (2,)


async def test_an_executemany_in_autocommit_is_never_repeated(tmp_path: Path) -> None:
    """Each row is a transaction of its own, so those before the lock came would be stored twice."""
    path = tmp_path / "x.db"
    options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "busy_patience": 30}
    async with opened(path, **options, **NO_WAIT_IN_SQLITE) as engine, engine.connect() as connection:
        raw = await connection.get_raw_connection()
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)) as other:

            class LocksBeforeTheThird(list[tuple[None]]):
                def __iter__(self) -> Iterator[tuple[None]]:
                    yield from ((None,), (None,))
                    other.execute("BEGIN IMMEDIATE")
                    yield (None,)

            def insert(_: Any) -> None:
                raw.cursor().executemany("INSERT INTO t (name) VALUES (?)", LocksBeforeTheThird())

            asyncio.get_running_loop().call_later(0.2, other.rollback)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                await connection.run_sync(insert)
            await asyncio.sleep(0.3)
            assert other.execute("SELECT count(*) FROM t").fetchone() == (2,)
