"""Weak and strong categories, pace, plateaus, what to do next, and the running totals."""

import tomllib
from datetime import UTC, datetime
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socrates.errors import InvalidValueError
from socrates.frozen import FrozenDict
from socrates.rules.analytics import (
    Plateau,
    balance,
    category_performance,
    gains,
    missing_categories,
    plateaus,
    progression_trends,
    recommendations,
    running_totals,
    standings,
    suggested_questions,
    velocity,
)
from socrates.rules.categories import PHASES, phase_categories
from socrates.rules.maturity import RESPONSE_PROCESSED
from socrates.views import Analytics, CategoryScore, MaturityEvent, Spec

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NO_TOTALS = Analytics(0.0, 0, 0.0, (), (), None, FrozenDict({"v1": 1}))
DISCOVERY = tuple(phase_categories("software")["discovery"])


def score(category: str, percent: float, spec_count: int | None = 1, phase: str = "discovery") -> CategoryScore:
    """A category with a target of ten points."""
    return CategoryScore(phase, category, percent / 10, 10.0, 0.9, spec_count, FrozenDict())


def scores(**percentages: float) -> list[CategoryScore]:
    """The discovery phase: the categories given, and all others between weak and strong."""
    return [score(category, percentages.get(category, 50.0)) for category in sorted(DISCOVERY)]


def event(before: float, after: float, phase: str = "discovery", event_type: str = RESPONSE_PROCESSED) -> MaturityEvent:
    return MaturityEvent(0, NOW, phase, before, after, after - before, event_type, FrozenDict(), FrozenDict())


def history(*of_answers: float) -> list[MaturityEvent]:
    """Answers that gained this much, one after another."""
    reached = 0.0
    events = []
    for gain in of_answers:
        events.append(event(reached, reached + gain))
        reached += gain
    return events


def spec(confidence: float | None, phase: str = "discovery") -> Spec:
    return Spec(phase, 0, "goals", "it is fast", confidence, 1.0, "goals", NOW, FrozenDict())


def names(found: object) -> list[str]:
    return [each.category for each in found]  # type: ignore[attr-defined]


def test_categories_stand_in_the_order_of_the_table_whatever_the_order_of_the_scores() -> None:
    given_scores = [score("unknown_b", 1), *scores(), score("unknown_a", 1), score("requirements", 1, phase="analysis")]
    assert names(standings("software", "discovery", given_scores)) == [*DISCOVERY, "unknown_a", "unknown_b"]


def test_a_percentage_is_of_the_target_and_may_pass_a_hundred() -> None:
    over = CategoryScore("discovery", "goals", 20.0, 10.0, 0.9, 4, FrozenDict())
    (found,) = standings("software", "discovery", [over])
    assert (found.percentage, found.current, found.target, found.spec_count) == (200.0, 20.0, 10.0, 4)


@pytest.mark.parametrize(("current", "target"), [(5.0, 0.0), (5.0, -1.0), (5.0, None), (None, 10.0)])
def test_without_a_target_or_points_a_category_is_at_zero(current: float | None, target: float | None) -> None:
    row = CategoryScore("discovery", "goals", current, target, None, None, FrozenDict())
    (found,) = standings("software", "discovery", [row])
    assert (found.percentage, found.spec_count) == (0.0, 0)


def test_an_unknown_phase_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="completion"):
        recommendations("software", "completion", [])


def test_weak_ascends_strong_descends_and_what_has_no_statement_is_missing_instead() -> None:
    rows = scores(goals=10, scope=20, constraints=90, target_audience=95, competitive_analysis=30, success_metrics=70)
    rows = [row for row in rows if row.category != "problem_definition"]
    found = category_performance("software", "discovery", [*rows, score("problem_definition", 0, spec_count=0)])
    assert names(found.weak_categories) == ["goals", "scope"]
    assert names(found.strong_categories) == ["target_audience", "constraints"]
    assert found.missing_categories == ("problem_definition",)
    assert found.balance.status == "IMBALANCED"


