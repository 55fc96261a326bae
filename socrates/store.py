"""The one door to the data: `Store.open`, reads on its faces, writes in units of work.

    async with Store.open("projects.db") as store:
        projects = await store.projects.for_user("ada")
        async with store.begin() as unit:
            await unit.conversations.append(projects[0].id, NewMessage("user", "It must lend books."))

Faces such as `store.projects` read, each call on a connection of its own, and see what is committed. A unit of work is
one transaction: it commits at the end of its block, and rolls back on any exception or cancellation. Its repositories
read too, and see what it wrote.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from socrates.config import Settings
from socrates.database.coherence import Coherence
from socrates.database.engines import Engines
from socrates.database.flight import Flight
from socrates.database.health import Health, measure_health
from socrates.database.opening import open_database
from socrates.database.sessions import ReadSession, WriteSession, write_session
from socrates.database.turns import Turns
from socrates.database.urls import database_url
from socrates.errors import SerializationError, SocratesError
from socrates.repositories.cached_rows import DEPENDENCIES
from socrates.repositories.conflicts import ConflictReads, ConflictRepository
from socrates.repositories.conversations import ConversationReads, ConversationRepository
from socrates.repositories.embeddings import EmbeddingReads, EmbeddingRepository
from socrates.repositories.index_work import IndexWorkReads, IndexWorkRepository
from socrates.repositories.knowledge import KnowledgeReads, KnowledgeRepository
from socrates.repositories.knowledge_entries import KnowledgeEntryReads, KnowledgeEntryRepository
from socrates.repositories.learning import LearningReads, LearningRepository
from socrates.repositories.llm import LLMReads, LLMRepository
from socrates.repositories.login_failures import LoginFailureRepository
from socrates.repositories.notes import NoteReads, NoteRepository
from socrates.repositories.projects import ProjectReads, ProjectRepository
from socrates.repositories.users import UserReads, UserRepository

_T = TypeVar("_T")

_log = logging.getLogger(__name__)

_PAUSE = 0.01
"""Seconds, at most half of them on average, before the second attempt of `transact`; doubled for each further one."""


class UnitOfWork:
    """One transaction, by aggregate. Repositories of one unit are used by one task at a time."""

    def __init__(self, session: WriteSession) -> None:
        self.projects = ProjectRepository(session)
        self.conversations = ConversationRepository(session)
        self.conflicts = ConflictRepository(session)
        self.users = UserRepository(session)
        self.notes = NoteRepository(session)
        self.learning = LearningRepository(session)
        self.knowledge = KnowledgeRepository(session)
        self.knowledge_entries = KnowledgeEntryRepository(session)
        self.index_work = IndexWorkRepository(session)
        self.embeddings = EmbeddingRepository(session)
        self.llm = LLMRepository(session)
        self.login_failures = LoginFailureRepository(session)


class Store:
    """A database that is open. Safe to share between the tasks of one event loop.

    What the faces read is kept in `cache` until a commit changes it, by whomever: a cached read gives what the database
    would (on PostgreSQL another process's commit is heard of a moment later). Reads inside a unit of work neither use
    the cache nor add to it.

        store.cache.enabled = False  # from now on every read asks the database, until it is set to True again
        store.cache.clear()  # forget everything
        store.cache.total().hit_rate  # `stats()` tells the same for each method

        with socrates.bypassed():  # the reads of this task go past the cache
            project = await store.projects.summary(project_id)

    The setting `enable_caching` says whether it is on at the start, and the others of `CacheConfig` how much it keeps.
    Closing logs its totals, if it was asked at all.
    """

    def __init__(self, engines: Engines, settings: Settings, coherence: Coherence) -> None:
        """Use `Store.open`, which makes the file ready first."""
        self._engines = engines
        self.settings = settings
        """What it was opened with."""
        self.file = engines.file
        """The file of the database; None for one on a server."""
        self.identity = engines.identity
        """A digest that tells the database from others; it holds no secret."""
        self._coherence = coherence
        self._flight = Flight()
        self._is_closing = False
        self._writing: set[asyncio.Task[Any] | None] = set()
        self._write_turns = Turns(engines.units_at_once, settings.lock_timeout)
        self.cache = coherence.reads
        """The results of reads."""
        self.search_cache = coherence.searches
        """The results of searches in what is known; switched on and off like `cache`."""
        turns = Turns(settings.pool_size, settings.lock_timeout)
        session = ReadSession(engines.reader, self._flight, turns, self.cache)
        self.projects = ProjectReads(session)
        self.conversations = ConversationReads(session)
        self.conflicts = ConflictReads(session)
        self.users = UserReads(session)
        self.notes = NoteReads(session)
        self.learning = LearningReads(session)
        self.knowledge = KnowledgeReads(session)
        self.knowledge_entries = KnowledgeEntryReads(session)
        self.index_work = IndexWorkReads(session)
        self.embeddings = EmbeddingReads(session)
        self.llm = LLMReads(session)

    @classmethod
    def open(cls, database: str | Path | None = None, settings: Settings | None = None) -> "_Opening":
        """Open a database, to be awaited or entered: ``async with Store.open(path) as store``.

        `database` is a path or URL, by default what the settings say. A missing or empty file gets its schema. Raises
        ConfigurationError for what cannot be used, SchemaError or NotRecognisedError, which name the command that mends
        it, for any schema that is not at head, and DatabaseError when the file cannot serve.
        """
        return _Opening(database, settings or Settings())

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        """One transaction. On SQLite, units of work of one process queue here and run one after another.

        Other processes wait for the lock in the same way. On PostgreSQL, units run side by side and wait for one
        another only where they read or write the same record: what a unit has read by its key, nobody else changes
        before it ends. Where two wait for each other, one gets a SerializationError; `transact` runs it again.

        What is awaited inside holds others up: await a model or a network before it or after it. Let exceptions leave
        the block: after a call failed for what the database or a value allows, the unit can only roll back. Raises
        BusyError when it takes longer than the setting `lock_timeout` to begin.
        """
        task = asyncio.current_task()
        if task in self._writing:
            raise SocratesError("this task has a unit of work open, and would wait for its end for ever; use that one")
        with self._flight.aboard():
            self._writing.add(task)
            try:
                async with self._write_turns, self._write_session() as session:
                    yield UnitOfWork(session)
            finally:
                self._writing.discard(task)

    def _write_session(self) -> AbstractAsyncContextManager[WriteSession]:
        return write_session(self._engines.write_session(self._coherence))

    async def transact(self, work: Callable[[UnitOfWork], Awaitable[_T]]) -> _T:
        """Run `work` in a unit of work and return what it returns; run it again where another unit got in the way.

        `work` may therefore run several times, as the setting `transaction_attempts` says: what it does outside the
        database should bear that. Raises SerializationError after the last attempt, and whatever `work` raises.
        """
        for attempt in range(1, self.settings.transaction_attempts):
            try:
                return await self._in_a_unit(work)
            except SerializationError:
                # Of two that met, one goes on at once; chance keeps them from meeting again in step.
                await asyncio.sleep(random.uniform(0, _PAUSE * 2**attempt))  # noqa: S311 - no secret
        return await self._in_a_unit(work)

    async def _in_a_unit(self, work: Callable[[UnitOfWork], Awaitable[_T]]) -> _T:
        async with self.begin() as unit:
            return await work(unit)

    async def health(self, deep: bool = False) -> Health:
        """How the database is; `deep` also has SQLite check every page, which takes long on a large file."""
        with self._flight.aboard():
            return await measure_health(self._engines, deep)

    async def close(self) -> None:
        """Let nobody in any more, wait for what is under way up to the setting `close_timeout`, close the connections.

        What is not done by then is cancelled: it is rolled back, unless it is committing, and raises ClosedError.
        Closing twice does nothing.
        """
        # First, or a closed store would go on to answer what it has kept.
        self._close_cache()
        await self._flight.land(self.settings.close_timeout)
        await self._coherence.close()
        await self._engines.dispose()

    def _close_cache(self) -> None:
        total = self.cache.total()
        self.cache.enabled = self.search_cache.enabled = False
        if self._is_closing:
            return
        self._is_closing = True
        if total.hits or total.misses:
            _log.info(
                "the cache of reads: hits %d, misses %d, hit rate %.0f %%, bytes %d",
                total.hits,
                total.misses,
                total.hit_rate * 100,
                total.bytes,
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _Opening:
    """What `Store.open` returns: opens when awaited, and when entered, where leaving closes."""

    def __init__(self, database: str | Path | None, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._store: Store | None = None

    def __await__(self) -> Generator[Any, None, Store]:
        return self._open().__await__()

    async def __aenter__(self) -> Store:
        self._store = await self._open()
        return self._store

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._store is not None:
            await self._store.close()

    async def _open(self) -> Store:
        url = database_url(self._settings, None if self._database is None else str(self._database))
        engines = await open_database(url, self._settings)
        try:
            coherence = await engines.open_cache(self._settings.cache_config, DEPENDENCIES)
        except BaseException:
            await engines.dispose()
            raise
        return Store(engines, self._settings, coherence)
