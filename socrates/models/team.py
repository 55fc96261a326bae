"""Who works on a project, and which questions wait for whom."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from socrates.models.base import WITHOUT_ROWID, Base, Extra, ProjectKey, TextList, position_check


class TeamMember(Base):
    """One person's place in one project. Inactive members are remembered, but have no access (rule V6)."""

    __tablename__ = "team_members"
    __table_args__ = (position_check(), Index(None, "username", "is_active"), WITHOUT_ROWID)

    project_id: Mapped[ProjectKey]
    username: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    skills: Mapped[TextList]
    joined_at: Mapped[datetime | None]
    is_active: Mapped[bool]
    position: Mapped[int]
    extra: Mapped[Extra]


class PendingQuestion(Base):
    """One question put to roles or people of the team; `status` is pending, answered or skipped."""

    __tablename__ = "pending_questions"
    __table_args__ = (position_check(), WITHOUT_ROWID)

    project_id: Mapped[ProjectKey]
    id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    question: Mapped[str]
    phase: Mapped[str]
    status: Mapped[str]
    assigned_to_roles: Mapped[TextList]
    assigned_to_users: Mapped[TextList]
    created_at: Mapped[datetime | None]
    answered_by: Mapped[str | None]
    answer: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    skipped_at: Mapped[datetime | None]
    extra: Mapped[Extra]