def test_a_phase_without_scores_has_no_performance() -> None:
    found = category_performance("software", "design", scores())
    assert (found.weak_categories, found.strong_categories, found.missing_categories) == ((), (), ())
    assert (found.balance.status, found.balance.messages) == ("UNKNOWN", ())


def test_a_gap_of_fifty_points_is_balanced_and_more_is_not() -> None:
    at_the_limit = balance(standings("software", "discovery", scores(goals=80, scope=30)))
    beyond = balance(standings("software", "discovery", scores(goals=81, success_metrics=30)))
    assert (at_the_limit.status, len(at_the_limit.messages)) == ("BALANCED", 1)
    assert "50 percentage points" in at_the_limit.messages[0]
    assert (beyond.status, len(beyond.messages)) == ("IMBALANCED", 2)
    assert "Goals is at 81 %" in beyond.messages[0]
    assert "Success Metrics at 30 %" in beyond.messages[0]


def test_of_equally_strong_or_weak_categories_balance_names_the_first_of_the_table() -> None:
    found = balance(standings("software", "discovery", scores(target_audience=90, constraints=90, scope=1, goals=1)))
    assert "Target Audience is" in found.messages[0]
    assert "Goals at" in found.messages[0]


def test_missing_categories_are_told_by_phase_and_complete_phases_left_out() -> None:
    rows = [
        *scores(),
        score("requirements", 0, spec_count=0, phase="analysis"),
        score("tech_stack", 5, phase="analysis"),
    ]
    found = missing_categories("software", rows)
    assert list(found) == ["analysis", "design", "implementation"]
    assert found["analysis"][:2] == ("requirements", "security")
    assert list(missing_categories("business", [])) == list(PHASES)


def test_velocity_is_the_mean_gain_of_answers_and_of_nothing_else() -> None:
    """D03 in its consequence: with both scores taken after the answer, it is 0 whatever was gained."""
    assert velocity([*history(1.0, 3.0), event(4.0, 54.0, event_type="imported")]) == 2.0
    assert velocity([]) == 0.0


def test_what_answers_gained_in_v1_is_read_from_the_scores_they_reached() -> None:
    """D03: v1 stored both scores as they were afterwards, and a delta of 0."""
    of_v1 = [event(5.0, 5.0), event(6.0, 6.0), event(2.0, 2.0, phase="analysis"), event(6.0, 6.0)]
    assert gains([*of_v1, event(6.0, 8.5)]) == (5.0, 1.0, 2.0, 0.0, 2.5)
    assert plateaus(of_v1) == ()


def test_an_event_whose_scores_are_lost_counts_by_its_delta_or_not_at_all() -> None:
    lost = [
        MaturityEvent(0, None, "design", None, None, delta, RESPONSE_PROCESSED, FrozenDict(), FrozenDict())
        for delta in (2.0, None)
    ]
    assert gains(lost) == (2.0, 0.0)


def test_a_run_of_small_gains_that_ended_is_a_plateau() -> None:
    (found,) = plateaus(history(2.0, 0.25, 0.0, 0.5, 0.25, 1.0))
    assert found == Plateau(start_session=2, duration=2, avg_delta=0.125, is_current=False)


def test_a_run_of_small_gains_up_to_the_newest_answer_is_a_plateau() -> None:
    """D24: v1 reports a plateau only once it is over."""
    assert plateaus(history(2.0, 0.25, 0.0)) == (Plateau(2, 2, 0.125, is_current=True),)


def test_losses_belong_to_a_plateau_and_a_gain_of_half_a_point_does_not() -> None:
    assert plateaus(history(2.0, 0.5, 0.5)) == ()
    (found,) = plateaus(history(2.0, -1.0, 0.0))
    assert found.avg_delta == -0.5


