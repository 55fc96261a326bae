"""V2, V3 and chapter 3: missing keys and None values take the stated defaults."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.expected_rows import assert_imported
from tests.support.migrate import row, rows, upgrade, value
from tests.support.v1_files import V1File
from tests.support.v1_records import (
    ARCHIVE_KEYS,
    KEYS_LATER_THAN_16,
    MATURITY_KEYS,
    PROGRESS_KEYS,
    SUBSCRIPTION_KEYS,
    project_record,
)

REQUIRED = ("project_id", "name", "owner", "phase", "created_at", "updated_at")
OPTIONAL = tuple(key for key in project_record("any") if key not in REQUIRED)
PROJECT_TEXT_COLUMNS = (
    "goals, team_structure, language_preferences, deployment_target, code_style, chat_mode, status, project_type"
)


def v1_project(path: Path, **changes: object) -> Path:
    with V1File(path / "projects.db") as v1:
        v1.add_project(**changes)
    upgrade(v1.path)
    return v1.path


@pytest.fixture(params=["missing", "None"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "missing":
        return v1_project(tmp_path, without=OPTIONAL)
    return v1_project(tmp_path, **dict.fromkeys(OPTIONAL))


def test_missing_texts_of_a_project_take_v1s_defaults(bare: Path) -> None:
    texts = row(bare, f"SELECT {PROJECT_TEXT_COLUMNS} FROM projects")
    assert texts == ("", "individual", "python", "local", "standard", "socratic", "active", "software")


def test_missing_progress_is_zero_and_missing_archive_flags_mean_active(bare: Path) -> None:
    assert row(bare, "SELECT progress, is_archived, archived_at FROM projects") == (0, 0, None)


def test_missing_lists_of_a_project_are_empty(bare: Path) -> None:
    for table in (
        "conversation_messages",
        "project_requirements",
        "project_tech_stack",
        "project_constraints",
    ):
        assert rows(bare, f"SELECT * FROM {table}") == []
    for table in ("pending_questions", "categorized_specs", "category_scores", "maturity_events"):
        assert rows(bare, f"SELECT * FROM {table}") == []
    assert value(bare, "SELECT message_count FROM projects") == 0


def test_missing_phase_scores_are_zero_for_each_of_the_four_phases(bare: Path) -> None:
    scores = dict(rows(bare, "SELECT phase, score FROM phase_maturity_scores"))
    assert scores == {"discovery": 0.0, "analysis": 0.0, "design": 0.0, "implementation": 0.0}


def test_missing_analytics_are_a_row_of_zeroes(bare: Path) -> None:
    query = (
        "SELECT velocity, total_qa_sessions, avg_confidence, weak_categories, strong_categories, last_updated"
        " FROM analytics_metrics"
    )
    assert row(bare, query) == (0.0, 0, 0.0, "[]", "[]", None)


def test_a_project_with_no_team_has_its_owner_as_lead(bare: Path) -> None:
    assert rows(bare, "SELECT username, role, skills, is_active FROM team_members") == [("ada", "lead", "[]", 1)]


def test_defaults_leave_extra_empty(bare: Path) -> None:
    assert value(bare, "SELECT extra FROM projects") == "{}"


def test_phase_scores_that_are_present_keep_only_their_phases(tmp_path: Path) -> None:
    path = v1_project(tmp_path, phase_maturity_scores={"design": 12.5})
    assert rows(path, "SELECT phase, score FROM phase_maturity_scores") == [("design", 12.5)]


def test_present_but_empty_phase_scores_stay_empty(tmp_path: Path) -> None:
    path = v1_project(tmp_path, phase_maturity_scores={})
    assert rows(path, "SELECT * FROM phase_maturity_scores") == []


def test_analytics_with_some_keys_missing_default_the_others(tmp_path: Path) -> None:
    path = v1_project(tmp_path, analytics_metrics={"velocity": 2.5, "weak_categories": None})
    query = "SELECT velocity, total_qa_sessions, avg_confidence, weak_categories FROM analytics_metrics"
    assert row(path, query) == (2.5, 0, 0.0, "[]")


@pytest.mark.parametrize(
    "without",
    [
        KEYS_LATER_THAN_16,
        tuple(key for key in KEYS_LATER_THAN_16 if key not in ARCHIVE_KEYS),
        tuple(key for key in KEYS_LATER_THAN_16 if key not in ARCHIVE_KEYS + PROGRESS_KEYS),
        (*MATURITY_KEYS, "notes"),
        ("notes",),
        (),
    ],
    ids=["16 keys", "18 keys", "20 keys", "21 keys", "29 keys", "30 keys"],
)
def test_projects_of_every_age_come_through(tmp_path: Path, without: tuple[str, ...]) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(without=without)
    before = tmp_path / "before.db"
    before.write_bytes(v1.path.read_bytes())
    upgrade(v1.path)
    assert_imported(before, v1.path)


USER_COLUMNS = (
    "subscription_tier, subscription_status, subscription_start, subscription_end,"
    " questions_used_this_month, usage_reset_date, is_archived, archived_at"
)


@pytest.mark.parametrize(
    "changes",
    [
        {"without": (*SUBSCRIPTION_KEYS, *ARCHIVE_KEYS, "projects")},
        dict.fromkeys((*SUBSCRIPTION_KEYS, *ARCHIVE_KEYS, "projects")),
    ],
    ids=["4 keys or fewer", "None"],
)
def test_a_user_without_subscription_is_free_since_the_account_was_made(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(created_at=datetime(2024, 1, 2, 3, 4, 5), **changes)
    upgrade(v1.path)
    found = row(v1.path, f"SELECT {USER_COLUMNS}, extra FROM users")
    assert found == ("free", "active", "2024-01-02 03:04:05.000000", None, 0, None, 0, None, "{}")


def test_a_note_takes_v1s_defaults(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_note(without=("title", "content", "note_type", "created_by", "tags", "created_at"))
    upgrade(v1.path)
    found = row(v1.path, "SELECT title, content, note_type, created_by, created_at FROM project_notes")
    assert found == ("", "", "general", "system", "2025-03-01 09:00:00.123456")
    assert rows(v1.path, "SELECT * FROM project_note_tags") == []


def test_a_time_missing_in_blob_and_column_is_null(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_note(without=("created_at",), columns={"created_at": None})
        v1.add_pattern(without=("learned_at", "updated_at"), columns={"learned_at": None, "updated_at": None})
    upgrade(v1.path)
    assert value(v1.path, "SELECT created_at FROM project_notes") is None
    assert row(v1.path, "SELECT learned_at, updated_at FROM behavior_patterns") == (None, None)


def test_learning_records_take_v1s_defaults(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_effectiveness(
            without=(
                "role",
                "times_asked",
                "times_answered_well",
                "average_answer_length",
                "average_spec_extraction_count",
                "effectiveness_score",
                "last_asked_at",
            )
        )
        v1.add_pattern(without=("pattern_data", "confidence", "learned_from_projects"))
    upgrade(v1.path)
    query = (
        "SELECT role, times_asked, times_answered_well, average_answer_length, last_asked_at,"
        " CAST(average_spec_extraction_count AS REAL), CAST(effectiveness_score AS REAL)"
        " FROM question_effectiveness"
    )
    assert row(v1.path, query) == (None, 0, 0, 0, None, 0.0, 0.5)
    query = "SELECT pattern_data, CAST(confidence AS REAL), learned_from_projects FROM behavior_patterns"
    assert row(v1.path, query) == ("{}", 0.5, "[]")


def test_provider_configurations_and_usage_take_v1s_defaults(tmp_path: Path) -> None:
    counters = ("input_tokens", "output_tokens", "total_tokens", "latency_ms")
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_llm_config(without=("is_default", "enabled", "settings"))
        v1.add_usage(without=(*counters, "success", "error_message", "request_id"))
    upgrade(v1.path)
    config = row(v1.path, "SELECT is_default, enabled, settings FROM llm_provider_configs")
    assert config == (0, 1, "{}")
    query = f"SELECT {', '.join(counters)}, success, error_message, request_id FROM llm_usage"
    assert row(v1.path, query) == (0, 0, 0, 0, 1, None, None)


def test_missing_texts_of_a_document_are_empty_or_null(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_document(without=("filename", "content", "content_type", "embedding", "uploaded_at"))
    upgrade(v1.path)
    query = "SELECT filename, content, content_type, embedding, uploaded_at FROM knowledge_documents"
    assert row(v1.path, query) == ("", "", None, None, "2025-03-03 11:00:00.250000")


def test_non_empty_projects_of_a_user_and_notes_of_a_project_go_to_extra(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(projects=["project-1"])
        v1.add_project(notes=[{"title": "old"}])
    upgrade(v1.path)
    assert json.loads(value(v1.path, "SELECT extra FROM users")) == {"projects": ["project-1"]}
    assert json.loads(value(v1.path, "SELECT extra FROM projects")) == {"notes": [{"title": "old"}]}


def test_the_importer_never_invents_the_present_time(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(without=SUBSCRIPTION_KEYS)
        v1.add_project(without=OPTIONAL)
        v1.add_project(without=("updated_at",), columns={"updated_at": "2025-05-05T05:05:05"})
    started = datetime.now(UTC).strftime("%Y-%m-%d")
    upgrade(v1.path)
    for table in ("users", "projects", "team_members", "analytics_metrics"):
        assert not any(started in str(item) for found in rows(v1.path, f"SELECT * FROM {table}") for item in found)
