"""What learning is asked, and what it answers. People ask about themselves: `current_user` is v1's `user_id`.

Qualities, scores and confidences are from 0 to 1.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, TypeAdapter, ValidationError

from socrates.agents.contracts.base import Key, Line, OfProject, Request, Shown, Success, asker
from socrates.tagged_json import encode
from socrates.views import BehaviorPattern

Share = Annotated[float, Field(ge=0, le=1)]

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]

_A_KEY: TypeAdapter[str] = TypeAdapter(Key)


def template_id_of(question: dict[str, JsonValue]) -> str:
    """The id of a question that is offered: its `id`, or its `template_id`. Raises ValueError where it has none."""
    try:
        return _A_KEY.validate_python(question.get("id") or question.get("template_id"))
    except ValidationError:
        raise ValueError("a question has an id or a template_id, a text of 1 to 512 bytes") from None


def _with_an_id(question: dict[str, JsonValue]) -> dict[str, JsonValue]:
    template_id_of(question)
    return question


OfferedQuestion = Annotated[dict[str, JsonValue], AfterValidator(_with_an_id)]
"""A question to choose from; whatever it holds besides its id comes back with it."""


class TrackQuestionEffectiveness(Request):
    """Without an `answer_quality` it follows from the number of statements; `answer_length` in characters."""

    action: Literal["track_question_effectiveness"] = "track_question_effectiveness"
    current_user: Key = asker("user_id")
    question_template_id: Key
    role: Line = "general"
    answer_length: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    specs_extracted: Annotated[int, Field(ge=0, le=1000)] = 0
    answer_quality: Share | None = None


class LearnBehaviorPattern(Request):
    """The `confidence` is that of a habit seen for the first time; each further time is 0.1 surer."""

    action: Literal["learn_behavior_pattern"] = "learn_behavior_pattern"
    current_user: Key = asker("user_id")
    pattern_type: Key
    pattern_data: Annotated[dict[str, JsonValue], Field(default_factory=dict, max_length=100)]
    confidence: Share = 0.5
    project_id: Key | None = None


class RecommendNextQuestion(Request):
    action: Literal["recommend_next_question"] = "recommend_next_question"
    current_user: Key = asker("user_id")
    available_questions: Annotated[tuple[OfferedQuestion, ...], Field(max_length=1000)] = ()


class UploadKnowledgeDocument(OfProject):
    """A text of any type. Its size is measured, and limited by the setting max_document_mb."""

    action: Literal["upload_knowledge_document"] = "upload_knowledge_document"
    current_user: Key = asker("user_id")
    filename: Name
    content: str
    content_type: Name | None = None


class GetUserProfile(Request):
    action: Literal["get_user_profile"] = "get_user_profile"
    current_user: Key = asker("user_id")


class HintsShown(Shown):
    """How to speak to the user; `knowledge_gaps` and `strengths` in sentences."""

    question_complexity: Literal["simple", "moderate", "complex"]
    question_style: Literal["foundational", "synthesis", "challenging"]
    follow_up_strategy: Literal["scaffolded", "exploratory"]
    knowledge_gaps: tuple[str, ...]
    strengths: tuple[str, ...]


class PatternShown(Shown):
    """A habit. Values of its data that JSON lacks are written as socrates/tagged_json.py says."""

    id: str
    pattern_type: str
    pattern_data: dict[str, JsonValue]
    confidence: float | None
    learned_from_projects: tuple[str, ...]
    learned_at: datetime | None
    updated_at: datetime | None

    @classmethod
    def of(cls, pattern: BehaviorPattern) -> "PatternShown":
        """As the profile shows it."""
        return cls(
            id=pattern.id,
            pattern_type=pattern.pattern_type,
            pattern_data=encode(pattern.pattern_data),
            confidence=None if pattern.confidence is None else float(pattern.confidence),
            learned_from_projects=pattern.learned_from_projects,
            learned_at=pattern.learned_at,
            updated_at=pattern.updated_at,
        )


class EffectivenessShown(Shown):
    """How well one question works with the user; the length in characters."""

    question_template_id: str
    role: str | None
    times_asked: int | None
    times_answered_well: int | None
    average_answer_length: int | None
    average_spec_extraction_count: float | None
    effectiveness_score: float | None
    last_asked_at: datetime | None


class EffectivenessTracked(Success):
    effectiveness_score: float
    times_asked: int
    times_answered_well: int


class PatternLearned(Success):
    pattern_id: str
    confidence: float


class QuestionRecommended(Success):
    """Where none was offered, the question and its score are None (mends D81)."""

    recommended_question: dict[str, JsonValue] | None
    effectiveness_score: float | None
    times_asked: int
    reason: str


class DocumentUploaded(Success):
    """`file_size` in bytes."""

    document_id: str
    project_id: str
    filename: str
    file_size: int


class UserProfile(Success):
    """What is known of the user. `projects_completed` counts those that habits were learned from."""

    user_id: str
    behavior_patterns: tuple[PatternShown, ...]
    question_effectiveness: tuple[EffectivenessShown, ...]
    total_questions_asked: int
    total_answered_well: int
    overall_response_quality: float
    engagement_score: float
    learning_velocity: float
    experience_level: Literal["beginner", "intermediate", "advanced"]
    topics_explored: int
    projects_completed: int
    success_rate: float
    recommendation_confidence: float
    personalization_hints: HintsShown
