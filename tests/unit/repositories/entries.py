"""Entries of knowledge around the repositories that are tested, with vectors that mean nothing."""

from typing import Any

from socrates.drafts import NewEntry
from socrates.models import KnowledgeRemoval
from socrates.repositories.knowledge_entries import Embedded, Put, text_hash
from socrates.store import Store, UnitOfWork
from tests.unit.repositories.rows import stored

VECTOR, OTHER_VECTOR = b"\0\0\x80?" * 2, b"\0\0\0?" * 2


def embedded(content: str = "text", category: str = "topic", *, model: str = "m", **more: Any) -> Embedded:
    return Embedded(NewEntry(content, category, **more), VECTOR, model)


def chunk(content: str = "text", source: str | None = "a.txt", **more: Any) -> Embedded:
    """An entry that was read from a file."""
    return embedded(content, "imported_document", source=source, **more)


async def put(store: Store, *entries: Embedded, project_id: str | None = None) -> Put:
    async with store.begin() as unit:
        return await unit.knowledge_entries.put(entries, project_id)


async def put_uploaded(store: Store, project_id: str, document_id: str, filename: str = "a.txt") -> None:
    """A document that was uploaded, with two entries made of it: <document_id> 0 and 1."""
    async with store.begin() as unit:
        await unit.knowledge.add_document(project_id, "ada", filename, "text", document_id=document_id)
        chunks = [chunk(f"{document_id} {n}", filename, id=f"{document_id} {n}", document_id=document_id) for n in "01"]
        await unit.knowledge_entries.put(chunks, project_id)


async def keep(store: Store, *texts: str, model: str = "m") -> None:
    """Keep vectors of texts for the next time."""
    async with store.begin() as unit:
        await unit.embeddings.keep(model, {text_hash(text): VECTOR for text in texts})


async def kept(store: Store, *texts: str, model: str = "m") -> set[str]:
    """Those of the texts whose vectors are kept."""
    found = await store.embeddings.find(model, [text_hash(text) for text in texts])
    return {text for text in texts if text_hash(text) in found}


async def index_all(store: Store) -> None:
    """Say that the index has done all that was to do."""
    async with store.begin() as unit:
        await say_all_done(unit)


async def say_all_done(unit: UnitOfWork) -> None:
    await unit.index_work.say_indexed(await unit.index_work.waiting(10**6))
    await unit.index_work.say_removed(await unit.index_work.to_remove(10**6))


async def waiting(store: Store) -> list[str]:
    """The keys of the entries that wait for the index."""
    return sorted(each.entry_key for each in await store.index_work.waiting(10**6))


async def removals(store: Store) -> set[str]:
    """The keys that the index has to forget."""
    return {key for (key,) in await stored(store, KnowledgeRemoval, "entry_key")}
