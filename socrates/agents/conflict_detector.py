"""Conflicts between what people say and what stands in a project: look for them, show them, decide them."""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from socrates.agents.access import Reads, require_member, require_user, require_writer
from socrates.agents.base import Agent, News, action
from socrates.agents.contracts.conflicts import (
    ByField,
    ConflictList,
    ConflictsDetected,
    ConflictShown,
    ConflictsResolved,
    Decision,
    DetectConflicts,
    GetSuggestions,
    ListConflicts,
    ResolveConflict,
    SuggestionList,
)
from socrates.agents.failures import RefusedError
from socrates.agents.scoring import score
from socrates.agents.statements import check, known_statements, save_statements
from socrates.drafts import NewSpec
from socrates.errors import InvalidValueError, NotFoundError, ProjectNotFoundError
from socrates.events import EventType
from socrates.events.payloads import ConflictResolved
from socrates.llm.briefing import Briefing, brief
from socrates.llm.caller import Caller
from socrates.llm.results import Result
from socrates.repositories.conflicts import ConflictReads
from socrates.rules.categories import categories_of
from socrates.rules.conflicts import Decided, FoundConflict, Resolution, Statements, decided, statements_of
from socrates.rules.maturity import CONFLICT_RESOLVED
from socrates.store import UnitOfWork
from socrates.views import ProjectConflict

_NUMBERED = re.compile(r"^\s*\d{1,2}[.)]\s+", re.MULTILINE)
_BULLETED = re.compile(r"^\s*[-*•]\s+", re.MULTILINE)


class _ConflictReads(Reads, Protocol):
    """A store or a unit of work."""

    @property
    def conflicts(self) -> ConflictReads: ...


class ConflictDetector(Agent):
    """Conflicts are stored where an answer is taken in; here anybody of the team decides them, whenever they like."""

    name = "conflict_detector"

    @action
    async def detect_conflicts(self, request: DetectConflicts) -> ConflictsDetected:
        """Look what would contradict the project; nothing is stored or told, as in v1."""
        await require_member(self._store, request.project_id, request.current_user)
        briefing = await brief(self._store, request.project_id, messages=0)
        return ConflictsDetected.of(await check(self._services, briefing, request.new_insights, request.current_user))

    @action
    async def list_conflicts(self, request: ListConflicts) -> ConflictList:
        """What waits for a decision."""
        await require_member(self._store, request.project_id, request.current_user)
        shown = tuple(map(ConflictShown.of, await self._store.conflicts.pending(request.project_id)))
        return ConflictList(conflicts=shown, count=len(shown))

    @action
    async def get_suggestions(self, request: GetSuggestions) -> SuggestionList:
        """Ways to resolve a conflict: those that were found with it, otherwise a model's. Raises LLMError."""
        conflict = await _visible(self._store, request.conflict_id, request.current_user)
        if conflict.suggestions:
            return SuggestionList(conflict_id=conflict.id, suggestions=conflict.suggestions, truncated=False)
        briefing = await brief(self._store, conflict.project_id, messages=0)
        result = await self._services.llm.generate_conflict_resolution_suggestions_async(
            _as_found(conflict), briefing, caller=Caller(request.current_user)
        )
        return SuggestionList(conflict_id=conflict.id, suggestions=_listed(result.value), truncated=result.truncated)

    @action
    async def resolve_conflict(self, request: ResolveConflict) -> ConflictsResolved:
        """Decide conflicts of one project, all of them or none, and change the project accordingly.

        Mends D11 and D13, where a decision changed nothing, and D12: the answer says how many still wait.
        """
        resolutions, username = _resolutions(request), request.current_user
        project_id, conflicts = await _waiting(self._store, resolutions, username)
        await require_writer(self._store, project_id, username)
        async with self._services.order.place(project_id) as reached:
            briefing, added = await self._brought_in(project_id, conflicts, resolutions)
            specs = await self._categorized(briefing, added, username)
            await reached()
            # An answer that was ahead may have brought in the same, and then it is scored already.
            now, left = await self._brought_in(project_id, conflicts, resolutions)
            if left != added:
                briefing, specs = now, await self._categorized(now, left, username)

            async def work(unit: UnitOfWork, news: News) -> ConflictsResolved:
                summary = await require_writer(unit, project_id, username)
                outcome = await _decided(unit, news, project_id, resolutions, username)
                settled = [await _settled(unit, news, project_id, resolution, username) for resolution in resolutions]
                if specs.value:
                    await score(unit, news, summary, briefing.project.phase, specs.value, username, CONFLICT_RESOLVED)
                return ConflictsResolved(
                    conflict_id=settled[0].conflict_id,
                    conflicts=tuple(settled),
                    added=ByField.of(outcome.added),
                    removed=ByField.of(outcome.removed),
                    pending=len(await unit.conflicts.pending(project_id)),
                    degraded=specs.degraded,
                    warning=f"the new statements were sorted without a model: {specs.failure}"
                    if specs.degraded
                    else "",
                )

            return await self._store_and_tell(work)

    async def _brought_in(
        self, project_id: str, conflicts: Mapping[str, ProjectConflict], resolutions: Sequence[Resolution]
    ) -> tuple[Briefing, Statements]:
        """The project as it is now, and what the decisions would add to it."""
        briefing = await brief(self._store, project_id, messages=0)
        return briefing, decided(statements_of(briefing.project), conflicts, resolutions).added

    async def _categorized(self, briefing: Briefing, added: Statements, username: str) -> Result[tuple[NewSpec, ...]]:
        """What comes into the project by category; degraded where no model can be asked."""
        project = briefing.project
        if not any(added.values()):
            return Result(())
        return await self._services.llm.categorize_insights_async(
            {str(field): texts for field, texts in added.items()},
            project.phase,
            project.project_type,
            tuple(categories_of(project.project_type, project.phase)),
            caller=Caller(username),
        )


