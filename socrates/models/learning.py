"""What the system has learned about its users. Decimals keep every digit that v1 stored."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from socrates.models.base import Base, Extra, TaggedDict, TextList


class QuestionEffectiveness(Base):
    """How well one question template works with one user; lengths in characters, the score from 0 to 1."""

    __tablename__ = "question_effectiveness"
    __table_args__ = (UniqueConstraint("user_id", "question_template_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    question_template_id: Mapped[str]
    role: Mapped[str | None]
    times_asked: Mapped[int | None] = mapped_column(default=0)
    times_answered_well: Mapped[int | None] = mapped_column(default=0)
    average_answer_length: Mapped[int | None] = mapped_column(default=0)
    average_spec_extraction_count: Mapped[Decimal | None] = mapped_column(default=Decimal("0"))
    effectiveness_score: Mapped[Decimal | None] = mapped_column(default=Decimal("0.5"))
    last_asked_at: Mapped[datetime | None]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    extra: Mapped[Extra]


class BehaviorPattern(Base):
    """One habit of one user, such as the preferred length of answers; `confidence` from 0 to 1."""

    __tablename__ = "behavior_patterns"
    __table_args__ = (UniqueConstraint("user_id", "pattern_type"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    pattern_type: Mapped[str]
    pattern_data: Mapped[TaggedDict]
    confidence: Mapped[Decimal | None] = mapped_column(default=Decimal("0.5"))
    learned_from_projects: Mapped[TextList]
    learned_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    extra: Mapped[Extra]
