"""How projects and their parts are shown. Other agents show the same parts by the same models.

What v1 wrote and no column knows, `extra`, is in none of them. A number or a time that v1 lost is None.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import JsonValue

from socrates import tagged_json
from socrates.agents.contracts.base import Shown
from socrates.views import (
    Analytics,
    CategoryScore,
    MaturityEvent,
    Member,
    Message,
    Note,
    ProjectDetails,
    ProjectSummary,
    Spec,
)


class ProjectListed(Shown):
    """A project in a list. `status` says, as in v1's lists, whether it is archived; `project_status` how it goes."""

    project_id: str
    name: str
    owner: str
    phase: str
    project_type: str
    status: Literal["active", "archived"]
    project_status: str
    progress: int | None
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    version: int

    @classmethod
    def of(cls, project: ProjectSummary) -> "ProjectListed":
        """As lists show it."""
        return cls(
            project_id=project.id,
            name=project.name,
            owner=project.owner,
            phase=project.phase,
            project_type=project.project_type,
            status="archived" if project.is_archived else "active",
            project_status=project.status,
            progress=project.progress,
            created_at=project.created_at,
            updated_at=project.updated_at,
            archived_at=project.archived_at,
            version=project.version,
        )


class MemberShown(Shown):
    """One active person of a team."""

    username: str
    role: str
    skills: tuple[str, ...]
    joined_at: datetime | None
    is_owner: bool

    @classmethod
    def of(cls, member: Member, owner: str) -> "MemberShown":
        """In a project of this owner."""
        return cls(
            username=member.username,
            role=member.role,
            skills=member.skills,
            joined_at=member.joined_at,
            is_owner=member.username == owner,
        )


def team(project: ProjectSummary, members: Sequence[Member]) -> tuple[MemberShown, ...]:
    """The team in order of joining; an owner whom v1 did not put into it comes first, as its lead."""
    shown = tuple(MemberShown.of(member, project.owner) for member in members if member.is_active)
    if any(member.is_owner for member in shown):
        return shown
    owner = MemberShown(username=project.owner, role="lead", skills=(), joined_at=project.created_at, is_owner=True)
    return (owner, *shown)


class MessageShown(Shown):
    """One message; `type` says who spoke ("user", "assistant"), `position` counts from 0."""

    position: int
    type: str
    content: str
    timestamp: datetime | None
    phase: str | None
    author: str | None
    question_number: int | None


class PendingQuestionShown(Shown):
    """One question put to people of the team; `status` is pending, answered or skipped."""

    id: str
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


class SpecShown(Shown):
    """One statement about the project, assigned to a category; `confidence` from 0 to 1."""

    category: str
    content: str
    confidence: float | None
    value: float | None
    source_field: str | None
    timestamp: datetime | None


class CategoryScoreShown(Shown):
    """The points that one category of a phase has, out of `target_score`; `confidence` from 0 to 1."""

    current_score: float | None
    target_score: float | None
    confidence: float | None
    spec_count: int | None


class MaturityEventShown(Shown):
    """One change of a phase's score, in per cent, and what caused it. `details` is tagged JSON."""

    timestamp: datetime | None
    phase: str
    score_before: float | None
    score_after: float | None
    delta: float | None
    event_type: str
    details: dict[str, JsonValue]

    @classmethod
    def of(cls, event: MaturityEvent) -> "MaturityEventShown":
        """With its details as JSON can hold them."""
        return cls(
            timestamp=event.timestamp,
            phase=event.phase,
            score_before=event.score_before,
            score_after=event.score_after,
            delta=event.delta,
            event_type=event.event_type,
            details=tagged_json.encode(event.details),
        )


class AnalyticsShown(Shown):
    """The running totals of one project; a new one has these."""

    velocity: float | None = 0.0
    total_qa_sessions: int | None = 0
    avg_confidence: float | None = 0.0
    weak_categories: tuple[str, ...] = ()
    strong_categories: tuple[str, ...] = ()
    last_updated: datetime | None = None

    @classmethod
    def of(cls, analytics: Analytics | None) -> "AnalyticsShown":
        """The same fields at all times (mends D81)."""
        return cls() if analytics is None else cls.model_validate(analytics)


