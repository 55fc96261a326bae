"""Caches of several stores on one PostgreSQL database: what a transaction tells, and what is served while none can."""

import asyncio
import enum
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection, event, make_url

from socrates.database.postgres_coherence import CHANNEL, MOST_TAGS, PostgresCoherence
from socrates.drafts import NewMessage
from socrates.errors import DatabaseError, SocratesError
from socrates.repositories.cached_rows import USER
from socrates.store import Store
from tests.concurrency.on_server import cut_all, opened, settle, write
from tests.support.postgres import EmptyDatabases, connect, execute, query
from tests.support.stores import thrown_away

pytestmark = pytest.mark.postgres

LISTENERS = "pg_stat_activity WHERE datname = current_database() AND application_name = 'socrates listener'"
PATIENCE = 20.0

SENDER = "0123456789abcdef"


@asynccontextmanager
async def libraries(databases: EmptyDatabases, count: int = 2) -> AsyncIterator[tuple[str, list[Store]]]:
    """The URL of a database with the project `library`, and stores on it, which have heard of it."""
    with databases.lent() as url:
        async with opened(url, count) as stores:
            async with stores[0].begin() as unit:
                await unit.projects.create("Library", "ada", project_id="library")
            for store in stores:
                await hear_all(url, store)
            yield url, stores


async def hear_all(url: str, store: Store) -> None:
    """Have the store hear of all that was committed up to now. It keeps nothing afterwards."""
    await store.users.exists("nobody")
    execute(url, f"NOTIFY {CHANNEL}")
    await eventually(lambda: store.cache.total().entries == 0)


@asynccontextmanager
async def heard(url: str) -> AsyncIterator[list[str]]:
    """All payloads that are sent in the meantime, as anybody hears them."""
    payloads: list[str] = []
    connection = await connect(url)
    await connection.add_listener(CHANNEL, lambda *told: payloads.append(told[-1]))
    try:
        yield payloads
    finally:
        await connection.close()


async def all_heard(url: str, payloads: list[str]) -> list[str]:
    """What was sent up to now: notifications come in the order of the commits."""
    execute(url, f"NOTIFY {CHANNEL}, 'last'")
    await eventually(lambda: "last" in payloads)
    return payloads[:-1]


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.01)


async def eventually_read(read: Callable[[], Awaitable[object]], wanted: Callable[[Any], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not wanted(await read()):  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.01)


async def eventually_counted(store: Store, count: int) -> None:
    await eventually_read(lambda: store.conversations.count("library"), lambda found: found == count)


def hits(store: Store) -> int:
    return store.cache.total().hits


def cut_listeners(url: str) -> None:
    """Have the server end the connections that stores listen on, and wait until it has."""
    execute(url, f"SELECT pg_terminate_backend(pid, 20000) FROM {LISTENERS}")


def tasks_of_listeners() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "socrates listener"]


async def test_own_writes_are_seen_at_once_and_those_of_another_store_soon(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases) as (_, (one, two)):
        for number in range(5):
            assert await one.conversations.count("library") == number
            await eventually_counted(two, number)
            await write(one, "text")
        await eventually_counted(two, 5)


async def test_what_has_nothing_to_do_with_a_change_stays_in_another_store(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases) as (url, (one, two)):
        async with one.begin() as unit:
            await unit.projects.create("Other", "bob", project_id="other")
        await hear_all(url, two)
        assert len(await two.projects.for_user("bob")) == 1
        assert await two.conversations.count("library") == 0
        await write(one, "text")
        await eventually_counted(two, 1)
        before = hits(two)
        await two.projects.for_user("bob")
        assert hits(two) == before + 1


async def test_a_store_does_not_drop_again_what_it_told_itself(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases, 1) as (url, (store,)):
        await store.users.exists("nobody")
        await write(store, "text")
        await store.conversations.count("library")
        # Notifications come in the order of the commits.
        nobody = " ".join(map(PostgresCoherence._tag_as, USER("nobody")))
        execute(url, f"NOTIFY {CHANNEL}, '{SENDER} {nobody}'")
        await eventually(lambda: store.cache.total().entries == 1)
        before = hits(store)
        assert await store.conversations.count("library") == 1
        assert hits(store) == before + 1


async def test_a_unit_tells_once_and_only_what_it_commits(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases, 1) as (url, (store,)), heard(url) as payloads:
        async with store.begin() as unit:
            await unit.projects.summary("library")
        async with thrown_away(store) as unit:
            await unit.conversations.append("library", NewMessage("user", "text"))
        for _ in range(2):
            await store.conversations.last("library")
        assert await all_heard(url, payloads) == []
        payloads.clear()
        async with store.begin() as unit:
            for text in "abc":
                await unit.conversations.append("library", NewMessage("user", text))
        assert len(await all_heard(url, payloads)) == 1


