"""What becomes of an answer: stored at once, analysed by models, then its statements stored, scored and learned from.

An answer is stored before any model is asked, so that none is lost when one fails (mends D41).
"""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from socrates.agents.access import require_writer, role_in
from socrates.agents.asking import last_question, question_id_of
from socrates.agents.base import News
from socrates.agents.contracts.base import Phase
from socrates.agents.contracts.conflicts import ConflictShown, Unchecked
from socrates.agents.contracts.dialogue import InsightsShown, PhaseStanding, ResponseProcessed
from socrates.agents.effectiveness import track
from socrates.agents.failures import RefusedError
from socrates.agents.phases import known_phase
from socrates.agents.scoring import score
from socrates.agents.services import Services
from socrates.agents.statements import check, take_in, undisputed
from socrates.drafts import NewMessage, NewSpec
from socrates.errors import NotFoundError
from socrates.events import EventType
from socrates.events.payloads import ResponseAnalyzed, ResponseReceived
from socrates.llm.answers import Insights
from socrates.llm.briefing import Briefing, brief
from socrates.llm.caller import Caller
from socrates.llm.categorizing import fields_of
from socrates.llm.conflicts import ConflictCheck
from socrates.llm.results import Result
from socrates.rules.categories import categories_of
from socrates.rules.conflicts import as_compared, is_blocking, statements_of
from socrates.rules.learning import count_extracted
from socrates.rules.maturity import summary
from socrates.store import Store, UnitOfWork
from socrates.views import ProjectSummary

_UNCHECKED = "Nobody knows whether all statements fit what stands: a check for conflicts failed."


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is stored. It is scored in the phase in which it was given, wherever the project is by now."""

    project_id: str
    position: int
    phase: Phase
    text: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """What models found out about an answer, measured against the project as the `briefing` has it."""

    briefing: Briefing
    insights: Insights
    check: ConflictCheck
    specs: tuple[NewSpec, ...]
    sorting_failed: str = ""
    """Why no model sorted the statements, in a sentence."""

    @property
    def warning(self) -> str:
        """What was not done as it should be."""
        return " ".join(filter(None, [self.sorting_failed, _UNCHECKED if self.check.without_verdict else ""]))


async def receive(unit: UnitOfWork, news: News, project_id: str, response: str, username: str, at: datetime) -> Answer:
    """Put the answer at the end of the conversation."""
    project = await require_writer(unit, project_id, username)
    phase = known_phase(project.phase)
    message = NewMessage("user", response, at, phase=phase, author=username)
    stored = await unit.conversations.append(project_id, message)
    told = ResponseReceived(project_id=project_id, user_id=username, phase=phase, length=len(response))
    news.tell(EventType.RESPONSE_RECEIVED, told)
    return Answer(project_id, stored.position, phase, response)


async def received(store: Store, project_id: str, position: int, username: str) -> Answer:
    """An answer that is stored already. Raises NotFoundError, and RefusedError for somebody else's."""
    project = await require_writer(store, project_id, username)
    found = await store.conversations.after(project_id, position - 1, 1)
    if not found or found[0].position != position or found[0].type != "user":
        raise NotFoundError("answer", position)
    message = found[0]
    if message.author not in (None, username):
        raise RefusedError("FORBIDDEN", "only who gave an answer can have it analysed", "answer_position")
    answer = Answer(project_id, position, known_phase(message.phase or project.phase), message.content)
    await _require_unanalysed(store, answer)
    return answer


async def extract(services: Services, answer: Answer, given: Insights | None, username: str) -> Result[Insights]:
    """What the answer states, or what somebody confirmed that it does; a failure of the model is in the result."""
    if given is not None:
        return Result(given)
    briefing = await brief(services.store, answer.project_id)
    return await services.llm.extract_insights_async(answer.text, briefing, caller=Caller(username))


async def analyse(services: Services, answer: Answer, insights: Insights, username: str) -> Analysis:
    """Check the statements for conflicts, and sort them into the categories of the answer's phase; both at once."""
    briefing = await brief(services.store, answer.project_id)
    categories = tuple(categories_of(briefing.project.project_type, answer.phase))
    try:
        async with asyncio.TaskGroup() as group:
            checked = group.create_task(check(services, briefing, insights, username))
            sorted_ = group.create_task(
                services.llm.categorize_insights_async(
                    insights, answer.phase, briefing.project.project_type, categories, caller=Caller(username)
                )
            )
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    failure = sorted_.result().failure
    reason = "" if failure is None else f"The statements are scored by their fields, no model sorted them: {failure}"
    return Analysis(briefing, insights, checked.result(), sorted_.result().value, reason)


