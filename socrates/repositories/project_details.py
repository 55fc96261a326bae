"""A whole project in one statement.

Everything that hangs on a project is selected together, by UNION ALL: one row per record, led by its kind, in columns
that all kinds share by type. So the parts are of one moment without a transaction, and cost one crossing to the
database where a statement per table would take eleven. Which field goes where follows from the entities: a new column
needs nothing here.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import (
    Boolean,
    CompoundSelect,
    Float,
    Integer,
    Row,
    Select,
    bindparam,
    cast,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from socrates import models, views
from socrates.frozen import FrozenDict
from socrates.models.types import CodePointText, TaggedJSON, UtcDateTime
from socrates.repositories.base import Mapper


@dataclass(frozen=True, slots=True)
class _Description:
    """The columns of a project that its summary leaves out."""

    goals: str
    team_structure: str
    language_preferences: str
    deployment_target: str
    code_style: str
    extra: FrozenDict
    dynamic_questions: bool


@dataclass(frozen=True, slots=True)
class _Item:
    """One entry of a plain list."""

    position: int
    value: str


class _Part:
    """The rows of one kind: what they become, in which order."""

    def __init__(self, view: type[Any], entity: type[Any], *order: str) -> None:
        self.mapper = Mapper(view, entity)
        self._order = attrgetter(*order) if order else None
        self._project_id = entity.id if entity is models.Project else entity.project_id
        self._pick: itemgetter[Any] = itemgetter(0)

    def select(self, kind: int, types: Sequence[TypeEngine[Any]], places: Sequence[int]) -> Select[Any]:
        """This part's branch of the union: its columns at their `places`, NULL of the right type elsewhere."""
        self._pick = itemgetter(*(1 + place for place in places))
        columns: list[Any] = [cast(null(), kind_of_column) for kind_of_column in types]
        for column, place in zip(self.mapper.columns, places, strict=True):
            columns[place] = column
        return select(literal(kind, Integer), *columns).where(self._project_id == bindparam("project_id"))

    def view(self, row: Row[Any]) -> Any:
        return self.mapper(self._pick(row))

    def in_order(self, views: list[Any]) -> tuple[Any, ...]:
        return tuple(views if self._order is None else sorted(views, key=self._order))


_SUMMARY, _DESCRIPTION, _ANALYTICS = "summary", "description", "analytics"
_PARTS = {
    _SUMMARY: _Part(views.ProjectSummary, models.Project),
    _DESCRIPTION: _Part(_Description, models.Project),
    _ANALYTICS: _Part(views.Analytics, models.AnalyticsMetrics),
    "requirements": _Part(_Item, models.ProjectRequirement, "position"),
    "tech_stack": _Part(_Item, models.ProjectTechnology, "position"),
    "constraints": _Part(_Item, models.ProjectConstraint, "position"),
    "members": _Part(views.Member, models.TeamMember, "position", "username"),
    "pending_questions": _Part(views.PendingQuestion, models.PendingQuestion, "position", "id"),
    "phase_scores": _Part(views.PhaseScore, models.PhaseMaturityScore, "phase"),
    "category_scores": _Part(views.CategoryScore, models.CategoryScore, "phase", "category"),
    "specs": _Part(views.Spec, models.CategorizedSpec, "phase", "position"),
    "maturity_events": _Part(views.MaturityEvent, models.MaturityEvent, "position"),
}
_PLAIN_LISTS = ("requirements", "tech_stack", "constraints")


def _shared_type(column: InstrumentedAttribute[Any]) -> TypeEngine[Any]:
    """The type of the shared columns that can hold this one. A list of texts is tagged JSON as it stands."""
    for shared in (Boolean, UtcDateTime, CodePointText, Integer, Float):
        if isinstance(column.type, shared):
            return column.type
    return TaggedJSON()


def _statement() -> CompoundSelect[Any]:
    """Lay the parts out: each field takes the first column of its type that its own part has not used."""
    types: list[TypeEngine[Any]] = []
    layout: list[list[int]] = []
    for part in _PARTS.values():
        places: list[int] = []
        for column in part.mapper.columns:
            wanted = _shared_type(column)
            place = next(
                (place for place, kind in enumerate(types) if type(kind) is type(wanted) and place not in places), None
            )
            if place is None:
                types.append(wanted)
                place = len(types) - 1
            places.append(place)
        layout.append(places)
    branches = zip(_PARTS.values(), layout, strict=True)
    return union_all(*(part.select(kind, types, places) for kind, (part, places) in enumerate(branches)))


DETAILS = _statement()
"""Takes `project_id`; gives the rows that `part_from` reads."""


_BY_KIND = tuple(_PARTS.values())


def part_from(row: Row[Any]) -> tuple[int, Any]:
    """Which part of a project a row of `DETAILS` is, and its view."""
    kind = row[0]
    return kind, _BY_KIND[kind].view(row)


def details_from(parts: Sequence[tuple[int, Any]]) -> views.ProjectDetails | None:
    """The project that has these parts, or None when there are none."""
    by_kind: defaultdict[int, list[Any]] = defaultdict(list)
    for kind, view in parts:
        by_kind[kind].append(view)
    found = {name: part.in_order(by_kind[kind]) for kind, (name, part) in enumerate(_PARTS.items())}
    if not found[_SUMMARY]:
        return None
    (summary,), (description,) = found.pop(_SUMMARY), found.pop(_DESCRIPTION)
    analytics = found.pop(_ANALYTICS)
    for name in _PLAIN_LISTS:
        found[name] = tuple(item.value for item in found[name])
    return views.ProjectDetails(
        summary=summary,
        goals=description.goals,
        team_structure=description.team_structure,
        language_preferences=description.language_preferences,
        deployment_target=description.deployment_target,
        code_style=description.code_style,
        extra=description.extra,
        analytics=analytics[0] if analytics else None,
        dynamic_questions=description.dynamic_questions,
        **found,
    )
