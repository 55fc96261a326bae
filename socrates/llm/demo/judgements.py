"""The demo's judgements: conflicts, commands, roles."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from socrates.llm.demo.resources import table
from socrates.llm.demo.words import shortened


class _Opposites(NamedTuple):
    """Two kinds of statements that cannot both hold."""

    one: re.Pattern[str]
    other: re.Pattern[str]
    severity: str
    why: str
    suggestion: str


_RULES = table("rules.toml")
_OPPOSITES = [
    _Opposites(
        re.compile(pair["one"], re.IGNORECASE),
        re.compile(pair["other"], re.IGNORECASE),
        pair["severity"],
        pair["why"],
        pair["suggestion"],
    )
    for pair in _RULES["opposites"]
]
_ROLE_WORDS = {role: frozenset(words) for role, words in _RULES["roles"].items()}
_FILLERS = frozenset(_RULES["fillers"])

_READ = 2_000
"""Characters of an input, question or description that are looked at."""

_OFFERED = 3
"""Interpretations of an input at most (llm-client.md, operation 12)."""


def verdicts(blocks: Mapping[str, str]) -> dict[str, Any]:
    """A verdict on each line of the new statements against the existing ones."""
    existing = _Statements(_lines(blocks.get("existing", "")))
    return {"verdicts": [_verdict(line, existing.opposed_to(line)) for line in _lines(blocks.get("new", ""))]}


def goal_verdicts(blocks: Mapping[str, str]) -> dict[str, Any]:
    """A verdict on each new goal against the existing one, in a few words."""
    existing = _Statements(_lines(blocks.get("existing", "")))
    conflicts = {line: existing.opposed_to(line) for line in _lines(blocks.get("new", ""))}
    return {
        "verdicts": [
            {"new": line, "has_conflict": found is not None, "severity": found.kind.severity if found else "low"}
            for line, found in conflicts.items()
        ]
    }


def interpretations(blocks: Mapping[str, str]) -> dict[str, Any]:
    """The commands that an input could mean, the likeliest first."""
    text = blocks.get("input", "")[:_READ]
    offered = [found for line in _lines(blocks.get("commands", "")) for found in _interpretations(text, line)]
    offered.sort(key=lambda found: -found["confidence"])
    return {"interpretations": offered[:_OFFERED]}


def roles(blocks: Mapping[str, str]) -> dict[str, Any]:
    """The roles of the team that a question is for: those that its words point to, otherwise all."""
    lines = blocks.get("team", "").splitlines()
    present = list(dict.fromkeys(line.partition(":")[0].strip(" -*").lower() for line in lines if line.strip()))
    words = _words(blocks.get("question", ""))
    fitting = [role for role in present if words & _ROLE_WORDS.get(role, frozenset())]
    return {"roles": fitting or present or ["lead"]}


class _Conflict(NamedTuple):
    """A statement that is opposed to another one."""

    statement: str
    kind: _Opposites


class _Statements:
    """Statements that are searched once, however many others are then compared with them."""

    def __init__(self, statements: list[str]) -> None:
        self._ones = [_first_with(pair.one, statements) for pair in _OPPOSITES]
        self._others = [_first_with(pair.other, statements) for pair in _OPPOSITES]

    def opposed_to(self, new: str) -> _Conflict | None:
        for pair, one, other in zip(_OPPOSITES, self._ones, self._others, strict=True):
            if other is not None and pair.one.search(new):
                return _Conflict(other, pair)
            if one is not None and pair.other.search(new):
                return _Conflict(one, pair)
        return None


def _first_with(pattern: re.Pattern[str], statements: list[str]) -> str | None:
    return next((statement for statement in statements if pattern.search(statement)), None)


def _verdict(new: str, conflict: _Conflict | None) -> dict[str, Any]:
    if conflict is None:
        return {
            "new": new,
            "has_conflict": False,
            "conflicting_with": "",
            "severity": "low",
            "explanation": "It fits what was said before.",
            "suggestions": [],
        }
    return {
        "new": new,
        "has_conflict": True,
        "conflicting_with": conflict.statement,
        "severity": conflict.kind.severity,
        "explanation": conflict.kind.why,
        "suggestions": [conflict.kind.suggestion, "Ask who needs which of the two, and decide for one."],
    }


def _interpretations(text: str, line: str) -> Iterator[dict[str, Any]]:
    usage, _dash, description = line.partition(" - ")
    command = re.match(r"/[\w-]+(?: [a-z][\w-]*)*(?= *(?:[<\[]|$))", usage.strip())
    if command is None:
        return
    said, name, about = _words(text), _words(command[0]), _words(description)
    confidence = 0.9 if name <= said else round(0.8 * len(said & (name | about)) / max(1, len(name | about)), 2)
    if confidence >= 0.2:
        yield {
            "command": command[0],
            "confidence": confidence,
            "reasoning": f"The input has {', '.join(sorted(said & (name | about)))} in common with this command.",
            "args": _arguments(text) if re.search(r"[<\[]", usage) else [],
        }


def _arguments(text: str) -> list[str]:
    quoted = re.findall(r"[\"“]([^\"”]{1,200})[\"”]", text)
    named = re.findall(r"\b(?:called|named)\s+(\S[^.,\n]{0,200})", text)
    return [shortened(argument) for argument in quoted or named]


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z][a-z-]+", text[:_READ].lower())) - _FILLERS


def _lines(text: str) -> list[str]:
    return [line.strip().removeprefix("- ") for line in text.splitlines() if line.strip()]
