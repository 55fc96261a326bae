"""Processes that write to one file."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from socrates.config import Settings
from socrates.drafts import NewMessage
from socrates.errors import BusyError
from socrates.store import Store
from tests.concurrency.checks import DRIVERS, LONG, assert_sound, assert_unlocked, companions, contents
from tests.concurrency.crowd import Worker, crowd
from tests.support.stores import fresh_file

WRITES = 500 if LONG else 60


@pytest.fixture(scope="module")
def eight() -> Iterator[list[Worker]]:
    with crowd(8) as workers:
        yield workers


async def file_with_project(directory: Path) -> Path:
    path = fresh_file(directory)
    async with Store.open(path) as store, store.begin() as unit:
        await unit.projects.create("Library", "ada", project_id="library")
    return path


@pytest.mark.parametrize("driver", DRIVERS)
async def test_eight_processes_lose_nothing(tmp_path: Path, eight: list[Worker], driver: str) -> None:
    path = await file_with_project(tmp_path)
    for number, worker in enumerate(eight):
        worker.tell("append", path, {"sqlite_driver": driver}, project="library", name=f"writer {number}", count=WRITES)
    answers = [worker.answer() for worker in eight]
    positions = [position for answer in answers for position in answer.get("positions", [answer])]
    assert sorted(positions) == list(range(8 * WRITES))
    texts = contents(path, "library")
    assert Counter(texts) == Counter(f"writer {writer} {number}" for writer in range(8) for number in range(WRITES))
    assert texts.index("writer 3 0") < texts.index(f"writer 3 {WRITES - 1}")
    assert_sound(path)
    assert companions(path) == set()


@pytest.mark.parametrize("driver", DRIVERS)
async def test_another_process_in_the_way_is_waited_for(tmp_path: Path, eight: list[Worker], driver: str) -> None:
    path, other = await file_with_project(tmp_path), eight[0]
    other.tell("hold", path)
    assert other.answer() == {"held": True}
    async with Store.open(path, Settings(sqlite_driver=driver)) as store:

        async def write() -> None:
            async with store.begin() as unit:
                await unit.conversations.append("library", NewMessage("user", "I waited."))

        writing = asyncio.create_task(write())
        await asyncio.sleep(0.4)
        assert not writing.done()
        assert (await store.projects.summary("library")).message_count == 0  # reading goes on meanwhile
        other.go_on()
        await asyncio.wait_for(writing, 30)
    assert contents(path, "library") == ["I waited."]


@pytest.mark.parametrize("driver", DRIVERS)
async def test_another_process_that_stays_in_the_way_is_told_of(
    tmp_path: Path, eight: list[Worker], driver: str
) -> None:
    path, other = await file_with_project(tmp_path), eight[0]
    other.tell("hold", path)
    assert other.answer() == {"held": True}
    async with Store.open(path, Settings(sqlite_driver=driver, lock_timeout=0.4)) as store:
        began = time.monotonic()
        with pytest.raises(BusyError, match=r"another process.*lock_timeout"):
            async with store.begin() as unit:
                await unit.conversations.append("library", NewMessage("user", "I gave up."))
        assert 0.3 < time.monotonic() - began < 10
        other.go_on()
        await asyncio.to_thread(assert_unlocked, path, 10)
        async with store.begin() as unit:
            await unit.conversations.append("library", NewMessage("user", "I came back."))
        assert not (await store.health()).writers_in_use
    assert contents(path, "library") == ["I came back."]


async def test_waiting_for_another_process_can_be_cancelled(tmp_path: Path, eight: list[Worker]) -> None:
    path, other = await file_with_project(tmp_path), eight[0]
    other.tell("hold", path)
    assert other.answer() == {"held": True}
    async with Store.open(path) as store:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), store.begin() as unit:
                await unit.conversations.append("library", NewMessage("user", "I had no time."))
        other.go_on()
        await asyncio.to_thread(assert_unlocked, path, 10)
        async with store.begin() as unit:
            await unit.conversations.append("library", NewMessage("user", "Now I have."))
    assert contents(path, "library") == ["Now I have."]
