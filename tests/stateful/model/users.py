"""People: records by name."""

from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from socrates.errors import AlreadyExistsError, InvalidValueError, QuotaExceededError, UserNotFoundError
from socrates.frozen import FrozenDict, freeze
from socrates.personal import DeletedUser, ErasurePlan
from socrates.views import ArchivedUser, ProjectDetails, Subscription, User
from tests.stateful.model.person import erasure_of, held_on, rename
from tests.stateful.model.projects import delete_project
from tests.stateful.model.state import BEFORE_ALL, Face, known, page

_GIVEN = (
    "subscription_tier",
    "subscription_status",
    "subscription_start",
    "subscription_end",
    "questions_used_this_month",
    "usage_reset_date",
    "extra",
)


class Users(Face):
    def get(self, username: str) -> User:
        if username not in self.state.users:
            raise UserNotFoundError(username)
        return self.state.users[username]

    def subscription(self, username: str) -> Subscription:
        user = self.get(username)
        return Subscription(**{field.name: getattr(user, field.name) for field in fields(Subscription)})

    def exists(self, username: str) -> bool:
        return username in self.state.users

    def archived(self, after: ArchivedUser | None = None, limit: int = 50) -> tuple[ArchivedUser, ...]:
        owners = [project.summary.owner for project in self.state.projects.values()]
        found = [
            ArchivedUser(user.username, user.archived_at, owners.count(user.username))
            for user in self.state.users.values()
            if user.is_archived
        ]
        return page(found, lambda each: (each.archived_at or BEFORE_ALL, each.username), limit, after, descending=True)

    def create(self, username: str, passcode_hash: str, *, created_at: datetime | None = None, **columns: Any) -> User:
        known(columns, _GIVEN)
        if username in self.state.users:
            raise AlreadyExistsError(username)
        at = created_at or self.now
        user = User(
            username=username,
            passcode_hash=passcode_hash,
            created_at=at,
            subscription_tier="free",
            subscription_status="active",
            subscription_start=at,
            subscription_end=None,
            questions_used_this_month=0,
            usage_reset_date=None,
            is_archived=False,
            archived_at=None,
            extra=FrozenDict(),
        )
        return self._save(user, columns)

    def update(self, username: str, **changes: Any) -> User:
        known(changes, ("passcode_hash", *_GIVEN))
        if not changes:
            raise InvalidValueError("nothing")
        return self._save(self.get(username), changes)

    def use_question(
        self, username: str, limit: int | None, *, next_reset: datetime, at: datetime | None = None
    ) -> int:
        at = at or self.now
        if next_reset <= at:
            raise InvalidValueError("every question would start a month")
        user = self.get(username)
        is_due = user.usage_reset_date is None or user.usage_reset_date <= at
        used = 0 if is_due else user.questions_used_this_month or 0
        if limit is not None and used >= limit:
            raise QuotaExceededError("questions", used, limit)
        reset = next_reset if is_due else user.usage_reset_date
        self._save(user, {"questions_used_this_month": used + 1, "usage_reset_date": reset})
        return used + 1

    def archive(self, username: str, archive_projects: bool = True) -> User:
        user = self.get(username)
        if archive_projects:
            for project in self._owned(username):
                if not project.summary.is_archived:
                    self._change(project, is_archived=True, archived_at=self.now)
        return user if user.is_archived else self._save(user, {"is_archived": True, "archived_at": self.now})

    def restore(self, username: str) -> User:
        user = self.get(username)
        if not user.is_archived:
            raise InvalidValueError("not archived")
        return self._save(user, {"is_archived": False, "archived_at": None})

    def export(self, username: str) -> dict[str, Any]:
        tables = held_on(self.state, username)
        if not tables:
            raise UserNotFoundError(username)
        return {"username": username, "exported_at": self.now.isoformat(), "tables": tables}

    def erasure_plan(self, username: str) -> ErasurePlan:
        self.get(username)
        heirs = {project.id: _heir(project) for project in self._owned(username)}
        transferred = tuple(sorted((key, heir) for key, heir in heirs.items() if heir is not None))
        doomed = {key for key, heir in heirs.items() if heir is None}
        erasure = erasure_of(self.state, username, doomed)
        return ErasurePlan(username, transferred, tuple(sorted(doomed)), erasure)

    def delete_permanently(self, username: str) -> DeletedUser:
        plan = self.erasure_plan(username)
        pseudonym = self.an_id(None)
        del self.state.users[username]
        for key in plan.deleted_projects:
            delete_project(self.state, key)
        transferred = plan.transferred
        for key, heir in transferred:
            self._change(self.a_project(key), owner=heir)
        for project in list(self.state.projects.values()):
            team = tuple(
                replace(member, role="lead") if (project.id, member.username) in transferred else member
                for member in project.members
                if member.username != username
            )
            self.state.projects[project.id] = replace(project, members=team)
        for personal in (self.state.effectiveness, self.state.patterns, self.state.configs, self.state.keys):
            for key in [key for key in personal if key[0] == username]:
                del personal[key]
        self.state.usage = {call.id: call for call in self.state.usage.values() if call.user_id != username}
        self.state.failures.pop(username, None)
        rename(self.state, username, pseudonym)
        return DeletedUser(username, transferred, plan.deleted_projects, pseudonym, plan.erasure)

    def _save(self, user: User, changes: dict[str, Any]) -> User:
        self.state.users[user.username] = replace(user, **{name: freeze(value) for name, value in changes.items()})
        return self.state.users[user.username]

    def _owned(self, username: str) -> list[ProjectDetails]:
        return [project for project in self.state.projects.values() if project.summary.owner == username]

    def _change(self, project: ProjectDetails, **columns: Any) -> None:
        version = project.version + 1
        summary = replace(project.summary, version=version, updated_at=self.now, **columns)
        self.state.projects[project.id] = replace(project, summary=summary)


def _heir(project: ProjectDetails) -> str | None:
    """Who gets the project of an owner who goes: by v1's list of collaborators, otherwise by position."""
    team = sorted(project.members, key=lambda member: (member.position, member.username))
    names = [member.username for member in team if member.is_active and member.username != project.summary.owner]
    by_v1 = [name for name in project.extra.get("v1_collaborators", ()) if name in names]
    return next(iter([*by_v1, *names]), None)
