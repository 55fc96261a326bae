"""Notes of a project, with their tags: rows beside them, in order, the same tag twice if somebody wrote it twice."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import Any, Literal, TypedDict, Unpack, cast
from uuid import uuid4

from sqlalchemy import BindParameter, Row, Select, bindparam, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.sql.elements import ColumnElement

from socrates.caching import cached
from socrates.database.dependencies import Tag
from socrates.errors import InvalidValueError, NotFoundError
from socrates.frozen import FrozenDict, freeze
from socrates.models import ProjectNote, ProjectNoteTag
from socrates.models.functions import contains_folded
from socrates.repositories.base import Repository, folded, now, only_known, positive, table, text_list, utc, with_next
from socrates.repositories.cached_rows import NOTE, NOTE_TAGS, NOTES, rows_of
from socrates.repositories.deletions import remember
from socrates.repositories.upsert import upsert
from socrates.views import Note

Tags = list[str] | tuple[str, ...]
"""Tags in their order. Not any sequence: a lone text is one too."""


class NoteColumns(TypedDict, total=False):
    """What can be changed in a note's own row."""

    title: str
    content: str
    note_type: str


class NoteChanges(NoteColumns, total=False):
    """What one update can change; tags are given whole."""

    tags: Tags


_After = Literal["undated", "dated"]
"""Whether the note that a page follows has a time."""

_notes = table(ProjectNote)
_tags = table(ProjectNoteTag)
_COLUMNS = ("id", "project_id", "title", "content", "note_type", "created_at", "created_by", "extra")
_OLDEST_FIRST = (_notes.c.created_at.nulls_first(), _notes.c.id)
_PLACE = tuple_(_notes.c.created_at, _notes.c.id)
_LAST_PLACE = tuple_(bindparam("last_at", type_=_notes.c.created_at.type), bindparam("last_id"))

_GET = (
    select(*(_notes.c[name] for name in _COLUMNS), _tags.c.tag)
    .join_from(_notes, _tags, _tags.c.note_id == _notes.c.id, isouter=True)
    .where(_notes.c.id == bindparam("note_id"))
    .order_by(_tags.c.position)
)
_COUNT = select(func.count()).select_from(_notes).where(_notes.c.project_id == bindparam("project_id"))

_INSERT = insert(_notes)
_UPDATE = with_next(update(_notes).where(_notes.c.id == bindparam("note_id")))
_DELETE = delete(_notes).where(_notes.c.id == bindparam("note_id"))
_REMEMBER_DELETION = remember(("project_notes", select(_notes.c.id).where(_notes.c.id == bindparam("note_id"))))
_SAVE_TAGS = with_next(upsert(_tags, ("note_id", "position"), ("tag",)))
_CUT_TAGS = with_next(
    delete(_tags).where(_tags.c.note_id == bindparam("of_note"), _tags.c.position >= bindparam("length"))
)


@lru_cache(maxsize=64)
def _page(
    note_type: bool = False, tag: bool = False, needle: bool = False, limited: bool = False, after: _After | None = None
) -> Select[Any]:
    """The list of a project's notes with their tags, by its options."""
    conditions = [_notes.c.project_id == bindparam("project_id")]
    if note_type:
        conditions.append(_notes.c.note_type == bindparam("note_type"))
    if tag:
        conditions.append(_has_tag(_tags.c.tag == bindparam("tag")))
    if needle:
        conditions.append(_contains_needle())
    if after is not None:
        conditions.append(_follows(after))
    notes = select(*(_notes.c[name] for name in _COLUMNS)).where(*conditions)
    if limited:
        # The limit counts notes, not the rows that joining their tags gives.
        notes = notes.order_by(*_OLDEST_FIRST).limit(bindparam("count"))
    page = notes.subquery("page")
    return (
        select(*page.c, _tags.c.tag)
        .join_from(page, _tags, _tags.c.note_id == page.c.id, isouter=True)
        .order_by(page.c.created_at.nulls_first(), page.c.id, _tags.c.position)
    )


