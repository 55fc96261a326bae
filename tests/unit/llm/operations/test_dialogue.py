"""Every operation of the dialogue in good and bad cases, against the local model server."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from socrates.errors import InvalidValueError, LLMError, LLMErrorType
from socrates.llm.answers import Insights, Interpretations
from socrates.llm.briefing import Briefing
from socrates.llm.caller import NOBODY, Caller
from socrates.llm.demo.protocol import Answer, Drop, Failure, ModelRequest, Raw, Reply, StreamError
from socrates.llm.fallbacks import static_suggestions
from socrates.llm.results import AnswerToQuestion, Piece, Result
from tests.support.llm import HOSTILE, KEY, Lab, a_briefing, an_empty_project, fresh_lab
from tests.support.model_server import OVERLOADED
from tests.unit.llm.operations.asking_dialogue import (
    ALL,
    COMMANDS,
    JSON,
    OPERATIONS,
    TEXT,
    WITH_FALLBACK,
    a_conversation,
    outcomes,
    results,
)

GOOD = Counter(name for name, _, _ in OPERATIONS.values())

OF_JSON = {
    "extract_insights": '{"goals": "lend books", "requirements": [" offline ", "offline", ""]}',
    "interpret_command": '{"interpretations": [{"command": "/help", "confidence": "0.9"}]}',
}


def valid(request: ModelRequest, text: str = " Some words.\n") -> Answer:
    return Answer(OF_JSON.get(request.task, text))


async def rows_by_operation(lab: Lab, success: bool) -> Counter[str | None]:
    return Counter(row.operation for row in await lab.rows() if row.success == success)


def words_of(result: Result[Any]) -> str:
    return result.value.text if isinstance(result.value, AnswerToQuestion) else str(result.value)


def assert_policy(found: dict[str, Result[Any] | BaseException], error_type: LLMErrorType, *names: str) -> None:
    """These operations failed as chapter 3 says: two with a substitute, the others with the error."""
    substitutes = {"insights": Insights(), "suggestions": static_suggestions(a_conversation())}
    for name in names:
        outcome = found[name]
        if name in WITH_FALLBACK:
            assert isinstance(outcome, Result), (name, outcome)
            assert (outcome.value, outcome.degraded) == (substitutes[name], True)
            error: Any = outcome.failure
        else:
            error = outcome
        assert isinstance(error, LLMError), (name, error)
        assert error.error_type == error_type, (name, error)
        assert KEY not in str(error)


async def test_the_demo_answers_every_operation(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path) as lab:
        found = results(await outcomes(lab, a_conversation()))
        assert await rows_by_operation(lab, success=True) == GOOD
        rows = {row.id for row in await lab.rows()}
    for name, result in found.items():
        assert words_of(result).strip(), name
        assert (result.degraded, result.truncated, result.failure, result.omitted) == (False, False, None, ()), name
        (usage,) = result.usage
        assert usage.id in rows
        assert usage.operation == OPERATIONS[name][0]
    assert found["command"].value.interpretations[0].command == "/project list"


async def test_limits_and_temperatures_are_those_of_the_table(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path) as lab:
        results(await outcomes(lab, a_conversation()))
    sent = Counter((request.task, request.max_tokens, request.temperature) for request in lab.server.requests)
    assert sent == Counter(OPERATIONS.values())
    for request in lab.server.requests:
        assert (request.schema is not None) == (request.task in OF_JSON)
    assert [request.task for request in lab.server.requests if request.stream] == ["answer_question"]


async def test_what_the_prompts_tell(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path) as lab:
        results(await outcomes(lab, a_conversation()))
    told = {request.task: request.blocks for request in lab.server.requests}
    for task, blocks in told.items():
        assert ("Reading Room" in blocks.get("project", "")) == (task != "explain_insights")
    assert told["generate_socratic_question"]["number"] == "This is question number 3 of this phase."
    assert told["generate_socratic_question"]["role"] == "ada, lead"
    assert told["generate_suggestions"]["summary"].splitlines()[0] == "Goals: Lend books to everybody in the village"
    assert told["explain_insights"] == {"insights": "goals: lend books", "answer": TEXT}
    assert told["summarize_conversation"]["conversation"] == "assistant: What for?\nuser: To lend books"
    assert "user: ada" in told["interpret_command"]["project"].splitlines()
    assert told["interpret_command"]["input"] == TEXT


async def test_calls_are_accounted_under_their_caller_with_the_model_asked_for(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path) as lab:
        results(await outcomes(lab, a_conversation(), caller=Caller("ada", model="a-model")))
        rows = await lab.rows("ada")
    assert Counter(row.operation for row in rows) == GOOD
    assert {request.model for request in lab.server.requests} == {"a-model"}


async def test_white_space_around_answers_goes(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, reply=valid) as lab:
        found = results(await outcomes(lab, a_conversation()))
    assert {words_of(found[name]) for name in ALL.keys() - JSON} == {"Some words."}
    assert found["insights"].value.as_dict() == {"goals": ["lend books"], "requirements": ["offline"]}
    assert [one.confidence for one in found["command"].value.interpretations] == [0.9]


async def test_an_empty_project(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, reply=valid) as lab:
        found = results(await outcomes(lab, Briefing(an_empty_project())))
    assert found["summary"].value == "There is nothing to summarise yet: nothing has been said in this conversation."
    assert (found["summary"].usage, found["summary"].degraded) == ((), False)
    assert len(lab.server.requests) == len(ALL) - 1


@pytest.mark.parametrize("blank", ["", " \n\t"])
async def test_no_model_is_asked_about_nothing(tmp_path: Path, blank: str) -> None:
    async with fresh_lab(tmp_path) as lab:
        found = await outcomes(lab, a_conversation(), blank)
        for values in ([], "", [" "]):
            with pytest.raises(InvalidValueError, match="no insights to explain"):
                await lab.client.explain_insights_async("goals", values, TEXT)
        assert {row.operation for row in await lab.rows()} == {"generate_socratic_question", "summarize_conversation"}
    insights = found.pop("insights")
    assert isinstance(insights, Result)
    assert (insights.value, insights.degraded, insights.usage) == (Insights(), False, ())
    for name in found.keys() - {"question", "summary"}:
        assert isinstance(found[name], InvalidValueError), name
        assert "blank" in str(found[name])


async def test_huge_input_is_cut_and_that_is_said(tmp_path: Path) -> None:
    project = a_conversation(requirements=tuple(f"requirement {number}" * 10 for number in range(3000)))
    async with fresh_lab(tmp_path, reply=valid) as lab:
        found = results(await outcomes(lab, project, "and then " * 100_000))
    assert all(len(request.user) < 34_000 for request in lab.server.requests)
    for name in ALL.keys() - {"question", "summary"}:
        assert any(": only its first " in what for what in found[name].omitted), name
    assert any(what.startswith("requirements: ") for what in found["question"].omitted)


async def test_insights_of_a_text_instead_of_a_list_are_one(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path) as lab:
        await lab.client.explain_insights_async("team_structure", "two people", "We are two")
    assert lab.server.requests[0].blocks["insights"] == "team_structure: two people"


@pytest.mark.parametrize(
    "frame",
    ["```json\n{}\n```", "```\n{}\n```", "Here it is:\n{}\nI hope that it helps."],
    ids=["json fence", "fence", "words around"],
)
async def test_json_in_a_frame_is_read(tmp_path: Path, frame: str) -> None:
    async with fresh_lab(tmp_path, reply=lambda asked: Answer(frame.replace("{}", valid(asked).text))) as lab:
        found = results(await outcomes(lab, a_conversation()))
    assert found["insights"].value.as_dict() == {"goals": ["lend books"], "requirements": ["offline"]}
    assert [one.command for one in found["command"].value.interpretations] == ["/help"]


@pytest.mark.parametrize("text", ['{"goals": [', "I cannot say.", "[1, 2", "null", "```json\n```"])
async def test_broken_json_is_no_answer(tmp_path: Path, text: str) -> None:
    async with fresh_lab(tmp_path, reply=lambda _: Answer(text)) as lab:
        found = await outcomes(lab, a_conversation())
        failed = await rows_by_operation(lab, success=False)
    assert_policy(found, "PARSE_ERROR", *JSON)
    assert failed == Counter(OPERATIONS[name][0] for name in JSON)


async def test_an_answer_that_is_cut_off(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, reply=lambda _: Answer("word " * 10_000)) as lab:
        found = await outcomes(lab, a_conversation())
        assert await rows_by_operation(lab, success=False) == Counter(OPERATIONS[name][0] for name in JSON * 2)
    for name in ALL.keys() - JSON:
        assert isinstance(outcome := found[name], Result)
        assert outcome.truncated
        assert len(words_of(outcome)) <= 4 * OPERATIONS[name][1]
    assert_policy(found, "TRUNCATED", *JSON)
    limits = {(request.task, request.max_tokens) for request in lab.server.requests}
    assert {("extract_insights", 2000), ("interpret_command", 1600)} <= limits


@pytest.mark.parametrize(
    ("reply", "error_type", "attempts"),
    [
        pytest.param(Answer(" \n"), "EMPTY_RESPONSE", 1, id="empty"),
        pytest.param(Answer("No.", "refusal"), "GENERATION_ERROR", 1, id="refusal"),
        pytest.param(Failure(400, "invalid_request_error", "wrong"), "GENERATION_ERROR", 1, id="400"),
        pytest.param(Failure(401, "authentication_error", f"{KEY}?"), "AUTHENTICATION_ERROR", 1, id="401"),
        pytest.param(Failure(429, "rate_limit_error", "slower"), "RATE_LIMITED", 3, id="429"),
        pytest.param(Failure(429, "rate_limit_error", "slower", retry_after=3600), "RATE_LIMITED", 1, id="429 long"),
        pytest.param(OVERLOADED, "GENERATION_ERROR", 3, id="529"),
        pytest.param(Drop(), "CONNECTION_ERROR", 3, id="dropped"),
        pytest.param(Raw(b"<html></html>", "text/html", 502), "GENERATION_ERROR", 3, id="a proxy"),
    ],
)
async def test_a_failure_is_accounted_once_told_and_dealt_with_as_the_table_says(
    tmp_path: Path, reply: Reply, error_type: LLMErrorType, attempts: int
) -> None:
    async with fresh_lab(tmp_path, reply=lambda _: reply, llm_max_retries=2) as lab:
        found = await outcomes(lab, a_conversation())
        assert await rows_by_operation(lab, success=False) == GOOD
        assert await rows_by_operation(lab, success=True) == Counter()
    assert_policy(found, error_type, *ALL)
    assert len(lab.server.requests) == attempts * len(ALL)
    assert Counter(told["operation"] for told in lab.payloads("log.error")) == GOOD


async def test_no_answer_in_time(tmp_path: Path) -> None:
    late = Answer("late", delay=30)
    async with fresh_lab(tmp_path, reply=lambda _: late, llm_timeout=0.3, llm_max_retries=0) as lab:
        found = await outcomes(lab, a_conversation())
        assert await rows_by_operation(lab, success=False) == GOOD
    assert_policy(found, "TIMEOUT", *ALL)


@pytest.mark.parametrize("reply", [Drop(after_pieces=2), StreamError(2, "overloaded_error", "too many")])
async def test_a_streamed_answer_that_breaks_off_is_none(tmp_path: Path, reply: Reply) -> None:
    pieces: list[Piece[AnswerToQuestion]] = []

    async def read(lab: Lab) -> None:
        async for piece in lab.client.stream_answer_async(TEXT):
            pieces.append(piece)  # noqa: PERF401 - what came before the error counts

    async with fresh_lab(tmp_path, reply) as lab:
        with pytest.raises(LLMError):
            await read(lab)
        assert await rows_by_operation(lab, success=False) == Counter(["answer_question"])
    assert pieces
    assert all(piece.text and piece.result is None for piece in pieces)


async def test_what_may_pass_is_tried_again(tmp_path: Path) -> None:
    limited = Failure(429, "rate_limit_error", "slower", retry_after=0.02)
    troubles: dict[tuple[str, bool], list[Reply]] = {}

    def reply(request: ModelRequest) -> Reply:
        left = troubles.setdefault((request.task, request.stream), [limited, OVERLOADED, Drop()])
        return left.pop(0) if left else valid(request)

    async with fresh_lab(tmp_path, reply=reply) as lab:
        found = results(await outcomes(lab, a_conversation()))
        assert await rows_by_operation(lab, success=True) == GOOD
        assert await rows_by_operation(lab, success=False) == Counter()
    assert len(lab.server.requests) == 4 * len(ALL)
    assert not any(result.degraded for result in found.values())


async def test_who_is_cancelled_gets_nothing_and_the_call_is_accounted(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, reply=lambda _: Answer("word " * 100, delay=30)) as lab:
        asked = [asyncio.ensure_future(ask(lab.client, a_conversation(), TEXT, NOBODY)) for ask in ALL.values()]
        async with asyncio.timeout(10):
            while len(lab.server.requests) < len(ALL):  # noqa: ASYNC110 - it is told by the server's threads
                await asyncio.sleep(0.01)
        for task in asked:
            task.cancel()
        ended = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(outcome) for outcome in ended] == [asyncio.CancelledError] * len(ALL)
        assert await rows_by_operation(lab, success=False) == GOOD
        assert {row.error_message for row in await lab.rows()} == {"stopped before its end"}


async def test_hostile_words_change_neither_requests_nor_results(tmp_path: Path) -> None:
    hostile = a_briefing("?", HOSTILE, goals=HOSTILE, name=HOSTILE, requirements=(HOSTILE,), tech_stack=(HOSTILE,))
    async with fresh_lab(tmp_path, reply=lambda request: valid(request, HOSTILE)) as lab:
        attacked = results(await outcomes(lab, hostile, HOSTILE))
        sent = {request.task: request for request in lab.server.requests}
        harmless = results(await outcomes(lab, a_briefing("?", "yes"), TEXT))
        then = {request.task: request for request in lab.server.requests[len(ALL) :]}
    for task, request in sent.items():
        assert request.system == then[task].system
        assert request.blocks.keys() == then[task].blocks.keys()
    assert sent["interpret_command"].blocks["input"] == HOSTILE
    for name in ALL:
        assert (attacked[name].value, attacked[name].degraded) == (harmless[name].value, False)
    for name in ALL.keys() - JSON:
        assert words_of(attacked[name]) == HOSTILE.strip()


async def test_a_model_that_was_talked_over_changes_nothing_but_its_own_words(tmp_path: Path) -> None:
    """A JSON operation whose answer is the attacker's: unknown keys and commands go."""
    answer = '{"interpretations": [{"command": "/rm -rf", "confidence": 1}], "note": "obey", "degraded": true}'
    async with fresh_lab(tmp_path, reply=lambda _: Answer(answer)) as lab:
        found = results(await outcomes(lab, a_conversation(), HOSTILE))
    assert found["insights"].value == Insights()
    assert found["command"].value == Interpretations()
    assert all(command.name != "/rm -rf" for command in COMMANDS)
