"""The one door to what is known: `KnowledgeBase.open`, then add, search, export, delete."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from socrates.drafts import NewEntry
from socrates.errors import InvalidValueError
from socrates.knowledge.defaults import SOURCE, default_entries
from socrates.knowledge.documents import Documents
from socrates.knowledge.embedder import Embedder, SentenceTransformersEmbedder
from socrates.knowledge.embeddings import Embeddings, Progress, is_of_length_1, no_progress
from socrates.knowledge.exchange import exported, imported
from socrates.knowledge.index import ChromaIndex, open_index
from socrates.knowledge.search import TOP_K, Search
from socrates.knowledge.upkeep import Upkeep
from socrates.models.knowledge import IMPORTED
from socrates.repositories.knowledge_entries import Embedded, Put, entry_key, id_of
from socrates.store import Store
from socrates.views import Entry, SearchHit

_AT_ONCE = 250
"""Entries that are stored in one unit of work, which takes some 10 ms in which others wait."""


class KnowledgeBase:
    """What is known in one database: by everybody, and in each project. Safe to share between tasks of one event loop.

    What was added is in the database, and found by searches, when the call returns; a process that dies in between
    leaves word of what the index lacks, and the next one catches up. Where the index fails, the call raises
    DatabaseError, and the entry is in the database nevertheless.
    """

    def __init__(self, store: Store, embeddings: Embeddings, index: ChromaIndex) -> None:
        """Use `KnowledgeBase.open`, which checks the index first."""
        self.store = store
        """The database, which has all of it."""
        self.embeddings = embeddings
        """Vectors of texts, by the model."""
        self._index = index
        self._upkeep = Upkeep(store, embeddings, index)
        self._search = Search(store, embeddings, index)
        self._documents = Documents(store, embeddings, self._upkeep)

    @classmethod
    def open(cls, store: Store, embedder: Embedder | None = None, *, check: bool = True) -> "_Opening":
        """Open what is known in a database, to be awaited or entered, as `Store.open` is.

        The index lies where the settings `index_dir` or `chroma_url` say, by default beside the database, and is
        compared with it first; without `check` not even entries of another model are refused. `embedder` is by default
        the model of the setting `embedding_model`, loaded when it is first needed.

        Raises ConfigurationError without the extra `knowledge` and for entries of another model, BusyError where
        another process has the index's directory open, and DatabaseError where the index cannot be opened.
        """
        return _Opening(store, embedder or SentenceTransformersEmbedder(store.settings.embedding_model), check)

    @property
    def model(self) -> str:
        """The name of the model that makes the vectors."""
        return self.embeddings.model

    @property
    def documents(self) -> Documents:
        """Documents as parts of what is known: imported from files, or uploaded."""
        return self._documents

    async def add(self, entry: NewEntry, project_id: str | None = None) -> Entry:
        """Add an entry to a project's knowledge, or to what everybody knows; one whose id is known is changed.

        Raises ProjectNotFoundError, and InvalidValueError for a blank content.
        """
        await self.add_many([entry], project_id)
        return await self.store.knowledge_entries.entry(id_of(entry), project_id)

    async def add_many(
        self, entries: Iterable[NewEntry], project_id: str | None = None, progress: Progress = no_progress
    ) -> Put:
        """The same for many at once, which takes far less time than one by one; what is there just so is left alone."""
        # Of several with one id the last one counts.
        wanted = {id_of(entry): entry for entry in map(_sound, entries)}
        added = changed = 0
        new = await self.store.knowledge_entries.changed(list(wanted.values()), project_id, self.embeddings.model)
        for start in range(0, len(new), _AT_ONCE):
            part = new[start : start + _AT_ONCE]
            put = await self._put(part, project_id, partial(_further, progress, start, len(new)))
            added, changed = added + put.added, changed + put.changed
        await self._upkeep.catch_up()
        return Put(added, changed, len(wanted) - added - changed)

    async def put_embedded(self, entries: Sequence[Embedded], project_id: str | None = None) -> Put:
        """Add entries whose vectors are there already, made by the model of this knowledge base.

        Raises InvalidValueError for those of another model and for what no model makes, and ProjectNotFoundError.
        """
        others = sorted({each.model for each in entries} - {self.model})
        if others:
            raise InvalidValueError(f"these vectors are of {', '.join(others)}, and here {self.model} is in use")
        if entries:
            size = await self.embeddings.size()
            for each in entries:
                _require_vector(each, size)
        added = changed = unchanged = 0
        for start in range(0, len(entries), _AT_ONCE):
            async with self.store.begin() as unit:
                put = await unit.knowledge_entries.put(entries[start : start + _AT_ONCE], project_id)
            added, changed, unchanged = added + put.added, changed + put.changed, unchanged + put.unchanged
        await self._upkeep.catch_up()
        return Put(added, changed, unchanged)

    async def add_text(
        self, content: str, project_id: str | None = None, *, details: Mapping[Any, Any] | None = None
    ) -> Entry:
        """Add a text, under an id that is made of it; its category is that of imported documents."""
        return await self.add(NewEntry(content, IMPORTED, details=details or {}), project_id)

    async def load_defaults(self) -> Put:
        """Add the entries that this package brings along, or change those that it brought before, in one batch.

        What somebody has edited stays: whatever has one of their ids, and another source than theirs.
        """
        entries = default_entries()
        there = await self.store.knowledge_entries.visible([entry_key(None, id_of(entry)) for entry in entries])
        edited = {entry.id for entry, _ in there if entry.source != SOURCE}
        put = await self.add_many(entry for entry in entries if entry.id not in edited)
        return replace(put, unchanged=put.unchanged + len(edited))

    async def search(
        self,
        query: str,
        *,
        project_id: str | None = None,
        top_k: int = TOP_K,
        category: str | None = None,
        source: str | None = None,
        cutoff: float | None = None,
    ) -> tuple[SearchHit, ...]:
        """The `top_k` entries that are nearest in meaning to `query`, the best first; none for a blank query.

        A project finds its own and what everybody knows, and never another's; without a project only what everybody
        knows is found. `category` and `source` take those entries only. Hits that score less than `cutoff`, by default
        the setting `search_cutoff`, are left out. A project's own entries are all compared, up to 3,000; of more, and
        of those that everybody knows, the index is asked, and can miss one.

        Raises InvalidValueError for arguments that make no sense.
        """
        return await self._search.hits(query, project_id, top_k, category, source, cutoff)

    async def delete(self, entry_id: str, project_id: str | None = None) -> None:
        """Delete one entry. Raises NotFoundError."""
        async with self.store.begin() as unit:
            await unit.knowledge_entries.delete(entry_id, project_id)
        await self._upkeep.catch_up()

    async def project_knowledge(self, project_id: str) -> tuple[Entry, ...]:
        """All entries of one project, oldest first."""
        return await self.store.knowledge_entries.entries(project_id)

    async def export_project(self, project_id: str) -> list[dict[str, Any]]:
        """A project's entries as plain values, to be written as JSON and read by `import_project`."""
        return [exported(entry) for entry in await self.project_knowledge(project_id)]

    async def import_project(self, project_id: str, values: Sequence[Mapping[str, Any]]) -> Put:
        """Add what `export_project` gave, of this project or another. Raises InvalidValueError for anything else."""
        return await self.add_many(imported(values), project_id)

    async def delete_project_knowledge(self, project_id: str) -> int:
        """Delete all entries of one project; tell how many they were. The project and its documents stay."""
        async with self.store.begin() as unit:
            number = await unit.knowledge_entries.delete_all(project_id)
        await self._upkeep.catch_up()
        return number

    async def catch_up(self) -> None:
        """Have the index hold what units of work have stored. Raises KnowledgeIndexError; the rest is done later."""
        await self._upkeep.catch_up()

    async def rebuild(self, progress: Progress = no_progress) -> int:
        """Make the index anew from the database, and vectors of another model too; tell how many entries it has."""
        return await self._upkeep.rebuild(progress)

    async def check(self) -> None:
        """Compare the index with the database, and make it right, as `open` does."""
        await self._upkeep.check()

    async def close(self) -> None:
        """Let what is under way be done, and let go of the index and the model. The store stays open."""
        try:
            await self.embeddings.close()
        finally:
            await self._index.close()

    async def _put(self, entries: Sequence[NewEntry], project_id: str | None, progress: Progress) -> Put:
        embedded = await self.embeddings.embedded(entries, progress)
        async with self.store.begin() as unit:
            return await unit.knowledge_entries.put(embedded, project_id)


