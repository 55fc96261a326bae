"""Projects: their rows and lists. What hangs on them is in team.py and maturity.py beside this file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypedDict, Unpack
from uuid import uuid4

from sqlalchemy import CompoundSelect, bindparam, delete, func, insert, select, tuple_, union_all, update

from socrates.caching import cached
from socrates.database.dependencies import Tag
from socrates.errors import ConflictError, InvalidValueError, ProjectNotFoundError, SocratesError
from socrates.models import AnalyticsMetrics, KnowledgeEntry, PhaseMaturityScore, Project, TeamMember
from socrates.repositories.base import Mapper, now, only_known, positive, table, with_next
from socrates.repositories.cached_rows import (
    MEMBERSHIPS,
    OWNED_PROJECTS,
    PROJECT,
    PROJECT_CONTEXT,
    WHOLE_PROJECT,
    rows_of,
)
from socrates.repositories.deletions import remember_projects
from socrates.repositories.forgetting import forget_entries
from socrates.repositories.maturity import MaturityReads, MaturityWrites
from socrates.repositories.pages import last_first, merged
from socrates.repositories.project_context import CONTEXT, context_from
from socrates.repositories.project_details import DETAILS, details_from, part_from
from socrates.repositories.project_lists import LISTS, ListChange
from socrates.repositories.team import TeamReads, TeamWrites
from socrates.views import ProjectContext, ProjectDetails, ProjectSummary

PHASES = ("discovery", "analysis", "design", "implementation")
"""The phases that a new project starts with, at 0 percent (agents.md 2.1)."""

Sort = Literal["updated_at", "created_at", "name"]


class NewColumns(TypedDict, total=False):
    """The columns of a project's own row besides its name and owner."""

    phase: str
    status: str
    project_type: str
    chat_mode: str
    goals: str
    team_structure: str
    language_preferences: str
    deployment_target: str
    code_style: str
    progress: int
    dynamic_questions: bool
    extra: Mapping[Any, Any]


class _Lists(TypedDict, total=False):
    requirements: Sequence[str]
    tech_stack: Sequence[str]
    constraints: Sequence[str]


class ProjectColumns(NewColumns, total=False):
    """What can be changed in a project's own row."""

    name: str


class NewProject(NewColumns, _Lists, total=False):
    """What a new project can be given besides its name and owner."""


class ProjectChanges(ProjectColumns, _Lists, total=False):
    """What one update can change: columns, and lists as a whole."""


@dataclass(frozen=True, slots=True)
class ProjectUpdate:
    """One project's share of a bulk update."""

    project_id: str
    expected_version: int
    changes: ProjectColumns


_summary = Mapper(ProjectSummary, Project)
_projects = table(Project)
_ID = _projects.c.id == bindparam("project_id")

_SUMMARY = select(*_summary.columns).where(Project.id == bindparam("project_id"))
_OWN = select(*_summary.columns).where(Project.owner == bindparam("username"))
_JOINED = (
    select(*_summary.columns)
    .join_from(TeamMember, Project, Project.id == TeamMember.project_id)
    .where(TeamMember.username == bindparam("username"), TeamMember.is_active, Project.owner != bindparam("username"))
)
_OWNED = select(func.count()).select_from(Project).where(Project.owner == bindparam("username"))
_OWNED_BY_STATE = _OWNED.where(Project.is_archived == bindparam("archived"))
# In one order, so that two bulk updates wait for one another instead of each holding what the other wants.
_VERSIONS = (
    select(Project.id, Project.version)
    .where(Project.id.in_(bindparam("ids", expanding=True)))
    .order_by(Project.id)
    .with_for_update(key_share=True)
)
_ARCHIVED = select(*_summary.columns).where(Project.is_archived)
_UNDATED = _ARCHIVED.where(Project.archived_at.is_(None))
_OLDER = _ARCHIVED.where(
    tuple_(Project.archived_at, Project.id) < tuple_(bindparam("at", type_=Project.archived_at.type), bindparam("id"))
)
_LAST_FIRST = last_first("archived_at", "id")
_FIRST_ARCHIVED = _ARCHIVED.order_by(*_LAST_FIRST).limit(bindparam("count"))
_NEXT_ARCHIVED = merged(_OLDER, _UNDATED, _LAST_FIRST)
# All have the same time, none; its order keeps PostgreSQL from walking the primary key to find them.
_NEXT_UNDATED = _UNDATED.where(Project.id < bindparam("id")).order_by(*_LAST_FIRST).limit(bindparam("count"))

