"""The SQLite driver when tasks are cancelled: nothing is lost, nothing stays open, nobody waits long."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from tests.concurrency.checks import LONG
from tests.support.onehop import COUNT_FOR_SECONDS, Steps, can_write, opened, others_done, write_lock

MODES = pytest.mark.parametrize("options", [{}, {"transaction_mode": "IMMEDIATE"}], ids=["sqlite3's", "immediate"])

pytestmark = pytest.mark.sampled

INSERT = text("INSERT INTO t (name) VALUES (:name)")
SELECT = text("SELECT id FROM t")
_names = count()


def _new() -> dict[str, str]:
    return {"name": f"n{next(_names)}"}


async def _select(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(SELECT)


async def _insert_and_commit(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(INSERT, _new())


async def _insert_and_roll_back(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(INSERT, _new())
        await connection.rollback()


async def _session(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session, session.begin(), session.begin_nested():
        await session.execute(INSERT, _new())


async def _session_closed_open(engine: AsyncEngine) -> None:
    session = AsyncSession(engine)
    try:
        await session.execute(INSERT, _new())
    finally:
        await session.close()


async def _stream(engine: AsyncEngine) -> None:
    async with engine.connect() as connection, connection.stream(SELECT) as result:
        await result.fetchone()


async def _autocommit(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(INSERT, _new())


SCENARIOS = [
    _select,
    _insert_and_commit,
    _insert_and_roll_back,
    _session,
    _session_closed_open,
    _stream,
    _autocommit,
]


async def _run(path: Path, scenario: Callable[[AsyncEngine], Any], cancel_at: tuple[int, ...], **options: Any) -> int:
    """Run `scenario` on warm connections, cancelled at these suspensions; how many there were."""
    async with opened(path, pool_size=1, max_overflow=0, pool_timeout=1, **options) as engine:
        await _insert_and_commit(engine)
        steps = Steps(scenario(engine), cancel_at)

        async def whole() -> None:
            await steps

        task = asyncio.create_task(whole())
        await asyncio.wait([task], timeout=10)
        where = f"cancelled at {cancel_at} of {steps.count}"
        assert task.done(), where
        assert task.cancelled() == bool(cancel_at), where
        await others_done()
        gc.collect()
        assert engine.pool.checkedout() == 0, where  # type: ignore[attr-defined]
        assert can_write(path), where
        await scenario(engine)
    return steps.count


def _workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread is not threading.main_thread()]


def _once_more(first: int, last: int) -> list[int]:
    """At which awaits after the `first` it is cancelled once more: the next, and every thirtieth of the others.

    These take turns as `first` goes on. A long campaign has them all.
    """
    later = range(first + 1, last + 1)
    return [*later] if LONG else [*later[:1], *later[1 + first % 30 :: 30]]


@MODES
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_cancelled_at_any_await(tmp_path: Path, scenario: Any, options: dict[str, Any]) -> None:
    before = len(_workers())
    total = await _run(tmp_path / "x.db", scenario, (), **options)
    assert total > 0
    for first in range(1, total + 1):
        reached = await _run(tmp_path / "x.db", scenario, (first,), **options)
        for second in _once_more(first, reached):
            await _run(tmp_path / "x.db", scenario, (first, second), **options)
    for _ in range(1000):
        if len(_workers()) <= before:
            break
        await asyncio.sleep(0.02)
    assert len(_workers()) <= before


@MODES
@pytest.mark.parametrize("streaming", [False, True], ids=["execute", "stream"])
async def test_a_long_statement_is_interrupted(tmp_path: Path, options: dict[str, Any], streaming: bool) -> None:
    async with opened(tmp_path / "x.db", pool_size=1, max_overflow=0, pool_timeout=1, **options) as engine:
        await _select(engine)

        async def count_for_seconds() -> None:
            async with asyncio.timeout(0.1), engine.connect() as connection:
                run = connection.stream if streaming else connection.execute
                await run(text(COUNT_FOR_SECONDS))

        start = perf_counter()
        with pytest.raises(TimeoutError):
            await count_for_seconds()
        # Expected are 0.1 seconds; the statement would take five or more.
        assert perf_counter() - start < 2.5
        assert can_write(tmp_path / "x.db")
        await _insert_and_commit(engine)


async def test_a_cancelled_commit_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with opened(path, transaction_mode="IMMEDIATE") as engine:
        connection = await engine.connect()
        await connection.execute(INSERT, {"name": "kept"})
        task = asyncio.create_task(connection.commit())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await connection.close()
        with write_lock(path) as other:
            assert other.execute("SELECT name FROM t").fetchall() == [("kept",)]


async def test_waiting_for_another_process_can_be_cancelled(tmp_path: Path) -> None:
    options: dict[str, Any] = {"transaction_mode": "IMMEDIATE", "busy_patience": 30, "connect_args": {"timeout": 0.01}}
    async with opened(tmp_path / "x.db", **options) as engine:
        await _insert_and_commit(engine)
        with write_lock(tmp_path / "x.db"):
            start = perf_counter()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await _insert_and_commit(engine)
            # Expected are 0.1 seconds; its patience is 30.
            assert perf_counter() - start < 10
        await _insert_and_commit(engine)


async def test_closed_while_a_cancelled_statement_ends(tmp_path: Path) -> None:
    """The CancelledError must arrive, not a complaint about the closed connection."""
    async with opened(tmp_path / "x.db") as engine:
        connection = await engine.connect()
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        task = asyncio.create_task(connection.execute(text(COUNT_FOR_SECONDS)))
        await asyncio.sleep(0.05)
        closing = asyncio.create_task(_ignoring(driver.close()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closing
        await connection.close()
        await _insert_and_commit(engine)


async def _ignoring(awaitable: Awaitable[Any]) -> None:
    with suppress(Exception):
        await awaitable
