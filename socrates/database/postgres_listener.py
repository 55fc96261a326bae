"""A connection on which PostgreSQL's notifications arrive, and which is made again when it is lost."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from socrates.errors import DatabaseError, SocratesError

Connect = Callable[[], Awaitable[asyncpg.Connection]]
"""Makes a connection that nobody else uses. Raises SocratesError."""

HEARTBEAT = 5.0
"""Seconds between two questions whether the server is still there, and those that it has to answer one.

Chosen: a connection that ends is noticed at once, and only one that falls silent, as when a cable is pulled, has to be
found out; ten seconds of that at the most, for a statement every five seconds.
"""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0
"""Seconds before the first attempt to connect again, and before each after several that failed. Up to half of it is
left out at random, so that the processes which a restart cut off do not come back all at once."""

_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What the driver raises when a connection is lost, refused or garbled; TimeoutError is an OSError."""

_log = logging.getLogger(__name__)


class Listener:
    """Listens on one channel, from `open` to `close`.

    What is sent while the connection is lost is never heard. So `is_listening` is False from that moment on, and
    `forget` is called: then, and once more after the server has begun to send again, before `is_listening` is True.
    """

    def __init__(
        self,
        connect: Connect,
        channel: str,
        hear: Callable[[str], None],
        forget: Callable[[], None],
        heartbeat: float = HEARTBEAT,
    ) -> None:
        """`hear` is called with every payload, in the event loop; `heartbeat` is in seconds."""
        self._connect = connect
        self._channel = channel
        self._hear = hear
        self._forget = forget
        self._heartbeat = heartbeat
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_listening(self) -> bool:
        """Whether everything that is sent now will be heard, as far as anybody can tell. Any thread may ask."""
        return self._connection is not None

    async def open(self) -> None:
        """Begin to listen. Raises DatabaseError or ConfigurationError; nothing is left open then."""
        connection = await self._listening_connection()
        self._task = asyncio.create_task(self._keep_listening(connection), name="socrates listener")
        self._use(connection)

    async def close(self) -> None:
        """Stop listening, or trying to. Closing twice does nothing."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        if self._connection is not None:
            # A task that has not run yet never will, and does not end it then.
            self._connection.terminate()
            self._lose(self._connection)
        if not task.done():
            await asyncio.wait([task])
        if not task.cancelled():
            task.result()  # nothing that the connection can raise: those it survives

    async def _keep_listening(self, connection: asyncpg.Connection) -> None:
        while True:
            try:
                reason = await self._silence(connection)
            finally:
                connection.terminate()
                self._lose(connection)
            _log.warning(
                "the connection that hears of other processes' changes is lost (%s): reads go past the cache until it "
                "is back",
                reason,
            )
            connection = await self._regained()
            self._use(connection)
            _log.info("other processes' changes are heard of again, and reads are cached")

    def _use(self, connection: asyncpg.Connection) -> None:
        self._forget()
        self._connection = connection

    def _lose(self, connection: asyncpg.Connection) -> None:
        if self._connection is connection:
            self._connection = None
            self._forget()

    async def _silence(self, connection: asyncpg.Connection) -> str:
        """Wait until nothing can be heard on this connection any more, and say why."""
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _connection: ended.set())
        while not connection.is_closed():
            try:
                async with asyncio.timeout(self._heartbeat):
                    await ended.wait()
            except TimeoutError:
                try:
                    async with asyncio.timeout(self._heartbeat):
                        await connection.execute("SELECT 1")
                except _FAILURES as error:
                    return _kind(error)
        return "it was ended by the server or on the way"

    async def _regained(self) -> asyncpg.Connection:
        """A new connection, as soon as there can be one."""
        pause, told = _FIRST_PAUSE, ""
        while True:
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
            pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                return await self._listening_connection()
            except (SocratesError, *_FAILURES) as error:
                reason = str(error) if isinstance(error, SocratesError) else _kind(error)
                # Once each: an outage may last a night.
                if reason != told:
                    told = reason
                    _log.warning("other processes' changes cannot be heard of: %s", told)

    async def _listening_connection(self) -> asyncpg.Connection:
        """A new connection that hears. Raises SocratesError."""
        connection = await self._connect()
        connection.add_termination_listener(self._lose)
        try:
            async with asyncio.timeout(self._heartbeat):
                await connection.add_listener(self._channel, self._receive)
        except _FAILURES as error:
            connection.terminate()
            raise DatabaseError(
                f"PostgreSQL does not let this process listen for the changes of others ({_kind(error)}). Is it a "
                "standby, or is there a pooler in between?"
            ) from error
        except BaseException:
            connection.terminate()
            raise
        return connection

    def _receive(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        self._hear(payload)


def _kind(error: BaseException) -> str:
    """What it is, without the words of the server or the network, which may repeat anything."""
    return f"{type(error).__name__} {getattr(error, 'sqlstate', None) or ''}".rstrip()
