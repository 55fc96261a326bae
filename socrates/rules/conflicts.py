"""Deciding conflicts between what somebody said and what stands in the project: two steps, all of it data.

First, `updated` takes in what is not disputed, and the conflicts go out with their `CHOICES`. Then resolutions come in,
whenever their authors like, and `decided` applies them. Nothing here prints, asks or waits (mends D40).

Statements are texts by field, without duplicates. What is the same but for case and blanks counts as one when
something is removed; when something is added, only what is exactly there already is left out (agents, 2.2).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from socrates.errors import InvalidValueError, NotFoundError
from socrates.views import ProjectContext, ProjectDetails

Field = Literal["goals", "requirements", "tech_stack", "constraints"]
"""The fields of a project whose statements can contradict each other."""

Severity = Literal["low", "medium", "high"]

Statements = Mapping[Field, tuple[str, ...]]

Choice = Literal["keep", "replace", "skip", "manual"]

CHOICES: Mapping[Choice, str] = {
    "keep": "Keep what stands; the new statement is dropped.",
    "replace": "Put the new statement in the place of what stands.",
    "skip": "Leave it as it is; a new statement that was held back is dropped.",
    "manual": "Write one statement in the place of both.",
}
"""What each choice does, for the person who has to choose."""

_FIELDS: tuple[Field, ...] = get_args(Field)


class Conflict(Protocol):
    """A new statement that contradicts one that stands."""

    @property
    def field(self) -> Field: ...
    @property
    def existing(self) -> str: ...
    @property
    def new(self) -> str: ...
    @property
    def severity(self) -> Severity: ...


@dataclass(frozen=True, slots=True)
class FoundConflict:
    """A conflict as the check that found it tells of it."""

    field: Field
    existing: str
    new: str
    severity: Severity
    explanation: str = ""
    suggestions: tuple[str, ...] = ()
    existing_author: str | None = None
    """Who stated it; None: that is not known."""
    new_author: str | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """Somebody's choice. Raises InvalidValueError unless `manual`, and nothing else, comes with a `value`."""

    conflict_id: str
    choice: Choice
    value: str | None = None

    def __post_init__(self) -> None:
        if self.choice not in CHOICES:
            raise InvalidValueError(f"{self.choice!r} is no choice; take one of {', '.join(CHOICES)}")
        if self.choice == "manual" and not (self.value or "").strip():
            raise InvalidValueError('the choice "manual" needs a value: the statement in the place of both')
        if self.choice != "manual" and self.value is not None:
            raise InvalidValueError(f'only the choice "manual" takes a value, not "{self.choice}"')


@dataclass(frozen=True, slots=True)
class Decided:
    """The statements after the decisions, and what the decisions changed: for what is scored by statement."""

    statements: Statements
    added: Statements
    removed: Statements


def statements_of(project: ProjectContext | ProjectDetails) -> dict[Field, tuple[str, ...]]:
    """The project's statements. Each line of the goals is one (mends D16: v1 counted their characters)."""
    return {
        "goals": _lines(project.goals),
        "requirements": project.requirements,
        "tech_stack": project.tech_stack,
        "constraints": project.constraints,
    }


def goals_text(goals: Iterable[str]) -> str:
    """Goals as the project stores them, one to a line, so that they can be told apart again."""
    return "\n".join(_one_line(goal) for goal in goals)


def is_blocking(conflict: Conflict) -> bool:
    """Whether the new statement waits for a decision (mends D26: a conflict of severity `low` is only a question).

    Two languages or two databases are mostly both meant.
    """
    return conflict.severity != "low"


def pending(conflicts: Mapping[str, Conflict], resolutions: Collection[Resolution] = ()) -> tuple[str, ...]:
    """The ids of the conflicts that still hold a statement back (mends D12: v1 called every conflict resolved)."""
    settled = {resolution.conflict_id for resolution in resolutions}
    return tuple(key for key, conflict in conflicts.items() if is_blocking(conflict) and key not in settled)


def accepted(found: Mapping[str, Sequence[str]], conflicts: Collection[Conflict]) -> dict[Field, tuple[str, ...]]:
    """Of what an answer said, what no conflict holds back: what is stored and scored at once.

    Fields that are none of the four are left out.
    """
    held = {(conflict.field, as_compared(conflict.new)) for conflict in conflicts if is_blocking(conflict)}
    return {
        field: tuple(text for text in found.get(field, ()) if (field, as_compared(text)) not in held)
        for field in _FIELDS
    }


