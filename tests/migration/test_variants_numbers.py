"""V11 and V18: numbers keep value and digits; what no column can hold is kept beside."""

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from socrates.tagged_json import decode
from tests.support.migrate import alembic, is_noted, refused, row, rows, upgrade, value
from tests.support.v1_files import V1File


def v1_project(path: Path, **changes: Any) -> Path:
    with V1File(path / "projects.db") as v1:
        v1.add_project(**changes)
    upgrade(v1.path)
    return v1.path


def unreadable(path: Path, table: str) -> dict[str, Any]:
    found = decode(json.loads(value(path, f"SELECT extra FROM {table}")))["v1_unreadable"]
    assert isinstance(found, dict)
    return found


DIGITS = [
    "0.50",
    "0.500",
    "1",
    "-3.0",
    "0.123456789012345678901234567890",
    "12345678901234567890.10",
    "1E+3",
    "0E-7",
]


@pytest.mark.parametrize("digits", DIGITS)
def test_decimals_keep_value_and_digits(tmp_path: Path, digits: str) -> None:
    number = Decimal(digits)
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_effectiveness(average_spec_extraction_count=number, effectiveness_score=number)
        v1.add_pattern(confidence=number)
    upgrade(v1.path)
    query = "SELECT average_spec_extraction_count, effectiveness_score FROM question_effectiveness"
    assert row(v1.path, query) == (digits, digits)
    assert value(v1.path, "SELECT confidence FROM behavior_patterns") == digits


@pytest.mark.parametrize("number", [0.1, 0.0123, 1e-07, 0.30000000000000004, 2.0, 1e22])
def test_a_float_in_an_exact_column_keeps_its_shortest_decimal_form(tmp_path: Path, number: float) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_usage(cost=number)
        v1.add_pattern(confidence=number)
    upgrade(v1.path)
    cost = Decimal(value(v1.path, "SELECT cost FROM llm_usage"))
    confidence = Decimal(value(v1.path, "SELECT confidence FROM behavior_patterns"))
    assert cost == confidence == Decimal(repr(number))
    assert float(cost) == number


def test_bytes_stay_bytes(tmp_path: Path) -> None:
    embedding = bytes(range(256))
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_document(embedding=embedding)
        v1.add_document(embedding=b"")
    upgrade(v1.path)
    assert rows(v1.path, "SELECT embedding FROM knowledge_documents ORDER BY id") == [(embedding,), (b"",)]


def test_score_dicts_become_rows_with_every_number_exact(tmp_path: Path) -> None:
    score = {
        "category": "c",
        "current_score": 9.416851553747897,
        "target_score": 20.0,
        "confidence": 0.1,
        "spec_count": 9,
    }
    path = v1_project(tmp_path, category_scores={"design": {"c": score}})
    query = "SELECT phase, category, current_score, target_score, confidence, spec_count FROM category_scores"
    assert row(path, query) == ("design", "c", 9.416851553747897, 20.0, 0.1, 9)


def test_a_plain_number_as_category_score_is_the_current_score(tmp_path: Path) -> None:
    path = v1_project(tmp_path, category_scores={"design": {"c": 7.5}})
    query = "SELECT current_score, target_score, confidence, spec_count FROM category_scores"
    assert row(path, query) == (7.5, None, None, None)


def test_numbers_out_of_range_but_of_the_right_type_are_kept(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(progress=250, phase_maturity_scores={"design": -4.5})
        v1.add_project(progress=-1)
        v1.add_user(questions_used_this_month=-3)
        v1.add_effectiveness(times_asked=-1, average_answer_length=2**62)
        v1.add_usage(input_tokens=-5)
    upgrade(v1.path)
    assert rows(v1.path, "SELECT progress FROM projects ORDER BY id") == [(250,), (-1,)]
    assert value(v1.path, "SELECT questions_used_this_month FROM users") == -3
    assert row(v1.path, "SELECT times_asked, average_answer_length FROM question_effectiveness") == (
        -1,
        2**62,
    )
    assert value(v1.path, "SELECT input_tokens FROM llm_usage") == -5
    assert value(v1.path, "SELECT score FROM phase_maturity_scores WHERE phase = 'design' AND score < 0") == -4.5


@pytest.mark.parametrize("number", [math.inf, -math.inf])
def test_an_infinite_score_is_null_and_kept_in_the_projects_extra(tmp_path: Path, number: float) -> None:
    path = v1_project(tmp_path, phase_maturity_scores={"design": number})
    assert value(path, "SELECT score FROM phase_maturity_scores") is None
    assert number in unreadable(path, "projects").values()
    assert is_noted(path, "projects", "project-1", "phase_maturity_scores")


def test_a_score_that_is_not_a_number_is_null_and_kept_in_the_projects_extra(tmp_path: Path) -> None:
    path = v1_project(tmp_path, category_scores={"design": {"c": {"category": "c", "current_score": math.nan}}})
    assert value(path, "SELECT current_score FROM category_scores") is None
    (kept,) = unreadable(path, "projects").values()
    assert math.isnan(kept)


def test_every_non_finite_number_of_a_project_is_kept(tmp_path: Path) -> None:
    path = v1_project(
        tmp_path,
        phase_maturity_scores={"design": math.nan, "analysis": math.inf},
        category_scores={"design": {"a": {"current_score": math.nan}, "b": {"current_score": math.nan}}},
        categorized_specs={"design": [{"category": "c", "content": "x", "confidence": math.inf, "value": -math.inf}]},
        maturity_history=[{"phase": "p", "event_type": "t", "score_before": math.nan, "delta": math.nan}],
        analytics_metrics={"velocity": math.nan, "avg_confidence": math.inf},
    )
    assert len(unreadable(path, "projects")) == 10
    assert row(path, "SELECT velocity, avg_confidence FROM analytics_metrics") == (None, None)
    assert row(path, "SELECT confidence, value FROM categorized_specs") == (None, None)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**40])
