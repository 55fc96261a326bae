"""The SQLite driver's option `WITH_NEXT`: writes that are sent along with the next statement, or with the commit."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from socrates.database.onehop import WITH_NEXT
from tests.support.onehop import Steps, can_write, crossings, opened, others_done, write_lock

IMMEDIATE: dict[str, Any] = {"transaction_mode": "IMMEDIATE"}
NO_WAIT_IN_SQLITE: dict[str, Any] = {"connect_args": {"timeout": 0}}
SELECT = text("SELECT name FROM t ORDER BY id")
INSERT = text("INSERT INTO t (name) VALUES (:name)")
LATER = INSERT.execution_options(**{WITH_NEXT: True})

Runs = AsyncConnection | AsyncSession


@asynccontextmanager
async def one_connection(path: Path, **options: Any) -> AsyncIterator[AsyncEngine]:
    """An engine with one connection, open already: whoever leaves it unwell is found out."""
    async with opened(path, pool_size=1, max_overflow=0, pool_timeout=1, **{**IMMEDIATE, **options}) as engine:
        await read(engine)
        yield engine


async def add(runs: Runs, *names: str) -> None:
    for name in names:
        await runs.execute(INSERT, {"name": name})


async def later(runs: Runs, *names: str) -> None:
    for name in names:
        await runs.execute(LATER, {"name": name})


async def names(runs: Runs) -> list[str]:
    return list((await runs.execute(SELECT)).scalars())


async def read(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        return await names(connection)


def stored(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as other:
        return [name for (name,) in other.execute("SELECT name FROM t ORDER BY id")]


@contextmanager
def cost(expected: int) -> Iterator[None]:
    with crossings() as crossed:
        yield
    assert len(crossed) == expected, crossed


# When they are sent, and what it costs.


async def test_they_go_with_the_next_statement_in_order(tmp_path: Path) -> None:
    async with one_connection(tmp_path / "x.db") as engine, engine.begin() as connection:
        with cost(0):
            await later(connection, "a", "b")
        assert can_write(tmp_path / "x.db")
        with cost(1):
            await add(connection, "c")
        assert not can_write(tmp_path / "x.db")
        with cost(1):
            await later(connection, "d")
            assert await names(connection) == ["a", "b", "c", "d"]
        with cost(1):
            assert await names(connection) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("mode", ["DEFERRED", "IMMEDIATE", "EXCLUSIVE"])
async def test_a_unit_of_nothing_else_is_one_crossing_with_begin_and_commit(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "x.db"
    async with one_connection(path, transaction_mode=mode) as engine:
        with cost(1):
            async with engine.begin() as connection:
                await later(connection, "a", "b")
                assert stored(path) == []
        assert stored(path) == ["a", "b"]
        with cost(1):
            async with AsyncSession(engine) as session, session.begin():
                await later(session, "c", "d")
        assert stored(path) == ["a", "b", "c", "d"]
        assert can_write(path)


async def test_they_go_with_the_commit_behind_what_was_sent(tmp_path: Path) -> None:
    async with one_connection(tmp_path / "x.db") as engine:
        with cost(2):
            async with engine.begin() as connection:
                await add(connection, "a")
                await later(connection, "b", "c")
        assert stored(tmp_path / "x.db") == ["a", "b", "c"]


async def test_a_stream_sends_them_too(tmp_path: Path) -> None:
    async with one_connection(tmp_path / "x.db") as engine, engine.begin() as connection:
        await later(connection, "a", "b")
        async with connection.stream(SELECT) as result:
            assert [name async for name in result.scalars()] == ["a", "b"]


async def test_an_executemany_waits_as_well(tmp_path: Path) -> None:
    async with one_connection(tmp_path / "x.db") as engine:
        with cost(1):
            async with engine.begin() as connection:
                await later(connection, "a")
                result = await connection.execute(LATER, [{"name": "b"}, {"name": "c"}])
                assert result.rowcount == -1
        assert stored(tmp_path / "x.db") == ["a", "b", "c"]


async def test_a_rollback_drops_them(tmp_path: Path) -> None:
    async with one_connection(tmp_path / "x.db") as engine, engine.connect() as connection:
        with cost(0):
            await later(connection, "dropped")
            await connection.rollback()
        with cost(2):
            await add(connection, "undone")
            await later(connection, "dropped")
            await connection.rollback()
        with cost(1):
            await later(connection, "kept")
            await connection.commit()
        assert await names(connection) == ["kept"]


async def test_a_connection_given_back_takes_none_along(tmp_path: Path) -> None:
    async with one_connection(tmp_path / "x.db") as engine:
        async with engine.connect() as connection:
            await later(connection, "dropped")
        async with engine.begin() as connection:
            await add(connection, "kept")
        assert stored(tmp_path / "x.db") == ["kept"]


@pytest.mark.parametrize(
    "options", [{"transaction_mode": None}, {"isolation_level": "AUTOCOMMIT"}], ids=["sqlite3's mode", "autocommit"]
)
async def test_without_a_transaction_of_ours_nothing_waits(tmp_path: Path, options: dict[str, Any]) -> None:
    async with one_connection(tmp_path / "x.db", **options) as engine, engine.connect() as connection:
        with cost(2):
            assert (await connection.execute(LATER, {"name": "a"})).rowcount == 1
            assert (await connection.execute(LATER, [{"name": "b"}, {"name": "c"}])).rowcount == 2
        with pytest.raises(exc.IntegrityError):
            await later(connection, "a")
        await connection.commit()
        assert stored(tmp_path / "x.db") == ["a", "b", "c"]


async def test_the_option_can_be_switched_off(tmp_path: Path) -> None:
    async with one_connection(tmp_path / "x.db") as engine, engine.begin() as connection:
        with cost(1):
            await connection.execute(LATER, {"name": "a"}, execution_options={WITH_NEXT: False})


async def test_the_stock_driver_ignores_the_option(tmp_path: Path) -> None:
    async with opened(tmp_path / "x.db", "aiosqlite") as engine, engine.begin() as connection:
        assert (await connection.execute(LATER, {"name": "a"})).rowcount == 1
        with pytest.raises(exc.IntegrityError):
            await later(connection, "a")


# Savepoints.


async def test_they_are_sent_before_a_savepoint_and_by_themselves_inside(tmp_path: Path) -> None:
    async with one_connection(tmp_path / "x.db") as engine, engine.begin() as connection:
        await later(connection, "outside")
        with cost(1):
            savepoint = await connection.begin_nested()
        with cost(1):
            await later(connection, "inside")
        await savepoint.rollback()
        with cost(0):
            await later(connection, "behind")
        assert await names(connection) == ["outside", "behind"]


async def test_a_failure_inside_a_savepoint_undoes_all_of_the_savepoint(tmp_path: Path) -> None:
    async with one_connection(tmp_path / "x.db") as engine, engine.begin() as connection:
        await later(connection, "outside")
        with pytest.raises(exc.IntegrityError):  # noqa: PT012 (the savepoint is what raises)
            async with connection.begin_nested():
                await add(connection, "inside")
                await later(connection, "inside")
        assert await names(connection) == ["outside"]


# Failures.


@pytest.mark.parametrize("many", [False, True])
async def test_a_failure_is_raised_by_the_next_statement_until_the_rollback(tmp_path: Path, many: bool) -> None:
    twice = [{"name": "x"}, {"name": "twice"}] if many else {"name": "twice"}
    async with one_connection(tmp_path / "x.db") as engine, engine.connect() as connection:
        await add(connection, "twice")
        await connection.execute(LATER, twice)
        await later(connection, "behind")
        for _ in range(2):
            with pytest.raises(exc.IntegrityError, match=r"UNIQUE constraint failed: t\.name"):
                await names(connection)
        await connection.rollback()
        assert can_write(tmp_path / "x.db")
        with cost(1):
            assert await names(connection) == []
        await add(connection, "healthy")
        await connection.commit()
        assert stored(tmp_path / "x.db") == ["healthy"]


async def test_no_commit_goes_past_a_failure(tmp_path: Path) -> None:
    async with one_connection(tmp_path / "x.db") as engine:
        async with engine.connect() as connection:
            await add(connection, "twice")
            await later(connection, "twice")
            with pytest.raises(exc.IntegrityError):
                await names(connection)
            with pytest.raises(exc.IntegrityError):
                await connection.commit()
        assert await read(engine) == []


@pytest.mark.parametrize("sent", [False, True], ids=["all wait", "some sent"])
async def test_a_failure_at_the_commit_leaves_nothing(tmp_path: Path, sent: bool) -> None:
    """Not even for the next transaction: SQLAlchemy sends no ROLLBACK after a commit that failed."""
    async with one_connection(tmp_path / "x.db") as engine:
        async with engine.connect() as connection:
            await (add if sent else later)(connection, "twice")
            await later(connection, "twice", "behind")
            with pytest.raises(exc.IntegrityError, match=r"UNIQUE constraint failed: t\.name"):
                await connection.commit()
            assert can_write(tmp_path / "x.db")
            await connection.rollback()
            await add(connection, "next")
            await connection.commit()
        assert stored(tmp_path / "x.db") == ["next"]
        with pytest.raises(exc.IntegrityError):
            async with engine.begin() as connection:
                await later(connection, "first", "next")
        assert await read(engine) == ["next"]


# Another process in the way.


async def test_a_begin_that_is_kept_out_at_the_commit_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with one_connection(path, busy_patience=30, **NO_WAIT_IN_SQLITE) as engine:
        with write_lock(path) as other:
            asyncio.get_running_loop().call_later(0.2, other.rollback)
            async with engine.begin() as connection:
                await later(connection, "a", "b")
        assert stored(path) == ["a", "b"]


async def test_what_was_kept_out_at_the_commit_does_not_get_into_the_next_unit(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with one_connection(path, **NO_WAIT_IN_SQLITE) as engine, engine.connect() as connection:
        with write_lock(path):
            await later(connection, "lost")
            with pytest.raises(exc.OperationalError, match="locked"):
                await connection.commit()
        await connection.rollback()
        await add(connection, "next")
        await connection.commit()
        assert stored(path) == ["next"]


async def test_a_commit_that_readers_keep_out_sends_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with one_connection(path, busy_patience=30, **NO_WAIT_IN_SQLITE) as engine:
        await engine.dispose()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.executescript("PRAGMA journal_mode = DELETE; CREATE TABLE log (name)")
            other.execute("INSERT INTO log VALUES ('old')")
            other.execute("BEGIN")
            other.execute("SELECT * FROM log").fetchall()
            with crossings() as crossed:
                async with engine.begin() as connection:
                    for name in "ab":
                        log = text("INSERT INTO log VALUES (:name)").execution_options(**{WITH_NEXT: True})
                        await connection.execute(log, {"name": name})
                    # Not before it is connected: the commit is to meet the reader.
                    asyncio.get_running_loop().call_later(0.5, other.rollback)
            assert len(crossed) > 2, "the commit was tried again"
            assert other.execute("SELECT name FROM log").fetchall() == [("old",), ("a",), ("b",)]


async def test_inside_a_transaction_only_the_commit_itself_is_tried_again(tmp_path: Path) -> None:
    """What the transaction has read is stale once another one has written, and no waiting helps."""
    path = tmp_path / "x.db"
    async with (
        one_connection(path, transaction_mode="DEFERRED", busy_patience=30, **NO_WAIT_IN_SQLITE) as engine,
        engine.connect() as connection,
    ):
        assert await names(connection) == []
        with write_lock(path) as other:
            other.execute("INSERT INTO t (name) VALUES ('other')")
            other.commit()
        await later(connection, "a")
        start = perf_counter()
        with cost(2), pytest.raises(exc.OperationalError, match="locked"):  # the second rolls back
            await connection.commit()
        assert perf_counter() - start < 15
        await connection.rollback()
        assert await names(connection) == ["other"]


# Cancellation.


async def _unit(engine: AsyncEngine, sent: bool) -> None:
    async with engine.begin() as connection:
        if sent:
            await add(connection, "a")
        await connection.execute(LATER, [{"name": f"b{number}"} for number in range(300)])
        await later(connection, "c")


@pytest.mark.parametrize("sent", [False, True], ids=["all wait", "some sent"])
async def test_cancelled_at_any_await_it_is_all_or_nothing(tmp_path: Path, sent: bool) -> None:
    outcomes: list[int] = []
    for first in range(1, 100):
        for second in ((), (first + 1,), (first + 1, first + 2)):
            path = tmp_path / f"{first} {len(second)}.db"
            async with one_connection(path) as engine:
                steps = Steps(_unit(engine, sent), (first, *second))
                task = asyncio.create_task(_awaited(steps))
                await asyncio.wait([task], timeout=10)
                assert task.done()
                await others_done()
                assert can_write(path)
                found = len(stored(path))
                assert found in (0, 301 + sent)
                outcomes.append(found)
                assert len(await read(engine)) == found
                async with engine.begin() as connection:
                    await later(connection, "afterwards")
                assert stored(path)[found:] == ["afterwards"]
        if not task.cancelled():
            break
    # The unit awaits its statement, the commit and the connection's way back to the pool; the last round cancels none.
    assert first == 3 + sent
    # A commit that is on its way is waited for, so all of it is there.
    assert outcomes == [0] * 3 * sent + [301 + sent] * 9


async def _awaited(steps: Steps) -> None:
    await steps


async def test_cancelled_while_another_process_is_in_the_way_of_the_commit(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with one_connection(path, busy_patience=30, **NO_WAIT_IN_SQLITE) as engine:
        with write_lock(path):
            start = perf_counter()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await _unit(engine, sent=False)
            # Expected are 0.1 seconds; its patience is 30.
            assert perf_counter() - start < 10
        assert await read(engine) == []
        await _unit(engine, sent=False)
        assert len(stored(path)) == 301