_RETURNED = [_projects.c[column.key] for column in _summary.columns]
_INSERT = insert(_projects).returning(*_RETURNED)
_INSERT_OWNER = with_next(insert(table(TeamMember)))
_INSERT_PHASES = with_next(insert(table(PhaseMaturityScore)))
_INSERT_ANALYTICS = with_next(insert(table(AnalyticsMetrics)))
_NEXT_VERSION = update(_projects).where(_ID).values(version=_projects.c.version + 1)
_SAVE_EACH = _NEXT_VERSION.where(_projects.c.version == bindparam("expected_version"))
_SAVE = _SAVE_EACH.returning(*_RETURNED)
_CHANGE = _NEXT_VERSION.returning(*_RETURNED)
_ARCHIVE = _CHANGE.where(~_projects.c.is_archived)
_RESTORE = _CHANGE.where(_projects.c.is_archived)
_DELETE = delete(_projects).where(_ID)
_REMEMBER_DELETION = remember_projects(_ID)
_FORGET_ENTRIES = forget_entries(table(KnowledgeEntry).c.project_id == bindparam("project_id"))

_AT_ONCE = 10_000
"""Ids in one statement: SQLite takes 32,766 parameters, PostgreSQL 32,767."""


def _is_whole(
    _username: str, *, limit: int | None = None, after: ProjectSummary | None = None, **_order: object
) -> bool:
    return limit is None and after is None


def _listed(projects: Sequence[ProjectSummary], username: str, **_options: object) -> Iterator[Tag]:
    """What the list of a user depends on: what comes and goes, and each project in it."""
    yield from OWNED_PROJECTS(username)
    yield from MEMBERSHIPS(username)
    for project in projects:
        yield from PROJECT(project.id)


@lru_cache(maxsize=64)
def _for_user(sort: Sort, descending: bool, archived: bool | None, paged: bool, limited: bool) -> CompoundSelect[Any]:
    """The list of one user, by its options. Ties are ordered by id, so that a page ends at one definite place.

    Two branches, so that a page of somebody who owns thousands of projects is read in the order of the index.
    """
    sorted_by = getattr(Project, sort)
    conditions = []
    if archived is not None:
        conditions.append(Project.is_archived == archived)
    if paged:
        place = tuple_(sorted_by, Project.id)
        last = tuple_(bindparam("last_key", type_=sorted_by.type), bindparam("last_id"))
        conditions.append(place < last if descending else place > last)
    both = union_all(_OWN.where(*conditions), _JOINED.where(*conditions))
    if limited:
        both = both.limit(bindparam("count"))
    key = (both.selected_columns[sort], both.selected_columns["id"])
    return both.order_by(*(column.desc() if descending else column for column in key))


