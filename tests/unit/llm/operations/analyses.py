"""The operations of analysis, and good answers to them."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from socrates.llm.client import LLMClient
from socrates.llm.conflicts import ConflictCheck, NoVerdict
from socrates.llm.demo.protocol import Answer
from socrates.llm.results import Result
from socrates.rules.conflicts import FoundConflict
from tests.support.llm import a_briefing

STANDING = ("must work offline", "must be free")

NEW = "needs internet"

TEAM = {"ada": "lead", "bob": "Creator", "cy": "analyst"}

CATEGORIES = ("goals", "scope", "constraints")

CONFLICT = FoundConflict("requirements", "must work offline", NEW, "high", "One needs a network.", (), "ada", "bob")

Ask = Callable[[LLMClient, str], Awaitable[Result[Any]]]

DETECTORS: dict[str, Ask] = {
    "detect_requirement_conflict": lambda client, text: client.detect_requirement_conflict_async(text, STANDING),
    "detect_goal_conflict": lambda client, text: client.detect_goal_conflict_async(text, STANDING[0]),
    "detect_constraint_conflict": lambda client, text: client.detect_constraint_conflict_async(text, STANDING),
}

WITH_SUBSTITUTE: dict[str, Ask] = DETECTORS | {
    "categorize_insights": lambda client, text: client.categorize_insights_async(
        {"goals": [text]}, "discovery", "software", CATEGORIES
    ),
    "assign_question_roles": lambda client, text: client.assign_question_roles_async(text, a_briefing(team=TEAM)),
}

ALL: dict[str, Ask] = WITH_SUBSTITUTE | {
    "generate_conflict_resolution_suggestions": lambda client, text: (
        client.generate_conflict_resolution_suggestions_async(CONFLICT, a_briefing(goals=text))
    ),
}

LIMITS = {
    "categorize_insights": (1500, 0.2),
    "detect_requirement_conflict": (300, 0.2),
    "detect_goal_conflict": (100, 0.2),
    "detect_constraint_conflict": (150, 0.2),
    "generate_conflict_resolution_suggestions": (600, 0.7),
    "assign_question_roles": (100, 0),
}
"""Tokens and temperature by llm-client, chapter 3."""

GOOD: dict[str, Any] = {task: {"has_conflict": False} for task in DETECTORS} | {
    "categorize_insights": {"specs": [{"content": NEW, "category": "scope"}]},
    "assign_question_roles": {"roles": ["analyst"]},
}
"""A good answer to each of `WITH_SUBSTITUTE` about `NEW`."""


def substitute(task: str, text: str = NEW) -> object:
    """What stands in for an answer of this task about the text."""
    if task == "categorize_insights":
        return [("goals", text, 0.7)]
    if task == "assign_question_roles":
        return ("lead", "Creator", "analyst")
    field = {"requirement": "requirements", "goal": "goals", "constraint": "constraints"}[task.split("_")[1]]
    return ConflictCheck((), (NoVerdict(field, (text,)),))  # type: ignore[arg-type]


def in_short(value: object) -> object:
    """Specs as category, content and confidence; anything else as it is."""
    if isinstance(value, tuple) and value and not isinstance(value[0], str):
        return [(spec.category, spec.content, spec.confidence) for spec in value]
    return value


def saying(answer: object) -> Answer:
    return Answer(json.dumps(answer))
