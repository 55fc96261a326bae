"""Projects, and what hangs on them."""

from dataclasses import dataclass
from datetime import datetime

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
    dynamic_questions: bool = True

    @property
    def id(self) -> str:
        return self.summary.id

    @property
    def version(self) -> int:
        """What `update` wants to see as `expected_version`."""
        return self.summary.version


@dataclass(frozen=True, slots=True)
class ProjectContext:
    """What a project is about, as prompts show it: nothing in it changes while people merely talk.

    With `dynamic_questions` a model asks its questions, otherwise they are the static ones.
    """

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
    dynamic_questions: bool = True


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
