"""Scores, warnings, crossings and the history of maturity."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socrates.drafts import NewSpec
from socrates.errors import InvalidValueError
from socrates.frozen import FrozenDict
from socrates.rules.categories import PHASES, PROJECT_TYPES, categories_of
from socrates.rules.maturity import (
    CONFLICT_RESOLVED,
    PhaseMaturity,
    PhaseStatus,
    became_complete,
    became_ready,
    is_complete,
    is_ready,
    percentage,
    phase_maturity,
    score_event,
    summary,
)
from socrates.views import CategoryScore, PhaseScore, Spec
from tests.support.stores import fresh_store

NO_SPECS: list[Spec] = []
DISCOVERY = categories_of("software", "discovery")
# Sixty statements that fill no category, at 0.9 the shortest way to 60 %; floats added in turn make 59.999999999999986.
SIXTY = dict(zip(DISCOVERY, [9, 10, 10, 11, 7, 7, 6], strict=True))
SEVENTY_EIGHT = dict(zip(DISCOVERY, [14, 14, 14, 10, 10, 8, 8], strict=True))


def spec(category: str, confidence: float | None = None, value: float | None = None, phase: str = "discovery") -> Spec:
    return Spec(phase, 0, category, "it is so", confidence, value, None, None, FrozenDict())


def specs(counts: Mapping[str, int], confidence: float = 0.9, phase: str = "discovery") -> list[Spec]:
    return [spec(category, confidence, 1.0, phase) for category, count in counts.items() for _ in range(count)]


def full(targets: Mapping[str, float], phase: str) -> list[Spec]:
    """One statement per category that fills it."""
    return [spec(category, 1.0, points, phase) for category, points in targets.items()]


def discovery(given: list[Spec]) -> PhaseMaturity:
    return phase_maturity("software", "discovery", given)


def points(**current: float) -> PhaseMaturity:
    """The discovery phase of software with these points."""
    return discovery([spec(category, 1.0, value) for category, value in current.items()])


def category(found: PhaseMaturity, name: str) -> CategoryScore:
    return next(each for each in found.category_scores if each.category == name)


def test_points_are_the_sum_of_value_times_confidence() -> None:
    found = discovery([spec("goals", 0.5, 2.0), spec("goals", 0.8, 1.0), spec("scope", 0.6, 1.0)])
    goals = category(found, "goals")
    assert goals == CategoryScore("discovery", "goals", pytest.approx(1.8), 15.0, pytest.approx(0.65), 2, FrozenDict())
    assert percentage(goals) == pytest.approx(12.0)
    assert found.overall_score == pytest.approx((1.8 + 0.6) / 90 * 100)
    assert found.total_specs == 3


def test_a_statement_that_says_nothing_counts_nine_tenths_of_a_point() -> None:
    goals = category(discovery([spec("goals")]), "goals")
    assert (goals.current_score, goals.confidence) == (0.9, 0.9)


def test_a_confidence_of_zero_is_not_a_missing_one() -> None:
    """As with D04: 0 is a number, not a gap."""
    goals = category(discovery([spec("goals", 0.0), spec("goals", 1.0, 0.0)]), "goals")
    assert (goals.current_score, goals.confidence, goals.spec_count) == (0.0, 0.5, 2)


def test_a_category_without_statements_has_no_confidence_either() -> None:
    goals = category(discovery(NO_SPECS), "goals")
    assert (goals.current_score, goals.confidence, goals.spec_count) == (0.0, 0.0, 0)


def test_a_category_stops_at_its_target() -> None:
    found = points(scope=500)
    assert category(found, "scope").current_score == 12
    assert found.overall_score == pytest.approx(12 / 90 * 100)


@pytest.mark.parametrize(("confidence", "needed"), [(0.9, 23), (0.7, 29)])
def test_a_category_of_twenty_points_is_full_after(confidence: float, needed: int) -> None:
    before, after = (discovery(specs({"problem_definition": n}, confidence)) for n in (needed - 1, needed))
    assert percentage(category(before, "problem_definition")) < 100
    assert percentage(category(after, "problem_definition")) == 100


@pytest.mark.parametrize(("confidence", "needed"), [(0.9, 60), (0.7, 78)])
def test_a_phase_is_ready_after_this_many_statements(confidence: float, needed: int) -> None:
    """Also where binary fractions add up to a little less than 54 points."""
    counts = dict(SIXTY if confidence == 0.9 else SEVENTY_EIGHT)
    assert sum(counts.values()) == needed
    assert discovery(specs(counts, confidence)).is_ready_to_advance
    counts["scope"] -= 1
    assert not discovery(specs(counts, confidence)).is_ready_to_advance


def test_sixty_statements_are_sixty_percent_to_the_last_digit() -> None:
    assert discovery(specs(SIXTY)).overall_score == 60.0


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("project_type", [*PROJECT_TYPES, "gardening"])
def test_a_phase_whose_categories_are_full_is_complete(project_type: str, phase: str) -> None:
    """D06: with 90 as the divisor of all, three phases of an unknown type ended at 88.9 %."""
    found = phase_maturity(project_type, phase, full(categories_of(project_type, phase), phase))
    assert found.overall_score == 100
    assert found.is_complete
    assert found.warnings == ()
    assert found.missing_categories == found.weakest_categories == ()


def test_a_generic_phase_is_measured_by_its_own_eighty_points() -> None:
    """D06: half of the points are half of the score."""
    found = phase_maturity("gardening", "discovery", [spec("objectives", 1.0, 20.0), spec("scope", 1.0, 20.0)])
    assert found.overall_score == pytest.approx(35 / 80 * 100)


def test_one_project_s_type_does_not_reach_the_next_one() -> None:
    """D10, D56: v1's calculator was shared and still had the type of the last project."""
    given = [spec("market_opportunity", 1.0, 20.0)]
    business = phase_maturity("business", "discovery", given)
    assert phase_maturity("software", "discovery", given).overall_score == 0
    assert phase_maturity("business", "discovery", given) == business
    assert business.overall_score == pytest.approx(20 / 90 * 100)


