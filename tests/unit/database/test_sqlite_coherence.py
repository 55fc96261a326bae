"""What others commit to the file is noticed before the next hit, and what we commit is told apart from it."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import event

from socrates.caching import Cache, bypassed
from socrates.config import CacheConfig
from socrates.database import coherence, sqlite_coherence
from socrates.errors import DatabaseError
from socrates.store import Store
from tests.support.model_server import until
from tests.support.stores import counted, fresh_file
from tests.unit.library import library, say, threads

pytestmark = pytest.mark.usefixtures("driver")

RENAME = "UPDATE projects SET name = 'Renamed elsewhere' WHERE id = 'library'"


def elsewhere(store: Store, statement: str = RENAME) -> None:
    """Write as another process would."""
    with closing(sqlite3.connect(store._engines.path, isolation_level=None)) as other:
        other.execute(statement).fetchall()


async def name(store: Store) -> str:
    return (await store.projects.summary("library")).name


def hits(store: Store) -> int:
    return store.cache.total().hits


async def assert_kept(store: Store) -> None:
    """What was read of somebody who does not exist is there still."""
    before = hits(store)
    assert not await store.users.exists("nobody")
    assert hits(store) == before + 1


async def assert_right(store: Store) -> None:
    with bypassed():
        true = await name(store)
    assert await name(store) == true


async def test_a_commit_of_ours_leaves_alone_what_it_does_not_touch(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        await store.users.exists("nobody")
        for number in range(3):
            async with store.begin() as unit:
                await say(unit, str(number))
            await assert_kept(store)


async def test_the_first_unit_of_a_store_leaves_alone_what_was_read_before(tmp_path: Path) -> None:
    async with Store.open(fresh_file(tmp_path)) as store:
        await store.users.exists("nobody")
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada")
        await assert_kept(store)


async def test_a_commit_from_elsewhere_drops_everything(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        assert await name(store) == "Library"
        elsewhere(store)
        assert await name(store) == "Renamed elsewhere"


async def test_a_commit_from_elsewhere_is_noticed_between_two_of_ours(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        for number in range(3):
            await name(store)
            elsewhere(store, f"UPDATE projects SET name = 'name {number}'")
            # Nothing is read in between, so nobody has asked the file since.
            async with store.begin() as unit:
                await unit.users.create(f"user {number}", "hash")
            assert await name(store) == f"name {number}"


@pytest.mark.parametrize("moment", ["before its first statement", "right after its commit"])
async def test_a_commit_from_elsewhere_in_the_same_moment_as_ours_is_noticed(tmp_path: Path, moment: str) -> None:
    async with library(tmp_path) as store:
        await name(store)
        engine = store._engines.writer.sync_engine
        if moment == "right after its commit":
            absorb = store._coherence._absorb

            def after_commit() -> None:
                elsewhere(store)
                absorb()

            store._coherence._absorb = after_commit  # type: ignore[method-assign]
        elif store._engines.writer.dialect.driver == "onehop":
            event.listen(engine, "begin", lambda _: elsewhere(store))
        else:
            pytest.skip("the stock driver has begun by then, and holds the lock")
        async with store.begin() as unit:
            await unit.users.create("bob", "hash")
        assert await name(store) == "Renamed elsewhere"


async def test_commits_that_nobody_told_of_are_taken_for_those_of_others(tmp_path: Path) -> None:
    """Of whoever uses the writer's connection by itself."""
    async with library(tmp_path) as store:
        await name(store)
        async with store._engines.writer.begin() as connection:
            await connection.exec_driver_sql(RENAME)
        async with store.begin() as unit:
            await unit.users.create("bob", "hash")
        assert await name(store) == "Renamed elsewhere"


