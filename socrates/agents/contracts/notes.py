"""What note_manager is asked, and what it answers."""

from datetime import datetime
from typing import Literal

from socrates.agents.contracts.base import Key, Limit, Line, OfProject, Request, Shown, Success, Text, asker
from socrates.views import Note

NoteType = Literal["design", "bug", "idea", "task", "general"]

_PREVIEW = 100
"""Characters of a note that a list shows (agents, 2.9)."""


class AddNote(OfProject):
    action: Literal["add_note"] = "add_note"
    current_user: Key = asker("created_by")
    note_type: NoteType
    title: Line
    content: Text
    tags: tuple[Line, ...] = ()


class ListNotes(OfProject):
    """`after` is the id of the last note of the page before."""

    action: Literal["list_notes"] = "list_notes"
    note_type: NoteType | None = None
    limit: Limit | None = None
    after: Key | None = None


class SearchNotes(OfProject):
    action: Literal["search_notes"] = "search_notes"
    query: Line
    limit: Limit | None = None


class UpdateNote(Request):
    """What is left out stays."""

    action: Literal["update_note"] = "update_note"
    note_id: Key
    note_type: NoteType | None = None
    title: Line | None = None
    content: Text | None = None
    tags: tuple[Line, ...] | None = None


class DeleteNote(Request):
    """The project is known from the note; where v1's callers name one, it must be that."""

    action: Literal["delete_note"] = "delete_note"
    note_id: Key
    project_id: Key | None = None


class NoteShown(Shown):
    """A note in a list; `preview` is its beginning."""

    note_id: str
    title: str
    type: str
    created_by: str
    created_at: datetime | None
    tags: tuple[str, ...]
    preview: str

    @classmethod
    def of(cls, note: Note) -> "NoteShown":
        """As lists show it."""
        beginning = note.content if len(note.content) <= _PREVIEW else f"{note.content[:_PREVIEW]}..."
        return cls(
            note_id=note.id,
            title=note.title,
            type=note.note_type,
            created_by=note.created_by,
            created_at=note.created_at,
            tags=note.tags,
            preview=beginning,
        )


class NoteSaved(Success):
    """`message` is for people."""

    message: str
    note: NoteShown


class NoteList(Success):
    notes: tuple[NoteShown, ...]
    count: int


class NotesFound(Success):
    query: str
    results: tuple[NoteShown, ...]
    count: int


class NoteDeleted(Success):
    """`message` is for people."""

    message: str
    note_id: str