def test_fewer_than_three_answers_make_no_plateau() -> None:
    assert plateaus(history(0.0, 0.0)) == ()


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 2.0]), max_size=12))
@settings(max_examples=40)
def test_plateaus_cover_exactly_the_small_gains_that_have_a_small_neighbour(of_answers: list[float]) -> None:
    small = [gain < 0.5 for gain in of_answers]
    expected = {
        at
        for at, is_small in enumerate(small, 1)
        if is_small and len(small) >= 3 and True in (small[at - 2 : at - 1] + small[at : at + 1])
    }
    found = plateaus(history(*of_answers))
    assert {session for each in found for session in range(each.start_session, each.start_session + each.duration)} == (
        expected
    )
    assert sum(each.duration for each in found) == len(expected)
    assert all(each.is_current == (each.start_session + each.duration - 1 == len(small)) for each in found)


def test_trends_tell_of_growth_the_first_plateau_and_acceleration_in_this_order() -> None:
    found = progression_trends(history(1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 5.0, 5.0, 5.0), "design", 17.0)
    assert (found.total_sessions, found.current_phase, found.current_score) == (9, "design", 17.0)
    assert found.velocity == pytest.approx(17 / 9)
    growth, plateau, acceleration = found.insights
    assert "1.9 percentage points" in growth
    assert "Answers 2 to 3" in plateau
    assert "last three" in acceleration


def test_trends_tell_of_the_plateau_that_goes_on_before_an_earlier_one() -> None:
    """D24: the current plateau is the one that something can be done about."""
    growth, plateau = progression_trends(history(1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0), "design", 2.0).insights
    assert "0.3 percentage points" in growth
    assert "last 3 answers" in plateau


def test_two_answers_are_enough_for_trends_to_tell_of_a_plateau() -> None:
    (plateau,) = progression_trends(history(0.0, 0.0), "design", 0.0).insights
    assert "last 2 answers" in plateau


def test_acceleration_takes_five_answers_the_last_three_above_the_mean() -> None:
    slow_end = progression_trends(history(1.0, 1.0, 9.0, 9.0, 1.0), "design", 21.0)
    four = progression_trends(history(1.0, 9.0, 9.0, 9.0), "design", 28.0)
    even = progression_trends(history(2.0, 2.0, 2.0, 2.0, 2.0), "design", 10.0)
    assert [len(found.insights) for found in (slow_end, four, even)] == [1, 1, 1]


def test_trends_without_anything_to_tell_say_so_and_without_answers_are_silent() -> None:
    (nothing,) = progression_trends(history(-1.0), "design", 0.0).insights
    assert "no pattern" in nothing
    assert progression_trends([], "design", 0.0).insights == ()


def test_running_totals_follow_events_specs_and_the_current_phase() -> None:
    current = standings("software", "discovery", [*scores(goals=90, scope=10), score("unknown", 0, spec_count=0)])
    specs = [spec(0.6), spec(None, phase="design")]
    found = running_totals(NO_TOTALS, history(1.0, 2.0), specs, current, NOW)
    assert found.avg_confidence == pytest.approx(0.75)
    assert (found.velocity, found.total_qa_sessions, found.last_updated) == (1.5, 2, NOW)
    assert (found.weak_categories, found.strong_categories) == (("scope", "unknown"), ("goals",))
    assert found.extra == {"v1": 1}


@pytest.mark.parametrize(("stored", "counted"), [(95.0, 1.0), (-3.0, 0.0), (0.0, 0.0)])
def test_the_mean_confidence_counts_each_statement_from_zero_to_one(stored: float, counted: float) -> None:
    """D09: v1 stored a model's confidence unchecked and averaged it as it was."""
    found = running_totals(NO_TOTALS, [], [spec(stored), spec(0.5)], (), NOW)
    assert found.avg_confidence == pytest.approx((counted + 0.5) / 2)


