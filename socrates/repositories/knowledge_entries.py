"""What is known: entries with their vectors, of one project each or of everybody."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, insert, literal, select, text, true, tuple_, update

from socrates import tagged_json
from socrates.drafts import NewEntry
from socrates.errors import InvalidValueError, NotFoundError
from socrates.models import KnowledgeDocument, KnowledgeEntry, KnowledgeRemoval
from socrates.models.knowledge import IS_IMPORTED
from socrates.repositories.base import AT_ONCE, Mapper, Repository, now, plain_dict, positive, table, with_next
from socrates.repositories.deletions import remember
from socrates.repositories.entry_owners import OF_ALL, OF_PROJECT, PerOwner, owner
from socrates.repositories.forgetting import forget_entries
from socrates.views import Entry, ImportedDocument

_entries, _removals, _documents = table(KnowledgeEntry), table(KnowledgeRemoval), table(KnowledgeDocument)
_entry = Mapper(Entry, KnowledgeEntry)

_AMONG = _entries.c.entry_key.in_(bindparam("keys", expanding=True))
_FROM_SOURCE = and_(_entries.c.source == bindparam("of_source"), text(IS_IMPORTED))
_PLACE = (_entries.c.created_at, _entries.c.id)
_AFTER = tuple_(*_PLACE) > tuple_(
    bindparam("last_at", type_=_entries.c.created_at.type), bindparam("last_id", type_=_entries.c.id.type)
)


class _Deletion:
    """The statements that delete an owner's entries under a condition, and have them forgotten."""

    def __init__(self, condition: ColumnElement[bool]) -> None:
        self._delete = PerOwner(delete(_entries).where(condition))
        self._of_all, self._of_project = (forget_entries(and_(of, condition)) for of in (OF_ALL, OF_PROJECT))

    def __call__(self, project_id: str | None) -> tuple[Any, ...]:
        return *(self._of_all if project_id is None else self._of_project), self._delete(project_id)


_ENTRY = select(*_entry.columns).where(_entries.c.entry_key == bindparam("key"))
_STATES = select(_entries.c.entry_key, _entries.c.model, *_entry.columns).where(_AMONG)
# By the scope: for project_id IS NULL both engines walk all that everybody knows, 2 ms for 2,000, instead of the keys.
_IS_GLOBAL = _entries.c.scope == "global"
_VISIBLE_TO_ALL = select(_entries.c.vector, *_entry.columns).where(_AMONG, _IS_GLOBAL)
_VISIBLE = select(_entries.c.vector, *_entry.columns).where(
    _AMONG, (_entries.c.project_id == bindparam("in_project")) | _IS_GLOBAL
)
_COUNT = PerOwner(select(func.count()).select_from(_entries))
_LIST = select(*_entry.columns).order_by(*_PLACE)
_LISTS = {
    (paged, limited): PerOwner(_LIST.where(_AFTER if paged else true()).limit(bindparam("count") if limited else None))
    for paged in (False, True)
    for limited in (False, True)
}
_DOCUMENTS = PerOwner(
    select(
        _entries.c.source,
        _entries.c.document_id,
        func.count().label("chunks"),
        func.min(_entries.c.created_at).label("imported_at"),
    )
    .where(text(IS_IMPORTED), _entries.c.source.is_not(None))
    .group_by(_entries.c.source, _entries.c.document_id)
    .order_by(_entries.c.source, _entries.c.document_id)
)

