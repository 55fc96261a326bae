"""What the requirements of a project are sorted into: categories per project type and phase, with targets in points.

All of it is data, in categories.toml. A project of an unknown type gets the generic categories.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from socrates.errors import InvalidValueError

PHASES = ("discovery", "analysis", "design", "implementation")
"""In the order in which a project goes through them. Mends D73: there is no fifth one."""

PROJECT_TYPES = ("software", "business", "creative", "research", "marketing", "educational")
"""What a project can be, in the order in which pickers show them."""

_GENERIC = "generic"


def phase_categories(project_type: str = "software") -> Mapping[str, Mapping[str, float]]:
    """The targets of all categories, by phase and by category, both in the order of the table.

    Mends D58: nothing here is a set, so that whoever takes the first of several gets the same one every time.
    """
    return _all_categories()[_known(project_type)]


def categories_of(project_type: str, phase: str) -> Mapping[str, float]:
    """The targets of one phase's categories, in the order of the table. Raises InvalidValueError for another phase."""
    if phase not in PHASES:
        raise InvalidValueError(f"{phase!r} is no phase of a project; the phases are {', '.join(PHASES)}")
    return phase_categories(project_type)[phase]


def describe_type(project_type: str) -> str:
    """One line on what such projects bring forth, for pickers and for prompts."""
    description: str = _tables()[_known(project_type)]["description"]
    return description


def _known(project_type: str) -> str:
    return project_type if project_type in PROJECT_TYPES else _GENERIC


@cache
def _all_categories() -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    return {name: _by_phase(table) for name, table in _tables().items()}


def _by_phase(table: Mapping[str, Any]) -> Mapping[str, Mapping[str, float]]:
    """The phases of one type, which callers share and must not change."""
    return MappingProxyType(
        {phase: MappingProxyType({name: float(points) for name, points in table[phase].items()}) for phase in PHASES}
    )


@cache
def _tables() -> Mapping[str, Any]:
    return tomllib.loads(resources.files("socrates.rules").joinpath("categories.toml").read_text("utf-8"))
