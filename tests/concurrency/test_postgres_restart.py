"""A server that is stopped and started, connections that break or are refused: what is told, and what is stored."""

import asyncio
import logging
import traceback
from collections.abc import Callable

import pytest
from sqlalchemy import event, make_url

from socrates.drafts import NewMessage
from socrates.errors import ConfigurationError, DatabaseError, SocratesError
from socrates.store import Store
from tests.concurrency.conftest import OwnServer
from tests.concurrency.on_server import assert_whole, contents, cut_all, libraries, settle, write
from tests.support.postgres import EmptyDatabases, execute

pytestmark = pytest.mark.postgres


async def fill_pools(store: Store) -> None:
    """Have every connection of both pools open."""

    async def unit(barrier: asyncio.Barrier) -> None:
        async with store.begin() as work:
            await work.conversations.last("library")
            await barrier.wait()

    barrier = asyncio.Barrier(10)
    await asyncio.gather(*(unit(barrier) for _ in range(10)))
    await asyncio.gather(*(store.conversations.last("library") for _ in range(30)))


async def test_reads_and_units_notice_nothing_of_a_restart_between_them(own_server: OwnServer) -> None:
    async with libraries(own_server.databases, messages=3) as (url, (store,)):
        await fill_pools(store)
        own_server.stop()
        own_server.start()
        pages = await asyncio.gather(*(store.conversations.last("library") for _ in range(30)))
        assert [len(page) for page in pages] == 30 * [3]
        await fill_pools(store)
        own_server.stop()
        own_server.start()
        await asyncio.gather(*(write(store, f"after {number}") for number in range(30)))
        assert len(contents(url)) == 33


async def test_a_server_that_is_away_is_told_and_life_goes_on_when_it_is_back(own_server: OwnServer) -> None:
    async with libraries(own_server.databases) as (_, (store,)):
        own_server.stop()
        with pytest.raises(DatabaseError, match="Is the server running"):
            await store.projects.summary("library")
        with pytest.raises(DatabaseError, match="Is the server running"):
            await write(store, "lost")
        assert "Is the server running" in " ".join((await store.health()).problems)
        own_server.start()
        assert (await store.projects.summary("library")).message_count == 0
        await write(store, "stored")


async def test_reads_and_units_notice_nothing_of_connections_cut_between_them(
    empty_databases: EmptyDatabases,
) -> None:
    async with libraries(empty_databases, messages=3) as (url, (store,)):
        for time in range(3):
            await fill_pools(store)
            cut_all(url)
            counts = await asyncio.gather(*(store.conversations.count("library") for _ in range(30)))
            assert counts == 30 * [3 + 30 * time]
            await asyncio.gather(*(write(store, "after") for _ in range(30)))
        assert len(contents(url)) == 3 + 90


async def test_a_connection_lost_inside_a_unit_is_told_and_nothing_is_stored(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases) as (url, (store,)):
        message = NewMessage("user", "-".join(("not", "told")))
        told = "connection to the database was lost; nothing of this unit"
        with pytest.raises(DatabaseError, match=told) as raised:  # noqa: PT012 - the unit is what raises
            async with store.begin() as unit:
                await unit.conversations.append("library", message)
                cut_all(url)
                await unit.conversations.append("library", message)
        assert "not-told" not in "".join(traceback.format_exception(raised.value))
        assert contents(url) == []
        await write(store, "afterwards")


