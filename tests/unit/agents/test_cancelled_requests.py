"""Requests that are cancelled at any of their awaits: nothing is half stored, lost, or in the way of the next."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest

from socrates.agents.socratic_counselor import SocraticCounselor
from socrates.drafts import NewConflict
from tests.concurrency.cancelling import CancelledAt, Moment
from tests.support.systems import Lab, fresh_system, with_people, with_project

Request = tuple[str, dict[str, Any]]

ALL = 200
"""More awaits than any request has."""

COUNTED = {
    "asked": "SELECT count(*) FROM conversation_messages WHERE type = 'assistant'",
    "paid": "SELECT sum(questions_used_this_month) FROM users",
    "answered": "SELECT count(*) FROM conversation_messages WHERE type = 'user'",
    "gained": "SELECT count(*) FROM maturity_events",
    "required": "SELECT count(*) FROM project_requirements",
    "decided": "SELECT count(*) FROM project_conflicts WHERE choice IS NOT NULL",
    "approved": "SELECT count(*) FROM knowledge_suggestions WHERE status = 'approved'",
    "known": "SELECT count(*) FROM knowledge_entries",
}

QUESTION = {"asked": 1, "paid": 1}
ANSWER = {"answered": 1, "gained": 1, "required": 1}
DECISION = {"decided": 1, "required": 1}


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with fresh_system(tmp_path, knowledge=True) as lab:
        await with_people(lab, "ada", tier="enterprise")
        await with_project(lab)
        yield lab


def counts(lab: Lab) -> dict[str, int]:
    with closing(sqlite3.connect(f"file:{lab.store.file}?mode=ro", uri=True)) as connection:
        return {name: connection.execute(query).fetchone()[0] or 0 for name, query in COUNTED.items()}


async def a_question(_lab: Lab, _number: int) -> Request:
    return "socratic_counselor", {"action": "generate_question", "project_id": "p1"}


async def an_answer(_lab: Lab, number: int) -> Request:
    said = {"requirements": [f"must lend {number} books"]}
    fields = {"project_id": "p1", "response": f"It must lend {number} books.", "pre_extracted_insights": said}
    return "socratic_counselor", {"action": "process_response", **fields}


async def a_decision(lab: Lab, number: int) -> Request:
    async with lab.store.begin() as unit:
        draft = NewConflict("requirements", f"must keep {number} books", f"must lend {number} books", "high")
        (conflict,) = await unit.conflicts.add("p1", [draft])
    return "conflict_detector", {"action": "resolve_conflict", "conflict_id": conflict.id, "choice": "replace"}


async def an_approval(lab: Lab, number: int) -> Request:
    async with lab.store.begin() as unit:
        suggestion = await unit.knowledge.add_suggestion("p1", f"Bees fly {number} miles", "bees")
    fields = {"project_id": "p1", "suggestion_id": suggestion.id}
    return "knowledge_manager", {"action": "approve_suggestion", **fields}


@pytest.mark.parametrize("moment", get_args(Moment))
@pytest.mark.parametrize(
    ("request_", "wholes"),
    [
        (a_question, [QUESTION]),
        (an_answer, [{"answered": 1}, ANSWER]),  # it is stored before a model is asked
        (an_approval, [{"approved": 1, "known": 1}]),
        (a_decision, [DECISION, DECISION | {"gained": 1}]),  # its statement may be in no category
    ],
)
async def test_a_cancelled_request_has_stored_all_or_nothing(
    lab: Lab, request_: Any, wholes: list[dict[str, int]], moment: Moment
) -> None:
    await lab.done("socratic_counselor", "generate_question", project_id="p1")
    tasks = len(asyncio.all_tasks())
    for at in range(1, ALL):
        agent, fields = await request_(lab, at)
        before = counts(lab)
        cancelled = CancelledAt(lab.system.process_request(agent, {"current_user": "ada", **fields}), {at}, moment)
        done = asyncio.create_task(_awaited(cancelled))
        await asyncio.wait([done], timeout=30)
        assert done.done(), f"it hangs when it is cancelled at await {at}"
        after = counts(lab)
        stored = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        assert stored in ([{}, *wholes] if done.cancelled() else wholes), f"cancelled at await {at}"
        assert not _places(lab)
        await lab.system.services.emitter.settle()
        if not cancelled.cancelled:
            break
    assert at > 4
    assert len(asyncio.all_tasks()) <= tasks
    await lab.done("socratic_counselor", "generate_question", project_id="p1")


async def _awaited(work: CancelledAt) -> Any:
    return await work


def _places(lab: Lab) -> list[str]:
    counselor = lab.system.agents["socratic_counselor"]
    assert isinstance(counselor, SocraticCounselor)
    return [*lab.system.services.order._last, *counselor._arrivals._last]
