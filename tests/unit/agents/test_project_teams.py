"""Teams of projects: who is let in, by whom, and what is told."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from socrates.agents.contracts.base import Failure
from socrates.events import EventType
from socrates.models import TeamMember
from tests.support.engines import ENGINES, on_engine
from tests.support.systems import Lab, fresh_system, with_people, with_project

TEAM_CHANGED = {"project_id": "p1", "user_id": "ada", "fields": ("team_members",)}


@pytest.fixture(params=ENGINES)
async def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    """A system with people in it, on each of the engines."""
    with on_engine(request):
        async with fresh_system(tmp_path) as lab:
            await with_people(lab, "ada", "bob", *(f"m{number}" for number in range(4)))
            yield lab


async def manage(lab: Lab, action: str, user: str = "ada", **fields: Any) -> Any:
    return await lab.done("project_manager", action, user, project_id="p1", **fields)


async def refused(lab: Lab, action: str, user: str = "ada", **fields: Any) -> Failure:
    return await lab.refused("project_manager", action, user, project_id="p1", **fields)


async def told(lab: Lab) -> list[tuple[EventType, dict[str, Any]]]:
    return [(event.type, event.payload.model_dump(exclude={"agent"})) for event in await lab.events()]


async def roles(lab: Lab) -> dict[str, str]:
    return {member.username: member.role for member in await lab.store.projects.members("p1")}


async def with_team(lab: Lab, members: Mapping[str, str] | None = None) -> None:
    await with_project(lab, members={"bob": "creator"} if members is None else members)


async def with_free(lab: Lab, *usernames: str) -> None:
    async with lab.store.begin() as unit:
        for username in usernames:
            await unit.users.update(username, subscription_tier="free")


async def test_somebody_is_let_in(anywhere: Lab) -> None:
    await with_team(anywhere, {})
    added = await manage(anywhere, "add_collaborator", username="bob", role="analyst")
    assert added.member.model_dump(exclude={"joined_at"}) == {
        "username": "bob",
        "role": "analyst",
        "skills": (),
        "is_owner": False,
    }
    assert added.member.joined_at.utcoffset() is not None
    assert await roles(anywhere) == {"ada": "lead", "bob": "analyst"}
    assert (await manage(anywhere, "load_project", "bob")).project.name == "P1"
    events = await told(anywhere)
    came = {"project_id": "p1", "user_id": "ada", "username": "bob", "role": "analyst"}
    assert events[0] == (EventType.COLLABORATOR_ADDED, came)


async def test_nobody_is_let_in_who_does_not_exist(lab: Lab) -> None:
    """D62: v1 took any name."""
    await with_team(lab)
    assert (await refused(lab, "add_collaborator", username="nobody")).code == "USER_NOT_FOUND"
    async with lab.store.begin() as unit:
        await unit.users.archive("eve")
    failure = await refused(lab, "add_collaborator", username="eve")
    assert (failure.code, failure.field) == ("USER_ARCHIVED", "username")
    assert await told(lab) == []


async def test_nobody_is_let_in_twice(lab: Lab) -> None:
    await with_team(lab)
    assert (await refused(lab, "add_collaborator", username="bob", role="lead")).code == "ALREADY_EXISTS"
    assert await roles(lab) == {"ada": "lead", "bob": "creator"}


@pytest.mark.parametrize("action", ["add_collaborator", "update_member_role"])
async def test_there_are_five_roles(lab: Lab, action: str) -> None:
    await with_team(lab)
    failure = await refused(lab, action, username="bob", role="king")
    assert (failure.code, failure.field) == ("INVALID_REQUEST", "role")


async def test_the_owners_tier_limits_the_team_also_at_once(anywhere: Lab) -> None:
    """D55: in v1 two who were added at once both got in, or one of them was lost."""
    await with_team(anywhere)
    added = await asyncio.gather(
        *(
            anywhere.ask("project_manager", "add_collaborator", project_id="p1", username=f"m{number}")
            for number in range(4)
        )
    )
    failures = [response for response in added if isinstance(response, Failure)]
    assert [(failure.code, failure.details["used"]) for failure in failures] == [("TEAM_LIMIT", 5)]
    assert len(await roles(anywhere)) == 5


async def test_a_project_whose_owner_is_gone_has_a_team_that_nobody_changes(lab: Lab) -> None:
    """D27: v1's limit of the team crashed for an owner who is not there."""
    await with_project(lab, owner="ghost", members={"bob": "creator"})
    assert (await refused(lab, "add_collaborator", "ghost", username="eve")).code == "USER_NOT_FOUND"
    assert (await refused(lab, "add_collaborator", "bob", username="eve")).code == "FORBIDDEN"


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("add_collaborator", {"username": "eve"}),
        ("update_member_role", {"username": "bob", "role": "lead"}),
        ("set_member_skills", {"username": "bob", "skills": ["x"]}),
        ("list_collaborators", {}),
    ],
)
async def test_the_free_tier_has_no_teams(lab: Lab, action: str, fields: dict[str, Any]) -> None:
    """D64: v1 asked for the tier in its terminal only."""
    await with_team(lab)
    await with_free(lab, "ada")
    failure = await refused(lab, action, **fields)
    assert (failure.code, failure.details["sufficient_tier"]) == ("FEATURE_NOT_IN_TIER", "pro")
    assert await roles(lab) == {"ada": "lead", "bob": "creator"}