async def test_a_connection_lost_while_a_statement_runs_is_told(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases, 2) as (url, (one, two)):
        async with one.begin() as unit:
            await unit.projects.summary("library")
            waiting = asyncio.create_task(write(two, "lost"))
            await settle(url, "wait_event_type = 'Lock'")
            execute(
                url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            with pytest.raises(DatabaseError, match="nothing of this unit of work was stored"):
                await waiting
        assert contents(url) == []
        await write(two, "afterwards")


def before_commit(store: Store, act: Callable[[], None]) -> None:
    """Have `act` done once, when a unit of work has come to its commit."""
    event.listen(store._engines.writer.sync_engine, "commit", lambda _connection: act(), once=True)


async def test_a_connection_lost_before_the_commit_is_told_to_be_unknown(empty_databases: EmptyDatabases) -> None:
    async with libraries(empty_databases) as (url, (store,)):
        before_commit(store, lambda: cut_all(url))
        with pytest.raises(DatabaseError, match=r"lost during the commit.*Read again"):
            await write(store, "perhaps")
        assert contents(url) == []
        await write(store, "afterwards")


async def test_a_commit_that_fails_in_the_server_says_why(empty_databases: EmptyDatabases) -> None:
    """Constraints that are checked at the commit; ours are not, but triggers of others may be."""
    async with libraries(empty_databases) as (url, (store,)):
        execute(
            url,
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$",
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON conversation_messages DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        try:
            with pytest.raises(DatabaseError, match="Run it again"):
                await write(store, "refused")
        finally:
            execute(url, "DROP FUNCTION refuse() CASCADE")
        assert contents(url) == []
        await assert_whole(store)


async def test_closing_works_without_a_server(own_server: OwnServer) -> None:
    with own_server.databases.lent() as url:
        store = await Store.open(url)
        await store.projects.for_user("ada")
        own_server.stop()
        try:
            await store.close()
        finally:
            own_server.start()


async def test_a_restart_under_load_loses_nothing_that_was_acknowledged(own_server: OwnServer) -> None:
    outcome: dict[str, BaseException | None] = {}

    async def go_on(store: Store, who: int) -> None:
        for number in range(400):
            text = f"{who} {number}"
            try:
                await write(store, text)
                await store.conversations.last("library")
            except SocratesError as error:
                outcome[text] = error
                await asyncio.sleep(0.05)
            else:
                outcome[text] = None
            if over.is_set() and not outcome[text]:
                return

    async with libraries(own_server.databases, 2, lock_timeout=20) as (url, stores):
        over = asyncio.Event()
        working = [asyncio.create_task(go_on(stores[who % 2], who)) for who in range(10)]
        while len(outcome) < 100:  # noqa: ASYNC110 - any hundred
            await asyncio.sleep(0.005)
        await asyncio.to_thread(own_server.stop)
        await asyncio.to_thread(own_server.start)
        over.set()
        await asyncio.gather(*working)
        stored = set(contents(url))
        failed = [error for error in outcome.values() if error]
        assert failed, "the restart was noticed"
        assert {text for text, error in outcome.items() if error is None} <= stored
        assert {type(error) for error in failed} == {DatabaseError}
        assert all("lost" in str(error) or "cannot be reached" in str(error) for error in failed), failed
        told = {text for text, error in outcome.items() if "nothing of this unit" in str(error)}
        assert not told & stored


async def test_a_password_is_never_shown(own_server: OwnServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # Put together, so that the lines of source in a traceback do not hold them.
    secret = "".join(("swor", "dfish"))  # of letters: the log is full of numbers of processes and times
    right, wrong = f"right-{secret}", f"wrong-{secret}"
    execute(own_server.url, f"CREATE ROLE careful SUPERUSER LOGIN PASSWORD '{right}'")
    own_server.ask_for_passwords_of("careful")
    with own_server.databases.lent() as url:
        known = make_url(url).set(username="careful", password=right)
        shown = []
        for password in (wrong, ""):
            with pytest.raises(ConfigurationError, match=r"careful.*See the database URL|password") as raised:
                await Store.open(known.set(password=password).render_as_string(hide_password=False))
            shown += traceback.format_exception(raised.value)
        async with Store.open(known.render_as_string(hide_password=False)) as store:
            execute(url, f"ALTER ROLE careful PASSWORD '{wrong}'")
            cut_all(url)
            with pytest.raises(ConfigurationError, match="careful") as raised:
                await store.projects.for_user("ada")
            shown += traceback.format_exception(raised.value)
            shown += (await store.health()).problems
            assert "careful" in shown[-1]
            shown += [repr(store), repr(store._engines), str(vars(store))]
        assert secret not in "".join(shown)
        assert secret not in caplog.text


async def test_a_server_that_takes_no_more_connections_says_what_to_change(own_server: OwnServer) -> None:
    execute(own_server.url, "CREATE ROLE crowded LOGIN CONNECTION LIMIT 2", "GRANT pg_read_all_data TO crowded")
    with own_server.databases.lent() as url:
        await (await Store.open(url)).close()  # which makes the schema, if nobody has
        async with Store.open(make_url(url).set(username="crowded").render_as_string()) as store:
            with pytest.raises(DatabaseError, match="pool_size"):
                await store.projects.for_user("ada")
            assert "pool_size" in (await store.health()).problems[0]
