"""How requests become responses, and what is told of what was stored."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event as sqlalchemy_event

from socrates.agents.base import Agent
from socrates.agents.catalogue import AGENTS
from socrates.agents.contracts.base import Failure, Request, Response
from socrates.errors import SerializationError
from socrates.events import PAYLOADS, Event, EventType
from socrates.store import UnitOfWork
from tests.support.engines import ENGINES, on_engine
from tests.support.probes import NAME, UNPRINTABLE, Ask, Probe, Say, with_probe
from tests.support.systems import Lab, fresh_system, with_people, with_project

NOTED = (EventType.NOTE_ADDED, EventType.NOTE_UPDATED)
SECRET_NAME = re.compile(r"(^|_)(key|secret|passcode|password|hash|credentials?)s?$")
ACTIONS = [pytest.param(agent, name, id=f"{agent.name}.{name}") for agent in AGENTS for name in agent.actions()]


@pytest.fixture(params=ENGINES)
async def stored(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    with on_engine(request):
        async with fresh_system(tmp_path) as lab:
            await with_people(lab, "ada")
            await with_project(lab)
            yield lab


@pytest.fixture
def probe(lab: Lab) -> Probe:
    return with_probe(lab)


async def titles(lab: Lab) -> list[str]:
    return [note.title for note in await lab.store.notes.for_project("p1")]


# Finding the action


def test_an_action_is_known_by_all_its_names() -> None:
    assert Probe.actions() == ("say", "say_it", "ask", "wait", "fail", "stream", "tell")
    assert Probe.request_of("say_it") is Say
    assert Agent.actions() == ()


def test_no_two_agents_have_one_name() -> None:
    assert len({agent.name for agent in AGENTS}) == len(AGENTS)


@pytest.mark.parametrize(
    "name", ["dance", "", "SAY", "x" * 10**6, "a\nb", "\ud800", None, 5, ["say"], {"a": 1}, *UNPRINTABLE]
)
async def test_an_action_that_is_none_is_refused_with_those_there_are(probe: Probe, name: object) -> None:
    failure = await probe.process({"action": name, "current_user": "ada"})
    assert isinstance(failure, Failure)
    assert (failure.code, failure.field) == ("UNKNOWN_ACTION", "action")
    assert "say, say_it" in failure.message
    assert len(failure.message) < 300
    failure.model_dump_json()


@pytest.mark.parametrize("request_", [None, 5, "say", ["say"], (("action", "say"),), object()])
async def test_what_is_no_request_is_refused(probe: Probe, request_: Any) -> None:
    failure = await probe.process(request_)
    assert isinstance(failure, Failure)
    assert failure.code == "INVALID_REQUEST"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"current_user": None}, "current_user"),
        ({"current_user": ""}, "current_user"),
        ({"current_user": "x" * 513}, "current_user"),
        ({"current_user": "\ud800"}, "current_user"),
        ({"project_id": 5}, "project_id"),
        ({"project_id": ["p1"]}, "project_id"),
        ({"text": {}}, "text"),
        ({"asker": "bob"}, "asker"),
        ({"x" * 10**5: 1}, "x" * 80),
        ({"é\n": 1}, r"'\xe9\n'"),
    ],
)
async def test_a_field_that_is_wrong_is_named(probe: Probe, changes: Mapping[str, object], field: str) -> None:
    """D80: v1 failed with an attribute error."""
    failure = await probe.process({"action": "say", "current_user": "ada", "project_id": "p1", **changes})
    assert isinstance(failure, Failure)
    assert (failure.code, failure.field) == ("INVALID_REQUEST", field)
    assert len(failure.message) < 400
    failure.model_dump_json()


@pytest.mark.parametrize("name", [5, None, ("a", "b"), "\ud800"])
async def test_a_name_that_is_no_text_is_refused(probe: Probe, name: Any) -> None:
    failure = await probe.process({"action": "ask", "current_user": "ada", name: 1})
    assert isinstance(failure, Failure)
    assert failure.code == "INVALID_REQUEST"
    failure.model_dump_json()


async def test_of_a_thousand_wrong_fields_twenty_are_told(probe: Probe) -> None:
    wrong = {f"field{number}": 1 for number in range(1000)}
    failure = await probe.process({"action": "ask", "current_user": "ada", **wrong})
    assert isinstance(failure, Failure)
    fields = failure.details["fields"]
    assert isinstance(fields, list)
    assert len(fields) == 20
    assert failure.message.endswith("; and 980 more")


async def test_a_request_is_taken_in_its_form_as_well(lab: Lab, probe: Probe) -> None:
    await with_project(lab)
    assert (await probe.process(Say(current_user="ada", project_id="p1"))).status == "success"
    assert (await probe.process({"action": "say_it", "asker": "ada", "project_id": "p1"})).status == "success"

    class Other(Request):
        action: str = "ask"
        more: int = 1

    failure = await probe.process(Other(current_user="ada"))
    assert isinstance(failure, Failure)
    assert failure.field == "more"


# Storing and telling


async def test_news_are_told_after_the_commit(stored: Lab) -> None:
    with_probe(stored)
    found: list[tuple[EventType, list[str]]] = []

    async def look(event: Event) -> None:
        found.append((event.type, await titles(stored)))

    for kind in NOTED:
        stored.system.services.emitter.on(kind, look)
    await stored.done(NAME, "say", project_id="p1")
    await stored.events()
    assert found == [(kind, ["x"]) for kind in NOTED]


async def test_what_is_rolled_back_is_not_told(stored: Lab) -> None:
    probe = with_probe(stored)

    async def refuse(unit: UnitOfWork) -> None:
        await unit.projects.summary("nowhere")

    probe.inside = refuse
    assert (await stored.refused(NAME, "say", project_id="p1")).code == "PROJECT_NOT_FOUND"
    assert await titles(stored) == []
    assert await stored.events() == []


async def test_what_could_not_be_committed_is_not_told(stored: Lab) -> None:
    with_probe(stored)

    def fail(_connection: object) -> None:
        raise ZeroDivisionError

    engine = stored.store._engines.writer.sync_engine
    sqlalchemy_event.listen(engine, "commit", fail)
    try:
        with pytest.raises(ZeroDivisionError):
            await stored.ask(NAME, "say", project_id="p1")
    finally:
        sqlalchemy_event.remove(engine, "commit", fail)
    assert await titles(stored) == []
    assert await stored.events(*NOTED) == []


async def test_work_that_is_tried_again_is_stored_and_told_once(stored: Lab) -> None:
    probe = with_probe(stored)
    attempts = []

    async def collide(_unit: UnitOfWork) -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise SerializationError("somebody was faster")

    probe.inside = collide
    await stored.done(NAME, "say", project_id="p1")
    assert await titles(stored) == ["x"]
    assert [event.type for event in await stored.events()] == list(NOTED)


async def test_who_is_cancelled_inside_a_unit_of_work_stores_and_tells_nothing(stored: Lab) -> None:
    probe = with_probe(stored)
    reached = asyncio.Event()

    async def hang(_unit: UnitOfWork) -> None:
        reached.set()
        await asyncio.sleep(3600)

    probe.inside = hang
    asked = asyncio.create_task(stored.ask(NAME, "say", project_id="p1"))
    await reached.wait()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert await titles(stored) == []
    assert await stored.events(*NOTED) == []


async def test_who_is_cancelled_during_the_commit_has_told_what_is_stored(stored: Lab) -> None:
    with_probe(stored)
    asked = asyncio.create_task(stored.ask(NAME, "say", project_id="p1"))

    def cancel(_connection: object) -> None:
        asked.cancel()

    engine = stored.store._engines.writer.sync_engine
    sqlalchemy_event.listen(engine, "commit", cancel)
    try:
        with pytest.raises(asyncio.CancelledError):
            await asked
    finally:
        sqlalchemy_event.remove(engine, "commit", cancel)
    assert await titles(stored) == ["x"]
    assert [event.type for event in await stored.events(*NOTED)] == list(NOTED)


async def test_an_event_has_the_routing_name_of_its_agent(lab: Lab, probe: Probe) -> None:
    """D39: in v1 it was the name of a class in some events, and the routing name in others."""
    await with_project(lab)
    await lab.done(NAME, "say", project_id="p1")
    await lab.done(NAME, "tell")
    await lab.system.services.emitter.settle()
    assert {event.payload.agent for event in lab.heard} == {NAME}


async def test_each_level_of_the_log_has_its_event(lab: Lab, probe: Probe, caplog: pytest.LogCaptureFixture) -> None:
    """D38: v1 reported a warning as information."""
    caplog.set_level(logging.DEBUG, logger="socrates.agents")
    await lab.done(NAME, "tell")
    kinds = (EventType.LOG_DEBUG, EventType.LOG_INFO, EventType.LOG_WARNING, EventType.LOG_ERROR)
    assert [event.type for event in await lab.events(*kinds)] == list(kinds)
    told = [record for record in caplog.records if record.name == f"socrates.agents.{NAME}"]
    assert [record.levelname for record in told] == ["DEBUG", "INFO", "WARNING", "ERROR"]


async def test_a_text_comes_piece_by_piece_and_then_the_response(probe: Probe) -> None:
    pieces: list[str] = []

    async def show(piece: str) -> None:
        pieces.append(piece)
        probe.gate.set()

    response = await probe.process({"action": "stream", "current_user": "ada"}, show)
    assert pieces == ["one ", "two"]
    assert response.model_dump() == {"status": "success", "text": "one two"}


async def test_a_failure_of_whoever_shows_pieces_ends_the_stream(probe: Probe) -> None:
    async def break_off(_piece: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await probe.process({"action": "stream", "current_user": "ada"}, break_off)


async def test_a_model_that_fails_is_a_failure(lab: Lab, probe: Probe) -> None:
    lab.server.stop()
    failure = await probe.process(Ask(current_user="ada"))
    assert isinstance(failure, Failure)
    assert failure.code == "CONNECTION_ERROR"


# Contracts


@pytest.mark.parametrize(("agent", "name"), ACTIONS)
def test_requests_and_responses_can_be_told_in_json(agent: type[Agent], name: str) -> None:
    """D70: v1's responses held objects of its own."""
    request = agent.request_of(name)
    assert request.model_json_schema()["properties"]["action"]
    for response in _responses(agent, name):
        schema = response.model_json_schema(mode="serialization")
        assert "status" in schema["properties"]
        assert _names_of_secrets(schema) == []


