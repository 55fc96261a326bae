"""What goes with entries of knowledge when they, or what they hang on, are deleted."""

from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from socrates.models import CachedEmbedding, KnowledgeEntry, KnowledgeRemoval
from socrates.repositories.base import table, with_next

_entries, _removals, _embeddings = table(KnowledgeEntry), table(KnowledgeRemoval), table(CachedEmbedding)


def forget_entries(are_doomed: ColumnElement[bool]) -> tuple[Any, ...]:
    """The statements before a DELETE that takes these entries; they take the parameter `deleted_at`.

    The index of vectors is told to forget the entries, and the vectors of their texts that were kept for the next time
    go. Where another entry has the same text, it has its vector itself.
    """
    doomed = select(_entries.c.entry_key, bindparam("deleted_at", type_=_removals.c.removed_at.type)).where(are_doomed)
    texts = select(_entries.c.text_hash).where(are_doomed)
    return (
        with_next(
            insert(_removals)
            .from_select(["entry_key", "removed_at"], doomed)
            .on_conflict_do_nothing(index_elements=["entry_key"])
        ),
        with_next(delete(_embeddings).where(_embeddings.c.text_hash.in_(texts))),
    )
