"""Who works on a project, and the questions that wait for them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from socrates.errors import AlreadyExistsError, InvalidValueError, NotFoundError
from socrates.frozen import FrozenDict
from socrates.views import Member, PendingQuestion
from tests.stateful.model.state import Face


class Team(Face):
    def members(self, project_id: str, *, include_inactive: bool = False) -> tuple[Member, ...]:
        team = self.state.projects[project_id].members if project_id in self.state.projects else ()
        return tuple(member for member in team if include_inactive or member.is_active)

    def is_member(self, project_id: str, username: str) -> bool:
        return project_id in self.state.projects and (
            self.a_project(project_id).summary.owner == username
            or username in [member.username for member in self.members(project_id)]
        )

    def pending_questions(self, project_id: str, *, status: str | None = None) -> tuple[PendingQuestion, ...]:
        questions = self.state.projects[project_id].pending_questions if project_id in self.state.projects else ()
        return tuple(question for question in questions if status in (None, question.status))

    def add_member(self, project_id: str, username: str, role: str = "creator", skills: Sequence[str] = ()) -> Member:
        project = self.a_project(project_id)
        if self.is_member(project_id, username):
            raise AlreadyExistsError(username)
        again = [member for member in project.members if member.username == username]
        member = again[0] if again else self._newcomer(project_id, username)
        return self._save_member(
            project_id, replace(member, role=role, skills=tuple(skills), joined_at=self.now, is_active=True)
        )

    def update_member(
        self, project_id: str, username: str, *, role: str | None = None, skills: Sequence[str] | None = None
    ) -> Member:
        self._refuse_owner(project_id, username, unless=role in (None, "lead"))
        member = self._active_member(project_id, username)
        if role is not None:
            member = replace(member, role=role)
        if skills is not None:
            member = replace(member, skills=tuple(skills))
        return self._save_member(project_id, member)

    def remove_member(self, project_id: str, username: str) -> None:
        self.a_project(project_id)
        self._refuse_owner(project_id, username)
        self._save_member(project_id, replace(self._active_member(project_id, username), is_active=False))

    def make_lead(self, project_id: str, username: str) -> None:
        again = [member for member in self.members(project_id, include_inactive=True) if member.username == username]
        member = again[0] if again else self._newcomer(project_id, username)
        self._save_member(project_id, replace(member, role="lead", is_active=True))

    def add_question(
        self,
        project_id: str,
        question: str,
        phase: str,
        *,
        roles: Sequence[str] = (),
        users: Sequence[str] = (),
        question_id: str | None = None,
    ) -> PendingQuestion:
        project = self.a_project(project_id)
        question_id = self.an_id(question_id)
        if question_id in [each.id for each in project.pending_questions]:
            raise AlreadyExistsError(question_id)
        asked = PendingQuestion(
            id=question_id,
            position=_next_position(project.pending_questions),
            question=question,
            phase=phase,
            status="pending",
            assigned_to_roles=tuple(roles),
            assigned_to_users=tuple(users),
            created_at=self.now,
            answered_by=None,
            answer=None,
            answered_at=None,
            skipped_at=None,
            extra=FrozenDict(),
        )
        self.state.projects[project_id] = replace(project, pending_questions=(*project.pending_questions, asked))
        return asked

    def answer_question(self, project_id: str, question_id: str, answer: str, answered_by: str) -> PendingQuestion:
        changes = {"status": "answered", "answer": answer, "answered_by": answered_by, "answered_at": self.now}
        return self._settle(project_id, question_id, changes)

    def skip_question(self, project_id: str, question_id: str) -> PendingQuestion:
        return self._settle(project_id, question_id, {"status": "skipped", "skipped_at": self.now})

    def _settle(self, project_id: str, question_id: str, changes: dict[str, Any]) -> PendingQuestion:
        questions = self.pending_questions(project_id)
        for place, question in enumerate(questions):
            if question.id == question_id:
                if question.status != "pending":
                    raise InvalidValueError("settled")
                settled = replace(question, **changes)
                changed = (*questions[:place], settled, *questions[place + 1 :])
                project = self.a_project(project_id)
                self.state.projects[project_id] = replace(project, pending_questions=changed)
                return settled
        raise NotFoundError("question", question_id)

    def _newcomer(self, project_id: str, username: str) -> Member:
        position = _next_position(self.a_project(project_id).members)
        return Member(username, "creator", (), self.now, True, position, FrozenDict())

    def _active_member(self, project_id: str, username: str) -> Member:
        for member in self.members(project_id):
            if member.username == username:
                return member
        raise NotFoundError("active member", username)

    def _refuse_owner(self, project_id: str, username: str, unless: bool = False) -> None:
        if not unless and self.a_project(project_id).summary.owner == username:
            raise InvalidValueError("owner")

    def _save_member(self, project_id: str, member: Member) -> Member:
        project = self.a_project(project_id)
        others = [each for each in project.members if each.username != member.username]
        team = sorted([*others, member], key=lambda each: (each.position, each.username))
        self.state.projects[project_id] = replace(project, members=tuple(team))
        return member


def _next_position(records: Sequence[Any]) -> int:
    return max((record.position for record in records), default=-1) + 1
