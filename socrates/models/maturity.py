"""How far a project's requirements have come. What v1 stored as NaN or infinity is NULL (rule V18)."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from socrates.models.base import (
    WITHOUT_ROWID,
    Base,
    Extra,
    ProjectKey,
    TaggedDict,
    TextList,
    position_check,
)


class PhaseMaturityScore(Base):
    """The maturity of one phase, in percent."""

    __tablename__ = "phase_maturity_scores"
    __table_args__ = WITHOUT_ROWID

    project_id: Mapped[ProjectKey]
    phase: Mapped[str] = mapped_column(primary_key=True)
    score: Mapped[float | None] = mapped_column(default=0.0)


class CategoryScore(Base):
    """The points that one category of a phase has, out of `target_score`."""

    __tablename__ = "category_scores"
    __table_args__ = WITHOUT_ROWID

    project_id: Mapped[ProjectKey]
    phase: Mapped[str] = mapped_column(primary_key=True)
    category: Mapped[str] = mapped_column(primary_key=True)
    current_score: Mapped[float | None]
    target_score: Mapped[float | None]
    confidence: Mapped[float | None]
    spec_count: Mapped[int | None]
    extra: Mapped[Extra]


class CategorizedSpec(Base):
    """One statement about the project, assigned to a category; `position` counts within the phase."""

    __tablename__ = "categorized_specs"
    __table_args__ = (position_check(), WITHOUT_ROWID)

    project_id: Mapped[ProjectKey]
    phase: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    category: Mapped[str]
    content: Mapped[str]
    confidence: Mapped[float | None]
    value: Mapped[float | None]
    source_field: Mapped[str | None]
    timestamp: Mapped[datetime | None]
    extra: Mapped[Extra]


class MaturityEvent(Base):
    """One change of a phase's score, in percent, and what caused it."""

    __tablename__ = "maturity_events"
    __table_args__ = (position_check(), WITHOUT_ROWID)

    project_id: Mapped[ProjectKey]
    position: Mapped[int] = mapped_column(primary_key=True)
    timestamp: Mapped[datetime | None]
    phase: Mapped[str]
    score_before: Mapped[float | None]
    score_after: Mapped[float | None]
    delta: Mapped[float | None]
    event_type: Mapped[str]
    details: Mapped[TaggedDict]
    extra: Mapped[Extra]


class AnalyticsMetrics(Base):
    """The running totals of one project; `velocity` is the mean gain per answer, in percentage points."""

    __tablename__ = "analytics_metrics"

    project_id: Mapped[ProjectKey]
    velocity: Mapped[float | None] = mapped_column(default=0.0)
    total_qa_sessions: Mapped[int | None] = mapped_column(default=0)
    avg_confidence: Mapped[float | None] = mapped_column(default=0.0)
    weak_categories: Mapped[TextList]
    strong_categories: Mapped[TextList]
    last_updated: Mapped[datetime | None]
    extra: Mapped[Extra]
