"""The classes that v1 kept its records in: it pickled them as dicts and built them again on every load."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

PHASES = ("discovery", "analysis", "design", "implementation")


@dataclass
class TeamMemberRole:
    """A member of a team; after a reload v1 had plain dicts in its place."""

    username: str
    role: str
    skills: list[str]
    joined_at: datetime


@dataclass
class ProjectContext:
    """A whole project, its conversation included. Its times are naive."""

    project_id: str
    name: str
    owner: str
    phase: str
    created_at: datetime
    updated_at: datetime
    collaborators: list[str] | None = None
    goals: str = ""
    requirements: list[str] | None = None
    tech_stack: list[str] | None = None
    constraints: list[str] | None = None
    team_structure: str = "individual"
    language_preferences: str = "python"
    deployment_target: str = "local"
    code_style: str = "standard"
    conversation_history: list[dict[str, Any]] | None = None
    chat_mode: str = "socratic"
    is_archived: bool = False
    archived_at: datetime | None = None
    progress: int = 0
    status: str = "active"
    project_type: str = "software"
    team_members: list[TeamMemberRole | dict[str, Any]] | None = None
    pending_questions: list[dict[str, Any]] | None = None
    notes: list[Any] | None = None
    phase_maturity_scores: dict[str, float] | None = None
    category_scores: dict[str, dict[str, Any]] | None = None
    categorized_specs: dict[str, list[dict[str, Any]]] | None = None
    maturity_history: list[dict[str, Any]] | None = None
    analytics_metrics: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self.collaborators = self.collaborators or []
        for name in ("requirements", "tech_stack", "constraints", "conversation_history", "pending_questions"):
            if getattr(self, name) is None:
                setattr(self, name, [])
        if self.team_members is None:
            lead = TeamMemberRole(self.owner, "lead", [], self.created_at)
            others = [TeamMemberRole(name, "creator", [], datetime.now()) for name in self.collaborators]
            self.team_members = [lead, *others]
        if self.notes is None:
            self.notes = []
        if self.phase_maturity_scores is None:
            self.phase_maturity_scores = dict.fromkeys(PHASES, 0.0)
        if self.category_scores is None:
            self.category_scores = {}
        if self.categorized_specs is None:
            self.categorized_specs = {}
        if self.maturity_history is None:
            self.maturity_history = []
        if self.analytics_metrics is None:
            self.analytics_metrics = {
                "velocity": 0.0,
                "total_qa_sessions": 0,
                "avg_confidence": 0.0,
                "weak_categories": [],
                "strong_categories": [],
                "last_updated": None,
            }


@dataclass
class User:
    """An account with its subscription."""

    username: str
    passcode_hash: str
    created_at: datetime
    projects: list[str]
    is_archived: bool = False
    archived_at: datetime | None = None
    subscription_tier: str = "free"
    subscription_status: str = "active"
    subscription_start: datetime | None = None
    subscription_end: datetime | None = None
    questions_used_this_month: int = 0
    usage_reset_date: datetime | None = None

    def __post_init__(self) -> None:
        if self.subscription_start is None:
            self.subscription_start = datetime.now()
        if self.usage_reset_date is None:
            self.usage_reset_date = _next_month(datetime.now())

    def increment_question_usage(self) -> None:
        """Count a question; a month that is over is reset first."""
        now = datetime.now()
        if self.usage_reset_date is not None and now >= self.usage_reset_date:
            self.questions_used_this_month = 0
            self.usage_reset_date = _next_month(now)
        self.questions_used_this_month += 1


def _next_month(now: datetime) -> datetime:
    return datetime(now.year + now.month // 12, now.month % 12 + 1, 1)


@dataclass
class ProjectNote:
    """A note of a project."""

    note_id: str
    project_id: str
    title: str
    content: str
    note_type: str = "general"
    created_at: datetime = field(default_factory=datetime.now)
    created_by: str = "system"
    tags: list[str] = field(default_factory=list)

    def matches(self, query: str) -> bool:
        """Say whether the title, the content, the type or a tag contains the query, whatever the case."""
        wanted = query.lower()
        texts = (self.title, self.content, self.note_type, *self.tags)
        return any(wanted in text.lower() for text in texts)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class QuestionEffectiveness:
    """How well a user answers a question."""

    id: str
    user_id: str
    question_template_id: str
    role: str | None = None
    times_asked: int = 0
    times_answered_well: int = 0
    average_answer_length: int = 0
    average_spec_extraction_count: Decimal = Decimal("0.0")
    effectiveness_score: Decimal = Decimal("0.5")
    last_asked_at: datetime | None = None
    created_at: datetime = field(default_factory=_now)
    updated_at: datetime = field(default_factory=_now)


@dataclass
class UserBehaviorPattern:
    """Something learned about how a user works."""

    id: str
    user_id: str
    pattern_type: str
    pattern_data: dict[str, Any]
    confidence: Decimal = Decimal("0.5")
    learned_from_projects: list[str] = field(default_factory=list)
    learned_at: datetime = field(default_factory=_now)
    updated_at: datetime = field(default_factory=_now)


@dataclass
class KnowledgeBaseDocument:
    """A document that a user uploaded."""

    id: str
    project_id: str
    user_id: str
    filename: str
    file_size: int = 0
    content_type: str | None = None
    content: str = ""
    embedding: bytes | None = None
    uploaded_at: datetime = field(default_factory=_now)


@dataclass
class LLMProviderConfig:
    """A user's settings for a provider of language models."""

    id: str
    provider: str
    user_id: str
    is_default: bool = False
    enabled: bool = True
    created_at: datetime = field(default_factory=datetime.now)
    updated_at: datetime = field(default_factory=datetime.now)
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass
class APIKeyRecord:
    """A user's key for a provider: the one record that v1 kept in columns alone."""

    id: str
    user_id: str
    provider: str
    encrypted_key: str
    key_hash: str
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None = None


@dataclass
class LLMUsageRecord:
    """One call of a language model."""

    id: str
    user_id: str
    provider: str
    model: str
    timestamp: datetime
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    latency_ms: float = 0.0
    cost: float = 0.0
    success: bool = True
    error_message: str | None = None
    request_id: str | None = None
