"""The system as a whole: routing, what is told of each request, its time, its end, and one after another."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from socrates import __version__
from socrates.agents.contracts.base import Failure
from socrates.config import LLMConfig, Settings
from socrates.errors import ClosedError, ConfigurationError, InvalidValueError
from socrates.events import Emitter, Event, EventType, correlated
from socrates.llm.demo.protocol import Answer
from socrates.orchestrator import Orchestrator
from socrates.store import Store, UnitOfWork
from tests.support.engines import ENGINES, on_engine
from tests.support.knowledge import WordEmbedder
from tests.support.model_server import until
from tests.support.probes import NAME, UNPRINTABLE, Probe, with_probe
from tests.support.stores import fresh_file
from tests.support.systems import Lab, fresh_system, with_people, with_project

ROUTED = (EventType.AGENT_START, EventType.AGENT_COMPLETE, EventType.AGENT_ERROR)
SLOW = Answer("too late", delay=60)


@pytest.fixture(params=ENGINES)
async def stored(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    with on_engine(request):
        async with fresh_system(tmp_path) as lab:
            await with_people(lab, "ada")
            await with_project(lab)
            yield lab


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with fresh_system(tmp_path) as lab:
        await with_people(lab, "ada")
        await with_project(lab)
        yield lab


@pytest.fixture
def probe(lab: Lab) -> Probe:
    return with_probe(lab)


async def routed(lab: Lab) -> list[tuple[str, dict[str, Any]]]:
    return [(event.type.removeprefix("agent."), event.payload.model_dump()) for event in await lab.events(*ROUTED)]


async def titles(lab: Lab) -> list[str]:
    return [note.title for note in await lab.store.notes.for_project("p1")]


# Routing


@pytest.mark.parametrize(
    "agent", ["nobody", "", "x" * 10**6, "a\nb", "\ud800", None, 5, ["learning"], {}, *UNPRINTABLE]
)
async def test_an_agent_that_is_none_is_a_failure_that_names_those_there_are(lab: Lab, agent: Any) -> None:
    """D39: v1 returned an error in one way of asking, and raised one in the other."""
    failure = await lab.system.process_request(agent, {"action": "say", "current_user": "ada"})
    assert isinstance(failure, Failure)
    assert failure.code == "UNKNOWN_AGENT"
    assert "note_manager" in failure.message
    assert len(failure.message) < 500
    failure.model_dump_json()
    assert await lab.events(*ROUTED) == []


async def test_a_request_is_told_from_its_start_to_its_end(lab: Lab, probe: Probe) -> None:
    await lab.done(NAME, "say", project_id="p1")
    assert [event.type for event in await lab.events()] == [EventType.NOTE_ADDED, EventType.NOTE_UPDATED]
    await lab.done(NAME, "say_it", project_id="p1")
    assert await routed(lab) == [
        ("start", {"agent": NAME, "action": "say_it"}),
        ("complete", {"agent": NAME, "action": "say_it", "status": "success"}),
    ]


async def test_a_failure_is_an_end_too(lab: Lab, probe: Probe) -> None:
    await lab.refused(NAME, "say", project_id="p9", text=5)
    assert await routed(lab) == [
        ("start", {"agent": NAME, "action": "say"}),
        ("complete", {"agent": NAME, "action": "say", "status": "error"}),
    ]


@pytest.mark.parametrize("action", ["dance", "x" * 10**6, "\ud800", None, ["say"], 5])
async def test_an_action_that_is_none_is_not_repeated_in_events(lab: Lab, probe: Probe, action: object) -> None:
    response = await lab.system.process_request(NAME, {"action": action, "current_user": "ada"})
    assert isinstance(response, Failure)
    assert response.code == "UNKNOWN_ACTION"
    assert [payload["action"] for _, payload in await routed(lab)] == ["unknown", "unknown"]


@pytest.mark.parametrize("request_", [None, 5, "say", [("action", "say")]])
async def test_what_is_no_request_is_a_failure(lab: Lab, probe: Probe, request_: Any) -> None:
    """D80: v1 crashed."""
    response = await lab.system.process_request(NAME, request_)
    assert isinstance(response, Failure)
    assert response.code == "INVALID_REQUEST"


async def test_an_exception_nobody_foresaw_is_raised_and_told_without_its_text(
    lab: Lab, probe: Probe, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ZeroDivisionError):
        await lab.ask(NAME, "fail")
    assert await routed(lab) == [
        ("start", {"agent": NAME, "action": "fail"}),
        ("error", {"agent": NAME, "action": "fail", "error": "ZeroDivisionError"}),
    ]
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "what nobody is to see" not in record.getMessage()
    probe.error = TimeoutError("of its own")
    with pytest.raises(TimeoutError):
        await lab.ask(NAME, "fail")


# What belongs together


async def test_all_events_of_a_request_have_its_id_and_no_other(lab: Lab, probe: Probe) -> None:
    async def ask(number: int) -> None:
        request = {"action": "tell", "current_user": f"user{number}"}
        await lab.system.process_request(NAME, request, correlation_id=f"id{number}")

    await asyncio.gather(*map(ask, range(20)))
    await lab.system.services.emitter.settle()
    found: dict[str | None, list[Event]] = {}
    for event in lab.heard:
        found.setdefault(event.correlation_id, []).append(event)
    assert set(found) == {f"id{number}" for number in range(20)}
    for name, events in found.items():
        assert [event.type for event in events] == [
            EventType.AGENT_START,
            *(EventType.LOG_DEBUG, EventType.LOG_INFO, EventType.LOG_WARNING, EventType.LOG_ERROR),
            EventType.AGENT_COMPLETE,
        ]
        said = {event.payload.model_dump().get("message") for event in events} - {None}
        assert said == {f"user{(name or '').removeprefix('id')}"}


async def test_what_a_model_is_asked_for_belongs_to_its_request(lab: Lab, probe: Probe) -> None:
    request = {"action": "ask", "current_user": "ada"}
    await lab.system.process_request(NAME, request, correlation_id="mine")
    (event,) = await lab.events(EventType.TOKEN_USAGE)
    assert event.correlation_id == "mine"


async def test_a_request_has_an_id_of_its_own_or_that_of_what_it_belongs_to(lab: Lab, probe: Probe) -> None:
    await lab.done(NAME, "tell")
    await lab.done(NAME, "tell")
    with correlated("all of this"):
        await lab.done(NAME, "tell")
    names = [event.correlation_id for event in await lab.events(EventType.AGENT_START)]
    assert len(set(names)) == 3
    assert None not in names
    assert names[-1] == "all of this"


# Its time


async def test_a_request_that_takes_too_long_is_a_failure_and_stores_nothing(stored: Lab) -> None:
    probe = with_probe(stored)

    async def hang(_unit: UnitOfWork) -> None:
        await asyncio.sleep(3600)

    probe.inside = hang
    request = {"action": "say", "current_user": "ada", "project_id": "p1"}
    failure = await stored.system.process_request(NAME, request, timeout=0.1)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.details) == ("TIMEOUT", {"seconds": 0.1})
    assert await titles(stored) == []
    assert [event.type for event in await stored.events(*ROUTED, EventType.NOTE_ADDED)] == [
        EventType.AGENT_START,
        EventType.AGENT_COMPLETE,
    ]
    probe.inside = None
    await stored.done(NAME, "say", project_id="p1")


async def test_no_time_at_all_is_none(lab: Lab, probe: Probe) -> None:
    request = {"action": "wait", "current_user": "ada"}
    failure = await asyncio.wait_for(lab.system.process_request(NAME, request, timeout=0), 10)
    assert isinstance(failure, Failure)
    assert failure.code == "TIMEOUT"


@pytest.mark.parametrize("seconds", [-1, float("nan")])
async def test_a_time_that_is_none_is_refused(lab: Lab, probe: Probe, seconds: float) -> None:
    with pytest.raises(InvalidValueError):
        await lab.system.process_request(NAME, {"action": "wait", "current_user": "ada"}, timeout=seconds)


async def test_the_setting_says_how_much_time_there_is(tmp_path: Path) -> None:
    async with fresh_system(tmp_path, settings={"request_timeout": 0.05}) as lab:
        with_probe(lab)
        assert (await lab.refused(NAME, "wait")).details == {"seconds": 0.05}


async def test_who_is_cancelled_ends_the_models_request_and_stores_nothing(tmp_path: Path) -> None:
    """D47: v1's requests ran in threads, which nobody can cancel."""
    async with fresh_system(tmp_path, SLOW) as lab:
        await with_people(lab, "ada")
        await with_project(lab)
        probe = with_probe(lab)

        async def ask_a_model() -> None:
            await lab.system.services.llm.generate_response_async("Hello")

        probe.before = ask_a_model
        asked = asyncio.create_task(lab.ask(NAME, "say", project_id="p1"))
        await until(lambda: len(lab.server.requests) == 1)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await titles(lab) == []
        assert [kind for kind, _ in await routed(lab)] == ["start", "error"]
        (row,) = await lab.store.llm.usage("system")
        assert row.error_message == "stopped before its end"


