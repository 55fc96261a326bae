"""Conflicts between what somebody said and what stands in a project."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from socrates.frozen import FrozenDict

ConflictField = Literal["goals", "requirements", "tech_stack", "constraints"]
"""The fields of a project whose statements can contradict each other."""

ConflictSeverity = Literal["low", "medium", "high"]

ConflictChoice = Literal["keep", "replace", "skip", "manual"]


@dataclass(frozen=True, slots=True)
class ProjectConflict:
    """A new statement that contradicts one that stands; `status` is pending or resolved.

    `choice` is None while it is pending. `value` is the statement in the place of both, where the choice is manual.
    Authors, and who decided, are None where that is not known.
    """

    id: str
    project_id: str
    field: ConflictField
    existing: str
    new: str
    severity: ConflictSeverity
    explanation: str
    suggestions: tuple[str, ...]
    existing_author: str | None
    new_author: str | None
    created_at: datetime
    status: str
    choice: ConflictChoice | None
    value: str | None
    resolved_by: str | None
    resolved_at: datetime | None
    extra: FrozenDict
