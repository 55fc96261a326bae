"""What an index of vectors has to catch up with, and what it should hold.

An index cannot share a transaction with the database. So a change leaves word: an entry that changed is not
`is_indexed`, and of one that is gone `knowledge_removals` has the key. Whoever brings the index up to date says so, by
`say_indexed` and `say_removed`; what was changed or came back meanwhile is then to do once more.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, Integer, bindparam, delete, func, literal, select, true, update
from sqlalchemy.dialects.postgresql import insert

from socrates.caching import cached
from socrates.models import KnowledgeEntry, KnowledgeRemoval
from socrates.repositories.base import AT_ONCE, Mapper, Repository, now, table, with_next
from socrates.repositories.cached_rows import KNOWN_IN_PROJECT, rows_of
from socrates.repositories.entry_owners import PerOwner, owner
from socrates.views import EntryText, IndexedEntry, ProjectVectors

_entries, _removals = table(KnowledgeEntry), table(KnowledgeRemoval)
_indexed = Mapper(IndexedEntry, KnowledgeEntry)
_text = Mapper(EntryText, KnowledgeEntry)

_LIMIT: BindParameter[int] = bindparam("count", type_=Integer)
_BY_KEY = (_entries.c.entry_key > bindparam("after"), _entries.c.entry_key)

_WAITING = select(*_indexed.columns).where(~_entries.c.is_indexed).order_by(_entries.c.updated_at).limit(_LIMIT)
_ENTRIES = select(*_indexed.columns).where(_BY_KEY[0]).order_by(_BY_KEY[1]).limit(_LIMIT)
_KEYS = select(_entries.c.entry_key).where(_BY_KEY[0]).order_by(_BY_KEY[1]).limit(_LIMIT)
# Not !=, for which no index is searched.
_OF_OTHER_MODELS = (
    select(*_text.columns)
    .where((_entries.c.model < bindparam("model")) | (_entries.c.model > bindparam("model")))
    .limit(_LIMIT)
)
_MODELS = select(_entries.c.model, func.count().label("number")).group_by(_entries.c.model)
_THERE = select(_entries.c.entry_key).where(_entries.c.entry_key.in_(bindparam("keys", expanding=True)))
_TO_REMOVE = select(_removals.c.entry_key).order_by(_removals.c.entry_key).limit(_LIMIT)

_COUNT_IN_PROJECT = select(func.count()).select_from(_entries).where(_entries.c.project_id == bindparam("in_project"))
_VECTORS = {
    (of_category, from_source): select(_entries.c.entry_key, _entries.c.vector).where(
        _entries.c.project_id == bindparam("in_project"),
        _entries.c.model == bindparam("model"),
        _entries.c.category == bindparam("of_category") if of_category else true(),
        _entries.c.source == bindparam("from_source") if from_source else true(),
    )
    for of_category in (False, True)
    for from_source in (False, True)
}

_CHANGE = update(_entries).where(_entries.c.entry_key == bindparam("key"))
_SEEN = _entries.c.updated_at == bindparam("seen_at", type_=_entries.c.updated_at.type)
# False where it was changed after the index was given what it has now.
_SAY_INDEXED = PerOwner(_CHANGE.values(is_indexed=_SEEN))
_EMBED = PerOwner(
    _CHANGE.where(_SEEN).values(
        is_indexed=literal(False),
        model=bindparam("by_model", type_=_entries.c.model.type),
        vector=bindparam("new_vector", type_=_entries.c.vector.type),
        updated_at=bindparam("at", type_=_entries.c.updated_at.type),
    )
)
_SAY_LOST = (
    update(_entries)
    .where(_entries.c.entry_key.in_(bindparam("keys", expanding=True)))
    .values(is_indexed=literal(False))
)
_REMEMBER = insert(_removals).on_conflict_do_nothing(index_elements=["entry_key"])
_FORGET = with_next(delete(_removals).where(_removals.c.entry_key.in_(bindparam("keys", expanding=True))))


class IndexWorkReads(Repository):
    """What there is to do, and what an index should hold. Batches are read by key, so that memory stays small."""

    async def waiting(self, count: int) -> tuple[IndexedEntry, ...]:
        """Up to `count` entries that the index has not, or not as they are; those that wait longest come first."""
        return await self._views(_indexed, _WAITING, count=count)

    async def to_remove(self, count: int) -> tuple[str, ...]:
        """Up to `count` keys of entries that are gone, and that the index has to forget."""
        return tuple(row.entry_key for row in await self._rows(_TO_REMOVE, count=count))

    async def entries(self, after: str, count: int) -> tuple[IndexedEntry, ...]:
        """The next `count` entries after a key, in the order of keys; the first come after ""."""
        return await self._views(_indexed, _ENTRIES, after=after, count=count)

    async def keys(self, after: str, count: int) -> tuple[str, ...]:
        """The keys of the same."""
        return tuple(row.entry_key for row in await self._rows(_KEYS, after=after, count=count))

    async def models(self) -> dict[str, int]:
        """How many entries have their vectors from which model."""
        return {row.model: row.number for row in await self._rows(_MODELS)}

    async def of_other_models(self, model: str, count: int) -> tuple[EntryText, ...]:
        """Up to `count` entries that have their vectors from another model, in no order."""
        return await self._views(_text, _OF_OTHER_MODELS, model=model, count=count)

    @cached("index_work.vectors", tags=rows_of(KNOWN_IN_PROJECT))
    async def vectors(
        self, project_id: str, model: str, most: int, category: str | None = None, source: str | None = None
    ) -> ProjectVectors | None:
        """The vectors of all entries of a project, or of those with this category and source, that this model made.

        None where the project has more than `most` entries.
        """
        if await self._value(_COUNT_IN_PROJECT, in_project=project_id) > most:
            return None
        given = {"of_category": category, "from_source": source}
        parameters = {name: value for name, value in given.items() if value is not None}
        statement = _VECTORS[category is not None, source is not None]
        rows = await self._rows(statement, in_project=project_id, model=model, **parameters)
        return ProjectVectors(tuple(row.entry_key for row in rows), b"".join(row.vector for row in rows))


class IndexWorkRepository(IndexWorkReads):
    """The same inside a unit of work, and saying what was done."""

    async def say_indexed(self, entries: Sequence[IndexedEntry]) -> None:
        """The index holds these as they were read. One that is gone by now has to be removed from it again."""
        await self._change_each(_SAY_INDEXED, [_seen(each) for each in entries])
        there = await self._there([each.entry_key for each in entries])
        at = now()
        gone = [each.entry_key for each in entries if each.entry_key not in there]
        await self._write_many(_REMEMBER, [{"entry_key": key, "removed_at": at} for key in gone])

    async def say_removed(self, keys: Sequence[str]) -> None:
        """The index holds none of these. One that is back by now has to be put into it again."""
        for start in range(0, len(keys), AT_ONCE):
            await self._write(_FORGET, keys=list(keys[start : start + AT_ONCE]))
        await self.say_lost(sorted(await self._there(keys)))

    async def say_lost(self, keys: Sequence[str]) -> None:
        """The index lacks these, or holds something else of them."""
        for start in range(0, len(keys), AT_ONCE):
            await self._write(_SAY_LOST, keys=list(keys[start : start + AT_ONCE]))

    async def embed(self, vectors: Sequence[tuple[EntryText, bytes]], model: str) -> None:
        """Give entries the vectors that another model makes of their texts. One changed since is left alone."""
        at = now()
        rows = [{**_seen(text), "by_model": model, "new_vector": vector, "at": at} for text, vector in vectors]
        await self._change_each(_EMBED, rows)

    async def _change_each(self, statements: PerOwner, rows: Sequence[dict[str, Any]]) -> None:
        of_all = [row for row in rows if "in_project" not in row]
        await self._write_many(statements.of_all, of_all)
        await self._write_many(statements.of_project, [row for row in rows if "in_project" in row])

    async def _there(self, keys: Sequence[str]) -> set[str]:
        there: set[str] = set()
        for start in range(0, len(keys), AT_ONCE):
            rows = await self._rows(_THERE, keys=list(keys[start : start + AT_ONCE]))
            there.update(row.entry_key for row in rows)
        return there


def _seen(entry: IndexedEntry | EntryText) -> dict[str, Any]:
    """The parameters by which an entry is changed, if it is as it was read."""
    return {"key": entry.entry_key, "seen_at": entry.updated_at, **owner(entry.project_id)}
