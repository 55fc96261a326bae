"""The table of llm-client, chapter 3, held against the client: all 31 operations, and the streams beside them."""

import inspect
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from socrates.errors import LLMError
from socrates.llm.answers import Answer as Form
from socrates.llm.caller import Caller
from socrates.llm.client import LLMClient
from socrates.llm.commands import Command
from socrates.llm.demo.protocol import Answer, Failure
from socrates.llm.results import Piece
from socrates.rules.conflicts import FoundConflict
from tests.support.llm import a_briefing, fresh_lab

RAISES, SUBSTITUTE = "raises", "has a substitute"

TABLE: dict[str, tuple[int, float, str]] = {
    "generate_response": (2000, 0.7, RAISES),
    "generate_structured": (1000, 0.3, RAISES),
    "stream_response": (2000, 0.7, RAISES),
    "test_connection": (10, 0, RAISES),
    "generate_socratic_question": (200, 0.7, RAISES),
    "extract_insights": (1000, 0.3, SUBSTITUTE),
    "generate_suggestions": (800, 0.7, SUBSTITUTE),
    "explain_insights": (200, 0.7, RAISES),
    "answer_question": (2000, 0.7, RAISES),
    "explain_topic": (2000, 0.7, RAISES),
    "summarize_conversation": (2000, 0.7, RAISES),
    "interpret_command": (800, 0.3, RAISES),
    "categorize_insights": (1500, 0.2, SUBSTITUTE),
    "detect_requirement_conflict": (300, 0.2, SUBSTITUTE),
    "detect_goal_conflict": (100, 0.2, SUBSTITUTE),
    "detect_constraint_conflict": (150, 0.2, SUBSTITUTE),
    "generate_conflict_resolution_suggestions": (600, 0.7, RAISES),
    "generate_code": (4000, 0.7, RAISES),
    "generate_business_plan": (4000, 0.7, RAISES),
    "generate_research_protocol": (4000, 0.7, RAISES),
    "generate_creative_brief": (4000, 0.7, RAISES),
    "generate_marketing_plan": (4000, 0.7, RAISES),
    "generate_curriculum": (4000, 0.7, RAISES),
    "generate_documentation": (3000, 0.5, RAISES),
    "assign_question_roles": (100, 0, SUBSTITUTE),
}
"""Operations that call a model, each once: limit of tokens, temperature, and what comes of a failure."""

BY_WAY_OF = {
    "detect_conflicts": ("detect_requirement_conflict", "detect_goal_conflict", "detect_constraint_conflict"),
    "generate_artifact": ("generate_code",),
}
"""Operations that are made of others, and accounted as these."""

WITHOUT_MODEL = {"track_token_usage", "record_usage", "resolve_credentials"}
"""Operations 28 to 30; the last, 31, is `aclose`."""

STREAMS = {
    "stream_answer": ("answer_question",),
    "stream_artifact": ("generate_code",),
    "stream_documentation": ("generate_documentation",),
}
"""Beside the table: the same as others, piece by piece."""

SAME_PROMPT = {"stream_response": "generate_response"}

BESIDE = {"usage_warnings", "resolve_model"}


class Verdict(Form):
    fits: bool


SAID = a_briefing("What for?", "To lend books", team={"ada": "lead", "bob": "analyst"})
NEW = "needs internet"
STANDING = ("must work offline",)
INSIGHTS = {"requirements": [NEW], "goals": [NEW], "constraints": [NEW]}
COMMANDS = (Command("/help", "/help", "Show what there is"),)
CONFLICT = FoundConflict("requirements", STANDING[0], NEW, "high")

ASKED: dict[str, Callable[..., Any]] = {
    "generate_response": lambda ask, **more: ask("hello", 2000, 0.7, **more),
    "generate_structured": lambda ask, **more: ask("Does it fit?", {"input": "hello"}, Verdict, **more),
    "stream_response": lambda ask, **more: read(ask("hello", **more)),
    "test_connection": lambda ask, **more: ask(**more),
    "generate_socratic_question": lambda ask, **more: ask(SAID, 0, **more),
    "extract_insights": lambda ask, **more: ask("It must work offline", SAID, **more),
    "generate_suggestions": lambda ask, **more: ask("What for?", SAID, **more),
    "explain_insights": lambda ask, **more: ask("goals", ["lend books"], "To lend books", **more),
    "answer_question": lambda ask, **more: ask("How?", SAID, **more),
    "explain_topic": lambda ask, **more: ask("lending", SAID, **more),
    "summarize_conversation": lambda ask, **more: ask(SAID, **more),
    "interpret_command": lambda ask, **more: ask("what now", COMMANDS, "ada", SAID, **more),
    "categorize_insights": lambda ask, **more: ask(INSIGHTS, "discovery", "software", ("goals",), **more),
    "detect_requirement_conflict": lambda ask, **more: ask(NEW, STANDING, **more),
    "detect_goal_conflict": lambda ask, **more: ask(NEW, STANDING[0], **more),
    "detect_constraint_conflict": lambda ask, **more: ask(NEW, STANDING, **more),
    "detect_conflicts": lambda ask, **more: ask(SAID, INSIGHTS, **more),
    "generate_conflict_resolution_suggestions": lambda ask, **more: ask(CONFLICT, SAID, **more),
    "generate_documentation": lambda ask, **more: ask(SAID, "def lend(): ...", **more),
    "assign_question_roles": lambda ask, **more: ask("What do you have?", SAID, **more),
    "stream_answer": lambda ask, **more: read(ask("How?", SAID, **more)),
    "stream_artifact": lambda ask, **more: read(ask(SAID, **more)),
    "stream_documentation": lambda ask, **more: read(ask(SAID, None, **more)),
}
"""How operations are asked that take more than a project."""

