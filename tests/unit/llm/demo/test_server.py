"""The model server, asked through the vendor's SDK."""

import asyncio
import hashlib
import http.client
import json
import threading
from collections.abc import Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Any

import anthropic
import pytest

from socrates.llm.demo.handler import LARGEST_BODY
from socrates.llm.demo.protocol import Answer, ModelRequest
from socrates.llm.demo.server import ModelServer
from tests.support.model_server import ScriptedModel, serving
from tests.unit.llm.demo.asking import KEY, MODEL, answer, client_of, parameters, read_stream, text_of


def asked(
    server: ModelServer,
    method: str,
    path: str,
    body: bytes,
    headers: Mapping[str, str] = MappingProxyType({"x-api-key": KEY}),
) -> tuple[int, Any]:
    """Status and error of a request that the SDK would not send."""
    with closing(http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)) as connection:
        connection.request(method, path, body, dict(headers))
        answered = connection.getresponse()
        return answered.status, json.loads(answered.read())


async def test_an_answer_arrives_with_its_ids_and_usage() -> None:
    with serving(Answer("12345678")) as server:
        message = await answer(server, "abcd" * 10)
    assert text_of(message) == "12345678"
    assert (message.model, message.stop_reason, message._request_id) == (MODEL, "end_turn", "req_demo_000001")
    assert message.usage.output_tokens == 2
    assert message.usage.input_tokens == len("Task: generate_response\n") // 4 + 10
    assert server.answered == 1


async def test_a_stream_brings_the_same_text_in_pieces_with_the_usage_at_its_end() -> None:
    text = "Ein längerer Satz, mit „Zeichen“ 🙂 und\nZeilen. " * 5
    with serving(Answer(text)) as server:
        message = await read_stream(server, pieces := [])
    assert len(pieces) > 3
    assert "".join(pieces) == text == text_of(message)
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", -(-len(text) // 4))


async def test_the_events_of_a_stream_come_in_the_order_of_the_real_api() -> None:
    with serving(Answer("short")) as server:
        async with client_of(server) as client:
            kinds = [event.type async for event in await client.messages.create(**parameters(), stream=True)]
    begin, end = ["message_start", "content_block_start"], ["content_block_stop", "message_delta", "message_stop"]
    assert [kind for kind in kinds if kind != "ping"] == [*begin, "content_block_delta", *end]


@pytest.mark.parametrize("blocks", [[], [{"type": "thinking", "thinking": "hm " * 40, "signature": "s"}]])
async def test_an_answer_can_consist_of_any_blocks(blocks: list[dict[str, str]]) -> None:
    with serving(Answer(blocks=blocks), Answer(blocks=blocks)) as server:
        whole = await answer(server)
        pieced = await read_stream(server, [])
    for message in (whole, pieced):
        assert [block.model_dump() for block in message.content] == blocks


async def test_an_answer_that_is_too_long_is_cut_at_max_tokens() -> None:
    with serving(Answer("x" * 100), Answer("x" * 40)) as server:
        cut = await answer(server, max_tokens=10)
        whole = await answer(server, max_tokens=10)
    assert (text_of(cut), cut.stop_reason, cut.usage.output_tokens) == ("x" * 40, "max_tokens", 10)
    assert (text_of(whole), whole.stop_reason) == ("x" * 40, "end_turn")


