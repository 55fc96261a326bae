"""The index of vectors: Chroma, embedded in a directory of ours or on a server. It can be rebuilt from the tables."""

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from filelock import FileLock, Timeout

from socrates.errors import BusyError, ClosedError, SocratesError
from socrates.knowledge.chroma import Where, client_in, client_of, library_of_chroma, not_there, slug, telling, where_is
from socrates.knowledge.embedder import Vector, Vectors
from socrates.knowledge.together import Together

_T = TypeVar("_T")

_Collections = Mapping[str, Any]
"""Chroma's, by scope."""

_COLLECTION = "socratic_knowledge"
"""v1's name (v1-format, chapter 6); the model's follows, because vectors of two models cannot be compared."""

_THREADS = 4
"""Chroma's client is safe between threads and waits for its own locks; more do not search faster."""

_FILES = "socrates-index"
"""Chroma's directory inside that of the index, where people may have other things."""

_CONFIGURATION = {"hnsw": {"space": "l2", "ef_search": 400}}
"""Chroma considers 100 by default, and finds 98.3 % of the nearest five of a project among 3,000 vectors without any
pattern; with 400 it finds all, in the same 4 ms."""

_GLOBAL, _PROJECT = "global", "project"
"""The scopes, with a collection each. In one for all, a text that many projects have is a crowd of equal vectors, and
Chroma's graph of neighbours loses the way to others: with 3 texts in 1,000 projects, a search found 26 % of what it
should in what everybody knows."""


@dataclass(frozen=True, slots=True)
class Point:
    """What the index holds of an entry besides its vector: its key and what searches filter by."""

    key: str
    project_id: str | None
    category: str
    source: str | None


@dataclass(frozen=True, slots=True)
class _Query:
    """What is asked for besides the vector."""

    count: int
    project_id: str | None
    category: str | None
    source: str | None

    def run(self, vectors: Vectors) -> Callable[[_Collections], list[list[str]]]:
        """What finds the keys nearest to each of these vectors."""

        def nearest(collections: _Collections) -> list[list[str]]:
            found = collections[_scope(self.project_id)].query(
                query_embeddings=vectors,
                n_results=self.count,
                where=_filter(self.project_id, self.category, self.source),
                include=[],
            )
            return [list(keys) for keys in found["ids"]]

        return nearest


class ChromaIndex:
    """The vectors of one model. Safe to share between tasks; everything happens in threads of its own."""

    def __init__(self, client: Any, name: str, where: Where, resources: ExitStack) -> None:
        """Use `open_index`."""
        self._client = client
        self._name = name
        self._where = where
        self._collections = self._begin()
        self._batch: int = client.get_max_batch_size()
        self._readers = ThreadPoolExecutor(_THREADS, thread_name_prefix="socrates-index")
        # One: a write whose caller was cancelled goes on, and what was written after it must still win.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="socrates-index-writer")
        # Each reader has one while it reads, and who may not be seen at work has all of them.
        self._places = threading.Semaphore(_THREADS)
        self._together = Together(self._nearest)
        self._is_closed = False
        self._resources = resources.pop_all()

    async def put(self, points: Sequence[Point], vectors: Vectors) -> None:
        """Add these, or change what is there under the same keys."""

        def put(collections: _Collections) -> None:
            for scope, collection in collections.items():
                places = [place for place, point in enumerate(points) if _scope(point.project_id) == scope]
                for part in self._batches(len(places)):
                    here = [points[place] for place in places[part]]
                    with self._alone_if_first(scope):
                        collection.upsert(
                            ids=[point.key for point in here],
                            embeddings=vectors[places[part]],
                            metadatas=[_labels(point) for point in here],
                        )

        await self._run(self._writer, put)

    async def remove(self, keys: Sequence[str]) -> None:
        """Take these out; those that are not there are out already."""

        def remove(collections: _Collections) -> None:
            for part in self._batches(len(keys)):
                for collection in collections.values():
                    collection.delete(ids=list(keys[part]))

        await self._run(self._writer, remove)

    async def nearest(
        self,
        vector: Vector,
        count: int,
        project_id: str | None,
        category: str | None = None,
        source: str | None = None,
    ) -> list[str]:
        """The keys of the nearest `count` entries of a project, or fewer where it has fewer, nearest first.

        Without a project, of those that everybody knows.
        """
        return await self._together.find(_Query(count, project_id, category, source), vector)

    async def held(self, keys: Sequence[str]) -> dict[str, tuple[Point, Vector]]:
        """What it holds under these keys."""

        def held(collections: _Collections) -> dict[str, tuple[Point, Vector]]:
            found: dict[str, tuple[Point, Vector]] = {}
            for scope, collection in collections.items():
                for part in self._batches(len(keys)):
                    got = collection.get(ids=list(keys[part]), include=["metadatas", "embeddings"])
                    for key, labels, vector in zip(got["ids"], got["metadatas"], got["embeddings"], strict=True):
                        found[key] = (_point(key, scope, labels), np.asarray(vector, dtype=np.float32))
            return found

        return await self._run(self._readers, held)

    async def keys(self) -> set[str]:
        """The keys of everything that is in it."""

        def keys(collections: _Collections) -> set[str]:
            return {key for collection in collections.values() for key in collection.get(include=[])["ids"]}

        return await self._run(self._readers, keys)

    async def count(self) -> int:
        """How many there are."""

        def count(collections: _Collections) -> int:
            return sum(int(collection.count()) for collection in collections.values())

        return await self._run(self._readers, count)

    async def clear(self) -> None:
        """Take everything out, and begin new collections, whatever became of the old ones."""
        await self._run(self._writer, self._clear)

    async def close(self) -> None:
        """Finish what is under way, and let go of the directory or of the server. What is asked later is refused."""
        self._is_closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._resources:
            self._writer.shutdown()
            self._readers.shutdown()

    async def _nearest(self, query: _Query, vectors: Sequence[Vector]) -> Sequence[list[str]]:
        return await self._run(self._readers, query.run(np.stack(vectors)))

    @contextmanager
    def _alone_if_first(self, scope: str) -> Iterator[None]:
        """Put in the first entries of a collection while nobody in this process reads.

        Chroma shows them before their vectors, and has errors of its own for who asks then; not with later ones. The
        first since it was opened are taken for such: nobody has looked whether there are others.
        """
        if scope not in self._begun:
            yield
            return
        with self._without_readers():
            yield
            self._begun.discard(scope)

    @contextmanager
    def _without_readers(self) -> Iterator[None]:
        with ExitStack() as places:
            for _ in range(_THREADS):
                places.enter_context(self._places)
            yield

    def _begin(self) -> _Collections:
        self._begun = {_GLOBAL, _PROJECT}
        return {
            scope: self._client.get_or_create_collection(
                f"{self._name}_{scope}", embedding_function=None, configuration=_CONFIGURATION
            )
            for scope in (_GLOBAL, _PROJECT)
        }

    def _clear(self, collections: _Collections) -> None:
        # Chroma deletes in steps, and fails who asks between two of them in ways that no search should tell.
        with self._without_readers():
            for scope in collections:
                with suppress(not_there()):
                    self._client.delete_collection(f"{self._name}_{scope}")
            self._collections = self._begin()

    def _batches(self, number: int) -> Iterator[slice]:
        return (slice(start, start + self._batch) for start in range(0, number, self._batch))

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[_Collections], _T]) -> _T:
        if self._is_closed:
            raise ClosedError("the knowledge base is closed")
        in_thread: Callable[[Callable[[_Collections], _T]], _T] = (
            self._work if threads is self._writer else self._work_beside_others
        )
        return await asyncio.get_running_loop().run_in_executor(threads, in_thread, work)

    def _work_beside_others(self, work: Callable[[_Collections], _T]) -> _T:
        with self._places:
            return self._work(work)

    def _work(self, work: Callable[[_Collections], _T]) -> _T:
        with telling(self._where):
            try:
                return work(self._collections)
            except not_there():
                # Another process made the index on the server anew, and puts into it what it should hold.
                self._collections = self._begin()
                return work(self._collections)