def test_no_payload_has_a_field_for_a_secret() -> None:
    for payload in PAYLOADS.values():
        assert _names_of_secrets(payload.model_json_schema(mode="serialization")) == []


def test_a_field_for_a_secret_would_be_found() -> None:
    class Leaky(Response):
        api_key: str
        passcode_hash: str

    assert _names_of_secrets(Leaky.model_json_schema(mode="serialization")) == ["api_key", "passcode_hash"]


async def test_the_logging_of_the_host_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D71: v1 configured the root logger when it was made."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    level = root.level
    async with fresh_system(tmp_path) as lab:
        with_probe(lab)
        await lab.done(NAME, "tell")
        assert (root.handlers, root.level) == ([], level)
    ours = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("socrates")]
    assert not [logger.name for logger in ours if logger.handlers]


def _responses(agent: type[Agent], name: str) -> list[type[Response]]:
    """The forms of response that an action is declared to give."""
    method = getattr(agent, agent._actions[name].method)
    return _forms(method.__annotations__["return"])


def _forms(annotation: Any) -> list[type[Response]]:
    if isinstance(annotation, type) and issubclass(annotation, Response):
        return [annotation]
    return [form for argument in getattr(annotation, "__args__", ()) for form in _forms(argument)]


def _names_of_secrets(schema: Mapping[str, Any]) -> list[str]:
    """Fields that hold a text, or anything but a yes or no, under a secret's name."""
    models = [schema, *schema.get("$defs", {}).values()]
    fields = [field for model in models for field in model.get("properties", {}).items()]
    return [name for name, kind in fields if SECRET_NAME.search(name) and kind.get("type") != "boolean"]
