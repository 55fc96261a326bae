"""Technologies that get in each other's way, by rule: no model is asked."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from string import Template
from typing import Any

from socrates.rules.conflicts import FoundConflict, Severity


@dataclass(frozen=True, slots=True)
class _Kind:
    """Technologies that do the same work."""

    name: str
    severity: Severity


def tech_conflicts(new: Iterable[str], existing: Iterable[str]) -> tuple[FoundConflict, ...]:
    """For each new technology at most one conflict: with the first existing one of its kind that is another.

    A technology that the project has already conflicts with nothing. Names count as a whole, whatever their case,
    blanks and a final `.js`. Severity: `low` for databases and languages, of which projects often mean several, else
    `medium`.
    """
    standing = {name: _normalised(name) for name in _names(existing)}
    rivals: dict[_Kind, str] = {}
    for name, known in standing.items():
        if known in _kinds():
            rivals.setdefault(_kinds()[known], name)
    asked = {name: _normalised(name) for name in _names(new)}
    kinds = {name: _kinds().get(known) for name, known in asked.items() if known not in standing.values()}
    return tuple(_conflict(kind, rivals[kind], name) for name, kind in kinds.items() if kind and kind in rivals)


def _conflict(kind: _Kind, existing: str, new: str) -> FoundConflict:
    explanation = Template(_table()["explanations"][kind.severity])
    return FoundConflict(
        "tech_stack",
        existing,
        new,
        kind.severity,
        explanation.substitute(existing=existing, new=new, kind=kind.name),
        tuple(_table()["suggestions"]),
    )


def _names(given: Iterable[str]) -> tuple[str, ...]:
    """The names as they are shown: trimmed, none empty, none twice."""
    trimmed = (name.strip() for name in given)
    return tuple(dict.fromkeys(name for name in trimmed if name))


def _normalised(name: str) -> str:
    bare = "".join(name.lower().split()).removesuffix(".js")
    alias: str = _table()["aliases"].get(bare, bare)
    return alias


@cache
def _kinds() -> dict[str, _Kind]:
    """The kind of each technology."""
    return {
        technology: _Kind(kind["name"], kind["severity"])
        for kind in _table()["kinds"]
        for technology in kind["technologies"]
    }


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(resources.files("socrates.rules").joinpath("tech_conflicts.toml").read_text("utf-8"))