# Not ON CONFLICT DO UPDATE: that does not tell caches whose entry it changes, so every addition would make every search
# wrong. Writes of one owner take turns instead, and know by then what is there.
_ADD = insert(_entries)
_CHANGED = ("content", "category", "source", "document_id", "details", "text_hash", "model", "vector")
_CHANGE = PerOwner(
    update(_entries)
    .where(_entries.c.entry_key == bindparam("key"))
    .values(
        is_indexed=literal(False),
        updated_at=bindparam("at", type_=_entries.c.updated_at.type),
        **{name: bindparam(f"new_{name}", type_=_entries.c[name].type) for name in _CHANGED},
    )
)
_ARE_BACK = with_next(delete(_removals).where(_removals.c.entry_key.in_(bindparam("keys", expanding=True))))
_DELETE_AMONG = _Deletion(_AMONG)
_DELETE_ALL = _Deletion(true())
_DELETE_SOURCE = _Deletion(_FROM_SOURCE)
_FROM_FILE = PerOwner(select(_entries.c.entry_key, _entries.c.id).where(_FROM_SOURCE, _entries.c.document_id.is_(None)))
_UPLOADED = PerOwner(select(_entries.c.document_id).where(_FROM_SOURCE, _entries.c.document_id.is_not(None)).distinct())
_ARE_UPLOADED = _documents.c.id.in_(bindparam("document_ids", expanding=True))
_PROJECTS_OF_DOCUMENTS = select(_documents.c.id, _documents.c.project_id).where(_ARE_UPLOADED)
_REMEMBER_UPLOADED = remember(("knowledge_documents", select(_documents.c.id).where(_ARE_UPLOADED)))
_DELETE_UPLOADED = with_next(delete(_documents).where(_ARE_UPLOADED))

_BYTES_A_NUMBER = 4


@dataclass(frozen=True, slots=True)
class Embedded:
    """A new entry with its vector (float32, little-endian), and the name of the model that made it."""

    entry: NewEntry
    vector: bytes
    model: str


@dataclass(frozen=True, slots=True)
class Put:
    """What became of entries that were put: numbers of them."""

    added: int
    changed: int
    unchanged: int


def entry_key(project_id: str | None, entry_id: str) -> str:
    """The digest by which an index knows an entry: ids are chosen by people, and mean another entry in each project.

    Raises InvalidValueError for anything but texts.
    """
    if not isinstance(entry_id, str) or not isinstance(project_id, str | None):
        raise InvalidValueError("the ids of an entry and of its project are texts")
    return hashlib.sha256(json.dumps([project_id, entry_id]).encode()).hexdigest()


def text_hash(content: str) -> str:
    """The digest of a text, by which its vector is found again."""
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def id_of(entry: NewEntry) -> str:
    """The id that an entry has, or gets: the beginning of its content's digest, so that one text is one entry."""
    return text_hash(entry.content)[:16] if entry.id is None else entry.id


class KnowledgeEntryReads(Repository):
    """Reads of entries. `project_id` says of which project, None what everybody knows; an unknown one has none."""

    async def entry(self, entry_id: str, project_id: str | None = None) -> Entry:
        """One entry. Raises NotFoundError."""
        row = await self._row(_ENTRY, key=entry_key(project_id, entry_id))
        if row is None:
            raise NotFoundError("entry", entry_id)
        return _entry(row)

    async def entries(
        self, project_id: str | None = None, *, limit: int | None = None, after: Entry | None = None
    ) -> tuple[Entry, ...]:
        """Entries, oldest first. For the next page give the last one of this as `after`."""
        parameters = owner(project_id)
        if limit is not None:
            parameters["count"] = positive("limit", limit)
        if after is not None:
            parameters |= {"last_at": after.created_at, "last_id": after.id}
        statement = _LISTS[after is not None, limit is not None](project_id)
        return await self._views(_entry, statement, **parameters)

    async def count(self, project_id: str | None = None) -> int:
        """How many entries there are."""
        return int(await self._value(_COUNT(project_id), **owner(project_id)))

    async def documents(self, project_id: str | None = None) -> tuple[ImportedDocument, ...]:
        """What entries were imported from, by the name of the source."""
        return await self._views(
            lambda row: ImportedDocument(project_id=project_id, **row._mapping),
            _DOCUMENTS(project_id),
            **owner(project_id),
        )

    async def visible(self, keys: Sequence[str], project_id: str | None = None) -> tuple[tuple[Entry, bytes], ...]:
        """Those of the entries with these keys that the project sees, each with its vector, in no order.

        A project sees its own and what everybody knows; None, what everybody knows.
        """
        parameters = owner(project_id)
        statement = _VISIBLE_TO_ALL if project_id is None else _VISIBLE
        found: list[tuple[Entry, bytes]] = []
        for start in range(0, len(keys), AT_ONCE):
            part = keys[start : start + AT_ONCE]
            found += await self._views(lambda row: (_entry(row[1:]), row[0]), statement, keys=part, **parameters)
        return tuple(found)

    async def changed(self, entries: Sequence[NewEntry], project_id: str | None, model: str) -> tuple[NewEntry, ...]:
        """Those of `entries` that are not there just so, with a vector of this model.

        Raises InvalidValueError for what is no entry.
        """
        keys = [entry_key(project_id, id_of(_checked(entry))) for entry in entries]
        states = await self._states(keys)
        return tuple(
            entry
            for key, entry in zip(keys, entries, strict=True)
            if key not in states or not _is_there(states[key], entry, model)
        )

    async def _states(self, keys: Sequence[str]) -> dict[str, tuple[str, Entry]]:
        """By key the model and the entry that are there."""
        states: dict[str, tuple[str, Entry]] = {}
        for start in range(0, len(keys), AT_ONCE):
            rows = await self._rows(_STATES, keys=list(keys[start : start + AT_ONCE]))
            states |= {row.entry_key: (row.model, _entry(row[2:])) for row in rows}
        return states