def test_statements_of_unknown_categories_are_counted_but_score_nothing() -> None:
    found = discovery([spec("goals", 1.0, 3.0), spec("weather", 1.0, 50.0)])
    assert (found.total_specs, found.overall_score) == (2, pytest.approx(3 / 90 * 100))


def test_statements_of_other_phases_do_not_count() -> None:
    assert discovery([spec("constraints", phase="design")]) == discovery(NO_SPECS)


@pytest.mark.parametrize(("confidence", "value", "counted"), [(95.0, 1.0, 1.0), (-3.0, 1.0, 0.0), (0.5, -9.0, 0.0)])
def test_figures_that_v1_stored_unchecked_score_neither_too_much_nor_less_than_nothing(
    confidence: float, value: float, counted: float
) -> None:
    """D09: a model's confidence of 95 filled a category at once."""
    found = discovery([spec("goals", confidence, value), spec("goals", 1.0, 2.0)])
    assert category(found, "goals").current_score == 2.0 + counted
    assert 0 <= (category(found, "goals").confidence or 0.0) <= 1


def test_the_largest_values_fill_a_category_and_no_more() -> None:
    assert category(discovery([spec("goals", 1.0, 1.7e308)] * 3), "goals").current_score == 15


@pytest.mark.parametrize("phase", ["completion", "Discovery", "", None])
def test_an_unknown_phase_is_refused(phase: str) -> None:
    with pytest.raises(InvalidValueError, match="is no phase of a project; the phases are discovery"):
        phase_maturity("software", phase, NO_SPECS)


def test_equal_categories_keep_the_order_of_the_table() -> None:
    found = points(goals=15, scope=12, problem_definition=20, constraints=10)
    assert found.strongest_categories == ("problem_definition", "goals", "scope")


def test_only_categories_with_statements_are_strong_and_only_those_below_half_are_weak() -> None:
    filled = {"problem_definition": 20, "target_audience": 15, "goals": 15, "competitive_analysis": 10}
    found = points(**filled, scope=6, constraints=4.9, success_metrics=1)
    assert found.weakest_categories == ("constraints", "success_metrics")
    assert points(scope=6).strongest_categories == ("scope",)
    assert points(scope=6).weakest_categories == ("competitive_analysis", "constraints", "success_metrics")


def test_missing_categories_are_those_without_a_statement() -> None:
    found = discovery([spec("goals", 0.0), *specs({"scope": 1, "problem_definition": 2, "target_audience": 1})])
    assert found.missing_categories == ("competitive_analysis", "constraints", "success_metrics")


def test_an_empty_phase_is_warned_of_as_very_low_and_names_five_missing_categories() -> None:
    score, missing = discovery(NO_SPECS).warnings
    assert "only 0.0 %" in score
    assert "problem definition, target audience, goals, competitive analysis, scope + 2 more" in missing


def test_five_missing_categories_are_all_named() -> None:
    [missing] = [each for each in points(scope=6, goals=8).warnings if "Nothing" in each]
    assert missing.endswith("competitive analysis, constraints, success metrics.")
    assert "more" not in missing


@pytest.mark.parametrize(
    ("total", "expected"),
    [(35.99, "only 40.0 %"), (36, "40.0 %, below the 60 % advised"), (53.9, "59.9 %, below the 60 %"), (54, None)],
)
def test_the_warning_about_the_score_follows_the_thresholds(total: float, expected: str | None) -> None:
    share = {name: target * total / 90 for name, target in DISCOVERY.items()}
    [*warnings] = points(**share).warnings
    assert len(warnings) == (expected is not None)
    assert expected is None or expected in warnings[0]


def test_categories_that_barely_began_are_named_up_to_three() -> None:
    share = {"problem_definition": 5.9, "target_audience": 4.4, "goals": 4.4, "competitive_analysis": 2.9}
    score, little = points(**share, scope=12, constraints=3, success_metrics=8).warnings
    assert "Little is known yet about problem definition, target audience, goals." in little
    assert "45.1 %, below" in score


