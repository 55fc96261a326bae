"""V6 and V7: the two lists of a project's people become one, and nobody gains or loses access."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.migrate import is_noted, json_value, rows, upgrade, value
from tests.support.v1_files import V1File

CREATED_AT = "2025-03-01 09:00:00.123456"


def entry(username: str, role: str = "analyst", **changes: Any) -> dict[str, Any]:
    return {"username": username, "role": role, "skills": [], "joined_at": datetime(2025, 4, 1)} | changes


def team_of(path: Path, collaborators: list[str], members: list[dict[str, Any]] | None, **changes: Any) -> Path:
    with V1File(path / "projects.db") as v1:
        v1.add_project(collaborators=collaborators, team_members=members, **changes)
    upgrade(v1.path)
    return v1.path


def members_of(path: Path) -> list[tuple[Any, ...]]:
    return rows(path, "SELECT username, role, is_active FROM team_members ORDER BY position")


def test_members_are_read_as_dicts_with_role_skills_and_time(tmp_path: Path) -> None:
    members = [entry("ada", "lead"), entry("bob", "specialist", skills=["sql", "go"])]
    path = team_of(tmp_path, ["bob"], members)
    query = "SELECT role, skills, joined_at, is_active, position, extra FROM team_members WHERE username = 'bob'"
    assert rows(path, query) == [("specialist", '["sql", "go"]', "2025-04-01 00:00:00.000000", 1, 1, "{}")]


@pytest.mark.parametrize("role", ["creator", "specialist", "analyst", "coordinator"])
def test_an_owner_of_another_role_becomes_lead_and_the_role_is_kept_and_reported(tmp_path: Path, role: str) -> None:
    path = team_of(tmp_path, [], [entry("ada", role)])
    assert members_of(path) == [("ada", "lead", 1)]
    assert json_value(path, "SELECT extra FROM team_members") == {"v1_role": role}
    assert is_noted(path, "projects", "project-1", "role")


def test_an_owner_stored_as_lead_needs_no_remark(tmp_path: Path) -> None:
    path = team_of(tmp_path, [], [entry("ada", "lead")])
    assert value(path, "SELECT extra FROM team_members") == "{}"
    assert not is_noted(path, "projects", "project-1", "role")


def test_only_collaborators_and_the_owner_are_active(tmp_path: Path) -> None:
    path = team_of(tmp_path, ["bob"], [entry("ada", "lead"), entry("eve"), entry("bob")])
    assert members_of(path) == [("ada", "lead", 1), ("eve", "analyst", 0), ("bob", "analyst", 1)]


def test_an_old_owner_who_is_still_lead_becomes_inactive(tmp_path: Path) -> None:
    path = team_of(tmp_path, [], [entry("former", "lead"), entry("ada", "creator")])
    assert members_of(path) == [("former", "lead", 0), ("ada", "lead", 1)]


def test_an_owner_without_an_entry_becomes_an_active_lead_since_the_project_began(tmp_path: Path) -> None:
    path = team_of(tmp_path, [], [entry("former", "lead")])
    assert members_of(path) == [("former", "lead", 0), ("ada", "lead", 1)]
    query = "SELECT skills, joined_at, extra FROM team_members WHERE username = 'ada'"
    assert rows(path, query) == [("[]", CREATED_AT, "{}")]


def test_a_collaborator_without_an_entry_becomes_an_active_creator_since_the_project_began(
    tmp_path: Path,
) -> None:
    path = team_of(tmp_path, ["bob"], [entry("ada", "lead")])
    assert members_of(path) == [("ada", "lead", 1), ("bob", "creator", 1)]
    query = "SELECT skills, joined_at FROM team_members WHERE username = 'bob'"
    assert rows(path, query) == [("[]", CREATED_AT)]


def test_added_members_follow_the_listed_ones_with_the_owner_first(tmp_path: Path) -> None:
    path = team_of(tmp_path, ["dan", "bob", "cat"], [entry("cat"), entry("eve")])
    assert [name for name, *_ in members_of(path)] == ["cat", "eve", "ada", "dan", "bob"]
    assert [place for (place,) in rows(path, "SELECT position FROM team_members ORDER BY 1")] == [
        0,
        1,
        2,
        3,
        4,
    ]


@pytest.mark.parametrize("members", [None, []])
def test_an_old_project_gets_its_team_from_the_collaborators(
    tmp_path: Path, members: list[dict[str, Any]] | None
) -> None:
    path = team_of(tmp_path, ["bob", "cat"], members)
    assert members_of(path) == [("ada", "lead", 1), ("bob", "creator", 1), ("cat", "creator", 1)]
    assert value(path, "SELECT extra FROM projects") == "{}"


def test_a_second_entry_for_a_name_merges_into_the_first(tmp_path: Path) -> None:
    second = entry("bob", "coordinator", skills=["law"], joined_at=datetime(2025, 2, 1))
    members = [entry("ada", "lead"), entry("bob", "analyst", skills=["sql"]), entry("cat"), second]
    path = team_of(tmp_path, ["bob", "cat"], members)
    assert members_of(path) == [("ada", "lead", 1), ("bob", "analyst", 1), ("cat", "analyst", 1)]
    assert json_value(path, "SELECT skills FROM team_members WHERE username = 'bob'") == ["sql", "law"]
    joined = value(path, "SELECT joined_at FROM team_members WHERE username = 'bob'")
    assert joined == "2025-02-01 00:00:00.000000"
    assert is_noted(path, "projects", "project-1", "team_members")


def test_an_entry_without_a_time_merges_with_one_that_has_it(tmp_path: Path) -> None:
    members = [entry("ada", "lead", joined_at=None), entry("ada", "analyst")]
    path = team_of(tmp_path, [], members)
    assert value(path, "SELECT joined_at FROM team_members") == "2025-04-01 00:00:00.000000"


def test_the_order_of_collaborators_is_kept_when_the_members_have_another(tmp_path: Path) -> None:
    path = team_of(tmp_path, ["cat", "bob"], [entry("ada", "lead"), entry("bob"), entry("cat")])
    assert json_value(path, "SELECT extra FROM projects") == {"v1_collaborators": ["cat", "bob"]}


def test_the_order_of_collaborators_needs_no_remark_when_the_members_have_it(tmp_path: Path) -> None:
    path = team_of(tmp_path, ["bob", "cat"], [entry("ada", "lead"), entry("bob"), entry("eve"), entry("cat")])
    assert value(path, "SELECT extra FROM projects") == "{}"


def test_a_collaborator_named_twice_is_one_member_and_the_list_is_kept(tmp_path: Path) -> None:
    path = team_of(tmp_path, ["bob", "cat", "bob"], [entry("ada", "lead")])
    assert members_of(path) == [("ada", "lead", 1), ("bob", "creator", 1), ("cat", "creator", 1)]
    assert json_value(path, "SELECT extra FROM projects") == {"v1_collaborators": ["bob", "cat", "bob"]}


def test_an_owner_among_the_collaborators_stays_one_active_lead(tmp_path: Path) -> None:
    path = team_of(tmp_path, ["bob", "ada"], [entry("bob")])
    assert members_of(path) == [("bob", "analyst", 1), ("ada", "lead", 1)]


def test_names_that_differ_only_in_case_are_different_people(tmp_path: Path) -> None:
    path = team_of(tmp_path, ["Ada", "ADA"], [entry("ada", "lead"), entry("Ada")])
    assert members_of(path) == [("ada", "lead", 1), ("Ada", "analyst", 1), ("ADA", "creator", 1)]


def test_an_absent_time_of_a_listed_member_stays_absent(tmp_path: Path) -> None:
    path = team_of(tmp_path, [], [entry("ada", "lead", joined_at=None)])
    assert value(path, "SELECT joined_at FROM team_members") is None


def test_access_is_exactly_what_v1_gave(tmp_path: Path) -> None:
    members = [entry("former", "lead"), entry("removed"), entry("bob"), entry("bob", "lead")]
    path = team_of(tmp_path, ["bob", "cat"], members)
    active = {name for (name,) in rows(path, "SELECT username FROM team_members WHERE is_active")}
    everybody = {name for (name,) in rows(path, "SELECT username FROM team_members")}
    assert active == {"ada", "bob", "cat"}
    assert everybody == {"ada", "bob", "cat", "former", "removed"}


def test_an_owner_for_whom_v1_stored_no_role_has_none_to_keep(tmp_path: Path) -> None:
    path = team_of(tmp_path, [], [{"username": "ada"}])
    assert members_of(path) == [("ada", "lead", 1)]
    assert value(path, "SELECT extra FROM team_members") == "{}"