class KnowledgeEntryRepository(KnowledgeEntryReads):
    """Reads and writes of entries, inside a unit of work. What an index holds of them follows later."""

    async def put(self, entries: Sequence[Embedded], project_id: str | None = None) -> Put:
        """Add entries, or change those whose ids are there; what is there just so is left alone.

        Of several with one id the last one counts. Raises InvalidValueError for what is no entry, ProjectNotFoundError,
        and NotFoundError for a `document_id` that is none of the project's.
        """
        by_key = {entry_key(project_id, id_of(_checked(each.entry))): each for each in entries}
        if not all(_is_vector(each.vector) for each in entries):
            raise InvalidValueError(f"the vector of an entry is bytes, {_BYTES_A_NUMBER} for each of its numbers")
        await self._hold(project_id)
        states = await self._states(list(by_key))
        new = {key: each for key, each in by_key.items() if key not in states}
        other = {
            key: each
            for key, each in by_key.items()
            if key in states and not _is_there(states[key], each.entry, each.model)
        }
        await self._require_documents([*new.values(), *other.values()], project_id)
        await self._add(new, project_id)
        await self._change(other, project_id)
        return Put(len(new), len(other), len(by_key) - len(new) - len(other))

    async def delete(self, entry_id: str, project_id: str | None = None) -> None:
        """Delete one entry. Raises NotFoundError."""
        await self._hold(project_id)
        if not await self._delete(_DELETE_AMONG, project_id, keys=[entry_key(project_id, entry_id)]):
            raise NotFoundError("entry", entry_id)

    async def delete_all(self, project_id: str | None = None) -> int:
        """Delete all entries of a project, or all that everybody knows; tell how many they were."""
        await self._hold(project_id)
        return await self._delete(_DELETE_ALL, project_id)

    async def delete_source(self, source: str, project_id: str | None = None) -> int:
        """Delete what was imported from a source, with the documents of that name that were uploaded.

        Tells how many entries they were. Raises NotFoundError.
        """
        await self._hold(project_id)
        uploaded = await self._rows(_UPLOADED(project_id), of_source=source, **owner(project_id))
        number = await self._delete(_DELETE_SOURCE, project_id, of_source=source)
        if not number:
            raise NotFoundError("imported document", source)
        documents = [row.document_id for row in uploaded]
        for start in range(0, len(documents), AT_ONCE):
            part = documents[start : start + AT_ONCE]
            await self._write(_REMEMBER_UPLOADED, document_ids=part, deleted_at=now())
            await self._write(_DELETE_UPLOADED, document_ids=part)
        return number

    async def keep_only(self, source: str, ids: Collection[str], project_id: str | None = None) -> int:
        """Of what was imported from a file, not uploaded, keep the entries with these ids, and delete the others.

        Tells how many were deleted.
        """
        await self._hold(project_id)
        kept = frozenset(ids)
        found = await self._rows(_FROM_FILE(project_id), of_source=source, **owner(project_id))
        others = [row.entry_key for row in found if row.id not in kept]
        number = 0
        for start in range(0, len(others), AT_ONCE):
            number += await self._delete(_DELETE_AMONG, project_id, keys=others[start : start + AT_ONCE])
        return number

    async def _add(self, new: dict[str, Embedded], project_id: str | None) -> None:
        if not new:
            return
        keys = list(new)
        for start in range(0, len(keys), AT_ONCE):
            await self._write(_ARE_BACK, keys=keys[start : start + AT_ONCE])
        at = now()
        rows = [
            {
                "entry_key": key,
                "id": id_of(each.entry),
                "project_id": project_id,
                "scope": "global" if project_id is None else "project",
                "is_indexed": False,
                "created_at": at,
                "updated_at": at,
                **_values(each),
            }
            for key, each in new.items()
        ]
        if project_id is None:
            await self._write_many(_ADD, rows)
        else:
            await self._write_to_project(project_id, _ADD, rows)

    async def _change(self, other: dict[str, Embedded], project_id: str | None) -> None:
        at, of = now(), owner(project_id)
        rows = [
            {"key": key, "at": at, **of, **{f"new_{name}": value for name, value in _values(each).items()}}
            for key, each in other.items()
        ]
        await self._write_many(_CHANGE(project_id), rows)

    async def _hold(self, project_id: str | None) -> None:
        """Have other writes of this owner's entries wait for the end of this unit."""
        await self._session.hold("entries", *filter(None, [project_id]))

    async def _require_documents(self, changed: Sequence[Embedded], project_id: str | None) -> None:
        wanted = sorted({each.entry.document_id for each in changed if each.entry.document_id is not None})
        for start in range(0, len(wanted), AT_ONCE):
            part = wanted[start : start + AT_ONCE]
            rows = await self._rows(_PROJECTS_OF_DOCUMENTS, document_ids=part)
            there = {row.id for row in rows if row.project_id == project_id}
            for document_id in part:
                if document_id not in there:
                    raise NotFoundError("document", document_id)

    async def _delete(self, deletion: _Deletion, project_id: str | None, **parameters: Any) -> int:
        *before, statement = deletion(project_id)
        for each in before:
            await self._write(each, deleted_at=now(), **owner(project_id), **parameters)
        return await self._write(statement, **owner(project_id), **parameters)


