"""Which questions work, habits, and the profile of a user."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socrates.errors import InvalidValueError
from socrates.frozen import FrozenDict, FrozenList
from socrates.rules.learning import (
    answer_quality,
    bank_question_id,
    confirmed,
    count_extracted,
    first_asked,
    generated_question_id,
    new_pattern,
    next_question,
    profile,
    tracked,
)
from socrates.views import BehaviorPattern, QuestionEffectiveness

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def record(
    template: str = "static:design:1", score: str | None = "0.5", asked: int = 0, well: int = 0
) -> QuestionEffectiveness:
    return replace(
        first_asked(f"id of {template}", "ada", template, "lead", NOW),
        effectiveness_score=None if score is None else Decimal(score),
        times_asked=asked,
        times_answered_well=well,
    )


def pattern(pattern_type: str = "answers", confidence: str | None = "0.5", *projects: str) -> BehaviorPattern:
    found = new_pattern("p1", "ada", pattern_type, {"length": "short"}, Decimal("0.5"), None, NOW)
    return replace(
        found, confidence=None if confidence is None else Decimal(confidence), learned_from_projects=projects
    )


def asked(times: int, well: int = 0, score: str = "0.5") -> list[QuestionEffectiveness]:
    return [record(asked=times, well=well, score=score)]


def topics(count: int) -> list[BehaviorPattern]:
    return [pattern(f"topic {number}") for number in range(count)]


def test_questions_of_the_bank_are_named_by_phase_and_number() -> None:
    """D17: v1 named a question by the beginning of a message."""
    assert bank_question_id("design", 1) == "static:design:1"
    assert bank_question_id("design", 5) == "static:design:5"


def test_all_questions_after_the_bank_are_one() -> None:
    """D17: they have the same words."""
    assert bank_question_id("design", 6) == bank_question_id("design", 60) == "static:design:6"


def test_generated_questions_are_named_by_project_and_position() -> None:
    """D17: two generated questions that begin alike are still two."""
    assert generated_question_id("p1", 12) == "project:p1:12"


@pytest.mark.parametrize(
    ("insights", "count"),
    [
        ({"goals": "a shop for bicycles"}, 1),
        ({"goals": ["sell", "repair"], "requirements": ["a basket"], "tech_stack": "Django", "constraints": []}, 4),
        ({"goals": ["", "  ", None], "requirements": " ", "tech_stack": None}, 0),
        ({"team_structure": "two people", "note": ["one"]}, 0),
        ({"requirements": FrozenList(["a basket", "a till"]), "constraints": 3}, 3),
        ({}, 0),
    ],
)
def test_statements_are_counted_and_not_their_characters(insights: dict[str, object], count: int) -> None:
    """D16: v1 counts the characters of goals that are a text."""
    assert count_extracted(insights) == count


@pytest.mark.parametrize(("specs", "quality"), [(0, 0.3), (1, 0.75), (2, 1.0), (9, 1.0)])
def test_the_quality_of_an_answer_follows_from_what_it_gave(specs: int, quality: float) -> None:
    """D15: v1 takes 0.5 for every answer."""
    assert answer_quality(specs) == quality


def test_an_answer_that_gave_something_makes_its_question_effective() -> None:
    """D15: in v1 no answer is ever a good one."""
    found = tracked(record(), 40, 1, answer_quality(1), LATER)
    assert (found.times_asked, found.times_answered_well, found.effectiveness_score) == (1, 1, 1)


def test_a_question_starts_with_nothing_and_an_even_score() -> None:
    found = first_asked("q1", "ada", "static:design:1", "general", NOW)
    assert (found.id, found.user_id, found.role, found.created_at) == ("q1", "ada", "general", NOW)
    assert (found.times_asked, found.times_answered_well, found.average_answer_length) == (0, 0, 0)
    assert (found.average_spec_extraction_count, found.effectiveness_score) == (0, Decimal("0.5"))
    assert found.last_asked_at is None


@pytest.mark.parametrize(("specs", "quality", "well"), [(1, 0.6, 0), (0, 0.9, 0), (1, 0.61, 1)])
def test_a_good_answer_takes_both_a_statement_and_quality(specs: int, quality: float, well: int) -> None:
    assert tracked(record(), 10, specs, quality, LATER).times_answered_well == well


def test_averages_move_by_three_tenths_and_lengths_lose_their_fraction() -> None:
    found = tracked(tracked(record(), 100, 2, 0.9, NOW), 55, 1, 0.9, LATER)
    assert found.average_answer_length == 37  # 0.3 × 55 + 0.7 × 30 = 37.5
    assert found.average_spec_extraction_count == Decimal("0.72")
    assert (found.last_asked_at, found.updated_at, found.created_at) == (LATER, LATER, NOW)


def test_a_length_that_stays_the_same_keeps_its_average() -> None:
    """0.3 × 90 + 0.7 × 90 is less than 90 in binary fractions."""
    assert tracked(replace(record(), average_answer_length=90), 90, 0, 0.3, NOW).average_answer_length == 90


def test_a_record_of_v1_whose_numbers_are_lost_counts_from_zero() -> None:
    lost = replace(
        record(),
        times_asked=None,
        times_answered_well=None,
        average_answer_length=None,
        average_spec_extraction_count=None,
        effectiveness_score=None,
    )
    found = tracked(lost, 10, 1, 0.9, LATER)
    assert (found.times_asked, found.times_answered_well, found.average_answer_length) == (1, 1, 3)
    assert found.average_spec_extraction_count == Decimal("0.3")


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 8)), min_size=1, max_size=8))
@settings(max_examples=30)
def test_whatever_is_answered_scores_and_averages_stay_in_bounds(answers: list[tuple[int, int]]) -> None:
    found = record()
    for length, specs in answers:
        found = tracked(found, length, specs, answer_quality(specs), NOW)
    good = sum(1 for _, specs in answers if specs)
    assert (found.times_asked, found.times_answered_well) == (len(answers), good)
    assert found.effectiveness_score == Decimal(good) / len(answers)
    assert found.average_answer_length is not None
    assert 0 <= found.average_answer_length <= max(length for length, _ in answers)
    assert found.average_spec_extraction_count is not None
    assert 0 <= found.average_spec_extraction_count <= max(specs for _, specs in answers)


def test_the_question_that_worked_best_is_recommended_with_its_reason() -> None:
    found = next_question(["a", "b", "c"], [record("b", "0.875", asked=8), record("c", "0.6", asked=5)])
    assert (found.question_template_id, found.effectiveness_score, found.times_asked) == ("b", Decimal("0.875"), 8)
    assert "88%" in found.reason
    assert "8 times" in found.reason


def test_a_question_that_never_worked_gives_way_to_an_unknown_one() -> None:
    """D04: v1 takes a score of 0 for 0.5."""
    assert next_question(["failed", "unknown"], [record("failed", "0", asked=9)]).question_template_id == "unknown"


def test_an_unknown_question_counts_a_half_and_ties_keep_the_order_given() -> None:
    records = [record("lost", None, asked=2), record("even", "0.5"), record("bad", "0.49")]
    found = next_question(["bad", "unknown", "lost", "even"], records)
    assert (found.question_template_id, found.effectiveness_score, found.times_asked) == ("unknown", Decimal("0.5"), 0)


def test_without_questions_the_recommendation_has_the_same_fields() -> None:
    """D81: v1 leaves the score out."""
    found = next_question([], [record()])
    assert (found.question_template_id, found.effectiveness_score, found.times_asked) == (None, None, 0)
    assert found.reason


def test_each_record_is_looked_at_once_whatever_the_number_of_questions() -> None:
    """D69: v1 goes through all records for each question."""
    looked_at = 0

    def counting(records: Sequence[QuestionEffectiveness]) -> object:
        nonlocal looked_at
        for each in records:
            looked_at += 1
            yield each

    found = next_question([str(n) for n in range(50)], counting([record(str(n), f"0.{n:02}") for n in range(50)]))
    assert (found.question_template_id, looked_at) == ("49", 50)


def test_a_new_habit_has_the_confidence_and_the_project_given() -> None:
    found = new_pattern("p1", "ada", "answers", {"length": ["short"]}, Decimal("0.7"), "shop", NOW)
    assert (found.confidence, found.learned_from_projects, found.learned_at) == (Decimal("0.7"), ("shop",), NOW)
    assert isinstance(found.pattern_data["length"], FrozenList)
    assert new_pattern("p1", "ada", "answers", {}, Decimal("0.7"), None, NOW).learned_from_projects == ()


@pytest.mark.parametrize("confidence", ["-0.1", "1.1"])
def test_a_habit_takes_no_confidence_outside_zero_to_one(confidence: str) -> None:
    with pytest.raises(InvalidValueError, match=confidence):
        new_pattern("p1", "ada", "answers", {}, Decimal(confidence), None, NOW)


def test_a_habit_that_is_confirmed_becomes_surer_and_takes_the_newer_data() -> None:
    found = confirmed(pattern("answers", "0.5", "shop"), {"length": "long", "tone": "dry"}, "blog", LATER)
    assert found.pattern_data == {"length": "long", "tone": "dry"}
    assert isinstance(found.pattern_data, FrozenDict)
    assert (found.confidence, found.learned_from_projects) == (Decimal("0.6"), ("shop", "blog"))
    assert (found.learned_at, found.updated_at) == (NOW, LATER)


@pytest.mark.parametrize("project", ["shop", None])
def test_a_habit_names_each_project_once(project: str | None) -> None:
    assert confirmed(pattern("answers", "0.5", "shop"), {}, project, LATER).learned_from_projects == ("shop",)


@pytest.mark.parametrize(("before", "after"), [("0.95", "1"), ("1", "1"), (None, "0.6")])
def test_confidence_ends_at_one_and_one_that_is_lost_starts_anew(before: str | None, after: str) -> None:
    assert confirmed(pattern("answers", before), {}, None, LATER).confidence == Decimal(after)


def test_a_profile_of_nobody_known() -> None:
    found = profile("ada", [], [])
    assert (found.total_questions_asked, found.overall_response_quality, found.experience_level) == (0, 0.5, "beginner")
    assert (found.engagement_score, found.learning_velocity, found.success_rate) == (0.0, 0.0, 0.0)
    assert found.recommendation_confidence == 0.15
    hints = found.personalization_hints
    assert (hints.question_complexity, hints.question_style) == ("simple", "foundational")
    assert (hints.follow_up_strategy, len(hints.knowledge_gaps), hints.strengths) == ("exploratory", 1, ())


def test_a_profile_adds_up_questions_and_habits() -> None:
    records = [record("a", "0.75", asked=8, well=6), record("b", "0.5", asked=4, well=2), record("c", None, asked=0)]
    patterns = [pattern("answers", "0.5", "shop", "blog"), pattern("tone", "0.5", "shop")]
    found = profile("ada", records, patterns)
    assert (found.total_questions_asked, found.total_answered_well) == (12, 8)
    assert (found.topics_explored, found.projects_completed) == (2, 2)
    assert (found.overall_response_quality, found.success_rate) == (0.58, 0.67)
    assert (found.engagement_score, found.learning_velocity) == (0.12, 0.33)
    assert found.recommendation_confidence == 0.67  # 0.7 × 12/20 + 0.3 × (1 − (0.5 − 1/3))


def test_questions_that_never_worked_lower_the_quality_of_a_profile() -> None:
    """D04: v1 takes a score of 0 for 0.5."""
    found = profile("ada", [record("a", "0", asked=3), record("b", "1", asked=3, well=3), record("c", "0")], [])
    assert found.overall_response_quality == 0.33
    assert found.personalization_hints.follow_up_strategy == "scaffolded"


@pytest.mark.parametrize(
    ("times", "level"), [(9, "beginner"), (10, "intermediate"), (49, "intermediate"), (50, "advanced")]
)
def test_experience_grows_with_the_questions_asked(times: int, level: str) -> None:
    assert profile("ada", asked(times), []).experience_level == level


@pytest.mark.parametrize(
    ("times", "score", "complexity"),
    [(4, "0.9", "simple"), (5, "0.71", "complex"), (5, "0.7", "moderate"), (80, "0.1", "moderate")],
)
def test_difficulty_follows_experience_and_quality(times: int, score: str, complexity: str) -> None:
    assert profile("ada", asked(times, score=score), []).personalization_hints.question_complexity == complexity


@pytest.mark.parametrize(
    ("score", "count", "style"),
    [("0.81", 9, "challenging"), ("0.8", 6, "synthesis"), ("0.8", 5, "foundational")],
)
def test_style_follows_quality_and_topics(score: str, count: int, style: str) -> None:
    assert profile("ada", asked(9, score=score), topics(count)).personalization_hints.question_style == style


def test_quality_and_topics_decide_on_gaps_and_follow_ups() -> None:
    weak = profile("ada", asked(9, score="0.49"), topics(2)).personalization_hints
    fair = profile("ada", asked(9, score="0.5"), topics(3)).personalization_hints
    assert (weak.follow_up_strategy, len(weak.knowledge_gaps)) == ("scaffolded", 2)
    assert (fair.follow_up_strategy, len(fair.knowledge_gaps)) == ("exploratory", 0)


@pytest.mark.parametrize(
    ("well", "score", "count", "strengths"),
    [(6, "0.7", 5, 0), (7, "0.7", 5, 1), (6, "0.71", 5, 1), (6, "0.7", 6, 1), (7, "0.71", 6, 3)],
)
def test_each_strength_has_its_own_condition(well: int, score: str, count: int, strengths: int) -> None:
    hints = profile("ada", asked(10, well, score), topics(count)).personalization_hints
    assert len(hints.strengths) == strengths


@given(st.lists(st.tuples(st.integers(0, 60), st.floats(0, 1)), max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_figures_of_a_profile_stay_in_bounds_and_ignore_the_order(
    counts: list[tuple[int, float]], random: object
) -> None:
    records = [
        record(str(at), f"{share:.4f}", asked=times, well=int(times * share))
        for at, (times, share) in enumerate(counts)
    ]
    found = profile("ada", records, topics(2))
    for figure in (
        found.overall_response_quality,
        found.engagement_score,
        found.learning_velocity,
        found.success_rate,
        found.recommendation_confidence,
    ):
        assert 0 <= figure <= 1
    random.shuffle(records)  # type: ignore[attr-defined]
    assert profile("ada", records, topics(2)) == found


@given(st.integers(1, 200), st.data())
@settings(max_examples=40)
def test_one_more_good_answer_never_lowers_success_or_velocity(times: int, data: st.DataObject) -> None:
    well = data.draw(st.integers(0, times - 1))
    before, after = (profile("ada", asked(times, good), []) for good in (well, well + 1))
    assert before.success_rate <= after.success_rate
    assert before.learning_velocity <= after.learning_velocity


@pytest.mark.parametrize(("times", "well", "score"), [(2, 5, 1), (-1, 0, 1), (-7, -7, 1), (None, None, 1)])
def test_counts_that_cannot_be_leave_the_score_in_its_range(times: int | None, well: int | None, score: int) -> None:
    impossible = replace(record(), times_asked=times, times_answered_well=well)
    counted = tracked(impossible, 10, 3, 1.0, LATER)
    assert counted.effectiveness_score == score
    assert (counted.times_asked or 0) > 0