async def test_a_unit_sends_one_notification_and_a_hit_sends_nothing(empty_databases: EmptyDatabases) -> None:
    sent: list[str] = []
    async with libraries(empty_databases, 1) as (_, (store,)):
        for engine in (store._engines.writer, store._engines.reader):
            event.listen(engine.sync_engine, "before_cursor_execute", lambda *told: sent.append(told[2]))
        await write(store, "text")
        assert len([statement for statement in sent if "pg_notify" in statement]) == 1
        assert "pg_notify" in sent[-1]
        sent.clear()
        async with store.begin() as unit:
            await unit.conversations.last("library")
        await store.conversations.last("library")
        assert not [statement for statement in sent if "pg_notify" in statement]
        sent.clear()
        await store.conversations.last("library")
        assert sent == []


@pytest.mark.parametrize(("people", "everything"), [(10, False), (MOST_TAGS + 1, True)])
async def test_a_unit_that_touches_very_much_tells_that_it_touched_everything(
    empty_databases: EmptyDatabases, people: int, everything: bool
) -> None:
    async with libraries(empty_databases) as (url, (one, two)), heard(url) as payloads:
        assert await two.projects.for_user("person 7") == ()
        async with one.begin() as unit:
            for number in range(people):
                await unit.projects.create("Project", f"person {number}")
        await eventually_read(lambda: two.projects.for_user("person 7"), bool)
        assert [payload.endswith(" everything") for payload in await all_heard(url, payloads)] == [everything]


async def test_the_longest_payload_is_far_from_what_a_notification_takes(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases, 1) as (url, (store,)), heard(url) as payloads:
        coherence = store._coherence
        assert isinstance(coherence, PostgresCoherence)
        longest = coherence._payload({("projects.id", number * "ä") for number in range(MOST_TAGS)})
        assert len(longest.encode()) == 16 + MOST_TAGS * 17
        assert len(longest.encode()) < 8_000
        execute(url, f"NOTIFY {CHANNEL}, '{longest}'")
        await eventually(lambda: payloads == [longest])
        # One that is as long as they can be is heard by the store too.
        await store.conversations.count("library")
        execute(url, f"NOTIFY {CHANNEL}, '{7_999 * 'f'}'")
        await eventually(lambda: store.cache.total().entries == 0)


@pytest.mark.parametrize(
    "payload",
    [
        "",
        " ",
        "everything",
        SENDER,
        f"{SENDER} ",
        f"{SENDER} everything",
        f"{SENDER} everything more",
        f"{SENDER} {SENDER.upper()}",
        f"{SENDER} {SENDER}\n",
        " ".join([SENDER] * (MOST_TAGS + 2)),
        "'; DROP TABLE projects; --",
        "\u0661" * 16 + " everything",
        "\U0001f512 \x01 %s {} \\",
    ],
)
async def test_what_nobody_understands_drops_everything(empty_databases: EmptyDatabases, payload: str) -> None:
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, failure: failures.append(failure))
    async with libraries(empty_databases, 1) as (url, (store,)):
        await store.conversations.count("library")
        assert store.cache.total().entries == 1
        connection = await connect(url)
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)
        await connection.close()
        await eventually(lambda: store.cache.total().entries == 0)
    assert failures == []


class Name(enum.StrEnum):
    LIBRARY = "library"


def test_a_text_of_a_subclass_has_the_tag_of_the_text() -> None:
    tag_as = PostgresCoherence._tag_as
    assert tag_as(("projects.id", Name.LIBRARY)) == tag_as(("projects.id", "library"))
    assert len({tag_as(tag) for tag in ["a", "b", ("a", "x"), ("a", "y"), ("b", "x"), ("a", 1), ("a", "\ud800")]}) == 7


async def test_nothing_is_served_while_nobody_would_tell_and_all_is_well_again_afterwards(
    empty_databases: EmptyDatabases, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "socrates")
    async with libraries(empty_databases) as (url, (one, two)):
        for number in range(2):
            await eventually_counted(one, number)
            cut_listeners(url)
            await write(two, "text")
            assert await one.conversations.count("library") == number + 1
            assert await two.conversations.count("library") == number + 1
            await eventually(lambda: one._coherence.is_current() and two._coherence.is_current())
            await hear_all(url, one)
            await one.conversations.count("library")
            before = hits(one)
            assert await one.conversations.count("library") == number + 1
            assert hits(one) == before + 1
        await write(two, "text")
        await eventually_counted(one, 3)
    levels = [record.levelname for record in caplog.records if record.name.endswith("postgres_listener")]
    assert levels.count("WARNING") == levels.count("INFO") == 4
    assert "postgresql" not in caplog.text


