"""Conversations and projects: analysed, searched, summarised, counted."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from socrates.drafts import NewEntry
from socrates.events import EventType
from socrates.frozen import FrozenDict
from socrates.views import CategoryScore
from tests.support.engines import ENGINES, on_engine
from tests.support.model_server import OVERLOADED
from tests.support.systems import Lab, fresh_system, with_people, with_project, with_talk

GOALS = "Beekeeping"


async def with_projects(lab: Lab) -> None:
    """ada owns p1, where bob works, and p2 alone; eve is a stranger."""
    await with_people(lab, "ada", "bob", "eve")
    await with_project(lab, members={"bob": "creator"}, goals=GOALS, requirements=("hives", "honey"))
    await with_project(lab, "p2", goals=GOALS)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with fresh_system(tmp_path, knowledge=True) as lab:
        await with_projects(lab)
        yield lab


@pytest.fixture(params=ENGINES)
async def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    """The same, on both engines."""
    with on_engine(request):
        async with fresh_system(tmp_path, knowledge=True) as lab:
            await with_projects(lab)
            yield lab


async def know(lab: Lab, content: str, project_id: str | None) -> str:
    entry = await lab.system.services.known.add(NewEntry(content, "bees"), project_id)
    return entry.id


async def analyze(lab: Lab, user: str = "ada", **fields: Any) -> Any:
    return await lab.done("context_analyzer", "analyze_context", user, **fields)


def scored(category: str, specs: int) -> CategoryScore:
    return CategoryScore("discovery", category, 1, 10, 0.5, specs, FrozenDict())


async def test_a_conversation_is_analysed_with_what_is_known_of_its_goals(lab: Lab) -> None:
    """D35: v1 told nobody of it."""
    entry_id = await know(lab, "Beekeeping needs patience", "p1")
    await with_talk(lab, "p1", *"abcdefg")
    async with lab.store.begin() as unit:
        await unit.projects.save_category_scores("p1", "discovery", [scored("goals", 2), scored("scope", 0)])
    response = await analyze(lab, "bob", project_id="p1")
    assert response.analysis.model_dump() == {
        "question_count": 4,
        "response_count": 3,
        "topics_covered": ("goals",),
        "engagement_level": "medium",
    }
    best = response.relevant_knowledge[0]
    assert (best.id, best.project_id, best.category) == (entry_id, "p1", "bees")
    assert len(response.relevant_knowledge) == 5
    assert (response.searched, response.suggestion_id) == (True, None)
    (event,) = await lab.events()
    assert event.type == EventType.CONTEXT_ANALYZED
    assert event.payload.model_dump() == {"agent": "context_analyzer", "project_id": "p1", "user_id": "bob"}


async def test_engagement_grows_with_the_conversation(lab: Lab) -> None:
    for messages, level in ((5, "low"), (6, "medium"), (10, "medium"), (11, "high")):
        conversation = [{"type": "user", "content": "x", "phase": "discovery"}] * (messages - 1)
        response = await analyze(lab, conversation=[*conversation, {"role": "assistant", "content": "y"}])
        assert response.analysis.engagement_level == level
        assert (response.analysis.question_count, response.analysis.response_count) == (1, messages - 1)
        assert (response.relevant_knowledge, response.searched) == ((), False)


async def test_without_a_conversation_there_is_nothing_to_analyse(lab: Lab) -> None:
    for fields in ({}, {"project_id": "p1"}):
        failure = await lab.refused("context_analyzer", "analyze_context", **fields)
        assert (failure.code, failure.field) == ("NO_CONVERSATION", "conversation")
    assert await lab.events() == []
    response = await analyze(lab, project_id="p1", conversation=[{"type": "user"}])
    assert response.analysis.response_count == 1


async def test_goals_of_which_nothing_is_known_are_suggested_once(anywhere: Lab) -> None:
    """D35: nothing called v1's helper that suggests. Approved, the topic is known."""
    lab = anywhere
    await with_talk(lab, "p1", "a", "b")
    responses = await asyncio.gather(*(analyze(lab, project_id="p1") for _ in range(4)))
    (suggestion_id,) = {response.suggestion_id for response in responses} - {None}
    (stored,) = await lab.store.knowledge.suggestions("p1", None)
    assert (stored.id, stored.topic, stored.category, stored.agent) == (
        suggestion_id,
        GOALS,
        "goals",
        "context_analyzer",
    )
    (event,) = await lab.events(EventType.KNOWLEDGE_SUGGESTION)
    assert (event.payload.agent, event.payload.project_id, event.payload.topic) == ("context_analyzer", "p1", GOALS)
    assert (await analyze(lab, project_id="p1")).suggestion_id is None
    await lab.done("knowledge_manager", "approve_suggestion", project_id="p1", suggestion_id=suggestion_id)
    response = await analyze(lab, project_id="p1")
    assert response.relevant_knowledge[0].id == f"suggested_{suggestion_id}"
    assert response.relevant_knowledge[0].score >= 0.3


