"""Projects: each is held as its details are read."""

from collections.abc import Iterable
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any

from socrates.errors import AlreadyExistsError, ConflictError, InvalidValueError
from socrates.frozen import FrozenDict, freeze
from socrates.repositories.projects import ProjectUpdate
from socrates.views import Analytics, Member, PhaseScore, ProjectContext, ProjectDetails, ProjectSummary
from tests.stateful.model.maturity import Maturity
from tests.stateful.model.state import BEFORE_ALL, State, known, page
from tests.stateful.model.team import Team

_OF_SUMMARY = ("phase", "status", "project_type", "chat_mode", "progress")
_OF_DETAILS = (
    "goals",
    "team_structure",
    "language_preferences",
    "deployment_target",
    "code_style",
    "extra",
    "dynamic_questions",
)
_LISTS = ("requirements", "tech_stack", "constraints")
_GIVEN = (*_OF_SUMMARY, *_OF_DETAILS, *_LISTS)


class Projects(Team, Maturity):
    def summary(self, project_id: str) -> ProjectSummary:
        return self.a_project(project_id).summary

    def details(self, project_id: str) -> ProjectDetails:
        return self.a_project(project_id)

    def context(self, project_id: str) -> ProjectContext:
        details = self.a_project(project_id)
        shown = {name: getattr(part, name) for part in (details.summary, details) for name in _names(part)}
        return ProjectContext(*(shown[name] for name in _names(ProjectContext)))

    def for_user(
        self,
        username: str,
        *,
        archived: bool | None = False,
        sort: str = "updated_at",
        descending: bool = True,
        limit: int | None = None,
        after: ProjectSummary | None = None,
    ) -> tuple[ProjectSummary, ...]:
        if sort not in ("updated_at", "created_at", "name"):
            raise InvalidValueError("sort")
        visible = (summary for summary in self._in_state(archived) if self.is_member(summary.id, username))
        return page(visible, attrgetter(sort, "id"), limit, after, descending)

    def archived(self, limit: int = 50, after: ProjectSummary | None = None) -> tuple[ProjectSummary, ...]:
        found = self._in_state(archived=True)
        return page(found, lambda each: (each.archived_at or BEFORE_ALL, each.id), limit, after, descending=True)

    def count_owned(self, username: str, *, archived: bool | None = False) -> int:
        return [summary.owner for summary in self._in_state(archived)].count(username)

    def create(self, name: str, owner: str, *, project_id: str | None = None, **columns: Any) -> ProjectSummary:
        known(columns, _GIVEN)
        project_id = self.an_id(project_id)
        if project_id in self.state.projects:
            raise AlreadyExistsError(project_id)
        return self._save(self._new(project_id, name, owner), columns)

    def update(self, project_id: str, expected_version: int, **changes: Any) -> ProjectSummary:
        known(changes, ("name", *_GIVEN))
        project = self._expected(project_id, expected_version)
        return self._save(self._newer(project), changes) if changes else project.summary

    def bulk_update(self, updates: Iterable[ProjectUpdate]) -> None:
        updates = list(updates)
        for each in updates:
            known(each.changes, ("name", *_OF_SUMMARY, *_OF_DETAILS))
        if len({each.project_id for each in updates}) < len(updates):
            raise InvalidValueError("twice")
        for each in updates:
            self._expected(each.project_id, each.expected_version)
        for each in updates:
            if each.changes:
                self._save(self._newer(self.a_project(each.project_id)), dict(each.changes))

    def archive(self, project_id: str) -> ProjectSummary:
        project = self.a_project(project_id)
        if project.summary.is_archived:
            return project.summary
        return self._save(self._newer(project, is_archived=True, archived_at=self.now))

    def restore(self, project_id: str) -> ProjectSummary:
        project = self.a_project(project_id)
        if not project.summary.is_archived:
            raise InvalidValueError("not archived")
        return self._save(self._newer(project, is_archived=False, archived_at=None))

    def delete(self, project_id: str) -> None:
        self.a_project(project_id)
        delete_project(self.state, project_id)

    def transfer(self, project_id: str, new_owner: str) -> ProjectSummary:
        self._save(self._newer(self.a_project(project_id), owner=new_owner))
        self.make_lead(project_id, new_owner)
        return self.summary(project_id)

    def _in_state(self, archived: bool | None) -> list[ProjectSummary]:
        summaries = (project.summary for project in self.state.projects.values())
        return [summary for summary in summaries if archived in (None, summary.is_archived)]

    def _expected(self, project_id: str, version: int) -> ProjectDetails:
        project = self.a_project(project_id)
        if project.version != version:
            raise ConflictError(project_id, version, project.version)
        return project

    def _newer(self, project: ProjectDetails, **columns: Any) -> ProjectDetails:
        changed = {"version": project.version + 1, "updated_at": self.now, **columns}
        return replace(project, summary=replace(project.summary, **changed))

    def _save(self, project: ProjectDetails, changes: dict[str, Any] | None = None) -> ProjectSummary:
        given = {name: freeze(value) for name, value in (changes or {}).items()}
        own = {name: given.pop(name) for name in ("name", *_OF_SUMMARY) if name in given}
        lists = {name: tuple(given.pop(name)) for name in _LISTS if name in given}
        project = replace(project, summary=replace(project.summary, **own), **given, **lists)
        self.state.projects[project.id] = project
        return project.summary

    def _new(self, project_id: str, name: str, owner: str) -> ProjectDetails:
        phases = ("analysis", "design", "discovery", "implementation")
        return ProjectDetails(
            summary=ProjectSummary(
                id=project_id,
                name=name,
                owner=owner,
                phase="discovery",
                status="active",
                project_type="software",
                chat_mode="socratic",
                progress=0,
                is_archived=False,
                archived_at=None,
                created_at=self.now,
                updated_at=self.now,
                message_count=0,
                version=1,
            ),
            goals="",
            team_structure="individual",
            language_preferences="python",
            deployment_target="local",
            code_style="standard",
            extra=FrozenDict(),
            requirements=(),
            tech_stack=(),
            constraints=(),
            members=(Member(owner, "lead", (), self.now, True, 0, FrozenDict()),),
            pending_questions=(),
            phase_scores=tuple(PhaseScore(phase, 0.0) for phase in phases),
            category_scores=(),
            specs=(),
            maturity_events=(),
            analytics=Analytics(0.0, 0, 0.0, (), (), None, FrozenDict()),
        )


def delete_project(state: State, project_id: str) -> None:
    """Everything that hangs on the project goes with it."""
    del state.projects[project_id]
    state.messages.pop(project_id, None)
    state.notes = {note.id: note for note in state.notes.values() if note.project_id != project_id}
    state.documents = {
        each.summary.id: each for each in state.documents.values() if each.summary.project_id != project_id
    }
    state.suggestions = {each.id: each for each in state.suggestions.values() if each.project_id != project_id}
    state.conflicts = {each.id: each for each in state.conflicts.values() if each.project_id != project_id}


def _names(view: Any) -> list[str]:
    return [field.name for field in fields(view)]