async def open_index(place: Path | str, model: str, database: str = "") -> ChromaIndex:
    """Open the index in a directory, or on a server by its URL, where `database` tells it from those of others.

    Raises ConfigurationError without the library or for a URL that is none, BusyError where somebody else has the
    directory open, and KnowledgeIndexError where the directory cannot be used, what is in it is damaged, or a
    server does not answer.
    """
    opening = asyncio.ensure_future(asyncio.to_thread(_open, place, model, database))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The thread goes on, and nobody else would let go of what it opens.
        with suppress(SocratesError):
            await (await opening).close()
        raise


async def erase_index(place: Path) -> None:
    """Delete what is in an index's directory, however damaged, and nothing else that lies there.

    Chroma is not asked: damaged files can end the whole process. Raises BusyError where somebody has it open, and
    KnowledgeIndexError where it cannot be deleted.
    """
    await asyncio.to_thread(_erase, place)


def _open(place: Path | str, model: str, database: str) -> ChromaIndex:
    library = library_of_chroma()
    name = "_".join(filter(None, [_COLLECTION, slug(model), database]))
    where = where_is(place)
    with telling(where), ExitStack() as resources:
        if isinstance(place, Path):
            resources.enter_context(_only_here(place))
            client = client_in(library, place / _FILES)
            resources.callback(client.close)
        else:
            client = client_of(library, place, resources)
        return ChromaIndex(client, name, where, resources)


def _erase(place: Path) -> None:
    with telling(where_is(place)):
        if place.exists():
            with _only_here(place), suppress(FileNotFoundError):
                shutil.rmtree(place / _FILES)


@contextmanager
def _only_here(directory: Path) -> Iterator[None]:
    """Have a directory, which is made if it is not there, for this one alone."""
    directory.mkdir(parents=True, exist_ok=True)
    # It is released by another thread than the one that takes it.
    lock = FileLock(directory / "socrates.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BusyError(
            f"somebody else has the index of knowledge in {directory} open; it is for one process, and there for one "
            "KnowledgeBase, at a time. For several run a Chroma server, and name its URL in SOCRATES_CHROMA_URL"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _scope(project_id: str | None) -> str:
    return _GLOBAL if project_id is None else _PROJECT


def _filter(project_id: str | None, category: str | None, source: str | None) -> Mapping[str, Any] | None:
    """The condition of a search. Every key is on every record, because Chroma lets records without it pass."""
    given = {"project_id": project_id, "category": category, "source": source}
    conditions: list[dict[str, Any]] = [{name: value} for name, value in given.items() if value is not None]
    if len(conditions) > 1:
        return {"$and": conditions}
    return conditions[0] if conditions else None


def _labels(point: Point) -> dict[str, str]:
    return {
        "scope": _scope(point.project_id),
        "project_id": point.project_id or "",
        "category": point.category,
        "source": point.source or "",
    }


def _point(key: str, scope: str, labels: Mapping[str, Any]) -> Point:
    return Point(
        key,
        None if scope == _GLOBAL else str(labels.get("project_id")),
        str(labels.get("category")),
        labels.get("source") or None,
    )
