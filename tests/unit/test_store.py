"""The store: opening, and units of work."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from socrates.drafts import NewMessage
from socrates.errors import (
    AlreadyExistsError,
    ClosedError,
    ConflictError,
    DatabaseError,
    InvalidValueError,
    ProjectNotFoundError,
    SocratesError,
)
from socrates.store import Store, UnitOfWork
from tests.concurrency.checks import assert_sound, contents
from tests.support.migrate import REPOSITORY
from tests.support.stores import counted, fresh_file
from tests.unit.library import assert_unlocked, library, say, stored

SECRET = "argon2id-of-the-passcode"


def test_the_setting_chooses_the_driver(driver: str, tmp_path: Path) -> None:
    async def names() -> set[str]:
        async with library(tmp_path) as store:
            return {store._engines.writer.dialect.driver, store._engines.reader.dialect.driver}

    assert asyncio.run(names()) == {"aiosqlite" if driver == "stock" else "onehop"}


@pytest.mark.usefixtures("backend")
async def test_a_unit_is_committed_at_its_end(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        async with store.begin() as unit:
            await say(unit, "one")
            assert [found.content for found in await unit.conversations.last("library")] == ["one"]
            assert await store.conversations.last("library") == ()
            assert stored(store) == []
        assert stored(store) == ["one"]
        assert [found.content for found in await store.conversations.last("library")] == ["one"]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), ProjectNotFoundError("x")], ids=repr)
async def test_an_exception_rolls_the_unit_back_and_goes_on(tmp_path: Path, error: BaseException) -> None:
    async with library(tmp_path) as store:
        with pytest.raises(type(error)) as caught:  # noqa: PT012 - the unit is what raises
            async with store.begin() as unit:
                await say(unit, "one")
                raise error
        assert caught.value is error
        assert_unlocked(store)
        assert stored(store) == []
        async with store.begin() as unit:
            await say(unit, "two")
        assert stored(store) == ["two"]


@pytest.mark.usefixtures("backend")
async def test_an_answer_that_is_no_failure_leaves_the_unit_usable(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        async with store.begin() as unit:
            await say(unit, "one")
            with pytest.raises(ConflictError):
                await unit.projects.update("library", 99, name="x")
            with pytest.raises(ProjectNotFoundError):
                await unit.conversations.append("nowhere", NewMessage("user", "x"))
            await say(unit, "two")
        assert stored(store) == ["one", "two"]


@pytest.mark.usefixtures("backend")
async def test_a_statement_that_failed_cannot_be_caught_and_forgotten(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        # PostgreSQL refuses the next statement already.
        with pytest.raises(DatabaseError, match=r"nothing of (the unit|it)"):  # noqa: PT012 - the unit is what raises
            async with store.begin() as unit:
                await say(unit, "one")
                with pytest.raises(AlreadyExistsError):
                    await unit.projects.create("Library", "ada", project_id="library")
                await say(unit, "two")
        assert stored(store) == []
        assert_unlocked(store)


@pytest.mark.usefixtures("backend")
async def test_a_unit_inside_a_unit_of_the_same_task_is_refused(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        async with store.begin() as unit:
            with pytest.raises(SocratesError, match="this task has a unit of work open"):
                async with store.begin():
                    pytest.fail("it began")
            await say(unit, "one")
        assert stored(store) == ["one"]
        async with store.begin() as unit:
            await say(unit, "two")
        assert stored(store) == ["one", "two"]


@pytest.mark.usefixtures("backend")
async def test_a_unit_that_is_over_can_neither_read_nor_write(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        async with store.begin() as unit:
            await say(unit, "one")
        with pytest.raises(ClosedError, match="this unit of work is over"):
            await say(unit, "two")
        with pytest.raises(ClosedError, match="this unit of work is over"):
            await unit.conversations.last("library")
        with pytest.raises(ValueError, match="x"):
            async with store.begin() as failed:
                raise ValueError("x")
        with pytest.raises(ClosedError, match="this unit of work is over"):
            await failed.projects.summary("library")
        assert stored(store) == ["one"]


async def nearly_fill(store: Store) -> None:
    async with store._engines.writer.connect() as connection:
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
        await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")


async def say_too_much(unit: UnitOfWork) -> None:
    """On onehop the message itself goes with the statement behind it."""
    await say(unit, "x" * 200_000)
    await unit.conversations.last("library")


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize("goes_on", [False, True])
async def test_a_full_disk_stores_nothing_of_the_unit_even_when_it_goes_on(tmp_path: Path, goes_on: bool) -> None:
    async with library(tmp_path) as store:
        await nearly_fill(store)
        with pytest.raises(DatabaseError, match="nothing of the unit"):  # noqa: PT012 - the unit is what raises
            async with store.begin() as unit:
                await say(unit, "first half")
                with pytest.raises(DatabaseError, match="the disk is full"):
                    await say_too_much(unit)
                if goes_on:
                    with suppress(DatabaseError):  # onehop raises again, until the rollback
                        await say(unit, "second half")
        await assert_nothing_stored_and_well(store)


@pytest.mark.usefixtures("driver")
async def test_a_disk_that_the_last_write_of_a_unit_fills_is_told_at_its_end_at_the_latest(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        await nearly_fill(store)
        full = pytest.raises(DatabaseError, match="the disk is full; nothing of this unit of work was stored")
        with full:
            async with store.begin() as unit:
                await say(unit, "first half")
                await say(unit, "x" * 200_000)
        await assert_nothing_stored_and_well(store)


async def assert_nothing_stored_and_well(store: Store) -> None:
    assert_unlocked(store)
    assert stored(store) == []
    assert_sound(store._engines.path)
    async with store.begin() as unit:
        await say(unit, "later")
    assert stored(store) == ["later"]


LIMITED = """
import asyncio, resource, signal, sys
from socrates.drafts import NewMessage
from socrates.errors import DatabaseError
from socrates.store import Store

