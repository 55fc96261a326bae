"""What a call costs besides time is counted as the engine and the system count it."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from socrates.drafts import NewMessage
from socrates.store import Store
from tests.performance.compare import Versus, in_turn
from tests.performance.opening import CACHED
from tests.performance.spending import spent
from tests.support.stores import fresh_file

TEXT = "It must lend books. " * 500


@pytest.fixture
def versus() -> Iterator[Versus]:
    with asyncio.Runner() as runner:
        yield Versus({}, runner.get_loop(), in_turn, quick=True)


@pytest.fixture
def store(versus: Versus, tmp_path: Path) -> Iterator[Store]:
    async def opened() -> Store:
        store = await Store.open(fresh_file(tmp_path), CACHED)
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada", project_id="p")
        return store

    store = versus.run(opened())
    yield store
    versus.run(store.close())


def test_a_read_that_is_cached_is_counted_as_if_it_were_not(versus: Versus, store: Store) -> None:
    async def read() -> object:
        return await store.projects.summary("p")

    counts = spent(versus, store, read)
    assert (counts["statements"], counts["hops"], counts["bytes written"]) == (1, 1, 0)
    counts = spent(versus, store, read, past_caches=False)
    assert (counts["statements"], counts["hops"]) == (0, 0)


def test_a_write_counts_what_goes_to_the_file(versus: Versus, store: Store) -> None:
    async def append() -> object:
        async with store.begin() as unit:
            return await unit.conversations.append("p", NewMessage("user", TEXT, author="ada"))

    counts = spent(versus, store, append)
    assert counts["statements"] == 2
    assert counts["bytes written"] > len(TEXT)
    assert versus.run(store.conversations.count("p")) == 2  # a first call, and the one that is counted


def test_the_baseline_is_counted_by_itself(versus: Versus, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (?)", ("x" * 1_000_000,))
        connection.commit()

    def baseline() -> object:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("SELECT x FROM t").fetchall()

    async def nothing() -> None: ...

    counts = spent(versus, store, nothing, baseline)
    assert (counts["statements"], counts["hops"]) == (0, 0)
    assert counts["bytes read by the baseline"] > 1_000_000
    assert counts["bytes read"] < 100_000
    assert counts["bytes written by the baseline"] == 0