async def test_what_was_rejected_is_not_suggested_again(lab: Lab) -> None:
    await with_talk(lab, "p1", "a", "b")
    suggestion_id = (await analyze(lab, project_id="p1")).suggestion_id
    await lab.done("knowledge_manager", "reject_suggestion", project_id="p1", suggestion_id=suggestion_id)
    assert (await analyze(lab, project_id="p1")).suggestion_id is None
    await lab.done("knowledge_manager", "clear_suggestions", project_id="p1")
    assert (await analyze(lab, project_id="p1")).suggestion_id is not None


async def test_an_archived_project_gets_no_suggestions(lab: Lab) -> None:
    await with_talk(lab, "p1", "a", "b")
    async with lab.store.begin() as unit:
        await unit.projects.archive("p1")
    response = await analyze(lab, project_id="p1")
    assert (response.searched, response.suggestion_id) == (True, None)
    assert await lab.store.knowledge.suggestions("p1", None) == ()


async def test_without_a_knowledge_base_the_analysis_stays(tmp_path: Path) -> None:
    async with fresh_system(tmp_path) as lab:
        await with_projects(lab)
        await with_talk(lab, "p1", "a", "b")
        response = await analyze(lab, project_id="p1")
        assert (response.analysis.question_count, response.searched, response.suggestion_id) == (1, False, None)
        assert (await lab.refused("context_analyzer", "find_similar", query="x")).code == "CONFIGURATION_ERROR"


async def test_what_another_project_knows_is_not_shown(lab: Lab) -> None:
    """D46: v1 searched in everybody's projects. D76: the score of the best is the highest."""
    secret, shared = await know(lab, "Beekeeping secrets", "p2"), await know(lab, "Beekeeping for all of us", None)
    await with_talk(lab, "p1", "a", "b")
    response = await analyze(lab, project_id="p1")
    assert secret not in {hit.id for hit in response.relevant_knowledge}
    alone = await lab.done("context_analyzer", "find_similar", "eve", query=GOALS)
    inside = await lab.done("context_analyzer", "find_similar", query=GOALS, project_id="p2")
    assert alone.similar_projects[0].id == shared
    assert secret not in {hit.id for hit in alone.similar_projects}
    assert [hit.id for hit in inside.similar_projects[:2]] == [secret, shared]
    scores = [hit.score for hit in inside.similar_projects]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)


async def test_a_summary_names_what_there_is(lab: Lab) -> None:
    assert (await lab.done("context_analyzer", "get_summary", "bob", project_id="p1")).summary == (
        "Goals: Beekeeping\nRequirements: hives, honey"
    )
    await with_project(lab, "p3")
    assert (await lab.done("context_analyzer", "get_summary", project_id="p3")).summary == ""


async def test_messages_are_found_with_who_said_them(lab: Lab) -> None:
    """D18: v1 read a key that no message has, so everybody was unknown."""
    await with_talk(lab, "p1", "What do bees eat?", "Honey", "And in winter?", "HONEY, too")
    found = await lab.done("context_analyzer", "search_conversations", "bob", project_id="p1", query="Honey")
    assert [(hit.index, hit.role, hit.content, hit.phase) for hit in found.results] == [
        (3, "user", "HONEY, too", "discovery"),
        (1, "user", "Honey", "discovery"),
    ]
    assert (found.count, found.query) == (2, "honey")
    (first,) = (
        await lab.done("context_analyzer", "search_conversations", project_id="p1", query="bees", limit=1)
    ).results
    assert first.role == "assistant"
    page = await lab.done("context_analyzer", "search_conversations", project_id="p1", query="honey", limit=1, before=3)
    assert [hit.index for hit in page.results] == [1]


