"""A database in which everybody and two projects know something, and the results of searches in it."""

from typing import Any

from socrates.caching.cache import ABSENT
from socrates.drafts import NewEntry
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.knowledge.search import TOP_K, Search
from socrates.repositories.knowledge_entries import Embedded
from socrates.store import Store
from tests.support.knowledge import WordEmbedder

ASKING = (None, "library", "museum")
Opened = tuple[Store, KnowledgeBase]


async def fill(store: Store, knowledge: KnowledgeBase) -> None:
    """Every owner has the entry "1", which says the same; the library has another from a document."""
    for owner in ASKING:
        await knowledge.add(NewEntry("loans end", "rules", id="1"), owner)
    async with store.begin() as unit:
        await unit.knowledge.add_document("library", "ada", "a.md", "late fees", document_id="document")
    chunk = NewEntry("late fees", "imported_document", id="2", source="a.md", document_id="document")
    await knowledge.add(chunk, "library")
    await warm(knowledge, "loans")


async def warm(knowledge: KnowledgeBase, *queries: str) -> None:
    """Have the vectors of queries stored: a search beside that commit goes past the cache."""
    for query in queries:
        await knowledge.embeddings.of_query(query)
    if knowledge.embeddings._saving is not None:
        await knowledge.embeddings._saving


async def search_all(knowledge: KnowledgeBase) -> None:
    """Have the results kept of everybody; a search beside a commit, such as that of the query's vector, is not."""
    while kept(knowledge) != {*ASKING}:
        for asking in ASKING:
            await knowledge.search("loans", project_id=asking)


def kept(knowledge: KnowledgeBase) -> set[str | None]:
    """Whose results of `search_all` are there still."""
    found: Any = Search._found
    return {
        asking
        for asking in ASKING
        if found.kept(knowledge._search, "loans", asking, TOP_K, None, None, -1.0) is not ABSENT
    }


async def embedded(content: str, entry_id: str) -> Embedded:
    (vector,) = await WordEmbedder().embed([content], "document")
    return Embedded(NewEntry(content, "rules", id=entry_id), vector.tobytes(), "words")
