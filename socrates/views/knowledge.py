"""Documents and suggestions."""

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
