"""What was learned of people."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from socrates.frozen import FrozenDict


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