def _values(embedded: Embedded) -> dict[str, Any]:
    entry = embedded.entry
    return {
        "content": entry.content,
        "category": entry.category,
        "source": entry.source,
        "document_id": entry.document_id,
        "details": plain_dict("details", entry.details),
        "text_hash": text_hash(entry.content),
        "model": embedded.model,
        "vector": embedded.vector,
    }


def _checked(entry: NewEntry) -> NewEntry:
    """The entry. Raises InvalidValueError where a text is something else."""
    for name in ("content", "category", "id", "source", "document_id"):
        value = getattr(entry, name)
        if not isinstance(value, str) and (value is not None or name in ("content", "category")):
            raise InvalidValueError(f"the {name} of an entry is a text, not {type(value).__name__}")
    return entry


def _is_vector(vector: object) -> bool:
    return isinstance(vector, bytes) and bool(vector) and len(vector) % _BYTES_A_NUMBER == 0


def _is_there(state: tuple[str, Entry], entry: NewEntry, model: str) -> bool:
    model_there, there = state
    return (model_there, there.content, there.category, there.source, there.document_id) == (
        model,
        entry.content,
        entry.category,
        entry.source,
        entry.document_id,
    ) and _stored(there.details) == _stored(entry.details)


def _stored(details: Mapping[Any, Any]) -> str:
    """Details as the text that is stored: 1 and True are equal, and the same time in two zones, but not the same."""
    try:
        return json.dumps(tagged_json.encode(plain_dict("details", details)))
    except TypeError as error:
        raise InvalidValueError(f"the details of an entry cannot be stored: {error}") from error
