"""Documents, suggestions, and what is known."""

from dataclasses import dataclass, field
from datetime import datetime

from socrates.frozen import FrozenDict


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """A document as lists show it: without its text and vector. `file_size` in bytes, as the uploader stated it."""

    id: str
    project_id: str
    user_id: str
    filename: str
    file_size: int | None
    content_type: str | None
    uploaded_at: datetime | None
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class Document:
    """A document with its text."""

    summary: DocumentSummary
    content: str
    embedding: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A piece of knowledge that an agent missed; `status` is pending, approved or rejected."""

    id: str
    project_id: str
    content: str
    category: str
    topic: str
    difficulty: str
    reason: str
    agent: str
    status: str
    created_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class SuggestionCounts:
    """How many suggestions of one project are in each state."""

    pending: int
    approved: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is known: in one project, or by everybody where `project_id` is None.

    `source` is the name of the file that it comes from, and `document_id` the document where that was uploaded.
    """

    id: str
    project_id: str | None
    content: str
    category: str
    source: str | None
    document_id: str | None
    details: FrozenDict
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SearchHit:
    """An entry that a search found. `score` is the cosine similarity to the query: 1 is the same, 0 unrelated."""

    entry: Entry
    score: float


@dataclass(frozen=True, slots=True)
class ImportedDocument:
    """A document that was cut into entries; `document_id` is None where it was read from a file and not uploaded."""

    source: str
    project_id: str | None
    document_id: str | None
    chunks: int
    imported_at: datetime


@dataclass(frozen=True, slots=True)
class IndexedEntry:
    """What an index of vectors holds of an entry, once it `is_indexed`; `vector` is float32, little-endian."""

    entry_key: str
    project_id: str | None
    category: str
    source: str | None
    vector: bytes = field(repr=False)
    updated_at: datetime
    is_indexed: bool


@dataclass(frozen=True, slots=True)
class ProjectVectors:
    """The entries of a project by their keys, and their vectors one after another: float32, little-endian."""

    keys: tuple[str, ...]
    vectors: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EntryText:
    """The text of an entry that another model is to make a vector of."""

    entry_key: str
    project_id: str | None
    content: str
    updated_at: datetime
