"""Documents as parts of what is known: imported from files, listed, removed."""

from asyncio import to_thread
from collections.abc import Callable
from os.path import realpath
from pathlib import Path
from typing import TYPE_CHECKING

from socrates.agents.access import Reads, require_member, require_user, require_writer
from socrates.agents.base import Agent, News, action
from socrates.agents.contracts.documents import (
    DeleteDocument,
    DirectoryImported,
    DocumentDeleted,
    DocumentList,
    DocumentShown,
    FailedImport,
    FileImported,
    ImportDirectory,
    ImportFile,
    ListDocuments,
)
from socrates.agents.failures import RefusedError
from socrates.agents.indexing import catch_up
from socrates.errors import ConfigurationError
from socrates.events import EventType
from socrates.events.payloads import DocumentImported, DocumentsIndexed, Progress
from socrates.store import UnitOfWork

if TYPE_CHECKING:
    from socrates.knowledge.documents import ImportedDirectory, ImportedFile, Permit

_STEPS = 100
"""How often the progress of a directory is told at most: listeners have better things to do than count files."""


class DocumentAgent(Agent):
    """Whoever may write to a project adds to what it knows; what everybody knows is for administrators.

    Files are read from the setting `documents_root` only (mends D67), and nothing is imported without it: a request may
    come from anywhere. An import takes no place in the order of the project, whose talk it would hold up for minutes.
    """

    name = "document_agent"

    @action
    async def import_file(self, request: ImportFile) -> FileImported:
        """Import one file; again, where it was imported before, and then only what is new of it."""
        await self._require_importer(self._store, request.project_id, request.current_user)
        file = self._place(request.file_path)
        imported = await self._services.known.documents.import_file(
            file, request.project_id, permit=self._permit(request.project_id, request.current_user)
        )
        await self._tell_imported(imported, request.project_id, request.current_user)
        return FileImported(
            file_name=imported.source,
            file_path=request.file_path,
            project_id=request.project_id,
            words_extracted=imported.words,
            chunks_created=imported.chunks,
            entries_added=_stored(imported),
            entries_unchanged=imported.put.unchanged,
        )

    @action
    async def import_directory(self, request: ImportDirectory) -> DirectoryImported:
        """Import the files of a directory, several at once; one that cannot be imported stops no other."""
        project_id, username = request.project_id, request.current_user
        await self._require_importer(self._store, project_id, username)
        directory = self._place(request.directory_path)
        imported = await self._services.known.documents.import_directory(
            directory,
            project_id,
            recursive=request.recursive,
            permit=self._permit(project_id, username),
            progress=self._progress(project_id),
        )
        for file in imported.files:
            await self._tell_imported(file, project_id, username)
        stored = sum(map(_stored, imported.files))
        payload = DocumentsIndexed(
            project_id=project_id,
            user_id=username,
            files_processed=len(imported.files),
            files_failed=len(imported.failures),
            entries_added=stored,
        )
        await self._emit(EventType.DOCUMENTS_INDEXED, payload)
        return DirectoryImported(
            directory=request.directory_path,
            project_id=project_id,
            recursive=request.recursive,
            files_processed=len(imported.files),
            files_failed=len(imported.failures),
            total_words_extracted=sum(file.words for file in imported.files),
            total_chunks_created=sum(file.chunks for file in imported.files),
            total_entries_stored=stored,
            failures=await _failures(imported, directory),
            imported=bool(imported.files),
        )

    @action
    async def list_documents(self, request: ListDocuments) -> DocumentList:
        """What was imported and uploaded, by source (mends D20)."""
        if request.project_id is None:
            await require_user(self._store, request.current_user)
        else:
            await require_member(self._store, request.project_id, request.current_user)
        found = await self._store.knowledge_entries.documents(request.project_id)
        shown = tuple(map(DocumentShown.model_validate, found))
        return DocumentList(project_id=request.project_id, documents=shown, count=len(shown))

    @action
    async def delete_document(self, request: DeleteDocument) -> DocumentDeleted:
        """Remove what came from one source: for the project's owner, and for who uploaded it (mends D20)."""
        known = self._services.known

        async def work(unit: UnitOfWork, _news: News) -> int:
            await self._require_remover(unit, request)
            return await unit.knowledge_entries.delete_source(request.source, request.project_id)

        number = await self._store_and_tell(work)
        return DocumentDeleted(
            source=request.source,
            project_id=request.project_id,
            entries_removed=number,
            warning=await catch_up(known),
        )

    async def _require_importer(self, reads: Reads, project_id: str | None, username: str) -> None:
        """Somebody who may add to what a project knows, or everybody does. Raises RefusedError."""
        if project_id is not None:
            await require_writer(reads, project_id, username)
            return
        await require_user(reads, username)
        if username not in self._store.settings.administrators:
            raise RefusedError(
                "FORBIDDEN", "only administrators change what everybody knows: name a project of yours", "project_id"
            )

    def _permit(self, project_id: str | None, username: str) -> "Permit":
        """Asks again where a file is stored: it can take minutes until then."""

        async def permit(unit: UnitOfWork) -> None:
            await self._require_importer(unit, project_id, username)

        return permit

    async def _require_remover(self, unit: UnitOfWork, request: DeleteDocument) -> None:
        """The project's owner, or whoever uploaded the document; an administrator for what everybody knows."""
        project_id, username = request.project_id, request.current_user
        await self._require_importer(unit, project_id, username)
        if project_id is None or (await unit.projects.summary(project_id)).owner == username:
            return
        if not await _is_uploader(unit, project_id, request.source, username):
            raise RefusedError(
                "FORBIDDEN", "only the project's owner and whoever uploaded a document remove it", "current_user"
            )

    def _place(self, path: str) -> Path:
        """The path, inside the root if it is relative. That it does not lead out, is seen to where it is opened."""
        root = self._store.settings.documents_root
        if root is None:
            raise ConfigurationError(
                "documents are imported from one directory only, and none is set: set SOCRATES_DOCUMENTS_ROOT to it"
            )
        return root / path

    def _progress(self, project_id: str | None) -> Callable[[int, int], None]:
        """Tells how many files are done, in at most so many steps."""
        told = 0

        def progress(done: int, total: int) -> None:
            nonlocal told
            step = done * _STEPS // total
            if step > told:
                told = step
                payload = Progress(project_id=project_id, operation="import_directory", done=done, total=total)
                self._services.emitter.emit(*self._signed(EventType.PROGRESS_UPDATE, payload))

        return progress

    async def _tell_imported(self, file: "ImportedFile", project_id: str | None, username: str) -> None:
        payload = DocumentImported(
            project_id=project_id,
            user_id=username,
            file_name=file.source,
            words_extracted=file.words,
            chunks_created=file.chunks,
            entries_added=_stored(file),
        )
        await self._emit(EventType.DOCUMENT_IMPORTED, payload)


def _stored(file: "ImportedFile") -> int:
    """How many of its chunks were stored now (mends D32: v1 counted what it had tried)."""
    return file.put.added + file.put.changed


async def _failures(imported: "ImportedDirectory", directory: Path) -> tuple[FailedImport, ...]:
    """What was left out, by paths that tell nothing of where the directory lies."""
    if not imported.failures:
        return ()
    place = await to_thread(realpath, directory)
    return tuple(
        FailedImport(file=failed.path.relative_to(place).as_posix(), reason=failed.reason)
        for failed in imported.failures
    )


async def _is_uploader(unit: UnitOfWork, project_id: str, source: str, username: str) -> bool:
    """Whether all that has this name was uploaded by this person. Who imported a file, nobody has written down."""
    uploaded = await unit.knowledge.documents_of_project(project_id)
    theirs = {document.id for document in uploaded if document.user_id == username}
    named = [each for each in await unit.knowledge_entries.documents(project_id) if each.source == source]
    return all(each.document_id in theirs for each in named)
