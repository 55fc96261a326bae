"""The prompts of the dialogue, compared with snapshots as text."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from socrates.llm.briefing import Briefing
from socrates.llm.commands import Command
from socrates.llm.prompts import dialogue
from socrates.llm.prompts.composing import Prompt, Rank, Section
from socrates.rules.categories import PHASES, PROJECT_TYPES
from tests.support.llm import HOSTILE, a_briefing, a_project, an_empty_project, stored_briefing
from tests.support.stores import fresh_store
from tests.unit.llm.prompts.prompt_texts import ROOM, assert_same, blocks_of, in_full

KNOWN = Section("knowledge", ("Lending takes a catalogue…", "Readers forget dates\nof return"), Rank.KNOWLEDGE)

SAID = ("What for?", "To lend books", "To whom?", "To everybody\nin the village", "When?", "From May on", "Why May?")

TEAM = {"ada": "lead", "bob": "creator", "cy": "specialist", "di": "analyst", "ed": "coordinator", "flo": "juggler"}

COMMANDS = (
    Command("/project create", "/project create <name>", "Begin a project"),
    Command("/help", "/help [command]", "Show what there is"),
    Command("/project list", "/project list", "Show your projects"),
)

OF_A_PROJECT: dict[str, Callable[[Briefing, str, int], Prompt]] = {
    "generate_socratic_question": lambda project, _, room: dialogue.socratic_question(project, 1, None, KNOWN, room),
    "extract_insights": lambda project, text, room: dialogue.insights(text, project, room),
    "generate_suggestions": lambda project, text, room: dialogue.suggestions(text, project, KNOWN, room),
    "answer_question": lambda project, text, room: dialogue.answer(text, project, KNOWN, room),
    "explain_topic": lambda project, text, room: dialogue.topic(text, project, KNOWN, room),
    "summarize_conversation": lambda project, _, room: dialogue.summary(project, project.messages, room),
    "interpret_command": lambda project, text, room: dialogue.interpretation(text, COMMANDS, "ada", project, room),
}
"""The prompts about a project, by task, each of a project, a text and a room."""

WITHOUT_PROJECT: dict[str, Callable[[str], Prompt]] = {
    "explain_insights": lambda text: dialogue.explanation("goals", ("lend books", "reach everybody"), text, ROOM),
    "answer_question": lambda text: dialogue.answer(text, None, KNOWN, ROOM),
    "explain_topic": lambda text: dialogue.topic(text, None, KNOWN, ROOM),
    "interpret_command": lambda text: dialogue.interpretation(text, COMMANDS, "ada", None, ROOM),
}

TEXT = "how do I lend books\nto everybody?"

every_task = pytest.mark.parametrize("task", OF_A_PROJECT)


def differences(from_prompt: Prompt, variants: Iterable[tuple[str, Prompt]]) -> str:
    """The lines in which the variants differ from a prompt, without the marks."""

    def lines(prompt: Prompt) -> list[str]:
        return re.sub(r"\b[0-9a-f]{16}\b", "MARK", in_full(prompt)).splitlines()

    known = set(lines(from_prompt))
    return "".join(
        "\n".join([f"=== {name} ===", *(line for line in lines(prompt) if line not in known), ""])
        for name, prompt in variants
    )


@every_task
def test_a_full_project(task: str) -> None:
    assert_same(task, in_full(OF_A_PROJECT[task](a_briefing(*SAID), TEXT, ROOM)))


@pytest.mark.parametrize("task", [task for task in OF_A_PROJECT if task != "summarize_conversation"])
def test_an_empty_project(task: str) -> None:
    assert_same(f"{task}_empty", in_full(OF_A_PROJECT[task](Briefing(an_empty_project(project_type="")), TEXT, ROOM)))


@pytest.mark.parametrize("task", WITHOUT_PROJECT)
def test_no_project(task: str) -> None:
    assert_same(f"{task}_no_project", in_full(WITHOUT_PROJECT[task](TEXT)))


@every_task
def test_each_type_of_project_has_its_own_words(task: str) -> None:
    prompts = {kind: OF_A_PROJECT[task](a_briefing(*SAID, project_type=kind), TEXT, ROOM) for kind in PROJECT_TYPES}
    assert_same(f"{task}_types", differences(prompts["software"], list(prompts.items())[1:]))


@pytest.mark.parametrize("task", ["generate_socratic_question", "generate_suggestions"])
def test_each_phase_has_its_own_words(task: str) -> None:
    prompts = {name: OF_A_PROJECT[task](a_briefing(*SAID, phase=name), TEXT, ROOM) for name in (*PHASES, "chaos")}
    assert_same(f"{task}_phases", differences(prompts["discovery"], list(prompts.items())[1:]))


def test_a_question_is_put_to_the_role_of_somebody_in_a_team() -> None:
    alone, team = a_briefing(*SAID, team={"ada": "lead"}), a_briefing(*SAID, team=TEAM)
    to_nobody = dialogue.socratic_question(team, 1, None, KNOWN, ROOM)
    to_each = [(name, dialogue.socratic_question(team, 1, name, KNOWN, ROOM)) for name in (*TEAM, "a stranger")]
    assert dialogue.socratic_question(alone, 1, "ada", KNOWN, ROOM) == to_nobody
    assert_same("generate_socratic_question_team", differences(to_nobody, to_each))


def test_a_role_may_be_written_with_capitals_and_blanks() -> None:
    written = dialogue.socratic_question(a_briefing(team={"ada": " Lead ", "bob": "creator"}), 0, "ada", KNOWN, ROOM)
    plain = dialogue.socratic_question(a_briefing(team={"ada": "lead", "bob": "creator"}), 0, "ada", KNOWN, ROOM)
    assert written.system == plain.system


@every_task
async def test_a_project_that_was_stored_has_the_same_prompt(task: str, stored: Briefing) -> None:
    assert OF_A_PROJECT[task](stored, TEXT, ROOM) == OF_A_PROJECT[task](a_briefing(*SAID), TEXT, ROOM)


async def test_a_team_that_was_stored_has_the_same_prompt(stored: Briefing) -> None:
    given = a_briefing(*SAID, team={"ada": "lead", "bob": "creator"})
    to_bob = dialogue.socratic_question(stored, 1, "bob", KNOWN, ROOM)
    assert to_bob == dialogue.socratic_question(given, 1, "bob", KNOWN, ROOM)


@pytest.fixture
async def stored(tmp_path: Path) -> Briefing:
    """The full project, read from a store."""
    async with fresh_store(tmp_path) as store:
        return await stored_briefing(store, a_project(), *SAID, team={"bob": "creator"})


@pytest.mark.parametrize(("task", "count"), [("generate_socratic_question", 4), ("generate_suggestions", 6)])
def test_so_many_of_the_last_messages_are_told(task: str, count: int) -> None:
    project = a_briefing(*(f"message {number}" for number in range(9)))
    told = blocks_of(OF_A_PROJECT[task](project, TEXT, ROOM))["conversation"].splitlines()
    speakers = ("assistant", "user")
    assert told == [f"{speakers[number % 2]}: message {number}" for number in range(9 - count, 9)]


@every_task
def test_hostile_words_stay_in_their_blocks(task: str) -> None:
    fields: dict[str, Any] = dict.fromkeys(("name", "goals", "phase", "project_type"), HOSTILE)
    fields |= dict.fromkeys(("requirements", "tech_stack", "constraints"), (HOSTILE,))
    attacked = OF_A_PROJECT[task](a_briefing("?", HOSTILE, **fields), HOSTILE, ROOM)
    harmless = OF_A_PROJECT[task](a_briefing("?", "yes", phase="chaos"), TEXT, ROOM)
    assert attacked.system == harmless.system
    assert blocks_of(attacked).keys() == blocks_of(harmless).keys()
    assert HOSTILE not in attacked.system
    for name in {"answer", "question", "topic", "input"} & blocks_of(attacked).keys():
        assert blocks_of(attacked)[name] == HOSTILE


def test_hostile_roles_and_users_do_not_reach_the_instructions() -> None:
    team = a_briefing(team={HOSTILE: HOSTILE, "bob": "creator"})
    prompt = dialogue.socratic_question(team, 0, HOSTILE, KNOWN, ROOM)
    assert prompt.system == dialogue.socratic_question(team, 0, None, KNOWN, ROOM).system
    assert blocks_of(prompt)["role"] == f"{HOSTILE}, {HOSTILE}"
    of_command = dialogue.interpretation(TEXT, COMMANDS, HOSTILE, None, ROOM)
    assert of_command.system == dialogue.interpretation(TEXT, COMMANDS, "ada", None, ROOM).system
    assert blocks_of(of_command).keys() == {"commands", "project", "input"}


@every_task
def test_a_huge_project_fits_and_what_is_missing_is_said(task: str) -> None:
    many = tuple(f"{number} is a number that it must know" for number in range(5000))
    said = ("It is the least of our troubles. " * 20,) * 100
    huge = a_briefing(*said, requirements=many, tech_stack=many, constraints=many, goals="so that " * 10_000)
    prompt = OF_A_PROJECT[task](huge, "and then " * 10_000, ROOM)
    assert len(prompt.stable + prompt.data) < 4 * ROOM + 2000
    assert prompt.data
    if prompt.omitted:
        assert blocks_of(prompt)["left_out"] == "\n".join(prompt.omitted)


@pytest.mark.parametrize(
    ("task", "block"),
    [
        ("extract_insights", "answer"),
        ("generate_suggestions", "question"),
        ("answer_question", "question"),
        ("explain_topic", "topic"),
        ("interpret_command", "input"),
    ],
)
def test_of_a_huge_text_the_beginning_is_told(task: str, block: str) -> None:
    prompt = OF_A_PROJECT[task](a_briefing(*SAID), "and then " * 100_000, ROOM)
    told = blocks_of(prompt)[block]
    assert "and then and then ".startswith(told[:18])
    assert 4 * ROOM - 1000 < len(told) < 4 * ROOM
    assert any(what.startswith(f"{block}: only its first {len(told)} of ") for what in prompt.omitted)


def test_of_a_long_conversation_the_oldest_messages_are_left_out_of_its_summary() -> None:
    project = a_briefing(*(f"message {number} " + "is long " * 100 for number in range(100)))
    prompt = dialogue.summary(project, project.messages, ROOM)
    told = blocks_of(prompt)["conversation"].splitlines()
    assert 30 < len(told) < 60
    assert told[-1].startswith("user: message 99 ")
    assert f"conversation: {100 - len(told)} of 100 left out" in prompt.omitted


def test_commands_stand_under_their_first_word() -> None:
    told = blocks_of(dialogue.interpretation(TEXT, COMMANDS, "ada", None, ROOM))["commands"]
    assert told.splitlines() == [
        "help:",
        "/help [command] - Show what there is",
        "project:",
        "/project create <name> - Begin a project",
        "/project list - Show your projects",
    ]
