"""Processes that work on one PostgreSQL database: they open it, write to it, and are killed."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from socrates.database.migrations import head_revision
from socrates.store import Store
from tests.concurrency.checks import LONG
from tests.concurrency.crowd import Worker, crowd
from tests.concurrency.on_server import assert_idle, assert_sound, contents, libraries, settle, write
from tests.support.postgres import EmptyDatabases, connect, query

pytestmark = pytest.mark.postgres

WRITES = 500 if LONG else 60
KILLS = 50 if LONG else 2  # of two processes each
MIGRATION_LOCK = int.from_bytes(b"socrates", "big")


@pytest.fixture(scope="module")
def eight() -> Iterator[list[Worker]]:
    with crowd(8) as workers:
        yield workers


async def test_eight_processes_lose_nothing(empty_databases: EmptyDatabases, eight: list[Worker]) -> None:
    async with libraries(empty_databases) as (url, _):
        for number, worker in enumerate(eight):
            worker.tell("append", url, project="library", name=f"writer {number}", count=WRITES)
        answers = [await asyncio.to_thread(worker.answer) for worker in eight]
        positions = [position for answer in answers for position in answer.get("positions", [answer])]
        assert sorted(positions) == list(range(8 * WRITES))
        texts = contents(url)
        assert Counter(texts) == Counter(f"writer {writer} {number}" for writer in range(8) for number in range(WRITES))
        assert texts.index("writer 3 0") < texts.index(f"writer 3 {WRITES - 1}")


async def test_all_that_start_on_an_empty_database_serve_and_one_schema_is_there(
    postgres_url: str, eight: list[Worker]
) -> None:
    """They meet at the lock that migrations take, which is held until all of them wait for it."""
    other = await connect(postgres_url)
    await other.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
    for worker in eight:
        worker.tell("start", postgres_url)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
    async with asyncio.timeout(60):
        while query(postgres_url, waiting) != [(8,)]:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)
    await other.close()
    answers = [await asyncio.to_thread(worker.answer) for worker in eight]
    assert answers == 8 * [{"revision": head_revision(), "problems": []}]
    assert query(postgres_url, "SELECT version_num FROM alembic_version") == [(head_revision(),)]
    assert query(postgres_url, "SELECT count(*) FROM projects") == [(8,)]


async def test_a_process_that_is_killed_tears_nothing_and_holds_nothing(empty_databases: EmptyDatabases) -> None:
    acknowledged: list[str] = []
    async with libraries(empty_databases) as (url, (store,)):
        for attempt in range(KILLS):
            with crowd(2) as writers:
                for number, writer in enumerate(writers):
                    writer.tell("append_until_killed", url, project="library", name=f"{attempt}.{number}")
                for writer in writers:
                    answers = [writer.answer()]
                    await asyncio.sleep(random.uniform(0, 0.1))
                    answers += writer.kill()
                    acknowledged += [text for answer in answers for text in answer["stored"]]
            await write(store, f"between {attempt}")
            stored = [text for text in contents(url) if not text.startswith("between")]
            assert set(acknowledged) <= set(stored)
            units = [[text[:-2] for text in stored[first : first + 3]] for first in range(0, len(stored), 3)]
            assert all(len(unit) == 3 and len(set(unit)) == 1 for unit in units)
            # Besides what was acknowledged there is at most the last unit of each process.
            assert len(stored) <= len(acknowledged) + 3 * 2 * (attempt + 1)
            assert_sound(url)


async def test_a_process_is_killed_in_a_unit_that_another_waits_for(empty_databases: EmptyDatabases) -> None:
    with empty_databases.lent() as url, crowd(1) as (other,):
        async with Store.open(url) as store:
            async with store.begin() as unit:
                await unit.projects.create("Library", "ada", project_id="library")
            other.tell("stay_in_a_unit", url, project="library")
            assert (await asyncio.to_thread(other.answer)) == {"inside": True}
            waiting = asyncio.create_task(write(store, "afterwards"))
            await settle(url, "wait_event_type = 'Lock'")
            other.kill()
            await asyncio.wait_for(waiting, 60)
            assert contents(url) == ["afterwards"]
        await assert_idle(url)
