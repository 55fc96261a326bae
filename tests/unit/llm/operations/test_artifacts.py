"""Artifacts and documentation as they are asked for, against the local model server."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from socrates.errors import LLMError, LLMErrorType
from socrates.llm.briefing import Briefing, brief
from socrates.llm.caller import Caller
from socrates.llm.client import LLMClient
from socrates.llm.demo.answers import demo_reply
from socrates.llm.demo.protocol import Answer, Drop, Failure, ModelRequest, Raw, Reply, StreamError
from socrates.llm.results import Artifact, Result
from tests.support.llm import HOSTILE, a_briefing, an_empty_project, fresh_lab
from tests.support.model_server import OVERLOADED, until

Ask = Callable[[LLMClient, Briefing], Awaitable[Result[Artifact]]]

ARTIFACT = "def lend(book, reader):\n    '''Note who has the book.'''\n"

ARTIFACTS: dict[str, Ask] = {
    "code": LLMClient.generate_code_async,
    "business_plan": LLMClient.generate_business_plan_async,
    "research_protocol": LLMClient.generate_research_protocol_async,
    "creative_brief": LLMClient.generate_creative_brief_async,
    "marketing_plan": LLMClient.generate_marketing_plan_async,
    "curriculum": LLMClient.generate_curriculum_async,
}

ALL: dict[str, Ask] = ARTIFACTS | {
    "documentation": lambda client, project: client.generate_documentation_async(project, ARTIFACT)
}

LIMITED = Failure(429, "rate_limit_error", "slower")


def sent_parts(request: ModelRequest) -> list[str]:
    """The texts of the user message, each of which the API wants to say something."""
    return [part["text"] for part in request.body["messages"][0]["content"]]


@pytest.mark.parametrize("kind", ALL)
async def test_the_answer_comes_back_as_it_is_and_is_accounted(tmp_path: Path, kind: str) -> None:
    async with fresh_lab(tmp_path) as lab:
        result = await ALL[kind](lab.client, a_briefing("What for?", "To lend books"))
        (row,) = await lab.rows()
    (request,) = lab.server.requests
    demo = demo_reply(request)
    assert demo.text.endswith("\n")  # v1, too, left it on these seven alone
    assert (result.value.text, result.value.artifact_type) == (demo.text, kind)
    assert (result.truncated, result.degraded, result.failure, result.omitted) == (False, False, None, ())
    assert result.usage == (row,)
    assert (row.operation, row.success, row.error_message) == (f"generate_{kind}", True, None)
    assert row.input_tokens + row.cache_write_tokens > 0
    assert row.output_tokens == -(-len(demo.text) // 4)


@pytest.mark.parametrize("kind", ALL)
async def test_the_request_says_what_the_prompt_and_the_table_say(tmp_path: Path, kind: str) -> None:
    async with fresh_lab(tmp_path, llm_artifact_tokens=6000) as lab:
        result = await ALL[kind](lab.client, a_briefing("What for?", "To lend books"))
    (request,) = lab.server.requests
    limits = (3000, 0.5) if kind == "documentation" else (6000, 0.7)
    assert (request.max_tokens, request.temperature) == limits
    assert request.task == f"generate_{kind}"
    told = "\n".join(sent_parts(request))
    wanted = ["Reading Room", "Lend books to everybody", "discovery"]
    wanted += [ARTIFACT] if kind == "documentation" else ["must work offline", "SQLite", "500 euros", "To lend books"]
    for words in wanted:
        assert words in told
        assert words in result.value.context
    assert "Reading Room" not in request.system


async def test_by_default_an_artifact_may_have_4000_tokens(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path) as lab:
        await lab.client.generate_code_async(a_briefing())
    assert lab.server.requests[0].max_tokens == 4000


@pytest.mark.parametrize(
    ("project_type", "kind"),
    [
        ("software", "code"),
        ("business", "business_plan"),
        ("research", "research_protocol"),
        ("creative", "creative_brief"),
        ("marketing", "marketing_plan"),
        ("educational", "curriculum"),
        (" Business ", "business_plan"),
        ("", "code"),
        ("film", "code"),
    ],
)
async def test_the_type_of_the_project_decides_which_artifact_it_gets(
    tmp_path: Path, project_type: str, kind: str
) -> None:
    async with fresh_lab(tmp_path, reply=lambda request: Answer(request.task)) as lab:
        result = await lab.client.generate_artifact_async(a_briefing(project_type=project_type))
    assert (result.value.text, result.value.artifact_type) == (f"generate_{kind}", kind)


@pytest.mark.parametrize("kind", ALL)
async def test_empty_and_huge_projects(tmp_path: Path, kind: str) -> None:
    huge = a_briefing(
        *("said " * 5000,) * 10,
        name="n" * 20_000,
        goals="g" * 200_000,
        requirements=("r" * 1000,) * 1000,
    )
    async with fresh_lab(tmp_path, reply=lambda _: Answer("done")) as lab:
        results = [await ALL[kind](lab.client, project) for project in (Briefing(an_empty_project()), huge)]
    assert [result.value.text for result in results] == ["done", "done"]
    assert results[0].omitted == ()
    assert any(what.startswith("goals: ") for what in results[1].omitted)
    for request in lab.server.requests:
        assert all(part.strip() for part in sent_parts(request))
        assert len(request.user) < 8000 * 4 + 2000


@pytest.mark.parametrize("artifact", [None, "", "a" * 500_000])
async def test_documentation_of_no_artifact_and_of_a_huge_one(tmp_path: Path, artifact: str | None) -> None:
    async with fresh_lab(tmp_path) as lab:
        result = await lab.client.generate_documentation_async(a_briefing(), artifact, "business_plan")
    assert result.value.artifact_type == "documentation"
    told = "a" * 2000 + "…" if artifact else "There is no artifact yet."
    assert f"Artifact\n{told}" in result.value.context
    assert told in lab.server.requests[0].user
    assert "Contingency" in lab.server.requests[0].system


@pytest.mark.parametrize("kind", ALL)
async def test_a_text_that_is_cut_off_says_so(tmp_path: Path, kind: str) -> None:
    async with fresh_lab(tmp_path, Answer("word " * 10_000), llm_artifact_tokens=50) as lab:
        result = await ALL[kind](lab.client, a_briefing())
        (row,) = await lab.rows()
    assert result.truncated
    assert len(result.value.text) == 4 * (3000 if kind == "documentation" else 50)
    assert row.success


async def test_a_text_that_ends_in_time_is_not_cut_off(tmp_path: Path) -> None:
    text = "\n\n  ```python\n  print()\n```\n \n"
    async with fresh_lab(tmp_path, Answer(text)) as lab:
        result = await lab.client.generate_code_async(a_briefing())
    assert (result.value.text, result.truncated) == (text, False)


@pytest.mark.parametrize(
    ("reply", "error_type", "attempts"),
    [
        (Failure(400, "invalid_request_error", "wrong"), "GENERATION_ERROR", 1),
        (Failure(401, "authentication_error", "who?"), "AUTHENTICATION_ERROR", 1),
        (LIMITED, "RATE_LIMITED", 3),
        (OVERLOADED, "GENERATION_ERROR", 3),
        (Drop(), "CONNECTION_ERROR", 3),
        (Drop(after_pieces=2), "CONNECTION_ERROR", 1),
        (StreamError(2, "overloaded_error", "too many"), "GENERATION_ERROR", 1),
        (Raw(b"<html>A proxy's own words.</html>", "text/html", 502), "GENERATION_ERROR", 3),
        (Answer(""), "EMPTY_RESPONSE", 1),
        (Answer(" \n"), "EMPTY_RESPONSE", 1),
        (Answer("", "max_tokens"), "TRUNCATED", 1),
        (Answer("I will not", "refusal"), "GENERATION_ERROR", 1),
    ],
    ids=lambda value: repr(value)[:70],
)
async def test_a_failure_is_raised_told_and_accounted_once(
    tmp_path: Path, reply: Reply, error_type: LLMErrorType, attempts: int
) -> None:
    async with fresh_lab(tmp_path, reply=lambda _: reply, llm_max_retries=2) as lab:
        for kind, ask in ALL.items():
            with pytest.raises(LLMError) as raised:
                await ask(lab.client, a_briefing())
            assert raised.value.error_type == error_type
            (row, *_) = rows = await lab.rows()
            assert len(rows) == list(ALL).index(kind) + 1
            assert (row.operation, row.success) == (f"generate_{kind}", False)
            assert (row.error_message or "").startswith(error_type)
    assert len(lab.server.requests) == attempts * len(ALL)
    level = "log.warning" if error_type == "TRUNCATED" else "log.error"
    assert [told["operation"] for told in lab.payloads(level)] == [f"generate_{kind}" for kind in ALL]


async def test_no_answer_in_time(tmp_path: Path) -> None:
    late = Answer("late", delay=30)
    async with fresh_lab(tmp_path, reply=lambda _: late, llm_timeout=1, llm_max_retries=1) as lab:
        found = await asyncio.gather(*(ask(lab.client, a_briefing()) for ask in ALL.values()), return_exceptions=True)
        rows = await lab.rows()
    assert [error.error_type for error in found if isinstance(error, LLMError)] == ["TIMEOUT"] * len(ALL)
    assert {(row.operation, row.success) for row in rows} == {(f"generate_{kind}", False) for kind in ALL}
    assert len(lab.server.requests) == 2 * len(ALL)
    assert len(rows) == len(ALL)


@pytest.mark.parametrize("kind", ALL)
async def test_a_call_is_sent_again_after_what_may_pass(tmp_path: Path, kind: str) -> None:
    limited = Failure(429, "rate_limit_error", "slower", retry_after=0.05)
    async with fresh_lab(tmp_path, limited, OVERLOADED, Drop(), Answer("at last")) as lab:
        result = await ALL[kind](lab.client, a_briefing())
        (row,) = await lab.rows()
    assert result.value.text == "at last"
    assert result.usage == (row,)
    assert row.success
    assert len(lab.server.requests) == 4


async def test_an_artifact_may_take_longer_in_all_than_a_piece_may(tmp_path: Path) -> None:
    text = "A line of 48 characters, which is one piece; so.\n" * 11
    loop = asyncio.get_running_loop()
    async with fresh_lab(tmp_path, Answer(text, delay_between=0.2), llm_timeout=1.5) as lab:
        began = loop.time()
        result = await lab.client.generate_artifact_async(a_briefing())
    assert loop.time() - began > 1.5
    assert result.value.text == text
    assert lab.server.requests[0].stream


@pytest.mark.parametrize("kind", ALL)
async def test_who_is_cancelled_gets_nothing_and_the_call_is_accounted(tmp_path: Path, kind: str) -> None:
    async with fresh_lab(tmp_path, Answer("word " * 100, delay_between=30), llm_concurrency=1) as lab:
        asked = asyncio.ensure_future(ALL[kind](lab.client, a_briefing()))
        await until(lambda: bool(lab.server.requests))
        await asyncio.sleep(0.05)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        (row,) = await lab.rows()
        assert (row.operation, row.success) == (f"generate_{kind}", False)
        assert row.error_message == "stopped before its end"
        async with asyncio.timeout(5):
            await lab.client.generate_code_async(a_briefing())  # there is a place again


async def test_nothing_of_another_project_is_told(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path) as lab:
        async with lab.store.begin() as unit:
            for user in ("ada", "bob"):
                await unit.users.create(user, "no hash")
                secret = f"only {user} knows"
                await unit.projects.create(
                    f"Project of {user}", user, project_id=user, goals=secret, requirements=(secret,)
                )
        projects = {user: await brief(lab.store, user) for user in ("ada", "bob")}
        for ask in ALL.values():
            found = await asyncio.gather(*(ask(lab.client, project) for project in projects.values()))
            for (user, other), result in zip((("ada", "bob"), ("bob", "ada")), found, strict=True):
                assert f"only {user} knows" in result.value.context
                assert other not in result.value.context + result.value.text
    for request in lab.server.requests:
        assert ("only ada knows" in request.user) != ("only bob knows" in request.user)


async def test_a_call_is_accounted_under_its_caller_with_its_model(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path) as lab:
        async with lab.store.begin() as unit:
            await unit.users.create("ada", "no hash")
        await lab.client.generate_artifact_async(a_briefing(), caller=Caller("ada", model="haiku"))
        await lab.client.generate_documentation_async(a_briefing(), None, caller=Caller("ada"))
        rows = await lab.rows("ada")
    assert {row.operation for row in rows} == {"generate_code", "generate_documentation"}


@pytest.mark.parametrize("kind", ALL)
async def test_hostile_words_change_neither_request_nor_result(tmp_path: Path, kind: str) -> None:
    hostile = a_briefing("?", HOSTILE, goals=HOSTILE, code_style=HOSTILE, requirements=(HOSTILE,))
    async with fresh_lab(tmp_path, reply=lambda _: Answer(HOSTILE)) as lab:
        result = await ALL[kind](lab.client, hostile)
        documented = await lab.client.generate_documentation_async(hostile, HOSTILE, HOSTILE)
        await ALL[kind](lab.client, a_briefing("?", "yes"))
    for found in (result, documented):
        assert (found.value.text, found.degraded, found.truncated) == (HOSTILE, False, False)
    assert (result.value.artifact_type, documented.value.artifact_type) == (kind, "documentation")
    attacked, _, harmless = lab.server.requests
    assert attacked.system == harmless.system
    assert len(sent_parts(attacked)) == len(sent_parts(harmless)) == 2
    assert attacked.blocks.keys() == harmless.blocks.keys()
    assert attacked.blocks["goals"] == HOSTILE
    assert ("artifact" if kind == "documentation" else "conversation") in attacked.blocks
