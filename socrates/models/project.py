"""A project, the root of nearly everything else, and the plain lists that describe it."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text, true
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from socrates.models.base import WITHOUT_ROWID, Base, Extra, ProjectKey, archive_index, children, position_check
from socrates.models.conflict import ProjectConflict
from socrates.models.conversation import ConversationMessage
from socrates.models.knowledge import KnowledgeDocument, KnowledgeEntry, KnowledgeSuggestion
from socrates.models.maturity import (
    AnalyticsMetrics,
    CategorizedSpec,
    CategoryScore,
    MaturityEvent,
    PhaseMaturityScore,
)
from socrates.models.note import ProjectNote
from socrates.models.team import PendingQuestion, TeamMember


class _ListItem:
    """The columns of an ordered list of texts."""

    project_id: Mapped[ProjectKey]
    position: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[str]

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        return (position_check(), WITHOUT_ROWID)


class ProjectRequirement(_ListItem, Base):
    """One thing that the project must do."""

    __tablename__ = "project_requirements"


class ProjectTechnology(_ListItem, Base):
    """One part of the project's tech stack."""

    __tablename__ = "project_tech_stack"


class ProjectConstraint(_ListItem, Base):
    """One limit that the project must keep to."""

    __tablename__ = "project_constraints"


class Project(Base):
    """One project; `progress` in percent.

    `version` counts saves and guards against lost updates; appending a message raises `message_count` alone. With
    `dynamic_questions` a model asks the project's questions, otherwise they are the static ones.
    """

    __tablename__ = "projects"
    __table_args__ = (
        CheckConstraint("message_count >= 0", name="message_count"),
        CheckConstraint("version >= 1", name="version"),
        Index(None, "owner", "is_archived", "updated_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    owner: Mapped[str]
    phase: Mapped[str]
    status: Mapped[str] = mapped_column(default="active")
    project_type: Mapped[str] = mapped_column(default="software")
    chat_mode: Mapped[str] = mapped_column(default="socratic")
    goals: Mapped[str] = mapped_column(default="")
    team_structure: Mapped[str] = mapped_column(default="individual")
    language_preferences: Mapped[str] = mapped_column(default="python")
    deployment_target: Mapped[str] = mapped_column(default="local")
    code_style: Mapped[str] = mapped_column(default="standard")
    progress: Mapped[int | None] = mapped_column(default=0)
    is_archived: Mapped[bool] = mapped_column(default=False)
    archived_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    message_count: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    extra: Mapped[Extra]
    dynamic_questions: Mapped[bool] = mapped_column(default=True, server_default=true())

    requirements: Mapped[list[ProjectRequirement]] = children(ProjectRequirement.position)
    tech_stack: Mapped[list[ProjectTechnology]] = children(ProjectTechnology.position)
    constraints: Mapped[list[ProjectConstraint]] = children(ProjectConstraint.position)
    messages: Mapped[list[ConversationMessage]] = children(ConversationMessage.position)
    team_members: Mapped[list[TeamMember]] = children(TeamMember.position)
    pending_questions: Mapped[list[PendingQuestion]] = children(PendingQuestion.position)
    phase_maturity_scores: Mapped[list[PhaseMaturityScore]] = children(PhaseMaturityScore.phase)
    category_scores: Mapped[list[CategoryScore]] = children(CategoryScore.phase, CategoryScore.category)
    categorized_specs: Mapped[list[CategorizedSpec]] = children(CategorizedSpec.phase, CategorizedSpec.position)
    maturity_events: Mapped[list[MaturityEvent]] = children(MaturityEvent.position)
    analytics_metrics: Mapped[AnalyticsMetrics | None] = children()
    notes: Mapped[list[ProjectNote]] = children(ProjectNote.created_at, ProjectNote.id)
    documents: Mapped[list[KnowledgeDocument]] = children(KnowledgeDocument.uploaded_at, KnowledgeDocument.id)
    knowledge: Mapped[list[KnowledgeEntry]] = children(KnowledgeEntry.created_at, KnowledgeEntry.id)
    suggestions: Mapped[list[KnowledgeSuggestion]] = children(KnowledgeSuggestion.created_at, KnowledgeSuggestion.id)
    conflicts: Mapped[list[ProjectConflict]] = children(ProjectConflict.created_at, ProjectConflict.id)


archive_index(Project.archived_at, Project.id)
