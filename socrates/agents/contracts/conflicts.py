"""What conflict_detector is asked, and what it answers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from socrates.agents.contracts.base import Key, OfProject, Request, Shown, Success, Text
from socrates.agents.contracts.insights import ConfirmedInsights
from socrates.llm.answers import Insights
from socrates.llm.conflicts import ConflictCheck
from socrates.rules.conflicts import CHOICES, FoundConflict, Statements, is_blocking
from socrates.views import ConflictChoice, ConflictField, ConflictSeverity, ProjectConflict


class DetectConflicts(OfProject):
    """`new_insights` as an extraction returns them; keys that it does not know are left out."""

    action: Literal["detect_conflicts"] = "detect_conflicts"
    new_insights: ConfirmedInsights = Insights()


class Decision(BaseModel):
    """What somebody chooses; `value`, the statement in the place of both, comes with "manual" and with nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    conflict_id: Key
    choice: ConflictChoice
    value: Text | None = None


class ResolveConflict(Request):
    """One decision in the request's own fields, or several of one project as `resolutions`, all of them or none."""

    action: Literal["resolve_conflict"] = "resolve_conflict"
    conflict_id: Key | None = None
    choice: ConflictChoice | None = None
    value: Text | None = None
    resolutions: Annotated[tuple[Decision, ...], Field(max_length=100)] = ()


class GetSuggestions(Request):
    action: Literal["get_suggestions"] = "get_suggestions"
    conflict_id: Key


class ListConflicts(OfProject):
    """Beyond v1, which stored no conflicts."""

    action: Literal["list_conflicts"] = "list_conflicts"


class FoundShown(Shown):
    """A new statement that contradicts one that stands. A `blocking` one is held back until somebody decides.

    `old_author` is None: nobody knows who made the statement that stands (v1 named the project's owner).
    """

    conflict_type: ConflictField
    old_value: str
    new_value: str
    old_author: str | None
    new_author: str | None
    severity: ConflictSeverity
    blocking: bool
    explanation: str
    suggestions: tuple[str, ...]

    @classmethod
    def of_found(cls, conflict: FoundConflict) -> "FoundShown":
        """One that is not stored."""
        return cls(**_said(conflict))


class ConflictShown(FoundShown):
    """A conflict that is stored. `choice` and what follows it are None while it waits for a decision.

    So is `value` afterwards, unless the choice was "manual", and `resolved_by` where who decided is not known any more.
    """

    conflict_id: str
    created_at: datetime
    choice: ConflictChoice | None
    value: str | None
    resolved_by: str | None
    resolved_at: datetime | None

    @classmethod
    def of(cls, conflict: ProjectConflict) -> "ConflictShown":
        """As it is stored."""
        return cls(
            **_said(conflict),
            conflict_id=conflict.id,
            created_at=conflict.created_at,
            choice=conflict.choice,
            value=conflict.value,
            resolved_by=conflict.resolved_by,
            resolved_at=conflict.resolved_at,
        )


class Unchecked(Shown):
    """New statements of which nobody knows whether they contradict anything: the check failed (mends D30)."""

    field: ConflictField
    statements: tuple[str, ...]

    @classmethod
    def of(cls, check: ConflictCheck) -> "tuple[Unchecked, ...]":
        """What a check gave no verdict on, by field."""
        return tuple(cls(field=unknown.field, statements=unknown.new) for unknown in check.without_verdict)


class ByField(Shown):
    """Statements of a project."""

    goals: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    tech_stack: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()

    @classmethod
    def of(cls, statements: Statements) -> "ByField":
        """By the names of their fields."""
        return cls(**dict(statements))


class ConflictsDetected(Success):
    """A look, nothing is stored. `degraded`: not all could be checked, `unchecked` says what."""

    conflicts: tuple[FoundShown, ...]
    unchecked: tuple[Unchecked, ...]
    degraded: bool
    warning: str

    @classmethod
    def of(cls, check: ConflictCheck) -> "ConflictsDetected":
        """What a check found."""
        unknown = sum(len(each.new) for each in check.without_verdict)
        return cls(
            conflicts=tuple(map(FoundShown.of_found, check.conflicts)),
            unchecked=Unchecked.of(check),
            degraded=unknown > 0,
            warning=f"new statements that could not be checked for conflicts: {unknown}; ask again" if unknown else "",
        )


class ConflictsResolved(Success):
    """What was decided, what that added to the project and took from it, and how many conflicts still wait.

    `conflict_id` is that of the first. `degraded`: what was added is scored by its field, as no model sorted it.
    """

    conflict_id: str
    resolved: Literal[True] = True
    conflicts: tuple[ConflictShown, ...]
    added: ByField
    removed: ByField
    pending: int
    degraded: bool
    warning: str


class SuggestionList(Success):
    """Ways to resolve a conflict. `truncated`: the last of them has no end, as the model ran into its limit."""

    conflict_id: str
    suggestions: tuple[str, ...]
    truncated: bool


class ConflictList(Success):
    """The conflicts that wait for a decision, oldest first, and what each choice does."""

    conflicts: tuple[ConflictShown, ...]
    count: int
    choices: Mapping[ConflictChoice, str] = CHOICES


def _said(conflict: FoundConflict | ProjectConflict) -> dict[str, Any]:
    return {
        "conflict_type": conflict.field,
        "old_value": conflict.existing,
        "new_value": conflict.new,
        "old_author": conflict.existing_author,
        "new_author": conflict.new_author,
        "severity": conflict.severity,
        "blocking": is_blocking(conflict),
        "explanation": conflict.explanation,
        "suggestions": conflict.suggestions,
    }
