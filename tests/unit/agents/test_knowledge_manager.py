"""Suggestions of what a project should know: made, decided once, and known from then on."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from socrates.events import EventType
from tests.support.engines import ENGINES, on_engine
from tests.support.systems import Lab, fresh_system, with_people, with_project

BEES = {"project_id": "p1", "content": "Bees winter in a cluster.", "category": "bees"}


async def with_teams(lab: Lab) -> None:
    """ada owns p1 with bob as creator and lea as lead, and p2; eve is a stranger."""
    await with_people(lab, "ada", "bob", "lea", "eve")
    await with_project(lab, members={"bob": "creator", "lea": "lead"})
    await with_project(lab, "p2")


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with fresh_system(tmp_path, knowledge=True) as lab:
        await with_teams(lab)
        yield lab


@pytest.fixture(params=ENGINES)
async def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    """The same, on both engines."""
    with on_engine(request):
        async with fresh_system(tmp_path, knowledge=True) as lab:
            await with_teams(lab)
            yield lab


async def suggest(lab: Lab, user: str = "bob", **changes: object) -> str:
    response = await lab.done("knowledge_manager", "suggest_knowledge", user, **{**BEES, **changes})
    suggestion_id: str = response.suggestion.id
    return suggestion_id


async def decide(lab: Lab, action: str, suggestion_id: str, user: str = "ada", project_id: str = "p1") -> Any:
    return await lab.ask("knowledge_manager", action, user, project_id=project_id, suggestion_id=suggestion_id)


async def waiting(lab: Lab, project_id: str = "p1", **options: object) -> list[str]:
    listed = await lab.done("knowledge_manager", "get_suggestions", "ada", project_id=project_id, **options)
    return [suggestion.id for suggestion in listed.suggestions]


async def test_a_suggestion_is_stored_and_told_with_its_project(lab: Lab) -> None:
    """D45: v1's events named no project, and all suggestions shared a queue. D44: it was lost at a restart."""
    suggestion_id = await suggest(lab, topic="winter")
    await suggest(lab, "ada", project_id="p2")
    assert await waiting(lab) == [suggestion_id]
    stored = await lab.store.knowledge.suggestion(suggestion_id)
    assert (stored.project_id, stored.topic, stored.agent, stored.status) == ("p1", "winter", "person", "pending")
    first, second = await lab.events()
    assert first.type == EventType.KNOWLEDGE_SUGGESTION
    assert first.payload.model_dump() == {
        "agent": "knowledge_manager",
        "project_id": "p1",
        "content": "Bees winter in a cluster.",
        "category": "bees",
        "topic": "winter",
        "difficulty": "intermediate",
        "reason": "insufficient_context",
    }
    assert (second.payload.project_id, second.payload.topic) == ("p2", "bees")


async def test_suggestions_made_at_once_have_ids_of_their_own(lab: Lab) -> None:
    """D57: v1's ids were made of the clock, and two in one tick were one."""
    ids = await asyncio.gather(*(suggest(lab) for _ in range(5)))
    assert sorted(ids) == sorted(await waiting(lab))
    assert len(set(ids)) == 5


async def test_what_is_approved_is_known_in_its_project(anywhere: Lab) -> None:
    """D32: v1 reported success for rows that were never stored."""
    lab = anywhere
    suggestion_id = await suggest(lab, agent_name="context_analyzer")
    approved = await decide(lab, "approve_suggestion", suggestion_id, "lea")
    assert (approved.suggestion.status, approved.suggestion.decided_by, approved.warning) == ("approved", "lea", "")
    entry = await lab.store.knowledge_entries.entry(f"suggested_{suggestion_id}", "p1")
    assert approved.entry_id == entry.id
    assert (entry.content, entry.category) == ("Bees winter in a cluster.", "bees")
    assert dict(entry.details) == {
        "topic": "bees",
        "difficulty": "intermediate",
        "source": "agent_suggestion_from_context_analyzer",
        "reason": "insufficient_context",
        "approved_at": "2026-03-10T12:00:00+00:00",
    }
    known = lab.system.services.known
    (hit,) = await known.search("bees winter", project_id="p1", category="bees")
    assert hit.entry.id == entry.id
    assert await known.search("bees winter", project_id="p2", category="bees") == ()
    assert await lab.store.index_work.waiting(10) == ()


async def test_a_suggestion_is_decided_once(lab: Lab) -> None:
    """D14: v1 approved again what was approved or rejected."""
    rejected, approved = await suggest(lab), await suggest(lab, content="Honey is sweet.")
    no, yes = await decide(lab, "reject_suggestion", rejected), await decide(lab, "approve_suggestion", approved)
    assert (no.suggestion.status, no.message) == ("rejected", "rejected: bees")
    assert (yes.suggestion.status, yes.message) == ("approved", "the project knows it now: bees")
    for suggestion_id, action in (
        (rejected, "approve_suggestion"),
        (approved, "approve_suggestion"),
        (approved, "reject_suggestion"),
    ):
        failure = await decide(lab, action, suggestion_id)
        assert failure.code == "INVALID_VALUE"
        assert "already" in failure.message
    assert [entry.content for entry in await lab.store.knowledge_entries.entries("p1")] == ["Honey is sweet."]


async def test_a_right_that_is_taken_away_while_the_vector_is_made_does_not_count(lab: Lab) -> None:
    suggestion_id = await suggest(lab)
    async with lab.store.begin() as unit:
        await unit.projects.update_member("p1", "lea", role="creator")
        approving = asyncio.create_task(decide(lab, "approve_suggestion", suggestion_id, "lea"))
        # The first look at the right finds what is committed; the decision waits for this unit's end.
        await asyncio.sleep(0.2)
    assert (await approving).code == "FORBIDDEN"
    assert await waiting(lab) == [suggestion_id]
    assert await lab.store.knowledge_entries.count("p1") == 0