def updated(
    known: Statements, found: Mapping[str, Sequence[str]], conflicts: Collection[Conflict] = ()
) -> dict[Field, tuple[str, ...]]:
    """The first step: the project's statements with what an answer said and no conflict holds back.

    New goals take the place of the old ones; but while one of them is disputed, the others are added, because the old
    goals may be what is kept. In the other fields new statements are added.
    """
    new = accepted(found, conflicts)
    disputed = any(conflict.field == "goals" for conflict in conflicts)
    standing = dict(known)
    if new["goals"] and not disputed:
        standing["goals"] = ()
    return {field: _with(standing.get(field, ()), _as_stored(field, new[field])) for field in _FIELDS}


def decided(known: Statements, conflicts: Mapping[str, Conflict], resolutions: Sequence[Resolution]) -> Decided:
    """The second step: the project's statements after the decisions on these conflicts, by id.

    `keep` and `skip` drop the new statement, though `skip` leaves one that was not held back; `replace` drops the old
    one, `manual` puts its value in the place of both (mends D11, D13 and llm-client 10.23: v1's choices stored the
    rejected statement all the same). Statements that have left the project meanwhile are not brought back. The order of
    the resolutions decides nothing but the order of what is added; a statement that one removes and another adds is
    there.

    Raises NotFoundError for a conflict that is not among these, InvalidValueError for two resolutions of one.
    """
    after = {field: known.get(field, ()) for field in _FIELDS}
    effects = [_effect(conflict, resolution) for conflict, resolution in _pairs(conflicts, resolutions)]
    for effect in effects:
        after[effect.field] = _without(after[effect.field], effect.goes)
    for effect in effects:
        after[effect.field] = _with(after[effect.field], effect.comes)
    return Decided(
        after,
        added={field: _with((), _beyond(after[field], known.get(field, ()))) for field in _FIELDS},
        removed={field: _with((), _beyond(known.get(field, ()), after[field])) for field in _FIELDS},
    )


@dataclass(frozen=True, slots=True)
class _Effect:
    """What one decision does to its field."""

    field: Field
    goes: tuple[str, ...]
    comes: tuple[str, ...] = ()


def _effect(conflict: Conflict, resolution: Resolution) -> _Effect:
    field = conflict.field
    existing, new = _as_stored(field, _parts(field, conflict.existing)), _as_stored(field, (conflict.new,))
    match resolution.choice:
        case "skip" if not is_blocking(conflict):
            return _Effect(field, goes=())  # both are in the project already, and may stay
        case "keep" | "skip":
            return _Effect(field, goes=_without(new, existing))
        case "replace":
            return _Effect(field, goes=existing, comes=new)
        case "manual":
            return _Effect(field, goes=existing + new, comes=_as_stored(field, ((resolution.value or "").strip(),)))


def _pairs(
    conflicts: Mapping[str, Conflict], resolutions: Sequence[Resolution]
) -> Iterable[tuple[Conflict, Resolution]]:
    seen: set[str] = set()
    for resolution in resolutions:
        if resolution.conflict_id not in conflicts:
            raise NotFoundError("conflict", resolution.conflict_id)
        if resolution.conflict_id in seen:
            raise InvalidValueError(f"the conflict {resolution.conflict_id!r} has two resolutions; give one")
        seen.add(resolution.conflict_id)
        yield conflicts[resolution.conflict_id], resolution


def _parts(field: Field, text: str) -> tuple[str, ...]:
    """A check of goals compares with all of them at once, so what stands against a new goal may be several."""
    return _lines(text) if field == "goals" else (text,)


def _as_stored(field: Field, texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(_one_line(text) if field == "goals" else text for text in texts)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _with(texts: Sequence[str], more: Iterable[str]) -> tuple[str, ...]:
    """Those of `more` that are not there yet are added, each once; what stands twice stays so."""
    return (*texts, *dict.fromkeys(text for text in more if text not in texts))


def _without(texts: Iterable[str], less: Iterable[str]) -> tuple[str, ...]:
    gone = {as_compared(text) for text in less}
    return tuple(text for text in texts if as_compared(text) not in gone)


def _beyond(texts: Iterable[str], others: Collection[str]) -> tuple[str, ...]:
    return tuple(text for text in texts if text not in others)


def as_compared(text: str) -> str:
    """What statements that differ in case and blanks only have in common: they are the same one."""
    return _one_line(text).casefold()
