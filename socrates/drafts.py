"""What writes take where it is more than a few arguments: records that have no place in the database yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from socrates.views import ConflictField, ConflictSeverity


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to append; without a `timestamp` it gets the current time."""

    type: str
    content: str
    timestamp: datetime | None = None
    phase: str | None = None
    author: str | None = None
    question_number: int | None = None
    extra: Mapping[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewSpec:
    """A statement about the project to append to its phase; without a `timestamp` it gets the current time."""

    category: str
    content: str
    confidence: float | None = None
    value: float | None = None
    source_field: str | None = None
    timestamp: datetime | None = None
    extra: Mapping[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewMaturityEvent:
    """A change of a phase's score, in percent; without a `timestamp` it gets the current time."""

    phase: str
    score_before: float
    score_after: float
    event_type: str
    timestamp: datetime | None = None
    details: Mapping[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewConflict:
    """A statement that contradicts one that stands, for somebody to decide; without an `id` it gets a UUID."""

    field: ConflictField
    existing: str
    new: str
    severity: ConflictSeverity
    explanation: str = ""
    suggestions: tuple[str, ...] = ()
    existing_author: str | None = None
    new_author: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class NewEntry:
    """Something to know; without an `id` it gets one that is made of its content."""

    content: str
    category: str
    id: str | None = None
    source: str | None = None
    document_id: str | None = None
    details: Mapping[Any, Any] = field(default_factory=dict)
