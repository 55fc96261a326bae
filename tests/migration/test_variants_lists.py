"""V10, V13 and V15: messages of foreign writers, items that are not text, duplicates."""

import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.migrate import is_noted, json_value, row, rows, upgrade, value
from tests.support.v1_files import V1File


def v1_project(path: Path, **changes: Any) -> Path:
    with V1File(path / "projects.db") as v1:
        v1.add_project(**changes)
    upgrade(v1.path)
    return v1.path


def conversation(path: Path, *messages: dict[str, Any]) -> Path:
    return v1_project(path, conversation_history=list(messages))


MESSAGE = "SELECT position, type, content, timestamp, phase, author, question_number, extra FROM conversation_messages"


def test_messages_of_v1_keep_type_phase_number_author_and_order(tmp_path: Path) -> None:
    path = v1_project(tmp_path)
    assistant = (0, "assistant", "Who lends?", "2025-03-01 09:05:00.000001", "discovery", None, 1, "{}")
    user = (1, "user", "Members do.", "2025-03-01 09:06:00.000000", "discovery", "ada", None, "{}")
    assert rows(path, f"{MESSAGE} ORDER BY position") == [assistant, user]


def test_role_in_place_of_type_is_the_type_and_absent_keys_are_null(tmp_path: Path) -> None:
    path = conversation(tmp_path, {"role": "user", "content": "Hello"})
    assert row(path, MESSAGE) == (0, "user", "Hello", None, None, None, None, "{}")


def test_with_type_and_role_the_type_wins_and_the_role_goes_to_extra(tmp_path: Path) -> None:
    path = conversation(tmp_path, {"type": "assistant", "role": "system", "content": "Hello"})
    assert value(path, "SELECT type FROM conversation_messages") == "assistant"
    assert json_value(path, "SELECT extra FROM conversation_messages") == {"role": "system"}


def test_a_type_that_is_a_number_is_converted_like_any_text(tmp_path: Path) -> None:
    path = conversation(tmp_path, {"type": 5, "content": 7, "phase": 3, "author": 1})
    assert row(path, "SELECT type, content, phase, author FROM conversation_messages") == ("5", "7", "3", "1")


def test_a_type_of_none_is_as_if_missing(tmp_path: Path) -> None:
    path = conversation(tmp_path, {"type": None, "role": "user", "content": "Hello"})
    assert value(path, "SELECT type FROM conversation_messages") == "user"


@pytest.mark.parametrize(
    "message",
    [
        {"content": "Hello"},
        {"type": "user"},
        {"type": None, "role": None, "content": "x"},
        {"type": "user", "content": None},
    ],
    ids=["no type", "no content", "types None", "content None"],
)
def test_a_message_without_type_or_content_quarantines_its_project(tmp_path: Path, message: dict[str, Any]) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(conversation_history=[{"type": "user", "content": "fine"}, message])
    upgrade(v1.path, expected_status=2)
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert rows(v1.path, "SELECT source_key FROM v1_quarantine") == [("project-1",)]
    assert rows(v1.path, "SELECT * FROM conversation_messages") == []


def test_an_empty_content_is_a_content(tmp_path: Path) -> None:
    path = conversation(tmp_path, {"type": "user", "content": ""})
    assert value(path, "SELECT content FROM conversation_messages") == ""


def test_further_keys_of_a_message_go_to_its_extra_and_are_reported(tmp_path: Path) -> None:
    path = conversation(tmp_path, {"type": "user", "content": "x", "tokens": 5, "sent": datetime(2025, 1, 2)})
    extra = json_value(path, "SELECT extra FROM conversation_messages")
    assert extra == {"tokens": 5, "sent": {"$datetime": "2025-01-02T00:00:00"}}
    assert is_noted(path, "projects", "project-1", "tokens")


def test_messages_keep_list_order_even_when_their_times_disagree(tmp_path: Path) -> None:
    times = ["2025-03-03T00:00:00", None, "2025-03-01T00:00:00", "2025-03-01T00:00:00"]
    entries = [{"type": "user", "content": str(place), "timestamp": time} for place, time in enumerate(times)]
    path = conversation(tmp_path, *entries)
    found = rows(path, "SELECT position, content FROM conversation_messages ORDER BY position")
    assert found == [(0, "0"), (1, "1"), (2, "2"), (3, "3")]
    assert value(path, "SELECT message_count FROM projects") == 4


def test_an_author_of_none_is_null(tmp_path: Path) -> None:
    path = conversation(tmp_path, {"type": "user", "content": "x", "author": None})
    assert value(path, "SELECT author FROM conversation_messages") is None