async def test_every_tier_removes_people(lab: Lab) -> None:
    await with_team(lab)
    await with_free(lab, "ada")
    await manage(lab, "remove_collaborator", username="bob")
    assert await roles(lab) == {"ada": "lead"}


async def test_a_member_gets_another_role(anywhere: Lab) -> None:
    await with_team(anywhere)
    changed = await manage(anywhere, "update_member_role", username="bob", role="specialist")
    assert changed.member.role == "specialist"
    assert "creator" in changed.message
    assert "specialist" in changed.message
    assert await roles(anywhere) == {"ada": "lead", "bob": "specialist"}
    assert await told(anywhere) == [(EventType.PROJECT_UPDATED, TEAM_CHANGED)]


async def test_the_owner_stays_lead(lab: Lab) -> None:
    """D62: in v1 anybody could demote the owner."""
    await with_team(lab)
    assert (await refused(lab, "update_member_role", username="ada", role="creator")).code == "INVALID_VALUE"
    assert await roles(lab) == {"ada": "lead", "bob": "creator"}


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("update_member_role", {"role": "lead"}),
        ("set_member_skills", {"skills": []}),
        ("remove_collaborator", {}),
    ],
)
async def test_who_is_not_in_the_team_is_not_reported_as_changed(lab: Lab, action: str, fields: dict[str, Any]) -> None:
    """D33: v1 returned success, or nothing, for what was not there."""
    await with_team(lab)
    assert (await refused(lab, action, username="eve", **fields)).code == "NOT_FOUND"
    assert await told(lab) == []


async def test_skills_are_kept_in_lower_case_and_once(lab: Lab) -> None:
    await with_team(lab)
    saved = await manage(lab, "set_member_skills", username="bob", skills=["Python ", "SQL", "python"])
    assert saved.member.skills == ("python", "sql")
    stored = {member.username: member.skills for member in await lab.store.projects.members("p1")}
    assert stored["bob"] == ("python", "sql")
    assert await told(lab) == [(EventType.PROJECT_UPDATED, TEAM_CHANGED)]


async def test_a_team_is_listed_with_the_same_fields_for_everybody(lab: Lab) -> None:
    """D01: v1 could not list the team of a project that it had loaded. D81: some entries lacked fields."""
    await with_team(lab)
    listed = await manage(lab, "list_collaborators", "bob")
    assert [(each.username, each.role, each.is_owner) for each in listed.collaborators] == [
        ("ada", "lead", True),
        ("bob", "creator", False),
    ]
    assert listed.total_count == 2
    assert len({tuple(each) for each in listed.model_dump(mode="json")["collaborators"]}) == 1


async def test_an_owner_outside_the_team_is_listed_and_counted(lab: Lab) -> None:
    """D02: v1 had two lists of a team, and owners who were in neither."""
    await with_people(lab, "m1", "m2", "m3", "m4")
    await with_team(lab, dict.fromkeys(("bob", "m1", "m2", "m3"), "creator"))
    async with lab.store.begin() as unit:
        await unit.projects._session.run(delete(TeamMember).where(TeamMember.username == "ada"))
    listed = (await manage(lab, "list_collaborators")).collaborators
    assert (listed[0].username, listed[0].role, listed[0].is_owner, len(listed)) == ("ada", "lead", True, 5)
    assert (await refused(lab, "add_collaborator", username="m4")).details["used"] == 5