def test_an_integer_over_64_bits_is_null_and_kept_in_extra(tmp_path: Path, number: int) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(progress=number)
        v1.add_user(questions_used_this_month=number)
        v1.add_usage(total_tokens=number)
    upgrade(v1.path)
    assert value(v1.path, "SELECT progress FROM projects") is None
    assert unreadable(v1.path, "projects") == {"progress": number}
    assert value(v1.path, "SELECT questions_used_this_month FROM users") is None
    assert unreadable(v1.path, "users") == {"questions_used_this_month": number}
    assert value(v1.path, "SELECT total_tokens FROM llm_usage") is None
    assert unreadable(v1.path, "llm_usage") == {"total_tokens": number}


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_integers_of_64_bits_are_kept(tmp_path: Path, number: int) -> None:
    path = v1_project(tmp_path, progress=number)
    assert value(path, "SELECT progress FROM projects") == number


@pytest.mark.parametrize("number", [Decimal("NaN"), Decimal("Infinity"), math.nan])
def test_a_decimal_that_is_no_number_is_null_and_kept_in_extra(tmp_path: Path, number: Decimal | float) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_pattern(confidence=number)
    upgrade(v1.path)
    assert value(v1.path, "SELECT confidence FROM behavior_patterns") is None
    assert str(unreadable(v1.path, "behavior_patterns")["confidence"]) == str(number)


LOSSLESS = {
    "progress as text": ({"progress": "50"}, "progress", 50),
    "progress as a float": ({"progress": 50.0}, "progress", 50),
    "is_archived as 1": ({"is_archived": 1}, "is_archived", 1),
    "is_archived as 0": ({"is_archived": 0}, "is_archived", 0),
}


@pytest.mark.parametrize(("changes", "column", "stored"), LOSSLESS.values(), ids=LOSSLESS.keys())
def test_a_scalar_of_another_type_is_converted_when_lossless_and_reported(
    tmp_path: Path, changes: dict[str, Any], column: str, stored: int
) -> None:
    path = v1_project(tmp_path, **changes)
    assert row(path, f"SELECT {column}, typeof({column}) FROM projects") == (stored, "integer")
    assert is_noted(path, "projects", "project-1", column)


LOSSY = [
    {"progress": "half"},
    {"progress": 50.5},
    {"progress": [50]},
    {"is_archived": 2},
    {"is_archived": "perhaps"},
]


@pytest.mark.parametrize("changes", LOSSY, ids=str)
def test_a_scalar_that_cannot_be_converted_without_loss_is_damage(tmp_path: Path, changes: dict[str, Any]) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(**changes)
    assert refused(upgrade(v1.path, expected_status=2))
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert value(v1.path, "SELECT source_key FROM v1_quarantine") == "project-1"


def test_goals_that_look_like_a_number_stay_text(tmp_path: Path) -> None:
    path = v1_project(tmp_path, goals="123", name="007")
    assert row(path, "SELECT goals, typeof(goals), name FROM projects") == ("123", "text", "007")


def test_goals_as_a_list_are_either_converted_whole_and_reported_or_damage(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(goals=["lend", "return"])
    outcome = alembic(v1.path, "upgrade", "head", on_bad="quarantine", v1_timezone="UTC")
    if outcome.status == 1:
        assert value(v1.path, "SELECT source_key FROM v1_quarantine") == "project-1"
    else:
        goals = value(v1.path, "SELECT goals FROM projects")
        assert "lend" in goals
        assert "return" in goals
        assert is_noted(v1.path, "projects", "project-1", "goals")
