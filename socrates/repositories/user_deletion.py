"""Deleting a user for good, which reaches into the tables of all aggregates."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, bindparam, delete, select, update

from socrates.errors import UserNotFoundError
from socrates.models import KnowledgeEntry, Project, TeamMember, User
from socrates.personal import DeletedUser, ErasurePlan
from socrates.repositories.base import now, table, with_next
from socrates.repositories.deletions import remember, remember_projects
from socrates.repositories.forgetting import forget_entries
from socrates.repositories.personal_data import PERSONAL, PLACES, Fate
from socrates.repositories.user_erasure import UserErasure, new_pseudonym

_users, _projects, _members = table(User), table(Project), table(TeamMember)
_IS_USER = _users.c.username == bindparam("username")
_IS_OWNER = _projects.c.owner == bindparam("username")

_USER = select(User.username).where(User.username == bindparam("username"))
_DELETE_USER = delete(_users).where(_IS_USER)
_REMEMBER_USER = remember(("users", select(_users.c.username).where(_IS_USER)))
_CANDIDATES = (
    select(Project.id, Project.extra, TeamMember.username)
    .join(TeamMember, TeamMember.project_id == Project.id)
    .where(Project.owner == bindparam("username"), TeamMember.is_active, TeamMember.username != bindparam("username"))
    .order_by(Project.id, TeamMember.position, TeamMember.username)
)
# Nobody may transfer one of them meanwhile.
_LOCKED_CANDIDATES = _CANDIDATES.with_for_update(of=Project, key_share=True)
_PROJECTS = select(Project.id).where(Project.owner == bindparam("username")).order_by(Project.id)
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
    _IS_OWNER, *((own.name, select(own.c.id).where(own.c.user_id == bindparam("username"))) for own in PERSONAL)
)
_FORGET_ENTRIES = forget_entries(table(KnowledgeEntry).c.project_id.in_(select(_projects.c.id).where(_IS_OWNER)))
_DELETE_THE_REST = tuple(
    with_next(delete(place.table).where(place.is_the_name))
    for place in PLACES
    if place.fate is Fate.DELETED and place.table is not _users
)


class UserErasurePlans(UserErasure):
    """What a deletion would do, to be read before it."""

    async def erasure_plan(self, username: str) -> ErasurePlan:
        """What `delete_permanently` would do now, and what has to be dropped first if nothing may remain.

        Backup files beside the database are not known here. Raises UserNotFoundError.
        """
        await self._require(username)
        heirs = _heirs(await self._rows(_CANDIDATES, username=username))
        owned = [row.id for row in await self._rows(_PROJECTS, username=username)]
        erasure = await self._erasure(username, await self._v1_is_here())
        return ErasurePlan(
            username, tuple(heirs.items()), tuple(project for project in owned if project not in heirs), erasure
        )

    async def _require(self, username: str) -> None:
        if await self._record(_USER, username=username) is None:
            raise UserNotFoundError(username)


class UserDeletion(UserErasurePlans):
    """The one write that takes a user away."""

    async def delete_permanently(self, username: str) -> DeletedUser:
        """Delete a user with all that is personal, hand over or delete the projects owned, and take the name away.

        A project with another active member goes to the first of them, by v1's list of collaborators where the import
        kept it, otherwise by position; that one becomes its lead. Any other owned project is deleted with all that
        hangs on it. Memberships, learning rows, provider settings, keys, usage and failed log-ins go.

        What the user wrote in other people's projects stays, under a pseudonym: messages, notes, documents, answers,
        decisions, and what was asked of the user. Texts that mention the name stay as they are. So do v1's own tables,
        which keep everything, and the account of the import as long as they are there: `erasure.remains` names them.
        What an index of vectors holds of deleted entries goes when it is brought up to date next. The figures are of
        the rows that were there before. Raises UserNotFoundError.

        Messages, notes, questions, suggestions, conflicts and the extra values of projects are read as a whole, because
        no index has their authors; on SQLite other units wait meanwhile.
        """
        await self._require(username)
        heirs = _heirs(await self._rows(_LOCKED_CANDIDATES, username=username))
        v1_is_here = await self._v1_is_here()
        erasure = await self._erasure(username, v1_is_here)
        pseudonym = new_pseudonym()
        await self._write(_REMEMBER_USER, username=username, deleted_at=now())
        await self._write(_DELETE_USER, username=username)
        await self._hand_over(heirs)
        for statement in (_REMEMBER_THE_REST, *_FORGET_ENTRIES):
            await self._write(statement, username=username, deleted_at=now())
        deleted = await self._rows(_DELETE_PROJECTS, username=username)
        for statement in _DELETE_THE_REST:
            await self._write(statement, username=username)
        await self._make_pseudonymous(username, pseudonym, v1_is_here)
        gone = tuple(sorted(row.id for row in deleted))
        return DeletedUser(username, tuple(heirs.items()), gone, pseudonym, erasure)

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
