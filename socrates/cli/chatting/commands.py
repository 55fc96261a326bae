"""What begins with a slash."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from socrates.agents.contracts.artifacts import ArtifactMade, DocumentationMade
from socrates.agents.contracts.base import Response
from socrates.agents.contracts.conflicts import ConflictList
from socrates.agents.contracts.context import ConversationsFound, SimilarFound, SummaryGenerated
from socrates.agents.contracts.dialogue import (
    AnsweredDirectly,
    ConfirmationNeeded,
    DynamicQuestionsToggled,
    HintProvided,
    PhaseLeft,
    QuestionAsked,
)
from socrates.agents.contracts.maturity import MaturitySummary
from socrates.agents.contracts.monitor import LimitsChecked, Stats
from socrates.agents.contracts.notes import NoteSaved, NotesFound
from socrates.cli.chatting.answers import analyse_again
from socrates.cli.chatting.deciding import decide_all
from socrates.cli.chatting.entrance import choose_project
from socrates.cli.chatting.files import save
from socrates.cli.chatting.screen import LeftError
from socrates.cli.chatting.session import OtherResponseError, Session

_R = TypeVar("_R", bound=Response)
_Run = Callable[[Session, str], Awaitable[bool | None]]


@dataclass(frozen=True, slots=True)
class _Command:
    """`run` gets what was typed after the name, and returns True where a question is due: the same, or a new one."""

    argument: str
    help: str
    run: _Run


async def run_command(session: Session, typed: str) -> bool:
    """Do what was typed, and return whether a question is due: the same again, or a new one.

    Raises NotDoneError, LeftError.
    """
    name, _, argument = typed.partition(" ")
    command = _COMMANDS.get(name.lower())
    if command is None:
        session.screen.warn(f"There is no command {name}. /help lists them.")
        return False
    if command.argument and not argument.strip():
        session.screen.warn(f"Type {name} {command.argument}")
        return False
    return bool(await command.run(session, argument.strip()))


async def _help(session: Session, _argument: str) -> None:
    rows = [(f"{name} {each.argument}".strip(), each.help) for name, each in _COMMANDS.items()]
    session.screen.table(("", ""), rows)


async def _question(session: Session, _argument: str) -> None:
    asked = await session.of_project(QuestionAsked, "socratic_counselor", "generate_question")
    if asked.warning:
        session.screen.warn(asked.warning)
    session.screen.heading(asked.question)


async def _hint(session: Session, _argument: str) -> None:
    given = await session.of_project(HintProvided, "socratic_counselor", "provide_hint")
    if given.warning:
        session.screen.warn(given.warning)
    session.screen.say(given.hint)


async def _again(session: Session, _argument: str) -> bool:
    return await analyse_again(session)


async def _ask(session: Session, argument: str) -> None:
    answered = await _streamed(session, AnsweredDirectly, "socratic_counselor", "answer_directly", question=argument)
    if answered.truncated:
        session.screen.warn("The answer has no end: the model ran into its limit.")


async def _maturity(session: Session, _argument: str) -> None:
    told = await session.of_project(MaturitySummary, "quality_controller", "get_maturity_summary")
    session.screen.bars({phase: standing.score for phase, standing in told.summary.items()})


async def _search(session: Session, argument: str) -> None:
    """In the conversation and the notes, and in what is known where there is a knowledge base."""
    # One request after another, here and below: Ctrl-C stops the one that it meets.
    said = await session.of_project(
        ConversationsFound, "context_analyzer", "search_conversations", query=argument, limit=10
    )
    noted = await session.of_project(NotesFound, "note_manager", "search_notes", query=argument, limit=10)
    found = [f"{hit.role}: {hit.snippet}" for hit in said.results]
    found += [f"note: {note.title}: {note.preview}" for note in noted.results]
    if session.system.services.knowledge is not None:
        known = await session.of_project(SimilarFound, "context_analyzer", "find_similar", query=argument)
        found += [f"known ({hit.score:.2f}): {hit.content}" for hit in known.similar_projects]
    session.screen.items(found)
    if not found:
        session.screen.say("Nothing was found.")


async def _note(session: Session, argument: str) -> None:
    title = argument if len(argument) <= 60 else f"{argument[:59]}…"
    await session.of_project(NoteSaved, "note_manager", "add_note", note_type="general", title=title, content=argument)
    session.screen.say("Noted.", "green")


async def _summary(session: Session, _argument: str) -> None:
    told = await session.of_project(SummaryGenerated, "context_analyzer", "generate_summary")
    session.screen.say(told.summary)


async def _conflicts(session: Session, _argument: str) -> None:
    listed = await session.of_project(ConflictList, "conflict_detector", "list_conflicts")
    if not listed.conflicts:
        session.screen.say("Nothing waits for a decision.")
    await decide_all(session, listed.conflicts)


async def _artifact(session: Session, _argument: str) -> bool:
    made = await _streamed(session, ArtifactMade, "code_generator", "generate_artifact")
    session.artifact = made.artifact
    await _save(session, made.artifact, made.artifact_type, truncated=made.truncated)
    return True


async def _docs(session: Session, _argument: str) -> bool:
    given = {} if session.artifact is None else {"artifact": session.artifact}
    made = await _streamed(session, DocumentationMade, "code_generator", "generate_documentation", **given)
    await _save(session, made.documentation, "documentation", truncated=made.truncated)
    return True


async def _save(session: Session, text: str, kind: str, *, truncated: bool) -> None:
    if truncated:
        session.screen.warn("It has no end: the model ran into its limit.")
    try:
        path = await asyncio.to_thread(save, text, session.project_name, kind, Path.cwd())
    except OSError as error:
        session.screen.warn(f"It could not be saved: {error}")
    else:
        session.screen.say(f"Saved: {path}", "green")


async def _advance(session: Session, _argument: str) -> bool:
    try:
        left = await session.of_project(PhaseLeft, "socratic_counselor", "advance_phase")
    except OtherResponseError as error:
        if not isinstance(error.response, ConfirmationNeeded):
            raise
        needed = error.response
        session.screen.items(needed.warnings, mark="!")
        if not await session.screen.agree(f"Go on to {needed.new_phase} all the same?"):
            return False
        left = await session.of_project(
            PhaseLeft, "socratic_counselor", "advance_phase", confirm=True, from_phase=needed.from_phase
        )
    session.screen.heading(f"{session.project_name}: {left.new_phase}")
    return True


async def _mode(session: Session, _argument: str) -> None:
    told = await session.of_project(DynamicQuestionsToggled, "socratic_counselor", "toggle_dynamic_questions")
    who = "a model asks" if told.dynamic_mode else "the questions come from a fixed list"
    session.screen.say(f"From now on {who}.")


async def _usage(session: Session, _argument: str) -> None:
    stats = await session.request(Stats, "system_monitor", "get_stats")
    limits = await session.request(LimitsChecked, "system_monitor", "check_limits")
    session.screen.say(f"{stats.api_calls:,} calls, {stats.total_tokens:,} tokens, ${stats.total_cost:.4f}")
    session.screen.items(limits.warnings, mark="!")


async def _projects(session: Session, _argument: str) -> bool:
    await choose_project(session)
    return True


async def _quit(_session: Session, _argument: str) -> None:
    raise LeftError


async def _streamed(session: Session, kind: type[_R], agent: str, action: str, **fields: str) -> _R:
    is_begun = False

    async def show(piece: str) -> None:
        nonlocal is_begun
        is_begun = True
        session.screen.piece(piece)

    try:
        return await session.of_project(kind, agent, action, on_piece=show, **fields)
    finally:
        if is_begun:
            session.screen.say()


_COMMANDS: Mapping[str, _Command] = {
    "/help": _Command("", "this list", _help),
    "/question": _Command("", "another question", _question),
    "/hint": _Command("", "help with the question", _hint),
    "/again": _Command("", "analyse the last answer that could not be", _again),
    "/ask": _Command("QUESTION", "let Socrates answer for once", _ask),
    "/maturity": _Command("", "how far each phase is", _maturity),
    "/conflicts": _Command("", "what waits for a decision", _conflicts),
    "/search": _Command("WORDS", "in the conversation, the notes and what is known", _search),
    "/note": _Command("TEXT", "keep a note", _note),
    "/summary": _Command("", "what was said so far", _summary),
    "/artifact": _Command("", "write what the project is for, and save it to a file", _artifact),
    "/docs": _Command("", "write its documentation, and save it to a file", _docs),
    "/advance": _Command("", "go on to the next phase", _advance),
    "/mode": _Command("", "let a model ask, or a fixed list", _mode),
    "/usage": _Command("", "what models have cost you", _usage),
    "/projects": _Command("", "another project", _projects),
    "/quit": _Command("", "end the conversation", _quit),
}

COMMANDS = tuple(_COMMANDS)
"""Their names."""