class ProjectReads(TeamReads, MaturityReads):
    """Reads of projects."""

    @cached("projects.summary", tags=rows_of(PROJECT))
    async def summary(self, project_id: str) -> ProjectSummary:
        """One project's own row. Raises ProjectNotFoundError."""
        row = await self._record(_SUMMARY, project_id=project_id)
        if row is None:
            raise ProjectNotFoundError(project_id)
        return _summary(row)

    @cached("projects.details", tags=rows_of(*WHOLE_PROJECT), lifetime="context")
    async def details(self, project_id: str) -> ProjectDetails:
        """The whole project but its conversation, notes and documents, of one moment. Raises ProjectNotFoundError."""
        if self._session.locks:
            await self.summary(project_id)
        details = details_from(await self._views(part_from, DETAILS, project_id=project_id))
        if details is None:
            raise ProjectNotFoundError(project_id)
        return details

    @cached("projects.context", tags=rows_of(*PROJECT_CONTEXT), lifetime="context")
    async def context(self, project_id: str) -> ProjectContext:
        """What the project is about, as prompts show it, of one moment. Raises ProjectNotFoundError."""
        if self._session.locks:
            await self.summary(project_id)
        context = context_from(await self._rows(CONTEXT, project_id=project_id))
        if context is None:
            raise ProjectNotFoundError(project_id)
        return context

    # Pages are not cached: what a change of some other project moves onto one cannot be told from what is on it.
    @cached("projects.for_user", tags=_listed, only=_is_whole)
    async def for_user(
        self,
        username: str,
        *,
        archived: bool | None = False,
        sort: Sort = "updated_at",
        descending: bool = True,
        limit: int | None = None,
        after: ProjectSummary | None = None,
    ) -> tuple[ProjectSummary, ...]:
        """The projects that `username` owns or is an active member of; `archived` None takes both kinds.

        For the next page give the last project of this one as `after`, with the same order.
        """
        if sort not in ("updated_at", "created_at", "name"):
            raise InvalidValueError(f"projects are sorted by updated_at, created_at or name, not by {sort}")
        parameters: dict[str, Any] = {"username": username}
        if limit is not None:
            parameters["count"] = positive("limit", limit)
        if after is not None:
            parameters |= {"last_key": getattr(after, sort), "last_id": after.id}
        statement = _for_user(sort, descending, archived, after is not None, limit is not None)
        return await self._views(_summary, statement, **parameters)

    async def archived(self, limit: int = 50, after: ProjectSummary | None = None) -> tuple[ProjectSummary, ...]:
        """Everybody's archived projects, the last archived first; those without a time at the end."""
        count = positive("limit", limit)
        if after is None:
            return await self._views(_summary, _FIRST_ARCHIVED, count=count)
        if after.archived_at is None:
            return await self._views(_summary, _NEXT_UNDATED, count=count, id=after.id)
        return await self._views(_summary, _NEXT_ARCHIVED, count=count, at=after.archived_at, id=after.id)

    @cached("projects.count_owned", tags=rows_of(OWNED_PROJECTS))
    async def count_owned(self, username: str, *, archived: bool | None = False) -> int:
        """How many projects `username` owns, for quotas: memberships don't count. `archived` None counts both kinds."""
        await self._session.hold("projects of", username)
        if archived is None:
            return int(await self._value(_OWNED, username=username))
        return int(await self._value(_OWNED_BY_STATE, username=username, archived=archived))


