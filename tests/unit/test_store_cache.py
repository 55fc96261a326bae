"""What a user of the store sees of its cache: hits, the switches, units that go past it, and the account at the end."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import socrates
from socrates.caching import Statistics
from socrates.config import CacheConfig
from socrates.errors import ClosedError
from socrates.store import Store
from tests.support.stores import fresh_store
from tests.unit.library import library

NOTHING = (0, 0, 0)


@pytest.fixture
async def store(engine: str, tmp_path: Path) -> AsyncIterator[Store]:
    """A store whose library was not read yet."""
    async with library(tmp_path) as store:
        yield store


def asked(total: Statistics) -> tuple[int, int, int]:
    return total.hits, total.misses, total.entries


async def test_a_second_read_is_a_hit(store: Store) -> None:
    first = await store.projects.summary("library")
    assert await store.projects.summary("library") is first
    assert asked(store.cache.total()) == (1, 1, 1)
    assert set(store.cache.stats()) == {"projects.summary"}


async def test_a_read_inside_a_unit_sees_what_it_wrote_and_neither_uses_the_cache_nor_fills_it(store: Store) -> None:
    before = await store.projects.summary("library")
    counted = asked(store.cache.total())
    async with store.begin() as unit:
        await unit.projects.update("library", before.version, goals="Lend books")
        assert (await unit.projects.details("library")).goals == "Lend books"
        assert (await unit.projects.summary("library")).version == before.version + 1
        await unit.users.exists("ada")
        assert asked(store.cache.total()) == counted
    assert (await store.projects.summary("library")).version == before.version + 1


async def test_the_switch_works_while_the_store_runs(store: Store) -> None:
    kept = await store.projects.summary("library")
    store.cache.enabled = False
    assert await store.projects.summary("library") is not kept
    assert store.cache.total().entries == 0
    store.cache.enabled = True
    again = await store.projects.summary("library")
    assert await store.projects.summary("library") is again


async def test_a_single_call_can_go_past_the_cache(store: Store) -> None:
    kept = await store.projects.summary("library")
    with socrates.bypassed():
        read = await store.projects.summary("library")
    assert read == kept
    assert read is not kept
    assert await store.projects.summary("library") is kept


async def test_the_setting_of_the_plan_turns_it_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_ENABLE_CACHING", "false")
    async with fresh_store(tmp_path) as store:
        assert [await store.users.exists("ada") for _ in range(2)] == [False, False]
        assert not store.cache.enabled
        assert asked(store.cache.total()) == NOTHING


async def test_the_settings_bound_what_is_kept(tmp_path: Path) -> None:
    async with fresh_store(tmp_path, cache_config=CacheConfig(read_cache_size=3)) as store:
        for name in ("ada", "bob", "eve", "kim"):
            await store.users.exists(name)
        assert store.cache.total().entries == 3


async def test_a_closed_store_gives_out_nothing_that_it_kept(engine: str, tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        await store.projects.summary("library")
        await store.projects.for_user("ada")
    for read in (store.projects.summary("library"), store.projects.for_user("ada")):
        with pytest.raises(ClosedError, match="the store is closed"):
            await read
    store.cache.enabled = True
    with pytest.raises(ClosedError, match="the store is closed"):
        await store.projects.summary("library")


async def test_nothing_is_given_out_either_while_the_store_waits_for_a_unit_that_is_under_way(store: Store) -> None:
    await store.projects.summary("library")
    async with store.begin():
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0)
        with pytest.raises(ClosedError, match="the store is closed"):
            await store.projects.summary("library")
        assert not closing.done()
    await closing


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "socrates.store"]


async def test_closing_tells_the_totals_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "socrates")
    async with library(tmp_path) as store:
        for _ in range(4):
            await store.projects.summary("library")
        size = store.cache.total().bytes
    await store.close()
    assert told(caplog) == [f"the cache of reads: hits 3, misses 1, hit rate 75 %, bytes {size}"]
    assert size > 0


async def test_closing_says_nothing_of_a_cache_that_was_not_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "socrates")
    async with library(tmp_path):
        pass
    assert told(caplog) == []