async def main():
    async with Store.open(sys.argv[1]) as store:
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada", project_id="library")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
        written = 0
        try:
            while True:
                async with store.begin() as unit:
                    for part in "ab":
                        await unit.conversations.append("library", NewMessage("user", part + "x" * 20_000))
                written += 2
        except DatabaseError:
            pass
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        async with store.begin() as unit:
            await unit.conversations.append("library", NewMessage("user", "later"))
        print(written)

asyncio.run(main())
"""


@pytest.mark.usefixtures("driver")
def test_a_disk_that_is_really_full_tears_nothing(tmp_path: Path) -> None:
    path = fresh_file(tmp_path)
    script = [sys.executable, "-c", LIMITED, str(path)]
    outcome = subprocess.run(script, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert outcome.returncode == 0, outcome.stderr
    texts = [text[0] for text in contents(path, "library")]
    assert "".join(texts) == int(outcome.stdout) // 2 * "ab" + "l"
    assert len(texts) > 10
    assert_sound(path)


@pytest.mark.usefixtures("engine")
async def test_costs_of_units_in_crossings(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        with counted(store) as nothing:
            async with store.begin():
                pass
        nothing.must_be(statements=0, crossings=0)
        with counted(store) as failed, pytest.raises(ValueError, match="x"):
            async with store.begin():
                raise ValueError("x")
        failed.must_be(statements=0, crossings=0)
        with counted(store) as reading:
            async with store.begin() as unit:
                await unit.projects.summary("library")
        # It has the write lock, because it might have written next: giving that back is one crossing.
        reading.must_be(statements=1, crossings=2)
        with counted(store) as writing:
            async with store.begin() as unit:
                await say(unit, "one")
        # The message itself goes with the commit.
        writing.must_be(statements=2, crossings=2)
        await store.projects.summary("library")
        with counted(store) as read:
            await store.projects.summary("library")
        read.must_be(statements=1, crossings=1)


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, and all that it came from."""
    waiting, seen = [error], set()
    while waiting:
        found = waiting.pop()
        if id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += [other for other in (found.__cause__, found.__context__) if other is not None]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    ("username", "columns", "error"),
    [
        ("ada", {}, AlreadyExistsError),
        ("bob", {"questions_used_this_month": 2**70}, InvalidValueError),
        ("bob\ud800", {}, InvalidValueError),
    ],
    ids=["there already", "number too large", "not a character"],
)
async def test_no_secret_shows_in_any_exception(
    tmp_path: Path, username: str, columns: dict[str, object], error: type[Exception]
) -> None:
    async with library(tmp_path) as store:
        async with store.begin() as unit:
            await unit.users.create("ada", SECRET)
        with pytest.raises(error) as caught:
            async with store.begin() as unit:
                await unit.users.create(username, SECRET, **columns)
        found = list(chain(caught.value))
        # What the engine refuses has causes to be looked at; what does not fit is refused before anything is sent.
        assert (len(found) > 1) == (error is AlreadyExistsError)
        assert [each for each in found if SECRET in str(each) or SECRET in repr(each)] == []


@pytest.mark.usefixtures("driver")
def test_a_store_serves_one_event_loop_after_the_other(tmp_path: Path) -> None:
    path = fresh_file(tmp_path)

    async def use(number: int) -> None:
        async with Store.open(path) as store:
            async with store.begin() as unit:
                await unit.projects.create(f"Project {number}", "ada")
            assert len(await store.projects.for_user("ada")) == number + 1

    for number in range(3):
        asyncio.run(use(number))


async def test_open_can_be_awaited_and_entered(tmp_path: Path) -> None:
    path = fresh_file(tmp_path)
    store = await Store.open(str(path))
    assert (await store.health()).ok
    await store.close()
    async with await Store.open(f"sqlite:///{path}") as store:
        assert (await store.health()).ok
    with pytest.raises(ClosedError):
        await store.health()


@pytest.mark.usefixtures("driver")
async def test_readers_see_one_moment_and_keep_no_snapshot(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        await store.conversations.last("library")
        with closing(sqlite3.connect(store._engines.path)) as other, other:
            other.execute("UPDATE projects SET name = 'Renamed elsewhere'")
        assert (await store.projects.summary("library")).name == "Renamed elsewhere"
        with closing(sqlite3.connect(store._engines.path)) as other:
            busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0, "an idle reader holds nothing"