async def test_of_many_who_approve_at_once_one_does(anywhere: Lab) -> None:
    """D14: v1 had no guard at all."""
    lab = anywhere
    suggestion_id = await suggest(lab)
    outcomes = await asyncio.gather(
        *(decide(lab, "approve_suggestion", suggestion_id, user) for user in ("ada", "lea", "ada", "lea")),
        decide(lab, "reject_suggestion", suggestion_id),
    )
    assert sorted(outcome.status for outcome in outcomes) == 4 * ["error"] + ["success"]
    status = (await lab.store.knowledge.suggestion(suggestion_id)).status
    assert await lab.store.knowledge_entries.count("p1") == (1 if status == "approved" else 0)


async def test_what_the_index_does_not_take_now_is_approved_with_a_warning(lab: Lab, tmp_path: Path) -> None:
    """Entry and decision are stored: to report a failure would have somebody try again, and be refused."""
    suggestion_id = await suggest(lab)
    (file,) = (tmp_path / "index").rglob("chroma.sqlite3")
    with sqlite3.connect(file) as chroma:
        chroma.execute("DROP TABLE embeddings_queue")
    chroma.close()
    approved = await decide(lab, "approve_suggestion", suggestion_id)
    assert approved.status == "success"
    assert "follows later" in approved.warning
    assert len(await lab.store.index_work.waiting(10)) == 1


async def test_members_see_suggestions_and_leads_decide(lab: Lab) -> None:
    suggestion_id = await suggest(lab)
    for action in ("approve_suggestion", "reject_suggestion"):
        failure = await decide(lab, action, suggestion_id, "bob")
        assert (failure.code, failure.field) == ("FORBIDDEN", "current_user")
    assert (await lab.refused("knowledge_manager", "clear_suggestions", "bob", project_id="p1")).code == "FORBIDDEN"
    assert (await lab.done("knowledge_manager", "get_suggestions", "bob", project_id="p1")).count == 1
    assert (await lab.done("knowledge_manager", "get_queue_status", "bob", project_id="p1")).pending == 1


async def test_a_suggestion_of_another_project_is_unknown(lab: Lab) -> None:
    suggestion_id = await suggest(lab)
    for action in ("approve_suggestion", "reject_suggestion"):
        for unknown, project_id in ((suggestion_id, "p2"), ("nope", "p1")):
            failure = await decide(lab, action, unknown, project_id=project_id)
            assert (failure.code, failure.message) == ("NOT_FOUND", f"there is no suggestion {unknown!r}")
    failure = await lab.refused("knowledge_manager", "get_suggestions", project_id="p2", after=suggestion_id)
    assert failure.code == "NOT_FOUND"
    assert (await lab.store.knowledge.suggestion(suggestion_id)).status == "pending"


async def test_the_queue_is_listed_counted_and_cleared(lab: Lab) -> None:
    first, second, third = [await suggest(lab) for _ in range(3)]
    await decide(lab, "reject_suggestion", first)
    await decide(lab, "approve_suggestion", second)
    assert await waiting(lab) == [third]
    assert await waiting(lab, status="rejected") == [first]
    assert await waiting(lab, status="approved") == [second]
    page = await waiting(lab, status="all", limit=2)
    assert [*page, *await waiting(lab, status="all", after=page[-1])] == [first, second, third]
    status = await lab.done("knowledge_manager", "get_queue_status", project_id="p1")
    assert (status.pending, status.approved, status.rejected, status.total) == (1, 1, 1, 3)
    assert (await lab.done("knowledge_manager", "clear_suggestions", project_id="p1")).cleared == 2
    assert await waiting(lab, status="all") == [third]
    cleared = await lab.done("knowledge_manager", "clear_suggestions", project_id="p1", keep_pending=False)
    assert cleared.cleared == 1
    status = await lab.done("knowledge_manager", "get_queue_status", project_id="p1")
    assert (status.pending, status.approved, status.rejected, status.total) == (0, 0, 0, 0)
    assert await lab.store.knowledge_entries.count("p1") == 1


async def test_strangers_have_no_part_in_it(lab: Lab) -> None:
    """D61: v1 asked nobody who they are. D45: without a project it took the queue of everybody."""
    requests: dict[str, dict[str, str]] = {
        "suggest_knowledge": {"content": "x", "category": "y"},
        "get_suggestions": {},
        "approve_suggestion": {"suggestion_id": "x"},
        "reject_suggestion": {"suggestion_id": "x"},
        "get_queue_status": {},
        "clear_suggestions": {},
    }
    for action, fields in requests.items():
        failure = await lab.refused("knowledge_manager", action, "eve", **fields, project_id="p1")
        assert failure.code == "PROJECT_NOT_FOUND"
        failure = await lab.refused("knowledge_manager", action, **fields)
        assert (failure.code, failure.field) == ("INVALID_REQUEST", "project_id")
    async with lab.store.begin() as unit:
        await unit.projects.archive("p1")
    for action, fields in requests.items():
        if not action.startswith("get_"):
            failure = await lab.refused("knowledge_manager", action, **fields, project_id="p1")
            assert failure.code == "PROJECT_ARCHIVED"


async def test_without_a_knowledge_base_nothing_is_approved(tmp_path: Path) -> None:
    async with fresh_system(tmp_path) as lab:
        await with_teams(lab)
        suggestion_id = await suggest(lab)
        assert (await decide(lab, "approve_suggestion", suggestion_id)).code == "CONFIGURATION_ERROR"
        assert (await decide(lab, "reject_suggestion", suggestion_id)).status == "success"