async def test_a_cancelled_request_is_told_as_such(lab: Lab, probe: Probe) -> None:
    asked = asyncio.create_task(lab.ask(NAME, "wait"))
    await asyncio.sleep(0.01)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert (await routed(lab))[-1] == ("error", {"agent": NAME, "action": "wait", "error": "CancelledError"})


# Beginning and end


async def test_who_listens_before_it_opens_misses_nothing(tmp_path: Path) -> None:
    """D37: v1 told of its beginning before anybody could listen."""
    heard: list[Event] = []
    emitter = Emitter()
    for kind in (EventType.SYSTEM_INITIALIZED, EventType.KNOWLEDGE_LOADED, EventType.SYSTEM_SHUTDOWN):
        emitter.on(kind, heard.append)
    settings = Settings(index_dir=tmp_path / "index", llm_config=LLMConfig(claude_model="claude-opus-5-5"))
    path = fresh_file(tmp_path)
    async with Orchestrator.open(path, settings, emitter=emitter, embedder=WordEmbedder()) as system:
        entries = await system.services.store.knowledge_entries.count()
        await emitter.settle()
        assert [event.payload.model_dump(exclude={"agent"}) for event in heard] == [
            {"entry_count": entries, "error_count": 0, "status": "success"},
            {"version": __version__, "data_dir": str(tmp_path), "model": "claude-opus-5-5"},
        ]
        assert entries > 90
    assert [event.type for event in heard] == [
        EventType.KNOWLEDGE_LOADED,
        EventType.SYSTEM_INITIALIZED,
        EventType.SYSTEM_SHUTDOWN,
    ]


