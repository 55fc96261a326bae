"""Takes over what v1 knew: every entry of its `vector_db/` into our tables, with its vector where that fits."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import astuple, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from socrates.config import DEFAULT_MODEL
from socrates.drafts import NewEntry
from socrates.errors import ConfigurationError, InvalidValueError, ProjectNotFoundError
from socrates.knowledge.adoption import vectors
from socrates.knowledge.adoption.converting import Refused, Taken, converted
from socrates.knowledge.adoption.copying import copy, directory_of
from socrates.knowledge.adoption.reading import COLLECTION, Record, Records, open_records
from socrates.knowledge.embeddings import Progress, as_vectors, no_progress
from socrates.knowledge.knowledge_base import KnowledgeBase, index_place
from socrates.repositories.knowledge_entries import Embedded, Put, id_of

_SAMPLE = 20
"""Vectors that are compared with what the model makes of their texts: v1 wrote its model's name nowhere."""

_ALIKE = 0.99
"""Cosine similarity of a vector to that of the same text by the same model, on another machine and in other versions;
between two models it is near 0."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What became of v1's entries: `found` are `added`, `changed`, `unchanged` or `refused`.

    `vectors_kept` and `vectors_made` are of those added and changed; `by_project` counts what is there now, None those
    that everybody knows. `other_collections` in the directory were left alone.
    """

    found: int
    added: int
    changed: int
    unchanged: int
    vectors_kept: int
    vectors_made: int
    by_project: Mapping[str | None, int]
    refused: tuple[Refused, ...]
    other_collections: tuple[str, ...] = ()


async def adopt(knowledge: KnowledgeBase, directory: Path, progress: Progress = no_progress) -> Adoption:
    """Take over all entries of v1's directory, of which only a copy is opened. What is there just so is left alone.

    An entry whose id is known is changed to v1's. Entries are stored in batches, so that a second call goes on where
    one was interrupted. Projects must be there first: entries of unknown ones are refused.

    Raises ConfigurationError for a directory that is not v1's or without room for the copy, BusyError where v1 writes
    to it all the time, and DatabaseError where its database is damaged.
    """
    original = await asyncio.to_thread(_checked, knowledge, directory)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="socrates-adopt-")))
        copied, file = scratch / "copy", scratch / "vectors"
        await asyncio.to_thread(copy, original, copied)
        if knowledge.model == DEFAULT_MODEL:
            await vectors.extract(copied, COLLECTION, file)
        records = await asyncio.to_thread(stack.enter_context, open_records(copied))
        return await _Adopting(knowledge, records, file).run(progress)


def _checked(knowledge: KnowledgeBase, directory: Path) -> Path:
    place, _ = index_place(knowledge.store)
    if isinstance(place, Path) and directory.resolve().is_relative_to(place.resolve()):
        raise ConfigurationError(f"{directory} is our own index; name v1's directory, which is called vector_db")
    return directory_of(directory)


@dataclass
class _Adopting:
    """One run: what it reads, and what it has counted so far."""

    _knowledge: KnowledgeBase
    _records: Records
    _vectors: Path
    _added: int = 0
    _changed: int = 0
    _unchanged: int = 0
    _kept: int = 0
    _by_project: Counter[str | None] = field(default_factory=Counter)
    _refused: list[Refused] = field(default_factory=list)

    async def run(self, progress: Progress) -> Adoption:
        found = await asyncio.to_thread(self._records.count)
        are_kept = await self._are_of_our_model()
        pages = self._records.pages()
        done = 0
        while page := await asyncio.to_thread(next, pages, None):
            await self._take(page, are_kept)
            done += len(page)
            progress(done, found)
        return Adoption(
            found=found,
            added=self._added,
            changed=self._changed,
            unchanged=self._unchanged,
            vectors_kept=self._kept,
            vectors_made=self._added + self._changed - self._kept,
            by_project=dict(self._by_project),
            refused=tuple(self._refused),
            other_collections=self._records.others,
        )

    async def _are_of_our_model(self) -> bool:
        """Whether vectors are what our model makes of the texts, in a sample."""
        sample = await asyncio.to_thread(self._records.sample, _SAMPLE)
        entries = [each.entry for each in map(converted, sample) if isinstance(each, Taken)]
        held = await self._held(entries)
        if not held:
            return False
        texts = {id_of(entry): entry.content for entry in entries}
        ours = as_vectors(await self._knowledge.embeddings.of_documents([texts[each] for each in held]))
        return bool(np.all(np.sum(as_vectors(held.values()) * ours, axis=1) >= _ALIKE))

    async def _take(self, page: Sequence[Record], are_kept: bool) -> None:
        owned: defaultdict[str | None, list[NewEntry]] = defaultdict(list)
        for record in page:
            match converted(record):
                case Refused() as refused:
                    self._refused.append(refused)
                case Taken() as taken:
                    owned[taken.project_id].append(taken.entry)
        for project_id, entries in owned.items():
            try:
                await self._take_of_one(entries, project_id, are_kept)
            except ProjectNotFoundError:
                reason = "there is no such project; have it brought over first, then repeat this"
                self._refused += [Refused(id_of(entry), project_id, reason) for entry in entries]

    async def _take_of_one(self, entries: Sequence[NewEntry], project_id: str | None, are_kept: bool) -> None:
        if project_id is not None:
            await self._knowledge.store.projects.summary(project_id)  # before the model makes vectors for nobody
        held = await self._held(entries) if are_kept else {}
        kept = await self._put([entry for entry in entries if entry.id in held], project_id, held)
        made = await self._put([entry for entry in entries if entry.id not in held], project_id, held)
        self._kept += kept.added + kept.changed
        for each in (kept, made):
            self._added += each.added
            self._changed += each.changed
            self._unchanged += each.unchanged
            self._by_project[project_id] += each.added + each.changed + each.unchanged

    async def _put(self, entries: Sequence[NewEntry], project_id: str | None, held: Mapping[str, bytes]) -> Put:
        """Add them, and refuse those that our tables cannot hold."""
        if not entries:
            return Put(0, 0, 0)
        knowledge = self._knowledge
        try:
            if id_of(entries[0]) in held:
                embedded = [Embedded(entry, held[id_of(entry)], knowledge.model) for entry in entries]
                return await knowledge.put_embedded(embedded, project_id)
            return await knowledge.add_many(entries, project_id)
        except InvalidValueError as error:
            if len(entries) == 1:
                self._refused.append(Refused(id_of(entries[0]), project_id, str(error)))
                return Put(0, 0, 0)
        middle = len(entries) // 2
        parts = [await self._put(part, project_id, held) for part in (entries[:middle], entries[middle:])]
        return Put(*(sum(counts) for counts in zip(*map(astuple, parts), strict=True)))

    async def _held(self, entries: Sequence[NewEntry]) -> Mapping[str, bytes]:
        return await asyncio.to_thread(vectors.find, self._vectors, [id_of(entry) for entry in entries])