async def test_a_prefix_is_written_to_the_cache_once_and_then_read() -> None:
    system = [
        {"type": "text", "text": "s" * 400, "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "t"},
    ]
    with ModelServer() as server:
        usages = [(await answer(server, "abcd" * 5, system=system)).usage for _ in range(2)]
        async with client_of(server, "another key") as client:
            other = (await client.messages.create(**parameters(system=system))).usage
    told = [(usage.cache_creation_input_tokens, usage.cache_read_input_tokens) for usage in [*usages, other]]
    assert told == [(100, 0), (0, 100), (100, 0)]
    assert usages[0].input_tokens == usages[1].input_tokens == 6


async def test_the_cache_can_hold_the_beginning_of_the_user_message_too() -> None:
    kept = {"cache_control": {"type": "ephemeral"}}
    system = [{"type": "text", "text": "s" * 400, **kept}]

    def asked_about(project: str) -> list[dict[str, object]]:
        parts = [{"type": "text", "text": project * 40, **kept}, {"type": "text", "text": "now"}]
        return [{"role": "user", "content": parts}]

    with ModelServer() as server:
        usages = [(await answer(server, system=system, messages=asked_about(name))).usage for name in "aab"]
    told = [(usage.cache_creation_input_tokens, usage.cache_read_input_tokens) for usage in usages]
    assert told == [(110, 0), (0, 110), (10, 100)]


async def test_a_short_prefix_is_not_cached() -> None:
    system = [{"type": "text", "text": "s" * 400, "cache_control": {"type": "ephemeral"}}]
    with ModelServer(least_cached=101) as server:
        usages = [(await answer(server, system=system)).usage for _ in range(2)]
    assert [(usage.cache_creation_input_tokens, usage.cache_read_input_tokens) for usage in usages] == [(0, 0)] * 2


async def test_numbers_of_the_usage_can_be_given() -> None:
    with serving(Answer("x", usage={"input_tokens": 7, "cache_read_input_tokens": 5})) as server:
        usage = (await answer(server)).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (7, 5, 1)


async def test_requests_are_kept_with_what_they_say_but_without_the_key() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    with ModelServer(keep=2) as server:
        for task in ("extract_insights", "generate_code", "generate_structured"):
            body = {"temperature": 0.2, "output_config": {"format": {"type": "json_schema", "schema": schema}}}
            await answer(server, "text", task, extra_body=body)
        first, second = server.requests
    assert (first.task, second.task) == ("generate_code", "generate_structured")
    assert (second.model, second.max_tokens, second.temperature, second.stream) == (MODEL, 4000, 0.2, False)
    assert (second.user, second.schema) == ("text", schema)
    assert second.key_digest == hashlib.sha256(KEY.encode()).hexdigest()
    assert KEY not in repr(second)


async def test_fifty_requests_are_worked_on_at_once() -> None:
    all_there = threading.Barrier(50)

    def reply(request: ModelRequest) -> Answer:
        all_there.wait(timeout=60)
        return Answer(request.user)

    with ModelServer(reply) as server:
        async with client_of(server) as client:
            questions = [client.messages.create(**parameters(f"number {number}")) for number in range(50)]
            messages = await asyncio.gather(*questions)
    assert [text_of(message) for message in messages] == [f"number {number}" for number in range(50)]
    assert server.most_at_once == server.answered == 50


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "10"}, "max_tokens"),
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages.0"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages.0"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": ""}]}]},
            "empty",
        ),
        ({"system": [{"type": "text"}]}, "system"),
        ({"extra_body": {"temperature": 1.5}}, "temperature"),
    ],
)
async def test_an_invalid_request_is_refused_with_what_is_wrong(changed: dict[str, object], named: str) -> None:
    with ModelServer() as server:
        with pytest.raises(anthropic.BadRequestError, match=named):
            await answer(server, **changed)
        assert server.requests == []


@pytest.mark.parametrize("headers", [{}, {"x-api-key": " "}, {"authorization": "Bearer "}])
def test_without_a_key_nothing_is_answered(headers: dict[str, str]) -> None:
    with ModelServer() as server:
        status, error = asked(server, "POST", "/v1/messages", json.dumps(parameters()).encode(), headers)
    assert (status, error["error"]["type"]) == (401, "authentication_error")


async def test_a_body_over_the_limit_is_refused() -> None:
    with ModelServer() as server:
        with pytest.raises(anthropic.RequestTooLargeError):
            await answer(server, "x" * LARGEST_BODY)
        assert text_of(await answer(server, task="test_connection")) == "OK"


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff", b"[]", b'"text"'])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with ModelServer() as server:
        status, error = asked(server, "POST", "/v1/messages", body)
    assert (status, error["type"], error["error"]["type"]) == (400, "error", "invalid_request_error")


@pytest.mark.parametrize("length", ["", "-1", "many"])
def test_a_body_of_unknown_length_is_refused(length: str) -> None:
    with ModelServer() as server:
        status, error = asked(server, "POST", "/v1/messages", b"", {"x-api-key": KEY, "content-length": length})
    assert (status, error["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/messages"), ("POST", "/v1/complete"), ("DELETE", "/")])
def test_there_is_no_other_endpoint(method: str, path: str) -> None:
    with ModelServer() as server:
        status, error = asked(server, method, path, b"{}")
    assert (status, error["error"]["type"], error["request_id"]) == (404, "not_found_error", "req_demo_000001")


async def test_a_script_goes_before_the_replies_by_task_and_those_before_the_demo() -> None:
    model = ScriptedModel([Answer("first")], {"generate_code": Answer("by task")})
    with ModelServer(model) as server:
        texts = [text_of(await answer(server, task="generate_code")) for _ in range(2)]
        demo = text_of(await answer(server, task="test_connection"))
    assert [*texts, demo] == ["first", "by task", "OK"]
