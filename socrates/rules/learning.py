"""What is learned of people: which questions work with them, their habits, how to speak to them (agents, 2.12, 5.5).

Qualities, scores and confidences are from 0 to 1.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from statistics import fmean
from typing import Literal

from socrates.errors import InvalidValueError
from socrates.frozen import FrozenDict, freeze
from socrates.views import BehaviorPattern, QuestionEffectiveness

_UNKNOWN = Decimal("0.5")
_GOOD_ANSWER = 0.6
_NEWEST, _EARLIER = Decimal("0.3"), Decimal("0.7")  # the weights of the moving averages
_CONFIRMATION = Decimal("0.1")
_EXTRACTED = ("goals", "requirements", "tech_stack", "constraints")
_QUESTIONS_IN_BANK = 5

_FEW_TOPICS = "Few topics so far: there is more to explore."
_WEAK_ANSWERS = "Answers often lead to nothing definite: smaller steps and examples may help."
_COMPREHENSION = "Understands well what is asked."
_TRAJECTORY = "Most questions lead to good answers."
_BROAD = "Knows about many topics."


@dataclass(frozen=True, slots=True)
class NextQuestion:
    """The question to ask next; without one to choose from, the first two are None."""

    question_template_id: str | None
    effectiveness_score: Decimal | None
    times_asked: int
    reason: str


@dataclass(frozen=True, slots=True)
class Hints:
    """How to speak to a user; `knowledge_gaps` and `strengths` in sentences."""

    question_complexity: Literal["simple", "moderate", "complex"]
    question_style: Literal["foundational", "synthesis", "challenging"]
    follow_up_strategy: Literal["scaffolded", "exploratory"]
    knowledge_gaps: tuple[str, ...]
    strengths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a user: counts, and figures from 0 to 1 with two decimals.

    `projects_completed` counts the projects that habits were learned from: none is marked as completed.
    """

    user_id: str
    total_questions_asked: int
    total_answered_well: int
    overall_response_quality: float
    topics_explored: int
    projects_completed: int
    engagement_score: float
    learning_velocity: float
    experience_level: Literal["beginner", "intermediate", "advanced"]
    success_rate: float
    recommendation_confidence: float
    personalization_hints: Hints


def bank_question_id(phase: str, question_number: int) -> str:
    """The template id of a question of the bank; they count from 1, and the one after the last serves all others.

    Mends D17: v1 took the beginning of a message for it, at times of the user's own.
    """
    return f"static:{phase}:{min(question_number, _QUESTIONS_IN_BANK + 1)}"


def generated_question_id(project_id: str, position: int) -> str:
    """The template id of a question made for one project; `position` is that of its message (mends D17)."""
    return f"project:{project_id}:{position}"


def count_extracted(insights: Mapping[str, object]) -> int:
    """How many statements were extracted from an answer.

    Mends D16: a text is one statement, whether it stands for goals or anything else; v1 counted its characters.
    """
    return sum(_statements(insights.get(field)) for field in _EXTRACTED)


def answer_quality(specs_extracted: int) -> float:
    """How good an answer is, by how many statements were extracted from it.

    Mends D15: v1 took 0.5 for every answer, which is not enough for a good one.
    """
    return min(1.0, 0.5 + 0.25 * specs_extracted) if specs_extracted else 0.3


def first_asked(id: str, user_id: str, question_template_id: str, role: str, now: datetime) -> QuestionEffectiveness:
    """The record of a question that the user has not answered yet."""
    return QuestionEffectiveness(
        id=id,
        user_id=user_id,
        question_template_id=question_template_id,
        role=role,
        times_asked=0,
        times_answered_well=0,
        average_answer_length=0,
        average_spec_extraction_count=Decimal(0),
        effectiveness_score=_UNKNOWN,
        last_asked_at=None,
        created_at=now,
        updated_at=now,
        extra=FrozenDict(),
    )


def tracked(
    record: QuestionEffectiveness, answer_length: int, specs_extracted: int, quality: float, now: datetime
) -> QuestionEffectiveness:
    """The record with one more answer, whose length is in characters.

    The averages move by 0.3 of the way to the newest value; that of the length loses its fraction each time. Counts of
    v1's that cannot be, more good answers than askings or less than none, do not take the score out of its range.
    """
    answered_well = specs_extracted > 0 and quality > _GOOD_ANSWER
    asked = max(record.times_asked or 0, 0) + 1
    well = max(record.times_answered_well or 0, 0) + answered_well
    return replace(
        record,
        times_asked=asked,
        times_answered_well=well,
        average_answer_length=int(_moved(record.average_answer_length, answer_length)),
        average_spec_extraction_count=_moved(record.average_spec_extraction_count, specs_extracted),
        effectiveness_score=min(Decimal(well) / asked, Decimal(1)),
        last_asked_at=now,
        updated_at=now,
    )


