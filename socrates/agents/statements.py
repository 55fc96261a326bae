"""What somebody says about a project: checked against what stands there, taken in, kept for a decision.

    found = await check(services, briefing, insights, username)  # asks a model
    ...
    taken = await take_in(unit, news, project_id, insights, found, username)  # in a unit of work

Statements without a verdict, because a check failed, are taken in: `check.without_verdict` says which, and whoever
answers the person says so too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from socrates.agents.base import News
from socrates.agents.services import Services
from socrates.drafts import NewConflict
from socrates.events import EventType
from socrates.events.payloads import ConflictDetected, ProjectUpdated
from socrates.llm.answers import Insights
from socrates.llm.briefing import Briefing
from socrates.llm.caller import Caller
from socrates.llm.conflicts import ConflictCheck
from socrates.repositories.projects import ProjectChanges
from socrates.rules.conflicts import (
    Conflict,
    FoundConflict,
    Statements,
    accepted,
    as_compared,
    goals_text,
    statements_of,
    updated,
)
from socrates.store import UnitOfWork
from socrates.views import ProjectConflict

_LISTS: tuple[Literal["requirements", "tech_stack", "constraints"], ...] = ("requirements", "tech_stack", "constraints")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an answer: what was taken in, and the conflicts that it has to what stands, as they are stored."""

    accepted: Statements
    conflicts: tuple[ProjectConflict, ...]


async def check(services: Services, briefing: Briefing, insights: Insights, user_id: str) -> ConflictCheck:
    """What contradicts the project. Statements whose check failed are `without_verdict` (mends D30)."""
    if not insights.has_statements:
        return ConflictCheck()
    result = await services.llm.detect_conflicts_async(briefing, insights, user_id, caller=Caller(user_id))
    return result.value


def undisputed(insights: Insights, check: ConflictCheck) -> Mapping[str, tuple[str, ...]]:
    """What an answer gives the project at once, by field: what is categorized and scored of it.

    The structure of the team is no statement that can be disputed, but it counts.
    """
    taken = {str(field): texts for field, texts in accepted(insights.as_dict(), check.conflicts).items()}
    return taken | ({"team_structure": (insights.team_structure,)} if insights.team_structure else {})


async def take_in(
    unit: UnitOfWork, news: News, project_id: str, insights: Insights, check: ConflictCheck, user_id: str
) -> Taken:
    """Put into the project what no conflict holds back, and keep every conflict for a decision.

    A conflict of severity `low` is kept as a question, and its statement is taken in. The project's `team_structure`
    stays as it is: it is a setting, and what an answer says of the team is only scored. Who may write is asked before,
    in the same unit. Raises ProjectNotFoundError.
    """
    known = await known_statements(unit, project_id)
    found = insights.as_dict()
    await save_statements(unit, news, project_id, known, updated(known, found, check.conflicts), user_id)
    conflicts = await _kept(unit, news, project_id, check, user_id)
    return Taken(accepted(found, check.conflicts), conflicts)


async def known_statements(unit: UnitOfWork, project_id: str) -> Statements:
    """What stands in the project. Raises ProjectNotFoundError."""
    return statements_of(await unit.projects.context(project_id))


async def save_statements(
    unit: UnitOfWork, news: News, project_id: str, known: Statements, after: Statements, user_id: str
) -> None:
    """Store the fields whose statements are others than those that were `known` in this unit, and tell which."""
    changes = ProjectChanges()
    if after["goals"] != known["goals"]:
        changes["goals"] = goals_text(after["goals"])
    for name in _LISTS:
        if after[name] != known[name]:
            changes[name] = after[name]
    if changes:
        version = (await unit.projects.summary(project_id)).version
        await unit.projects.update(project_id, version, **changes)
        told = ProjectUpdated(project_id=project_id, user_id=user_id, fields=tuple(changes))
        news.tell(EventType.PROJECT_UPDATED, told)


async def _kept(
    unit: UnitOfWork, news: News, project_id: str, check: ConflictCheck, user_id: str
) -> tuple[ProjectConflict, ...]:
    """The conflicts as they are stored. One that waits for a decision already is not stored and told again."""
    if not check.conflicts:
        return ()
    found = {_compared(conflict): conflict for conflict in check.conflicts}
    waiting = {_compared(conflict): conflict for conflict in await unit.conflicts.pending(project_id)}
    new = [_draft(conflict) for key, conflict in found.items() if key not in waiting]
    added = await unit.conflicts.add(project_id, new)
    for conflict in added:
        told = ConflictDetected(
            project_id=project_id,
            user_id=user_id,
            conflict_id=conflict.id,
            conflict_type=conflict.field,
            severity=conflict.severity,
        )
        news.tell(EventType.CONFLICT_DETECTED, told)
    waiting |= {_compared(conflict): conflict for conflict in added}
    return tuple(waiting[key] for key in found)


def _compared(conflict: Conflict) -> tuple[str, str, str]:
    """By what two conflicts are the same, whoever caused them."""
    return conflict.field, as_compared(conflict.existing), as_compared(conflict.new)


def _draft(conflict: FoundConflict) -> NewConflict:
    return NewConflict(
        field=conflict.field,
        existing=conflict.existing,
        new=conflict.new,
        severity=conflict.severity,
        explanation=conflict.explanation,
        suggestions=conflict.suggestions,
        existing_author=conflict.existing_author,
        new_author=conflict.new_author,
    )