@pytest.mark.parametrize(
    ("field", "table"),
    [
        ("requirements", "project_requirements"),
        ("tech_stack", "project_tech_stack"),
        ("constraints", "project_constraints"),
    ],
)
def test_list_items_that_are_not_text_become_their_text_and_are_reported(
    tmp_path: Path, field: str, table: str
) -> None:
    items = ["text", 12, 1.5, True, Decimal("0.50"), {"a": 1}, ["b"]]
    path = v1_project(tmp_path, **{field: items})
    found = [text for (text,) in rows(path, f"SELECT value FROM {table} ORDER BY position")]
    assert found == [str(item) for item in items]
    assert is_noted(path, "projects", "project-1", field)
    originals = rows(path, "SELECT original FROM v1_import_notes WHERE source_key = 'project-1'")
    assert any("12" in original for (original,) in originals)


def test_tags_skills_and_assignments_that_are_not_text_become_their_text(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(
            team_members=[{"username": "ada", "role": "lead", "skills": [3, "sql"], "joined_at": None}],
            pending_questions=[
                {
                    "id": "q_1",
                    "question": "?",
                    "phase": "design",
                    "status": "pending",
                    "assigned_to_roles": [1],
                    "assigned_to_users": ["bob", 2.5],
                }
            ],
        )
        v1.add_note(note_id="n", tags=["a", 7])
    upgrade(v1.path)
    assert json_value(v1.path, "SELECT skills FROM team_members WHERE username = 'ada'") == ["3", "sql"]
    assert json_value(v1.path, "SELECT assigned_to_roles FROM pending_questions") == ["1"]
    assert json_value(v1.path, "SELECT assigned_to_users FROM pending_questions") == ["bob", "2.5"]
    tags = rows(v1.path, "SELECT position, tag FROM project_note_tags ORDER BY position")
    assert tags == [(0, "a"), (1, "7")]
    assert is_noted(v1.path, "projects", "project-1", "skills")
    assert is_noted(v1.path, "projects", "project-1", "assigned_to_roles")
    assert is_noted(v1.path, "project_notes", "n", "tags")


def test_duplicates_inside_a_list_are_kept_in_order(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(requirements=["b", "a", "b", "b"], tech_stack=["go", "go"], constraints=["", ""])
        v1.add_note(tags=["x", "y", "x"])
    upgrade(v1.path)
    found = rows(v1.path, "SELECT position, value FROM project_requirements ORDER BY position")
    assert found == [(0, "b"), (1, "a"), (2, "b"), (3, "b")]
    assert rows(v1.path, "SELECT value FROM project_tech_stack") == [("go",), ("go",)]
    assert rows(v1.path, "SELECT value FROM project_constraints") == [("",), ("",)]
    assert rows(v1.path, "SELECT tag FROM project_note_tags ORDER BY position") == [("x",), ("y",), ("x",)]


def question(**changes: Any) -> dict[str, Any]:
    return {"id": "q_1", "question": "Why?", "phase": "design", "status": "pending"} | changes


def test_duplicate_ids_of_pending_questions_get_a_number_and_are_reported(tmp_path: Path) -> None:
    questions = [question(), question(id="q_2"), question(), question()]
    path = v1_project(tmp_path, pending_questions=questions)
    found = rows(path, "SELECT position, id FROM pending_questions ORDER BY position")
    assert found == [(0, "q_1"), (1, "q_2"), (2, "q_1#2"), (3, "q_1#3")]
    assert is_noted(path, "projects", "project-1", "pending_questions")


@pytest.mark.parametrize("how", ["missing", "None"])
def test_a_missing_id_of_a_pending_question_becomes_its_position_and_is_reported(tmp_path: Path, how: str) -> None:
    nameless = question(id=None)
    if how == "missing":
        del nameless["id"]
    path = v1_project(tmp_path, pending_questions=[question(), nameless])
    found = rows(path, "SELECT position, id FROM pending_questions ORDER BY position")
    assert found == [(0, "q_1"), (1, "q_v1_1")]
    assert is_noted(path, "projects", "project-1", "pending_questions")


def test_a_made_up_id_of_a_pending_question_never_meets_a_real_one(tmp_path: Path) -> None:
    questions = [
        question(id="a#2"),
        question(id="a"),
        question(id="a"),
        question(id="q_v1_4"),
        question(id=None),
    ]
    path = v1_project(tmp_path, pending_questions=questions)
    found = [key for (key,) in rows(path, "SELECT id FROM pending_questions ORDER BY position")]
    assert len(set(found)) == 5
    assert found[0] == "a#2"
    assert found[1] == "a"
    assert found[3] == "q_v1_4"


def test_a_great_many_duplicate_ids_cost_no_more_than_as_many_others(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(pending_questions=[question() for _ in range(20_000)])
    started = time.monotonic()
    upgrade(v1.path)
    assert time.monotonic() - started < 10
    assert value(v1.path, "SELECT position FROM pending_questions WHERE id = 'q_1#20000'") == 19_999


def test_the_same_question_id_in_two_projects_is_no_duplicate(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(pending_questions=[question()])
        v1.add_project(pending_questions=[question()])
    upgrade(v1.path)
    assert rows(v1.path, "SELECT id FROM pending_questions") == [("q_1",), ("q_1",)]
