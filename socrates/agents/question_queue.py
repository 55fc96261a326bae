"""Questions put to people of the team: add, list, answer, skip, count."""

from collections import Counter
from collections.abc import Sequence

from socrates.agents.access import require_member, require_writer, role_in
from socrates.agents.base import Agent, News, action
from socrates.agents.contracts.projects import PendingQuestionShown
from socrates.agents.contracts.questions import (
    AddQuestion,
    AnswerQuestion,
    GetQueueStatus,
    GetUserQuestions,
    QuestionAdded,
    QuestionSettled,
    QueueStatus,
    SkipQuestion,
    UserQuestions,
)
from socrates.agents.failures import RefusedError
from socrates.errors import NotFoundError
from socrates.events import EventType
from socrates.events.payloads import ProjectUpdated
from socrates.rules.question_roles import roles_by_keyword
from socrates.store import UnitOfWork
from socrates.views import PendingQuestion, ProjectSummary

_LEAD = "lead"


class QuestionQueue(Agent):
    """A question goes to those whose role its words point to; they, the owner or a lead settle it once."""

    name = "question_queue"

    @action
    async def add_question(self, request: AddQuestion) -> QuestionAdded:
        """Put a question to the team, as it is now."""

        async def work(unit: UnitOfWork, news: News) -> QuestionAdded:
            project = await require_writer(unit, request.project_id, request.current_user)
            team = await _roles_by_member(unit, project)
            roles = roles_by_keyword(request.question, tuple(dict.fromkeys(team.values())))
            question = await unit.projects.add_question(
                project.id,
                request.question,
                request.phase or project.phase,
                roles=roles,
                users=[username for username, role in team.items() if role in roles],
            )
            _tell(news, project.id, request.current_user)
            shown = PendingQuestionShown.model_validate(question)
            return QuestionAdded(
                message=f"the question was put to {', '.join(shown.assigned_to_users)}",
                question_id=question.id,
                assigned_to=shown.assigned_to_users,
                question=shown,
            )

        return await self._store_and_tell(work)

    @action
    async def get_user_questions(self, request: GetUserQuestions) -> UserQuestions:
        """What somebody of the team still has to answer, in the order of asking."""
        await require_member(self._store, request.project_id, request.current_user)
        username = request.username or request.current_user
        waiting = await self._store.projects.pending_questions(request.project_id, status="pending")
        own = [question for question in waiting if username in question.assigned_to_users]
        shown = tuple(map(PendingQuestionShown.model_validate, own))
        return UserQuestions(username=username, questions=shown, total=len(shown))

    @action
    async def answer_question(self, request: AnswerQuestion) -> QuestionSettled:
        """Answer a question that nobody has settled yet; v1 took any answer of anybody, also a second one."""

        async def work(unit: UnitOfWork, news: News) -> QuestionSettled:
            await _require_responder(unit, request.project_id, request.question_id, request.current_user)
            question = await unit.projects.answer_question(
                request.project_id, request.question_id, request.answer, request.current_user
            )
            _tell(news, request.project_id, request.current_user)
            return _settled(question, "the question is answered")

        return await self._store_and_tell(work)

    @action
    async def skip_question(self, request: SkipQuestion) -> QuestionSettled:
        """Drop a question that nobody has settled yet."""

        async def work(unit: UnitOfWork, news: News) -> QuestionSettled:
            await _require_responder(unit, request.project_id, request.question_id, request.current_user)
            question = await unit.projects.skip_question(request.project_id, request.question_id)
            _tell(news, request.project_id, request.current_user)
            return _settled(question, "the question is skipped")

        return await self._store_and_tell(work)

    @action
    async def get_queue_status(self, request: GetQueueStatus) -> QueueStatus:
        """How many questions there are, and what became of them."""
        await require_member(self._store, request.project_id, request.current_user)
        return _status(await self._store.projects.pending_questions(request.project_id))


async def _roles_by_member(unit: UnitOfWork, project: ProjectSummary) -> dict[str, str]:
    """Everybody in the team, in its order; an owner whom v1 did not put into it leads.

    Mends D01, where a team that had been stored and loaded had no roles any more, and D58: nothing here is a set.
    """
    roles = {member.username: member.role for member in await unit.projects.members(project.id)}
    return roles if project.owner in roles else {project.owner: _LEAD, **roles}


async def _require_responder(unit: UnitOfWork, project_id: str, question_id: str, username: str) -> None:
    """Somebody whom the question is for, the owner or a lead. Raises RefusedError (FORBIDDEN), NotFoundError."""
    project = await require_writer(unit, project_id, username)
    question = _found(await unit.projects.pending_questions(project_id), question_id)
    if username in (project.owner, *question.assigned_to_users):
        return
    if await role_in(unit, project_id, username) != _LEAD:
        raise RefusedError(
            "FORBIDDEN", "only those whom the question is for, the owner and leads may settle it", "current_user"
        )


def _found(questions: Sequence[PendingQuestion], question_id: str) -> PendingQuestion:
    for question in questions:
        if question.id == question_id:
            return question
    raise NotFoundError("question", question_id)


def _tell(news: News, project_id: str, username: str) -> None:
    told = ProjectUpdated(project_id=project_id, user_id=username, fields=("pending_questions",))
    news.tell(EventType.PROJECT_UPDATED, told)


def _settled(question: PendingQuestion, message: str) -> QuestionSettled:
    return QuestionSettled(message=message, question=PendingQuestionShown.model_validate(question))


def _status(questions: Sequence[PendingQuestion]) -> QueueStatus:
    counts = Counter(question.status for question in questions)
    return QueueStatus(
        total_questions=len(questions),
        pending=counts["pending"],
        answered=counts["answered"],
        skipped=counts["skipped"],
        completion_rate=100 * counts["answered"] / len(questions) if questions else 0.0,
    )
