"""Who works on a project, and the questions that wait for them."""

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import Table, bindparam, exists, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from socrates.caching import cached
from socrates.errors import AlreadyExistsError, InvalidValueError, NotFoundError, ProjectNotFoundError
from socrates.models import PendingQuestion, Project, TeamMember
from socrates.repositories.base import Mapper, Repository, now, table, text_list, with_next
from socrates.repositories.cached_rows import MEMBERS, OWNER, PENDING_QUESTIONS, rows_of
from socrates.repositories.upsert import upsert
from socrates.views import Member
from socrates.views import PendingQuestion as QuestionView

_member = Mapper(Member, TeamMember)
_question = Mapper(QuestionView, PendingQuestion)
_members = table(TeamMember)
_questions = table(PendingQuestion)

_OWNER = select(Project.owner).where(Project.id == bindparam("project_id"))
_HAS_ACCESS = select(Project.id).where(
    Project.id == bindparam("project_id"),
    or_(
        Project.owner == bindparam("username"),
        exists().where(
            TeamMember.project_id == bindparam("project_id"),
            TeamMember.username == bindparam("username"),
            TeamMember.is_active,
        ),
    ),
)
_TEAM = (
    select(*_member.columns)
    .where(TeamMember.project_id == bindparam("project_id"))
    .order_by(TeamMember.position, TeamMember.username)
)
_ACTIVE = _TEAM.where(TeamMember.is_active)
_ONE = _ACTIVE.where(TeamMember.username == bindparam("username"))
_WAITING = (
    select(*_question.columns)
    .where(PendingQuestion.project_id == bindparam("project_id"))
    .order_by(PendingQuestion.position, PendingQuestion.id)
)
_IN_STATE = _WAITING.where(PendingQuestion.status == bindparam("status"))


def _next_position(children: Table) -> ColumnElement[int]:
    """The position behind the last one of the project `of_project`, found by the statement that inserts."""
    of_project = children.c.project_id == bindparam("of_project")
    return func.coalesce(select(func.max(children.c.position) + 1).where(of_project).scalar_subquery(), 0)


_JOINING = ("role", "skills", "joined_at", "is_active")
_JOIN = (
    upsert(_members, ("project_id", "username"), _JOINING)
    .values(position=_next_position(_members))
    .returning(_members.c.position)
)
_LEAD = with_next(
    upsert(_members, ("project_id", "username"), ("role", "is_active")).values(position=_next_position(_members))
)
_THIS_MEMBER = update(_members).where(
    _members.c.project_id == bindparam("of_project"), _members.c.username == bindparam("of_user"), _members.c.is_active
)
_ASK = _questions.insert().values(position=_next_position(_questions)).returning(_questions.c.position)
_SETTLE = (
    update(_questions)
    .where(
        _questions.c.project_id == bindparam("of_project"),
        _questions.c.id == bindparam("of_question"),
        _questions.c.status == "pending",
    )
    .returning(*(_questions.c[column.key] for column in _question.columns))
)


class TeamReads(Repository):
    """Reads of teams and their questions. An unknown project has neither."""

    @cached("projects.members", tags=rows_of(MEMBERS))
    async def members(self, project_id: str, *, include_inactive: bool = False) -> tuple[Member, ...]:
        """The team, in order of joining. Inactive members have no access."""
        return await self._views(_member, _TEAM if include_inactive else _ACTIVE, project_id=project_id)

    @cached("projects.is_member", tags=rows_of(OWNER, MEMBERS))
    async def is_member(self, project_id: str, username: str) -> bool:
        """Whether the project is visible to this user: as its owner, or as an active member."""
        return await self._row(_HAS_ACCESS, project_id=project_id, username=username) is not None

    @cached("projects.pending_questions", tags=rows_of(PENDING_QUESTIONS))
    async def pending_questions(self, project_id: str, *, status: str | None = None) -> tuple[QuestionView, ...]:
        """The questions put to the team, in order; all, or those that are pending, answered or skipped."""
        if status is None:
            return await self._views(_question, _WAITING, project_id=project_id)
        return await self._views(_question, _IN_STATE, project_id=project_id, status=status)


