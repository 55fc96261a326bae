"""The baseline is faithful: on the files that v1 wrote, V1Database reads, writes and answers as v1 did."""

import pickle
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.migrate import rows, table_names
from tests.support.v1_database import V1Database
from tests.support.v1_entities import (
    APIKeyRecord,
    LLMProviderConfig,
    LLMUsageRecord,
    ProjectContext,
    ProjectNote,
    TeamMemberRole,
    User,
)
from tests.support.v1_schema import V1_TABLES

SAMPLES = Path(__file__).parents[1] / "support" / "v1_samples"
CREATED = datetime(2025, 3, 1, 9)


@pytest.fixture
def nine(tmp_path: Path) -> V1Database:
    """A copy of the newest v1's file."""
    return V1Database(Path(shutil.copy(SAMPLES / "nine-tables.db", tmp_path / "projects.db")))


@pytest.fixture
def three(tmp_path: Path) -> V1Database:
    """A copy of an older v1's file."""
    return V1Database(Path(shutil.copy(SAMPLES / "three-tables.db", tmp_path / "projects.db")))


@pytest.fixture
def empty(tmp_path: Path) -> V1Database:
    return V1Database(tmp_path / "projects.db")


def stored(path: Path, table: str) -> dict[str, dict[str, Any]]:
    """Every row of a table by its key, the blob unpickled, in the order of the file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        found = {row[0]: dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid")}
    for row in found.values():
        if "data" in row:
            row["data"] = pickle.loads(row["data"])
    return found


# How every record of a table is loaded and saved again: by its key, or by what the rows say about it.
TRIPS: dict[str, Callable[[V1Database, dict[str, Any]], None]] = {
    "projects": lambda v1, row: v1.save_project(v1.load_project(row["project_id"])),
    "users": lambda v1, row: v1.save_user(v1.load_user(row["username"])),
    "project_notes": lambda v1, row: [v1.save_note(note) for note in v1.get_project_notes(row["project_id"])],
    "question_effectiveness": lambda v1, row: v1.save_question_effectiveness(
        v1.get_question_effectiveness(row["user_id"], row["question_template_id"])
    ),
    "behavior_patterns": lambda v1, row: v1.save_behavior_pattern(
        v1.get_behavior_pattern(row["user_id"], row["pattern_type"])
    ),
    "knowledge_documents": lambda v1, row: v1.save_knowledge_document(v1.get_knowledge_document(row["id"])),
    "llm_provider_configs": lambda v1, row: v1.save_llm_config(v1.get_user_llm_config(row["user_id"], row["provider"])),
    "llm_usage": lambda v1, row: [v1.save_usage_record(usage) for usage in v1.get_usage_records(row["user_id"], 9999)],
}


@pytest.mark.parametrize("table", TRIPS)
def test_saving_what_was_loaded_leaves_the_same_values(nine: V1Database, table: str) -> None:
    before = stored(nine.path, table)
    assert before
    for row in before.values():
        TRIPS[table](nine, row)
    if table == "projects":
        # An archived user's projects differ in column and blob; saving brings the blob's time to the column.
        for row in before.values():
            row["updated_at"] = row["data"]["updated_at"].isoformat()
    assert stored(nine.path, table) == before


@pytest.mark.parametrize("table", ["projects", "users", "project_notes"])
def test_an_older_record_keeps_its_values_and_gets_the_newer_keys(three: V1Database, table: str) -> None:
    before = stored(three.path, table)
    for row in before.values():
        TRIPS[table](three, row)
    after = stored(three.path, table)
    newest = {"projects": ProjectContext, "users": User, "project_notes": ProjectNote}[table]
    for key, row in before.items():
        assert set(after[key]["data"]) == set(newest.__dataclass_fields__)
        assert row["data"].items() <= after[key]["data"].items()


def test_an_older_project_is_filled_as_v1_filled_it(three: V1Database) -> None:
    old = stored(three.path, "projects")["82acb585-3894-4692-9922-d947c6d4ee84"]["data"]
    project = three.load_project(old["project_id"])
    assert project.project_type == "software"
    assert project.chat_mode == "socratic"
    assert project.phase_maturity_scores == dict.fromkeys(("discovery", "analysis", "design", "implementation"), 0.0)
    assert project.analytics_metrics["weak_categories"] == []
    lead, *others = project.team_members
    assert lead == TeamMemberRole(old["owner"], "lead", [], old["created_at"])
    assert [(member.username, member.role) for member in others] == [(name, "creator") for name in old["collaborators"]]


def test_an_older_user_is_filled_as_v1_filled_it(three: V1Database) -> None:
    before = datetime.now()
    user = three.load_user("pike")
    assert before <= user.subscription_start <= datetime.now()
    assert user.usage_reset_date > before
    assert (user.usage_reset_date.day, user.usage_reset_date.hour) == (1, 0)


def test_opening_makes_the_tables_that_are_missing(three: V1Database, nine: V1Database) -> None:
    assert table_names(three.path) == set(V1_TABLES)
    assert len(rows(nine.path, "SELECT * FROM users")) == 8


def test_a_blob_is_what_v1_pickled(nine: V1Database) -> None:
    for row in stored(nine.path, "projects").values():
        assert asdict(nine.load_project(row["project_id"])) == row["data"]
    ((data,),) = rows(nine.path, "SELECT data FROM users WHERE username = 'ridge'")
    nine.save_user(nine.load_user("ridge"))
    assert rows(nine.path, "SELECT data FROM users WHERE username = 'ridge'") == [(data,)]


def test_a_list_holds_what_the_user_owns_or_helps_with(nine: V1Database) -> None:
    def listed(username: str) -> list[tuple[str, str, str]]:
        found = nine.get_user_projects(username)
        return [(summary["name"], summary["phase"], summary["status"]) for summary in found]

    assert listed("saffron") == [
        ("Follow a flow", "analysis", "active"),
        ("Exports, plain", "design", "active"),
    ]
    assert [summary["name"] for summary in nine.get_user_projects("saffron", include_archived=True)] == [
        "Follow a flow",
        "Exports, plain",
        "Without clear first,",
    ]
    assert listed("nobody") == []
    assert nine.get_user_projects("saffron", include_archived=True)[2] == {
        "project_id": "ece64f6b-e9a4-4831-9a09-ef9923c2c605",
        "name": "Without clear first,",
        "phase": "analysis",
        "status": "archived",
        "updated_at": "2026-11-22 07:26:18",
    }


@pytest.mark.parametrize("file", ["nine", "three"])
def test_every_users_list_is_that_of_the_blobs(file: str, request: pytest.FixtureRequest) -> None:
    v1 = request.getfixturevalue(file)
    projects = [row["data"] for row in stored(v1.path, "projects").values()]
    names = {project["owner"] for project in projects}.union(*(project["collaborators"] for project in projects))
    assert len(names) > 3
    for name in names:
        expected = [
            project["project_id"]
            for project in projects
            if name in {project["owner"], *project["collaborators"]} and not project["is_archived"]
        ]
        assert [summary["project_id"] for summary in v1.get_user_projects(name)] == expected


def test_a_project_is_archived_and_restored(nine: V1Database) -> None:
    key = "f8888f5b-4117-4219-9fd8-ab2c3c80a1e8"
    assert not nine.restore_project(key)
    assert nine.archive_project(key)
    row = stored(nine.path, "projects")[key]
    assert row["data"]["is_archived"]
    assert row["data"]["archived_at"] <= row["data"]["updated_at"]
    assert row["updated_at"] == row["data"]["updated_at"].isoformat()
    assert key in {item["project_id"] for item in nine.get_archived_items("projects")}
    assert key not in {summary["project_id"] for summary in nine.get_user_projects("ridge")}
    assert nine.restore_project(key)
    assert stored(nine.path, "projects")[key]["data"]["archived_at"] is None
    assert key in {summary["project_id"] for summary in nine.get_user_projects("ridge")}
    assert not nine.archive_project("nothing")


def test_deleting_a_project_leaves_its_notes(nine: V1Database) -> None:
    notes = len(rows(nine.path, "SELECT 1 FROM project_notes"))
    assert nine.permanently_delete_project("5f52f25d-3ba9-4ed4-ac4a-acaccd16d0b8")
    assert not nine.permanently_delete_project("5f52f25d-3ba9-4ed4-ac4a-acaccd16d0b8")
    assert nine.load_project("5f52f25d-3ba9-4ed4-ac4a-acaccd16d0b8") is None
    assert len(rows(nine.path, "SELECT 1 FROM project_notes")) == notes


def test_archiving_a_user_archives_its_projects_and_touches_their_column_alone(nine: V1Database) -> None:
    owned = {key for key, row in stored(nine.path, "projects").items() if row["data"]["owner"] == "ridge"}
    before = stored(nine.path, "projects")
    assert nine.archive_user("ridge")
    for key, row in stored(nine.path, "projects").items():
        assert row["data"]["is_archived"] == (key in owned or before[key]["data"]["is_archived"])
        assert row["data"]["updated_at"] == before[key]["data"]["updated_at"]
        assert (row["updated_at"] != before[key]["updated_at"]) == (key in owned)
    assert {"ridge", "inlet"} <= {item["username"] for item in nine.get_archived_items("users")}
    assert nine.restore_user("ridge")
    assert not nine.restore_user("ridge")
    assert not owned & {summary["project_id"] for summary in nine.get_user_projects("ridge")}
    assert not nine.archive_user("nobody")
    assert nine.get_archived_items("notes") == []


def test_a_user_can_be_archived_without_its_projects(nine: V1Database) -> None:
    before = stored(nine.path, "projects")
    assert nine.archive_user("ridge", archive_projects=False)
    assert stored(nine.path, "projects") == before


def test_deleting_a_user_hands_projects_over_or_deletes_them(nine: V1Database) -> None:
    before = {key: row["data"] for key, row in stored(nine.path, "projects").items()}
    notes = rows(nine.path, "SELECT * FROM project_notes")
    assert nine.permanently_delete_user("ridge")
    assert not nine.user_exists("ridge")
    assert not nine.permanently_delete_user("ridge")
    after = {key: row["data"] for key, row in stored(nine.path, "projects").items()}
    lost = {key for key, project in before.items() if project["owner"] == "ridge" and not project["collaborators"]}
    (handed_over,) = {key for key, project in before.items() if project["owner"] == "ridge"} - lost
    assert set(before) - set(after) == lost
    assert len(lost) == 2
    heir, *others = before[handed_over]["collaborators"]
    assert (after[handed_over]["owner"], after[handed_over]["collaborators"]) == (heir, others)
    assert after[handed_over]["team_members"] == before[handed_over]["team_members"]
    assert rows(nine.path, "SELECT * FROM project_notes") == notes


def test_notes_are_listed_searched_and_deleted(empty: V1Database) -> None:
    def note(name: str, **changes: Any) -> ProjectNote:
        usual = {"project_id": "p", "title": "Fines", "content": "None", "created_at": CREATED}
        return ProjectNote(name, **(usual | changes))

    for saved in (
        note("n1", content="Ask the CHILDREN"),
        note("n2", tags=["children", "money"]),
        note("n3", title="Children first", note_type="idea"),
        note("n4", note_type="bug"),
        note("n5", project_id="q", content="children"),
    ):
        assert empty.save_note(saved)

    def keys(notes: list[ProjectNote]) -> list[str]:
        return [found.note_id for found in notes]

    assert keys(empty.get_project_notes("p")) == ["n1", "n2", "n3", "n4"]
    assert keys(empty.get_project_notes("p", "idea")) == ["n3"]
    assert keys(empty.search_notes("p", "Children")) == ["n1", "n2", "n3"]
    assert keys(empty.search_notes("p", "bug")) == ["n4"]
    assert keys(empty.search_notes("p", "nowhere")) == []
    assert empty.delete_note("n4")
    assert empty.delete_note("n4")
    assert keys(empty.get_project_notes("p")) == ["n1", "n2", "n3"]


def test_learning_records_and_documents_are_found_by_user_and_project(nine: V1Database) -> None:
    for table, of_user in (
        ("question_effectiveness", nine.get_user_effectiveness_all),
        ("behavior_patterns", nine.get_user_behavior_patterns),
    ):
        for user in {row["user_id"] for row in stored(nine.path, table).values()}:
            expected = [row["data"] for row in stored(nine.path, table).values() if row["user_id"] == user]
            assert sorted(map(asdict, of_user(user)), key=repr) == sorted(expected, key=repr)
    documents = [row["data"] for row in stored(nine.path, "knowledge_documents").values()]
    for project in {document["project_id"] for document in documents}:
        expected = [document for document in documents if document["project_id"] == project]
        assert [asdict(found) for found in nine.get_project_knowledge_documents(project)] == expected
    assert nine.get_question_effectiveness("nobody", "nothing") is None


def test_one_provider_is_the_default(empty: V1Database) -> None:
    for provider in ("claude", "openai", "ollama"):
        config = LLMProviderConfig(provider, provider, "ada", provider != "ollama", True, CREATED, CREATED)
        assert empty.save_llm_config(config)
    assert empty.unset_other_default_providers("ada", "openai")
    configs = {config.provider: config for config in empty.get_user_llm_configs("ada")}
    assert {name: config.is_default for name, config in configs.items()} == {
        "claude": False,
        "openai": True,
        "ollama": False,
    }
    assert {name for name, config in configs.items() if config.updated_at > CREATED} == {"claude"}


def test_a_second_configuration_of_a_provider_replaces_the_first(empty: V1Database) -> None:
    for key in ("first", "second"):
        empty.save_llm_config(LLMProviderConfig(key, "claude", "ada"))
    assert [config.id for config in empty.get_user_llm_configs("ada")] == ["second"]


def test_an_api_key_comes_back_without_its_hash(empty: V1Database) -> None:
    key = APIKeyRecord("k", "ada", "openai", "c2VjcmV0", "751ab231", CREATED, CREATED)
    assert empty.save_api_key(key)
    columns = ("k", "ada", "openai", "c2VjcmV0", "751ab231", CREATED.isoformat(), CREATED.isoformat(), None)
    assert rows(empty.path, "SELECT * FROM api_keys") == [columns]
    assert asdict(empty.get_api_key("ada", "openai")) == asdict(key) | {"key_hash": ""}
    assert empty.get_api_key("ada", "claude") is None
    assert empty.delete_api_key("ada", "openai")
    assert empty.delete_api_key("ada", "openai")
    assert empty.get_api_key("ada", "openai") is None


def test_usage_is_that_of_the_last_days(empty: V1Database) -> None:
    for days, provider in ((1, "claude"), (2, "openai"), (40, "claude")):
        moment = datetime.now() - timedelta(days=days)
        assert empty.save_usage_record(LLMUsageRecord(f"{days}", "ada", provider, "m", moment))
    assert [usage.id for usage in empty.get_usage_records("ada")] == ["1", "2"]
    assert [usage.id for usage in empty.get_usage_records("ada", 90, "claude")] == ["1", "40"]
    assert empty.get_usage_records("bob") == []


def test_a_failing_save_is_reported_where_v1_reported_it(empty: V1Database) -> None:
    with closing(sqlite3.connect(empty.path)) as connection:
        connection.execute("DROP TABLE project_notes")
        connection.execute("DROP TABLE projects")
    assert not empty.save_note(ProjectNote("n", "p", "Fines", "None"))
    project = ProjectContext("p", "Library", "ada", "design", CREATED, CREATED)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        empty.save_project(project)


def test_every_call_opens_and_closes_a_connection_of_its_own(nine: V1Database, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    class Watched(sqlite3.Connection):
        closings = 0

        def close(self) -> None:
            self.closings += 1
            super().close()

    connect = sqlite3.connect

    def watching(path: Path) -> sqlite3.Connection:
        opened.append(connect(path, factory=Watched))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", watching)
    key = nine.get_user_projects("ridge")[0]["project_id"]
    nine.save_project(nine.load_project(key))
    nine.search_notes(key, "the")
    assert len(opened) == 4
    assert all(connection.closings == 1 for connection in opened)
