"""Answers that contradict what stands, come at once with others, or meet what goes wrong."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from socrates.events import EventType
from socrates.llm.demo.answers import demo_reply
from socrates.llm.demo.protocol import Answer, ModelRequest, Reply
from tests.support.engines import ENGINES, on_engine
from tests.support.model_server import OVERLOADED, ScriptedModel, until
from tests.support.systems import Lab
from tests.support.talks import COUNSELOR, HeldModel, answer, states, talking


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
async def talk(tmp_path: Path, model: ScriptedModel) -> AsyncIterator[Lab]:
    async with talking(tmp_path, model, phase="analysis") as lab:
        yield lab


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    with on_engine(request) as name:
        yield name


async def contradicting(lab: Lab, model: ScriptedModel) -> None:
    """A project, and a model that finds a contradiction in what is said next."""
    async with lab.store.begin() as unit:
        await unit.projects.update("p1", (await unit.projects.summary("p1")).version, requirements=["work offline"])
    model.by_task["extract_insights"] = states(requirements=["work online only", "be fast", "be small"])
    model.by_task["detect_requirement_conflict"] = Answer(
        json.dumps(
            {
                "verdicts": [
                    {
                        "new": "work online only",
                        "has_conflict": True,
                        "conflicting_with": "work offline",
                        "severity": "high",
                        "explanation": "Both cannot be.",
                        "suggestions": ["Ask the village."],
                    },
                    {"new": "be fast", "has_conflict": False},
                    {"new": "be small", "has_conflict": False},
                ]
            }
        )
    )
    specs = [
        {"content": text, "category": "requirements", "confidence": 0.9}
        for text in ("work online only", "no need of paper", "be fast")
    ]
    model.by_task["categorize_insights"] = Answer(json.dumps({"specs": specs}))


async def test_a_conflict_waits_for_a_decision_and_holds_its_statement_back(talk: Lab, model: ScriptedModel) -> None:
    """D12: v1 called every conflict resolved. D11: it stored the statement whatever was chosen. D40: on a console."""
    await contradicting(talk, model)
    done = await answer(talk, "It must work online only, and be fast.")
    (conflict,) = done.conflicts
    assert done.conflicts_pending
    assert set(done.choices) == {"keep", "replace", "skip", "manual"}
    assert (conflict.old_value, conflict.new_value) == ("work offline", "work online only")
    assert (conflict.severity, conflict.new_author, conflict.blocking) == ("high", "ada", True)
    (stored,) = await talk.store.conflicts.pending("p1")
    assert stored.id == conflict.conflict_id
    assert (await talk.store.projects.context("p1")).requirements == ("work offline", "be fast", "be small")
    assert [spec.content for spec in await talk.store.projects.specs("p1")] == ["be fast"]
    types = [event.type for event in await talk.events()]
    assert types.count(EventType.CONFLICT_DETECTED) == 1
    json.dumps(done.model_dump(mode="json"))


async def test_a_check_that_fails_is_not_taken_for_no_conflict(talk: Lab, model: ScriptedModel) -> None:
    """D30: v1 told only its debug log that a check had failed."""
    await contradicting(talk, model)
    model.by_task["detect_requirement_conflict"] = OVERLOADED
    done = await answer(talk, "It must work online only, and be fast.")
    assert [unknown.model_dump() for unknown in done.unchecked] == [
        {"field": "requirements", "statements": ("work online only", "be fast", "be small")}
    ]
    assert (done.degraded, done.conflicts_pending) == (True, False)
    assert "Nobody knows" in done.warning


async def test_what_goes_wrong_while_it_is_stored_leaves_the_answer_and_nothing_else(tmp_path: Path) -> None:
    """D34: v1 kept the part of it that had worked, and printed the rest."""
    model = HeldModel()
    async with talking(tmp_path, model, phase="analysis") as lab:
        response = asyncio.create_task(
            lab.refused(COUNSELOR, "process_response", project_id="p1", response="It must work offline.")
        )
        await until(model.asked.is_set)
        async with lab.store.begin() as unit:
            await unit.projects.archive("p1")
        model.go_on.set()
        assert (await response).code == "PROJECT_ARCHIVED"
        assert await lab.store.conversations.count("p1") == 1
        assert await lab.store.projects.specs("p1") == ()
        assert (await lab.store.projects.context("p1")).requirements == ()
        types = [event.type for event in await lab.events()]
        assert types == [EventType.RESPONSE_RECEIVED]


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_answers_at_once_lose_nothing_of_each_other(engine: str, tmp_path: Path) -> None:
    """D55: in v1 the answer that was saved last had the project without the others."""
    said = [f"It must serve reader number {number}" for number in range(4)]
    all_there = threading.Barrier(len(said))

    def together(request: ModelRequest) -> Reply:
        if request.task == "extract_insights":
            all_there.wait(timeout=20)
        return demo_reply(request)

    async with talking(tmp_path, together, phase="analysis") as lab:
        done = await asyncio.gather(
            *(answer(lab, text, user) for text, user in zip(said, ["ada", "bob"] * 2, strict=True))
        )
        assert [each.answer_position for each in done] == [0, 1, 2, 3]
        assert [message.content for message in await lab.store.conversations.last("p1")] == said
        assert (await lab.store.projects.context("p1")).requirements == tuple(said)
        specs = await lab.store.projects.specs("p1", "analysis")
        assert {(spec.content, spec.extra["answer"]) for spec in specs} == {
            (text, each.answer_position) for text, each in zip(said, done, strict=True)
        }
        events = await lab.store.projects.maturity_events("p1")
        assert [event.score_before for event in events[1:]] == [event.score_after for event in events[:-1]]
        assert len(events) == 4


async def test_answers_at_once_that_contradict_each_other_are_not_both_taken(tmp_path: Path) -> None:
    """D55: each was checked against a project in which the other had not yet been said."""
    both_there = threading.Barrier(2)

    def together(request: ModelRequest) -> Reply:
        if request.task == "extract_insights":
            both_there.wait(timeout=20)
            return states(requirements=["work offline" if "offline" in request.blocks["answer"] else "work online"])
        if request.task == "detect_requirement_conflict":
            verdict = {"new": request.blocks["new"], "has_conflict": True, "severity": "high"}
            return Answer(json.dumps({"verdicts": [verdict]}))
        return demo_reply(request)

    async with talking(tmp_path, together, phase="analysis") as lab:
        first, second = await asyncio.gather(answer(lab, "Work offline."), answer(lab, "Work online.", "bob"))
        assert (first.conflicts_pending, second.conflicts_pending) == (False, True)
        assert (await lab.store.projects.context("p1")).requirements == ("work offline",)
        assert [spec.content for spec in await lab.store.projects.specs("p1")] == ["work offline"]
