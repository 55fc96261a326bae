"""The faults that a model server can play, as the vendor's SDK meets them, and how the server ends."""

import asyncio
import json
import logging
import socket
import threading
import time

import anthropic
import httpx2
import pytest

from socrates.llm.demo.protocol import Answer, Drop, Failure, ModelRequest, Raw, Reply, StreamError
from socrates.llm.demo.server import ModelServer
from tests.support.model_server import serving, until
from tests.unit.llm.demo.asking import answer, client_of, parameters, read_stream, text_of

SOON = 5.0
"""Seconds within which something that takes a few milliseconds has to happen."""


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "invalid_request_error", anthropic.BadRequestError),
        (401, "authentication_error", anthropic.AuthenticationError),
        (403, "permission_error", anthropic.PermissionDeniedError),
        (404, "not_found_error", anthropic.NotFoundError),
        (413, "request_too_large", anthropic.RequestTooLargeError),
        (429, "rate_limit_error", anthropic.RateLimitError),
        (500, "api_error", anthropic.InternalServerError),
        (529, "overloaded_error", anthropic.InternalServerError),
    ],
)
async def test_a_failure_is_the_sdks_error_of_its_status(status: int, kind: str, error: type[Exception]) -> None:
    with serving(*[Failure(status, kind, "what is wrong")] * 2) as server:
        with pytest.raises(error) as whole:
            await answer(server)
        with pytest.raises(error) as pieced:
            await read_stream(server, [])
    for raised in (whole.value, pieced.value):
        assert isinstance(raised, anthropic.APIStatusError)
        assert (raised.status_code, raised.type) == (status, kind)
        assert "what is wrong" in raised.message


async def test_the_sdk_waits_as_long_as_retry_after_says() -> None:
    with serving(Failure(429, "rate_limit_error", "slower", retry_after=0.25, headers={"x-extra": "1"})) as server:
        async with client_of(server).with_options(max_retries=1) as client:
            began = time.monotonic()
            await client.messages.create(**parameters())
    assert time.monotonic() - began >= 0.25
    assert len(server.requests) == 2


@pytest.mark.parametrize("reply", [Drop(), Drop(after_bytes=0), Drop(after_bytes=30), Drop(after_pieces=1)])
async def test_a_dropped_connection_is_a_connection_error(reply: Drop) -> None:
    with serving(reply) as server, pytest.raises(anthropic.APIConnectionError):
        await answer(server)


async def test_a_stream_drops_after_so_many_pieces() -> None:
    pieces: list[str] = []
    with serving(Drop(after_pieces=2)) as server, pytest.raises(httpx2.RemoteProtocolError):
        await read_stream(server, pieces)
    assert len(pieces) == 2


@pytest.mark.parametrize("after", [10, 500, 10**6])
async def test_a_stream_drops_after_so_many_bytes(after: int) -> None:
    with serving(Drop(after_bytes=after)) as server, pytest.raises(httpx2.RemoteProtocolError):
        await read_stream(server, [])


async def test_a_stream_fails_after_so_many_pieces() -> None:
    pieces: list[str] = []
    reply = StreamError(2, "overloaded_error", "too much to do")
    with serving(reply) as server, pytest.raises(anthropic.APIStatusError, match="too much to do"):
        await read_stream(server, pieces)
    assert len(pieces) == 2


async def test_an_error_of_a_stream_is_a_failure_where_nothing_is_streamed() -> None:
    reply = StreamError(2, "api_error", "broken")
    with serving(reply) as server, pytest.raises(anthropic.InternalServerError, match="broken"):
        await answer(server)


async def test_a_raw_body_arrives_as_it_is() -> None:
    with serving(Raw(b"{"), Raw(b"<html>", "text/html", status=502)) as server:
        with pytest.raises(json.JSONDecodeError):
            await answer(server)
        with pytest.raises(anthropic.InternalServerError):
            await answer(server)


async def test_a_slow_answer_comes_late_and_a_slow_stream_piece_by_piece() -> None:
    slow = Answer("word " * 30, delay=0.1, delay_between=0.05)
    with serving(slow, slow) as server:
        began = time.monotonic()
        await answer(server)
        whole, began = time.monotonic() - began, time.monotonic()
        await read_stream(server, pieces := [])
    assert whole >= 0.1
    assert time.monotonic() - began >= 0.1 + 0.05 * (len(pieces) - 1) > 0.1


@pytest.mark.parametrize("slow", [Answer(delay=600), Answer("word " * 30, delay_between=600)])
async def test_a_stop_ends_slow_answers_at_once(slow: Answer) -> None:
    with serving(slow, slow) as server:
        asked = asyncio.gather(read_stream(server, []), read_stream(server, []), return_exceptions=True)
        await until(lambda: server.most_at_once == 2)
        began = time.monotonic()
        await asyncio.to_thread(server.stop)
        assert time.monotonic() - began < SOON
    assert all(isinstance(error, anthropic.APIConnectionError | httpx2.TransportError) for error in await asked)


@pytest.mark.parametrize("slow", [Answer(delay=600), Answer("word " * 30, delay_between=600)])
async def test_an_answer_ends_when_its_client_is_gone(slow: Answer) -> None:
    with serving(slow) as server:
        waiting = asyncio.create_task(read_stream(server, []))
        await until(lambda: server.most_at_once == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await until(lambda: not any(thread.name == "model-server-connection" for thread in threading.enumerate()))
    assert server.answered == 0


async def test_a_stop_leaves_no_thread_and_no_open_port() -> None:
    before = set(threading.enumerate())
    with serving() as server:
        port = int(server.url.rpartition(":")[2])
        async with client_of(server) as client:
            await asyncio.gather(*(client.messages.create(**parameters()) for _ in range(5)))
            with socket.create_connection(("127.0.0.1", port), timeout=SOON):
                server.stop()
    assert {thread for thread in threading.enumerate() if thread.name.startswith("model-server")} <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=SOON)


async def test_a_stop_waits_for_a_reply_function_that_is_at_work() -> None:
    working = threading.Event()

    def slow(_request: ModelRequest) -> Reply:
        working.set()
        time.sleep(0.3)
        return Answer("too late")

    with ModelServer(slow) as server:
        asked = asyncio.create_task(answer(server))
        await asyncio.to_thread(working.wait, SOON)
        server.stop()
        assert not any(thread.name.startswith("model-server") for thread in threading.enumerate())
    with pytest.raises(anthropic.APIConnectionError):
        await asked


async def test_a_server_starts_again_after_a_stop() -> None:
    server = ModelServer()
    for _ in range(2):
        with server:
            with pytest.raises(RuntimeError, match="runs already"):
                server.start()
            assert text_of(await answer(server, task="test_connection")) == "OK"
        with pytest.raises(RuntimeError, match="does not run"):
            _ = server.url
    assert server.answered == 2


async def test_a_bug_in_the_reply_function_is_a_failure_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken(request: ModelRequest) -> Reply:
        raise ZeroDivisionError(request.task)

    caplog.set_level(logging.ERROR, "socrates.llm.demo")
    with ModelServer(broken) as server, pytest.raises(anthropic.InternalServerError, match="ZeroDivisionError"):
        await answer(server)
    assert "ZeroDivisionError" in caplog.text
