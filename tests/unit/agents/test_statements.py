"""What is said about a project: what is taken in at once, what is kept for a decision."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from socrates.agents.base import News
from socrates.agents.statements import check, undisputed
from socrates.events import EventType
from socrates.llm.answers import Insights
from socrates.llm.briefing import brief
from socrates.llm.conflicts import NoVerdict
from tests.support.engines import ENGINES, on_engine
from tests.support.model_server import OVERLOADED
from tests.support.saying import say
from tests.support.systems import Lab, fresh_system, with_people, with_project

STANDING = {
    "goals": "lend books\nworks offline",
    "requirements": ["works offline", "fast"],
    "tech_stack": ["React", "SQLite"],
    "constraints": ["free of charge"],
}


@pytest.fixture(params=ENGINES)
async def said(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    with on_engine(request):
        async with fresh_system(tmp_path) as lab:
            await with_people(lab, "ada", "bob")
            await with_project(lab, members={"bob": "creator"}, **STANDING)
            yield lab


@pytest.fixture
async def spoken(lab: Lab) -> Lab:
    await with_project(lab, members={"bob": "creator"}, **STANDING)
    return lab


async def test_what_is_not_disputed_is_taken_in(said: Lab) -> None:
    news = News()
    taken = await say(said, news, goals=["read together"], requirements=["fast", "by phone"], tech_stack=["Python"])
    project = await said.store.projects.context("p1")
    assert (project.goals, project.requirements) == ("read together", ("works offline", "fast", "by phone"))
    assert (project.tech_stack, project.constraints) == (("React", "SQLite", "Python"), ("free of charge",))
    assert taken.accepted["requirements"] == ("fast", "by phone")
    assert taken.conflicts == ()
    ((event, payload),) = news.events
    assert event == EventType.PROJECT_UPDATED
    assert payload.model_dump(exclude={"agent"}) == {
        "project_id": "p1",
        "user_id": "bob",
        "fields": ("goals", "requirements", "tech_stack"),
    }


async def test_what_contradicts_waits_for_a_decision(said: Lab) -> None:
    """D11: v1 stored the disputed statement at once, whatever was decided about it."""
    news = News()
    taken = await say(said, news, requirements=["needs internet", "by phone"], tech_stack=["Vue"])
    project = await said.store.projects.context("p1")
    assert (project.requirements, project.tech_stack) == (("works offline", "fast", "by phone"), ("React", "SQLite"))
    assert await said.store.conflicts.pending("p1") == taken.conflicts
    by_rule, judged = sorted(taken.conflicts, key=lambda conflict: conflict.field, reverse=True)
    assert (judged.field, judged.existing, judged.new, judged.severity) == (
        "requirements",
        "works offline",
        "needs internet",
        "high",
    )
    assert (by_rule.existing, by_rule.new, by_rule.severity) == ("React", "Vue", "medium")
    assert {event.value for event, _ in news.events} == {"project.updated", "conflict.detected"}
    told = [payload.model_dump(exclude={"agent"}) for event, payload in news.events if "conflict" in event]
    assert told[-1] == {
        "project_id": "p1",
        "user_id": "bob",
        "conflict_id": judged.id,
        "conflict_type": "requirements",
        "severity": "high",
    }


async def test_nobody_is_named_as_the_author_of_what_stands(spoken: Lab) -> None:
    """v1 said that the project's owner had stated it (agents, 5.6)."""
    (conflict,) = (await say(spoken, tech_stack=["Vue"])).conflicts
    assert (conflict.existing_author, conflict.new_author) == (None, "bob")


async def test_a_question_holds_nothing_back(spoken: Lab) -> None:
    """D26: v1 held back every second database and language as a conflict of severity high."""
    taken = await say(spoken, tech_stack=["PostgreSQL"])
    assert (await spoken.store.projects.context("p1")).tech_stack == ("React", "SQLite", "PostgreSQL")
    assert [(conflict.severity, conflict.status) for conflict in taken.conflicts] == [("low", "pending")]
    assert taken.accepted["tech_stack"] == ("PostgreSQL",)


async def test_a_disputed_goal_leaves_the_old_goals_alone(spoken: Lab) -> None:
    """D11: v1 overwrote the goals with the one that had been rejected."""
    (conflict,) = (await say(spoken, goals=["needs internet", "read together"])).conflicts
    assert (conflict.field, conflict.new) == ("goals", "needs internet")
    assert (await spoken.store.projects.context("p1")).goals == "lend books\nworks offline\nread together"


async def test_what_waits_already_is_not_asked_again(spoken: Lab) -> None:
    (first,) = (await say(spoken, tech_stack=["Vue"])).conflicts
    news = News()
    (second,) = (await say(spoken, news, "ada", tech_stack=["vue"])).conflicts
    assert (second.id, news.events) == (first.id, [])
    assert len(await spoken.store.conflicts.pending("p1")) == 1


async def test_what_is_known_changes_nothing(spoken: Lab) -> None:
    version = (await spoken.store.projects.summary("p1")).version
    news = News()
    await say(spoken, news, requirements=["fast"], team_structure="a group of four")
    assert (news.events, (await spoken.store.projects.summary("p1")).version) == ([], version)
    assert (await spoken.store.projects.context("p1")).team_structure == "individual"


async def test_statements_whose_check_failed_are_taken_in_and_named(tmp_path: Path) -> None:
    """D30: v1 took the failure of a check for "no conflict", and told nobody."""
    async with fresh_system(tmp_path, by_task={"detect_requirement_conflict": OVERLOADED}) as lab:
        await with_people(lab, "ada", "bob")
        await with_project(lab, **STANDING)
        briefing = await brief(lab.store, "p1")
        found = await check(lab.system.services, briefing, Insights(requirements=("needs internet",)), "ada")
        assert found.without_verdict == (NoVerdict("requirements", ("needs internet",)),)
        await say(lab, requirements=["needs internet"], tech_stack=["Vue"])
        project = await lab.store.projects.context("p1")
        assert project.requirements == ("works offline", "fast", "needs internet")
        assert [conflict.new for conflict in await lab.store.conflicts.pending("p1")] == ["Vue"]


async def test_one_question_is_asked_for_all_statements_of_a_field(spoken: Lab) -> None:
    """D51: v1 asked the model once for each new statement, one after another, also where nothing stood."""
    await say(spoken, requirements=["by phone", "by post", "needs internet"], constraints=["paid"])
    tasks = sorted(request.task for request in spoken.server.requests)
    assert tasks == ["detect_constraint_conflict", "detect_requirement_conflict"]


async def test_no_model_is_asked_where_nothing_stands(lab: Lab) -> None:
    """D51: as above."""
    await with_project(lab, members={"bob": "creator"})
    await say(lab, goals=["x"], requirements=["by phone"], constraints=["paid"])
    await say(lab)
    assert lab.server.requests == []


async def test_what_counts_for_the_score_is_what_was_taken_in_and_the_team(spoken: Lab) -> None:
    insights = Insights(tech_stack=("Vue", "Python"), team_structure="a group of four")
    found = await check(spoken.system.services, await brief(spoken.store, "p1"), insights, "bob")
    counts = {field: texts for field, texts in undisputed(insights, found).items() if texts}
    assert counts == {"tech_stack": ("Python",), "team_structure": ("a group of four",)}
