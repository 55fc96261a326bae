"""What reads return: frozen, without lists, safe to cache, to share between tasks and to send.

Times are aware UTC. A field that v1 wrote may be None where its number was NaN or its time unreadable (rules V4 and V18
of the v1 format); the types say where. `extra` holds what v1 wrote and no column knows.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from socrates.frozen import FrozenDict


@dataclass(frozen=True, slots=True)
class ProjectSummary:
    """A project as lists show it: one row, without what hangs on it. `progress` in percent."""

    id: str
    name: str
    owner: str
    phase: str
    status: str
    project_type: str
    chat_mode: str
    progress: int | None
    is_archived: bool
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime
    message_count: int
    version: int


@dataclass(frozen=True, slots=True)
class Member:
    """One person's place in one project. Inactive members have no access."""

    username: str
    role: str
    skills: tuple[str, ...]
    joined_at: datetime | None
    is_active: bool
    position: int
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class PendingQuestion:
    """One question put to people of the team; `status` is pending, answered or skipped."""

    id: str
    position: int
    question: str
    phase: str
    status: str
    assigned_to_roles: tuple[str, ...]
    assigned_to_users: tuple[str, ...]
    created_at: datetime | None
    answered_by: str | None
    answer: str | None
    answered_at: datetime | None
    skipped_at: datetime | None
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class PhaseScore:
    """The maturity of one phase, in percent."""

    phase: str
    score: float | None


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """The points that one category of a phase has, out of `target_score`; `confidence` from 0 to 1."""

    phase: str
    category: str
    current_score: float | None
    target_score: float | None
    confidence: float | None
    spec_count: int | None
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class Spec:
    """One statement about the project, assigned to a category; `position` counts within the phase."""

    phase: str
    position: int
    category: str
    content: str
    confidence: float | None
    value: float | None
    source_field: str | None
    timestamp: datetime | None
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class MaturityEvent:
    """One change of a phase's score, in percent, and what caused it."""

    position: int
    timestamp: datetime | None
    phase: str
    score_before: float | None
    score_after: float | None
    delta: float | None
    event_type: str
    details: FrozenDict
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class Analytics:
    """The running totals of one project; `velocity` is the mean gain per answer, in percentage points."""

    velocity: float | None
    total_qa_sessions: int | None
    avg_confidence: float | None
    weak_categories: tuple[str, ...]
    strong_categories: tuple[str, ...]
    last_updated: datetime | None
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class ProjectDetails:
    """A whole project without its conversation, notes and documents, as it was at one moment."""

    summary: ProjectSummary
    goals: str
    team_structure: str
    language_preferences: str
    deployment_target: str
    code_style: str
    extra: FrozenDict
    requirements: tuple[str, ...]
    tech_stack: tuple[str, ...]
    constraints: tuple[str, ...]
    members: tuple[Member, ...]
    pending_questions: tuple[PendingQuestion, ...]
    phase_scores: tuple[PhaseScore, ...]
    category_scores: tuple[CategoryScore, ...]
    specs: tuple[Spec, ...]
    maturity_events: tuple[MaturityEvent, ...]
    analytics: Analytics | None

    @property
    def id(self) -> str:
        return self.summary.id

    @property
    def version(self) -> int:
        """What `update` wants to see as `expected_version`."""
        return self.summary.version


@dataclass(frozen=True, slots=True)
class ProjectContext:
    """What a project is about, as prompts show it: nothing in it changes while people merely talk."""

    id: str
    name: str
    owner: str
    phase: str
    status: str
    project_type: str
    chat_mode: str
    goals: str
    team_structure: str
    language_preferences: str
    deployment_target: str
    code_style: str
    requirements: tuple[str, ...]
    tech_stack: tuple[str, ...]
    constraints: tuple[str, ...]


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


@dataclass(frozen=True, slots=True)
class User:
    """One person. The hash is there to be verified, and stays out of `repr`."""

    username: str
    passcode_hash: str = field(repr=False)
    created_at: datetime
    subscription_tier: str
    subscription_status: str
    subscription_start: datetime | None
    subscription_end: datetime | None
    questions_used_this_month: int | None
    usage_reset_date: datetime | None
    is_archived: bool
    archived_at: datetime | None
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a person's limits follow from; what is used of them counts elsewhere."""

    username: str
    subscription_tier: str
    subscription_status: str
    subscription_start: datetime | None
    subscription_end: datetime | None


@dataclass(frozen=True, slots=True)
class ArchivedUser:
    """An archived person in a list; `project_count` counts the projects owned."""

    username: str
    archived_at: datetime | None
    project_count: int


@dataclass(frozen=True, slots=True)
class Note:
    """One note of a project; `note_type` is design, bug, idea, task or general."""

    id: str
    project_id: str
    title: str
    content: str
    note_type: str
    created_at: datetime | None
    created_by: str
    tags: tuple[str, ...]
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class QuestionEffectiveness:
    """How well one question template works with one user; lengths in characters, the score from 0 to 1."""

    id: str
    user_id: str
    question_template_id: str
    role: str | None
    times_asked: int | None
    times_answered_well: int | None
    average_answer_length: int | None
    average_spec_extraction_count: Decimal | None
    effectiveness_score: Decimal | None
    last_asked_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class BehaviorPattern:
    """One habit of one user; `confidence` from 0 to 1."""

    id: str
    user_id: str
    pattern_type: str
    pattern_data: FrozenDict
    confidence: Decimal | None
    learned_from_projects: tuple[str, ...]
    learned_at: datetime | None
    updated_at: datetime | None
    extra: FrozenDict


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
class ProviderConfig:
    """One user's settings for one provider of language models."""

    id: str
    user_id: str
    provider: str
    is_default: bool
    enabled: bool
    settings: FrozenDict
    created_at: datetime | None
    updated_at: datetime | None
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One user's key for one provider, as stored: encrypted. Neither it nor its hash shows in `repr`."""

    id: str
    user_id: str
    provider: str
    encrypted_key: str = field(repr=False)
    key_hash: str = field(repr=False)
    created_at: datetime | None
    updated_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Usage:
    """One call of a language model; latency in milliseconds, cost in US dollars."""

    id: str
    user_id: str
    provider: str
    model: str
    timestamp: datetime | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    latency_ms: float | None
    cost: Decimal | None
    success: bool
    error_message: str | None
    request_id: str | None
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class UsageTotals:
    """The calls of one provider and model in one span of time, added up; the mean latency in milliseconds."""

    provider: str
    model: str
    calls: int
    failures: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost: Decimal
    mean_latency_ms: float | None


@dataclass(frozen=True, slots=True)
class UsageOfDay:
    """The calls of one day (UTC), added up; cost in US dollars."""

    day: date
    calls: int
    total_tokens: int
    cost: Decimal
