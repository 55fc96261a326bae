"""The dialogue: questions, answers and what they state, hints, direct answers, and going on to the next phase."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import cast

from socrates.agents.access import require_lead, require_member, require_writer
from socrates.agents.answering import (
    Answer,
    analyse,
    brought_up_to_date,
    extract,
    not_analysed,
    receive,
    received,
    store_analysis,
)
from socrates.agents.asking import draft, last_question, one_question_of, store_question
from socrates.agents.base import Agent, News, action, streamed_action
from socrates.agents.contracts.base import Phase, Response
from socrates.agents.contracts.dialogue import (
    AdvancePhase,
    AnswerDirectly,
    AnsweredDirectly,
    ConfirmationNeeded,
    DynamicQuestionsToggled,
    ExtractInsightsOnly,
    GenerateQuestion,
    HintProvided,
    InsightsExtracted,
    InsightsShown,
    PhaseLeft,
    ProcessResponse,
    ProvideHint,
    QuestionAsked,
    ResponseProcessed,
    ToggleDynamicQuestions,
)
from socrates.agents.failures import RefusedError
from socrates.agents.order import ProjectOrder
from socrates.agents.phases import advance, known_phase
from socrates.agents.services import Services
from socrates.events import EventType
from socrates.events.payloads import HintProvided as HintTold
from socrates.events.payloads import ProjectUpdated
from socrates.llm.briefing import brief
from socrates.llm.caller import Caller
from socrates.store import UnitOfWork


class SocraticCounselor(Agent):
    """Nothing of a dialogue is kept here: questions, answers and settings are the project's (mends D44 and D56)."""

    name = "socratic_counselor"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._arrivals = ProjectOrder()

    @action
    async def generate_question(self, request: GenerateQuestion) -> QuestionAsked:
        """Ask the next question: a model's, or the bank's where the project wants that or the model fails.

        It is counted for who asks before a model is, and stored before it is answered with.
        """
        project_id, username, now = request.project_id, request.current_user, self._now()
        async with self._services.order.place(project_id) as reached:
            known_phase((await require_writer(self._store, project_id, username)).phase)
            async with one_question_of(self._store_and_tell, username, now) as counted:
                drafted = await draft(self._services, project_id, username)
                await reached()
                return await self._store_and_tell(
                    partial(store_question, project_id=project_id, drafted=drafted, username=username, at=now),
                    counted.asked,
                )

    @action
    async def extract_insights_only(self, request: ExtractInsightsOnly) -> InsightsExtracted:
        """What a text states about the project; nothing is stored. A model that fails is a failure (mends D41)."""
        await require_writer(self._store, request.project_id, request.current_user)
        briefing = await brief(self._store, request.project_id)
        caller = Caller(request.current_user)
        found = await self._services.llm.extract_insights_async(request.response, briefing, caller=caller)
        if found.failure is not None:
            raise found.failure
        return InsightsExtracted(insights=InsightsShown.model_validate(found.value))

    @action
    async def process_response(self, request: ProcessResponse) -> ResponseProcessed:
        """Store an answer at once, then what it states.

        Where a model or anything else fails after RESPONSE_RECEIVED was told, the answer is stored: it is analysed by
        its position then, not sent again.
        """
        username, now = request.current_user, self._now()
        async with self._services.order.place(request.project_id) as reached:
            answer = await self._answer(request)
            found = await extract(self._services, answer, request.pre_extracted_insights, username)
            if found.failure is not None:
                return await not_analysed(self._store, answer, str(found.failure))
            analysis = await analyse(self._services, answer, found.value, username)
            await reached()
            analysis = await brought_up_to_date(self._services, analysis, username)
            return await self._store_and_tell(
                partial(store_analysis, answer=answer, analysis=analysis, username=username, at=now)
            )

    async def _answer(self, request: ProcessResponse) -> Answer:
        """The answer of the request, stored."""
        project_id, username, now = request.project_id, request.current_user, self._now()
        if request.answer_position is not None:
            return await received(self._store, project_id, request.answer_position, username)
        response = cast(str, request.response)
        # Those that came earlier are still with the model, but they are stored: so is this one, behind them.
        async with self._arrivals.place(project_id) as reached:
            await reached()
            return await self._store_and_tell(
                partial(receive, project_id=project_id, response=response, username=username, at=now)
            )

    @action
    async def advance_phase(self, request: AdvancePhase) -> PhaseLeft | ConfirmationNeeded:
        """Go on to the next phase; from one under 60 per cent only when that is confirmed (mends D40)."""
        seen = await require_lead(self._store, request.project_id, request.current_user)
        meant = request.from_phase or seen.phase

        async def work(unit: UnitOfWork, news: News) -> PhaseLeft | ConfirmationNeeded:
            project = await require_lead(unit, request.project_id, request.current_user)
            if project.phase != meant:
                message = (
                    f"the project is in the phase {project.phase!r}, not in {meant!r} any more; nothing was changed"
                )
                raise RefusedError("CONFLICT", message, "from_phase", {"expected": meant, "actual": project.phase})
            return await advance(unit, news, project, request.current_user, confirmed=request.confirm)

        return await self._store_and_tell(work)

    @action
    async def toggle_dynamic_questions(self, request: ToggleDynamicQuestions) -> DynamicQuestionsToggled:
        """Have a model ask this project's questions, or the bank if a model did; no other project changes."""

        async def work(unit: UnitOfWork, news: News) -> DynamicQuestionsToggled:
            project = await require_writer(unit, request.project_id, request.current_user)
            mode = not (await unit.projects.context(project.id)).dynamic_questions
            await unit.projects.update(project.id, project.version, dynamic_questions=mode)
            told = ProjectUpdated(project_id=project.id, user_id=request.current_user, fields=("dynamic_questions",))
            news.tell(EventType.PROJECT_UPDATED, told)
            return DynamicQuestionsToggled(dynamic_mode=mode)

        return await self._store_and_tell(work)

    @action
    async def provide_hint(self, request: ProvideHint) -> HintProvided:
        """Help with a question; where the model fails, what helps in this phase in general. Nothing is stored."""
        project_id, username = request.project_id, request.current_user
        await require_member(self._store, project_id, username)
        briefing = await brief(self._store, project_id)
        phase = known_phase(briefing.project.phase)
        question = request.question or await self._open_question(project_id, phase)
        hint = await self._services.llm.generate_suggestions_async(question, briefing, caller=Caller(username))
        await self._emit(EventType.HINT_PROVIDED, HintTold(project_id=project_id, user_id=username, phase=phase))
        return HintProvided(
            question=question,
            hint=hint.value,
            phase=phase,
            degraded=hint.degraded,
            warning="" if hint.failure is None else f"This is general advice, because the model failed: {hint.failure}",
        )

    async def _open_question(self, project_id: str, phase: Phase) -> str:
        question = await last_question(self._store, project_id, phase)
        if question is None:
            raise RefusedError("NO_QUESTION", f"no question of the phase {phase} was asked yet; give one", "question")
        return question.content

    @streamed_action
    async def answer_directly(self, request: AnswerDirectly) -> AsyncGenerator[str | Response, None]:
        """Answer a question about the project. Nothing is stored: what the question states, process_response takes in.

        A model that fails is a failure, never an answer (v1 gave the error's text as one).
        """
        await require_member(self._store, request.project_id, request.current_user)
        briefing = await brief(self._store, request.project_id)
        caller = Caller(request.current_user)
        answering = self._services.llm.stream_answer_async(request.question, briefing, caller=caller)
        async with aclosing(answering) as pieces:
            async for piece in pieces:
                if piece.text:
                    yield piece.text
                if piece.result is not None:
                    answer = piece.result.value
                    yield AnsweredDirectly(answer=answer.text, sources=answer.sources, truncated=piece.result.truncated)
