"""What single operations of the dialogue do beside asking: knowledge, short cuts, interpretations."""

import json
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from pydantic import SecretStr

from socrates.config import LLMConfig
from socrates.drafts import NewMessage
from socrates.errors import KnowledgeIndexError
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.llm.answers import Interpretations
from socrates.llm.briefing import Briefing, brief
from socrates.llm.client import LLMClient
from socrates.llm.commands import Command
from socrates.llm.demo.protocol import Answer, Failure
from socrates.llm.demo.server import ModelServer
from socrates.llm.results import Result
from socrates.store import Store
from socrates.views import SearchHit
from tests.support.knowledge import fresh_knowledge
from tests.support.llm import HOSTILE, KEY, Lab, a_briefing, an_empty_project, fresh_lab
from tests.unit.llm.operations.asking_dialogue import (
    ALL,
    COMMANDS,
    TEXT,
    Search,
    a_conversation,
    a_hit,
    outcomes,
    results,
)

SEARCHING = {
    "generate_socratic_question": (3, 200),
    "generate_suggestions": (3, 300),
    "answer_question": (3, 200),
    "explain_topic": (5, 200),
}
"""How many entries of knowledge the prompts hold, and how many characters of each: llm-client, chapter 6."""

KNOWN = tuple(a_hit(f"k{number}", f"{number} " + "known " * 60) for number in range(6))


def interpreted(*found: tuple[str, float]) -> Answer:
    answers = [{"command": command, "confidence": confidence, "args": ["x"]} for command, confidence in found]
    return Answer(json.dumps({"interpretations": answers}))


def commands_of(result: Result[Interpretations]) -> list[str]:
    return [one.command for one in result.value.interpretations]


async def test_what_is_known_about_the_subject_is_told(tmp_path: Path) -> None:
    search = Search(*KNOWN)
    async with fresh_lab(tmp_path, search=search) as lab:
        await outcomes(lab, a_conversation())
    for request in lab.server.requests:
        count, characters = SEARCHING.get(request.task, (0, 0))
        told = request.blocks.get("knowledge", "").splitlines()
        assert told == [hit.entry.content[:characters] + "…" for hit in KNOWN[:count]], request.task
    summary = a_conversation().summary
    assert set(search.asked) == {(TEXT, "p1", 3), (TEXT, "p1", 5), (summary, "p1", 3)}


async def test_without_a_project_only_what_everybody_knows_is_searched(tmp_path: Path) -> None:
    search = Search()
    async with fresh_lab(tmp_path, search=search) as lab:
        await lab.client.answer_question_async(TEXT)
        await lab.client.explain_topic_async(TEXT)
        async for _piece in lab.client.stream_answer_async(TEXT):
            pass
    assert search.asked == [(TEXT, None, 3), (TEXT, None, 5), (TEXT, None, 3)]


async def test_of_a_project_without_a_summary_nothing_is_searched_for_a_question(tmp_path: Path) -> None:
    search = Search(*KNOWN)
    async with fresh_lab(tmp_path, search=search) as lab:
        await lab.client.generate_socratic_question_async(Briefing(an_empty_project()), 0)
    assert search.asked == []
    assert "knowledge" not in lab.server.requests[0].blocks


@pytest.mark.parametrize("error", [KnowledgeIndexError("the index is gone"), OSError("the disk is gone")])
async def test_a_search_that_fails_costs_no_operation(tmp_path: Path, error: Exception) -> None:
    async def broken(query: str, *, project_id: str | None = None, top_k: int = 5) -> Sequence[SearchHit]:
        raise error

    async with fresh_lab(tmp_path, search=broken) as lab:
        found = await outcomes(lab, a_conversation())
    for name in ("question", "suggestions", "answer", "streamed answer", "topic"):
        assert isinstance(result := found[name], Result)
        assert result.omitted == ("knowledge: the search failed",)
        assert not result.degraded


async def test_nothing_of_another_project_is_told(tmp_path: Path) -> None:
    with ModelServer() as server:
        config = LLMConfig(claude_base_url=server.url)
        async with (
            fresh_knowledge(tmp_path, llm_config=config) as (store, knowledge),
            LLMClient(store, search=knowledge.search, key=SecretStr(KEY)) as client,
        ):
            await fill(store, knowledge)
            lab = Lab(client, store, server)
            await outcomes(lab, await brief(store, "mine"))
            of_mine = server.requests
            await client.answer_question_async(TEXT)
            await client.explain_topic_async(TEXT)
    of_none = server.requests[len(of_mine) :]
    assert len(of_mine) == len(ALL)
    assert not any("other's" in request.user for request in server.requests)
    for request in of_mine:
        if request.task in SEARCHING:
            assert "mine's private list" in request.blocks["knowledge"]
            assert "everybody's list" in request.blocks["knowledge"]
    for request in of_none:
        assert "everybody's list" in request.blocks["knowledge"]
        assert "mine's" not in request.user


