"""Documents of what is known: imported from files, uploaded, listed and removed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count, islice
from os import PathLike
from pathlib import Path, PureWindowsPath
from uuid import uuid4

from socrates.drafts import NewEntry
from socrates.errors import DocumentError, InvalidValueError
from socrates.knowledge.documents.chunks import chunks, count_words
from socrates.knowledge.documents.files import Refused, found_in, read
from socrates.knowledge.documents.reading import PARSED_TYPES, TYPES, decoded, parsed, require_size, suffix_of
from socrates.knowledge.embeddings import Embeddings, Progress, no_progress
from socrates.knowledge.upkeep import Upkeep
from socrates.models.knowledge import IMPORTED
from socrates.repositories.knowledge_entries import Put, id_of
from socrates.store import Store, UnitOfWork
from socrates.views import DocumentSummary, ImportedDocument

FILES_AT_ONCE = 8
"""Files of a directory that are in work at the same time, and in memory: at most some 30 MB each."""

PARSERS_AT_ONCE = 2
"""Processes that parse documents at the same time: each can take a core, and much memory."""


Permit = Callable[[UnitOfWork], Awaitable[None]]
"""Asked in each unit of work that stores; it raises where that is not allowed, or not any more."""


async def permitted(_unit: UnitOfWork) -> None:
    """Allow everything."""


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """What became of a file: the name its chunks have as their source, its words, its chunks, and what was stored."""

    source: str
    words: int
    chunks: int
    put: Put


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file of a directory that could not be imported, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class ImportedDirectory:
    """What became of the files of a directory, each in the order of their paths."""

    files: tuple[ImportedFile, ...]
    failures: tuple[FailedFile, ...]


@dataclass(frozen=True, slots=True)
class _Cut:
    words: int
    chunks: list[str]


class Documents:
    """Documents as parts of what is known, in a project or by everybody (`project_id` None).

    Each is cut into chunks of some 500 words, which are found like any other entry, of the category
    "imported_document". What may be read, and how much, is in the settings `documents_root`, `max_document_mb` (of the
    file, and of its text) and `max_document_chunks`: beyond them is an InvalidValueError, and nothing is stored.
    """

    def __init__(self, store: Store, embeddings: Embeddings, upkeep: Upkeep) -> None:
        """Use `KnowledgeBase.documents`."""
        settings = store.settings
        self._store = store
        self._embeddings = embeddings
        self._upkeep = upkeep
        self._root = settings.documents_root
        self._max_bytes = int(settings.max_document_mb * 1_000_000)
        self._max_chunks = settings.max_document_chunks
        self._parsers = asyncio.Semaphore(PARSERS_AT_ONCE)

    async def import_file(
        self,
        path: str | PathLike[str],
        project_id: str | None = None,
        *,
        permit: Permit = permitted,
        progress: Progress = no_progress,
    ) -> ImportedFile:
        """Import a text (.txt .md .code .py .js .java .cpp), a PDF or a Word document (.docx).

        Its chunks have the file's name, without directories, as their source, and replace those of a file of this name
        that was imported before; chunks that are the same cost nothing. `progress` counts chunks.

        Raises InvalidValueError for another type and beyond a limit, DocumentError where the text cannot be read or
        there is none, ProjectNotFoundError, and what `permit` raises.
        """
        await self._require_project(project_id)
        file = _path(path)
        imported = await self._import(file, file.name, project_id, permit, progress)
        await self._upkeep.catch_up()
        return imported

    async def import_directory(
        self,
        path: str | PathLike[str],
        project_id: str | None = None,
        *,
        recursive: bool = True,
        permit: Permit = permitted,
        progress: Progress = no_progress,
    ) -> ImportedDirectory:
        """Import the files of a directory that are of the types of `import_file`; others are passed over.

        Their source is the path inside the directory, with "/". One that cannot be imported stops no other. `progress`
        counts files. They are found by searches when the call returns; where it raises, with the next addition.

        Raises InvalidValueError for what is no directory, ProjectNotFoundError, and what `permit` raises.
        """
        await self._require_project(project_id)
        directory, found = await asyncio.to_thread(found_in, _path(path), self._root, TYPES, recursive)
        outcomes: list[ImportedFile | FailedFile | None] = [None] * len(found)
        places = iter(enumerate(found))
        done = count(1)

        async def work() -> None:
            for place, file in places:
                outcomes[place] = await self._outcome(file, directory, project_id, permit)
                progress(next(done), len(found))

        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(FILES_AT_ONCE):
                    workers.create_task(work())
        except ExceptionGroup as several:
            # One is enough to end all of them, and what callers expect.
            raise several.exceptions[0] from several
        await self._upkeep.catch_up()
        return ImportedDirectory(
            tuple(each for each in outcomes if isinstance(each, ImportedFile)),
            tuple(each for each in outcomes if isinstance(each, FailedFile)),
        )

    async def upload(
        self,
        project_id: str,
        user_id: str,
        filename: str,
        content: str | bytes,
        *,
        content_type: str | None = None,
        permit: Permit = permitted,
    ) -> DocumentSummary:
        """Add a document to a project: a text, or the bytes of a file of the types of `import_file`.

        Document and chunks are stored together, or nothing is. Of `filename` the part after the last slash counts, and
        is the source of the chunks. Raises as `import_file` does.
        """
        await self._require_project(project_id)
        source = _base_name(filename)
        size = require_size(source, content, self._max_bytes)
        text = await self._text(source, content) if isinstance(content, bytes) else content
        if "\0" in text:
            raise DocumentError(f"{source} is no text: it holds NUL characters")
        document_id = str(uuid4())
        cut = await self._cut(source, text)
        entries = _entries(_of_document(document_id), source, cut.chunks, document_id)
        embedded = await self._embeddings.embedded(entries)
        async with self._store.begin() as unit:
            await permit(unit)
            document = await unit.knowledge.add_document(
                project_id,
                user_id,
                source,
                text,
                content_type=content_type,
                file_size=size,
                document_id=document_id,
            )
            await unit.knowledge_entries.put(embedded, project_id)
        await self._upkeep.catch_up()
        return document

    async def index_uploaded(self, project_id: str) -> int:
        """Have a project's documents found that were uploaded before documents were; tell how many they are.

        Those without a text stay as they are. Raises ProjectNotFoundError, and, when all others are done,
        InvalidValueError for documents that have too many chunks.
        """
        await self._require_project(project_id)
        known = {each.document_id for each in await self.list(project_id)}
        unknown = [
            each for each in await self._store.knowledge.documents_of_project(project_id) if each.id not in known
        ]
        refused: list[InvalidValueError] = []
        number = 0
        for document in unknown:
            try:
                number += await self._index(document)
            except InvalidValueError as error:
                refused.append(error)
        await self._upkeep.catch_up()
        if refused:
            raise InvalidValueError(f"{number} documents are found now, and {len(refused)} not: {refused[0]}")
        return number

    async def list(self, project_id: str | None = None) -> tuple[ImportedDocument, ...]:
        """What was imported and uploaded, by source."""
        return await self._store.knowledge_entries.documents(project_id)

    async def remove(self, source: str, project_id: str | None = None) -> int:
        """Remove what was imported from a source, and the documents of that name that were uploaded.

        Tells how many chunks they had. Raises NotFoundError.
        """
        async with self._store.begin() as unit:
            number = await unit.knowledge_entries.delete_source(source, project_id)
        await self._upkeep.catch_up()
        return number

    async def _require_project(self, project_id: str | None) -> None:
        """Before minutes of work for a project that is not there."""
        if project_id is not None:
            await self._store.projects.summary(project_id)

    async def _outcome(
        self, file: Path | Refused, directory: Path, project_id: str | None, permit: Permit
    ) -> ImportedFile | FailedFile:
        if isinstance(file, Refused):
            return FailedFile(file.path, file.reason)
        try:
            return await self._import(file, file.relative_to(directory).as_posix(), project_id, permit, no_progress)
        except (DocumentError, InvalidValueError) as error:
            return FailedFile(file, str(error))

    async def _import(
        self, file: Path, source: str, project_id: str | None, permit: Permit, progress: Progress
    ) -> ImportedFile:
        suffix_of(file)
        data = await asyncio.to_thread(read, file, self._root, self._max_bytes)
        cut = await self._cut(source, await self._text(source, data))
        entries = _entries(_of_file(source), source, cut.chunks)
        new = await self._store.knowledge_entries.changed(entries, project_id, self._embeddings.model)
        embedded = await self._embeddings.embedded(new, progress)
        async with self._store.begin() as unit:
            await permit(unit)
            put = await unit.knowledge_entries.put(embedded, project_id)
            # v1's chunks of the file, which were taken over, have ids of their own.
            await unit.knowledge_entries.keep_only(source, [id_of(entry) for entry in entries], project_id)
        unchanged = len(entries) - put.added - put.changed
        return ImportedFile(source, cut.words, len(entries), Put(put.added, put.changed, unchanged))

    async def _index(self, summary: DocumentSummary) -> bool:
        """Make the entries of a stored document; tell whether it has any."""
        document = await self._store.knowledge.document(summary.id)
        if not document.content.strip():
            return False
        cut = await self._cut(summary.filename, document.content)
        entries = _entries(_of_document(summary.id), summary.filename, cut.chunks, summary.id)
        embedded = await self._embeddings.embedded(entries)
        async with self._store.begin() as unit:
            await unit.knowledge_entries.put(embedded, summary.project_id)
        return True

    async def _text(self, name: str, data: bytes) -> str:
        suffix = suffix_of(name)
        if suffix not in PARSED_TYPES:
            return await asyncio.to_thread(decoded, name, data)
        async with self._parsers:
            return await parsed(name, suffix, data, self._max_bytes)

    async def _cut(self, name: str, text: str) -> _Cut:
        """Raises InvalidValueError for too many chunks, and DocumentError for none."""
        cut = await asyncio.to_thread(_cut, text, self._max_chunks + 1)
        if len(cut.chunks) > self._max_chunks:
            raise InvalidValueError(
                f"{name} has more than {self._max_chunks} chunks, the most that one document may have: import it in "
                "parts, or raise SOCRATES_MAX_DOCUMENT_CHUNKS"
            )
        if not cut.chunks:
            raise DocumentError(f"{name} holds no text; of a scanned PDF, import what a text recognition makes of it")
        return cut


def _path(path: str | PathLike[str]) -> Path:
    if not isinstance(path, str | PathLike):
        raise InvalidValueError(f"a path is a text or a Path, not {type(path).__name__}")
    return Path(path)


def _base_name(filename: str) -> str:
    """The last part of a name, whose slashes are those of any system."""
    name = PureWindowsPath(filename).name if isinstance(filename, str) else ""
    if name.strip(" .") == "":
        raise InvalidValueError(f"{filename!r} is no name of a file")
    return name


def _cut(text: str, most: int) -> _Cut:
    return _Cut(count_words(text), list(islice(chunks(text), most)))


def _of_file(source: str) -> str:
    return f"file:{source}"


def _of_document(document_id: str) -> str:
    return f"document:{document_id}"


def _entries(origin: str, source: str, parts: Sequence[str], document_id: str | None = None) -> list[NewEntry]:
    """The chunks as entries, whose ids stay the same when the same document is imported again."""
    return [
        NewEntry(
            part,
            IMPORTED,
            id=f"{origin}#{number}",
            source=source,
            document_id=document_id,
            details={"source": source, "chunk": number, "total_chunks": len(parts)},
        )
        for number, part in enumerate(parts, 1)
    ]