def test_a_lopsided_phase_is_warned_of_while_something_is_missing() -> None:
    almost = {"problem_definition": 20, "target_audience": 15, "goals": 15, "scope": 12}
    missing, spread = points(**almost).warnings
    assert "Nothing is known yet about competitive analysis" in missing
    assert "spread the next answers" in spread
    assert not any("spread" in each for each in points(scope=9.6).warnings)  # 80 % is not above 80 %


def test_no_more_than_three_warnings_are_given_and_the_gravest_stay() -> None:
    score, missing, little = points(scope=12, goals=1).warnings
    assert ("only" in score, "Nothing" in missing, "Little" in little) == (True, True, True)


@pytest.mark.parametrize(
    ("before", "after", "ready", "complete"),
    [
        (None, 59.9, False, False),
        (None, 60.0, True, False),
        (0.0, 61.0, True, False),
        (59.9, 60.0, True, False),
        (60.0, 60.0, False, False),
        (60.0, 99.9, False, False),
        (99.9, 100.0, False, True),
        (100.0, 100.0, False, False),
        (30.0, 100.0, True, True),
        (100.0, 30.0, False, False),
        (30.0, 59.99999999999999, True, False),
        (59.99999999999999, 60.0, False, False),
    ],
)
def test_readiness_and_completion_are_announced_once_on_the_way_up(
    before: float | None, after: float, ready: bool, complete: bool
) -> None:
    """D77: v1 announced readiness at 100 %, and again with every calculation."""
    assert (became_ready(before, after), became_complete(before, after)) == (ready, complete)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 100), max_size=20).map(sorted))
def test_a_score_that_only_grows_is_announced_at_most_once(scores: list[float]) -> None:
    """D77."""
    steps = list(zip([None, *scores], scores, strict=False))
    assert sum(became_ready(*step) for step in steps) == any(map(is_ready, scores))
    assert sum(became_complete(*step) for step in steps) == any(map(is_complete, scores))


def test_the_history_keeps_the_score_of_before_the_answer() -> None:
    """D03: v1 read both scores after the calculation."""
    event = score_event("design", 12.5, 20.0, 3)
    assert (event.phase, event.score_before, event.score_after) == ("design", 12.5, 20.0)
    assert (event.event_type, event.details) == ("response_processed", {"specs_added": 3})
    assert score_event("design", None, 20.0, 3).score_before == 0


def test_a_decision_on_a_conflict_is_no_answer() -> None:
    assert score_event("design", 12.5, 20.0, 1, CONFLICT_RESOLVED).event_type == "conflict_resolved"


async def test_what_an_answer_changes_can_be_stored_as_it_is(tmp_path: Path) -> None:
    """D03: the delta in the database is what the answer gained."""
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada", project_id="p")
        for _ in range(2):
            async with store.begin() as unit:
                stored = {each.phase: each.score for each in await unit.projects.phase_scores("p")}
                added = await unit.projects.add_specs("p", "discovery", [NewSpec("goals", "lend books")] * 2)
                found = discovery(list(await unit.projects.specs("p")))
                await unit.projects.save_category_scores("p", "discovery", found.category_scores)
                await unit.projects.save_phase_scores("p", {"discovery": found.overall_score})
                event = score_event("discovery", stored["discovery"], found.overall_score, len(added))
                await unit.projects.add_maturity_event("p", event)
        events = await store.projects.maturity_events("p")
        assert [each.delta for each in events] == pytest.approx([2.0, 2.0])
        assert [each.score_before for each in events] == pytest.approx([0.0, 2.0])
        by_name = sorted(found.category_scores, key=lambda score: score.category)
        assert list(await store.projects.category_scores("p", "discovery")) == by_name


def test_the_summary_shows_all_four_phases_by_their_stored_scores() -> None:
    """D73: and no fifth one."""
    stored = [PhaseScore("design", 60.0), PhaseScore("completion", 50.0), PhaseScore("discovery", 100.0)]
    assert summary([*stored, PhaseScore("analysis", None)]) == (
        PhaseStatus("discovery", 100.0, ready=True, complete=True),
        PhaseStatus("analysis", 0.0, ready=False, complete=False),
        PhaseStatus("design", 60.0, ready=True, complete=False),
        PhaseStatus("implementation", 0.0, ready=False, complete=False),
    )


SPECS = st.lists(
    st.builds(
        spec,
        st.sampled_from([*DISCOVERY, "weather"]),
        st.none() | st.floats(-1, 2),
        st.none() | st.floats(-5, 50),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(SPECS, SPECS, st.randoms(use_true_random=False))
def test_a_score_is_a_percentage_that_no_statement_lowers_and_no_order_changes(
    some: list[Spec], more: list[Spec], shuffler: object
) -> None:
    found, both = discovery(some), discovery(some + more)
    assert 0 <= found.overall_score <= both.overall_score <= 100
    for score in both.category_scores:
        assert 0 <= percentage(score) <= 100
        assert 0 <= (score.confidence or 0.0) <= 1
    assert len(both.warnings) <= 3
    shuffled = some + more
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]
    assert discovery(shuffled) == both
