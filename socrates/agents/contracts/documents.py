"""What document_agent is asked, and what it answers. Without a project a document is known to everybody."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import StringConstraints

from socrates.agents.contracts.base import Key, Request, Shown, Success

Path = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
"""A path inside the setting documents_root: relative to it, or absolute."""


class ImportFile(Request):
    action: Literal["import_file"] = "import_file"
    file_path: Path
    project_id: Key | None = None


class ImportDirectory(Request):
    action: Literal["import_directory"] = "import_directory"
    directory_path: Path
    project_id: Key | None = None
    recursive: bool = True


class ListDocuments(Request):
    action: Literal["list_documents"] = "list_documents"
    project_id: Key | None = None


class DeleteDocument(Request):
    """`source` as the list has it."""

    action: Literal["delete_document"] = "delete_document"
    source: Key
    project_id: Key | None = None


class FileImported(Success):
    """`entries_added` are the chunks that were stored now, `entries_unchanged` those that were there just so."""

    file_name: str
    file_path: str
    project_id: str | None
    words_extracted: int
    chunks_created: int
    entries_added: int
    entries_unchanged: int
    imported: bool = True


class FailedImport(Shown):
    """A file that was left out, by its path inside the directory, and why."""

    file: str
    reason: str


class DirectoryImported(Success):
    """`imported` is false where not one file could be."""

    directory: str
    project_id: str | None
    recursive: bool
    files_processed: int
    files_failed: int
    total_words_extracted: int
    total_chunks_created: int
    total_entries_stored: int
    failures: tuple[FailedImport, ...]
    imported: bool


class DocumentShown(Shown):
    """`document_id` is None where it was read from a file, and not uploaded."""

    source: str
    document_id: str | None
    chunks: int
    imported_at: datetime


class DocumentList(Success):
    project_id: str | None
    documents: tuple[DocumentShown, ...]
    count: int


class DocumentDeleted(Success):
    """`warning` tells that the index has not been told yet; searches do not find the document any more, even so."""

    source: str
    project_id: str | None
    entries_removed: int
    warning: str = ""
