"""What the demo reads out of a user's answer, and how it sorts that."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from socrates.llm.demo.resources import table
from socrates.llm.demo.words import phrases

_READ = 20_000
"""Characters of an answer that are looked at."""

_SENTENCE = re.compile(r"[^.!?;\n]+(?:\.(?=\w)[^.!?;\n]+)*")

_TECHNOLOGIES = {name.lower(): name for name in table("rules.toml")["technologies"]} | {"postgres": "PostgreSQL"}
_LONGEST_FIRST = sorted(_TECHNOLOGIES, key=len, reverse=True)
_TECHNOLOGY = re.compile(
    rf"(?<![\w.+#-])(?:{'|'.join(re.escape(name) for name in _LONGEST_FIRST)})(?![\w+#])", re.IGNORECASE
)

_RULES = (
    ("goals", re.compile(r"\b(?:goal|aim|objective) is\b|\bwants? to\b|\bwould like to\b", re.IGNORECASE)),
    ("constraints", re.compile(r"\b(?:budget|deadline|only|within|at most|no more than)\b", re.IGNORECASE)),
    ("requirements", re.compile(r"\b(?:must|should|needs?|wants?|ha(?:s|ve) to)\b", re.IGNORECASE)),
)
_GOAL_LEAD = re.compile(r"^.*?(?:(?:goal|aim|objective) is(?: to)?|wants? to|would like to)\s+", re.IGNORECASE)
_TEAM = re.compile(r"\bteam of\b|\b(?:\d+|two|three|four|five|six) (?:developers|people|persons)\b", re.IGNORECASE)

_FIELD_CATEGORIES = {"technology": "tech_stack", "budget": "constraints"}
"""Categories of fields that are called otherwise."""


def extracted(answer: str) -> dict[str, Any]:
    """The insights of an answer by field; only the fields in which something was found."""
    text = answer[:_READ]
    found: dict[str, list[str]] = {"goals": [], "requirements": [], "constraints": []}
    sentences = [sentence.strip() for sentence in _SENTENCE.findall(text) if sentence.strip()]
    for sentence in sentences:
        field = next((field for field, rule in _RULES if rule.search(sentence)), None)
        if field is not None:
            found[field].append(_GOAL_LEAD.sub("", sentence) if field == "goals" else sentence)
    technologies = [_TECHNOLOGIES[name.lower()] for name in _TECHNOLOGY.findall(text)]
    insights: dict[str, Any] = {field: list(phrases(values)) for field, values in found.items()}
    insights["tech_stack"] = list(phrases(technologies))
    insights["team_structure"] = next(iter(phrases(sentence for sentence in sentences if _TEAM.search(sentence))), "")
    return {field: values for field, values in insights.items() if values}


def categorized(blocks: Mapping[str, str]) -> dict[str, Any]:
    """Each insight with the category that its field fits, or that its own words name; others are left out.

    A goal fits the first category, which is what every phase is about.
    """
    categories = phrases(blocks.get("categories", "").splitlines())
    specs = [
        {"content": content, "category": category, "confidence": confidence}
        for field, content in _field_values(blocks.get("insights", ""))
        for category, confidence in _category(field, content, categories)
    ]
    return {"specs": specs}


def _field_values(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        field, colon, values = line.partition(":")
        if colon:
            for content in phrases(values.split(";")):
                yield field.strip(" -*").lower(), content


def _category(field: str, content: str, categories: Sequence[str]) -> Iterator[tuple[str, float]]:
    name = _FIELD_CATEGORIES.get(field, field)
    if name in categories:
        yield name, 0.9
        return
    for category in categories:
        if name in category or category.replace("_", " ") in content.lower():
            yield category, 0.7
            return
    if field == "goals" and categories:
        yield categories[0], 0.6