async def test_what_was_loaded_before_the_connection_was_lost_is_not_kept_afterwards(
    empty_databases: EmptyDatabases,
) -> None:
    async with libraries(empty_databases) as (url, (one, two)):
        reading = asyncio.Event()
        going_on = asyncio.Event()

        async def slow() -> int:
            count = await one.conversations.count("library")
            reading.set()
            await going_on.wait()
            return count

        load = asyncio.create_task(one.cache.load(("slow",), slow, lambda _: [("projects.id", "library")]))
        await reading.wait()
        # Watched from the beginning: the connection may be back before something is written.
        lost = asyncio.create_task(eventually(lambda: not one._coherence.is_current()))
        cut_listeners(url)
        await write(two, "text")
        await lost
        await eventually(one._coherence.is_current)
        going_on.set()
        assert await load == 0
        assert one.cache.stats()["slow"].overtaken == 1


async def test_closing_leaves_nothing_behind_in_whatever_state(empty_databases: EmptyDatabases) -> None:
    with empty_databases.lent() as url:
        for lost in (False, True):
            store = await Store.open(url)
            assert len(tasks_of_listeners()) == 1
            if lost:
                cut_listeners(url)
                await eventually(lambda: not store._coherence.is_current())  # noqa: B023
            started = time.monotonic()
            await store.close()
            await store.close()
            assert time.monotonic() - started < 5
            assert tasks_of_listeners() == []
            assert not store._coherence.is_current()
        await eventually(lambda: query(url, f"SELECT 1 FROM {LISTENERS}") == [])


async def test_opening_says_so_when_no_connection_is_left_to_listen_on(empty_databases: EmptyDatabases) -> None:
    with empty_databases.lent() as url:
        execute(url, "CREATE ROLE narrow LOGIN CONNECTION LIMIT 1", "GRANT pg_read_all_data TO narrow")
        try:
            with pytest.raises(DatabaseError, match="takes no more connections"):
                await Store.open(make_url(url).set(username="narrow").render_as_string())
            assert tasks_of_listeners() == []
            await eventually(lambda: not query(url, "SELECT 1 FROM pg_stat_activity WHERE usename = 'narrow'"))
        finally:
            execute(url, "REVOKE pg_read_all_data FROM narrow", "DROP ROLE narrow")


async def test_a_notification_that_cannot_be_sent_fails_the_unit(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases, 1) as (url, (store,)):
        before = await store.conversations.count("library")

        def cut(*told: Any) -> None:
            if "pg_notify" in told[2]:
                cut_all(url)

        event.listen(store._engines.writer.sync_engine, "before_cursor_execute", cut)
        with pytest.raises(DatabaseError, match="nothing of this unit of work was stored"):
            await write(store, "lost")
        event.remove(store._engines.writer.sync_engine, "before_cursor_execute", cut)
        assert await store.conversations.count("library") == before
        await write(store, "stored")
        assert await store.conversations.count("library") == before + 1


LATE = """
    CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        LOOP
            BEGIN
                PERFORM pg_advisory_xact_lock(4711);
                RETURN NULL;
            EXCEPTION WHEN query_canceled THEN NULL;
            END;
        END LOOP;
    END $$
"""


@pytest.mark.parametrize("end", ["cancelled", "cut off"])
async def test_a_commit_that_happens_after_it_was_given_up_is_seen(empty_databases: EmptyDatabases, end: str) -> None:
    """The server cannot be stopped in this commit: it is done when the store has dropped and read everything anew."""
    async with libraries(empty_databases, 1) as (url, (store,)):
        execute(
            url,
            LATE,
            "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON conversation_messages DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION late()",
        )
        other = await connect(url)
        await other.execute("SELECT pg_advisory_lock(4711)")
        committing: list[asyncpg.Connection] = []

        def note(connection: Connection) -> None:
            committing.append(connection.connection.driver_connection)

        event.listen(store._engines.writer.sync_engine, "commit", note)
        writing = asyncio.create_task(write(store, "late"))
        await settle(url, "wait_event = 'advisory'")
        if end == "cancelled":
            writing.cancel()
        else:
            committing[0].terminate()
        with pytest.raises((asyncio.CancelledError, SocratesError)):
            await writing
        assert await store.conversations.count("library") == 0
        assert await store.conversations.count("library") == 0
        await other.close()
        await eventually_counted(store, 1)
        execute(url, "DROP FUNCTION late() CASCADE")
