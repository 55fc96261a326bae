"""Notes: records by id, with their tags in them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from socrates.errors import AlreadyExistsError, InvalidValueError, NotFoundError
from socrates.frozen import FrozenDict
from socrates.views import Note
from tests.stateful.model.state import BEFORE_ALL, Face, known, not_blank, page


class Notes(Face):
    def get(self, note_id: str) -> Note:
        if note_id not in self.state.notes:
            raise NotFoundError("note", note_id)
        return self.state.notes[note_id]

    def for_project(
        self,
        project_id: str,
        *,
        note_type: str | None = None,
        tag: str | None = None,
        limit: int | None = None,
        after: Note | None = None,
    ) -> tuple[Note, ...]:
        found = (note for note in self._of(project_id, note_type) if tag is None or tag in note.tags)
        return page(found, _place, limit, after)

    def search(
        self,
        project_id: str,
        text: str,
        *,
        note_type: str | None = None,
        limit: int | None = None,
        after: Note | None = None,
    ) -> tuple[Note, ...]:
        needle = not_blank(text)
        found = (
            note
            for note in self._of(project_id, note_type)
            if any(needle in part.casefold() for part in (note.title, note.content, note.note_type, *note.tags))
        )
        return page(found, _place, limit, after)

    def count(self, project_id: str) -> int:
        return len(self._of(project_id))

    def create(
        self,
        project_id: str,
        title: str,
        content: str,
        *,
        note_type: str = "general",
        created_by: str = "system",
        tags: Iterable[str] = (),
        note_id: str | None = None,
        created_at: datetime | None = None,
    ) -> Note:
        note_id = self.an_id(note_id)
        if note_id in self.state.notes:
            raise AlreadyExistsError(note_id)
        self.a_project(project_id)
        at = created_at or self.now
        note = Note(note_id, project_id, title, content, note_type, at, created_by, tuple(tags), FrozenDict())
        self.state.notes[note_id] = note
        return note

    def update(self, note_id: str, **changes: Any) -> Note:
        known(changes, ("title", "content", "note_type", "tags"))
        if not changes:
            raise InvalidValueError("nothing")
        if "tags" in changes:
            changes["tags"] = tuple(changes["tags"])
        self.state.notes[note_id] = replace(self.get(note_id), **changes)
        return self.state.notes[note_id]

    def delete(self, note_id: str) -> None:
        self.get(note_id)
        del self.state.notes[note_id]

    def _of(self, project_id: str, note_type: str | None = None) -> list[Note]:
        notes = self.state.notes.values()
        return [note for note in notes if note.project_id == project_id and note_type in (None, note.note_type)]


def _place(note: Note) -> tuple[datetime, str]:
    return note.created_at or BEFORE_ALL, note.id