class _Opening:
    """What `KnowledgeBase.open` returns: opens when awaited, and when entered, where leaving closes."""

    def __init__(self, store: Store, embedder: Embedder, check: bool) -> None:
        self._store = store
        self._embedder = embedder
        self._check = check
        self._opened: KnowledgeBase | None = None

    def __await__(self) -> Generator[Any, None, KnowledgeBase]:
        return self._open().__await__()

    async def __aenter__(self) -> KnowledgeBase:
        self._opened = await self._open()
        return self._opened

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            await self._opened.close()

    async def _open(self) -> KnowledgeBase:
        embeddings = Embeddings(self._store, self._embedder)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(embeddings.close)
            place, database = index_place(self._store)
            index = await open_index(place, embeddings.model, database)
            stack.push_async_callback(index.close)
            opened = KnowledgeBase(self._store, embeddings, index)
            if self._check:
                await opened.check()
            stack.pop_all()
        return opened


def index_place(store: Store) -> tuple[Path | str, str]:
    """Where the index of a database is, a directory or the URL of a server, and what tells it from others there."""
    settings = store.settings
    if settings.chroma_url is not None:
        return settings.chroma_url, store.identity
    if settings.index_dir is not None:
        return settings.index_dir, store.identity
    if store.file is not None:
        # Its own, so that both can be moved together.
        return store.file.with_name(f"{store.file.name}.index"), ""
    return settings.data_dir.expanduser() / "indexes" / store.identity, ""


def _further(progress: Progress, before: int, total: int, done: int, _part: int) -> None:
    """Tell of a part's progress as that of the whole."""
    progress(before + done, total)


def _require_vector(embedded: Embedded, size: int) -> None:
    """Raises InvalidValueError for what is not `size` bytes of numbers, a vector of length 1."""
    vector = embedded.vector
    if not isinstance(vector, bytes) or len(vector) != size or not is_of_length_1(vector):
        raise InvalidValueError(
            f"the vector of the entry {id_of(embedded.entry)!r} is none that {embedded.model} makes: those have "
            f"{size // 4} numbers in float32, and are of length 1"
        )


def _sound(entry: NewEntry) -> NewEntry:
    """The entry. Raises InvalidValueError for what is none."""
    for name in ("content", "category"):
        value = getattr(entry, name)
        if not isinstance(value, str) or not value.strip():
            raise InvalidValueError(f"the {name} of an entry is a text that is not blank")
    if not isinstance(entry.details, Mapping):
        raise InvalidValueError(f"the details of an entry are a dict, not {type(entry.details).__name__}")
    return entry