async def test_closing_waits_for_requests_that_are_under_way(tmp_path: Path) -> None:
    async with fresh_system(tmp_path) as lab:
        await with_people(lab, "ada")
        await with_project(lab)
        probe = with_probe(lab)
        probe.before = probe.gate.wait  # type: ignore[assignment]
        asked = asyncio.create_task(lab.ask(NAME, "say", project_id="p1"))
        await asyncio.sleep(0.01)
        closing = asyncio.create_task(lab.system.aclose())
        await asyncio.sleep(0.01)
        with pytest.raises(ClosedError):
            await lab.ask(NAME, "tell")
        assert not closing.done()
        probe.gate.set()
        assert (await asked).status == "success"
        await closing
        assert [event.type for event in lab.heard][-2:] == [EventType.AGENT_COMPLETE, EventType.SYSTEM_SHUTDOWN]
        await lab.system.aclose()  # once more does nothing


async def test_what_does_not_end_is_stopped_at_the_end(tmp_path: Path) -> None:
    async with fresh_system(tmp_path, settings={"close_timeout": 0.05}) as lab:
        with_probe(lab)
        asked = asyncio.create_task(lab.ask(NAME, "wait"))
        await asyncio.sleep(0.01)
        await lab.system.aclose()
        with pytest.raises(ClosedError):
            await asked
        assert EventType.AGENT_ERROR in [event.type for event in lab.heard]


async def test_a_system_can_be_awaited_and_closed(tmp_path: Path) -> None:
    system = await Orchestrator.open(fresh_file(tmp_path), knowledge=False)
    await system.aclose()
    with pytest.raises(ClosedError):
        await system.process_request("note_manager", {"action": "list_notes"})


async def test_what_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    emitter = Emitter()
    settings = Settings(llm_config=LLMConfig(claude_model="two\nlines"))
    path = fresh_file(tmp_path)
    with pytest.raises(ConfigurationError):
        await Orchestrator.open(path, settings, emitter=emitter, knowledge=False)
    with pytest.raises(ClosedError):
        emitter.emit(EventType.SYSTEM_SHUTDOWN)
    async with Store.open(path):
        pass


async def test_without_a_knowledge_base_what_needs_one_says_how_to_have_it(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match=r"socrates\[knowledge\]"):
        _ = lab.system.services.known


# One after another


async def test_requests_are_answered_side_by_side(lab: Lab, probe: Probe) -> None:
    asked = [asyncio.create_task(lab.ask(NAME, "wait")) for _ in range(20)]
    await until(lambda: probe.waiting == 20)
    probe.gate.set()
    await asyncio.gather(*asked)


async def test_without_use_async_requests_never_overlap(tmp_path: Path) -> None:
    async with fresh_system(tmp_path, settings={"use_async": False}) as lab:
        probe = with_probe(lab)
        probe.gate.set()
        asked = [asyncio.create_task(lab.ask(NAME, "wait")) for _ in range(20)]
        await asyncio.sleep(0)  # one is at work now, and the others wait
        asked[3].cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        assert probe.most_at_once == 1
        kinds = [kind for kind, _ in await routed(lab)]
        assert kinds == ["start", "complete"] * 19


async def test_without_use_async_a_request_can_be_made_inside_another(tmp_path: Path) -> None:
    """Whoever takes the pieces waits for it, and it does not wait for whoever waits."""
    async with fresh_system(tmp_path, settings={"use_async": False}) as lab:
        probe = with_probe(lab)
        probe.gate.set()
        inner: list[str] = []

        async def on_piece(_piece: str) -> None:
            inner.append((await lab.ask(NAME, "wait")).status)

        stream = {"action": "stream", "current_user": "ada"}
        async with asyncio.timeout(30):
            outer = await lab.system.process_request(NAME, stream, on_piece=on_piece)
            assert (outer.status, inner) == ("success", ["success", "success"])
            assert (await lab.ask(NAME, "wait")).status == "success"


async def test_a_request_in_its_form_is_routed_like_a_mapping(lab: Lab) -> None:
    agent = lab.system.agents["note_manager"]
    given: Mapping[str, Any] = {"current_user": "ada", "project_id": "p1"}
    request = agent.request_of("list_notes").model_validate({"action": "list_notes", **given})
    response: Any = await lab.system.process_request("note_manager", request)
    assert (response.status, response.notes) == ("success", ())
