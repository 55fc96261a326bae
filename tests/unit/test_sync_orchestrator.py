"""`sync.Orchestrator`: the Socratic system for scripts."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from socrates import sync
from socrates.agents.contracts.base import Failure
from socrates.agents.contracts.notes import ListNotes
from socrates.config import LLMConfig, Settings
from socrates.errors import ClosedError, ConfigurationError
from socrates.events import Emitter, Event, EventType, correlated
from socrates.llm.demo.protocol import Answer, Reply
from socrates.llm.demo.server import ModelServer
from tests.support.llm import KEY
from tests.support.model_server import ScriptedModel
from tests.support.stores import fresh_file

WORDS = "one two three four five six seven eight nine ten " * 5
NOTE = {"project_id": "p1", "note_type": "idea", "title": "Lending", "content": "By phone."}


@contextmanager
def a_system(directory: Path, *script: Reply, heard: list[Event] | None = None) -> Iterator[sync.Orchestrator]:
    """One with ada and a project of hers."""
    path, emitter = fresh_file(directory), Emitter()
    with sync.Store.open(path) as store, store.begin() as unit:
        unit.users.create("ada", "", subscription_tier="pro")
        unit.projects.create("Reading Room", "ada", project_id="p1")
    if heard is not None:
        for kind in EventType:
            emitter.on(kind, heard.append)
    with ModelServer(ScriptedModel(script)) as server:
        settings = Settings(llm_config=LLMConfig(claude_base_url=server.url), close_timeout=20)
        with sync.Orchestrator.open(path, settings, emitter=emitter, knowledge=False, key=SecretStr(KEY)) as system:
            yield system


def ask(system: sync.Orchestrator, agent: str, action: str, **fields: Any) -> Any:
    return system.process_request(agent, {"action": action, "current_user": "ada", **fields})


def test_a_request_is_answered_without_await(tmp_path: Path) -> None:
    with a_system(tmp_path) as system:
        added = ask(system, "note_manager", "add_note", **NOTE)
        assert added.status == "success"
        listed: Any = system.process_request("note_manager", ListNotes(current_user="ada", project_id="p1"))
        assert [note.note_id for note in listed.notes] == [added.note.note_id]
        assert ask(system, "nobody", "dance").code == "UNKNOWN_AGENT"


def test_pieces_are_handed_out_in_the_callers_thread(tmp_path: Path) -> None:
    pieces: list[tuple[str, int]] = []
    request = {"action": "generate_artifact", "current_user": "ada", "project_id": "p1"}
    with a_system(tmp_path, Answer(WORDS)) as system:
        response: Any = system.process_request(
            "code_generator", request, on_piece=lambda piece: pieces.append((piece, threading.get_ident()))
        )
    assert response.artifact == "".join(piece for piece, _ in pieces)
    assert len(pieces) > 1
    assert {thread for _, thread in pieces} == {threading.get_ident()}


def test_who_breaks_off_stops_the_model(tmp_path: Path) -> None:
    heard: list[Event] = []
    request = {"action": "generate_artifact", "current_user": "ada", "project_id": "p1"}

    def break_off(_piece: str) -> None:
        raise KeyboardInterrupt

    with a_system(tmp_path, Answer(WORDS, delay_between=5), heard=heard) as system:
        with pytest.raises(KeyboardInterrupt):
            system.process_request("code_generator", request, on_piece=break_off)
        stats = ask(system, "system_monitor", "get_stats")
        assert (stats.api_calls, stats.failed_calls) == (1, 1)
    told = [event.type for event in heard]
    assert EventType.AGENT_ERROR in told
    assert EventType.CODE_GENERATED not in told


def test_a_request_has_its_time(tmp_path: Path) -> None:
    request = {"action": "generate_artifact", "current_user": "ada", "project_id": "p1"}
    with a_system(tmp_path, Answer(WORDS, delay=60)) as system:
        response = system.process_request("code_generator", request, timeout=0.1, on_piece=print)
        assert isinstance(response, Failure)
        assert response.code == "TIMEOUT"


def test_listeners_hear_all_with_the_callers_id(tmp_path: Path) -> None:
    heard: list[Event] = []
    with a_system(tmp_path, heard=heard) as system:
        with correlated("from outside"):
            ask(system, "note_manager", "add_note", **NOTE)
        system.process_request(
            "note_manager", {"action": "list_notes", "current_user": "ada", "project_id": "p1"}, correlation_id="given"
        )
    told = [(event.type, event.correlation_id) for event in sorted(heard, key=lambda event: event.number)]
    assert [kind for kind, _ in told] == [
        EventType.SYSTEM_INITIALIZED,
        *(EventType.AGENT_START, EventType.NOTE_ADDED, EventType.AGENT_COMPLETE),
        *(EventType.AGENT_START, EventType.AGENT_COMPLETE),
        EventType.SYSTEM_SHUTDOWN,
    ]
    assert [name for _, name in told[1:-1]] == ["from outside"] * 3 + ["given"] * 2


def test_threads_share_a_system(tmp_path: Path) -> None:
    with a_system(tmp_path) as system, ThreadPoolExecutor(8) as threads:
        added = [threads.submit(ask, system, "note_manager", "add_note", **NOTE) for _ in range(24)]
        assert len({each.result().note.note_id for each in added}) == 24


def test_a_closed_system_answers_nobody(tmp_path: Path) -> None:
    with a_system(tmp_path) as system:
        pass
    system.close()
    with pytest.raises(ClosedError):
        ask(system, "note_manager", "list_notes", project_id="p1")


def test_what_cannot_be_opened_leaves_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(ConfigurationError):
        sync.Orchestrator.open("mysql://nowhere/projects")
    assert threading.active_count() == before