async def test_who_is_removed_has_neither_access_nor_role(anywhere: Lab) -> None:
    """D02: v1 removed the name from one of its two lists, and the role stayed."""
    await with_team(anywhere)
    await manage(anywhere, "remove_collaborator", username="bob")
    assert await roles(anywhere) == {"ada": "lead"}
    left = {"project_id": "p1", "user_id": "ada", "username": "bob", "role": None}
    assert await told(anywhere) == [(EventType.COLLABORATOR_REMOVED, left)]
    assert (await refused(anywhere, "load_project", "bob")).code == "PROJECT_NOT_FOUND"
    await manage(anywhere, "add_collaborator", username="bob", role="analyst")
    assert await roles(anywhere) == {"ada": "lead", "bob": "analyst"}


async def test_the_owner_cannot_be_removed(lab: Lab) -> None:
    await with_team(lab)
    assert (await refused(lab, "remove_collaborator", username="ada")).code == "INVALID_VALUE"


async def test_a_project_is_handed_over(anywhere: Lab) -> None:
    """D02: after v1's transfer the new owner was no lead."""
    await with_team(anywhere)
    handed = await manage(anywhere, "transfer_project", new_owner="bob")
    assert handed.project.owner == (await anywhere.store.projects.summary("p1")).owner == "bob"
    assert await roles(anywhere) == {"ada": "lead", "bob": "lead"}
    fields = {"fields": ("owner", "team_members")}
    assert await told(anywhere) == [(EventType.PROJECT_UPDATED, TEAM_CHANGED | fields)]
    assert (await refused(anywhere, "archive_project", "ada")).code == "FORBIDDEN"


@pytest.mark.parametrize(
    ("new_owner", "code"), [("ada", "INVALID_REQUEST"), ("eve", "NOT_FOUND"), ("nobody", "USER_NOT_FOUND")]
)
async def test_only_another_member_becomes_the_owner(lab: Lab, new_owner: str, code: str) -> None:
    await with_team(lab)
    assert (await refused(lab, "transfer_project", new_owner=new_owner)).code == code
    assert (await lab.store.projects.summary("p1")).owner == "ada"


async def test_an_archived_member_does_not_become_the_owner(lab: Lab) -> None:
    await with_team(lab)
    async with lab.store.begin() as unit:
        await unit.users.archive("bob")
    failure = await refused(lab, "transfer_project", new_owner="bob")
    assert (failure.code, failure.field) == ("USER_ARCHIVED", "new_owner")


async def test_the_new_owner_needs_room_for_the_project(lab: Lab) -> None:
    """D63: a limit that can be gone round by handing over is none."""
    await with_team(lab)
    for number in range(10):
        await with_project(lab, f"b{number}", "bob")
    failure = await refused(lab, "transfer_project", new_owner="bob")
    assert (failure.code, failure.field, failure.details) == ("PROJECT_LIMIT", "new_owner", {})


async def test_the_new_owner_needs_room_for_the_team(lab: Lab) -> None:
    await with_team(lab)
    await with_free(lab, "bob")
    failure = await refused(lab, "transfer_project", new_owner="bob")
    assert (failure.code, failure.field) == ("TEAM_LIMIT", "new_owner")
    assert "team of 2" in failure.message


async def test_a_team_that_the_new_owners_tier_just_holds_is_handed_over(lab: Lab) -> None:
    await with_people(lab, "m1", "m2", "m3")
    await with_team(lab, {"bob": "creator", "m1": "creator", "m2": "creator", "m3": "creator"})
    assert (await manage(lab, "transfer_project", new_owner="bob")).project.owner == "bob"


async def test_two_who_hand_projects_to_each_other_do_not_stop_each_other(anywhere: Lab) -> None:
    await with_team(anywhere)
    await with_project(anywhere, "p2", "bob", {"ada": "creator"})
    await asyncio.gather(
        anywhere.done("project_manager", "transfer_project", "ada", project_id="p1", new_owner="bob"),
        anywhere.done("project_manager", "transfer_project", "bob", project_id="p2", new_owner="ada"),
    )
    owners = [(await anywhere.store.projects.summary(project_id)).owner for project_id in ("p1", "p2")]
    assert owners == ["bob", "ada"]
