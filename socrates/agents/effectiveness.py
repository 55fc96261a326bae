"""How well a question works with a person: one more answer to it."""

from datetime import datetime
from uuid import uuid4

from socrates.agents.base import News
from socrates.events import EventType
from socrates.events.payloads import LearningMetricsUpdated
from socrates.rules.learning import answer_quality, first_asked, tracked
from socrates.store import UnitOfWork
from socrates.views import QuestionEffectiveness


async def track(
    unit: UnitOfWork,
    news: News,
    *,
    user_id: str,
    question_id: str,
    role: str,
    answer_length: int,
    specs_extracted: int,
    at: datetime,
    quality: float | None = None,
) -> QuestionEffectiveness:
    """Count an answer of this person to this question, whose length is in characters.

    `quality` is from 0 to 1; without one it follows from the number of statements in the answer (mends D15). Finding
    and saving the record is one unit of work, so that no answer is lost (mends D79). Listeners to the member of the
    enum hear of it (mends D36).
    """
    found = await unit.learning.find_effectiveness(user_id, question_id)
    record = found or first_asked(str(uuid4()), user_id, question_id, role, at)
    how_good = answer_quality(specs_extracted) if quality is None else quality
    stored = await unit.learning.save_effectiveness(tracked(record, answer_length, specs_extracted, how_good, at))
    told = LearningMetricsUpdated(
        user_id=user_id,
        question_id=question_id,
        effectiveness_score=float(stored.effectiveness_score or 0),
        times_asked=stored.times_asked or 0,
        times_answered_well=stored.times_answered_well or 0,
    )
    news.tell(EventType.LEARNING_METRICS_UPDATED, told)
    return stored
