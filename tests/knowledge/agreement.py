"""What must hold of an index and the tables after anything whatsoever."""

import numpy as np

from socrates.knowledge.embeddings import as_vector
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.store import Store


async def assert_agree(store: Store, knowledge: KnowledgeBase) -> set[str]:
    """Nothing is left to do, and both have the same entries with the same vectors. Returns the ids."""
    assert await store.index_work.waiting(1) == ()
    assert await store.index_work.to_remove(1) == ()
    entries = await store.index_work.entries("", 100_000)
    keys = [entry.entry_key for entry in entries]
    assert await knowledge._index.keys() == set(keys)
    held = await knowledge._index.held(keys)
    for entry in entries:
        point, vector = held[entry.entry_key]
        assert np.array_equal(vector, as_vector(entry.vector))
        assert (point.project_id, point.category, point.source) == (entry.project_id, entry.category, entry.source)
    return {entry.id for entry in await store.knowledge_entries.entries("library")}


async def finds(knowledge: KnowledgeBase, content: str, entry_id: str) -> bool:
    """Whether a search for the content of the library's entry finds it. (Counted words can be the same for others.)"""
    hits = await knowledge.search(content, project_id="library", top_k=1_000, cutoff=0.999)
    return entry_id in {hit.entry.id for hit in hits}
