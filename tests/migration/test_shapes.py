"""Chapter 4: the shape of each part of a v1 record, and where it arrives."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.migrate import json_value, row, rows, upgrade, value
from tests.support.v1_files import V1File


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_user()
        v1.add_note()
        v1.add_effectiveness()
        v1.add_pattern()
        v1.add_document()
        v1.add_llm_config()
        v1.add_api_key()
        v1.add_usage()
    upgrade(v1.path)
    return v1.path


def record(path: Path, table: str) -> dict[str, Any]:
    names = [name for _, name, *_ in rows(path, f"PRAGMA table_info({table})")]
    return dict(zip(names, row(path, f"SELECT * FROM {table}"), strict=True))


def test_a_project_arrives_with_every_scalar(path: Path) -> None:
    expected = {
        "id": "project-1",
        "name": "Library",
        "owner": "ada",
        "phase": "analysis",
        "status": "completed",
        "project_type": "research",
        "chat_mode": "direct",
        "goals": "Lend books",
        "team_structure": "team",
        "language_preferences": "rust",
        "deployment_target": "cloud",
        "code_style": "documented",
        "progress": 40,
        "is_archived": 0,
        "archived_at": None,
        "created_at": "2025-03-01 09:00:00.123456",
        "updated_at": "2025-03-02 10:30:00.000000",
        "message_count": 2,
        "extra": "{}",
    }
    found = record(path, "projects")
    assert {name: found[name] for name in expected} == expected
    assert found["version"] >= 1


def test_a_user_arrives_with_subscription_and_counter(path: Path) -> None:
    assert record(path, "users") == {
        "username": "ada",
        "passcode_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "created_at": "2025-03-01 09:00:00.123456",
        "subscription_tier": "pro",
        "subscription_status": "expired",
        "subscription_start": "2025-03-02 10:30:00.000000",
        "subscription_end": "2026-03-02 10:30:00.000000",
        "questions_used_this_month": 7,
        "usage_reset_date": "2025-04-01 00:00:00.000000",
        "is_archived": 0,
        "archived_at": None,
        "extra": "{}",
    }


def test_a_pending_question_arrives_with_assignment_and_answer(path: Path) -> None:
    assert record(path, "pending_questions") == {
        "project_id": "project-1",
        "id": "q_0a1b2c3d",
        "position": 0,
        "question": "Which books?",
        "phase": "analysis",
        "status": "answered",
        "assigned_to_roles": '["lead"]',
        "assigned_to_users": '["bob"]',
        "created_at": "2025-03-01 12:00:00.000000",
        "answered_by": "bob",
        "answer": "All.",
        "answered_at": "2025-03-01 13:00:00.000000",
        "skipped_at": None,
        "extra": "{}",
    }


def test_scores_specs_events_and_analytics_arrive(path: Path) -> None:
    score = record(path, "category_scores")
    assert (score["phase"], score["category"], score["current_score"]) == ("discovery", "goals", 9.25)
    assert (score["target_score"], score["confidence"], score["spec_count"]) == (20.0, 0.7, 3)
    spec = record(path, "categorized_specs")
    assert (spec["phase"], spec["position"], spec["category"], spec["content"]) == (
        "discovery",
        0,
        "goals",
        "lend",
    )
    assert (spec["confidence"], spec["value"], spec["source_field"]) == (0.9, 1.0, "goals")
    assert spec["timestamp"] == "2025-03-01 09:07:00.000000"
    event = record(path, "maturity_events")
    assert (event["score_before"], event["score_after"], event["delta"]) == (50.0, 61.5, 11.5)
    assert (event["phase"], event["event_type"]) == ("discovery", "response_processed")
    assert json.loads(event["details"]) == {"specs_added": 3}
    analytics = record(path, "analytics_metrics")
    assert (analytics["velocity"], analytics["total_qa_sessions"], analytics["avg_confidence"]) == (
        1.5,
        4,
        0.8,
    )
    assert (analytics["weak_categories"], analytics["strong_categories"]) == ('["scope"]', '["goals"]')
    assert analytics["last_updated"] == "2025-03-01 09:08:30.000000"


def test_specs_keep_their_order_within_each_phase(tmp_path: Path) -> None:
    specs = {phase: [{"category": "c", "content": f"{phase} {n}"} for n in range(3)] for phase in ("b", "a")}
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(categorized_specs=specs)
    upgrade(v1.path)
    found = rows(v1.path, "SELECT phase, position, content FROM categorized_specs ORDER BY phase, position")
    assert found == [(phase, n, f"{phase} {n}") for phase in ("a", "b") for n in range(3)]


def test_a_skipped_question_keeps_its_time(tmp_path: Path) -> None:
    skipped = {
        "id": "q_1",
        "question": "?",
        "phase": "p",
        "status": "skipped",
        "skipped_at": "2025-01-01T00:00:00",
    }
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(pending_questions=[skipped])
    upgrade(v1.path)
    query = "SELECT status, skipped_at, answered_at FROM pending_questions"
    assert row(v1.path, query) == ("skipped", "2025-01-01 00:00:00.000000", None)


def test_a_note_arrives_with_type_author_and_tags(path: Path) -> None:
    assert record(path, "project_notes") == {
        "id": "note-2",
        "project_id": "project-1",
        "title": "Fines",
        "content": "No fines for children.",
        "note_type": "idea",
        "created_at": "2025-03-01 09:00:00.123456",
        "created_by": "bob",
        "extra": "{}",
    }
    assert rows(path, "SELECT position, tag FROM project_note_tags") == [(0, "money"), (1, "children")]


def test_learning_records_arrive_exactly(path: Path) -> None:
    learned = "2025-03-03 11:00:00.250000"
    effectiveness = record(path, "question_effectiveness")
    assert effectiveness["average_spec_extraction_count"] == "1.50"
    assert effectiveness["effectiveness_score"] == "0.60"
    assert (effectiveness["role"], effectiveness["times_asked"], effectiveness["times_answered_well"]) == (
        "lead",
        5,
        3,
    )
    assert effectiveness["average_answer_length"] == 120
    assert {effectiveness[name] for name in ("last_asked_at", "created_at", "updated_at")} == {learned}
    pattern = record(path, "behavior_patterns")
    assert (pattern["confidence"], json.loads(pattern["pattern_data"])) == ("0.75", {"speed": "slow"})
    assert json.loads(pattern["learned_from_projects"]) == ["project-1"]
    assert (pattern["learned_at"], pattern["updated_at"]) == (learned, learned)


def test_a_role_of_none_stays_none(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_effectiveness(role=None)
    upgrade(v1.path)
    assert value(v1.path, "SELECT role FROM question_effectiveness") is None


def test_documents_configurations_keys_and_usage_arrive(path: Path) -> None:
    document = record(path, "knowledge_documents")
    assert (document["filename"], document["file_size"], document["content_type"]) == (
        "rules.md",
        21,
        "text/markdown",
    )
    assert (document["content"], document["embedding"]) == ("Books are lent gladly", None)
    assert document["uploaded_at"] == "2025-03-03 11:00:00.250000"
    config = record(path, "llm_provider_configs")
    assert (config["is_default"], config["enabled"]) == (1, 0)
    assert json.loads(config["settings"]) == {"temperature": 0.7}
    key = record(path, "api_keys")
    assert key["encrypted_key"] == "c2stZXhhbXBsZS0xMjM="
    assert key["key_hash"] == "751ab231f93a6d0d535aaa68c2419ce9fd774131a04a35548c7f4765b4404855"
    assert key["created_at"] == "2025-03-01 09:00:00.123456"
    assert key["updated_at"] == "2025-03-03 11:00:00.250000"
    assert key["last_used_at"] is None
    usage = record(path, "llm_usage")
    assert (usage["provider"], usage["model"], usage["request_id"]) == ("claude", "m-1", "req_1")
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (100, 50, 150)
    assert (usage["latency_ms"], usage["cost"], usage["success"]) == (812.5, "0.0123", 0)
    assert (usage["error_message"], usage["timestamp"]) == ("late", "2025-03-01 09:00:00.123456")


def test_free_dicts_keep_nesting_and_key_order(tmp_path: Path) -> None:
    settings = {"z": [{"y": 1}, {"x": None}], "a": {"ключ": "значение"}}
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_llm_config(settings=settings)
    upgrade(v1.path)
    stored = json_value(v1.path, "SELECT settings FROM llm_provider_configs")
    assert stored == settings
    assert list(stored) == ["z", "a"]
