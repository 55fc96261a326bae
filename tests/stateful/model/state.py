"""What there is, as records that are replaced and never changed; and what all faces of the model share."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, TypeVar

from socrates.errors import InvalidValueError, ProjectNotFoundError
from socrates.views import (
    BehaviorPattern,
    Document,
    Message,
    Note,
    ProjectConflict,
    ProjectDetails,
    ProviderConfig,
    QuestionEffectiveness,
    StoredKey,
    Suggestion,
    Usage,
    User,
)

T = TypeVar("T")

BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
"""Where what has no time is sorted."""


class Clock:
    """The time, which stands still until it is moved, so that much happens at the same moment."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 31, 23, 59, 59, 999999, tzinfo=UTC)

    def now(self, zone: tzinfo) -> datetime:
        """In place of `datetime.now`."""
        return self.time.astimezone(zone)

    def move(self, by: timedelta) -> None:
        self.time += by


@dataclass(frozen=True)
class Failures:
    """The failed log-ins in a row under one name."""

    username: str
    failures: int
    first_failed_at: datetime
    last_failed_at: datetime
    blocked_until: datetime


@dataclass
class State:
    """Every record, by its key. A project is held as its details are read; its messages stand apart, in order."""

    clock: Clock
    made_id: str | None = None
    """The id that the store gave to what it made last: the one thing that a model cannot know."""
    users: dict[str, User] = field(default_factory=dict)
    projects: dict[str, ProjectDetails] = field(default_factory=dict)
    messages: dict[str, tuple[Message, ...]] = field(default_factory=dict)
    notes: dict[str, Note] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    suggestions: dict[str, Suggestion] = field(default_factory=dict)
    conflicts: dict[str, ProjectConflict] = field(default_factory=dict)
    effectiveness: dict[tuple[str, str], QuestionEffectiveness] = field(default_factory=dict)
    patterns: dict[tuple[str, str], BehaviorPattern] = field(default_factory=dict)
    configs: dict[tuple[str, str], ProviderConfig] = field(default_factory=dict)
    keys: dict[tuple[str, str], StoredKey] = field(default_factory=dict)
    usage: dict[str, Usage] = field(default_factory=dict)
    failures: dict[str, Failures] = field(default_factory=dict)

    def keys_of(self, kind: str) -> list[tuple[str, ...]]:
        """The keys of all records of a kind, also of the team's members and questions."""
        if kind == "members":
            return [(project.id, each.username) for project in self.projects.values() for each in project.members]
        if kind == "questions":
            return [(project.id, each.id) for project in self.projects.values() for each in project.pending_questions]
        if kind == "conflicts of projects":
            return [(each.project_id, each.id) for each in self.conflicts.values()]
        return [key if isinstance(key, tuple) else (key,) for key in getattr(self, kind)]

    def copy(self) -> "State":
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return State(**{name: dict(value) if isinstance(value, dict) else value for name, value in values.items()})


class Face:
    """One aggregate of the model."""

    def __init__(self, state: State) -> None:
        self.state = state

    @property
    def now(self) -> datetime:
        return self.state.clock.time

    def an_id(self, given: str | None) -> str:
        """The id given, or the one that the store made; if it made nothing, none that is in use."""
        return (self.state.made_id or "made by nobody") if given is None else given

    def a_project(self, project_id: str) -> ProjectDetails:
        if project_id not in self.state.projects:
            raise ProjectNotFoundError(project_id)
        return self.state.projects[project_id]


def known(changes: Mapping[str, Any], names: Iterable[str]) -> None:
    if not set(changes) <= set(names):
        raise InvalidValueError("unknown")


def at_least_one(number: int) -> int:
    if number < 1:
        raise InvalidValueError("too small")
    return number


def not_blank(text: str) -> str:
    if not text.strip():
        raise InvalidValueError("blank")
    return text.casefold()


def page(
    records: Iterable[T], place: Callable[[Any], Any], limit: int | None, after: Any, descending: bool = False
) -> tuple[T, ...]:
    """The first `limit` of the records behind `after`, in the order of their places."""
    found = sorted(records, key=place, reverse=descending)
    if after is not None:
        found = [each for each in found if place(each) != place(after) and (place(each) < place(after)) == descending]
    return tuple(found if limit is None else found[: at_least_one(limit)])