async def test_a_new_connection_of_the_writer_goes_on_as_the_old_one_did(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        await store.users.exists("nobody")
        for foreign in (False, True):
            await store._engines.writer.dispose()
            await name(store)
            if foreign:
                elsewhere(store)
            async with store.begin() as unit:
                await unit.users.create(f"bob {foreign}", "hash")
            if not foreign:
                await assert_kept(store)
        assert await name(store) == "Renamed elsewhere"


RECOVER = """
import fcntl, sys
with open(sys.argv[1], "r+b", buffering=0) as index:
    fcntl.lockf(index, fcntl.LOCK_EX, 3, 120)
    header = index.read(8)
    index.seek(0)
    index.write(bytes(8))
    print(flush=True)
    input()
    index.seek(0)
    index.write(header)
"""
"""What a process does that recovers a file after a crash, as far as others see it: its index has no valid header, and
the locks of the writer, the checkpoint and the recovery are taken."""


@contextmanager
def recovering(store: Store) -> Iterator[None]:
    """Another process is at it."""
    script = [sys.executable, "-c", RECOVER, f"{store._engines.path}-shm"]
    with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.communicate(b"\n")


async def test_where_the_file_cannot_be_asked_nothing_is_a_hit(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        await name(store)
        coherence: Any = store._coherence
        with recovering(store):
            assert not coherence.is_current()
            before = store.cache.total()
            found = asyncio.create_task(name(store))
            while store.cache.total().bypasses == before.bypasses:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
        assert await found == "Library"
        assert store.cache.total().hits == before.hits
        assert coherence.is_current()


async def test_nothing_is_current_once_it_is_closed(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        await name(store)
    assert not store._coherence.is_current()


async def test_an_answer_is_trusted_as_long_as_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(sqlite_coherence, "time", SimpleNamespace(monotonic=lambda: now))
    trusting = CacheConfig(cache_trusted_ms=300)
    async with library(tmp_path, cache_config=trusting) as store:
        await name(store)
        elsewhere(store)
        now += 0.29
        assert await name(store) == "Library"
        now += 0.02
        assert await name(store) == "Renamed elsewhere"


async def test_our_own_commits_are_seen_however_long_an_answer_is_trusted(tmp_path: Path) -> None:
    async with library(tmp_path, cache_config=CacheConfig(cache_trusted_ms=60_000)) as store:
        assert await store.conversations.count("library") == 0
        async with store.begin() as unit:
            await say(unit, "one")
        assert await store.conversations.count("library") == 1


@pytest.mark.parametrize("statement", ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"])
async def test_what_others_do_to_the_file_makes_nothing_wrong(tmp_path: Path, statement: str) -> None:
    async with library(tmp_path) as store:
        await name(store)
        elsewhere(store, statement)
        await assert_right(store)
        async with store.begin() as unit:
            await say(unit, "one")
        elsewhere(store)
        assert await name(store) == "Renamed elsewhere"


async def test_nobody_waits_for_the_idle_connection(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        for number in range(3):
            await name(store)
            async with store.begin() as unit:
                await say(unit, str(number))
            assert store._coherence.is_current()
            with closing(sqlite3.connect(store._engines.path, timeout=0)) as other:
                busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            assert not busy


async def test_a_unit_crosses_no_more_often_than_without_a_cache(tmp_path: Path) -> None:
    spent = []
    for enabled in (True, False):
        directory = tmp_path / str(enabled)
        directory.mkdir()
        async with library(directory, cache_config=CacheConfig(enable_caching=enabled)) as store:
            with counted(store) as cost:
                async with store.begin() as unit:
                    await say(unit, "one")
            spent.append((len(cost.statements), cost.crossings))
    assert spent[0] == spent[1]


async def test_a_commit_that_fails_leaves_nothing_wrong_behind(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        await store.conversations.count("library")
        async with store._engines.writer.connect() as connection:
            pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
            await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(DatabaseError, match="disk is full"):
            async with store.begin() as unit:
                await say(unit, "x" * 100_000)
        assert await store.conversations.count("library") == 0
        elsewhere(store)
        assert await name(store) == "Renamed elsewhere"


@pytest.mark.parametrize("after", [0.0, 0.0005, 0.001, 0.002, 0.004])
async def test_a_commit_that_is_cancelled_leaves_nothing_wrong_behind(tmp_path: Path, after: float) -> None:
    before = threads()
    async with library(tmp_path) as store:
        for number in range(5):
            await store.conversations.count("library")

            async def write(text: str = str(number)) -> None:
                async with store.begin() as unit:
                    await say(unit, text)

            writing = asyncio.create_task(write())
            await asyncio.sleep(after)
            writing.cancel()
            seen = await store.conversations.count("library")
            with suppress(asyncio.CancelledError):
                await writing
            assert seen <= number + 1
            with bypassed():
                true = await store.conversations.count("library")
            assert await store.conversations.count("library") == true
    # The stock driver does not wait for the thread of a cancelled statement, which would find the event loop closed.
    await until(lambda: threads() <= before)


async def test_threads_may_ask_while_the_loop_commits(tmp_path: Path) -> None:
    """A hit that is given in another thread is never older than a commit that was over before it was asked for."""
    async with library(tmp_path) as store:
        committed = [0]
        wrong: list[tuple[int, int]] = []
        over = threading.Event()
        method: Any = type(store.conversations).count

        def ask() -> None:
            while not over.is_set():
                least = committed[0]
                found = method.kept(store.conversations, "library")
                if isinstance(found, int) and found < least:
                    wrong.append((found, least))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, 20):
                await store.conversations.count("library")
                async with store.begin() as unit:
                    await say(unit, "x")
                committed[0] = number
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert wrong == []
        assert store.cache.total().hits


async def test_threads_that_ask_different_caches_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """Each has the lock of the cache that it asks when it finds that all of them are to be cleared."""
    store = await Store.open(fresh_file(tmp_path))
    over = threading.Event()

    def ask(cache: Cache) -> None:
        while not over.is_set():
            cache.find(("nothing",))

    threads = [threading.Thread(target=ask, args=[each], daemon=True) for each in (store.cache, store.search_cache)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        with closing(sqlite3.connect(store._engines.path, isolation_level=None)) as other:
            for number in range(200):
                other.execute(f"PRAGMA user_version = {number}")
    finally:
        sys.setswitchinterval(interval)
        over.set()
    for thread in threads:
        thread.join(10)
    # The store stays open if they do: closing it would wait for them as well.
    assert not any(thread.is_alive() for thread in threads)
    await store.close()


async def test_a_unit_that_touches_too_much_to_remember_drops_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coherence, "_MOST_TAGS", 5)
    async with library(tmp_path) as store:
        await store.users.exists("nobody")
        async with store.begin() as unit:
            for number in range(6):
                await unit.users.create(f"user {number}", "hash")
        before = hits(store)
        assert not await store.users.exists("nobody")
        assert hits(store) == before
