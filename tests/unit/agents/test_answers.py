"""Answers: stored at once, analysed, their statements scored and learned from."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from socrates.drafts import NewMessage
from socrates.events import EventType
from tests.support.model_server import OVERLOADED, ScriptedModel
from tests.support.systems import Lab, with_talk
from tests.support.talks import COUNSELOR, answer, states, talking

NOTHING: dict[str, Any] = {
    "goals": (),
    "requirements": (),
    "tech_stack": (),
    "constraints": (),
    "team_structure": "",
    "note": "",
}


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
async def talk(tmp_path: Path, model: ScriptedModel) -> AsyncIterator[Lab]:
    async with talking(tmp_path, model, phase="analysis") as lab:
        yield lab


async def test_an_answer_is_stored_scored_and_told(talk: Lab, model: ScriptedModel) -> None:
    """D35: v1 told of nothing but the score; D55: and saved nothing of it."""
    await with_talk(talk, "p1", "What must it do?", phase="analysis")
    model.by_task["extract_insights"] = states(
        goals=["Lend books"], requirements=["work offline"], team_structure="two people"
    )
    done = await answer(talk, "It must work offline, to lend books. We are two people.", "bob")
    assert done.model_dump(exclude={"maturity", "choices"}) == {
        "status": "success",
        "answer_position": 1,
        "analyzed": True,
        "insights": NOTHING
        | {"goals": ("Lend books",), "requirements": ("work offline",), "team_structure": "two people"},
        "conflicts": (),
        "conflicts_pending": False,
        "unchecked": (),
        "degraded": False,
        "warning": "",
    }
    message = (await talk.store.conversations.last("p1"))[-1]
    assert (message.type, message.author, message.phase) == ("user", "bob", "analysis")
    assert (message.content, message.timestamp) == (
        "It must work offline, to lend books. We are two people.",
        talk.clock.now,
    )
    project = await talk.store.projects.context("p1")
    assert (project.goals, project.requirements) == ("Lend books", ("work offline",))
    specs = await talk.store.projects.specs("p1", "analysis")
    assert [(spec.category, spec.content) for spec in specs] == [
        ("requirements", "Lend books"),
        ("requirements", "work offline"),
    ]
    assert {spec.extra["answer"] for spec in specs} == {1}
    assert done.maturity.model_dump() == {
        "phase": "analysis",
        "score": {each.phase: each.score for each in await talk.store.projects.phase_scores("p1")}["analysis"],
        "ready": False,
        "complete": False,
    }
    assert done.maturity.score > 0
    events = await talk.events()
    assert [event.type for event in events] == [
        EventType.RESPONSE_RECEIVED,
        EventType.PROJECT_UPDATED,
        EventType.PHASE_MATURITY_UPDATED,
        EventType.LEARNING_METRICS_UPDATED,
        EventType.RESPONSE_ANALYZED,
    ]
    assert {event.payload.agent for event in events} == {"socratic_counselor"}
    assert events[0].payload.model_dump(exclude={"agent"}) == {
        "project_id": "p1",
        "user_id": "bob",
        "phase": "analysis",
        "length": 55,
    }
    assert events[-1].payload.model_dump(exclude={"agent"}) == {
        "project_id": "p1",
        "user_id": "bob",
        "phase": "analysis",
        "specs_extracted": 2,
        "conflicts": 0,
    }


async def test_what_is_learned_of_a_question_bears_its_id(talk: Lab, model: ScriptedModel) -> None:
    """D17: v1 learned of the beginning of a text. D16: it counted characters. D15: no answer was ever a good one."""
    asked = await talk.done(COUNSELOR, "generate_question", "bob", project_id="p1")
    model.by_task["extract_insights"] = states(goals="Lend books to the whole village")
    await answer(talk, "To lend books to the whole village.", "bob")
    record = await talk.store.learning.find_effectiveness("bob", asked.question_id)
    assert record is not None
    assert (record.role, record.times_asked, record.times_answered_well) == ("creator", 1, 1)
    assert record.average_spec_extraction_count == Decimal("0.3")
    assert record.average_answer_length == int(0.3 * len("To lend books to the whole village."))
    assert record.last_asked_at == talk.clock.now


async def test_a_question_of_v1_is_learned_of_by_its_place(talk: Lab) -> None:
    """D17: v1's questions have no id; the user's own words were taken for one."""
    await with_talk(talk, "p1", "What must it do?", "Lend.", "What else?", phase="analysis")
    await answer(talk, "It must work offline.")
    assert await talk.store.learning.find_effectiveness("ada", "project:p1:2") is not None


async def test_an_answer_to_nothing_teaches_nothing(talk: Lab) -> None:
    await answer(talk, "It must work offline.")
    assert EventType.LEARNING_METRICS_UPDATED not in [event.type for event in await talk.events()]


async def test_in_direct_mode_nobody_has_answered_a_question(talk: Lab) -> None:
    await with_talk(talk, "p1", "What must it do?", phase="analysis")
    async with talk.store.begin() as unit:
        await unit.projects.update("p1", (await unit.projects.summary("p1")).version, chat_mode="direct")
    await answer(talk, "What does it need to work offline?", pre_extracted_insights={"requirements": ["work offline"]})
    assert (await talk.store.projects.context("p1")).requirements == ("work offline",)
    assert await talk.store.learning.find_effectiveness("ada", "project:p1:0") is None


async def test_an_answer_that_states_nothing_is_analysed_once_too(talk: Lab) -> None:
    await talk.done("socratic_counselor", "generate_question", project_id="p1")
    done = await answer(talk, "Hm, well.")
    failure = await talk.refused(
        "socratic_counselor", "process_response", project_id="p1", answer_position=done.answer_position
    )
    assert failure.code == "ALREADY_ANALYZED"
    assert len(await talk.store.projects.maturity_events("p1")) == 1
    (learned,) = await talk.store.learning.effectiveness_of("ada")
    assert learned.times_asked == 1


async def test_an_answer_outlives_the_failure_of_a_model_and_is_analysed_later(talk: Lab, model: ScriptedModel) -> None:
    """D41: v1 took the failure for an answer without statements, and told nobody."""
    model.by_task["extract_insights"] = OVERLOADED
    failed = await answer(talk, "It must work offline.")
    assert (failed.analyzed, failed.degraded, failed.answer_position) == (False, True, 0)
    assert failed.insights.model_dump() == NOTHING
    assert failed.maturity.model_dump() == {"phase": "analysis", "score": 0.0, "ready": False, "complete": False}
    assert "could not be analysed" in failed.warning
    assert [event.type for event in await talk.events()] == [EventType.RESPONSE_RECEIVED, EventType.LOG_ERROR]
    assert await talk.store.projects.maturity_events("p1") == ()

    del model.by_task["extract_insights"]
    later = await talk.done(COUNSELOR, "process_response", project_id="p1", answer_position=0)
    assert later.analyzed
    assert later.model_dump().keys() == failed.model_dump().keys()
    assert (await talk.store.projects.context("p1")).requirements == ("It must work offline",)
    assert await talk.store.conversations.count("p1") == 1
    assert EventType.RESPONSE_RECEIVED not in [event.type for event in await talk.events()]

    asked = len(talk.server.requests)
    again = await talk.refused(COUNSELOR, "process_response", project_id="p1", answer_position=0)
    assert (again.code, again.field) == ("ALREADY_ANALYZED", "answer_position")
    assert len(talk.server.requests) == asked


async def test_an_answer_is_scored_in_the_phase_in_which_it_was_given(talk: Lab, model: ScriptedModel) -> None:
    model.by_task["extract_insights"] = OVERLOADED
    await answer(talk, "It must work offline.")
    del model.by_task["extract_insights"]
    await talk.done(COUNSELOR, "advance_phase", project_id="p1", confirm=True)
    later = await talk.done(COUNSELOR, "process_response", project_id="p1", answer_position=0)
    assert later.maturity.phase == "analysis"
    assert await talk.store.projects.specs("p1", "design") == ()
    assert len(await talk.store.projects.specs("p1", "analysis")) == 1


async def test_only_answers_of_ones_own_are_analysed_later(talk: Lab) -> None:
    await with_talk(talk, "p1", "What must it do?", "It must work offline.", phase="analysis")
    for position in (0, 2, 2**63 - 1):
        failure = await talk.refused(COUNSELOR, "process_response", project_id="p1", answer_position=position)
        assert failure.code == "NOT_FOUND"
    failure = await talk.refused(COUNSELOR, "process_response", "bob", project_id="p1", answer_position=1)
    assert (failure.code, failure.field) == ("FORBIDDEN", "answer_position")
    assert talk.server.requests == []


async def test_who_does_not_know_states_nothing(talk: Lab) -> None:
    await with_talk(talk, "p1", "What must it do?", phase="analysis")
    done = await answer(talk, "I don't know.")
    assert done.analyzed
    assert done.insights.model_dump() == NOTHING | {"note": done.insights.note}
    assert "guidance" in done.insights.note
    assert talk.server.requests == []
    assert await talk.store.projects.specs("p1") == ()
    record = await talk.store.learning.find_effectiveness("ada", "project:p1:0")
    assert record is not None
    assert (record.times_asked, record.times_answered_well) == (1, 0)


async def test_confirmed_insights_are_taken_as_they_are(talk: Lab) -> None:
    confirmed = {"requirements": ["work offline", " "], "tech_stack": "SQLite", "colour": "red"}
    done = await answer(talk, "Whatever I said.", pre_extracted_insights=confirmed)
    assert done.insights.model_dump() == NOTHING | {"requirements": ("work offline",), "tech_stack": ("SQLite",)}
    assert {request.task for request in talk.server.requests} == {"categorize_insights"}
    assert (await talk.store.projects.context("p1")).tech_stack == ("SQLite",)


async def test_insights_are_extracted_without_storing_anything(talk: Lab) -> None:
    found = await talk.done(
        COUNSELOR, "extract_insights_only", "bob", project_id="p1", response="It must work offline."
    )
    assert found.insights.model_dump() == NOTHING | {"requirements": ("It must work offline",)}
    assert await talk.store.conversations.count("p1") == 0
    assert await talk.events() == []


async def test_an_extraction_that_fails_is_a_failure(talk: Lab, model: ScriptedModel) -> None:
    """D41: v1 answered that there was nothing in the text."""
    model.by_task["extract_insights"] = OVERLOADED
    failure = await talk.refused(COUNSELOR, "extract_insights_only", project_id="p1", response="It must work offline.")
    assert failure.code in {"RATE_LIMITED", "GENERATION_ERROR"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, None),
        ({"response": "x", "answer_position": 0}, None),
        ({"response": "  "}, "response"),
        ({"answer_position": -1}, "answer_position"),
        ({"response": "x", "pre_extracted_insights": "goals"}, "pre_extracted_insights"),
        (
            {"response": "x", "pre_extracted_insights": {"goals": [str(n) for n in range(1001)]}},
            "pre_extracted_insights",
        ),
        ({"response": "x", "pre_extracted_insights": {"constraints": ["x" * 10_001]}}, "pre_extracted_insights"),
    ],
)
async def test_a_bad_answer_is_refused_before_it_is_stored(
    talk: Lab, fields: dict[str, Any], field: str | None
) -> None:
    """D80: v1 failed with a key or attribute error."""
    failure = await talk.refused(COUNSELOR, "process_response", project_id="p1", **fields)
    assert (failure.code, failure.field) == ("INVALID_REQUEST", field)
    assert await talk.store.conversations.count("p1") == 0


async def test_what_no_model_sorted_is_scored_by_its_field_and_that_is_said(talk: Lab, model: ScriptedModel) -> None:
    """D05: v1 never asked the model, and told nobody."""
    model.by_task["categorize_insights"] = OVERLOADED
    done = await answer(talk, "It must work offline.")
    assert (done.analyzed, done.degraded) == (True, True)
    assert "scored by their fields" in done.warning
    (spec,) = await talk.store.projects.specs("p1")
    assert (spec.category, spec.confidence) == ("requirements", 0.7)


async def test_old_answers_are_analysed_in_the_phase_of_the_project(talk: Lab) -> None:
    async with talk.store.begin() as unit:
        await unit.conversations.append("p1", NewMessage("user", "It must work offline."))
    done = await talk.done(COUNSELOR, "process_response", project_id="p1", answer_position=0)
    assert done.maturity.phase == "analysis"
