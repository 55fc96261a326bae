"""The data that the bench measures on is what its description says, in both forms, however it was made."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from socrates.models import Base
from tests.performance.datasets import ADA, BARE, CALLS, LEARNED, NOTES, dataset, grown
from tests.support.migrate import rows, value
from tests.support.v1_database import V1Database

OUR_TABLES = [name for name in Base.metadata.tables if not name.startswith("v1_")]


def contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that our tables hold, in no order."""
    return {table: sorted(rows(path, f"SELECT * FROM {table}"), key=repr) for table in OUR_TABLES}


@pytest.mark.parametrize(("projects", "messages"), [(60, 6), (30, 0), (7, 1)])
def test_both_ways_of_making_our_half_give_the_same_tables(tmp_path: Path, projects: int, messages: int) -> None:
    imported = contents(dataset(projects, messages, tmp_path).ours)
    written = contents(grown(projects, messages, tmp_path))
    assert len(imported["projects"]) == projects
    assert len(imported["conversation_messages"]) == projects * messages
    for table in OUR_TABLES:
        assert written[table] == imported[table], table


def test_rows_that_wait_for_more_are_written_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.performance.datasets._ROWS_AT_ONCE", 7)
    few_at_once = contents(grown(40, 3, tmp_path / "few"))
    monkeypatch.undo()
    assert few_at_once == contents(grown(40, 3, tmp_path / "all"))


@pytest.mark.parametrize("projects", [25, 107, 300])
def test_adas_share_is_the_same_in_every_data_set(tmp_path: Path, projects: int) -> None:
    data = dataset(projects, 2, tmp_path)
    assert value(data.ours, "SELECT count(*) FROM projects WHERE owner = ?", ADA) == 20
    membership = "SELECT role, count(*) FROM team_members WHERE username = ? AND is_active GROUP BY role ORDER BY role"
    assert rows(data.ours, membership, ADA) == [("analyst", 5), ("lead", 20)]
    v1 = V1Database(data.copied_to(tmp_path / "copy").v1)
    listed = [summary["project_id"] for summary in v1.get_user_projects(ADA)]
    assert len(listed) == len(set(listed)) == 25
    for key in listed:
        assert len(v1.get_project_notes(key)) == NOTES
        assert len(v1.get_project_knowledge_documents(key)) == 1
    assert len(v1.get_user_effectiveness_all(ADA)) == LEARNED
    assert len(v1.get_usage_records(ADA, days=9999)) == CALLS
    assert v1.load_project(data.project_of_ada(3)).owner == ADA
    assert data.project_of_ada(3) != data.project_of_ada(0)


def test_a_bare_project_holds_nothing_but_its_team(tmp_path: Path) -> None:
    data = dataset(30, 0, tmp_path)
    for (blob,) in rows(data.v1, "SELECT data FROM projects"):
        project = pickle.loads(blob)
        assert project["conversation_history"] == project["requirements"] == project["maturity_history"] == []
        assert project["phase_maturity_scores"] == BARE["phase_maturity_scores"]
    for table in ("conversation_messages", "project_requirements", "pending_questions", "categorized_specs"):
        assert rows(data.ours, f"SELECT 1 FROM {table}") == []


def test_a_data_set_is_made_once_and_stands_alone(tmp_path: Path) -> None:
    data = dataset(12, 1, tmp_path)
    made = data.v1.stat().st_mtime_ns, data.ours.stat().st_mtime_ns
    again = dataset(12, 1, tmp_path)
    assert (again.v1.stat().st_mtime_ns, again.ours.stat().st_mtime_ns) == made
    assert sorted(os.listdir(tmp_path)) == [data.v1.parent.name]
    assert sorted(os.listdir(data.v1.parent)) == ["ours.db", "v1.db"]


def test_a_data_set_whose_making_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_path: Path) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("tests.performance.datasets.upgrade", failing)
    with pytest.raises(OSError, match="the disk is full"):
        dataset(12, 1, tmp_path)
    assert os.listdir(tmp_path) == []
    monkeypatch.undo()
    assert dataset(12, 1, tmp_path).ours.exists()
