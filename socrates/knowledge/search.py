"""Searching what is known by meaning."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from socrates.caching import Cache, cached
from socrates.database.dependencies import Tag
from socrates.errors import DatabaseError, InvalidValueError
from socrates.knowledge.embedder import Vector, Vectors
from socrates.knowledge.embeddings import Embeddings, as_vector
from socrates.knowledge.index import ChromaIndex
from socrates.knowledge.together import Together
from socrates.repositories.base import positive
from socrates.repositories.cached_rows import KNOWN_BY_SCOPE, KNOWN_IN_PROJECT
from socrates.repositories.knowledge_entries import entry_key
from socrates.store import Store
from socrates.views import Entry, ProjectVectors, SearchHit

TOP_K = 5
"""How many hits a search gives by default, as in v1 (agents.md B.2)."""

_COUNTED = 100
"""Of more hits than this it is asked first how many entries there are: the index makes room for all that are wanted."""

SMALL = 3_000
"""Entries of a project up to which all of them are compared: 4.6 MB of vectors, read in some 15 ms, kept like any other
read, and compared in less than one. It is exact, where an index is not, no matter what others have; and Chroma takes
6 ms to tell a project's entries from others'."""

_DIGITS = 6
"""Of a score: what float32 vectors tell. Beyond, the products of equal vectors differ by their rows in a matrix."""

_ROUNDING = 1e-5
"""By how much a product in float32 may be off, and more."""


class Search:
    """Searches in one database and one index.

    The index proposes, of what everybody knows and of large projects; all entries of a small project are candidates.
    Our tables decide: candidates are read from them by key, with the condition that the project may see them, and
    scored by the vectors that they have. So an index that is behind, or was tampered with, can leave hits out but never
    show what is gone or somebody else's.
    """

    def __init__(self, store: Store, embeddings: Embeddings, index: ChromaIndex) -> None:
        self.cache: Cache = store.search_cache
        self._store = store
        self._embeddings = embeddings
        self._index = index
        self._cutoff = store.settings.search_cutoff
        self._visible = Together(self._visible_each)

    async def hits(
        self,
        query: str,
        project_id: str | None,
        top_k: int,
        category: str | None,
        source: str | None,
        cutoff: float | None,
    ) -> tuple[SearchHit, ...]:
        """See `KnowledgeBase.search`."""
        _require_text("query", query)
        for name, value in (("project_id", project_id), ("category", category), ("source", source)):
            if value is not None:
                _require_text(name, value)
        positive("top_k", top_k)
        lowest = self._cutoff if cutoff is None else cutoff
        if not isinstance(lowest, int | float) or not -1 <= lowest <= 1:
            raise InvalidValueError(f"a cut-off is a number from -1 to 1, not {cutoff!r}")
        if not query.strip():
            return ()
        return await self._found(query, project_id, top_k, category, source, float(lowest))

    @cached("knowledge.search", tags=lambda _hits, _query, project_id, *_rest: _tags(project_id))
    async def _found(
        self, query: str, project_id: str | None, top_k: int, category: str | None, source: str | None, cutoff: float
    ) -> tuple[SearchHit, ...]:
        vector = await self._embeddings.of_query(query)
        wanted = top_k
        if top_k > _COUNTED:
            wanted = min(top_k, max(await self._index.count(), 1))
        own = await self._own(project_id, category, source)
        indexed = {None} if own is not None else {None, project_id}
        asked = wanted + 1
        while True:
            named = {owner: await self._index.nearest(vector, asked, owner, category, source) for owner in indexed}
            keys = [*chain.from_iterable(named.values()), *(_best(vector, own, asked) if own else [])]
            found = await self._visible.find(project_id, keys)
            ranked = _ranked(vector, [(entry, stored) for entry, stored in found if _fits(entry, category, source)])
            if all(len(named[owner]) < asked or _has_no_better(owner, ranked, wanted) for owner in indexed):
                return tuple(hit for hit in ranked[:wanted] if hit.score >= cutoff)
            asked *= 2

    async def _own(self, project_id: str | None, category: str | None, source: str | None) -> ProjectVectors | None:
        """All entries of a project that is small; None where the index is asked."""
        if project_id is None:
            return None
        return await self._store.index_work.vectors(project_id, self._embeddings.model, SMALL, category, source)

    async def _visible_each(
        self, project_id: str | None, wanted: Sequence[Sequence[str]]
    ) -> Sequence[Sequence[tuple[Entry, bytes]]]:
        keys = list(dict.fromkeys(chain.from_iterable(wanted)))
        found = await self._store.knowledge_entries.visible(keys, project_id)
        if len(wanted) == 1:
            return [found]
        by_key = {entry_key(entry.project_id, entry.id): (entry, vector) for entry, vector in found}
        return [[by_key[key] for key in dict.fromkeys(each) if key in by_key] for each in wanted]


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InvalidValueError(f"{name} takes a text, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidValueError(f"{name} holds half a surrogate pair, which is no character") from None


def _fits(entry: Entry, category: str | None, source: str | None) -> bool:
    return category in (None, entry.category) and source in (None, entry.source)


def _best(query: Vector, own: ProjectVectors, count: int) -> list[str]:
    """The keys of the first `count` entries, and of those that score as the last of them does."""
    scores = _matrix(own.vectors, len(own.keys), query) @ query
    if len(scores) > count:
        lowest = np.partition(scores, -count)[-count]
        return [own.keys[place] for place in np.flatnonzero(scores >= lowest - _ROUNDING)]
    return list(own.keys)


def _ranked(query: Vector, found: Sequence[tuple[Entry, bytes]]) -> list[SearchHit]:
    """By score, the best first; of several with the same, in the order of their ids."""
    scores = _scores(query, b"".join(stored for _, stored in found), len(found))
    hits = [SearchHit(entry, score) for (entry, _), score in zip(found, scores, strict=True)]
    return sorted(hits, key=_place)


def _scores(query: Vector, vectors: bytes, count: int) -> Sequence[float]:
    """1 - d/2 of the squared distance d of vectors of length 1 (D76): that is their product."""
    products = _matrix(vectors, count, query).astype(np.float64) @ query.astype(np.float64)
    found: list[float] = np.round(np.clip(products, -1, 1), _DIGITS).tolist()
    return found


def _matrix(vectors: bytes, count: int, query: Vector) -> Vectors:
    """The vectors, a row each. Raises DatabaseError where they are not as long as the query's."""
    if len(vectors) != count * query.nbytes:
        raise DatabaseError(
            f"the model makes vectors of {len(query)} dimensions, and the database has others: they are damaged, and "
            "socrates knowledge rebuild makes them anew, or another model has this one's name: give it its own"
        )
    return as_vector(vectors).reshape(count, len(query))


def _place(hit: SearchHit) -> tuple[Any, ...]:
    project_id = hit.entry.project_id
    return -hit.score, hit.entry.id, project_id is not None, project_id or ""


def _has_no_better(owner: str | None, ranked: Sequence[SearchHit], wanted: int) -> bool:
    """Whether no entry of an owner that the index was not asked for yet belongs among the first `wanted`.

    Entries that are gone may have taken the places of others, and of several with the score of the last place the index
    names any.
    """
    of_owner = [hit for hit in ranked if hit.entry.project_id == owner]
    return len(ranked) >= wanted and bool(of_owner) and of_owner[-1].score < ranked[wanted - 1].score


def _tags(project_id: str | None) -> Iterator[Tag]:
    """What everybody knows, and what the project does."""
    yield from KNOWN_BY_SCOPE("global")
    if project_id is not None:
        yield from KNOWN_IN_PROJECT(project_id)
