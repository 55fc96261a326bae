"""Streams that never end: what they may bring, and how long they are waited for."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from socrates.errors import LLMConfigurationError
from socrates.llm.claude import client as module
from socrates.llm.claude.client import Claude
from socrates.llm.provider import ProviderError
from tests.unit.llm.claudes import HAIKU, KEY, a_request


def event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


MESSAGE = {"id": "m", "type": "message", "role": "assistant", "model": HAIKU, "content": [], "stop_reason": None}
BEGINNING = event("message_start", message={**MESSAGE, "usage": {"input_tokens": 5, "output_tokens": 1}})
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"

TEXT = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "word " * 400})
THOUGHT = event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm"})
COUNT = event("message_delta", delta={"stop_reason": None}, usage={"output_tokens": 3})


@asynccontextmanager
async def claude_at_endless(repeated: bytes, pause: float = 0, seconds: float = 30) -> AsyncIterator[Claude]:
    """At a server whose one answer repeats these bytes until nobody listens any more."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD + BEGINNING)
            while not writer.is_closing():
                writer.write(repeated)
                await writer.drain()
                await asyncio.sleep(pause)
        over.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        claude = Claude(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seconds)
        try:
            yield claude
        finally:
            await claude.aclose()
            await over.wait()


async def failure(claude: Claude) -> ProviderError:
    async with asyncio.timeout(20):
        with pytest.raises(ProviderError) as caught:
            async for _ in claude.stream(a_request(max_tokens=10), KEY):
                pass
    return caught.value


@pytest.mark.parametrize("repeated", [TEXT, THOUGHT, COUNT, event("something_new")])
async def test_a_stream_brings_no_more_than_its_limit_of_tokens_can_hold(repeated: bytes) -> None:
    async with claude_at_endless(repeated) as claude:
        error = await failure(claude)

    assert "beyond its limit of tokens" in str(error)
    assert (error.error_type, error.is_transient) == ("GENERATION_ERROR", False)


async def test_a_stream_of_drops_is_not_waited_for_longer_than_its_tokens_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LONGEST_WAIT_FOR_TOKEN", 0.01)
    async with claude_at_endless(TEXT, pause=0.05, seconds=0.5) as claude:
        error = await failure(claude)

    assert error.error_type == "TIMEOUT"


async def test_the_time_that_its_reader_takes_is_not_the_stream_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_WAIT_FOR_TOKEN", 0.01)
    async with claude_at_endless(TEXT, seconds=0.5) as claude:
        stream = claude.stream(a_request(max_tokens=10), KEY)
        for _ in range(3):
            await anext(stream)
            await asyncio.sleep(0.4)
        assert await anext(stream)
        await stream.aclose()


@pytest.mark.parametrize(
    ("name", "value"), [("SSL_CERT_FILE", "/nowhere"), ("HTTPS_PROXY", "http://ada:secret-word@proxy:port")]
)
async def test_an_environment_that_no_connection_can_be_made_with_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(LLMConfigurationError, match=name) as caught:
        await Claude("http://127.0.0.1:9").complete(a_request(), KEY)

    assert "secret-word" not in f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"
    assert caught.value.error_type == "CONFIGURATION_ERROR"
