"""The next question of a project: what it costs, who words it, how it is stored."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from socrates.agents.access import require_writer
from socrates.agents.base import News, ended
from socrates.agents.contracts.dialogue import QuestionAsked
from socrates.agents.failures import RefusedError
from socrates.agents.phases import known_phase
from socrates.agents.services import Services
from socrates.drafts import NewMessage
from socrates.errors import LLMError
from socrates.events import EventType
from socrates.events.payloads import QuestionGenerated
from socrates.llm.briefing import brief
from socrates.llm.caller import Caller
from socrates.llm.fallbacks import static_question
from socrates.repositories.conversations import END, ConversationReads
from socrates.rules.learning import bank_question_id, generated_question_id
from socrates.rules.subscription import question_quota, question_refusal, questions_used
from socrates.store import UnitOfWork
from socrates.views import Message

_T = TypeVar("_T")

_PAGE = 20
"""Messages read at once when looking for a question: mostly it is the last one or the one before."""

_PHASE_MOVED = "The project went on to another phase meanwhile, so this question is from the bank."
_CUT_OFF = "This question is from the bank: the model's was cut off."


class Reads(Protocol):
    """A store or a unit of work."""

    @property
    def conversations(self) -> ConversationReads: ...


@dataclass(frozen=True, slots=True)
class Draft:
    """A question that a model worded for one phase. Without a `text` the bank has one; `warning` says what failed."""

    phase: str
    text: str = ""
    warning: str = ""


class _Stores(Protocol):
    """Runs a unit of work; see Agent."""

    async def __call__(
        self, work: Callable[[UnitOfWork, News], Awaitable[_T]], committed: Callable[[_T], None], /
    ) -> _T: ...


class CountedQuestion:
    """A question of somebody's month, from when it is counted to when it is asked."""

    def __init__(self) -> None:
        self.month: datetime | None = None
        self.is_due_back = False

    def counted(self, month: datetime | None) -> None:
        """It is counted, in the month that ends then."""
        self.month, self.is_due_back = month, True

    def asked(self, _question: object) -> None:
        """It is stored, so that it stays counted."""
        self.is_due_back = False


@asynccontextmanager
async def one_question_of(store: _Stores, username: str, at: datetime) -> AsyncIterator[CountedQuestion]:
    """Count one question of the person's month, before a model is asked (mends D78).

    One from the bank counts as well. It is given back when the block fails or is cancelled before it is `asked`; only
    when the process dies in it does the person pay for none. Raises RefusedError (QUESTION_LIMIT).
    """
    question = CountedQuestion()
    try:
        await store(partial(_count, username, at), question.counted)
        yield question
    finally:
        if question.is_due_back:
            # To its end: who is cancelled can be so once more, as when a timeout comes first.
            giving = asyncio.create_task(store(partial(_give_back, username, question.month), question.asked))
            await ended(giving)
            giving.result()


async def _count(username: str, at: datetime, unit: UnitOfWork, _news: News) -> datetime | None:
    """Count it; returns the end of the month it is counted in."""
    subscription = await unit.users.subscription(username)
    refusal = question_refusal(subscription, questions_used(await unit.users.get(username), at), at)
    if refusal is not None:
        raise RefusedError.by_subscription(refusal)
    quota = question_quota(subscription, at)
    await unit.users.use_question(username, quota.limit, next_reset=quota.next_reset, at=at)
    return (await unit.users.get(username)).usage_reset_date


async def _give_back(username: str, month: datetime | None, unit: UnitOfWork, _news: News) -> None:
    user = await unit.users.get(username)
    if user.usage_reset_date == month and user.questions_used_this_month:
        await unit.users.update(username, questions_used_this_month=user.questions_used_this_month - 1)


async def draft(services: Services, project_id: str, username: str) -> Draft:
    """A question by a model, where the project has dynamic ones (mends D56: v1's switch was everybody's)."""
    briefing = await brief(services.store, project_id)
    phase = briefing.project.phase
    if not briefing.project.dynamic_questions:
        return Draft(phase)
    asked = await questions_asked(services.store, project_id, phase)
    try:
        question = await services.llm.generate_socratic_question_async(
            briefing, asked, username, caller=Caller(username)
        )
    except LLMError as error:
        return Draft(phase, warning=f"This question is from the bank, because the model failed: {error}")
    return Draft(phase, warning=_CUT_OFF) if question.truncated else Draft(phase, question.value)


async def store_question(
    unit: UnitOfWork, news: News, project_id: str, drafted: Draft, username: str, at: datetime
) -> QuestionAsked:
    """Put the question, or the bank's, at the end of the conversation (v1 lost it unless it was answered).

    Its number and its place are those of this moment: others may have asked meanwhile. Mends D17 by its id.
    """
    project = await require_writer(unit, project_id, username)
    phase = known_phase(project.phase)
    number = await questions_asked(unit, project_id, phase) + 1
    has_moved = bool(drafted.text) and drafted.phase != phase
    if drafted.text and not has_moved:
        text, question_id = drafted.text, generated_question_id(project_id, project.message_count)
    else:
        text, question_id = static_question(phase, number - 1), bank_question_id(phase, number)
    message = NewMessage("assistant", text, at, phase=phase, question_number=number, extra={"question_id": question_id})
    stored = await unit.conversations.append(project_id, message)
    told = QuestionGenerated(
        project_id=project_id,
        user_id=username,
        question_id=question_id,
        phase=phase,
        question_number=number,
        question=text,
    )
    news.tell(EventType.QUESTION_GENERATED, told)
    warning = _PHASE_MOVED if has_moved else drafted.warning
    return QuestionAsked(
        question=text,
        question_id=question_id,
        phase=phase,
        question_number=number,
        position=stored.position,
        degraded=bool(warning),
        warning=warning,
    )


async def questions_asked(reads: Reads, project_id: str, phase: str) -> int:
    """How many questions of the phase were asked: the number of the last."""
    last = await last_question(reads, project_id, phase)
    return 0 if last is None else last.question_number or 0


async def last_question(reads: Reads, project_id: str, phase: str, before: int = END) -> Message | None:
    """The last question of the phase before this position.

    The messages of a phase follow each other, so that only what was said since that question is read.
    """
    while True:
        page = await reads.conversations.before(project_id, before, _PAGE)
        for message in reversed(page):
            if message.phase not in (None, phase):
                return None
            if message.type == "assistant" and message.phase and message.question_number:
                return message
        if len(page) < _PAGE:
            return None
        before = page[0].position


def question_id_of(question: Message) -> str:
    """Under which the question is learned of; v1 stored none with it (mends D17)."""
    given = question.extra.get("question_id")
    return given if isinstance(given, str) else generated_question_id(question.project_id, question.position)