def next_question(question_template_ids: Iterable[str], records: Iterable[QuestionEffectiveness]) -> NextQuestion:
    """The question that worked best with the user; one without a record counts 0.5, and ties keep the order given.

    Mends D04: a question that never worked counts 0. Mends D69: each record is looked at once. Mends D81: what is
    returned has the same fields with questions and without.
    """
    by_id = {record.question_template_id: record for record in records}
    best = max(question_template_ids, key=lambda each: _score(by_id.get(each)), default=None)
    if best is None:
        return NextQuestion(None, None, 0, "There are no questions to choose from.")
    record = by_id.get(best)
    asked = (record.times_asked or 0) if record else 0
    score = _score(record)
    return NextQuestion(best, score, asked, f"It works in {score:.0%} of cases; it was asked {asked} times before.")


def new_pattern(
    id: str,
    user_id: str,
    pattern_type: str,
    pattern_data: Mapping[str, object],
    confidence: Decimal,
    project_id: str | None,
    now: datetime,
) -> BehaviorPattern:
    """A habit that is seen for the first time. Raises InvalidValueError for a confidence outside 0 to 1."""
    if not 0 <= confidence <= 1:
        raise InvalidValueError(f"the confidence of a habit is from 0 to 1, not {confidence}")
    return BehaviorPattern(
        id=id,
        user_id=user_id,
        pattern_type=pattern_type,
        pattern_data=freeze(dict(pattern_data)),
        confidence=confidence,
        learned_from_projects=() if project_id is None else (project_id,),
        learned_at=now,
        updated_at=now,
        extra=FrozenDict(),
    )


def confirmed(
    pattern: BehaviorPattern, pattern_data: Mapping[str, object], project_id: str | None, now: datetime
) -> BehaviorPattern:
    """The habit seen once more: 0.1 surer of it, with the new data over the old, key by key."""
    projects = pattern.learned_from_projects
    if project_id is not None and project_id not in projects:
        projects = (*projects, project_id)
    earlier = _UNKNOWN if pattern.confidence is None else pattern.confidence
    return replace(
        pattern,
        pattern_data=freeze({**pattern.pattern_data, **pattern_data}),
        confidence=min(Decimal(1), earlier + _CONFIRMATION),
        learned_from_projects=projects,
        updated_at=now,
    )


def profile(user_id: str, records: Sequence[QuestionEffectiveness], patterns: Sequence[BehaviorPattern]) -> Profile:
    """What is known of a user from the record of every question and from all habits.

    Mends D04: questions that never worked lower the quality.
    """
    asked = sum(record.times_asked or 0 for record in records)
    well = sum(record.times_answered_well or 0 for record in records)
    quality = round(fmean(_score(record) for record in records), 2) if records else 0.5
    topics = len({pattern.pattern_type for pattern in patterns})
    success_rate = well / asked if asked else 0.0
    velocity = max(0.0, success_rate - 0.5) * 2
    return Profile(
        user_id,
        total_questions_asked=asked,
        total_answered_well=well,
        overall_response_quality=quality,
        topics_explored=topics,
        projects_completed=len({project for pattern in patterns for project in pattern.learned_from_projects}),
        engagement_score=round(min(1.0, asked / 100), 2),
        learning_velocity=round(velocity, 2),
        experience_level=_experience(asked),
        success_rate=round(success_rate, 2),
        recommendation_confidence=round(0.7 * min(1.0, asked / 20) + 0.3 * (1 - abs(velocity - 0.5)), 2),
        personalization_hints=_hints(asked, well, quality, topics),
    )


def _statements(value: object) -> int:
    """How many statements one field of insights holds; blank ones are none."""
    if isinstance(value, list | tuple):
        return sum(_statements(item) for item in value)
    return 1 if value and str(value).strip() else 0


def _moved(average: Decimal | int | None, newest: int) -> Decimal:
    return _NEWEST * newest + _EARLIER * (average or 0)


def _score(record: QuestionEffectiveness | None) -> Decimal:
    """The record's score; 0.5 where nothing is known."""
    return _UNKNOWN if record is None or record.effectiveness_score is None else record.effectiveness_score


def _experience(asked: int) -> Literal["beginner", "intermediate", "advanced"]:
    if asked < 10:
        return "beginner"
    return "intermediate" if asked < 50 else "advanced"


def _hints(asked: int, well: int, quality: float, topics: int) -> Hints:
    gaps = ((topics < 3, _FEW_TOPICS), (quality < 0.5, _WEAK_ANSWERS))
    strengths = ((quality > 0.7, _COMPREHENSION), (well * 10 > asked * 6, _TRAJECTORY), (topics > 5, _BROAD))
    return Hints(
        question_complexity=_complexity(asked, quality),
        question_style=_style(quality, topics),
        follow_up_strategy="scaffolded" if quality < 0.5 else "exploratory",
        knowledge_gaps=tuple(text for holds, text in gaps if holds),
        strengths=tuple(text for holds, text in strengths if holds),
    )


def _complexity(asked: int, quality: float) -> Literal["simple", "moderate", "complex"]:
    if asked < 5:
        return "simple"
    return "complex" if quality > 0.7 else "moderate"


def _style(quality: float, topics: int) -> Literal["foundational", "synthesis", "challenging"]:
    if quality > 0.8:
        return "challenging"
    return "synthesis" if topics > 5 else "foundational"
