"""Artifacts and their documentation: what comes back, piece by piece and whole, who may, what is told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from socrates.agents.code_generator import ARTIFACT_TYPES
from socrates.agents.contracts.base import Failure
from socrates.events import EventType
from socrates.llm.demo.protocol import Answer, Drop, ModelRequest, Reply, StreamError
from socrates.llm.demo.protocol import Failure as Refusal
from tests.support.model_server import ScriptedModel
from tests.support.systems import Lab, fresh_system, with_people, with_project, with_talk

PROGRAM = "print('lend a book')\n" * 20
MANUAL = "Run it in the library. " * 20
SLOW = Answer(PROGRAM, delay_between=0.2)
MADE = (EventType.CODE_GENERATED, EventType.CODE_DOCUMENTATION_GENERATED)


class Model:
    """Replies that a test can change."""

    def __init__(self) -> None:
        self.artifact: Reply = Answer(PROGRAM)

    def __call__(self, request: ModelRequest) -> Reply:
        if request.task == "generate_documentation":
            return Answer(MANUAL)
        return self.artifact if request.task == "generate_code" else ScriptedModel()(request)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
async def studio(tmp_path: Path, model: Model) -> AsyncIterator[Lab]:
    async with fresh_system(tmp_path, reply=model, llm_max_retries=0) as lab:
        await with_people(lab, "ada", "bob", "eve")
        await with_people(lab, "fred", tier="free")
        team = {"bob": "creator", "fred": "analyst"}
        await with_project(lab, members=team, goals="Lend books", requirements=["works offline"])
        await with_talk(lab, "p1", *(f"said {number}" for number in range(8)))
        await lab.events()
        yield lab


async def test_an_artifact_is_made_of_the_project_and_told(studio: Lab) -> None:
    """D35: v1 never told of an artifact."""
    made = await studio.done("code_generator", "generate_artifact", "bob", project_id="p1")
    assert (made.artifact, made.script, made.artifact_type) == (PROGRAM, PROGRAM, "code")
    assert (made.truncated, made.omitted) == (False, ())
    (event,) = await studio.events()
    assert event.type == EventType.CODE_GENERATED
    assert event.payload.model_dump() == {
        "agent": "code_generator",
        "project_id": "p1",
        "user_id": "bob",
        "artifact_type": "code",
        "length": len(PROGRAM),
    }
    (row,) = await studio.store.llm.usage("bob")
    assert (row.operation, row.success) == ("generate_code", True)


async def test_the_context_is_the_project_and_what_users_said_among_the_last_five_messages(studio: Lab) -> None:
    made = await studio.done("code_generator", "generate_artifact", project_id="p1")
    assert "Lend books" in made.context_used
    assert "works offline" in made.context_used
    said = [number for number in range(8) if f"said {number}" in made.context_used]
    assert said == [3, 5, 7]  # those of the tutor are even


async def test_v1s_name_for_it_does_the_same(studio: Lab) -> None:
    made = await studio.done("code_generator", "generate_script", project_id="p1", current_user="ada")
    assert made.script == PROGRAM


@pytest.mark.parametrize(("project_type", "artifact_type"), [*ARTIFACT_TYPES.items(), ("poetry", "code")])
async def test_each_type_of_project_has_its_artifact(studio: Lab, project_type: str, artifact_type: str) -> None:
    await with_project(studio, "p2", project_type=project_type)
    made = await studio.done("code_generator", "generate_artifact", project_id="p2")
    assert made.artifact_type == artifact_type
    documented = await studio.done("code_generator", "generate_documentation", project_id="p2", artifact="x")
    assert documented.artifact_type == artifact_type


@pytest.mark.parametrize("field", ["artifact", "script"])
async def test_documentation_is_made_of_an_artifact_and_told(studio: Lab, field: str) -> None:
    made = await studio.done("code_generator", "generate_documentation", project_id="p1", **{field: PROGRAM})
    assert (made.documentation, made.artifact_type, made.truncated) == (MANUAL, "code", False)
    assert studio.server.requests[-1].blocks["artifact"].startswith("print('lend a book')")
    (event,) = await studio.events()
    assert event.type == EventType.CODE_DOCUMENTATION_GENERATED
    assert event.payload.model_dump()["length"] == len(MANUAL)


async def test_documentation_may_come_before_its_artifact(studio: Lab) -> None:
    assert (await studio.done("code_generator", "generate_documentation", project_id="p1")).documentation == MANUAL


async def test_an_artifact_comes_in_pieces(studio: Lab) -> None:
    pieces: list[str] = []

    async def show(piece: str) -> None:
        pieces.append(piece)

    request = {"action": "generate_artifact", "current_user": "ada", "project_id": "p1"}
    response = await studio.system.process_request("code_generator", request, on_piece=show)
    assert response.status == "success"
    assert "".join(pieces) == PROGRAM
    assert len(pieces) > 1


async def test_an_artifact_that_was_cut_off_says_so(studio: Lab, model: Model) -> None:
    model.artifact = Answer(PROGRAM, stop_reason="max_tokens")
    made = await studio.done("code_generator", "generate_artifact", project_id="p1")
    assert made.truncated


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Refusal(401, "authentication_error", "no such key"), "AUTHENTICATION_ERROR"),
        (Refusal(429, "rate_limit_error", "later"), "RATE_LIMITED"),
        (Answer(""), "EMPTY_RESPONSE"),
        (StreamError(2, "overloaded_error", "too many"), "GENERATION_ERROR"),
        (Drop(after_pieces=2), "CONNECTION_ERROR"),
    ],
)
async def test_a_model_that_fails_is_a_failure_and_no_text(studio: Lab, model: Model, reply: Reply, code: str) -> None:
    """D31: v1 returned a sentence about the error as the artifact, with success."""
    model.artifact = reply
    failure = await studio.refused("code_generator", "generate_artifact", project_id="p1")
    assert failure.code == code
    assert await studio.events(*MADE) == []
    (row,) = await studio.store.llm.usage("ada")
    assert not row.success


async def test_who_stops_listening_stops_the_model(studio: Lab, model: Model) -> None:
    model.artifact = SLOW
    begun = asyncio.Event()

    async def show(_piece: str) -> None:
        begun.set()

    request = {"action": "generate_artifact", "current_user": "ada", "project_id": "p1"}
    asked = asyncio.create_task(studio.system.process_request("code_generator", request, on_piece=show))
    await asyncio.wait_for(begun.wait(), 10)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert await studio.events(*MADE) == []
    (row,) = await studio.store.llm.usage("ada")
    assert (row.success, row.error_message) == (False, "stopped before its end")


async def test_an_artifact_that_takes_too_long_is_a_failure(studio: Lab, model: Model) -> None:
    model.artifact = Answer(PROGRAM, delay=60)
    request = {"action": "generate_artifact", "current_user": "ada", "project_id": "p1"}
    response = await studio.system.process_request("code_generator", request, timeout=0.2)
    assert isinstance(response, Failure)
    assert response.code == "TIMEOUT"
    assert await studio.events(*MADE) == []


@pytest.mark.parametrize("action", ["generate_artifact", "generate_documentation"])
async def test_a_tier_without_the_feature_is_refused_before_a_model_is_asked(studio: Lab, action: str) -> None:
    """D64: v1 asked for the tier in its terminal only."""
    failure = await studio.refused("code_generator", action, "fred", project_id="p1")
    assert (failure.code, failure.details["sufficient_tier"]) == ("FEATURE_NOT_IN_TIER", "pro")
    assert studio.server.requests == []


@pytest.mark.parametrize("action", ["generate_artifact", "generate_documentation"])
async def test_strangers_cannot_have_a_project_written_up(studio: Lab, action: str) -> None:
    for project_id in ("p1", "p9"):
        failure = await studio.refused("code_generator", action, "eve", project_id=project_id)
        assert (failure.code, failure.message) == ("PROJECT_NOT_FOUND", f"there is no project {project_id!r}")
    assert studio.server.requests == []
    assert await studio.events() == []


async def test_a_request_without_a_project_is_refused(studio: Lab) -> None:
    """D80: v1 failed with an attribute error."""
    failure = await studio.refused("code_generator", "generate_artifact")
    assert (failure.code, failure.field) == ("INVALID_REQUEST", "project_id")
