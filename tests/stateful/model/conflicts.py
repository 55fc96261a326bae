"""Conflicts: records by id, in the order of their projects' lists."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from socrates.drafts import NewConflict
from socrates.errors import AlreadyExistsError, InvalidValueError, NotFoundError
from socrates.frozen import FrozenDict
from socrates.views import ConflictChoice, ProjectConflict
from tests.stateful.model.state import Face, page


class Conflicts(Face):
    def get(self, conflict_id: str) -> ProjectConflict:
        if conflict_id not in self.state.conflicts:
            raise NotFoundError("conflict", conflict_id)
        return self.state.conflicts[conflict_id]

    def pending(self, project_id: str) -> tuple[ProjectConflict, ...]:
        return tuple(each for each in self.for_project(project_id) if each.status == "pending")

    def for_project(
        self, project_id: str, *, limit: int | None = None, after: ProjectConflict | None = None
    ) -> tuple[ProjectConflict, ...]:
        found = (each for each in self.state.conflicts.values() if each.project_id == project_id)
        return page(found, lambda each: (each.created_at, each.id), limit, after)

    def add(self, project_id: str, drafts: Iterable[NewConflict]) -> tuple[ProjectConflict, ...]:
        return tuple(self._add(project_id, place, draft) for place, draft in enumerate(drafts))

    def settle(
        self, project_id: str, conflict_id: str, choice: ConflictChoice, value: str | None, by: str | None
    ) -> ProjectConflict:
        if choice not in ("keep", "replace", "skip", "manual") or (choice == "manual") != (value is not None):
            raise InvalidValueError("choice")
        conflict = self.get(conflict_id)
        if conflict.project_id != project_id:
            raise NotFoundError("conflict", conflict_id)
        if conflict.status != "pending":
            raise InvalidValueError("resolved")
        self.state.conflicts[conflict_id] = replace(
            conflict, status="resolved", choice=choice, value=value, resolved_by=by, resolved_at=self.now
        )
        return self.state.conflicts[conflict_id]

    def _add(self, project_id: str, place: int, draft: NewConflict) -> ProjectConflict:
        key = self.an_id(draft.id)
        if key in self.state.conflicts:
            raise AlreadyExistsError(key)
        self.a_project(project_id)
        self.state.conflicts[key] = ProjectConflict(
            id=key,
            project_id=project_id,
            field=draft.field,
            existing=draft.existing,
            new=draft.new,
            severity=draft.severity,
            explanation=draft.explanation,
            suggestions=draft.suggestions,
            existing_author=draft.existing_author,
            new_author=draft.new_author,
            created_at=self.now + timedelta(microseconds=place),
            status="pending",
            choice=None,
            value=None,
            resolved_by=None,
            resolved_at=None,
            extra=FrozenDict(),
        )
        return self.state.conflicts[key]