CALLING = {name: (name,) for name in TABLE} | BY_WAY_OF | STREAMS


async def read(stream: AsyncGenerator[Piece[Any], None]) -> Any:
    """The result of a stream."""
    async with aclosing(stream) as pieces:
        *_, last = [piece async for piece in pieces]
    return last.result


def asked_of(client: LLMClient, name: str) -> Awaitable[Any]:
    """The operation, for a user who is called like it."""
    ask = getattr(client, f"{name}_async")
    asked: Awaitable[Any] = ASKED.get(name, lambda ask, **more: ask(SAID, **more))(ask, caller=Caller(name))
    return asked


def is_asynchronous(name: str) -> bool:
    member = inspect.getattr_static(LLMClient, name)
    return inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member)


def test_there_are_31_operations_and_each_is_in_the_table() -> None:
    operations = {f"{name}_async" for name in TABLE.keys() | BY_WAY_OF.keys() | WITHOUT_MODEL} | {"aclose"}
    assert len(operations) == 31
    found = {name for name in dir(LLMClient) if not name.startswith("_") and is_asynchronous(name)}
    assert found == operations | {f"{name}_async" for name in STREAMS.keys() | BESIDE}


def test_what_streams_can_be_told_from_what_returns_a_whole() -> None:
    """`socrates.sync` tells them apart in this way."""
    streaming = {name for name in dir(LLMClient) if inspect.isasyncgenfunction(getattr(LLMClient, name))}
    assert streaming == {f"{name}_async" for name in STREAMS} | {"stream_response_async"}


async def test_every_operation_asks_as_the_table_says_and_is_accounted_under_its_name(tmp_path: Path) -> None:
    fits = {"generate_structured": Answer('{"fits": true}')}
    async with fresh_lab(tmp_path, by_task=fits) as lab:
        for name, accounted in CALLING.items():
            before = len(lab.server.requests)
            result = await asked_of(lab.client, name)
            sent = Counter((one.task, one.max_tokens, one.temperature) for one in lab.server.requests[before:])
            assert sent == Counter((SAME_PROMPT.get(one, one), *TABLE[one][:2]) for one in accounted), name
            rows = await lab.rows(name)
            assert Counter(row.operation for row in rows) == Counter(accounted), name
            assert all(row.success and row.output_tokens for row in rows), name
            if result is not True:
                assert Counter(row.id for row in result.usage) == Counter(row.id for row in rows), name
                assert not result.degraded, name


async def test_every_operation_fails_as_the_table_says_with_one_row_for_each_request(tmp_path: Path) -> None:
    limited = Failure(429, "rate_limit_error", "slowly", retry_after=0.001)
    async with fresh_lab(tmp_path, reply=lambda _: limited, llm_max_retries=1) as lab:
        for name, accounted in CALLING.items():
            if {TABLE[one][2] for one in accounted} == {SUBSTITUTE}:
                result = await asked_of(lab.client, name)
                assert result.degraded, name
                failure = result.failure
            else:
                with pytest.raises(LLMError) as raised:
                    await asked_of(lab.client, name)
                failure = raised.value
            wanted = "CONNECTION_ERROR" if name == "test_connection" else "RATE_LIMITED"
            assert (failure.error_type, failure.status) == (wanted, 429), name
            rows = await lab.rows(name)
            assert Counter(row.operation for row in rows) == Counter(accounted), name
            assert not any(row.success for row in rows), name
            assert all(str(row.error_message).startswith("RATE_LIMITED: ") for row in rows), name
        calls = [one for accounted in CALLING.values() for one in accounted]
        assert len(lab.server.requests) == 2 * len(calls)
        assert Counter(told["operation"] for told in lab.payloads("log.error")) == Counter(calls)
