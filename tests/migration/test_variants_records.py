"""V5, V8, V9, V12, V16 and V17: what a row, its blob and its neighbours say of one record."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.migrate import is_noted, json_value, refused, row, rows, sha256, upgrade, value
from tests.support.v1_files import V1File


def test_the_blob_wins_for_content(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(created_at=datetime(2025, 1, 1), columns={"created_at": "2020-01-01T00:00:00"})
        v1.add_usage(model="m-2", cost=0.5, columns={"model": "m-1", "cost": 0.25})
        v1.add_api_key()
    upgrade(v1.path)
    assert value(v1.path, "SELECT created_at FROM users") == "2025-01-01 00:00:00.000000"
    assert row(v1.path, "SELECT model, CAST(cost AS REAL) FROM llm_usage") == ("m-2", 0.5)


EARLY, LATE = datetime(2025, 1, 1), datetime(2025, 6, 1)


@pytest.mark.parametrize(("in_blob", "in_column"), [(EARLY, LATE), (LATE, EARLY)], ids=["column", "blob"])
def test_updated_at_is_the_later_of_the_two_in_every_table(
    tmp_path: Path, in_blob: datetime, in_column: datetime
) -> None:
    changes = {"updated_at": in_blob, "columns": {"updated_at": in_column.isoformat()}}
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(**changes)
        v1.add_effectiveness(**changes)
        v1.add_pattern(**changes)
        v1.add_llm_config(**changes)
    upgrade(v1.path)
    for table in ("projects", "question_effectiveness", "behavior_patterns", "llm_provider_configs"):
        assert value(v1.path, f"SELECT updated_at FROM {table}") == "2025-06-01 00:00:00.000000"


def test_the_later_updated_at_is_judged_as_a_time_and_not_as_text(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_pattern(
            updated_at=datetime(2025, 1, 1, 12, 0, tzinfo=UTC),
            columns={"updated_at": "2025-01-01T13:00:00+02:00"},
        )
    upgrade(v1.path)
    assert value(v1.path, "SELECT updated_at FROM behavior_patterns") == "2025-01-01 12:00:00.000000"


def test_keys_and_unique_columns_come_from_the_row_and_a_difference_is_reported(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_project(columns={"project_id": "row-project"}, project_id="blob-project")
        v1.add_user("blob-user", columns={"username": "row-user"})
        v1.add_note(columns={"note_id": "row-note", "project_id": "row-project"})
        v1.add_effectiveness(columns={"id": "e", "user_id": "row-user", "question_template_id": "row-q"})
        v1.add_pattern(columns={"id": "p", "user_id": "row-user", "pattern_type": "row-type"})
        v1.add_document(columns={"id": "d", "project_id": "row-project", "user_id": "row-user"})
        v1.add_llm_config(columns={"id": "c", "user_id": "row-user", "provider": "row-provider"})
        v1.add_usage(columns={"id": "u", "user_id": "row-user", "provider": "row-provider"})
    upgrade(v1.path)
    learned = "SELECT id, user_id, question_template_id FROM question_effectiveness"
    assert ("row-project",) in rows(v1.path, "SELECT id FROM projects")
    assert rows(v1.path, "SELECT username FROM users") == [("row-user",)]
    assert row(v1.path, "SELECT id, project_id FROM project_notes") == ("row-note", "row-project")
    assert row(v1.path, learned) == ("e", "row-user", "row-q")
    assert row(v1.path, "SELECT id, user_id, pattern_type FROM behavior_patterns") == (
        "p",
        "row-user",
        "row-type",
    )
    document = row(v1.path, "SELECT id, project_id, user_id FROM knowledge_documents")
    assert document == ("d", "row-project", "row-user")
    config = row(v1.path, "SELECT id, user_id, provider FROM llm_provider_configs")
    assert config == ("c", "row-user", "row-provider")
    assert row(v1.path, "SELECT id, user_id, provider FROM llm_usage") == ("u", "row-user", "row-provider")
    assert is_noted(v1.path, "projects", "row-project", "project_id")
    assert is_noted(v1.path, "users", "row-user", "username")
    assert is_noted(v1.path, "question_effectiveness", "e", "question_template_id")
    assert is_noted(v1.path, "behavior_patterns", "p", "pattern_type")
    assert is_noted(v1.path, "llm_provider_configs", "c", "provider")


def test_the_passcode_hash_is_the_blobs_else_the_columns(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user("both", passcode_hash="blob", columns={"passcode_hash": "column"})
        v1.add_user("lacking", without=("passcode_hash",), columns={"passcode_hash": "column"})
        v1.add_user("none", passcode_hash=None, columns={"passcode_hash": "column"})
    upgrade(v1.path)
    hashes = dict(rows(v1.path, "SELECT username, passcode_hash FROM users"))
    assert hashes == {"both": "blob", "lacking": "column", "none": "column"}


def test_an_empty_or_foreign_passcode_hash_is_kept_as_it_is(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user("empty", passcode_hash="")
        v1.add_user("foreign", passcode_hash="not-a-hash")
    upgrade(v1.path)
    hashes = dict(rows(v1.path, "SELECT username, passcode_hash FROM users"))
    assert hashes == {"empty": "", "foreign": "not-a-hash"}


def test_records_of_unknown_users_are_kept(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(owner="ghost", collaborators=["shade"])
        v1.add_note(created_by="ghost")
        v1.add_document(user_id="ghost")
        v1.add_effectiveness(user_id="ghost")
        v1.add_pattern(user_id="ghost", learned_from_projects=["no-such-project"])
        v1.add_llm_config(user_id="ghost")
        v1.add_api_key(user_id="ghost")
        v1.add_usage(user_id="ghost")
    upgrade(v1.path)
    tables = ("knowledge_documents", "question_effectiveness", "behavior_patterns")
    for table in (*tables, "llm_provider_configs", "api_keys", "llm_usage"):
        assert rows(v1.path, f"SELECT user_id FROM {table}") == [("ghost",)]
    assert value(v1.path, "SELECT owner FROM projects") == "ghost"
    assert value(v1.path, "SELECT created_by FROM project_notes") == "ghost"
    assert rows(v1.path, "SELECT * FROM v1_quarantine") == []


def test_a_note_or_document_of_a_missing_project_is_quarantined_whole_and_stops_nothing(
    tmp_path: Path,
) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_note(note_id="n", project_id="gone")
        v1.add_document(id="d", project_id="gone")
    blobs = {table: value(v1.path, f"SELECT data FROM {table}") for table in ("project_notes", "knowledge_documents")}
    upgrade(v1.path)
    found = rows(v1.path, "SELECT source_table, source_key, data FROM v1_quarantine ORDER BY source_key")
    assert found == [
        ("knowledge_documents", "d", blobs["knowledge_documents"]),
        ("project_notes", "n", blobs["project_notes"]),
    ]
    columns = json_value(v1.path, "SELECT row_columns FROM v1_quarantine WHERE source_key = 'n'")
    assert columns["project_id"] == "gone"
    assert columns["created_at"] == "2025-03-01T09:00:00.123456"
    reason = value(v1.path, "SELECT reason FROM v1_quarantine WHERE source_key = 'n'")
    assert "project" in reason
    assert rows(v1.path, "SELECT * FROM project_notes") == []
    assert rows(v1.path, "SELECT * FROM project_note_tags") == []


def test_notes_and_documents_of_a_quarantined_project_follow_it(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(blob=b"damage")
        v1.add_note(note_id="n")
        v1.add_document(id="d")
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    keys = {key for (key,) in rows(v1.path, "SELECT source_key FROM v1_quarantine")}
    assert keys == {"project-1", "n", "d"}


def test_unknown_keys_go_to_the_rows_extra_and_are_reported(tmp_path: Path) -> None:
    unknown = {"mood": "calm", "depth": {"a": [1, None, 2.5]}}
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(**unknown)
        v1.add_user(**unknown)
        v1.add_note(note_id="n", **unknown)
        v1.add_effectiveness(id="e", **unknown)
        v1.add_pattern(id="p", **unknown)
        v1.add_document(id="d", **unknown)
        v1.add_llm_config(id="c", **unknown)
        v1.add_usage(id="u", **unknown)
    upgrade(v1.path)
    keys = {
        "projects": "project-1",
        "users": "ada",
        "project_notes": "n",
        "question_effectiveness": "e",
        "behavior_patterns": "p",
        "knowledge_documents": "d",
        "llm_provider_configs": "c",
        "llm_usage": "u",
    }
    for table, key in keys.items():
        assert json_value(v1.path, f"SELECT extra FROM {table}") == unknown
        assert is_noted(v1.path, table, key, "mood")


def test_unknown_keys_of_child_rows_go_to_their_own_extra(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(
            collaborators=[],
            team_members=[{"username": "ada", "role": "lead", "skills": [], "joined_at": None, "hue": 1}],
            pending_questions=[{"id": "q_1", "question": "?", "phase": "p", "status": "pending", "hue": 2}],
            category_scores={"p": {"c": {"category": "c", "current_score": 1.0, "hue": 3}}},
            categorized_specs={"p": [{"category": "c", "content": "x", "hue": 4}]},
            maturity_history=[{"phase": "p", "event_type": "t", "hue": 5}],
            analytics_metrics={"velocity": 1.0, "hue": 6},
        )
    upgrade(v1.path)
    tables = ("team_members", "pending_questions", "category_scores", "categorized_specs", "maturity_events")
    for hue, table in enumerate((*tables, "analytics_metrics"), start=1):
        assert json_value(v1.path, f"SELECT extra FROM {table}") == {"hue": hue}
    assert value(v1.path, "SELECT extra FROM projects") == "{}"


FREE_IDS = [
    "a/b",
    "a:b",
    'O\'Neil "x"',
    "Case",
    "case",
    "CASE",
    " blank ",
    "Ünïcödé 数据",
    "é",
    "e\u0301",
    "%_*",
    "🙂",
    "",
]


def test_ids_of_any_text_are_kept_exactly(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        for key in FREE_IDS:
            v1.add_project(project_id=key)
            v1.add_user(key)
            v1.add_note(note_id=key, project_id=key)
    upgrade(v1.path)
    assert {key for (key,) in rows(v1.path, "SELECT id FROM projects")} == set(FREE_IDS)
    assert {key for (key,) in rows(v1.path, "SELECT username FROM users")} == set(FREE_IDS)
    assert set(rows(v1.path, "SELECT id, project_id FROM project_notes")) == {(key, key) for key in FREE_IDS}
    assert {key for (key,) in rows(v1.path, "SELECT project_id FROM project_tech_stack")} == set(FREE_IDS)


def test_notes_and_documents_find_a_project_whose_id_holds_a_nul(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(project_id="a\x00b")
        v1.add_note(project_id="a\x00b")
        v1.add_document(project_id="a\x00b")
        v1.add_note(note_id="lost", project_id="a")
    upgrade(v1.path)
    assert value(v1.path, "SELECT project_id FROM project_notes") == "a\x00b"
    assert value(v1.path, "SELECT project_id FROM knowledge_documents") == "a\x00b"
    assert rows(v1.path, "SELECT source_key FROM v1_quarantine") == [("lost",)]


@pytest.mark.parametrize("key", ["name", "owner", "phase"])
@pytest.mark.parametrize("how", ["missing", "None"])
def test_a_project_without_a_required_key_is_quarantined(tmp_path: Path, key: str, how: str) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(**({"without": (key,)} if how == "missing" else {key: None}))
        v1.add_project()
    blob = value(v1.path, "SELECT data FROM projects WHERE project_id = 'project-1'")
    before = sha256(v1.path)
    assert refused(upgrade(v1.path, expected_status=2))
    assert sha256(v1.path) == before
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert rows(v1.path, "SELECT id FROM projects") == [("project-2",)]
    found = row(v1.path, "SELECT source_table, source_key, data, reason FROM v1_quarantine")
    assert found[:3] == ("projects", "project-1", blob)
    assert key in found[3]


def test_a_missing_created_at_or_id_comes_from_the_column(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(without=("created_at", "project_id"), columns={"created_at": "2024-05-05T05:05:05"})
        v1.add_user(created_at=None, columns={"created_at": "2024-05-05T05:05:05"})
        v1.add_usage(without=("timestamp", "id"), columns={"timestamp": "2024-05-05T05:05:05"})
    upgrade(v1.path)
    assert row(v1.path, "SELECT id, created_at FROM projects") == ("project-1", "2024-05-05 05:05:05.000000")
    assert value(v1.path, "SELECT created_at FROM users") == "2024-05-05 05:05:05.000000"
    assert value(v1.path, "SELECT timestamp FROM llm_usage") == "2024-05-05 05:05:05.000000"


def test_created_at_missing_in_blob_and_column_sends_the_row_to_quarantine(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(without=("created_at",), columns={"created_at": None})
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert value(v1.path, "SELECT source_key FROM v1_quarantine") == "project-1"


def test_a_row_without_a_key_is_quarantined(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(columns={"project_id": None}, without=("project_id",))
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert rows(v1.path, "SELECT source_table, source_key FROM v1_quarantine") == [("projects", None)]
