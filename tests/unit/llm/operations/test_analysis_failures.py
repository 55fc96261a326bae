"""Analysis when the model fails: a substitute that says so, or an error, but never a failure for an answer."""

import asyncio
from pathlib import Path

import pytest

from socrates.errors import LLMError, LLMErrorType
from socrates.llm.demo.protocol import Answer, Drop, Failure, Raw, Reply
from tests.support.llm import a_briefing, fresh_lab
from tests.support.model_server import OVERLOADED, until
from tests.unit.llm.operations.analyses import (
    ALL,
    DETECTORS,
    GOOD,
    LIMITS,
    NEW,
    TEAM,
    WITH_SUBSTITUTE,
    in_short,
    saying,
    substitute,
)


@pytest.mark.parametrize(
    ("reply", "error_type", "attempts"),
    [
        (Failure(400, "invalid_request_error", "wrong"), "GENERATION_ERROR", 1),
        (Failure(401, "authentication_error", "who?"), "AUTHENTICATION_ERROR", 1),
        (Failure(429, "rate_limit_error", "slower"), "RATE_LIMITED", 2),
        (OVERLOADED, "GENERATION_ERROR", 2),
        (Drop(), "CONNECTION_ERROR", 2),
        (Raw(b"<html>A proxy's own words.</html>", "text/html", 502), "GENERATION_ERROR", 2),
        (Answer(""), "EMPTY_RESPONSE", 1),
        (Answer("No", "refusal"), "GENERATION_ERROR", 1),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_failure_is_told_and_accounted_once_and_never_taken_for_an_answer(
    tmp_path: Path, reply: Reply, error_type: LLMErrorType, attempts: int
) -> None:
    async with fresh_lab(tmp_path, reply=lambda _: reply, llm_max_retries=1) as lab:
        for task, ask in ALL.items():
            if task in WITH_SUBSTITUTE:
                result = await ask(lab.client, NEW)
                assert result.degraded
                failure = result.failure
                assert in_short(result.value) == substitute(task)
            else:
                with pytest.raises(LLMError) as raised:
                    await ask(lab.client, NEW)
                failure = raised.value
            assert failure is not None
            assert failure.error_type == error_type
            row, *_ = await lab.rows()
            assert (row.operation, row.success) == (task, False)
            assert (row.error_message or "").startswith(error_type)
        assert len(await lab.rows()) == len(ALL)
    assert len(lab.server.requests) == attempts * len(ALL)
    assert [told["operation"] for told in lab.payloads("log.error")] == list(ALL)


@pytest.mark.parametrize(
    "text",
    ["I see no conflict.", '{"verdicts": [', '{"verdicts": 7, "roles": {}, "specs": "x"', "[[[[", "null", "{]}"],
)
async def test_what_is_no_answer_is_never_taken_for_one(tmp_path: Path, text: str) -> None:
    async with fresh_lab(tmp_path, reply=lambda _: Answer(text)) as lab:
        for task, ask in WITH_SUBSTITUTE.items():
            result = await ask(lab.client, NEW)
            assert result.failure is not None
            assert (result.degraded, result.failure.error_type) == (True, "PARSE_ERROR")
            assert in_short(result.value) == substitute(task)
        assert [row.success for row in await lab.rows()] == [False] * len(WITH_SUBSTITUTE)
    assert [told["operation"] for told in lab.payloads("log.warning")] == list(WITH_SUBSTITUTE)


@pytest.mark.parametrize(
    "answer",
    [{}, {"verdicts": []}, {"verdicts": [{"new": NEW}]}, {"severity": "low"}, {"verdicts": [{"has_conflict": "?"}]}],
)
async def test_silence_is_no_verdict(tmp_path: Path, answer: object) -> None:
    async with fresh_lab(tmp_path, reply=lambda _: saying(answer)) as lab:
        for task, ask in DETECTORS.items():
            result = await ask(lab.client, NEW)
            assert (result.degraded, result.value) == (True, substitute(task))
            assert result.failure is not None
            assert len(result.usage) == 1
    assert len(lab.payloads("log.warning")) == len(DETECTORS)


@pytest.mark.parametrize("roles", [[], ["juggler"], ["lead", "juggler"], "everybody", [None]])
async def test_roles_that_nobody_has_are_not_taken(tmp_path: Path, roles: object) -> None:
    async with fresh_lab(tmp_path, saying({"roles": roles})) as lab:
        result = await lab.client.assign_question_roles_async("Which data do you have?", a_briefing(team=TEAM))
    assert (result.value, result.degraded) == (("analyst",), True)
    assert result.failure is not None
    assert len(lab.payloads("log.warning")) == 1


async def test_an_answer_that_is_cut_off_is_asked_for_again_with_twice_the_limit(tmp_path: Path) -> None:
    cut = Answer('{"verdicts": [', "max_tokens")
    for task, ask in WITH_SUBSTITUTE.items():
        directory = tmp_path / task
        directory.mkdir()
        async with fresh_lab(directory, cut, saying(GOOD[task]), cut, cut) as lab:
            result = await ask(lab.client, NEW)
            assert (result.degraded, [row.success for row in result.usage]) == (False, [False, True])
            failed = await ask(lab.client, NEW)
            assert failed.failure is not None
            assert failed.failure.error_type == "TRUNCATED"
            assert in_short(failed.value) == substitute(task)
            assert len(await lab.rows()) == 4
        limit = LIMITS[task][0]
        assert [request.max_tokens for request in lab.server.requests] == [limit, 2 * limit, limit, 2 * limit]


async def test_suggestions_that_are_cut_off_say_so(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, Answer("word " * 10_000)) as lab:
        result = await ALL["generate_conflict_resolution_suggestions"](lab.client, NEW)
    assert result.truncated
    assert result.value.endswith("word")


async def test_a_call_is_sent_again_after_what_may_pass(tmp_path: Path) -> None:
    passing = [Failure(429, "rate_limit_error", "slower", retry_after=0.02), Drop()]
    script = [reply for task in WITH_SUBSTITUTE for reply in (*passing, saying(GOOD[task]))]
    async with fresh_lab(tmp_path, *script, *passing, Answer("1. Ask")) as lab:
        for ask in ALL.values():
            result = await ask(lab.client, NEW)
            assert not result.degraded
            assert len(result.usage) == 1
        assert [row.success for row in await lab.rows()] == [True] * len(ALL)
    assert len(lab.server.requests) == 3 * len(ALL)


async def test_no_answer_in_time(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, reply=lambda _: Answer("late", delay=30), llm_timeout=0.1, llm_max_retries=0) as lab:
        for task, ask in WITH_SUBSTITUTE.items():
            result = await ask(lab.client, NEW)
            assert result.failure is not None
            assert result.failure.error_type == "TIMEOUT"
            assert in_short(result.value) == substitute(task)
        with pytest.raises(LLMError):
            await ALL["generate_conflict_resolution_suggestions"](lab.client, NEW)
        assert [row.success for row in await lab.rows()] == [False] * len(ALL)


async def test_who_is_cancelled_gets_no_substitute_and_the_call_is_accounted(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, reply=lambda _: Answer("late", delay=30), llm_concurrency=1) as lab:
        for number, (task, ask) in enumerate(ALL.items(), 1):
            asked = asyncio.ensure_future(ask(lab.client, NEW))
            await until(lambda number=number: len(lab.server.requests) >= number)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            (row, *_) = rows = await lab.rows()
            assert len(rows) == number
            assert (row.operation, row.success, row.error_message) == (task, False, "stopped before its end")
