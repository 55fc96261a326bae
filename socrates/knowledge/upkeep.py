"""Keeps an index true to our tables: catches up, compares, and makes it anew."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence

import numpy as np

from socrates.errors import ConfigurationError, KnowledgeIndexError
from socrates.knowledge.embeddings import Embeddings, Progress, as_vector, as_vectors, no_progress
from socrates.knowledge.index import ChromaIndex, Point
from socrates.store import Store
from socrates.views import EntryText, IndexedEntry

_log = logging.getLogger(__name__)

BATCH = 250
"""Entries that the index is given at once: their vectors are half a megabyte, and others wait a few milliseconds while
it is said that they are in it. Chroma would take 5,461."""

SAMPLE = 20
"""Entries whose vectors are compared when the index is opened."""


class Upkeep:
    """What is to do is in the database, so whoever comes next does what somebody left undone."""

    def __init__(self, store: Store, embeddings: Embeddings, index: ChromaIndex) -> None:
        self._store = store
        self._embeddings = embeddings
        self._index = index
        self._one_at_a_time = asyncio.Lock()

    async def catch_up(self) -> None:
        """Have the index hold what is in the tables now. Raises KnowledgeIndexError; the rest is done later."""
        async with self._one_at_a_time:
            while await self._put_waiting() or await self._remove_gone():
                pass

    async def check(self) -> None:
        """Compare the index with the tables, by number and by a sample, and make it right.

        Raises ConfigurationError where entries have vectors of another model.
        """
        await self._require_one_model()
        try:
            await self.catch_up()
            if await self._number() != await self._index.count():
                _log.warning("the index of knowledge does not hold the entries that the database has; it is mended")
                await self._reconcile()
            fault = None if await self._is_right() else "it holds something else than the database has"
        except KnowledgeIndexError as error:
            fault = str(error)
        if fault is not None:
            _log.warning("the index of knowledge is made anew: %s", fault)
            await self.rebuild()

    async def rebuild(self, progress: Progress = no_progress) -> int:
        """Make the index anew from the tables; entries with vectors of another model get new ones. Tells how many.

        `progress` counts a new vector, and an entry put into the index, as one each. Others may search meanwhile, and
        find what is there by then; what they add or change stays.
        """
        number, models = 0, await self._store.index_work.models()
        others = sum(models.values()) - models.get(self._embeddings.model, 0)
        done, total = 0, sum(models.values()) + others

        def further(number: int) -> None:
            nonlocal done, total
            done, total = done + number, max(total, done + number)
            progress(done, total)

        await self._embed_again(further)
        async with self._one_at_a_time:
            # First, so that whoever comes after one who is stopped here goes on.
            await self._say_all_lost()
            await self._index.clear()
            after = ""
            while batch := await self._store.index_work.entries(after, BATCH):
                await self._put(batch)
                number, after = number + len(batch), batch[-1].entry_key
                further(len(batch))
        await self.catch_up()
        return number

    async def _say_all_lost(self) -> None:
        after = ""
        while keys := await self._store.index_work.keys(after, BATCH):
            async with self._store.begin() as unit:
                await unit.index_work.say_lost(keys)
            after = keys[-1]

    async def _number(self) -> int:
        return sum((await self._store.index_work.models()).values())

    async def _put_waiting(self) -> bool:
        waiting = await self._store.index_work.waiting(BATCH)
        if waiting:
            await self._put(waiting)
        return bool(waiting)

    async def _put(self, entries: Sequence[IndexedEntry]) -> None:
        """Have the index hold these, and say so; those that were changed meanwhile wait then."""
        sound = entries
        if not all(_is_sound(each.vector, len(entries[0].vector)) for each in entries):
            sound = await self._sound_among(entries)
        if sound:
            await self._index.put([_point(each) for each in sound], as_vectors(each.vector for each in sound))
            async with self._store.begin() as unit:
                await unit.index_work.say_indexed(sound)

    async def _sound_among(self, entries: Sequence[IndexedEntry]) -> list[IndexedEntry]:
        """Those whose vectors are not damaged; the others get new ones, and wait."""
        length = await self._embeddings.size()
        damaged = [each for each in entries if not _is_sound(each.vector, length)]
        _log.warning("%d entries of knowledge have damaged vectors, and get new ones", len(damaged))
        texts: list[EntryText] = []
        for each in damaged:
            found = await self._store.knowledge_entries.visible([each.entry_key], each.project_id)
            texts += [EntryText(each.entry_key, each.project_id, entry.content, entry.updated_at) for entry, _ in found]
        vectors = await self._embeddings.of_documents([each.content for each in texts])
        async with self._store.begin() as unit:
            await unit.index_work.embed(list(zip(texts, vectors, strict=True)), self._embeddings.model)
        return [each for each in entries if each not in damaged]

    async def _remove_gone(self) -> bool:
        gone = await self._store.index_work.to_remove(BATCH)
        if gone:
            await self._index.remove(gone)
            async with self._store.begin() as unit:
                await unit.index_work.say_removed(gone)
        return bool(gone)

    async def _reconcile(self) -> None:
        """Put in what is missing, and take out what is too much."""
        held = await self._index.keys()
        after, lost = "", []
        while batch := await self._store.index_work.keys(after, BATCH):
            lost += [key for key in batch if key not in held]
            held.difference_update(batch)
            after = batch[-1]
        surplus = sorted(held)
        await self._index.remove(surplus)
        async with self._store.begin() as unit:
            await unit.index_work.say_lost(lost)
            await unit.index_work.say_removed(surplus)
        await self.catch_up()

    async def _is_right(self) -> bool:
        place = secrets.token_hex(32)
        if await self._is_right_after(place):
            return True
        # A slow program may have put in what was older.
        await self.catch_up()
        return await self._is_right_after(place)

    async def _is_right_after(self, place: str) -> bool:
        sample = await self._sample(place)
        held = await self._index.held(sorted({each.entry_key for each in sample}))
        wrong = [each for each in sample if each.is_indexed and not _is_same(each, held.get(each.entry_key))]
        # Of what somebody changes at this moment, the index may have the older or the newer state.
        after = await self._sample(place) if wrong else []
        return not any(each in after for each in wrong)

    async def _sample(self, place: str) -> list[IndexedEntry]:
        # The keys are a circle: all have the same chance, and the few of a small index are all looked at.
        return [
            *await self._store.index_work.entries(place, SAMPLE),
            *await self._store.index_work.entries("", SAMPLE),
        ][:SAMPLE]

    async def _require_one_model(self) -> None:
        models = await self._store.index_work.models()
        others = sorted(set(models) - {self._embeddings.model})
        if others:
            number = sum(models[model] for model in others)
            raise ConfigurationError(
                f"{number} entries have vectors of {', '.join(others)}, which cannot be compared with those of "
                f"{self._embeddings.model}. Set SOCRATES_EMBEDDING_MODEL to that, or have all entries embedded anew: "
                "socrates knowledge rebuild"
            )

    async def _embed_again(self, further: Callable[[int], None]) -> None:
        model = self._embeddings.model
        while texts := await self._store.index_work.of_other_models(model, BATCH):
            vectors = await self._embeddings.of_documents([text.content for text in texts])
            async with self._store.begin() as unit:
                await unit.index_work.embed(list(zip(texts, vectors, strict=True)), model)
            further(len(texts))


def _point(entry: IndexedEntry) -> Point:
    return Point(entry.entry_key, entry.project_id, entry.category, entry.source)


def _is_same(entry: IndexedEntry, held: "tuple[Point, np.ndarray] | None") -> bool:
    return held is not None and held[0] == _point(entry) and bool(np.array_equal(held[1], as_vector(entry.vector)))


def _is_sound(vector: bytes, length: int) -> bool:
    """Whether these are so many bytes of numbers."""
    return len(vector) == length and length % 4 == 0 and bool(np.isfinite(as_vector(vector)).all())
