"""Deleting a user for good, which reaches into the tables of all aggregates."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, bindparam, delete, select, update

from socrates.errors import UserNotFoundError
from socrates.models import (
    APIKey,
    BehaviorPattern,
    LLMProviderConfig,
    LLMUsage,
    Project,
    QuestionEffectiveness,
    TeamMember,
    User,
)
from socrates.repositories.base import Repository, now, table, with_next
from socrates.repositories.deletions import remember, remember_projects
from socrates.views import DeletedUser

_users, _projects, _members = table(User), table(Project), table(TeamMember)
_PERSONAL = tuple(map(table, (QuestionEffectiveness, BehaviorPattern, LLMProviderConfig, APIKey, LLMUsage)))
_IS_USER = _users.c.username == bindparam("username")
_IS_OWNER = _projects.c.owner == bindparam("username")

_DELETE_USER = delete(_users).where(_IS_USER)
_REMEMBER_USER = remember(("users", select(_users.c.username).where(_IS_USER)))
_CANDIDATES = (
    select(Project.id, Project.extra, TeamMember.username)
    .join(TeamMember, TeamMember.project_id == Project.id)
    .where(Project.owner == bindparam("username"), TeamMember.is_active, TeamMember.username != bindparam("username"))
    .order_by(Project.id, TeamMember.position, TeamMember.username)
    # Nobody may transfer one of them meanwhile.
    .with_for_update(of=Project, key_share=True)
)
_HAND_OVER = with_next(
    update(_projects)
    .where(_projects.c.id == bindparam("of_project"))
    .values(owner=bindparam("heir"), updated_at=bindparam("at"), version=_projects.c.version + 1)
)
_MAKE_LEAD = with_next(
    update(_members)
    .where(_members.c.project_id == bindparam("of_project"), _members.c.username == bindparam("heir"))
    .values(role="lead")
)
_DELETE_PROJECTS = delete(_projects).where(_IS_OWNER).returning(_projects.c.id)
_REMEMBER_THE_REST = remember_projects(
    _IS_OWNER, *((own.name, select(own.c.id).where(own.c.user_id == bindparam("username"))) for own in _PERSONAL)
)
_DELETE_MEMBERSHIPS = with_next(delete(_members).where(_members.c.username == bindparam("username")))
_DELETE_PERSONAL = tuple(with_next(delete(own).where(own.c.user_id == bindparam("username"))) for own in _PERSONAL)


class UserDeletion(Repository):
    """The one write that takes a user away."""

    async def delete_permanently(self, username: str) -> DeletedUser:
        """Delete a user with all that is personal, and hand over or delete the projects owned.

        A project with another active member goes to the first of them, by v1's list of collaborators where the import
        kept it, otherwise by position; that one becomes its lead. Any other owned project is deleted with all that
        hangs on it. Memberships, learning rows, provider settings, keys and usage go. What the user wrote in other
        people's projects stays: messages, notes, documents. Raises UserNotFoundError.
        """
        await self._write(_REMEMBER_USER, username=username, deleted_at=now())
        if not await self._write(_DELETE_USER, username=username):
            raise UserNotFoundError(username)
        heirs = _heirs(await self._rows(_CANDIDATES, username=username))
        await self._hand_over(heirs)
        await self._write(_REMEMBER_THE_REST, username=username, deleted_at=now())
        deleted = await self._rows(_DELETE_PROJECTS, username=username)
        await self._write(_DELETE_MEMBERSHIPS, username=username)
        for statement in _DELETE_PERSONAL:
            await self._write(statement, username=username)
        return DeletedUser(username, tuple(heirs.items()), tuple(sorted(row.id for row in deleted)))

    async def _hand_over(self, heirs: dict[str, str]) -> None:
        at = now()
        shares = [{"of_project": project_id, "heir": heir} for project_id, heir in heirs.items()]
        await self._write_many(_HAND_OVER, [{**share, "at": at} for share in shares])
        await self._write_many(_MAKE_LEAD, shares)


def _heirs(candidates: Iterable[Row[Any]]) -> dict[str, str]:
    """Who gets which project; projects without an heir are missing."""
    return {project_id: _heir(list(team)) for project_id, team in groupby(candidates, key=attrgetter("id"))}


def _heir(team: Sequence[Row[Any]]) -> str:
    names: list[str] = [member.username for member in team]
    collaborators: Sequence[str] = team[0].extra.get("v1_collaborators", ())
    return next((name for name in collaborators if name in names), names[0])
