"""Claude, by the real SDK, at a model server on this machine: what is sent, and what is made of what comes back."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import anthropic
import pytest
from pydantic import SecretStr

from socrates.llm.answers import Answer as Form
from socrates.llm.demo.protocol import Answer, Drop, Failure, Reply, StreamError
from socrates.llm.provider import Completion, Progress, ProviderError, Request, Tokens
from tests.unit.llm.claudes import HAIKU, KEY, a_request, claude_at, streamed

LONG = "One word after the other. " * 15
"""Of nine pieces."""


class Verdict(Form):
    fits: bool = False


async def sent(request: Request) -> dict[str, Any]:
    """The body in which the request reaches the server."""
    async with claude_at(Answer("good")) as (claude, server):
        await claude.complete(request, KEY)
        return dict(server.requests[0].body)


async def failure(*script: Reply, seconds: float = 30) -> ProviderError:
    async with claude_at(*script, seconds=seconds) as (claude, server):
        with pytest.raises(ProviderError) as caught:
            await claude.complete(a_request(), KEY)
        assert server.answered <= 1, "the SDK's own retries are on"
        return caught.value


async def test_instructions_and_what_stays_come_first_and_are_kept_by_the_provider() -> None:
    body = await sent(a_request())

    kept = {"type": "ephemeral"}
    assert body["system"] == [{"type": "text", "text": "Task: x\n\nBe brief.", "cache_control": kept}]
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "what stays", "cache_control": kept},
                {"type": "text", "text": "what changes"},
            ],
        }
    ]
    assert (body["model"], body["max_tokens"], body["temperature"]) == (HAIKU, 100, 0.5)
    assert "output_config" not in body


@pytest.mark.parametrize(("part", "left"), [("stable", "what changes"), ("data", "what stays")])
async def test_an_empty_part_is_left_out_because_the_api_refuses_it(part: str, left: str) -> None:
    body = await sent(a_request(**{part: ""}))

    assert [block["text"] for block in body["messages"][0]["content"]] == [left]


async def test_a_model_that_thinks_gets_room_for_it_and_no_temperature() -> None:
    body = await sent(a_request(model="claude-sonnet-5-5"))

    assert body["max_tokens"] == 4100
    assert body["output_config"] == {"effort": "low"}
    assert "temperature" not in body


async def test_a_model_that_is_not_in_the_table_gets_what_every_model_takes() -> None:
    body = await sent(a_request(model="claude-of-next-year", schema=Verdict))

    assert set(body) == {"model", "max_tokens", "system", "messages"}


@pytest.mark.parametrize(("model", "is_held"), [(HAIKU, True), ("claude-3-haiku-20240307", False)])
async def test_a_model_that_can_is_held_to_the_form_of_the_answer(model: str, is_held: bool) -> None:
    body = await sent(a_request(model=model, schema=Verdict))

    assert ("output_config" in body) is is_held
    if is_held:
        assert body["output_config"]["format"]["type"] == "json_schema"
        assert set(body["output_config"]["format"]["schema"]["properties"]) == {"fits"}


async def test_there_is_one_client_for_each_key_made_at_its_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(**given: Any) -> anthropic.AsyncAnthropic:
        made.append(given["api_key"])
        return real(**given)

    real = anthropic.AsyncAnthropic
    monkeypatch.setattr(anthropic, "AsyncAnthropic", counted)
    async with claude_at(*[Answer("good")] * 5) as (claude, _):
        assert made == []
        for key in ("sk-of-ada", "sk-of-bob", "sk-of-ada", "sk-of-bob"):
            await claude.complete(a_request(), SecretStr(key))
    assert made == ["sk-of-ada", "sk-of-bob"]


async def test_each_request_has_the_key_that_it_came_with() -> None:
    keys = [SecretStr("sk-of-ada"), SecretStr("sk-of-bob"), SecretStr("sk-of-ada")]
    async with claude_at(*[Answer("good")] * 3) as (claude, server):
        await asyncio.gather(*(claude.complete(a_request(data=key.get_secret_value()), key) for key in keys))

        digests = {request.user.split()[-1]: request.key_digest for request in server.requests}
    assert len(digests) == 2
    assert all(hashlib.sha256(key[-9:].encode()).hexdigest() == digest for key, digest in digests.items())


@pytest.mark.parametrize(
    ("reply", "error_type", "is_transient"),
    [
        (Failure(400, "invalid_request_error", "no"), "GENERATION_ERROR", False),
        (Failure(400, "overloaded_error", "a proxy's own idea"), "GENERATION_ERROR", False),
        (Failure(401, "authentication_error", "no"), "AUTHENTICATION_ERROR", False),
        (Failure(401, "rate_limit_error", "a proxy's own idea"), "AUTHENTICATION_ERROR", False),
        (Failure(403, "permission_error", "no"), "AUTHENTICATION_ERROR", False),
        (Failure(404, "not_found_error", "no"), "GENERATION_ERROR", False),
        (Failure(408, "timeout_error", "no"), "TIMEOUT", True),
        (Failure(413, "request_too_large", "no"), "GENERATION_ERROR", False),
        (Failure(429, "rate_limit_error", "no"), "RATE_LIMITED", True),
        (Failure(500, "api_error", "no"), "GENERATION_ERROR", True),
        (Failure(504, "timeout_error", "no"), "TIMEOUT", True),
        (Failure(529, "overloaded_error", "no"), "GENERATION_ERROR", True),
    ],
)
async def test_a_refusal_says_what_it_is_and_whether_it_may_pass(
    reply: Failure, error_type: str, is_transient: bool
) -> None:
    error = await failure(reply)

    assert (error.error_type, error.status, error.is_transient) == (error_type, reply.status, is_transient)
    assert error.request_id == "req_demo_000001"
    assert HAIKU in str(error)
    assert reply.message in str(error)


async def test_a_providers_words_are_cut_and_in_one_line() -> None:
    error = await failure(Failure(400, "invalid_request_error", "so\n\x1b[2J\ud800 long " * 1000))

    assert str(error).isprintable()
    assert len(str(error)) < 400


@pytest.mark.parametrize("reply", [Drop(), Drop(after_bytes=20)])
async def test_a_connection_that_breaks_is_worth_another_try(reply: Drop) -> None:
    error = await failure(reply)

    assert (error.error_type, error.status, error.is_transient) == ("CONNECTION_ERROR", None, True)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7),
        ("0.25", 0.25),
        ("-5", 0),
        ("1e6", 1e6),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 99 Jan 2030 99:00:00 GMT", None),
        ("Mon, 01 Jan 2030 00:00:00 -0000", None),
    ],
)
async def test_the_pause_that_a_provider_asks_for_is_a_number_or_a_date_or_nonsense(
    told: str, seconds: float | None
) -> None:
    error = await failure(Failure(429, "rate_limit_error", "wait", headers={"retry-after": told}))

    assert error.retry_after == seconds


async def test_the_pause_until_a_date_is_counted_from_now() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    error = await failure(Failure(429, "rate_limit_error", "wait", headers={"retry-after": date}))

    assert error.retry_after == pytest.approx(95, abs=7)


async def test_a_stream_tells_its_beginning_its_pieces_and_its_end() -> None:
    async with claude_at(Answer(LONG)) as (claude, _):
        begun, *pieces, counted, completion = await streamed(claude)

    assert isinstance(begun, Progress)
    assert isinstance(counted, Progress)
    assert isinstance(completion, Completion)
    assert len(pieces) > 5
    assert "".join(str(piece) for piece in pieces) == completion.text == LONG
    assert counted.tokens == completion.tokens
    assert completion.stop_reason == "finished"
    assert completion.tokens.output > begun.tokens.output > 0
    assert completion.tokens.input == begun.tokens.input > 0
    assert begun.request_id == completion.request_id == "req_demo_000001"


@pytest.mark.parametrize(
    ("kind", "error_type", "status", "is_transient"),
    [
        ("overloaded_error", "GENERATION_ERROR", 529, True),
        ("rate_limit_error", "RATE_LIMITED", 429, True),
        ("timeout_error", "TIMEOUT", 504, True),
        ("invalid_request_error", "GENERATION_ERROR", 400, False),
        ("something_new", "GENERATION_ERROR", 200, False),
    ],
)
async def test_an_error_in_the_middle_of_a_stream_is_what_its_type_says(
    kind: str, error_type: str, status: int, is_transient: bool
) -> None:
    async with claude_at(StreamError(2, kind, "no more")) as (claude, _):
        stream = claude.stream(a_request(), KEY)
        told = [await anext(stream) for _ in range(3)]
        with pytest.raises(ProviderError, match="no more") as caught:
            await anext(stream)

    assert [type(each) for each in told] == [Progress, str, str]
    error = caught.value
    assert (error.error_type, error.status, error.is_transient) == (error_type, status, is_transient)


@pytest.mark.parametrize("reply", [Drop(after_pieces=2), Drop(after_bytes=900)])
async def test_a_stream_that_breaks_off_is_no_answer(reply: Drop) -> None:
    async with claude_at(reply) as (claude, _):
        with pytest.raises(ProviderError) as caught:
            await streamed(claude)

    assert caught.value.error_type == "CONNECTION_ERROR"


async def test_a_reader_that_stops_early_leaves_no_connection_open() -> None:
    async with claude_at(Answer(LONG, delay_between=0.01), Answer("good")) as (claude, server):
        stream = claude.stream(a_request(), KEY)
        async for told in stream:
            if isinstance(told, str):
                break
        await stream.aclose()

        assert (await claude.complete(a_request(), KEY)).text == "good"
        assert server.most_at_once <= 2


async def test_counts_of_the_provider_reach_the_answer() -> None:
    usage = {
        "input_tokens": 11,
        "output_tokens": 12,
        "cache_read_input_tokens": 13,
        "cache_creation_input_tokens": 14,
    }
    async with claude_at(*[Answer("good", usage=usage)] * 2) as (claude, _):
        whole = await claude.complete(a_request(), KEY)
        *_, last = await streamed(claude)

    assert isinstance(last, Completion)
    assert whole.tokens == last.tokens == Tokens(11, 12, 13, 14)
    assert whole.model == last.model == HAIKU


async def test_a_client_that_is_closed_opens_again() -> None:
    async with claude_at(*[Answer("good")] * 2) as (claude, _):
        await claude.complete(a_request(), KEY)
        await claude.aclose()
        await claude.aclose()

        assert (await claude.complete(a_request(), KEY)).text == "good"


async def test_a_huge_answer_is_taken_whole() -> None:
    text = json.dumps("huge") * 1_000_000
    async with claude_at(Answer(text)) as (claude, _):
        completion = await claude.complete(a_request(max_tokens=10**8), KEY)

    assert completion.text == text