async def _decided(
    unit: UnitOfWork, news: News, project_id: str, resolutions: Sequence[Resolution], username: str
) -> Decided:
    """Change the project's statements as was decided."""
    _, conflicts = await _waiting(unit, resolutions, username)
    known = await known_statements(unit, project_id)
    outcome = decided(known, conflicts, resolutions)
    await save_statements(unit, news, project_id, known, outcome.statements, username)
    return outcome


async def _settled(
    unit: UnitOfWork, news: News, project_id: str, resolution: Resolution, username: str
) -> ConflictShown:
    conflict = await unit.conflicts.settle(
        project_id, resolution.conflict_id, resolution.choice, resolution.value, username
    )
    told = ConflictResolved(project_id=project_id, user_id=username, conflict_id=conflict.id, choice=resolution.choice)
    news.tell(EventType.CONFLICT_RESOLVED, told)
    return ConflictShown.of(conflict)


async def _visible(reads: _ConflictReads, conflict_id: str, username: str) -> ProjectConflict:
    """A conflict of a project that this person may see. Raises NotFoundError."""
    await require_user(reads, username)  # first: who is nobody must not learn which conflicts there are
    conflict = await reads.conflicts.get(conflict_id)
    try:
        await require_member(reads, conflict.project_id, username)
    except ProjectNotFoundError:
        # As for an id that is nobody's: whose conflict it is, is none of the asker's business.
        raise NotFoundError("conflict", conflict_id) from None
    return conflict


async def _waiting(
    reads: _ConflictReads, resolutions: Sequence[Resolution], username: str
) -> tuple[str, Mapping[str, ProjectConflict]]:
    """The project of the first conflict, and all its conflicts that wait, among which the others must be.

    Raises NotFoundError, and InvalidValueError for one that does not wait any more.
    """
    project_id = (await _visible(reads, resolutions[0].conflict_id, username)).project_id
    waiting = {conflict.id: conflict for conflict in await reads.conflicts.pending(project_id)}
    for resolution in resolutions:
        if resolution.conflict_id not in waiting:
            conflict = await reads.conflicts.get(resolution.conflict_id)
            if conflict.project_id != project_id:
                raise NotFoundError("conflict", conflict.id)
            raise InvalidValueError(f"the conflict {conflict.id!r} is resolved already")
    return project_id, waiting


def _resolutions(request: ResolveConflict) -> tuple[Resolution, ...]:
    """The decisions of either form. Raises RefusedError, and InvalidValueError for a value that does not belong."""
    decisions = request.resolutions
    if request.conflict_id is not None and request.choice is not None and not decisions:
        decisions = (Decision(conflict_id=request.conflict_id, choice=request.choice, value=request.value),)
    elif not decisions or (request.conflict_id, request.choice, request.value) != (None, None, None):
        raise RefusedError("INVALID_REQUEST", "give either a conflict_id with a choice, or resolutions", "conflict_id")
    return tuple(Resolution(given.conflict_id, given.choice, given.value) for given in decisions)


def _as_found(conflict: ProjectConflict) -> FoundConflict:
    return FoundConflict(
        conflict.field,
        conflict.existing,
        conflict.new,
        conflict.severity,
        conflict.explanation,
        conflict.suggestions,
        conflict.existing_author,
        conflict.new_author,
    )


def _listed(text: str) -> tuple[str, ...]:
    """The entries of a numbered list, or of another; all of it as one where it is none."""
    mark = _NUMBERED if _NUMBERED.search(text) else _BULLETED
    before, *entries = mark.split(text)
    return tuple(entry.strip() for entry in entries or [before] if entry.strip())
