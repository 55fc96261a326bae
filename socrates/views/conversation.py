"""Messages."""

from dataclasses import dataclass
from datetime import datetime

from socrates.frozen import FrozenDict


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; `type` says who spoke ("user", "assistant"), `position` counts from 0."""

    project_id: str
    position: int
    type: str
    content: str
    timestamp: datetime | None
    phase: str | None
    author: str | None
    question_number: int | None
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class MessageHit:
    """A message that a search found; `snippet` is the part around the first match."""

    message: Message
    snippet: str