def _has_tag(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    # Not EXISTS: for that PostgreSQL would first look through the tags of everybody's notes.
    tag = select(_tags.c.note_id).where(_tags.c.note_id == _notes.c.id, condition).limit(1)
    return tag.scalar_subquery().is_not(None)


def _contains_needle() -> ColumnElement[bool]:
    needle: BindParameter[str] = bindparam("needle")
    own = (contains_folded(_notes.c[name], needle) for name in ("title", "content", "note_type"))
    return or_(*own, _has_tag(contains_folded(_tags.c.tag, needle)))


def _follows(after: _After) -> ColumnElement[bool]:
    if after == "dated":
        return _PLACE > _LAST_PLACE
    return or_(_notes.c.created_at.is_not(None), _notes.c.id > bindparam("last_id"))


def _is_whole(_project_id: str, **options: object) -> bool:
    return all(value is None for value in options.values())


def _listed(notes: Sequence[Note], project_id: str, **_options: object) -> Iterator[Tag]:
    """What the list of a project depends on: what comes and goes, and each note in it."""
    yield from NOTES(project_id)
    for note in notes:
        yield from NOTE(note.id)
        yield from NOTE_TAGS(note.id)


class NoteReads(Repository):
    """Reads of notes. Lists are oldest first, notes whose time is unknown before all. An unknown project has none."""

    @cached("notes.get", tags=rows_of(NOTE, NOTE_TAGS))
    async def get(self, note_id: str) -> Note:
        """One note. Raises NotFoundError."""
        await self._session.hold("note", note_id)
        notes = _with_tags(await self._rows(_GET, note_id=note_id))
        if not notes:
            raise NotFoundError("note", note_id)
        return notes[0]

    # Pages and choices are not cached: what a change moves into one cannot be told from what is in it.
    @cached("notes.for_project", tags=_listed, only=_is_whole)
    async def for_project(
        self,
        project_id: str,
        *,
        note_type: str | None = None,
        tag: str | None = None,
        limit: int | None = None,
        after: Note | None = None,
    ) -> tuple[Note, ...]:
        """A project's notes; only those of one type, only those with this very tag.

        For the next page give the last note of this one as `after`.
        """
        return await self._list({"project_id": project_id, "note_type": note_type, "tag": tag}, limit, after)

    async def search(
        self,
        project_id: str,
        text: str,
        *,
        note_type: str | None = None,
        limit: int | None = None,
        after: Note | None = None,
    ) -> tuple[Note, ...]:
        """The notes that contain `text` in their title, content, type or a tag, paged like `for_project`.

        Case makes no difference in any alphabet, by Unicode's full case folding: "straße" finds "STRASSE".
        """
        return await self._list(
            {"project_id": project_id, "note_type": note_type, "needle": folded(text)}, limit, after
        )

    async def count(self, project_id: str) -> int:
        """How many notes there are."""
        return int(await self._value(_COUNT, project_id=project_id))

    async def _list(self, filters: dict[str, str | None], limit: int | None, after: Note | None) -> tuple[Note, ...]:
        parameters: dict[str, Any] = {name: value for name, value in filters.items() if value is not None}
        options: dict[str, Any] = {name: True for name in parameters if name != "project_id"}
        if limit is not None:
            options["limited"] = True
            parameters["count"] = positive("limit", limit)
        if after is not None:
            options["after"] = "undated" if after.created_at is None else "dated"
            parameters |= {"last_id": after.id, "last_at": after.created_at}
        return _with_tags(await self._rows(_page(**options), **parameters))


class NoteRepository(NoteReads):
    """Reads and writes of notes, inside a unit of work."""

    async def create(
        self,
        project_id: str,
        title: str,
        content: str,
        *,
        note_type: str = "general",
        created_by: str = "system",
        tags: Tags = (),
        note_id: str | None = None,
        created_at: datetime | None = None,
    ) -> Note:
        """Add a note, by default with a UUID and the current time. Raises ProjectNotFoundError, AlreadyExistsError."""
        note = Note(
            id=str(uuid4()) if note_id is None else note_id,
            project_id=project_id,
            title=title,
            content=content,
            note_type=note_type,
            created_at=utc(created_at) or now(),
            created_by=created_by,
            tags=tuple(text_list("tags", tags)),
            extra=FrozenDict(),
        )
        await self._write_to_project(project_id, _INSERT, [{name: getattr(note, name) for name in _COLUMNS}])
        await self._save_tags(note.id, (), note.tags)
        return note

    async def update(self, note_id: str, **changes: Unpack[NoteChanges]) -> Note:
        """Write the columns given and the tags that differ. Returns the note as it is now.

        Raises NotFoundError, and InvalidValueError for nothing to change or what a note doesn't have.
        """
        only_known("note", changes, NoteChanges.__annotations__)
        if not changes:
            raise InvalidValueError("an update of a note needs something to change")
        stored = await self.get(note_id)
        columns: dict[str, Any] = {name: value for name, value in changes.items() if name != "tags"}
        tags = tuple(text_list("tags", changes["tags"])) if "tags" in changes else stored.tags
        if columns:
            await self._write(_UPDATE, note_id=note_id, **columns)
        await self._save_tags(note_id, stored.tags, tags)
        return replace(stored, **columns, tags=tags)

    async def delete(self, note_id: str) -> None:
        """Delete a note with its tags. Raises NotFoundError."""
        await self._write(_REMEMBER_DELETION, note_id=note_id, deleted_at=now())
        if not await self._write(_DELETE, note_id=note_id):
            raise NotFoundError("note", note_id)

    async def _save_tags(self, note_id: str, stored: Sequence[str], wanted: Sequence[str]) -> None:
        changed = [
            {"note_id": note_id, "position": position, "tag": tag}
            for position, tag in enumerate(wanted)
            if position >= len(stored) or stored[position] != tag
        ]
        await self._write_many(_SAVE_TAGS, changed)
        if len(stored) > len(wanted):
            await self._write(_CUT_TAGS, of_note=note_id, length=len(wanted))


def _with_tags(rows: Iterable[Row[Any]]) -> tuple[Note, ...]:
    """The notes in rows that lie together, one row per tag, or one without a tag."""
    return tuple(_note(list(group)) for _, group in groupby(rows, key=lambda row: row.id))


def _note(rows: Sequence[Row[Any]]) -> Note:
    values = rows[0]._asdict()
    del values["tag"]
    values["extra"] = cast(FrozenDict, freeze(values["extra"]))
    return Note(**values, tags=tuple(row.tag for row in rows if row.tag is not None))
