"""What knowledge_manager is asked, and what it answers. Every queue is that of a project (mends D45)."""

from datetime import datetime
from typing import Literal

from socrates.agents.contracts.base import Key, Limit, Line, OfProject, Shown, Success, Text

Difficulty = Literal["beginner", "intermediate", "advanced"]


class SuggestKnowledge(OfProject):
    """`topic` is by default the category; `agent_name` says what suggests it, where it is not a person."""

    action: Literal["suggest_knowledge"] = "suggest_knowledge"
    content: Text
    category: Line
    topic: Line | None = None
    difficulty: Difficulty = "intermediate"
    reason: Line = "insufficient_context"
    agent_name: Line = "person"


class GetSuggestions(OfProject):
    """`after` is the id of the last suggestion of the page before."""

    action: Literal["get_suggestions"] = "get_suggestions"
    status: Literal["pending", "approved", "rejected", "all"] = "pending"
    limit: Limit | None = None
    after: Key | None = None


class ApproveSuggestion(OfProject):
    action: Literal["approve_suggestion"] = "approve_suggestion"
    suggestion_id: Key


class RejectSuggestion(OfProject):
    action: Literal["reject_suggestion"] = "reject_suggestion"
    suggestion_id: Key


class GetQueueStatus(OfProject):
    action: Literal["get_queue_status"] = "get_queue_status"


class ClearSuggestions(OfProject):
    action: Literal["clear_suggestions"] = "clear_suggestions"
    keep_pending: bool = True


class SuggestionShown(Shown):
    """`decided_at` and `decided_by` are None while it is pending."""

    id: str
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


class SuggestionSaved(Success):
    """`message` is for people."""

    message: str
    suggestion: SuggestionShown


class SuggestionList(Success):
    suggestions: tuple[SuggestionShown, ...]
    count: int


class SuggestionApproved(Success):
    """`entry_id` is the id of what is known now; `warning` tells that the index does not have it yet.

    `message` is for people.
    """

    message: str
    suggestion: SuggestionShown
    entry_id: str
    warning: str = ""


class QueueStatus(Success):
    pending: int
    approved: int
    rejected: int
    total: int


class SuggestionsCleared(Success):
    cleared: int