async def test_a_conversation_is_summarised_in_its_order(lab: Lab) -> None:
    """D19: v1 showed the model the conversation backwards."""
    await with_talk(lab, "p1", "first", "second", "third", "fourth")
    summary = await lab.done("context_analyzer", "generate_summary", "bob", project_id="p1", limit=3)
    assert summary.summary
    assert (summary.truncated, summary.omitted) == (False, ())
    (request,) = lab.server.requests
    assert request.task == "summarize_conversation"
    assert "first" not in request.user
    assert request.user.index("second") < request.user.index("third") < request.user.index("fourth")
    for limit in (0, None):
        await lab.done("context_analyzer", "generate_summary", project_id="p1", limit=limit)
        assert "first" in lab.server.requests[-1].user
    (usage,) = await lab.store.llm.usage("bob", limit=10)
    assert usage.output_tokens > 0


async def test_without_messages_no_model_is_asked(lab: Lab) -> None:
    assert (await lab.done("context_analyzer", "generate_summary", project_id="p1")).summary
    assert list(lab.server.requests) == []


async def test_a_failure_of_the_model_is_one_of_the_action(tmp_path: Path) -> None:
    """D31: v1 gave error sentences for summaries."""
    async with fresh_system(tmp_path, reply=lambda _request: OVERLOADED, llm_max_retries=0) as lab:
        await with_projects(lab)
        await with_talk(lab, "p1", "a", "b")
        failure = await lab.refused("context_analyzer", "generate_summary", project_id="p1")
        assert failure.code == "GENERATION_ERROR"


async def test_statistics_count_what_is_there(anywhere: Lab) -> None:
    """D18: v1 counted neither questions nor answers. D74: its times were without a zone."""
    lab = anywhere
    await with_talk(lab, "p1", "a", "b", "c")
    async with lab.store.begin() as unit:
        await unit.notes.create("p1", "t", "c", note_type="idea", created_by="ada")
    project = await lab.store.projects.summary("p1")
    lab.clock.now = project.created_at
    lab.clock.move(days=2, hours=23)
    given = (await lab.done("context_analyzer", "get_statistics", "bob", project_id="p1")).statistics
    assert given.model_dump() == {
        "project_name": "P1",
        "owner": "ada",
        "current_phase": "discovery",
        "progress": 0,
        "status": "active",
        "created_at": project.created_at,
        "updated_at": project.updated_at,
        "days_active": 2,
        "collaborators": 1,
        "requirements": 2,
        "tech_stack": 0,
        "constraints": 0,
        "total_conversations": 3,
        "questions_asked": 2,
        "responses_given": 1,
        "notes": 1,
    }
    assert given.created_at.tzinfo is not None


async def test_strangers_learn_nothing_of_a_project(lab: Lab) -> None:
    """D61: v1 asked nobody who they are."""
    requests: dict[str, dict[str, Any]] = {
        "analyze_context": {"conversation": [{"type": "user"}]},
        "get_summary": {},
        "find_similar": {"query": "x"},
        "search_conversations": {"query": "x"},
        "generate_summary": {},
        "get_statistics": {},
    }
    for action, fields in requests.items():
        failure = await lab.refused("context_analyzer", action, "eve", **fields, project_id="p1")
        assert failure.code == "PROJECT_NOT_FOUND"
    assert list(lab.server.requests) == []
    assert await lab.events() == []


async def test_a_bad_request_is_told_which_field_is_wrong(lab: Lab) -> None:
    """D80: v1 failed with an attribute error."""
    requests: list[tuple[str, dict[str, Any], str]] = [
        ("find_similar", {"query": " "}, "query"),
        ("find_similar", {}, "query"),
        ("search_conversations", {"project_id": "p1"}, "query"),
        ("generate_summary", {"limit": 5}, "project_id"),
        ("generate_summary", {"project_id": "p1", "limit": -1}, "limit"),
        ("analyze_context", {"conversation": [{"content": "x"}]}, "conversation.0.type"),
    ]
    for action, fields, field in requests:
        failure = await lab.refused("context_analyzer", action, **fields)
        assert (failure.code, failure.field) == ("INVALID_REQUEST", field)
