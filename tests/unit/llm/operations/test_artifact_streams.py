"""Artifacts and documentation that come in piece by piece, against the local model server."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from socrates.errors import LLMError, LLMErrorType
from socrates.llm.client import LLMClient
from socrates.llm.demo.answers import demo_reply
from socrates.llm.demo.protocol import Answer, Drop, Failure, Raw, Reply, StreamError
from socrates.llm.results import Artifact, Piece
from socrates.views import Usage
from tests.support.llm import Lab, a_briefing, fresh_lab
from tests.support.model_server import OVERLOADED, until

Stream = Callable[[LLMClient], AsyncGenerator[Piece[Artifact], None]]

STREAMS: dict[str, Stream] = {
    "code": lambda client: client.stream_artifact_async(a_briefing("What for?", "To lend books")),
    "curriculum": lambda client: client.stream_artifact_async(a_briefing(project_type="educational")),
    "documentation": lambda client: client.stream_documentation_async(a_briefing(), "def lend(): ...", "code"),
}

PIECE = "A line of 48 characters, which is one piece; so\n"

LONG = Answer(PIECE * 20)

SLOW = Answer(PIECE * 20, delay_between=30)
"""Its first piece comes at once."""

every_stream = pytest.mark.parametrize("kind", STREAMS)


async def read_into(read: list[str], pieces: AsyncGenerator[Piece[Artifact], None]) -> None:
    """Keeps what came, also before an error."""
    async for piece in pieces:
        read.append(piece.text)  # noqa: PERF401


async def the_only_row(lab: Lab) -> Usage:
    """What was accounted, when the client has nothing more to account; there is a place for the next request."""
    await until(lambda: lab.client.monitor.calls > 0)
    async with asyncio.timeout(5):
        await lab.client.generate_response_async("Is there a place?")
    _, row = await lab.rows()
    return row


@every_stream
async def test_the_pieces_are_the_result_which_comes_last_with_its_usage(tmp_path: Path, kind: str) -> None:
    async with fresh_lab(tmp_path) as lab:
        pieces = [piece async for piece in STREAMS[kind](lab.client)]
        (row,) = await lab.rows()
    (request,) = lab.server.requests
    *texts, last = pieces
    assert last.result is not None
    assert last.text == ""
    assert last.result.value.text == "".join(piece.text for piece in texts) == demo_reply(request).text
    assert last.result.value.artifact_type == kind
    assert "Reading Room" in last.result.value.context
    assert last.result.usage == (row,)
    assert row.success
    assert len(texts) > 5
    assert all(piece.text and piece.result is None for piece in texts)


@every_stream
async def test_a_stream_that_is_cut_off_says_so_at_its_end(tmp_path: Path, kind: str) -> None:
    async with fresh_lab(tmp_path, Answer("word " * 10_000), llm_artifact_tokens=50) as lab:
        *_, last = [piece async for piece in STREAMS[kind](lab.client)]
    assert last.result is not None
    assert last.result.truncated


@every_stream
async def test_a_reader_that_closes_early_is_accounted_once(tmp_path: Path, kind: str) -> None:
    async with fresh_lab(tmp_path, SLOW, llm_concurrency=1) as lab:
        async with aclosing(STREAMS[kind](lab.client)) as pieces:
            first = await anext(pieces)
        assert first == Piece(PIECE)
        row = await the_only_row(lab)
    assert (row.operation, row.success) == (f"generate_{kind}", False)
    assert row.error_message == "stopped before its end"
    assert row.input_tokens + row.cache_write_tokens > 0
    assert lab.client.monitor.calls == 2


async def test_a_reader_that_just_leaves_is_accounted_once(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, SLOW, llm_concurrency=1) as lab:
        async for piece in STREAMS["code"](lab.client):
            assert piece == Piece(PIECE)
            break
        gc.collect()
        row = await the_only_row(lab)
    assert (row.operation, row.success) == ("generate_code", False)
    assert row.error_message == "stopped before its end"
    assert lab.client.monitor.calls == 2


async def test_a_reader_that_fails_is_accounted_and_its_error_stays_its_own(tmp_path: Path) -> None:
    async def reader(client: LLMClient) -> None:
        async with aclosing(STREAMS["code"](client)) as pieces:
            async for _ in pieces:
                raise ZeroDivisionError

    async with fresh_lab(tmp_path, LONG, llm_concurrency=1) as lab:
        with pytest.raises(ZeroDivisionError):
            await reader(lab.client)
        row = await the_only_row(lab)
    assert row.error_message == "stopped before its end"
    assert lab.payloads("log.error") == []


async def test_a_stream_that_nobody_reads_asks_for_nothing(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path) as lab:
        await STREAMS["code"](lab.client).aclose()
        assert await lab.rows() == ()
    assert lab.server.requests == []


@every_stream
@pytest.mark.parametrize("reply", [Answer("late", delay=30), SLOW], ids=["before the first piece", "in the middle"])
async def test_a_reader_that_is_cancelled_is_accounted_once(tmp_path: Path, kind: str, reply: Answer) -> None:
    read: list[str] = []
    async with fresh_lab(tmp_path, reply, llm_concurrency=1) as lab:
        task = asyncio.create_task(read_into(read, STREAMS[kind](lab.client)))
        await until(lambda: bool(read or (reply is not SLOW and lab.server.requests)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        row = await the_only_row(lab)
    assert read == ([PIECE] if reply is SLOW else [])
    assert row.error_message == "stopped before its end"
    assert (row.input_tokens + row.cache_write_tokens > 0) == (reply is SLOW)
    assert lab.client.monitor.calls == 2


async def test_a_readers_own_time_limit_is_no_time_out_of_the_model(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, SLOW) as lab:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read_into([], STREAMS["code"](lab.client)), 0.2)
        row = await the_only_row(lab)
    assert row.error_message == "stopped before its end"


@every_stream
@pytest.mark.parametrize(
    ("reply", "error_type"),
    [
        (StreamError(3, "overloaded_error", "too many"), "GENERATION_ERROR"),
        (StreamError(3, "rate_limit_error", "slower"), "RATE_LIMITED"),
        (Drop(after_pieces=3), "CONNECTION_ERROR"),
        (SLOW, "TIMEOUT"),
    ],
    ids=["overloaded", "limited", "dropped", "silent"],
)
async def test_what_breaks_in_the_middle_is_raised_and_not_sent_again(
    tmp_path: Path, kind: str, reply: Reply, error_type: LLMErrorType
) -> None:
    read: list[str] = []
    async with fresh_lab(tmp_path, reply, llm_timeout=1.5 if reply is SLOW else 30, llm_concurrency=1) as lab:
        with pytest.raises(LLMError) as raised:
            await read_into(read, STREAMS[kind](lab.client))
        assert len(lab.server.requests) == 1
        row = await the_only_row(lab)
    assert raised.value.error_type == error_type
    assert len(read) == (1 if reply is SLOW else 3)
    assert (row.error_message or "").startswith(error_type)
    assert row.input_tokens + row.cache_write_tokens > 0
    assert [told["error_type"] for told in lab.payloads("log.error")] == [error_type]


@every_stream
async def test_what_fails_before_the_first_piece_is_sent_again(tmp_path: Path, kind: str) -> None:
    failures = (OVERLOADED, Failure(500, "api_error", "again"), Drop())
    async with fresh_lab(tmp_path, *failures, LONG) as lab:
        *texts, _ = [piece.text async for piece in STREAMS[kind](lab.client)]
        (row,) = await lab.rows()
    assert "".join(texts) == LONG.text
    assert row.success
    assert len(lab.server.requests) == 4


async def test_what_fails_for_ever_is_raised_before_the_first_piece(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, reply=lambda _: OVERLOADED, llm_max_retries=2) as lab:
        with pytest.raises(LLMError) as raised:
            await anext(STREAMS["code"](lab.client))
        (row,) = await lab.rows()
    assert raised.value.status == 529
    assert not row.success
    assert len(lab.server.requests) == 3


async def test_a_reader_may_take_longer_than_the_model(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, LONG, llm_timeout=1) as lab:
        texts = []
        async for piece in STREAMS["code"](lab.client):
            texts.append(piece.text)
            if len(texts) in {1, 3}:
                await asyncio.sleep(1.3)
        (row,) = await lab.rows()
    assert "".join(texts) == LONG.text
    assert row.success


async def test_streams_run_side_by_side(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, reply=lambda request: Answer(f"{request.task}\n" * 50)) as lab:

        async def read(kind: str) -> str:
            return "".join([piece.text async for piece in STREAMS[kind](lab.client)])

        found = await asyncio.gather(*(read(kind) for kind in STREAMS))
        rows = await lab.rows()
    assert found == [f"generate_{kind}\n" * 50 for kind in STREAMS]
    assert {row.operation for row in rows} == {f"generate_{kind}" for kind in STREAMS}


async def test_a_reader_that_leaves_just_before_the_client_closes_is_accounted_by_then(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, SLOW) as lab:
        async for _ in lab.client.stream_artifact_async(a_briefing()):
            break
        await lab.client.aclose()
        (row,) = await lab.rows()
    assert row.error_message == "stopped before its end"


async def test_a_connection_that_is_dropped_after_the_whole_answer_spoils_nothing(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, Drop(after_bytes=10**9, answer=Answer("the whole")), llm_max_retries=0) as lab:
        result = await lab.client.generate_code_async(a_briefing())
    assert result.value.text == "the whole"


BROKEN_OFF = b"""event: message_start
data: {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": "claude-x",
data: "content": [], "stop_reason": null, "usage": {"input_tokens": 7, "output_tokens": 1}}}

event: message_delta
data: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}

"""


async def test_all_tokens_that_were_told_before_a_stream_broke_are_accounted(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, Raw(BROKEN_OFF, "text/event-stream")) as lab:
        with pytest.raises(LLMError, match="broke off"):
            await lab.client.generate_code_async(a_briefing())
        (row,) = await lab.rows()
    assert (row.success, row.model, row.input_tokens, row.output_tokens) == (False, "claude-x", 7, 9)