async def test_hostile_documents_change_neither_requests_nor_results(tmp_path: Path) -> None:
    sent = {}
    for name, content in {"hostile": HOSTILE, "harmless": "Lending takes a catalogue"}.items():
        (tmp_path / name).mkdir()
        hits = (a_hit("a", content), a_hit("b", "the second"))
        async with fresh_lab(tmp_path / name, search=Search(*hits), reply=lambda _: Answer("{}")) as lab:
            found = await outcomes(lab, a_conversation())
            sent[name] = {(request.task, request.stream): request for request in lab.server.requests}
        assert not any(result.degraded for result in results(found).values())
        assert results(found)["answer"].value.sources == ("a", "b")
    assert sent["hostile"].keys() == sent["harmless"].keys()
    for asked, request in sent["hostile"].items():
        harmless = sent["harmless"][asked]
        assert request.system == harmless.system
        assert request.blocks.keys() == harmless.blocks.keys()
        if request.task in SEARCHING:
            lines = request.blocks["knowledge"].splitlines()
            assert lines[-1] == "the second"
            assert [line for line in lines if not line.startswith("  ")] == [HOSTILE.splitlines()[0], "the second"]


async def fill(store: Store, knowledge: KnowledgeBase) -> None:
    """Make two projects with goals, messages and knowledge of their own, all near to the same words."""
    async with store.begin() as unit:
        for project_id in ("mine", "other"):
            goals = f"{project_id}'s goal: {TEXT}"
            await unit.projects.create(project_id, "ada", project_id=project_id, goals=goals)
            await unit.conversations.append(project_id, NewMessage("user", f"{project_id}'s message: {TEXT}"))
    for project_id in ("mine", "other"):
        await knowledge.add_text(f"{project_id}'s private list: {TEXT}", project_id)
    await knowledge.add_text(f"everybody's list: {TEXT}")


async def test_the_sources_of_an_answer_are_what_the_model_was_given(tmp_path: Path) -> None:
    hits = (a_hit("a", "the first\nof two lines"), a_hit("b", "the second"))
    async with fresh_lab(tmp_path, search=Search(*hits), llm_context_tokens=200) as lab:
        both = await lab.client.answer_question_async("why?")
        one = await lab.client.answer_question_async("why " * 194)
        none = await lab.client.answer_question_async("why " * 300)
        async with aclosing(lab.client.stream_answer_async("why " * 194)) as pieces:
            *_, last = [piece async for piece in pieces]
    assert (both.value.sources, one.value.sources, none.value.sources) == (("a", "b"), ("a",), ())
    assert both.omitted == ()
    assert one.omitted == ("knowledge: 1 of 2 left out",)
    assert last.result is not None
    assert last.result.value.sources == ("a",)


async def test_an_entry_that_was_left_out_is_no_source_though_its_words_stand_elsewhere(tmp_path: Path) -> None:
    hits = (a_hit("a", "ask why\0 first"), a_hit("b", "why"))
    async with fresh_lab(tmp_path, search=Search(*hits), llm_context_tokens=200) as lab:
        both = await lab.client.answer_question_async("why?")
        one = await lab.client.answer_question_async("why " * 196)
    assert (both.value.sources, one.value.sources) == (("a", "b"), ("a",))
    assert one.omitted == ("knowledge: 1 of 2 left out",)


async def test_a_streamed_answer_comes_in_pieces_that_make_the_whole(tmp_path: Path) -> None:
    text = "One after another, the pieces of this answer come in. " * 5
    async with fresh_lab(tmp_path, Answer(text)) as lab:
        async with aclosing(lab.client.stream_answer_async(TEXT, a_conversation())) as stream:
            pieces = [piece async for piece in stream]
        (row,) = await lab.rows()
    *texts, last = pieces
    assert len(texts) > 1
    assert "".join(piece.text for piece in texts) == text
    assert last.result is not None
    assert last.result.value.text == text.strip()
    assert last.result.usage == (row,)


async def test_a_reader_who_stops_early_is_accounted(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, Answer("word " * 100, delay_between=0.01)) as lab:
        async with aclosing(lab.client.stream_answer_async(TEXT)) as pieces:
            await anext(pieces)
        (row,) = await lab.rows()
    assert (row.success, row.error_message) == (False, "stopped before its end")


