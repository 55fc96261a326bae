"""Conflicts between what is said now and what stands, and what a model's verdicts tell of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from socrates.llm.answers import Verdict, texts_of
from socrates.rules.conflicts import Field, FoundConflict, as_compared


@dataclass(frozen=True, slots=True)
class NoVerdict:
    """New statements of which nobody knows whether they contradict anything: the check failed."""

    field: Field
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConflictCheck:
    """What checks for conflicts found, and which of them gave no verdict."""

    conflicts: tuple[FoundConflict, ...] = ()
    without_verdict: tuple[NoVerdict, ...] = ()


def statements(given: str | Iterable[str]) -> tuple[str, ...]:
    """One statement or several, trimmed, none empty, none twice."""
    return texts_of([given] if isinstance(given, str) else given)


def unsettled(new: Sequence[str], existing: Sequence[str]) -> tuple[str, ...]:
    """The new statements that could contradict: none where nothing stands, nor any that stands already."""
    standing = {as_compared(statement) for statement in existing}
    asked = {as_compared(statement): statement for statement in new}
    return tuple(statement for name, statement in asked.items() if standing and name not in standing)


def checked(
    field: Field, asked: Sequence[str], existing: Sequence[str], verdicts: Iterable[Verdict], told_all: bool
) -> ConflictCheck:
    """What the verdicts tell of the statements asked about, at most one conflict for each.

    A verdict on anything else is dropped. A statement without a verdict stays without one; so does one for which no
    conflict was found by a model that was not `told_all` there is.
    """
    by_statement: dict[str, Verdict] = {}
    for verdict in sorted(verdicts, key=lambda verdict: not verdict.has_conflict):
        by_statement.setdefault(_about(verdict, asked), verdict)
    conflicts, unknown = [], []
    for statement in asked:
        found = by_statement.get(as_compared(statement))
        if found is not None and found.has_conflict:
            conflicts.append(_conflict(field, statement, existing, found))
        elif found is None or not told_all:
            unknown.append(statement)
    return ConflictCheck(tuple(conflicts), (NoVerdict(field, tuple(unknown)),) if unknown else ())


def _about(verdict: Verdict, asked: Sequence[str]) -> str:
    """The statement that it judges; of one alone it need not be told."""
    return as_compared(asked[0] if not verdict.new and len(asked) == 1 else verdict.new)


def _conflict(field: Field, new: str, existing: Sequence[str], verdict: Verdict) -> FoundConflict:
    standing = {as_compared(statement): statement for statement in existing}
    against = standing.get(as_compared(verdict.conflicting_with), existing[0])
    return FoundConflict(field, against, new, verdict.severity, verdict.explanation, verdict.suggestions)
