"""Where Claude's requests go, what goes with them, and how long they are waited for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from socrates.errors import ConfigurationError
from socrates.llm.claude.client import Claude
from socrates.llm.demo.protocol import Answer, Failure
from socrates.llm.provider import Completion, ProviderError
from tests.support.model_server import serving, until
from tests.unit.llm.claudes import KEY, a_request, claude_at, streamed

LONG = "One word after the other. " * 15
"""Of nine pieces."""


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    with serving() as elsewhere:
        moved = Failure(status, "moved", "over there", headers={"location": f"{elsewhere.url}/v1/messages"})

        async with claude_at(moved) as (claude, _):
            with pytest.raises(ProviderError, match="Redirects are not followed") as caught:
                await claude.complete(a_request(), KEY)

        assert elsewhere.answered == 0
    error = caught.value
    assert (error.error_type, error.status, error.is_transient) == ("GENERATION_ERROR", status, False)


async def test_a_proxy_of_the_environment_is_not_given_a_key_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("all_proxy", proxy.url)
        async with claude_at(Answer("good")) as (claude, server):
            assert (await claude.complete(a_request(), KEY)).text == "good"
            await until(lambda: server.answered == 1)
        assert proxy.answered == 0


@asynccontextmanager
async def claude_at_bytes(
    answer: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]], seconds: float = 30
) -> AsyncIterator[Claude]:
    """At a server of which `answer` gets the head of each request, and writes what it likes."""

    ended: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.Event())
        with contextlib.suppress(ConnectionError):
            await answer(await reader.readuntil(b"\r\n\r\n"), writer)
            writer.close()
            await writer.wait_closed()
        ended[-1].set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        claude = Claude(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seconds)
        try:
            yield claude
        finally:
            await claude.aclose()
            for end in ended:
                await end.wait()


async def test_a_cookie_that_one_user_was_given_goes_with_nobodys_requests() -> None:
    heads: list[bytes] = []

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(b"HTTP/1.1 400 no\r\nset-cookie: session=adas; Path=/\r\nconnection: close\r\n\r\n{}")

    async with claude_at_bytes(answer) as claude:
        for key in ("sk-of-ada", "sk-of-bob"):
            with pytest.raises(ProviderError):
                await claude.complete(a_request(), SecretStr(key))

    assert len(heads) == 2
    assert b"sk-of-bob" in heads[1]
    assert b"cookie" not in heads[1].lower()


@pytest.mark.parametrize(
    ("head", "drop"), [(b"application/json", b" "), (b"text/event-stream", b"event: ping\ndata: {}\n\n")]
)
async def test_an_answer_that_comes_in_drops_is_not_waited_for(head: bytes, drop: bytes) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nconnection: close\r\n\r\n" % head)
        for _ in range(200):
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.05)

    async with claude_at_bytes(answer, seconds=0.3) as claude:
        asked = streamed(claude) if b"stream" in head else claude.complete(a_request(), KEY)
        with pytest.raises(ProviderError) as caught:
            await asyncio.wait_for(asked, 5)

    assert caught.value.error_type == "TIMEOUT"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://localhost@example.com",
        "https://ada:pass-word@example.com",
        "ftp://localhost",
        "https://",
        "https://[::1",
        "http://localhost:nonsense",
        "localhost",
    ],
)
def test_a_url_to_which_keys_must_not_be_sent_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="SOCRATES_CLAUDE_BASE_URL") as caught:
        Claude(url)

    assert "pass-word" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "url", ["https://example.com/claude", "http://localhost:1", "http://[::1]:1", "HTTP://LOCALHOST"]
)
def test_a_url_to_which_keys_may_be_sent_is_taken(url: str) -> None:
    assert url in repr(Claude(url))


def test_the_url_of_the_environment_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://example.com")
    with pytest.raises(ConfigurationError):
        Claude()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "")
    assert repr(Claude()) == "Claude(https://api.anthropic.com)"


async def test_an_answer_that_takes_too_long_is_not_waited_for() -> None:
    async with claude_at(Answer("late", delay=20), seconds=0.2) as (claude, _):
        with pytest.raises(ProviderError) as caught:
            await asyncio.wait_for(claude.complete(a_request(), KEY), 5)

    assert (caught.value.error_type, caught.value.is_transient) == ("TIMEOUT", True)


async def test_a_stream_may_take_long_as_long_as_each_step_is_in_time() -> None:
    async with claude_at(Answer(LONG, delay_between=0.25), seconds=1.5) as (claude, _):
        *_, last = await streamed(claude)

    assert isinstance(last, Completion)
    assert last.text == LONG


@pytest.mark.parametrize("answer", [Answer(LONG, delay=20), Answer(LONG, delay_between=20)])
async def test_a_step_of_a_stream_that_takes_too_long_is_not_waited_for(answer: Answer) -> None:
    async with claude_at(answer, seconds=0.2) as (claude, _):
        with pytest.raises(ProviderError) as caught:
            await asyncio.wait_for(streamed(claude), 5)

    assert caught.value.error_type == "TIMEOUT"
