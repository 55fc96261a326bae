"""The dialogue beside questions and answers: who may, hints, direct answers, going on to the next phase."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from socrates.drafts import NewSpec
from socrates.events import EventType
from socrates.llm.demo.protocol import Answer
from socrates.rules.categories import categories_of
from tests.support.model_server import OVERLOADED, ScriptedModel
from tests.support.systems import Lab, with_talk
from tests.support.talks import COUNSELOR, set_project, talking


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
async def talk(tmp_path: Path, model: ScriptedModel) -> AsyncIterator[Lab]:
    async with talking(tmp_path, model) as lab:
        yield lab


async def used(lab: Lab, user: str = "ada") -> int | None:
    return (await lab.store.users.get(user)).questions_used_this_month


async def with_specs(lab: Lab, phase: str, each: int) -> None:
    """So many statements, of one point each, in every category of a phase."""
    async with lab.store.begin() as unit:
        specs = [
            NewSpec(category, f"{category} {number}", 1.0, 1.0)
            for category in categories_of("software", phase)
            for number in range(each)
        ]
        await unit.projects.add_specs("p1", phase, specs)


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("generate_question", {}),
        ("extract_insights_only", {"response": "It must work offline."}),
        ("process_response", {"response": "It must work offline."}),
        ("process_response", {"answer_position": 0}),
        ("advance_phase", {}),
        ("toggle_dynamic_questions", {}),
        ("provide_hint", {"question": "Who?"}),
        ("answer_directly", {"question": "Who?"}),
    ],
)
async def test_strangers_learn_nothing_of_a_project_and_spend_nothing(
    talk: Lab, action: str, fields: dict[str, Any]
) -> None:
    """D61: v1 looked at nobody who asked."""
    for project_id in ("p1", "p2"):
        failure = await talk.refused(COUNSELOR, action, "eve", project_id=project_id, **fields)
        assert (failure.code, failure.message) == ("PROJECT_NOT_FOUND", f"there is no project {project_id!r}")
    assert talk.server.requests == []
    assert await used(talk, "eve") == 0
    assert await talk.events() == []


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("generate_question", {}),
        ("extract_insights_only", {"response": "It must work offline."}),
        ("process_response", {"response": "It must work offline."}),
        ("advance_phase", {}),
        ("toggle_dynamic_questions", {}),
    ],
)
async def test_an_archived_project_is_left_as_it_is(talk: Lab, action: str, fields: dict[str, Any]) -> None:
    async with talk.store.begin() as unit:
        await unit.projects.archive("p1")
    assert (await talk.refused(COUNSELOR, action, project_id="p1", **fields)).code == "PROJECT_ARCHIVED"
    assert talk.server.requests == []
    assert await used(talk) == 0


async def test_a_phase_that_there_is_not_is_refused(talk: Lab) -> None:
    """D73: v1 had a fifth phase in some places."""
    await set_project(talk, phase="completion")
    for action, fields in (
        ("generate_question", {}),
        ("process_response", {"response": "x" * 9}),
        ("advance_phase", {}),
    ):
        assert (await talk.refused(COUNSELOR, action, project_id="p1", **fields)).code == "UNKNOWN_PHASE"
    assert await used(talk) == 0


async def test_a_phase_that_is_not_ready_is_left_only_when_that_is_confirmed(talk: Lab) -> None:
    """D40: v1 asked on the console, where under a server nobody is."""
    await with_specs(talk, "discovery", 1)
    first: Any = await talk.ask(COUNSELOR, "advance_phase", project_id="p1")
    assert first.model_dump(include={"status", "from_phase", "new_phase"}) == {
        "status": "confirmation_needed",
        "from_phase": "discovery",
        "new_phase": "analysis",
    }
    assert 0 < first.maturity_score < 60
    assert first.warnings
    assert (await talk.store.projects.summary("p1")).phase == "discovery"
    (event,) = await talk.events()
    assert event.type == EventType.QUALITY_CHECK_WARNING

    left = await talk.done(COUNSELOR, "advance_phase", project_id="p1", from_phase="discovery", force=True)
    assert (left.from_phase, left.new_phase, left.warnings) == ("discovery", "analysis", first.warnings)
    assert (await talk.store.projects.summary("p1")).phase == "analysis"
    warned, advanced = await talk.events()
    assert (warned.type, advanced.type) == (EventType.QUALITY_CHECK_WARNING, EventType.PHASE_ADVANCED)
    assert advanced.payload.model_dump() == {
        "agent": "socratic_counselor",
        "project_id": "p1",
        "user_id": "ada",
        "from_phase": "discovery",
        "to_phase": "analysis",
        "maturity_at_advancement": left.maturity_score,
    }


async def test_a_phase_that_is_complete_is_left_without_a_question(talk: Lab) -> None:
    await with_specs(talk, "discovery", 30)
    left = await talk.done(COUNSELOR, "advance_phase", project_id="p1")
    assert (left.new_phase, left.maturity_score, left.warnings) == ("analysis", 100.0, ())
    assert [event.type for event in await talk.events()] == [EventType.QUALITY_CHECK_PASSED, EventType.PHASE_ADVANCED]


@pytest.mark.parametrize("fields", [{"from_phase": "discovery"}, {}])
async def test_a_phase_is_left_once_by_two_who_meant_the_same(talk: Lab, fields: dict[str, Any]) -> None:
    """D55: v1 wrote whatever phase the caller's copy of the project came to."""
    both = [talk.ask(COUNSELOR, "advance_phase", project_id="p1", confirm=True, **fields) for _ in range(2)]
    answers: list[Any] = await asyncio.gather(*both)
    assert [answer.status for answer in answers] == ["success", "error"]
    assert (answers[1].code, answers[1].field) == ("CONFLICT", "from_phase")
    assert answers[1].details == {"expected": "discovery", "actual": "analysis"}
    assert (await talk.store.projects.summary("p1")).phase == "analysis"


