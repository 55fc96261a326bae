"""Statements and the categories they belong to."""

from typing import Any

import pytest

from socrates.drafts import NewSpec
from socrates.llm.answers import Categorization, Insights
from socrates.llm.categorizing import fields_of, specs_by_field, specs_of

FIELDS = {"goals": ("Lend books",), "constraints": ("500 euros",)}

CATEGORIES = ("goals", "scope", "technical_requirements", "resource_requirements", "constraints", "tech_stack")


def sorted_specs(*entries: Any) -> tuple[NewSpec, ...]:
    return specs_of(Categorization.model_validate({"specs": list(entries)}).specs, FIELDS, CATEGORIES)


def test_a_statement_gets_its_category_and_the_field_it_came_from() -> None:
    (spec,) = sorted_specs({"content": "To LEND  books to all", "category": " Scope ", "confidence": "0.8"})
    assert spec == NewSpec("scope", "To LEND  books to all", 0.8, 1.0, "goals")


@pytest.mark.parametrize(
    ("told", "confidence"), [(None, 0.9), ("sure", 0.9), (7, 1.0), (-1, 0.0), ("0.25", 0.25), (float("nan"), 0.9)]
)
def test_confidence_is_from_0_to_1_and_by_default_0_9(told: object, confidence: float) -> None:
    assert sorted_specs({"content": "x", "category": "scope", "confidence": told})[0].confidence == confidence
    assert sorted_specs({"content": "x", "category": "scope"})[0].confidence == 0.9


@pytest.mark.parametrize(
    "entry",
    [
        {"content": "", "category": "scope"},
        {"category": "scope"},
        {"content": "x"},
        {"content": "x", "category": "security"},
        {"content": ["x"], "category": "scope"},
        "x",
        None,
        ["x", "scope"],
    ],
)
def test_what_fits_nothing_is_dropped_and_spoils_nothing_else(entry: object) -> None:
    found = sorted_specs(entry, {"content": "y", "category": "scope"})
    assert [(spec.content, spec.source_field) for spec in found] == [("y", "unknown")]


def test_there_are_no_more_than_there_are_statements() -> None:
    assert [spec.content for spec in sorted_specs(*({"content": c, "category": "scope"} for c in "abc"))] == ["a", "b"]


def test_each_statement_has_one_category() -> None:
    found = sorted_specs({"content": "x", "category": "scope"}, {"content": "x", "category": "goals"})
    assert [spec.category for spec in found] == ["scope"]


def test_fields_without_statements_and_notes_are_left_out() -> None:
    given = {"goals": "Lend books", "scope": ["", " "], "budget": 500, "risks": None, "note": "unsure", "team": [{}]}
    assert fields_of(given) == {"goals": ("Lend books",), "budget": ("500",)}
    assert fields_of(Insights(goals=("Lend books",))) == {"goals": ("Lend books",)}
    assert fields_of(Insights.of_somebody_uncertain()) == fields_of(Insights()) == {}


@pytest.mark.parametrize(
    ("field", "category"),
    [
        ("goals", "goals"),
        ("constraints", "constraints"),
        ("budget", "constraints"),
        ("technology", "tech_stack"),
        ("requirements", "technical_requirements"),
        ("resource", "resource_requirements"),
        ("code_style", None),
        ("team_structure", None),
    ],
)
def test_without_a_model_the_field_decides(field: str, category: str | None) -> None:
    found = specs_by_field({field: ("x", "y")}, CATEGORIES)
    wanted = [] if category is None else [NewSpec(category, text, 0.7, 1.0, field) for text in ("x", "y")]
    assert found == tuple(wanted)


def test_without_categories_nothing_fits() -> None:
    assert specs_by_field(FIELDS, ()) == ()
