"""What context_analyzer is asked, and what it answers."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from socrates.agents.contracts.base import Key, Limit, Line, OfProject, Position, Request, Shown, Success, Text
from socrates.views import MessageHit, SearchHit

EngagementLevel = Literal["low", "medium", "high"]


class Said(BaseModel):
    """A message of a conversation that is stored nowhere: who spoke is all that is looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    type: Line = Field(validation_alias=AliasChoices("type", "role"))


class AnalyzeContext(Request):
    """Of a project's conversation; of `conversation` where there is none."""

    action: Literal["analyze_context"] = "analyze_context"
    project_id: Key | None = None
    conversation: Annotated[tuple[Said, ...], Field(max_length=10_000)] = ()


class GetSummary(OfProject):
    action: Literal["get_summary"] = "get_summary"


class FindSimilar(Request):
    """In what everybody knows, and in what the project does."""

    action: Literal["find_similar"] = "find_similar"
    query: Text
    project_id: Key | None = None
    top_k: Annotated[int, Field(ge=1, le=100)] = 3


class SearchConversations(OfProject):
    """`before` is the index of the last hit of the page before: hits are the newest first."""

    action: Literal["search_conversations"] = "search_conversations"
    query: Line
    limit: Limit = 50
    before: Position | None = None


class GenerateSummary(OfProject):
    """Of the last `limit` messages; 0 and None stand for as many as a summary ever takes, the last 1,000."""

    action: Literal["generate_summary"] = "generate_summary"
    limit: Annotated[int, Field(ge=0, le=1000)] | None = 10


class GetStatistics(OfProject):
    action: Literal["get_statistics"] = "get_statistics"


class Analysis(Shown):
    """`topics_covered` are the categories about which something is known of the project."""

    question_count: int
    response_count: int
    topics_covered: tuple[str, ...]
    engagement_level: EngagementLevel


class KnowledgeShown(Shown):
    """What a search found. `score` is the cosine similarity, 1 is best (mends D76); no project: everybody knows it."""

    id: str
    content: str
    category: str
    project_id: str | None
    score: float

    @classmethod
    def of(cls, hit: SearchHit) -> "KnowledgeShown":
        """As responses show it."""
        entry = hit.entry
        return cls(
            id=entry.id, content=entry.content, category=entry.category, project_id=entry.project_id, score=hit.score
        )


class ContextAnalyzed(Success):
    """`searched` is false where there was nothing to search for, or nowhere: no goals, or no knowledge base.

    `suggestion_id` is the suggestion that was made as too little is known about the goals.
    """

    analysis: Analysis
    relevant_knowledge: tuple[KnowledgeShown, ...]
    searched: bool
    suggestion_id: str | None


class ContextSummary(Success):
    summary: str


class SimilarFound(Success):
    """The name of the field is v1's: they are entries of what is known."""

    similar_projects: tuple[KnowledgeShown, ...]


class MessageFound(Shown):
    """`index` is the place in the conversation, `role` who spoke: "user" or "assistant" (mends D18)."""

    index: int
    timestamp: datetime | None
    role: str
    content: str
    phase: str | None
    snippet: str

    @classmethod
    def of(cls, hit: MessageHit) -> "MessageFound":
        """As responses show it."""
        message = hit.message
        return cls(
            index=message.position,
            timestamp=message.timestamp,
            role=message.type,
            content=message.content,
            phase=message.phase,
            snippet=hit.snippet,
        )


class ConversationsFound(Success):
    results: tuple[MessageFound, ...]
    count: int
    query: str


class SummaryGenerated(Success):
    """`truncated`: its end is missing. `omitted` says for what of the project the prompt had no room."""

    summary: str
    truncated: bool
    omitted: tuple[str, ...]


class Statistics(Shown):
    """`collaborators` are the active members beside the owner; `progress` is in percent, None where nobody said."""

    project_name: str
    owner: str
    current_phase: str
    progress: int | None
    status: str
    created_at: datetime
    updated_at: datetime
    days_active: int
    collaborators: int
    requirements: int
    tech_stack: int
    constraints: int
    total_conversations: int
    questions_asked: int
    responses_given: int
    notes: int


class StatisticsGiven(Success):
    statistics: Statistics
