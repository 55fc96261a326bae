"""The categories of each type and phase, and their targets."""

import re

import pytest

from socrates.errors import InvalidValueError
from socrates.rules.categories import PHASES, PROJECT_TYPES, categories_of, describe_type, phase_categories

TARGETS = {
    "discovery": [20, 15, 15, 10, 12, 10, 8],
    "analysis": [20, 15, 12, 10, 10, 10, 8, 5],
    "design": [20, 15, 12, 10, 10, 10, 8, 5],
    "implementation": [20, 15, 12, 12, 10, 10, 6, 5],
}
FIRST_AND_LAST = {
    "software": "problem_definition success_metrics requirements data_management architecture ui_ux "
    "milestones performance_optimization",
    "business": "market_opportunity success_metrics financial_projections risk_mitigation product_roadmap partnerships "
    "phase_milestones growth_optimization",
    "creative": "creative_vision success_criteria content_analysis feedback_mechanisms creative_concept "
    "brand_consistency production_schedule optimization_refinement",
    "research": "research_question success_metrics methodology resource_requirements research_design "
    "documentation_standards research_milestones impact_planning",
    "marketing": "campaign_objective success_metrics audience_insights resource_plan content_strategy "
    "multi_channel_coordination content_calendar optimization_tactics",
    "educational": "learning_objectives success_metrics content_analysis accessibility_needs curriculum_structure "
    "feedback_mechanisms development_milestones outcome_optimization",
}


def test_a_project_goes_through_four_phases() -> None:
    """D73: v1 knew a fifth phase, `completion`, that nothing ever reached."""
    assert PHASES == ("discovery", "analysis", "design", "implementation")
    with pytest.raises(InvalidValueError, match=r"'completion' is no phase.*discovery, analysis"):
        categories_of("software", "completion")


def test_the_six_types_have_the_order_of_the_pickers() -> None:
    assert PROJECT_TYPES == ("software", "business", "creative", "research", "marketing", "educational")


@pytest.mark.parametrize("project_type", PROJECT_TYPES)
@pytest.mark.parametrize("phase", PHASES)
def test_the_targets_of_every_phase_sum_to_ninety_points(project_type: str, phase: str) -> None:
    assert list(categories_of(project_type, phase).values()) == TARGETS[phase]
    assert sum(TARGETS[phase]) == 90


@pytest.mark.parametrize("project_type", PROJECT_TYPES)
def test_the_tables_begin_and_end_with_the_categories_of_their_type(project_type: str) -> None:
    tables = [list(table) for table in phase_categories(project_type).values()]
    assert [name for table in tables for name in (table[0], table[-1])] == FIRST_AND_LAST[project_type].split()


def test_software_discovery_asks_for_these_categories_in_this_order() -> None:
    """D58: an order, where v1 went through a set, which differs from process to process."""
    assert list(phase_categories()["discovery"].items()) == [
        ("problem_definition", 20),
        ("target_audience", 15),
        ("goals", 15),
        ("competitive_analysis", 10),
        ("scope", 12),
        ("constraints", 10),
        ("success_metrics", 8),
    ]


@pytest.mark.parametrize("unknown", ["generic", "Software", "gardening", ""])
def test_an_unknown_type_gets_the_generic_categories(unknown: str) -> None:
    tables = phase_categories(unknown)
    assert [sum(tables[phase].values()) for phase in PHASES] == [80, 80, 80, 90]
    assert dict(tables["analysis"]) == {
        "requirements": 20,
        "assumptions": 12,
        "dependencies": 12,
        "resources": 12,
        "timeline": 12,
        "feasibility": 10,
        "alternatives": 2,
    }
    assert "unknown" in describe_type(unknown)


def test_every_category_has_a_name_that_can_be_stored_and_shown() -> None:
    names = {name for each in (*PROJECT_TYPES, "?") for table in phase_categories(each).values() for name in table}
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", name) for name in names)


def test_every_type_says_in_one_line_what_it_brings_forth() -> None:
    lines = [describe_type(each) for each in PROJECT_TYPES]
    assert len(set(lines)) == len(PROJECT_TYPES)
    assert all(line and "\n" not in line and "unknown" not in line for line in lines)


def test_nobody_can_change_the_tables_that_all_share() -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        categories_of("software", "design")["ui_ux"] = 50.0  # type: ignore[index]
    with pytest.raises(TypeError, match="does not support item assignment"):
        phase_categories()["design"] = {}  # type: ignore[index]
