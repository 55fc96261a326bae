"""Notes of a project: add, list, search, change, delete."""

from socrates.agents.access import require_member, require_user, require_writer
from socrates.agents.base import Agent, News, action
from socrates.agents.contracts.notes import (
    AddNote,
    DeleteNote,
    ListNotes,
    NoteDeleted,
    NoteList,
    NoteSaved,
    NotesFound,
    NoteShown,
    SearchNotes,
    UpdateNote,
)
from socrates.agents.failures import RefusedError
from socrates.errors import NotFoundError, ProjectNotFoundError
from socrates.events import EventType
from socrates.events.payloads import OfNote
from socrates.store import UnitOfWork
from socrates.views import Note


class NoteManager(Agent):
    """Members of a project read its notes and write new ones; a note is changed by its author or the owner."""

    name = "note_manager"

    @action
    async def add_note(self, request: AddNote) -> NoteSaved:
        """Add a note, signed by who adds it."""

        async def work(unit: UnitOfWork, news: News) -> NoteSaved:
            await require_writer(unit, request.project_id, request.current_user)
            note = await unit.notes.create(
                request.project_id,
                request.title,
                request.content,
                note_type=request.note_type,
                created_by=request.current_user,
                tags=request.tags,
            )
            news.tell(EventType.NOTE_ADDED, _payload(note, request.current_user))
            return NoteSaved(message=f"added: {note.title}", note=NoteShown.of(note))

        return await self._store_and_tell(work)

    @action
    async def list_notes(self, request: ListNotes) -> NoteList:
        """The project's notes, oldest first."""
        await require_member(self._store, request.project_id, request.current_user)
        after = None if request.after is None else await self._store.notes.get(request.after)
        if after is not None and after.project_id != request.project_id:
            raise NotFoundError("note", request.after)
        notes = await self._store.notes.for_project(
            request.project_id, note_type=request.note_type, limit=request.limit, after=after
        )
        shown = tuple(map(NoteShown.of, notes))
        return NoteList(notes=shown, count=len(shown))

    @action
    async def search_notes(self, request: SearchNotes) -> NotesFound:
        """The notes with this text in their title, content, type or a tag; the database filters (mends D52)."""
        await require_member(self._store, request.project_id, request.current_user)
        notes = await self._store.notes.search(request.project_id, request.query, limit=request.limit)
        shown = tuple(map(NoteShown.of, notes))
        return NotesFound(query=request.query, results=shown, count=len(shown))

    @action
    async def update_note(self, request: UpdateNote) -> NoteSaved:
        """Change what is given."""
        changes = request.model_dump(include={"note_type", "title", "content", "tags"}, exclude_none=True)
        if not changes:
            raise RefusedError("INVALID_REQUEST", "give a title, content, note_type or tags to change", "title")

        async def work(unit: UnitOfWork, news: News) -> NoteSaved:
            await self._own_note(unit, request.note_id, request.current_user)
            note = await unit.notes.update(request.note_id, **changes)
            news.tell(EventType.NOTE_UPDATED, _payload(note, request.current_user))
            return NoteSaved(message=f"changed: {note.title}", note=NoteShown.of(note))

        return await self._store_and_tell(work)

    @action
    async def delete_note(self, request: DeleteNote) -> NoteDeleted:
        """Delete a note; an unknown one is refused (mends D33)."""

        async def work(unit: UnitOfWork, news: News) -> NoteDeleted:
            note = await self._own_note(unit, request.note_id, request.current_user)
            if request.project_id not in (None, note.project_id):
                raise NotFoundError("note", request.note_id)
            await unit.notes.delete(note.id)
            news.tell(EventType.NOTE_DELETED, _payload(note, request.current_user))
            return NoteDeleted(message=f"deleted: {note.title}", note_id=note.id)

        return await self._store_and_tell(work)

    @staticmethod
    async def _own_note(unit: UnitOfWork, note_id: str, username: str) -> Note:
        """A note that this person may change."""
        await require_user(unit, username)  # first, so that nobody and the archived learn of no id either
        note = await unit.notes.get(note_id)
        try:
            project = await require_writer(unit, note.project_id, username)
        except ProjectNotFoundError:
            # As for an id that is nobody's: whose note it is, is none of the asker's business.
            raise NotFoundError("note", note_id) from None
        if username not in (note.created_by, project.owner):
            raise RefusedError("FORBIDDEN", "only a note's author and the project's owner change it", "current_user")
        return note


def _payload(note: Note, username: str) -> OfNote:
    return OfNote(project_id=note.project_id, user_id=username, note_id=note.id)