def test_running_totals_keep_what_there_is_nothing_to_compute_from() -> None:
    before = Analytics(1.5, 3, 0.8, ("goals",), (), None, FrozenDict())
    found = running_totals(before, [], [], (), NOW)
    assert (found.velocity, found.avg_confidence) == (1.5, 0.8)
    assert (found.total_qa_sessions, found.weak_categories) == (0, ())


def test_weak_categories_are_recommended_by_priority_and_gap() -> None:
    found = recommendations("software", "discovery", scores(goals=20, scope=19, constraints=0.5, success_metrics=29))
    assert [(each.category, each.priority) for each in found] == [
        ("constraints", "high"),
        ("scope", "high"),
        ("goals", "medium"),
        ("success_metrics", "medium"),
    ]
    first = found[0]
    assert (first.phase, first.current, first.target, first.gap, first.spec_count) == ("discovery", 0.5, 70.0, 69.5, 1)
    assert all(each.action for each in found)


def test_imbalance_is_recommended_after_all_else() -> None:
    *_, last = recommendations("software", "discovery", scores(goals=29, scope=80))
    assert (last.category, last.priority, last.spec_count) == ("balance", "medium", None)
    assert (last.current, last.target, last.gap) == (0.0, 0.0, 0.0)


def test_a_category_without_a_statement_is_recommended_once() -> None:
    """D25: v1 recommends it as weak and again as missing."""
    rows = [row for row in scores() if row.category != "goals"]
    found = recommendations("software", "discovery", [*rows, score("goals", 0, spec_count=0)])
    assert [(each.category, each.priority, each.gap, each.spec_count) for each in found] == [("goals", "high", 70.0, 0)]


def test_a_category_without_a_score_is_recommended_like_one_without_a_statement() -> None:
    found = recommendations("software", "discovery", [score("target_audience", 0, spec_count=0), score("goals", 5)])
    assert names(found) == [*(each for each in DISCOVERY if each != "goals"), "goals"]


def test_at_most_ten_things_are_recommended() -> None:
    invented = [score(f"invented_{number}", number) for number in range(1, 15)]
    assert len(recommendations("software", "discovery", [*scores(), *invented])) == 10


@given(st.dictionaries(st.sampled_from(DISCOVERY), st.integers(0, 100)), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_recommendations_do_not_depend_on_the_order_of_scores(percentages: dict[str, int], random: object) -> None:
    rows = [score(category, percent, spec_count=percent and 1) for category, percent in percentages.items()]
    found = recommendations("software", "discovery", rows)
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert recommendations("software", "discovery", rows) == found
    assert len({each.category for each in found}) == len(found) <= 10
    assert all(0 <= each.gap <= 70 for each in found)
    missing_or_weak = {each for each in DISCOVERY if percentages.get(each, 0) < 30}
    assert set(names(found)) - {"balance"} == missing_or_weak


def test_each_recommended_category_gets_one_question() -> None:
    """D25: v1 asks about a category without a statement twice."""
    found = suggested_questions(recommendations("software", "discovery", [score("goals", 0, spec_count=0)]))
    assert len(found) == len(set(found)) == 5


def test_balance_gets_no_question_and_no_substitute() -> None:
    recommended = recommendations("software", "discovery", scores(goals=29, scope=80))
    assert len(recommended) == 2
    assert len(suggested_questions(recommended)) == 1
    assert suggested_questions(recommended, count=0) == ()


def test_a_category_without_texts_of_its_own_is_named_in_words() -> None:
    first, *_ = recommendations("research", "discovery", [])
    assert first.category == "research_question"
    assert "research question" in first.action
    assert "research question" in suggested_questions([first])[0]


def test_every_software_category_has_texts_of_its_own_and_no_other_name_has() -> None:
    texts = tomllib.loads(resources.files("socrates.rules").joinpath("analytics.toml").read_text("utf-8"))
    of_software = {category for categories in phase_categories("software").values() for category in categories}
    assert set(texts["advice"]) == set(texts["questions"]) == of_software