async def test_the_last_phase_is_not_left(talk: Lab) -> None:
    await set_project(talk, phase="implementation")
    assert (await talk.refused(COUNSELOR, "advance_phase", project_id="p1", confirm=True)).code == "LAST_PHASE"


async def test_owner_and_leads_only_advance_a_phase(talk: Lab) -> None:
    assert (await talk.refused(COUNSELOR, "advance_phase", "bob", project_id="p1", confirm=True)).code == "FORBIDDEN"
    async with talk.store.begin() as unit:
        await unit.projects.update_member("p1", "bob", role="lead")
    await talk.done(COUNSELOR, "advance_phase", "bob", project_id="p1", confirm=True)


async def test_a_hint_is_for_the_last_question(talk: Lab) -> None:
    """D35: v1 told nobody of a hint."""
    await with_talk(talk, "p1", "Who reads?", "Everybody.", "Who pays?")
    hint = await talk.done(COUNSELOR, "provide_hint", "bob", project_id="p1")
    assert (hint.question, hint.degraded, hint.warning) == ("Who pays?", False, "")
    assert hint.hint
    (event,) = await talk.events()
    assert event.type == EventType.HINT_PROVIDED
    assert event.payload.model_dump(exclude={"agent"}) == {
        "project_id": "p1",
        "user_id": "bob",
        "phase": "discovery",
    }


async def test_a_hint_without_a_model_is_general_and_says_so(talk: Lab, model: ScriptedModel) -> None:
    model.by_task["generate_suggestions"] = OVERLOADED
    hint = await talk.done(COUNSELOR, "provide_hint", project_id="p1", question="Who pays?")
    assert hint.degraded
    assert hint.hint.count("\n- ") == 3
    assert "general advice" in hint.warning


async def test_there_is_no_hint_where_nothing_was_asked(talk: Lab) -> None:
    failure = await talk.refused(COUNSELOR, "provide_hint", project_id="p1")
    assert (failure.code, failure.field) == ("NO_QUESTION", "question")


async def test_a_direct_answer_comes_in_pieces(talk: Lab, model: ScriptedModel) -> None:
    model.script.append(Answer("A shelf is enough. " * 10))
    pieces: list[str] = []

    async def hear(piece: str) -> None:
        pieces.append(piece)

    answer: Any = await talk.system.process_request(
        COUNSELOR,
        {"action": "answer_directly", "current_user": "bob", "project_id": "p1", "question": "Where do books go?"},
        on_piece=hear,
    )
    assert answer.model_dump() == {
        "status": "success",
        "answer": ("A shelf is enough. " * 10).strip(),
        "sources": (),
        "truncated": False,
    }
    assert len(pieces) > 1
    assert "".join(pieces).strip() == answer.answer
    assert await talk.store.conversations.count("p1") == 0


async def test_a_direct_answer_that_fails_is_no_answer(talk: Lab, model: ScriptedModel) -> None:
    """D31: v1 returned the text of the error as the answer."""
    model.by_task["answer_question"] = OVERLOADED
    failure = await talk.refused(COUNSELOR, "answer_directly", project_id="p1", question="Where do books go?")
    assert failure.code in {"RATE_LIMITED", "GENERATION_ERROR"}
