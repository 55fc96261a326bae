"""What socratic_counselor is asked, and what it answers.

Where a response is `degraded`, a model failed and something else stands in its place; `warning` says what and why, in
sentences, and is empty otherwise.
"""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import AliasChoices, Field, model_validator

from socrates.agents.contracts.base import OfProject, Phase, Position, Response, Shown, Success, Text
from socrates.agents.contracts.conflicts import ConflictShown, Unchecked
from socrates.agents.contracts.insights import ConfirmedInsights
from socrates.rules.conflicts import CHOICES
from socrates.views import ConflictChoice


class GenerateQuestion(OfProject):
    action: Literal["generate_question"] = "generate_question"


class ExtractInsightsOnly(OfProject):
    action: Literal["extract_insights_only"] = "extract_insights_only"
    response: Text


class ProcessResponse(OfProject):
    """An answer, or the `answer_position` of one that is stored already and could not be analysed at its time.

    `pre_extracted_insights`, which somebody has confirmed, take the place of asking a model for them; keys that they do
    not know are left out.
    """

    action: Literal["process_response"] = "process_response"
    response: Text | None = None
    answer_position: Position | None = None
    pre_extracted_insights: ConfirmedInsights | None = None

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if (self.response is None) == (self.answer_position is None):
            raise ValueError("give either a response or the answer_position of one that is stored")
        return self


class AdvancePhase(OfProject):
    """Without `confirm` a phase that is not ready is left as it is, and the warnings come back.

    `from_phase` is the phase that the person means to leave: if the project is in another by now, nothing is done.
    """

    action: Literal["advance_phase"] = "advance_phase"
    from_phase: Phase | None = None
    confirm: bool = Field(default=False, validation_alias=AliasChoices("confirm", "force"))


class ToggleDynamicQuestions(OfProject):
    """v1 named neither a project nor a person: its switch was everybody's."""

    action: Literal["toggle_dynamic_questions"] = "toggle_dynamic_questions"


class ProvideHint(OfProject):
    """Beyond v1's agents. Without a `question` it is the last one of the project's phase."""

    action: Literal["provide_hint"] = "provide_hint"
    question: Text | None = None


class AnswerDirectly(OfProject):
    """Beyond v1's agents: the chat mode `direct`."""

    action: Literal["answer_directly"] = "answer_directly"
    question: Text


class InsightsShown(Shown):
    """What an answer states, by field. A `note` instead of statements: why it states nothing."""

    goals: tuple[str, ...]
    requirements: tuple[str, ...]
    tech_stack: tuple[str, ...]
    constraints: tuple[str, ...]
    team_structure: str
    note: str


class PhaseStanding(Shown):
    """The maturity of a phase in per cent: ready from 60 on, complete at 100."""

    phase: str
    score: float
    ready: bool
    complete: bool


class QuestionAsked(Success):
    """`question_number` counts from 1 within the phase; `position` is the place in the conversation.

    `question_id` is the question_template_id of the learning records.
    """

    question: str
    question_id: str
    phase: Phase
    question_number: int
    position: int
    degraded: bool
    warning: str


class InsightsExtracted(Success):
    insights: InsightsShown


class ResponseProcessed(Success):
    """The answer is stored at `answer_position`.

    Unless it is `analyzed`, nothing was found out about it, and the insights are empty; it can be analysed later by
    that position. `conflicts` are what it contradicts: those that are `blocking` hold their statements back until
    somebody decides by conflict_detector (`conflicts_pending`), by one of the `choices`. `unchecked` was stored without
    knowing whether it contradicts anything.
    """

    answer_position: int
    analyzed: bool
    insights: InsightsShown
    conflicts: tuple[ConflictShown, ...]
    conflicts_pending: bool
    choices: Mapping[ConflictChoice, str] = CHOICES
    unchecked: tuple[Unchecked, ...]
    maturity: PhaseStanding
    degraded: bool
    warning: str


class PhaseLeft(Success):
    """`warnings` are those that were confirmed, or that do not keep anybody from going on; the score is in per cent."""

    from_phase: Phase
    new_phase: Phase
    maturity_score: float
    warnings: tuple[str, ...]


class ConfirmationNeeded(Response):
    """Nothing was changed: repeat the request with `confirm` and this `from_phase` to go on all the same."""

    status: Literal["confirmation_needed"] = "confirmation_needed"
    from_phase: Phase
    new_phase: Phase
    maturity_score: float
    warnings: tuple[str, ...]


class DynamicQuestionsToggled(Success):
    """Whether a model asks this project's questions from now on."""

    dynamic_mode: bool


class HintProvided(Success):
    question: str
    hint: str
    phase: Phase
    degraded: bool
    warning: str


class AnsweredDirectly(Success):
    """`sources` are the ids of the entries of knowledge that the model was given. `truncated`: the end is missing."""

    answer: str
    sources: tuple[str, ...]
    truncated: bool
