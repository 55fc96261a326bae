"""A unit of work is stored whole or not at all, whatever its calls and its tasks do."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import pytest

from socrates.drafts import NewMessage
from socrates.errors import ClosedError, ConfigurationError, DamagedRecordError, DatabaseError, InvalidValueError
from socrates.store import Store, UnitOfWork
from tests.support.migrate import execute
from tests.support.stores import fresh_file
from tests.unit.library import library

SPOILT = "nothing of the unit was stored"


def damage(store: Store, sql: str, *parameters: object) -> None:
    execute(store._engines.path, sql, *parameters)


async def boom() -> None:
    raise KeyError("boom")


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("write", ["create", "append"])
async def test_a_task_that_goes_on_after_its_unit_was_rolled_back_stores_nothing(tmp_path: Path, write: str) -> None:
    calls: dict[str, Callable[[UnitOfWork], Awaitable[object]]] = {
        "create": lambda unit: unit.users.create("ghost", "hash"),
        "append": lambda unit: unit.conversations.append("library", NewMessage("user", "ghost")),
    }
    async with library(tmp_path) as store:
        for _ in range(50):
            with pytest.raises(KeyError):
                await gathered(store, calls[write])
            async with store.begin() as unit:
                await unit.projects.summary("library")
        assert not await store.users.exists("ghost")
        assert await store.conversations.count("library") == len(await store.conversations.last("library")) == 0


async def gathered(store: Store, call: Callable[[UnitOfWork], Awaitable[object]]) -> None:
    async with store.begin() as unit:
        await asyncio.gather(call(unit), boom())


@pytest.mark.usefixtures("engine")
async def test_calls_of_several_tasks_in_one_unit_are_all_stored(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        async with store.begin() as unit:
            drafts = [NewMessage("user", str(number)) for number in range(20)]
            await asyncio.gather(*(unit.conversations.append("library", draft) for draft in drafts))
        assert {message.content for message in await store.conversations.last("library")} == {str(n) for n in range(20)}


@pytest.mark.usefixtures("engine")
async def test_a_unit_cannot_be_used_after_its_end(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        async with store.begin() as unit:
            await unit.projects.summary("library")
        with pytest.raises(ClosedError, match="over"):
            await unit.projects.summary("library")


async def append_without_zone(unit: UnitOfWork) -> None:
    with pytest.raises(InvalidValueError, match="time zone"):
        await unit.conversations.append("library", NewMessage("user", "x", timestamp=datetime(2026, 1, 1)))


async def update_what_cannot_be_read(unit: UnitOfWork) -> None:
    with pytest.raises(DamagedRecordError):
        await unit.projects.update("library", 1, name="new", requirements=["b", "c"])


async def update_in_too_little_time(unit: UnitOfWork) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await unit.projects.update("library", 1, name="new", requirements=["b", "c"])


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("fail", [append_without_zone, update_in_too_little_time])
async def test_a_call_that_failed_half_way_and_was_caught_spoils_its_unit(
    tmp_path: Path, fail: Callable[[UnitOfWork], Awaitable[None]]
) -> None:
    async with library(tmp_path) as store:
        before = await store.projects.details("library")
        with pytest.raises(DatabaseError, match=SPOILT):
            await in_a_unit(store, fail)
        assert await store.projects.details("library") == before
        assert await store.conversations.count("library") == 0


async def test_so_does_a_call_whose_rows_cannot_be_read(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        before = await store.projects.details("library")
        damage(store, "UPDATE projects SET created_at = 'soon'")
        with pytest.raises(DatabaseError, match=SPOILT):
            await in_a_unit(store, update_what_cannot_be_read)
        damage(store, "UPDATE projects SET created_at = updated_at")
        after = await store.projects.details("library")
        assert (after.summary.name, after.version, after.requirements) == ("Library", before.version, ("a",))


async def in_a_unit(store: Store, call: Callable[[UnitOfWork], Awaitable[None]]) -> None:
    async with store.begin() as unit:
        await call(unit)


@pytest.mark.parametrize("stored", [b"SECRET\xff\xfe", "SECRET"])
async def test_what_cannot_be_read_is_not_repeated_in_the_error(tmp_path: Path, stored: bytes | str) -> None:
    async with library(tmp_path) as store:
        async with store.begin() as unit:
            await unit.users.create("ada", "hash")
        column = "passcode_hash" if isinstance(stored, bytes) else "created_at"
        text = "CAST(? AS TEXT)" if isinstance(stored, bytes) else "?"
        damage(store, f"UPDATE users SET {column} = {text}", stored)
        with pytest.raises(DamagedRecordError) as raised:
            await store.users.get("ada")
        error: BaseException | None = raised.value
        while error is not None:
            assert "SECRET" not in str(error)
            error = error.__cause__ or error.__context__


def test_a_store_belongs_to_one_event_loop(tmp_path: Path) -> None:
    async def opened() -> Store:
        store = await Store.open(fresh_file(tmp_path))
        await store.projects.for_user("ada")
        return store

    async def used_elsewhere(store: Store) -> None:
        with pytest.raises(ConfigurationError, match="event loop"):
            await store.projects.for_user("bob")

    with asyncio.Runner() as first:
        store = first.run(opened())
        with asyncio.Runner() as second:
            second.run(used_elsewhere(store))
        first.run(store.close())


@pytest.mark.parametrize("name", ["a b.db", "what?.db", "#1.db", "100%41.db", "ä&=;'.db", "../{}//x.db"])
async def test_any_name_of_a_file_will_do(tmp_path: Path, name: str) -> None:
    path = f"{tmp_path}/{name.format(tmp_path.name)}"
    async with Store.open(path) as store, store.begin() as unit:
        await unit.users.create("ada", "hash")
    async with Store.open("/" + path) as store:  # two slashes, as joining to the root gives
        assert await store.users.exists("ada")
