"""Every operation of the dialogue that calls a model, asked in the same way."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from socrates.frozen import FrozenDict
from socrates.llm.briefing import Briefing
from socrates.llm.caller import NOBODY, Caller
from socrates.llm.client import LLMClient
from socrates.llm.commands import Command
from socrates.llm.results import Result
from socrates.views import Entry, SearchHit
from tests.support.llm import Lab, a_briefing

Ask = Callable[[LLMClient, Briefing, str, Caller], Awaitable[Result[Any]]]

COMMANDS = (
    Command("/project create", "/project create <name>", "Begin a project"),
    Command("/project list", "/project list", "Show your projects"),
    Command("/help", "/help [command]", "Show what there is"),
    Command("/exit", "/exit", "Leave"),
)

TEXT = "list my projects"


async def streamed(client: LLMClient, project: Briefing, text: str, caller: Caller) -> Result[Any]:
    async with aclosing(client.stream_answer_async(text, project, caller=caller)) as pieces:
        *_, last = [piece async for piece in pieces]
    assert last.result is not None
    return last.result


ALL: dict[str, Ask] = {
    "question": lambda client, project, text, caller: client.generate_socratic_question_async(
        project, 2, "ada", caller=caller
    ),
    "insights": lambda client, project, text, caller: client.extract_insights_async(text, project, caller=caller),
    "suggestions": lambda client, project, text, caller: client.generate_suggestions_async(
        text, project, caller=caller
    ),
    "explanation": lambda client, project, text, caller: client.explain_insights_async(
        "goals", ["lend books"], text, caller=caller
    ),
    "answer": lambda client, project, text, caller: client.answer_question_async(text, project, caller=caller),
    "streamed answer": streamed,
    "topic": lambda client, project, text, caller: client.explain_topic_async(text, project, caller=caller),
    "summary": lambda client, project, text, caller: client.summarize_conversation_async(project, caller=caller),
    "command": lambda client, project, text, caller: client.interpret_command_async(
        text, COMMANDS, "ada", project, caller=caller
    ),
}

OPERATIONS: dict[str, tuple[str, int, float]] = {
    "question": ("generate_socratic_question", 200, 0.7),
    "insights": ("extract_insights", 1000, 0.3),
    "suggestions": ("generate_suggestions", 800, 0.7),
    "explanation": ("explain_insights", 200, 0.7),
    "answer": ("answer_question", 2000, 0.7),
    "streamed answer": ("answer_question", 2000, 0.7),
    "topic": ("explain_topic", 2000, 0.7),
    "summary": ("summarize_conversation", 2000, 0.7),
    "command": ("interpret_command", 800, 0.3),
}
"""The names under which they are accounted, their limits of tokens and temperatures: llm-client, chapter 3."""

JSON = ("insights", "command")
WITH_FALLBACK = ("insights", "suggestions")


def a_conversation(**changes: Any) -> Briefing:
    """A full project with a team and some messages."""
    return a_briefing("What for?", "To lend books", team={"ada": "lead", "bob": "creator"}, **changes)


async def outcomes(
    lab: Lab, project: Briefing, text: str = TEXT, caller: Caller = NOBODY
) -> dict[str, Result[Any] | BaseException]:
    """What comes of each operation, asked all at once."""
    asked = (ask(lab.client, project, text, caller) for ask in ALL.values())
    found = await asyncio.gather(*asked, return_exceptions=True)
    return dict(zip(ALL, found, strict=True))


def results(found: dict[str, Result[Any] | BaseException]) -> dict[str, Result[Any]]:
    """The outcomes, of which none is an error."""
    for outcome in found.values():
        if isinstance(outcome, BaseException):
            raise outcome
    return {name: outcome for name, outcome in found.items() if isinstance(outcome, Result)}


def a_hit(entry_id: str, content: str) -> SearchHit:
    """An entry that a search found."""
    at = datetime(2026, 1, 5, tzinfo=UTC)
    return SearchHit(Entry(entry_id, None, content, "general", None, None, FrozenDict(), at, at), 0.9)


class Search:
    """Finds the same for every query. `asked` has the arguments of each call."""

    def __init__(self, *hits: SearchHit) -> None:
        self._hits = hits
        self.asked: list[tuple[str, str | None, int]] = []

    async def __call__(self, query: str, *, project_id: str | None = None, top_k: int = 5) -> tuple[SearchHit, ...]:
        self.asked.append((query, project_id, top_k))
        return self._hits[:top_k]
