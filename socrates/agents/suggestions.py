"""The queue of what a project should know: how a suggestion comes into it, and is found there."""

from dataclasses import dataclass
from typing import Protocol

from socrates.agents.base import News
from socrates.errors import NotFoundError
from socrates.events import EventType
from socrates.events.payloads import KnowledgeSuggested
from socrates.repositories.knowledge import KnowledgeReads
from socrates.store import UnitOfWork
from socrates.views import Suggestion


class QueueReads(Protocol):
    """A store or a unit of work."""

    @property
    def knowledge(self) -> KnowledgeReads: ...


@dataclass(frozen=True, slots=True)
class Suggested:
    """A suggestion to be made; `agent` says what makes it."""

    project_id: str
    content: str
    category: str
    topic: str
    agent: str
    difficulty: str = "intermediate"
    reason: str = "insufficient_context"


async def suggest(unit: UnitOfWork, news: News, suggested: Suggested) -> Suggestion:
    """Put it into the project's queue, pending, and tell of it (mends D45: v1's queue was one for all projects)."""
    stored = await unit.knowledge.add_suggestion(
        suggested.project_id,
        suggested.content,
        suggested.category,
        topic=suggested.topic,
        difficulty=suggested.difficulty,
        reason=suggested.reason,
        agent=suggested.agent,
    )
    payload = KnowledgeSuggested(
        project_id=stored.project_id,
        content=stored.content,
        category=stored.category,
        topic=stored.topic,
        difficulty=stored.difficulty,
        reason=stored.reason,
    )
    news.tell(EventType.KNOWLEDGE_SUGGESTION, payload)
    return stored


async def is_suggested(reads: QueueReads, project_id: str, topic: str) -> bool:
    """Whether the project's queue has a suggestion on this topic, decided or not."""
    wanted = topic.casefold()
    return any(each.topic.casefold() == wanted for each in await reads.knowledge.suggestions(project_id, None))


async def suggestion_of(reads: QueueReads, project_id: str, suggestion_id: str) -> Suggestion:
    """A suggestion of this project; that of another is unknown here."""
    suggestion = await reads.knowledge.suggestion(suggestion_id)
    if suggestion.project_id != project_id:
        raise NotFoundError("suggestion", suggestion_id)
    return suggestion