class TeamWrites(TeamReads):
    """Writes to teams, inside a unit of work."""

    async def add_member(
        self, project_id: str, username: str, role: str = "creator", skills: Sequence[str] = ()
    ) -> Member:
        """Let somebody in, or in again. Raises ProjectNotFoundError, and AlreadyExistsError for an active member."""
        await self._session.hold("team", project_id)
        if await self.is_member(project_id, username):
            raise AlreadyExistsError(f"{username!r} is a member of this project already")
        await self._add_to_project(
            project_id,
            _JOIN,
            of_project=project_id,
            username=username,
            role=role,
            skills=text_list("skills", skills),
            joined_at=now(),
            is_active=True,
        )
        return await self._one_member(project_id, username)

    async def update_member(
        self, project_id: str, username: str, *, role: str | None = None, skills: Sequence[str] | None = None
    ) -> Member:
        """Give an active member another role, other skills, or both. The owner stays lead.

        Raises NotFoundError when nobody active has this name.
        """
        await self._session.hold("team", project_id)
        changes: dict[str, object] = {}
        if role is not None:
            if role != "lead":
                await self._refuse_owner(project_id, username, "stays lead; transfer the project first")
            changes["role"] = role
        if skills is not None:
            changes["skills"] = text_list("skills", skills)
        if changes and not await self._write(_THIS_MEMBER, of_project=project_id, of_user=username, **changes):
            raise NotFoundError("active member", username)
        return await self._one_member(project_id, username)

    async def remove_member(self, project_id: str, username: str) -> None:
        """Take somebody's access away; what they wrote stays. The owner cannot be removed.

        Raises NotFoundError when nobody active has this name.
        """
        await self._session.hold("team", project_id)
        await self._refuse_owner(project_id, username, "cannot be removed; transfer the project first")
        if not await self._write(_THIS_MEMBER, of_project=project_id, of_user=username, is_active=False):
            raise NotFoundError("active member", username)

    async def add_question(
        self,
        project_id: str,
        question: str,
        phase: str,
        *,
        roles: Sequence[str] = (),
        users: Sequence[str] = (),
        question_id: str | None = None,
    ) -> QuestionView:
        """Put a question to roles and people of the team. Raises ProjectNotFoundError, AlreadyExistsError."""
        await self._session.hold("team", project_id)
        row = {
            "id": f"q_{uuid4().hex[:8]}" if question_id is None else question_id,
            "question": question,
            "phase": phase,
            "status": "pending",
            "assigned_to_roles": text_list("roles", roles),
            "assigned_to_users": text_list("users", users),
            "created_at": now(),
        }
        ((position,),) = await self._add_to_project(project_id, _ASK, of_project=project_id, **row)
        filled: dict[str, object] = {
            "answered_by": None,
            "answer": None,
            "answered_at": None,
            "skipped_at": None,
            "extra": {},
        }
        return _question([{**row, **filled, "position": position}[column.key] for column in _question.columns])

    async def answer_question(self, project_id: str, question_id: str, answer: str, answered_by: str) -> QuestionView:
        """Settle a pending question. Raises NotFoundError, and InvalidValueError when it is settled already."""
        changes = {"answer": answer, "answered_by": answered_by, "answered_at": now()}
        return await self._settle(project_id, question_id, status="answered", **changes)

    async def skip_question(self, project_id: str, question_id: str) -> QuestionView:
        """Drop a pending question; it is remembered as skipped. Raises like `answer_question`."""
        return await self._settle(project_id, question_id, status="skipped", skipped_at=now())

    async def _settle(self, project_id: str, question_id: str, **changes: object) -> QuestionView:
        await self._session.hold("team", project_id)
        row = await self._row(_SETTLE, of_project=project_id, of_question=question_id, **changes)
        if row is not None:
            return _question(row)
        for question in await self.pending_questions(project_id):
            if question.id == question_id:
                raise InvalidValueError(f"the question {question_id!r} was {question.status} before")
        raise NotFoundError("question", question_id)

    async def _make_lead(self, project_id: str, username: str) -> None:
        await self._write(
            _LEAD,
            project_id=project_id,
            of_project=project_id,
            username=username,
            role="lead",
            skills=[],
            joined_at=now(),
            is_active=True,
        )

    async def _one_member(self, project_id: str, username: str) -> Member:
        row = await self._row(_ONE, project_id=project_id, username=username)
        if row is None:
            raise NotFoundError("active member", username)
        return _member(row)

    async def _refuse_owner(self, project_id: str, username: str, why: str) -> None:
        owner = await self._value(_OWNER, project_id=project_id)
        if owner is None:
            raise ProjectNotFoundError(project_id)
        if owner == username:
            raise InvalidValueError(f"{username!r} owns this project and {why}")
