"""Who may do what, asked of the store and of a unit of work."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from socrates.agents.access import (
    Reads,
    require_feature,
    require_lead,
    require_member,
    require_owner,
    require_user,
    require_writer,
    role_in,
)
from socrates.agents.failures import RefusedError, failure_of
from socrates.errors import SocratesError
from tests.support.engines import ENGINES, on_engine
from tests.support.systems import Lab, fresh_system, with_people, with_project

Check = Callable[[Reads, str, str], Awaitable[object]]

PEOPLE = ("ada", "bob", "lee", "eve", "gone", "old", "nobody")
"""The owner, a member, a lead, a stranger, one who was removed, one who is archived, and nobody."""

STRANGERS = dict.fromkeys(("eve", "gone"), "PROJECT_NOT_FOUND") | {"old": "USER_ARCHIVED", "nobody": "USER_NOT_FOUND"}


@pytest.fixture(params=ENGINES)
async def team(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    with on_engine(request):
        async with fresh_system(tmp_path) as lab:
            await with_people(lab, *PEOPLE[:-1])
            members = {"bob": "creator", "lee": "lead", "gone": "lead", "old": "lead"}
            await with_project(lab, members=members)
            async with lab.store.begin() as unit:
                await unit.projects.remove_member("p1", "gone")
                await unit.users.archive("old")
            yield lab


async def refusals(lab: Lab, check: Check, project_id: str = "p1") -> dict[str, str]:
    """Who is refused, and with which code: the same by the store and by a unit of work."""
    by_store = {name: await _code(check(lab.store, project_id, name)) for name in PEOPLE}
    by_unit = {}
    for name in PEOPLE:
        async with lab.store.begin() as unit:
            by_unit[name] = await _code(check(unit, project_id, name))
    assert by_store == by_unit
    return {name: code for name, code in by_unit.items() if code}


async def _code(asked: Awaitable[object]) -> str:
    try:
        await asked
    except SocratesError as error:
        return failure_of(error).code
    return ""


async def archive(lab: Lab) -> None:
    async with lab.store.begin() as unit:
        await unit.projects.archive("p1")


async def test_members_see_a_project(team: Lab) -> None:
    """D61: v1 let everybody load every project."""
    assert await refusals(team, require_member) == STRANGERS
    await archive(team)
    assert await refusals(team, require_member) == STRANGERS


async def test_a_project_that_is_not_theirs_looks_to_strangers_as_if_it_did_not_exist(team: Lab) -> None:
    assert set((await refusals(team, require_member, "p9")).values()) <= {*STRANGERS.values()}
    for project_id in ("p1", "p9"):
        with pytest.raises(SocratesError, match=f"^there is no project '{project_id}'$"):
            await require_owner(team.store, project_id, "eve")


async def test_members_work_on_a_project_until_it_is_archived(team: Lab) -> None:
    assert await refusals(team, require_writer) == STRANGERS
    await archive(team)
    archived = dict.fromkeys(("ada", "bob", "lee"), "PROJECT_ARCHIVED")
    assert await refusals(team, require_writer) == STRANGERS | archived


async def test_the_owner_alone_does_some_things_also_when_it_is_archived(team: Lab) -> None:
    """D62: v1 did not ask who wants it."""
    others = dict.fromkeys(("bob", "lee"), "FORBIDDEN")
    assert await refusals(team, require_owner) == STRANGERS | others
    await archive(team)
    assert await refusals(team, require_owner) == STRANGERS | others


async def test_the_owner_and_leads_do_some(team: Lab) -> None:
    assert await refusals(team, require_lead) == STRANGERS | {"bob": "FORBIDDEN"}
    await archive(team)
    assert (await refusals(team, require_lead))["lee"] == "PROJECT_ARCHIVED"


async def test_a_right_that_was_taken_away_counts_no_more_at_once(team: Lab) -> None:
    await require_lead(team.store, "p1", "lee")
    async with team.store.begin() as unit:
        await unit.projects.update_member("p1", "lee", role="creator")
        with pytest.raises(RefusedError):
            await require_lead(unit, "p1", "lee")


async def test_roles_are_those_of_the_team(team: Lab) -> None:
    assert [await role_in(team.store, "p1", name) for name in ("ada", "bob", "lee")] == ["lead", "creator", "lead"]


async def test_people_must_exist_and_not_be_archived(team: Lab) -> None:
    assert (await require_user(team.store, "ada")).username == "ada"
    for name, code in (("old", "USER_ARCHIVED"), ("nobody", "USER_NOT_FOUND")):
        assert await _code(require_user(team.store, name)) == code


async def test_features_go_by_the_tier_of_who_asks_and_its_end(team: Lab) -> None:
    """D64 and D66: v1 asked for the tier in its terminal only, and never whether it had ended."""
    await require_feature(team.store, "ada", "code_generation", team.clock())
    async with team.store.begin() as unit:
        await unit.users.update("ada", subscription_status="expired")
        await unit.users.update("bob", subscription_tier="free")
    for name in ("ada", "bob"):
        assert await _code(require_feature(team.store, name, "code_generation", team.clock())) == "FEATURE_NOT_IN_TIER"
