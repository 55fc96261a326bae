"""The SQLite driver: what it costs, and that it is no different from the stock one otherwise."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from tests.support.model_server import until
from tests.support.onehop import can_write, crossings, opened

IMMEDIATE: dict[str, Any] = {"transaction_mode": "IMMEDIATE"}
MODES = pytest.mark.parametrize("options", [{}, IMMEDIATE], ids=["sqlite3's", "immediate"])

INSERT = text("INSERT INTO t (name) VALUES (:name)")
SELECT = text("SELECT id, name FROM t ORDER BY id")


async def _warm(engine: AsyncEngine, names: int = 0) -> None:
    async with engine.begin() as connection:
        for number in range(names):
            await connection.execute(INSERT, {"name": f"n{number}"})


# What it costs.


@MODES
@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        ("SELECT id, name FROM t", {}),
        ("INSERT INTO t (name) VALUES (:name)", {"name": "a"}),
        ("INSERT INTO t (name) VALUES (:name)", [{"name": "a"}, {"name": "b"}, {"name": "c"}]),
        ("INSERT INTO t (name) VALUES (:name) RETURNING id", {"name": "a"}),
        ("UPDATE t SET name = name || '!'", {}),
        ("PRAGMA table_info(t)", {}),
        ("CREATE TABLE u (id)", {}),
    ],
    ids=["select", "insert", "executemany", "returning", "update", "pragma", "ddl"],
)
async def test_a_statement_is_one_crossing(
    tmp_path: Path, options: dict[str, Any], statement: str, parameters: Any
) -> None:
    async with opened(tmp_path / "x.db", **options) as engine:
        await _warm(engine, 3)
        async with engine.connect() as connection:
            with crossings() as crossed:
                result = await connection.execute(text(statement), parameters)
                if result.returns_rows:
                    result.all()
            assert len(crossed) == 1


async def test_begin_immediate_comes_with_the_first_statement_and_needs_no_crossing(tmp_path: Path) -> None:
    async with opened(tmp_path / "x.db", **IMMEDIATE) as engine:
        await _warm(engine)
        async with engine.connect() as connection:
            with crossings() as crossed:
                await connection.begin()
                assert can_write(tmp_path / "x.db")
                await connection.execute(SELECT)
                assert len(crossed) == 1
                assert not can_write(tmp_path / "x.db")
                await connection.commit()
            assert len(crossed) == 2


@MODES
async def test_ending_nothing_costs_nothing(tmp_path: Path, options: dict[str, Any]) -> None:
    async with opened(tmp_path / "x.db", **options) as engine:
        await _warm(engine)
        with crossings() as crossed:
            async with engine.connect() as connection:
                await connection.begin()
                await connection.commit()
                await connection.begin()
                await connection.rollback()
            async with AsyncSession(engine) as session, session.begin():
                await session.connection()
        assert crossed == []


async def test_reading_in_autocommit_costs_the_statement_only(tmp_path: Path) -> None:
    async with opened(tmp_path / "x.db", isolation_level="AUTOCOMMIT") as engine:
        await _warm(engine)
        with crossings() as crossed:
            async with engine.connect() as connection:
                await connection.execute(SELECT)
        assert len(crossed) == 1


# Streams.


@MODES
async def test_streaming_fetches_in_batches(tmp_path: Path, options: dict[str, Any]) -> None:
    async with opened(tmp_path / "x.db", **options) as engine:
        await _warm(engine, 20)
        async with engine.connect() as connection:
            with crossings() as crossed:
                result = await connection.stream(SELECT, execution_options={"max_row_buffer": 5})
                first = await result.fetchone()
            assert len(crossed) == 2
            rest = [row.name async for row in result]
            assert [first.name, *rest] == [f"n{number}" for number in range(20)]
        async with engine.connect() as connection, connection.stream(SELECT) as result:
            assert len(await result.fetchmany(3)) == 3
            assert len(await result.all()) == 17
        await _warm(engine, 0)


async def test_a_stream_begins_the_transaction_too_and_leaves_nothing_open(tmp_path: Path) -> None:
    async with opened(tmp_path / "x.db", **IMMEDIATE) as engine:
        await _warm(engine, 5)
        async with engine.connect() as connection, connection.stream(SELECT) as result:
            await result.fetchmany(1)
            assert not can_write(tmp_path / "x.db")
        assert can_write(tmp_path / "x.db")


# Transactions.


@MODES
async def test_savepoints(tmp_path: Path, options: dict[str, Any]) -> None:
    async with opened(tmp_path / "x.db", **options) as engine:
        async with AsyncSession(engine) as session, session.begin():
            await session.execute(INSERT, {"name": "kept"})
            savepoint = await session.begin_nested()
            await session.execute(INSERT, {"name": "undone"})
            with pytest.raises(exc.IntegrityError):
                await session.execute(INSERT, {"name": "undone"})
            await savepoint.rollback()
            async with session.begin_nested():
                await session.execute(INSERT, {"name": "too"})
        async with engine.connect() as connection:
            assert (await connection.scalars(text("SELECT name FROM t"))).all() == ["kept", "too"]


@MODES
async def test_isolation_levels_switch_and_come_back(tmp_path: Path, options: dict[str, Any]) -> None:
    async with opened(tmp_path / "x.db", pool_size=1, max_overflow=0, **options) as engine:
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(INSERT, {"name": "a"})
            assert can_write(tmp_path / "x.db")
            await connection.rollback()
        async with engine.connect() as connection:
            assert await connection.get_isolation_level() == "SERIALIZABLE"
            await connection.execute(INSERT, {"name": "b"})
            await connection.rollback()
            assert (await connection.scalars(text("SELECT name FROM t"))).all() == ["a"]


def test_a_mode_and_autocommit_of_sqlite3_exclude_each_other(tmp_path: Path) -> None:
    dialect = sqlalchemy.make_url("sqlite+onehop:///x").get_dialect()
    with pytest.raises(exc.ArgumentError, match="autocommit"):
        dialect.import_dbapi().connect(str(tmp_path / "x.db"), transaction_mode="IMMEDIATE", autocommit=True)


# The same as the stock driver.

STATEMENTS: list[tuple[str, Any]] = [
    ("INSERT INTO t (name) VALUES (:name)", {"name": "a"}),
    ("INSERT INTO t (name) VALUES (:name)", [{"name": "b"}, {"name": "c"}]),
    ("INSERT INTO t (name) VALUES ('d'), ('e') RETURNING id, name", {}),
    ("SELECT id, name, id * 1.5 AS f, x'00ff' AS b, NULL AS nothing FROM t ORDER BY id", {}),
    ("SELECT id FROM t WHERE id < 0", {}),
    ("UPDATE t SET name = name || '!' WHERE id <= :id", {"id": 2}),
    ("UPDATE t SET name = 'x' WHERE id < 0", {}),
    ("UPDATE t SET name = upper(name) RETURNING name", {}),
    ("WITH low AS (SELECT id FROM t WHERE id < 3) SELECT count(*) AS n FROM low", {}),
    ("DELETE FROM t WHERE id = 1", {}),
    ("DELETE FROM t WHERE id = 2 RETURNING id", {}),
    ("PRAGMA table_info(t)", {}),
    ("PRAGMA foreign_keys = ON", {}),
    ("PRAGMA user_version", {}),
    ("CREATE TABLE u (id INTEGER PRIMARY KEY)", {}),
    ("INSERT INTO u DEFAULT VALUES", {}),
    ("DROP TABLE u", {}),
    ("EXPLAIN SELECT 1", {}),
]

MISTAKES: list[tuple[str, Any]] = [
    # These three first: sqlite3 reports an earlier constraint's failure again where binding fails right after it.
    ("INSERT INTO t (name) VALUES (:name)", {"name": object()}),
    ("INSERT INTO t (name) VALUES (:name)", {"name": 2**70}),
    ("INSERT INTO t (name) VALUES (:name)", {"name": "\ud800"}),
    ("SELEC 1", {}),
    ("SELECT * FROM nowhere", {}),
    ("INSERT INTO t (id, name) VALUES (1, 'a'), (1, 'b')", {}),
    ("INSERT INTO t (name) VALUES (:name)", [{"name": "z"}, {"name": "z"}]),
    ("SELECT 1; SELECT 2", {}),
    ("SELECT json('{')", {}),
    ("ROLLBACK TO nothing", {}),
]


async def _what_comes(connection: AsyncConnection, statement: str, parameters: Any) -> tuple[Any, ...]:
    try:
        result = await connection.execute(text(statement), parameters)
    except (exc.SQLAlchemyError, UnicodeError, OverflowError) as error:
        cause = getattr(error, "orig", None)
        return type(error), type(cause), str(cause), getattr(cause, "sqlite_errorname", None)
    if result.returns_rows:
        description, keys, rows = result.cursor.description, tuple(result.keys()), result.all()
        # SQLAlchemy 2.0's own adapter gives -1 for all that returns rows, 2.1's what sqlite3 says.
        counted = result.rowcount if sqlalchemy.__version__ >= "2.1" else -1
        return description, keys, rows, counted
    return result.rowcount, result.lastrowid if isinstance(parameters, dict) else None


@pytest.mark.parametrize("options", [{}, {"isolation_level": "AUTOCOMMIT"}], ids=["transactions", "autocommit"])
async def test_results_and_errors_are_those_of_the_stock_driver(tmp_path: Path, options: dict[str, Any]) -> None:
    came: dict[str, list[Any]] = {"aiosqlite": [], "onehop": []}
    for driver, list_ in came.items():
        async with opened(tmp_path / f"{driver}.db", driver, **options) as engine, engine.connect() as connection:
            for statement, parameters in [*STATEMENTS, *MISTAKES]:
                list_.append((statement, await _what_comes(connection, statement, parameters)))
    assert came["onehop"] == came["aiosqlite"]
    assert sum(isinstance(what[0], type) for _, what in came["onehop"]) >= len(MISTAKES)


async def test_every_kind_of_fetch(tmp_path: Path) -> None:
    async def fetched(driver: str) -> list[Any]:
        async with opened(tmp_path / f"{driver}.db", driver) as engine:
            await _warm(engine, 9)
            async with engine.connect() as connection:
                raw = await connection.get_raw_connection()

                def by_hand(_: Any) -> list[Any]:
                    cursor = raw.cursor()
                    cursor.execute("SELECT id FROM t ORDER BY id")
                    several = [cursor.fetchone(), cursor.fetchmany(), cursor.fetchmany(3), next(iter(cursor))]
                    several += [
                        list(cursor.fetchall()),
                        cursor.fetchone(),
                        list(cursor.fetchmany(2)),
                        cursor.fetchall(),
                    ]
                    cursor.close()
                    return [list(rows) if isinstance(rows, list) else rows for rows in several]

                return await connection.run_sync(by_hand)

    assert await fetched("onehop") == await fetched("aiosqlite")


@pytest.mark.parametrize("driver", ["aiosqlite", "onehop"])
async def test_a_connection_that_somebody_closed_is_a_disconnect(tmp_path: Path, driver: str) -> None:
    async with opened(tmp_path / "x.db", driver) as engine:
        async with engine.connect() as connection:
            raw = await connection.get_raw_connection()
            await raw.driver_connection.close()
            with pytest.raises(exc.OperationalError, match="no active connection") as raised:
                await connection.execute(SELECT)
            assert raised.value.connection_invalidated
        await _warm(engine, 1)


def workers() -> set[threading.Thread]:
    """The threads of connections."""
    return {thread for thread in threading.enumerate() if "connection_worker" in thread.name}


async def test_the_thread_of_a_connection_that_failed_is_over(tmp_path: Path) -> None:
    before = workers()
    engine = create_async_engine(f"sqlite+onehop:///file:{tmp_path}/none.db?mode=ro&uri=true")
    for _attempt in range(20):
        with pytest.raises(exc.OperationalError, match="unable to open"):
            await engine.connect()
        # Those of earlier tests may still be about to end.
        assert workers() <= before
    await engine.dispose()


async def test_so_is_that_of_one_whose_opening_is_cancelled(tmp_path: Path) -> None:
    """One that is late would find its event loop closed."""
    before = workers()
    go_on = threading.Event()

    class SlowToOpen(sqlite3.Connection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            go_on.wait(timeout=20)
            super().__init__(*arguments, **options)

    engine = create_async_engine(f"sqlite+onehop:///{tmp_path / 'x.db'}", connect_args={"factory": SlowToOpen})
    opening = asyncio.create_task(_warm(engine))
    await until(lambda: not workers() <= before)
    opening.cancel()
    # Not before the cancellation has arrived; who does not wait for the thread is there first.
    asyncio.get_running_loop().call_later(0.1, go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert workers() <= before
    await engine.dispose()


# The end of the process.


@pytest.mark.parametrize("left", ["idle", "open transaction", "at work", "collected"])
def test_the_interpreter_ends_though_nobody_closed(tmp_path: Path, left: str) -> None:
    program = f"""
import asyncio, gc
from pathlib import Path
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
import socrates.database.onehop
from tests.support.onehop import COUNT_FOR_SECONDS

async def main():
    global engine, connection, work
    engine = create_async_engine("sqlite+onehop:///{tmp_path / "x.db"}", transaction_mode="IMMEDIATE")
    connection = await engine.connect()
    await connection.execute(text("SELECT 1"))
    if {left!r} == "idle":
        await connection.close()
    if {left!r} == "at work":
        work = asyncio.ensure_future(connection.execute(text(COUNT_FOR_SECONDS)))
        await asyncio.sleep(0.05)
    if {left!r} == "collected":
        del connection
        gc.collect()

asyncio.run(main())
print("loop closed")
"""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, timeout=30, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "loop closed" in done.stdout
