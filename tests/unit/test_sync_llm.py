"""`sync.LLMClient`: language models for scripts."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from pydantic import SecretStr

from socrates import sync
from socrates.config import LLMConfig, Settings
from socrates.drafts import NewEntry, NewMessage
from socrates.errors import ClosedError, LLMConfigurationError, LLMError, ProjectNotFoundError
from socrates.llm.briefing import Briefing
from socrates.llm.caller import Caller
from socrates.llm.client import LLMClient
from socrates.llm.demo.protocol import Answer, Failure, Reply, StreamError
from socrates.llm.demo.server import ModelServer
from socrates.llm.results import Piece
from socrates.views import Usage
from tests.support.knowledge import WordEmbedder
from tests.support.llm import KEY
from tests.support.model_server import ScriptedModel
from tests.support.stores import fresh_file

ADA = Caller("ada")
WORDS = "one two three four five six seven eight nine ten " * 5


@dataclass
class Desk:
    """A client, and what is around it."""

    client: sync.LLMClient
    store: sync.Store
    server: ModelServer
    project_id: str

    def rows(self, user_id: str = "ada") -> tuple[Usage, ...]:
        return self.store.llm.usage(user_id)  # type: ignore[no-any-return]


@contextmanager
def a_desk(directory: Path, *script: Reply, **opening: Any) -> Iterator[Desk]:
    with ModelServer(ScriptedModel(script)) as server:
        config = LLMConfig(claude_base_url=server.url, llm_retry_delay=0.001)
        with sync.Store.open(fresh_file(directory), Settings(llm_config=config)) as store:
            with store.begin() as unit:
                project = unit.projects.create("Reading Room", "ada", goals="Lend books")
                unit.conversations.append(project.id, NewMessage("user", "It must lend books."))
            given = {"key": SecretStr(KEY)} | opening
            with sync.LLMClient.open(store, **given) as client:
                yield Desk(client, store, server, project.id)


def test_an_operation_is_called_without_await_and_without_its_suffix(tmp_path: Path) -> None:
    events: list[tuple[str, Mapping[str, Any]]] = []
    with a_desk(tmp_path, tell=lambda name, payload: events.append((name, payload))) as desk:
        project = sync.brief(desk.store, desk.project_id)
        assert [message.content for message in project.messages] == ["It must lend books."]
        question = desk.client.generate_socratic_question(project, 0, caller=ADA)
        assert question.value.endswith("?")
        assert desk.rows() == question.usage
        assert desk.client.monitor.calls == 1
        assert [name for name, _ in events] == ["token.usage"]
        (request,) = desk.server.requests
        assert request.task == "generate_socratic_question"


def test_every_operation_is_there_under_one_name(tmp_path: Path) -> None:
    with a_desk(tmp_path) as desk:
        names = {name for name in dir(LLMClient) if not name.startswith("_")}
        shown = {name for name in dir(desk.client) if not name.startswith("_")}
        assert shown == {name.removesuffix("_async") for name in names - {"aclose"}} | {"close", "open", "monitor"}
        assert not [name for name in names if name.endswith("_async") and hasattr(desk.client, name)]
        assert not hasattr(desk.client, "aclose")
        assert not hasattr(desk.client, "nothing")
        assert "answer" in (desk.client.answer_question.__doc__ or "")
        for name in shown - {"monitor"}:
            assert callable(getattr(desk.client, name))


def test_a_project_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with a_desk(tmp_path) as desk, pytest.raises(ProjectNotFoundError):
        sync.brief(desk.store, "nowhere")


def test_errors_come_through_as_they_are(tmp_path: Path) -> None:
    with a_desk(tmp_path, Failure(401, "authentication_error", "no"), key=SecretStr(KEY)) as desk:
        with pytest.raises(LLMError) as raised:
            desk.client.generate_response("hello", caller=ADA)
        assert (raised.value.error_type, raised.value.status) == ("AUTHENTICATION_ERROR", 401)
        with pytest.raises(LLMConfigurationError):
            desk.client.resolve_credentials(provider="nobody")
        assert [row.success for row in desk.rows()] == [False]


def test_prompts_are_told_what_is_known(tmp_path: Path) -> None:
    with a_desk(tmp_path) as desk, sync.KnowledgeBase.open(desk.store, WordEmbedder()) as knowledge:
        knowledge.add(NewEntry("A book may be kept for three weeks.", "rules"))
        with sync.LLMClient.open(desk.store, knowledge=knowledge, key=SecretStr(KEY)) as client:
            answer = client.answer_question("how long may a book be kept")
        assert len(answer.value.sources) == 1
        assert "three weeks" in desk.server.requests[0].user


# Streams


def test_a_stream_that_is_collected_in_the_loop_s_own_thread_holds_nobody_up(tmp_path: Path) -> None:
    async def collect() -> None:
        stream.close()  # as the garbage collector would, which runs in any thread

    with a_desk(tmp_path, Answer(WORDS, delay_between=30)) as desk:
        stream = desk.client.stream_response("hello", caller=ADA)
        next(stream)
        began = perf_counter()
        desk.store._loop.run(collect())
        assert perf_counter() - began < 5
    with sync.Store.open(tmp_path / "projects.db") as store:
        (row,) = store.llm.usage("ada")
        assert row.error_message == "stopped before its end"


def test_a_stream_is_an_iterator_whose_pieces_come_as_they_are_sent(tmp_path: Path) -> None:
    with a_desk(tmp_path, Answer(WORDS), Answer(WORDS, delay_between=0.2)) as desk:
        pieces = list(desk.client.stream_response("hello", caller=ADA))  # loads the SDK
        assert "".join(piece.text for piece in pieces) == WORDS
        assert pieces[-1].result.value == WORDS.strip()
        began = time.perf_counter()
        stream = desk.client.stream_response("hello", caller=ADA)
        next(stream)
        first = time.perf_counter() - began
        rest = list(stream)
        assert len(rest) >= 3
        assert first < (time.perf_counter() - began) / 2
        assert desk.rows() == rest[-1].result.usage + pieces[-1].result.usage


STREAMS: Mapping[str, Callable[[sync.LLMClient, Briefing], Iterator[Piece[Any]]]] = {
    "response": lambda client, project: client.stream_response("hello"),
    "answer": lambda client, project: client.stream_answer("what is missing?", project),
    "artifact": lambda client, project: client.stream_artifact(project),
    "documentation": lambda client, project: client.stream_documentation(project, None),
}


@pytest.mark.parametrize("kind", STREAMS)
def test_every_stream_ends_with_its_result(tmp_path: Path, kind: str) -> None:
    with a_desk(tmp_path) as desk:
        *texts, last = STREAMS[kind](desk.client, sync.brief(desk.store, desk.project_id))
        assert last.result is not None
        assert last.result.usage == desk.rows("system")
    assert texts


def test_a_stream_that_nobody_reads_is_not_begun(tmp_path: Path) -> None:
    with a_desk(tmp_path) as desk:
        desk.client.stream_response("hello", caller=ADA)
        assert desk.rows() == ()
    assert not desk.server.requests


@pytest.mark.parametrize("how", ["close", "leave"])
def test_a_stream_that_is_left_early_is_accounted_by_then(tmp_path: Path, how: str) -> None:
    with a_desk(tmp_path, Answer(WORDS, delay_between=1)) as desk:
        began = time.perf_counter()
        stream = desk.client.stream_response("hello", caller=ADA)
        if how == "close":
            next(stream)
            stream.close()
        else:
            for _ in stream:
                break
            del stream
        (row,) = desk.rows()
        assert (row.success, row.error_message) == (False, "stopped before its end")
        assert row.input_tokens
        assert time.perf_counter() - began < 5


def test_a_stream_that_fails_gives_what_came_and_then_its_error(tmp_path: Path) -> None:
    with a_desk(tmp_path, StreamError(2, "overloaded_error", "too much")) as desk:
        stream = desk.client.stream_response("hello", caller=ADA)
        assert next(stream).text
        assert next(stream).text
        with pytest.raises(LLMError, match="too much"):
            next(stream)
        assert len(desk.rows()) == 1


def test_a_stream_ends_and_is_accounted_when_its_client_is_closed(tmp_path: Path) -> None:
    with a_desk(tmp_path, Answer(WORDS, delay_between=30)) as desk:
        with sync.LLMClient.open(desk.store, key=SecretStr(KEY)) as client:
            stream = client.stream_response("hello", caller=ADA)
            next(stream)
        (row,) = desk.rows()
        assert row.error_message == "stopped before its end"
        with pytest.raises(ClosedError):
            list(stream)


def test_a_client_that_outlives_its_store_says_so(tmp_path: Path) -> None:
    with sync.Store.open(fresh_file(tmp_path)) as store:
        client = sync.LLMClient.open(store, key=SecretStr(KEY))
    for call in (client.close, lambda: next(client.stream_response("hello")), client.test_connection):
        with pytest.raises(ClosedError, match="open it again"):
            call()


def test_threads_share_a_client(tmp_path: Path) -> None:
    with a_desk(tmp_path) as desk, ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda number: desk.client.generate_response(f"{number}", caller=ADA), range(16)))
        assert {row.id for result in told for row in result.usage} == {row.id for row in desk.rows()}
        assert len(desk.rows()) == 16
