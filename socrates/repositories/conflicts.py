"""Conflicts between what somebody said and what stands in a project, kept until somebody decides."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, get_args
from uuid import uuid4

from sqlalchemy import Select, bindparam, insert, select, tuple_, update

from socrates.caching import cached
from socrates.drafts import NewConflict
from socrates.errors import InvalidValueError, NotFoundError
from socrates.models import ProjectConflict as Entity
from socrates.repositories.base import Mapper, Repository, now, positive, table, text_list
from socrates.repositories.cached_rows import CONFLICTS, rows_of
from socrates.views import ConflictChoice, ProjectConflict

_CHOICES = get_args(ConflictChoice)
_NEXT = timedelta(microseconds=1)

_conflict = Mapper(ProjectConflict, Entity)
_conflicts = table(Entity)
_PLACE = (Entity.created_at, Entity.id)

_GET = select(*_conflict.columns).where(Entity.id == bindparam("conflict_id"))
_OF_PROJECT = select(*_conflict.columns).where(Entity.project_id == bindparam("project_id")).order_by(*_PLACE)
_PENDING = _OF_PROJECT.where(Entity.status == "pending")
_INSERT = insert(_conflicts)
_SETTLE = (
    update(_conflicts)
    .where(
        _conflicts.c.id == bindparam("conflict_id"),
        _conflicts.c.project_id == bindparam("of_project"),
        _conflicts.c.status == "pending",
    )
    .values(status="resolved")
    .returning(*_conflict.columns)
)


@lru_cache(maxsize=4)
def _page(paged: bool, limited: bool) -> Select[Any]:
    """The list of one project's conflicts, by its options. Ties in time are ordered by id."""
    statement = _OF_PROJECT
    if paged:
        last = (bindparam("last_at", type_=Entity.created_at.type), bindparam("last_id", type_=Entity.id.type))
        statement = statement.where(tuple_(*_PLACE) > tuple_(*last))
    return statement.limit(bindparam("count")) if limited else statement


class ConflictReads(Repository):
    """Reads of conflicts. An unknown project has none."""

    async def get(self, conflict_id: str) -> ProjectConflict:
        """One conflict. Raises NotFoundError."""
        row = await self._record(_GET, conflict_id=conflict_id)
        if row is None:
            raise NotFoundError("conflict", conflict_id)
        return _conflict(row)

    @cached("conflicts.pending", tags=rows_of(CONFLICTS))
    async def pending(self, project_id: str) -> tuple[ProjectConflict, ...]:
        """The conflicts of a project that wait for a decision, oldest first."""
        return await self._views(_conflict, _PENDING, project_id=project_id)

    async def for_project(
        self, project_id: str, *, limit: int | None = None, after: ProjectConflict | None = None
    ) -> tuple[ProjectConflict, ...]:
        """All conflicts of a project, also those that are resolved, oldest first.

        For the next page give the last conflict of this one as `after`.
        """
        parameters: dict[str, Any] = {"project_id": project_id}
        if limit is not None:
            parameters["count"] = positive("limit", limit)
        if after is not None:
            parameters |= {"last_at": after.created_at, "last_id": after.id}
        return await self._views(_conflict, _page(after is not None, limit is not None), **parameters)


class ConflictRepository(ConflictReads):
    """Reads and writes of conflicts, inside a unit of work."""

    async def add(self, project_id: str, drafts: Iterable[NewConflict]) -> tuple[ProjectConflict, ...]:
        """Add conflicts, pending, all or none; lists show them in the order of the drafts.

        Raises ProjectNotFoundError, AlreadyExistsError for a known id, and InvalidValueError.
        """
        at = now()
        rows = [_as_row(project_id, draft, at + place * _NEXT) for place, draft in enumerate(drafts)]
        await self._write_to_project(project_id, _INSERT, rows)
        return tuple(_conflict(tuple(row.values())) for row in rows)

    async def settle(
        self, project_id: str, conflict_id: str, choice: ConflictChoice, value: str | None, by: str | None
    ) -> ProjectConflict:
        """Note what was decided on a pending conflict; the project's statements stay as they are.

        `value` is the statement in the place of both: it comes with the choice "manual", and with no other. `by` is
        None for a decision that a program made. Each conflict is decided once: of several at the same time one
        succeeds. Raises NotFoundError also for a conflict of another project, and InvalidValueError for one that is
        resolved already.
        """
        _require_decision(choice, value)
        row = await self._row(
            _SETTLE,
            conflict_id=conflict_id,
            of_project=project_id,
            choice=choice,
            value=value,
            resolved_by=by,
            resolved_at=now(),
        )
        if row is not None:
            return _conflict(row)
        found = await self.get(conflict_id)
        if found.project_id != project_id:
            raise NotFoundError("conflict", conflict_id)
        raise InvalidValueError(f"the conflict {conflict_id!r} is resolved already")


def _require_decision(choice: str, value: str | None) -> None:
    if choice not in _CHOICES:
        raise InvalidValueError(f"a choice is one of {', '.join(_CHOICES)}, not {choice!r}")
    if (choice == "manual") != (value is not None):
        raise InvalidValueError('the choice "manual" needs a value, and no other choice takes one')


def _as_row(project_id: str, draft: NewConflict, at: datetime) -> dict[str, Any]:
    """The columns in the order of the view's fields."""
    return {
        "id": str(uuid4()) if draft.id is None else draft.id,
        "project_id": project_id,
        "field": draft.field,
        "existing": draft.existing,
        "new": draft.new,
        "severity": draft.severity,
        "explanation": draft.explanation,
        "suggestions": text_list("suggestions", draft.suggestions),
        "existing_author": draft.existing_author,
        "new_author": draft.new_author,
        "created_at": at,
        "status": "pending",
        "choice": None,
        "value": None,
        "resolved_by": None,
        "resolved_at": None,
        "extra": {},
    }
