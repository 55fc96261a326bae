"""Tells other processes what a transaction on PostgreSQL touched, and hears of theirs: NOTIFY and LISTEN.

The notification is a statement of the transaction, so it is sent if and when that commits. Until it arrives, another
process may still serve what it had; within this one, nothing is served that was wrong before.
"""

import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from socrates.caching import EVERYTHING
from socrates.config import CacheConfig
from socrates.database.coherence import Coherence
from socrates.database.dependencies import Dependencies, Tag
from socrates.database.failures import explained
from socrates.database.postgres_listener import Connect, Listener

CHANNEL = "socrates_cache"

MOST_TAGS = 100
"""Of a transaction that touched more, others are told that it touched everything. PostgreSQL would take 469 such tags:
a payload has less than 8,000 bytes."""

_TAG_BYTES = 8
_HEX = f"[0-9a-f]{{{2 * _TAG_BYTES}}}"
_PAYLOAD = re.compile(rf"(?P<sender>{_HEX})(?P<tags> {EVERYTHING}|(?: {_HEX}){{1,{MOST_TAGS}}})", re.ASCII)

# A transaction that notifies holds a lock of the whole server from here to the end of its commit, so such commits queue
# up behind one another. What would not: a notification from another connection after the commit, which is never sent
# when the process dies in between, and then others serve what is wrong until it expires. Triggers would take the same
# lock, once per statement, and know less of what was meant.
_NOTIFY = select(func.pg_notify(CHANNEL, bindparam("payload")))


class PostgresCoherence(Coherence):
    """Listens on a connection of its own. Nothing is current while that is lost.

    A pooler between this process and PostgreSQL has to give that connection a session of its own: behind pgbouncer in
    transaction mode nothing is heard, so caching has to be switched off there. Programs other than this package notify
    nobody; after changing rows by hand, ``NOTIFY socrates_cache`` has all processes drop everything.
    """

    def __init__(self, writer: AsyncEngine, connect: Connect, config: CacheConfig, dependencies: Dependencies) -> None:
        """`connect` makes the connection to listen on."""
        super().__init__(writer, config, dependencies)
        self._sender = _new_sender()
        self._listener = Listener(connect, CHANNEL, self._hear, self._caches.clear)

    async def listen(self) -> None:
        """Begin to listen. Raises DatabaseError or ConfigurationError, as for any connection."""
        await self._listener.open()

    def is_current(self) -> bool:
        """See `Coherence`. False while nobody would tell us."""
        return self._listener.is_listening

    async def close(self) -> None:
        """See `Coherence`. Closing twice does nothing."""
        await self._listener.close()

    @contextmanager
    def _around_commit(self, connection: Connection, touched: set[Tag]) -> Iterator[None]:
        if touched:
            _notify(connection, self._payload(touched))
        with self._caches.changing(touched):
            try:
                yield
            except BaseException:
                # The server may still be committing, and be done after all is dropped here and read anew. Its
                # notification is then the first to know: it has to be heard as if it were somebody else's.
                self._sender = _new_sender()
                raise

    @staticmethod
    def _tag_as(tag: Tag) -> str:
        """A tag in 64 bits, the same in every process. Two that share them are dropped together."""
        return hashlib.blake2b(_spelled(tag).encode("utf-8", "surrogatepass"), digest_size=_TAG_BYTES).hexdigest()

    def _payload(self, touched: set[Tag]) -> str:
        if EVERYTHING in touched or len(touched) > MOST_TAGS:
            return f"{self._sender} {EVERYTHING}"
        return " ".join([self._sender, *map(self._tag_as, touched)])

    def _hear(self, payload: str) -> None:
        understood = _PAYLOAD.fullmatch(payload)
        if understood is None:
            # Another version's, or sent by hand: something has changed.
            self._caches.clear()
        elif understood["sender"] != self._sender:
            self._caches.invalidate_formed(understood["tags"].split())


def _new_sender() -> str:
    return secrets.token_hex(_TAG_BYTES)


def _spelled(tag: Tag) -> str:
    if isinstance(tag, str):
        return tag
    column, value = tag
    # A text of a subclass, such as an enum's, is the same value to the database, and has another repr.
    return f"{column} = {str.__str__(value) if isinstance(value, str) else repr(value)}"


def _notify(connection: Connection, payload: str) -> None:
    try:
        connection.execute(_NOTIFY, {"payload": payload})
        return
    except SQLAlchemyError as error:
        # Said here, because a connection that is lost now takes the transaction with it; one that is lost during the
        # commit may have stored it.
        failure = explained(error)
    raise failure