@pytest.mark.parametrize("answer", ["I don't know", " IDK ", "i don’t know.", "Not sure!", "unsure", "dunno ..."])
async def test_no_model_is_asked_about_the_words_of_somebody_uncertain(tmp_path: Path, answer: str) -> None:
    async with fresh_lab(tmp_path) as lab:
        result = await lab.client.extract_insights_async(answer, a_conversation())
    assert result.value.as_dict().keys() == {"note"}
    assert not result.value.has_statements
    assert (result.degraded, result.usage, lab.server.requests) == (False, (), [])


@pytest.mark.parametrize(("answer", "requests"), [("ok", 0), ("  ok  ", 0), ("yes", 1), ("no idea at all", 1)])
async def test_a_model_is_asked_about_what_states_something(tmp_path: Path, answer: str, requests: int) -> None:
    async with fresh_lab(tmp_path) as lab:
        result = await lab.client.extract_insights_async(answer, a_conversation())
    assert result.value.note == ""
    assert len(lab.server.requests) == requests


@pytest.mark.parametrize(("limit", "told"), [(None, 15), (0, 15), (1, 1), (10, 10), (100, 15)])
async def test_a_summary_is_of_the_last_messages_in_their_order(tmp_path: Path, limit: int | None, told: int) -> None:
    async with fresh_lab(tmp_path) as lab:
        project = a_briefing(*(f"message {number}" for number in range(15)))
        await lab.client.summarize_conversation_async(project, limit)
    lines = lab.server.requests[0].blocks["conversation"].splitlines()
    assert lines == [f"{('assistant', 'user')[number % 2]}: message {number}" for number in range(15 - told, 15)]


async def test_suggestions_without_a_model_are_in_the_words_of_the_project(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, key=None) as lab:
        project = a_conversation(phase="design", project_type="educational")
        result = await lab.client.generate_suggestions_async("How?", project)
    assert result.degraded
    assert result.failure is not None
    assert result.failure.error_type == "AUTHENTICATION_ERROR"
    assert "lessons" in result.value
    assert len(result.value.splitlines()) == 4


async def test_interpretations_are_at_most_three_of_the_commands_that_there_are_best_first(tmp_path: Path) -> None:
    found = [
        ("/help", 0.3),
        ("/unknown", 1),
        ("/exit", 0.2),
        ("/project list", 7),
        ("help", 0.9),
        ("/project create", 0.4),
    ]
    async with fresh_lab(tmp_path, interpreted(*found)) as lab:
        result = await lab.client.interpret_command_async(TEXT, COMMANDS, "ada")
    assert commands_of(result) == ["/project list", "/project create", "/help"]
    assert [one.confidence for one in result.value.interpretations] == [1, 0.4, 0.3]
    assert result.value.interpretations[0].args == ("x",)


async def test_an_interpretation_is_not_asked_for_twice(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, by_task={"interpret_command": interpreted(("/help", 1))}) as lab:
        interpret = lab.client.interpret_command_async
        first = await interpret("what now", COMMANDS, "ada", a_conversation())
        again = await interpret(" what now ", list(COMMANDS), "ada", a_conversation())
        assert again.value == first.value
        assert (len(first.usage), again.usage, len(lab.server.requests)) == (1, (), 1)
        more = (*COMMANDS, Command("/now", "/now", "Tell the time"))
        await interpret("what now", COMMANDS, "bob", a_conversation())
        await interpret("what now", COMMANDS, "ada", a_conversation(id="p2"))
        await interpret("what now", COMMANDS, "ada")
        await interpret("what now", more, "ada", a_conversation())
        await interpret("what next", COMMANDS, "ada", a_conversation())
        assert len(lab.server.requests) == 6
        assert len(await lab.rows()) == 6


async def test_of_interpretations_the_last_fifty_are_kept(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, by_task={"interpret_command": interpreted(("/help", 1))}) as lab:
        for number in range(51):
            await lab.client.interpret_command_async(f"input {number}", COMMANDS, "ada")
        await lab.client.interpret_command_async("input 1", COMMANDS, "ada")
        assert len(lab.server.requests) == 51
        await lab.client.interpret_command_async("input 0", COMMANDS, "ada")
        assert len(lab.server.requests) == 52


async def test_a_failed_interpretation_is_asked_for_again(tmp_path: Path) -> None:
    wrong = Failure(400, "invalid_request_error", "wrong")
    async with fresh_lab(tmp_path, wrong, interpreted(("/help", 1))) as lab:
        with pytest.raises(Exception, match="wrong"):
            await lab.client.interpret_command_async("help", COMMANDS, "ada")
        assert commands_of(await lab.client.interpret_command_async("help", COMMANDS, "ada")) == ["/help"]
