"""What question_queue is asked, and what it answers."""

from typing import Literal

from socrates.agents.contracts.base import Key, OfProject, Phase, Success, Text, asker
from socrates.agents.contracts.projects import PendingQuestionShown


class AddQuestion(OfProject):
    """Without a `phase`, the question belongs to the one that the project is in."""

    action: Literal["add_question"] = "add_question"
    question: Text
    phase: Phase | None = None


class GetUserQuestions(OfProject):
    """`username` is whose questions; without it, the asker's."""

    action: Literal["get_user_questions"] = "get_user_questions"
    username: Key | None = None


class AnswerQuestion(OfProject):
    action: Literal["answer_question"] = "answer_question"
    current_user: Key = asker("username")
    question_id: Key
    answer: Text


class SkipQuestion(OfProject):
    action: Literal["skip_question"] = "skip_question"
    question_id: Key


class GetQueueStatus(OfProject):
    action: Literal["get_queue_status"] = "get_queue_status"


class QuestionAdded(Success):
    """`assigned_to` are the names of those who are asked; `message` is for people."""

    message: str
    question_id: str
    assigned_to: tuple[str, ...]
    question: PendingQuestionShown


class UserQuestions(Success):
    """What somebody has to answer."""

    username: str
    questions: tuple[PendingQuestionShown, ...]
    total: int


class QuestionSettled(Success):
    """`message` is for people."""

    message: str
    question: PendingQuestionShown


class QueueStatus(Success):
    """`completion_rate` is the share of all questions that were answered, in percent; skipped ones were not."""

    total_questions: int
    pending: int
    answered: int
    skipped: int
    completion_rate: float