class ProjectRepository(ProjectReads, TeamWrites, MaturityWrites):
    """Reads and writes of projects, inside a unit of work."""

    async def create(
        self, name: str, owner: str, *, project_id: str | None = None, **columns: Unpack[NewProject]
    ) -> ProjectSummary:
        """Make a project, with its owner as active lead and its phases at 0. Raises AlreadyExistsError.

        `project_id` is a UUID by default. No quota is checked.
        """
        only_known("new project", columns, NewProject.__annotations__)
        at, project_id = now(), str(uuid4()) if project_id is None else project_id
        own, lists = _split(columns)
        row = {
            "name": name,
            "phase": PHASES[0],
            **own,
            "id": project_id,
            "owner": owner,
            "created_at": at,
            "updated_at": at,
        }
        (created,) = await self._rows(_INSERT, **row)
        await self._write(
            _INSERT_OWNER, project_id=project_id, username=owner, role="lead", joined_at=at, is_active=True, position=0
        )
        await self._write_many(_INSERT_PHASES, [{"project_id": project_id, "phase": phase} for phase in PHASES])
        await self._write(_INSERT_ANALYTICS, project_id=project_id)
        for change in lists:
            await self._write_many(change.insert, change.rows(project_id))
        return _summary(created)

    async def update(self, project_id: str, expected_version: int, **changes: Unpack[ProjectChanges]) -> ProjectSummary:
        """Save what changed, if nobody else saved since `expected_version` was read.

        Raises ConflictError with both versions otherwise, ProjectNotFoundError, and InvalidValueError for what a
        project doesn't have. Lists are given whole; only their changed entries are written.
        """
        only_known("project", changes, ProjectChanges.__annotations__)
        if not changes:
            return await self._unchanged(project_id, expected_version)
        own, lists = _split(changes)
        row = await self._row(_SAVE, project_id=project_id, expected_version=expected_version, updated_at=now(), **own)
        if row is None:
            raise await self._refusal({project_id: expected_version}) or ProjectNotFoundError(project_id)
        for change in lists:
            await self._save_list(project_id, change)
        return _summary(row)

    async def bulk_update(self, updates: Iterable[ProjectUpdate]) -> None:
        """Update many projects' own columns, all or none, with one statement per set of columns.

        Raises like `update`, and InvalidValueError for a project that is named twice.
        """
        by_columns: dict[frozenset[str], list[dict[str, Any]]] = {}
        versions: dict[str, int] = {}
        at = now()
        for each in updates:
            only_known("project in bulk", each.changes, ProjectColumns.__annotations__)
            if each.project_id in versions:
                raise InvalidValueError(f"the project {each.project_id!r} is updated twice")
            versions[each.project_id] = each.expected_version
            if each.changes:
                by_columns.setdefault(frozenset(each.changes), []).append(
                    {"project_id": each.project_id, "expected_version": each.expected_version, "updated_at": at}
                    | each.changes
                )
        refusal = await self._refusal(versions)
        if refusal is not None:
            raise refusal
        for rows in by_columns.values():
            await self._write_many(_SAVE_EACH, rows)

    async def archive(self, project_id: str) -> ProjectSummary:
        """Take the project out of the lists; its status stays. One that is archived keeps its time."""
        row = await self._row(_ARCHIVE, project_id=project_id, is_archived=True, archived_at=now(), updated_at=now())
        return await self.summary(project_id) if row is None else _summary(row)

    async def restore(self, project_id: str) -> ProjectSummary:
        """Bring an archived project back. Raises InvalidValueError when it isn't archived."""
        row = await self._row(_RESTORE, project_id=project_id, is_archived=False, archived_at=None, updated_at=now())
        if row is None:
            await self.summary(project_id)
            raise InvalidValueError(f"the project {project_id!r} is not archived")
        return _summary(row)

    async def delete(self, project_id: str) -> None:
        """Delete the project and all that hangs on it. Raises ProjectNotFoundError."""
        # An entry that is added meanwhile would go with the project, and the index would not be told to forget it.
        await self._session.hold("entries", project_id)
        for statement in (_REMEMBER_DELETION, *_FORGET_ENTRIES):
            await self._write(statement, project_id=project_id, deleted_at=now())
        if not await self._write(_DELETE, project_id=project_id):
            raise ProjectNotFoundError(project_id)

    async def transfer(self, project_id: str, new_owner: str) -> ProjectSummary:
        """Make `new_owner` the owner and an active lead. The old owner stays in the team."""
        row = await self._row(_CHANGE, project_id=project_id, owner=new_owner, updated_at=now())
        if row is None:
            raise ProjectNotFoundError(project_id)
        await self._session.hold("team", project_id)
        await self._make_lead(project_id, new_owner)
        return _summary(row)

    async def _unchanged(self, project_id: str, expected_version: int) -> ProjectSummary:
        summary = await self.summary(project_id)
        if summary.version != expected_version:
            raise ConflictError(project_id, expected_version, summary.version)
        return summary

    async def _save_list(self, project_id: str, change: ListChange) -> None:
        stored = [row.value for row in await self._rows(change.select, project_id=project_id)]
        await self._write_many(change.save, change.changed_rows(project_id, stored))
        if len(stored) > len(change.values):
            await self._write(change.cut, project_id=project_id, length=len(change.values))

    async def _refusal(self, expected: Mapping[str, int]) -> SocratesError | None:
        """What is wrong with the first project that is missing, or has another version than expected."""
        ids = list(expected)
        actual: dict[str, int] = {}
        for start in range(0, len(ids), _AT_ONCE):
            rows = await self._rows(_VERSIONS, ids=ids[start : start + _AT_ONCE])
            actual.update((row.id, row.version) for row in rows)
        for project_id, version in expected.items():
            if project_id not in actual:
                return ProjectNotFoundError(project_id)
            if actual[project_id] != version:
                return ConflictError(project_id, version, actual[project_id])
        return None


def _split(changes: Mapping[str, Any]) -> tuple[dict[str, Any], list[ListChange]]:
    """The changes to columns, and those to lists."""
    own = {name: value for name, value in changes.items() if name not in LISTS}
    return own, [ListChange(name, changes[name]) for name in LISTS if name in changes]