class NoteWithText(Shown):
    """One note, whole."""

    note_id: str
    title: str
    content: str
    note_type: str
    created_by: str
    created_at: datetime | None
    tags: tuple[str, ...]

    @classmethod
    def of(cls, note: Note) -> "NoteWithText":
        """As a project shows it."""
        return cls(
            note_id=note.id,
            title=note.title,
            content=note.content,
            note_type=note.note_type,
            created_by=note.created_by,
            created_at=note.created_at,
            tags=note.tags,
        )


class ProjectShown(Shown):
    """A whole project, as it was at one moment but for its messages and notes. Maturity is shown by phase, in per cent.

    `conversation_history` is a page of it, oldest first, and `message_count` counts all. `version` is what
    `update_project` takes as `expected_version`.
    """

    project_id: str
    name: str
    owner: str
    phase: str
    project_type: str
    project_status: str
    chat_mode: str
    dynamic_questions: bool
    goals: str
    requirements: tuple[str, ...]
    tech_stack: tuple[str, ...]
    constraints: tuple[str, ...]
    team_structure: str
    language_preferences: str
    deployment_target: str
    code_style: str
    progress: int | None
    is_archived: bool
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int
    team_members: tuple[MemberShown, ...]
    pending_questions: tuple[PendingQuestionShown, ...]
    phase_maturity_scores: dict[str, float | None]
    category_scores: dict[str, dict[str, CategoryScoreShown]]
    categorized_specs: dict[str, tuple[SpecShown, ...]]
    maturity_history: tuple[MaturityEventShown, ...]
    analytics_metrics: AnalyticsShown
    conversation_history: tuple[MessageShown, ...]
    message_count: int
    notes: tuple[NoteWithText, ...]

    @classmethod
    def of(
        cls, project: ProjectDetails, messages: Sequence[Message] = (), notes: Sequence[Note] = ()
    ) -> "ProjectShown":
        """The project with these of its messages and notes."""
        summary = project.summary
        return cls(
            project_id=summary.id,
            name=summary.name,
            owner=summary.owner,
            phase=summary.phase,
            project_type=summary.project_type,
            project_status=summary.status,
            chat_mode=summary.chat_mode,
            dynamic_questions=project.dynamic_questions,
            goals=project.goals,
            requirements=project.requirements,
            tech_stack=project.tech_stack,
            constraints=project.constraints,
            team_structure=project.team_structure,
            language_preferences=project.language_preferences,
            deployment_target=project.deployment_target,
            code_style=project.code_style,
            progress=summary.progress,
            is_archived=summary.is_archived,
            archived_at=summary.archived_at,
            created_at=summary.created_at,
            updated_at=summary.updated_at,
            version=summary.version,
            team_members=team(summary, project.members),
            pending_questions=tuple(map(PendingQuestionShown.model_validate, project.pending_questions)),
            phase_maturity_scores={score.phase: score.score for score in project.phase_scores},
            category_scores=_scores(project.category_scores),
            categorized_specs=_specs(project.specs),
            maturity_history=tuple(map(MaturityEventShown.of, project.maturity_events)),
            analytics_metrics=AnalyticsShown.of(project.analytics),
            conversation_history=tuple(map(MessageShown.model_validate, messages)),
            message_count=summary.message_count,
            notes=tuple(map(NoteWithText.of, notes)),
        )


def _scores(scores: Sequence[CategoryScore]) -> dict[str, dict[str, CategoryScoreShown]]:
    by_phase: defaultdict[str, dict[str, CategoryScoreShown]] = defaultdict(dict)
    for score in scores:
        by_phase[score.phase][score.category] = CategoryScoreShown.model_validate(score)
    return dict(by_phase)


def _specs(specs: Sequence[Spec]) -> dict[str, tuple[SpecShown, ...]]:
    by_phase: defaultdict[str, list[SpecShown]] = defaultdict(list)
    for spec in specs:
        by_phase[spec.phase].append(SpecShown.model_validate(spec))
    return {phase: tuple(of_phase) for phase, of_phase in by_phase.items()}
