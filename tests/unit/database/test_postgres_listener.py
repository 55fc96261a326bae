"""The connection that listens: it falls silent, it is refused, it is given up while it opens."""

import asyncio
import contextlib
from collections.abc import Callable

import asyncpg
import pytest
from sqlalchemy import make_url

from socrates.database.postgres_listener import Connect, Listener
from socrates.errors import DatabaseError
from tests.support.postgres import EmptyDatabases, connect, execute

pytestmark = pytest.mark.postgres

CHANNEL = "of_this_test"
PATIENCE = 20.0

HEARTBEAT = 1.5
"""Seconds, in which even a machine that does much else answers."""


class Wire:
    """A relay in front of the server, on which connections fall silent and stay open."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self.silent_after: bytes | None = None
        self.silent = asyncio.Event()
        self.ended = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Wire":
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_failure: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def connect(self) -> Connect:
        async def connected() -> asyncpg.Connection:
            return await asyncpg.connect(
                host="127.0.0.1",
                port=self._port,
                user=self._url.username,
                password=self._url.password,
                database=self._url.database,
                ssl=False,
            )

        return connected

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        directory = self._url.query.get("host")
        if directory:
            up = await asyncio.open_unix_connection(f"{directory}/.s.PGSQL.{self._url.port or 5432}")
        else:
            up = await asyncio.open_connection(self._url.host, self._url.port or 5432)
        down = asyncio.create_task(self._pump(up[0], writer))
        self._tasks.add(down)
        try:
            await self._pump(reader, up[1])
        finally:
            self.ended += 1
            down.cancel()
            up[1].close()
            writer.close()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                if self.silent_after is not None and self.silent_after in data:
                    self.silent.set()
                if not self.silent.is_set():
                    target.write(data)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the listener tells nobody
        await asyncio.sleep(0.01)


async def eventually(condition: Callable[[], bool]) -> None:
    await asyncio.wait_for(until(condition), PATIENCE)


def tasks() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "socrates listener"]


async def test_a_connection_that_falls_silent_is_noticed_and_made_again(empty_databases: EmptyDatabases) -> None:
    told: list[str] = []
    forgotten: list[bool] = []
    with empty_databases.lent() as url:
        async with Wire(url) as wire:
            listener = Listener(
                wire.connect(), CHANNEL, told.append, lambda: forgotten.append(listener.is_listening), HEARTBEAT
            )
            await listener.open()
            await asyncio.sleep(2.5 * HEARTBEAT)
            assert (listener.is_listening, forgotten) == (True, [False])
            wire.silent.set()
            await asyncio.wait_for(until(lambda: not listener.is_listening), 5 * 2 * HEARTBEAT)
            execute(url, f"NOTIFY {CHANNEL}, 'unheard'")
            wire.silent.clear()
            await eventually(lambda: listener.is_listening)
            # When it was lost and when it was back, both times before anybody might trust it.
            assert forgotten == [False, False, False]
            execute(url, f"NOTIFY {CHANNEL}, 'heard'")
            await eventually(lambda: told == ["heard"])
            await listener.close()
        assert tasks() == []


@pytest.mark.parametrize("moment", [b"user\x00", b"LISTEN"])
async def test_an_opening_that_is_cancelled_leaves_no_connection(
    empty_databases: EmptyDatabases, moment: bytes
) -> None:
    with empty_databases.lent() as url:
        async with Wire(url) as wire:
            wire.silent_after = moment
            listener = Listener(wire.connect(), CHANNEL, print, lambda: None)
            opening = asyncio.create_task(listener.open())
            await asyncio.wait_for(wire.silent.wait(), PATIENCE)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            await eventually(lambda: wire.ended > 0)
            assert (listener.is_listening, tasks()) == (False, [])
            await listener.close()


async def test_a_server_that_does_not_let_listen_is_told(empty_databases: EmptyDatabases) -> None:
    with empty_databases.lent() as url:
        async with Wire(url) as wire:
            wire.silent_after = b"LISTEN"
            listener = Listener(wire.connect(), CHANNEL, print, lambda: None, heartbeat=0.2)
            with pytest.raises(DatabaseError, match="does not let this process listen"):
                await listener.open()
            await eventually(lambda: wire.ended > 0)
            assert (listener.is_listening, tasks()) == (False, [])


async def test_closing_before_the_listener_has_run_ends_its_connection(empty_databases: EmptyDatabases) -> None:
    with empty_databases.lent() as url:
        listener = Listener(lambda: connect(url), CHANNEL, print, lambda: None)
        connection = await listener._listening_connection()
        listener._task = asyncio.create_task(listener._keep_listening(connection))
        listener._use(connection)
        await listener.close()
        assert connection.is_closed()
        assert not listener.is_listening
