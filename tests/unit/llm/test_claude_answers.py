"""Answers of every form, whole and as streams: Claude makes sense of them, or raises ProviderError and nothing else."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from socrates.llm.demo.protocol import Answer, Raw
from socrates.llm.provider import Completion, ProviderError, Tokens
from tests.unit.llm.claudes import KEY, a_request, claude_at, streamed

GOOD: Mapping[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "good"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}

DEEP = b"[" * 100_000


def message(**changes: Any) -> Raw:
    return Raw(json.dumps(GOOD | changes).encode())


def counted(tokens: str) -> Raw:
    return Raw(json.dumps(GOOD).replace('"input_tokens": 1', f'"input_tokens": {tokens}').encode())


def sse(*events: tuple[str, Any]) -> Raw:
    """A stream of these events, with data as it is when it is bytes."""
    data = [(kind, value if isinstance(value, bytes) else json.dumps(value).encode()) for kind, value in events]
    body = b"".join(b"event: %b\ndata: %b\n\n" % (kind.encode(), value) for kind, value in data)
    return Raw(body, "text/event-stream")


def begun(**changes: Any) -> tuple[str, Any]:
    return "message_start", {"type": "message_start", "message": dict(GOOD) | {"content": []} | changes}


def text(told: Any = "good") -> tuple[str, Any]:
    delta = {"type": "text_delta", "text": told}
    return "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}


def ending(stop_reason: Any = "end_turn", usage: Any = {"output_tokens": 3}) -> tuple[str, Any]:  # noqa: B006
    delta = {"stop_reason": stop_reason}
    return "message_delta", {"type": "message_delta", "delta": delta, "usage": usage}


STOP = ("message_stop", {"type": "message_stop"})


async def completed(reply: Answer | Raw, *, stream: bool = False) -> Completion:
    async with claude_at(reply) as (claude, _):
        if not stream:
            return await claude.complete(a_request(), KEY)
        *_, last = await streamed(claude)
        assert isinstance(last, Completion)
        return last


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "good"}], "good"),
        ([{"type": "text", "text": "go"}, {"type": "text", "text": "od"}], "good"),
        ([{"type": "thinking", "thinking": "hm", "signature": "s"}], ""),
        ([{"type": "of_next_year", "words": "x"}, {"type": "text", "text": "good"}], "good"),
        ([], ""),
    ],
)
async def test_the_text_is_that_of_all_text_blocks(stream: bool, blocks: list[Any], expected: str) -> None:
    assert (await completed(Answer(blocks=blocks), stream=stream)).text == expected


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("told", "stop_reason"),
    [
        ("end_turn", "finished"),
        ("stop_sequence", "finished"),
        ("of_next_year", "finished"),
        (None, "finished"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("refusal", "refusal"),
    ],
)
async def test_why_the_answer_ended_is_said(stream: bool, told: Any, stop_reason: str) -> None:
    reply = sse(begun(), text(), ending(told), STOP) if stream else message(stop_reason=told)

    assert (await completed(reply, stream=stream)).stop_reason == stop_reason


@pytest.mark.parametrize(
    ("told", "counted_as"),
    [("12", 12), ("0", 0), ("-5", 0), ("3.7", 3), ("1e300", 10**12), ("1e999", 10**12), ("null", 0), ("NaN", 0)],
)
async def test_absurd_counts_are_brought_into_what_can_be_stored(told: str, counted_as: int) -> None:
    assert (await completed(counted(told))).tokens == Tokens(input=counted_as, output=1)


@pytest.mark.parametrize("stream", [False, True])
async def test_half_a_character_becomes_a_question_mark(stream: bool) -> None:
    content = [{"type": "text", "text": "a\ud800b"}]
    reply = sse(begun(), text("a\ud800b"), ending(), STOP) if stream else message(content=content)

    assert (await completed(reply, stream=stream)).text == "a?b"


NO_ANSWERS = {
    "no JSON": Raw(b"{"),
    "half a character": Raw(b'{"id": "\xff"}'),
    "nested without end": Raw(b'{"content": ' + DEEP),
    "empty": Raw(b""),
    "a page": Raw(b"<html></html>", "text/html"),
    "plain text": Raw(b"good", "text/plain"),
    "no content type": Raw(b"", ""),
    "null": Raw(b"null"),
    "a list": Raw(b"[]"),
    "a text": Raw(b'"good"'),
    "nothing in it": Raw(b"{}"),
    "no content": Raw(b"", status=204),
    "content is null": message(content=None),
    "content is text": message(content="good"),
    "content holds texts": message(content=["good"]),
    "a text block without text": message(content=[{"type": "text"}]),
    "a text that is a number": message(content=[{"type": "text", "text": 5}]),
    "no usage": message(usage=None),
    "usage is a list": message(usage=[1]),
    "a count in words": counted('"many"'),
    "a count that is an object": counted('{"a": 1}'),
    "a count of 5001 digits": counted("1" + "0" * 5000),
    "no model": message(model=None),
    "a model that is an object": message(model={"a": 1}),
    "a stop reason that is a list": message(stop_reason=["end_turn"]),
}


@pytest.mark.parametrize("reply", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
async def test_what_is_no_answer_is_a_failure_that_is_not_paid_for_again(reply: Raw) -> None:
    with pytest.raises(ProviderError, match="is no answer of the Messages API") as caught:
        await completed(reply)

    error = caught.value
    assert (error.error_type, error.is_transient) == ("GENERATION_ERROR", False)
    assert error.__context__ is None
    assert error.__cause__ is None


NO_STREAMS = {
    "a whole answer": message(),
    "a page": Raw(b"<html></html>", "text/html"),
    "bytes": Raw(b"\xff\xfe\x00\n\n", "text/event-stream"),
    "empty": sse(),
    "a line without end": Raw(b"data: " + b"x" * 1_000_000, "text/event-stream"),
    "no JSON": sse(("message_start", b"{")),
    "nested without end": sse(("message_start", DEEP)),
    "half a character": sse(("message_start", b'{"a": "\xff"}')),
    "null": sse(("message_start", None)),
    "a list": sse(("message_start", [])),
    "a beginning without a message": sse(("message_start", {"type": "message_start"})),
    "a model that is a number": sse(begun(model=5), text(), ending(), STOP),
    "a piece that is a number": sse(begun(), text(5), ending(), STOP),
    "a piece that is null": sse(begun(), text(None), ending(), STOP),
    "no delta": sse(begun(), ("content_block_delta", {"type": "content_block_delta", "delta": None})),
    "a stop reason that is a list": sse(begun(), text(), ending(["x"]), STOP),
    "an end without usage": sse(begun(), text(), ending(usage=None), STOP),
    "no end": sse(begun(), text(), ending()),
    "an error without form": sse(begun(), ("error", b"no")),
    "an error that is a list": sse(begun(), ("error", [1])),
}


@pytest.mark.parametrize("reply", NO_STREAMS.values(), ids=NO_STREAMS.keys())
async def test_what_is_no_stream_is_a_failure(reply: Raw) -> None:
    with pytest.raises(ProviderError) as caught:
        await completed(reply, stream=True)

    error = caught.value
    assert error.error_type in {"GENERATION_ERROR", "CONNECTION_ERROR"}
    assert error.__context__ is None
    assert error.__cause__ is None


@pytest.mark.parametrize(
    "body", [b"null", b"[1]", b"<html>", DEEP, b'{"error": "x"}', b'{"error": {"type": {"a": 1}, "message": [2]}}']
)
@pytest.mark.parametrize("status", [400, 500])
async def test_a_refusal_of_any_form_is_known_by_its_status(status: int, body: bytes) -> None:
    with pytest.raises(ProviderError, match=str(status)) as caught:
        await completed(Raw(body, status=status))

    assert (caught.value.status, caught.value.is_transient) == (status, status != 400)


async def test_events_of_next_year_are_passed_over() -> None:
    reply = sse(begun(), ("of_next_year", {"type": "of_next_year"}), text(), ending(), STOP)

    assert (await completed(reply, stream=True)).text == "good"


async def test_an_end_of_a_stream_that_tells_no_counts_leaves_those_of_its_beginning() -> None:
    usage = {"input_tokens": 7, "cache_read_input_tokens": 8, "output_tokens": 1}

    completion = await completed(sse(begun(usage=usage), text(), ending(usage={}), STOP), stream=True)

    assert completion.tokens == Tokens(input=7, output=1, cache_read=8)
