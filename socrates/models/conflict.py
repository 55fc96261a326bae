"""Contradictions within a project that somebody has to decide."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from socrates.models.base import Base, Extra, TextList


class ProjectConflict(Base):
    """A statement of `new_author` that contradicts one that stands in the project, and what somebody decided.

    `field` is the list, or the goals, that both belong to. `choice` is None while `status` is "pending"; the columns
    after it say who decided and when, and `value` the statement that was written in the place of both.
    """

    __tablename__ = "project_conflicts"
    __table_args__ = (
        CheckConstraint("field IN ('goals', 'requirements', 'tech_stack', 'constraints')", name="field"),
        CheckConstraint("severity IN ('low', 'medium', 'high')", name="severity"),
        CheckConstraint("status IN ('pending', 'resolved')", name="status"),
        CheckConstraint("choice IN ('keep', 'replace', 'skip', 'manual')", name="choice"),
        CheckConstraint("(status = 'pending') = (choice IS NULL)", name="decision"),
        Index(None, "project_id", "status", "created_at", "id"),
        Index(None, "project_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    field: Mapped[str]
    existing: Mapped[str]
    new: Mapped[str]
    severity: Mapped[str]
    explanation: Mapped[str] = mapped_column(default="")
    suggestions: Mapped[TextList]
    existing_author: Mapped[str | None]
    new_author: Mapped[str | None]
    created_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(default="pending")
    choice: Mapped[str | None]
    value: Mapped[str | None]
    resolved_by: Mapped[str | None]
    resolved_at: Mapped[datetime | None]
    extra: Mapped[Extra]