async def brought_up_to_date(services: Services, analysis: Analysis, username: str) -> Analysis:
    """Check again where the project says something else by now: answers that came at once may contradict each other."""
    briefing = await brief(services.store, analysis.briefing.project.id)
    if statements_of(briefing.project) == statements_of(analysis.briefing.project):
        return analysis
    again = await check(services, briefing, analysis.insights, username)
    return replace(analysis, briefing=briefing, check=again)


async def store_analysis(
    unit: UnitOfWork, news: News, answer: Answer, analysis: Analysis, username: str, at: datetime
) -> ResponseProcessed:
    """Store what nobody disputes, keep the conflicts for a decision, score the phase, and learn of the question.

    All of it or nothing (mends D34, where a part that failed was only printed).
    """
    project = await require_writer(unit, answer.project_id, username)
    await _require_unanalysed(unit, answer)
    taken = await take_in(unit, news, project.id, analysis.insights, analysis.check, username)
    await score(unit, news, project, answer.phase, tuple(_scored(analysis, answer)), username, answer=answer.position)
    extracted = count_extracted(analysis.insights.as_dict())
    await _learn(unit, news, project, answer, extracted, username, at)
    told = ResponseAnalyzed(
        project_id=project.id,
        user_id=username,
        phase=answer.phase,
        specs_extracted=extracted,
        conflicts=len(taken.conflicts),
    )
    news.tell(EventType.RESPONSE_ANALYZED, told)
    return ResponseProcessed(
        answer_position=answer.position,
        analyzed=True,
        insights=InsightsShown.model_validate(analysis.insights),
        conflicts=tuple(map(ConflictShown.of, taken.conflicts)),
        conflicts_pending=any(map(is_blocking, taken.conflicts)),
        unchecked=Unchecked.of(analysis.check),
        maturity=await standing(unit, project.id, answer.phase),
        degraded=bool(analysis.warning),
        warning=analysis.warning,
    )


async def not_analysed(store: Store, answer: Answer, reason: str) -> ResponseProcessed:
    """What is answered when no model could read the answer."""
    return ResponseProcessed(
        answer_position=answer.position,
        analyzed=False,
        insights=InsightsShown.model_validate(Insights()),
        conflicts=(),
        conflicts_pending=False,
        unchecked=(),
        maturity=await standing(store, answer.project_id, answer.phase),
        degraded=True,
        warning=f"The answer is stored, but it could not be analysed; do that later, by its position. {reason}",
    )


async def standing(reads: Store | UnitOfWork, project_id: str, phase: str) -> PhaseStanding:
    """Where the phase stands by its stored score."""
    statuses = summary(await reads.projects.phase_scores(project_id))
    return PhaseStanding.model_validate(next(status for status in statuses if status.phase == phase))


async def _require_unanalysed(reads: Store | UnitOfWork, answer: Answer) -> None:
    """The history must not have the answer yet, whatever it stated. Raises RefusedError (ALREADY_ANALYZED)."""
    events = await reads.projects.maturity_events(answer.project_id)
    if any(event.details.get("answer") == answer.position for event in events):
        raise RefusedError(
            "ALREADY_ANALYZED", f"the answer at position {answer.position} is analysed already", "answer_position"
        )


def _scored(analysis: Analysis, answer: Answer) -> Iterable[NewSpec]:
    """The statements that count: nothing in which one occurs that a conflict holds back. They know their answer.

    Where something is held back, words that are nobody's do not count either: they may mean just that.
    """
    taken = {field: set(texts) for field, texts in undisputed(analysis.insights, analysis.check).items()}
    found = fields_of(analysis.insights)
    held = [text for field, texts in found.items() for text in texts if text not in taken.get(field, ())]
    mention = _mention_of(held)
    for spec in analysis.specs:
        if not held or (spec.source_field in found and not mention.search(as_compared(spec.content))):
            yield replace(spec, extra={"answer": answer.position})


def _mention_of(statements: Iterable[str]) -> re.Pattern[str]:
    """Finds any of them in what is compared, as whole words: one pattern, since there can be hundreds of each."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(re.escape(as_compared(text)) for text in statements)})(?!\w)")


async def _learn(
    unit: UnitOfWork,
    news: News,
    project: ProjectSummary,
    answer: Answer,
    specs_extracted: int,
    username: str,
    at: datetime,
) -> None:
    """Note how well the question worked; in the chat mode `direct` nobody asked one."""
    question = await last_question(unit, project.id, answer.phase, answer.position)
    if question is None or project.chat_mode == "direct":
        return
    await track(
        unit,
        news,
        user_id=username,
        question_id=question_id_of(question),
        role=await role_in(unit, project.id, username),
        answer_length=len(answer.text),
        specs_extracted=specs_extracted,
        at=at,
    )
