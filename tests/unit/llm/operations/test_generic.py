"""Operations 1 to 4: any prompt, any form of answer, and whether the provider can be reached."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from socrates.errors import InvalidValueError, LLMError
from socrates.llm.answers import Answer as Form
from socrates.llm.caller import Caller
from socrates.llm.demo.protocol import Answer, Drop, Failure, Reply
from tests.support.llm import HOSTILE, KEY, Lab, fresh_lab
from tests.support.model_server import OVERLOADED

ADA = Caller("ada")


class Verdict(Form):
    fits: bool = False
    score: float = 0


async def respond(lab: Lab) -> Any:
    return await lab.client.generate_response_async("hello", caller=ADA)


async def structure(lab: Lab) -> Any:
    return await lab.client.generate_structured_async("Does it fit?", {"input": "hello"}, Verdict, caller=ADA)


async def stream(lab: Lab) -> Any:
    pieces = [piece async for piece in lab.client.stream_response_async("hello", caller=ADA)]
    assert all(piece.result is None for piece in pieces[:-1])
    return pieces[-1].result


async def connect(lab: Lab) -> Any:
    return await lab.client.test_connection_async(caller=ADA)


OPERATIONS = {
    "generate_response": respond,
    "generate_structured": structure,
    "stream_response": stream,
    "test_connection": connect,
}
PARAMETERS = {
    "generate_response": (2000, 0.7, "prompt"),
    "generate_structured": (1000, 0.3, "input"),
    "stream_response": (2000, 0.7, "prompt"),
    "test_connection": (10, 0, "prompt"),
}

every_operation = pytest.mark.parametrize("name", OPERATIONS)


@every_operation
async def test_an_operation_sends_its_parameters_and_its_data_apart_from_its_instructions(
    tmp_path: Path, name: str
) -> None:
    max_tokens, temperature, block = PARAMETERS[name]
    async with fresh_lab(tmp_path, Answer('{"fits": true}')) as lab:
        await OPERATIONS[name](lab)

        (request,) = lab.server.requests
        assert (request.max_tokens, request.temperature) == (max_tokens, temperature)
        assert list(request.blocks) == [block]
        assert "hello" not in request.system
        (row,) = await lab.rows("ada")
        assert (row.operation, row.success, row.provider) == (name, True, "claude")
        assert row.model == request.model
        assert (row.input_tokens or 0) > 0
        assert (row.output_tokens or 0) > 0
        assert [payload["operation"] for payload in lab.payloads("token.usage")] == [name]


async def test_the_arguments_go_before_the_defaults(tmp_path: Path) -> None:
    caller = Caller(model="opus")
    async with fresh_lab(tmp_path, *[Answer('{"fits": true}')] * 3) as lab:
        await lab.client.generate_response_async("hello", max_tokens=7, temperature=0.1)
        await lab.client.generate_structured_async("Fits?", {"input": "x"}, Verdict, max_tokens=8, temperature=0.2)
        async for _ in lab.client.stream_response_async("hello", max_tokens=9, caller=caller):
            pass

        first, second, third = lab.server.requests
        assert (first.max_tokens, first.temperature) == (7, 0.1)
        assert (second.max_tokens, second.temperature) == (8, 0.2)
        assert (third.max_tokens, third.temperature, third.model) == (4009, None, "claude-opus-5-5")


async def test_white_space_around_a_response_goes(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, *[Answer("\n  good \n")] * 2) as lab:
        assert (await respond(lab)).value == "good"
        assert (await stream(lab)).value == "good"


@pytest.mark.parametrize("name", ["generate_response", "stream_response"])
async def test_a_text_that_is_cut_off_says_so(tmp_path: Path, name: str) -> None:
    async with fresh_lab(tmp_path, Answer("the beg", stop_reason="max_tokens")) as lab:
        result = await OPERATIONS[name](lab)

        assert result.truncated
        assert result.value == "the beg"
        assert [usage.id for usage in result.usage] == [row.id for row in await lab.rows("ada")]


@pytest.mark.parametrize(
    "text", ['{"fits": true, "score": "1.5", "more": 1}', '```json\n{"fits": true, "score": 1.5}\n```']
)
async def test_the_form_of_an_answer_is_kept_to(tmp_path: Path, text: str) -> None:
    async with fresh_lab(tmp_path, Answer(text)) as lab:
        assert (await structure(lab)).value == Verdict(fits=True, score=1.5)


async def test_an_answer_in_no_form_is_a_failure_and_paid_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with fresh_lab(tmp_path, Answer("It fits. {")) as lab:
        with pytest.raises(LLMError) as caught:
            await structure(lab)

        assert caught.value.error_type == "PARSE_ERROR"
        (row,) = await lab.rows("ada")
        assert not row.success
        assert (row.output_tokens or 0) > 0
        assert [payload["error_type"] for payload in lab.payloads("log.warning")] == ["PARSE_ERROR"]
    assert [record.levelname for record in caplog.records if "PARSE_ERROR" in record.message] == ["WARNING"]


async def test_an_answer_that_is_cut_off_twice_is_a_failure(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, *[Answer('{"fits":', stop_reason="max_tokens")] * 2) as lab:
        with pytest.raises(LLMError, match="2000 tokens") as caught:
            await structure(lab)

        assert caught.value.error_type == "TRUNCATED"
        assert len(await lab.rows("ada")) == len(lab.server.requests) == 2


LIMIT = Failure(429, "rate_limit_error", "slowly", retry_after=0.001)
FAILURES: Mapping[str, tuple[Reply, str]] = {
    "empty": (Answer(""), "EMPTY_RESPONSE"),
    "white space": (Answer(" \n "), "EMPTY_RESPONSE"),
    "refused by the model": (Answer("I will not", stop_reason="refusal"), "GENERATION_ERROR"),
    "limit for ever": (LIMIT, "RATE_LIMITED"),
    "overloaded": (OVERLOADED, "GENERATION_ERROR"),
    "bad key": (Failure(401, "authentication_error", "no"), "AUTHENTICATION_ERROR"),
    "bad request": (Failure(400, "invalid_request_error", "no"), "GENERATION_ERROR"),
    "late": (Answer("late", delay=20), "TIMEOUT"),
    "dropped": (Drop(), "CONNECTION_ERROR"),
}


@every_operation
@pytest.mark.parametrize(("reply", "error_type"), FAILURES.values(), ids=FAILURES.keys())
async def test_a_failure_is_raised_accounted_once_and_told(
    tmp_path: Path, name: str, reply: Reply, error_type: str
) -> None:
    seconds = 0.1 if error_type == "TIMEOUT" else 30
    async with fresh_lab(tmp_path, reply=lambda _: reply, llm_max_retries=1, llm_timeout=seconds) as lab:
        with pytest.raises(LLMError) as caught:
            await OPERATIONS[name](lab)

        assert caught.value.error_type == ("CONNECTION_ERROR" if name == "test_connection" else error_type)
        (row,) = await lab.rows("ada")
        assert (row.operation, row.success) == (name, False)
        assert str(row.error_message).startswith(f"{error_type}: ")
        assert [payload["error_type"] for payload in lab.payloads("log.error")] == [error_type]


@every_operation
async def test_after_a_limit_it_succeeds(tmp_path: Path, name: str) -> None:
    async with fresh_lab(tmp_path, LIMIT, Answer('{"fits": true}')) as lab:
        assert await OPERATIONS[name](lab)

        assert len(lab.server.requests) == 2
        (row,) = await lab.rows("ada")
        assert row.success


@every_operation
async def test_a_cancelled_operation_returns_nothing_and_is_accounted(tmp_path: Path, name: str) -> None:
    async with fresh_lab(tmp_path, Answer("late", delay=20)) as lab:
        asked = asyncio.create_task(OPERATIONS[name](lab))
        async with asyncio.timeout(10):
            while not lab.server.requests:  # noqa: ASYNC110 - a thread of the server makes it so
                await asyncio.sleep(0.002)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

        (row,) = await lab.rows("ada")
        assert (row.operation, row.success) == (name, False)


async def test_hostile_words_stay_in_their_block(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, *[Answer('{"fits": true}')] * 2) as lab:
        await lab.client.generate_response_async(HOSTILE)
        await lab.client.generate_structured_async("Does it fit?", {"input": HOSTILE, "topic": "x"}, Verdict)

        asked, structured = lab.server.requests
        assert asked.blocks == {"prompt": HOSTILE}
        assert structured.blocks == {"input": HOSTILE, "topic": "x"}
        assert HOSTILE not in asked.system + structured.system


@pytest.mark.parametrize("prompt", ["", " \n "])
async def test_an_empty_prompt_is_refused_before_anything_is_sent(tmp_path: Path, prompt: str) -> None:
    async with fresh_lab(tmp_path) as lab:
        with pytest.raises(InvalidValueError, match="empty"):
            await lab.client.generate_response_async(prompt)
        with pytest.raises(InvalidValueError, match="empty"):
            await anext(lab.client.stream_response_async(prompt))
        with pytest.raises(InvalidValueError, match="empty"):
            await lab.client.generate_structured_async("Does it fit?", {"input": prompt}, Verdict)

        assert lab.server.requests == []
        assert await lab.rows() == ()


async def test_a_name_that_no_tag_can_have_is_refused(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path) as lab:
        with pytest.raises(InvalidValueError, match="no name of a block"):
            await lab.client.generate_structured_async("Does it fit?", {"in put>": "x"}, Verdict)


async def test_a_huge_prompt_is_cut_and_the_caller_told(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, Answer("good")) as lab:
        result = await lab.client.generate_response_async("word " * 100_000)

        assert result.omitted == ("prompt: only its first 32000 of 500000 characters",)
        assert len(lab.server.requests[0].user) < 33_000


async def test_a_connection_that_works_is_remembered_for_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "socrates.clients.claude")
    async with fresh_lab(tmp_path) as lab:
        for caller in (ADA, ADA, Caller("bob"), Caller("ada", api_key=SecretStr(KEY))):
            assert await lab.client.test_connection_async(caller=caller) is True

        assert len(lab.server.requests) == 3
        await lab.client.test_connection_async(caller=ADA, fresh=True)
        assert len(lab.server.requests) == 4
    assert [record.levelname for record in caplog.records if record.name == "socrates.clients.claude"] == ["INFO"] * 4


async def test_a_connection_that_fails_is_not_remembered(tmp_path: Path) -> None:
    broken = Failure(401, "authentication_error", "no")
    async with fresh_lab(tmp_path, Answer("OK"), broken, broken, Answer("OK")) as lab:
        await connect(lab)
        with pytest.raises(LLMError) as caught:
            await lab.client.test_connection_async(caller=ADA, fresh=True)
        assert (caught.value.error_type, caught.value.status) == ("CONNECTION_ERROR", 401)
        with pytest.raises(LLMError):
            await connect(lab)

        assert await connect(lab) is True


async def test_without_a_time_to_remember_every_test_is_made(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, llm_connection_ttl=0) as lab:
        await connect(lab)
        await connect(lab)

        assert len(lab.server.requests) == 2


async def test_a_stream_is_closed_with_its_reader(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, Answer("One word after the other. " * 20, delay_between=0.01)) as lab:
        async with contextlib.aclosing(lab.client.stream_response_async("hello", caller=ADA)) as pieces:
            assert (await anext(pieces)).text

        (row,) = await lab.rows("ada")
        assert not row.success
