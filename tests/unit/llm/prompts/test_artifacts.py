"""The prompts of artifacts and of their documentation, compared with snapshots as text."""

from pathlib import Path

import pytest

from socrates.llm.briefing import Briefing
from socrates.llm.prompts import artifacts
from socrates.llm.prompts.composing import Prompt
from socrates.rules.categories import PROJECT_TYPES
from tests.support.llm import HOSTILE, a_briefing, a_project, an_empty_project, messages, stored_briefing
from tests.support.stores import fresh_store
from tests.unit.llm.prompts.prompt_texts import ROOM, assert_same, blocks_of

SAID = ("What for?", "To lend books", "To whom?", "To everybody\nin the village", "When?", "From May on")

TASKS = {
    "software": "generate_code",
    "business": "generate_business_plan",
    "research": "generate_research_protocol",
    "creative": "generate_creative_brief",
    "marketing": "generate_marketing_plan",
    "educational": "generate_curriculum",
}

ARTIFACT_TYPES = ("code", "business_plan", "research_protocol", "creative_brief", "marketing_plan", "curriculum")


def prompt_of(project: Briefing, task: str = "generate_code", room: int = ROOM) -> Prompt:
    return artifacts.artifact(task, artifacts.artifact_sections(project), room)


def documentation_of(project: Briefing, artifact: str | None, artifact_type: str = "code", room: int = ROOM) -> Prompt:
    sections = artifacts.documentation_sections(project, artifact, artifact_type)
    return artifacts.documentation(artifact_type, sections, room)


@pytest.mark.parametrize("project_type", PROJECT_TYPES)
def test_a_full_project_of_each_type(project_type: str) -> None:
    task = TASKS[project_type]
    assert_same(task, prompt_of(a_briefing(*SAID, project_type=project_type), task))


def test_an_empty_project() -> None:
    assert_same("generate_code_empty", prompt_of(Briefing(an_empty_project(project_type=""))))


@pytest.mark.parametrize("artifact_type", ARTIFACT_TYPES)
def test_documentation_of_each_type(artifact_type: str) -> None:
    artifact = "# The artifact\n" + "x" * 3000
    assert_same(f"generate_documentation_{artifact_type}", documentation_of(a_briefing(), artifact, artifact_type))


def test_documentation_of_an_empty_project_without_an_artifact() -> None:
    prompt = documentation_of(Briefing(an_empty_project()), None)
    assert_same("generate_documentation_empty", prompt)
    assert prompt == documentation_of(Briefing(an_empty_project()), " \n")


def test_who_is_in_the_team_changes_nothing() -> None:
    alone, team = a_briefing(*SAID), a_briefing(*SAID, team={"ada": "lead", "bob": "analyst"})
    assert prompt_of(alone) == prompt_of(team)
    assert documentation_of(alone, "x") == documentation_of(team, "x")


async def test_a_project_that_was_stored_has_the_same_prompt(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        read = await stored_briefing(store, a_project(phase="design"), *SAID)
    given = a_briefing(*SAID, phase="design")
    assert prompt_of(read) == prompt_of(given)
    assert documentation_of(read, "x") == documentation_of(given, "x")


def test_of_the_last_five_messages_those_of_users_are_told() -> None:
    blocks = blocks_of(prompt_of(a_briefing(*SAID)))
    assert blocks["conversation"] == "- To lend books\n- To everybody\n  in the village\n- From May on"
    assert "From May on" not in str(documentation_of(a_briefing(*SAID), "x"))


@pytest.mark.parametrize("room", [200, ROOM])
def test_neither_part_of_a_prompt_is_ever_empty(room: int) -> None:
    """The API refuses empty parts."""
    for project in (a_briefing("What for?"), Briefing(an_empty_project()), a_briefing(goals="so that " * 1000)):
        assert prompt_of(project, room=room).stable
        assert "conversation" in prompt_of(project, room=room).data


def test_an_older_message_is_not_told() -> None:
    blocks = blocks_of(prompt_of(a_briefing("?", "the oldest answer", "?", "the second", "?", "the third", "?")))
    assert blocks["conversation"] == "- the second\n- the third"


def test_the_beginning_of_a_long_artifact_is_told_with_an_ellipsis() -> None:
    assert blocks_of(documentation_of(a_briefing(), "x" * 2000))["artifact"] == "x" * 2000
    assert blocks_of(documentation_of(a_briefing(), "x" * 2001))["artifact"] == "x" * 2000 + "…"


@pytest.mark.parametrize("artifact_type", ["", "novel", "outlines", HOSTILE])
def test_an_unknown_type_of_artifact_is_taken_for_code(artifact_type: str) -> None:
    assert documentation_of(a_briefing(), "x", artifact_type) == documentation_of(a_briefing(), "x", "code")


def test_a_type_of_artifact_may_be_written_with_capitals_and_blanks() -> None:
    assert documentation_of(a_briefing(), "x", " Business_Plan ") == documentation_of(
        a_briefing(), "x", "business_plan"
    )


def test_hostile_words_stay_in_their_blocks() -> None:
    fields = {name: f"{name} {HOSTILE}" for name in ("goals", "name", "deployment_target", "code_style", "phase")}
    lists = {name: (f"{name} {HOSTILE}",) for name in ("requirements", "tech_stack", "constraints")}
    kind = {"project_type": HOSTILE}
    hostile = a_briefing("?", HOSTILE, **fields, **lists, **kind)
    for attacked, harmless in (
        (prompt_of(hostile), prompt_of(a_briefing("?", "yes"))),
        (documentation_of(hostile, HOSTILE, HOSTILE), documentation_of(a_briefing(), "x")),
    ):
        assert attacked.system == harmless.system
        assert blocks_of(attacked).keys() == blocks_of(harmless).keys()
        assert blocks_of(attacked)["goals"] == fields["goals"]
    assert blocks_of(documentation_of(hostile, HOSTILE))["artifact"] == HOSTILE


def test_what_there_is_no_room_for_is_left_out_and_said() -> None:
    project = a_briefing(*("said " * 100,) * 6, requirements=("must " * 500,), goals="so that " * 1000)
    prompt = prompt_of(project, room=500)
    assert [what.partition(":")[0] for what in prompt.omitted] == [
        "conversation",
        "requirements",
        "constraints",
        "tech_stack",
        "goals",
    ]
    assert len(prompt.stable + prompt.data) < 500 * 4 + 1000
    assert blocks_of(prompt)["left_out"] == "\n".join(prompt.omitted)


def test_the_context_is_the_data_as_people_read_it() -> None:
    sections = artifacts.artifact_sections(a_briefing("What for?", "To lend books"))
    assert artifacts.in_words(sections, ROOM) == (
        "Project\nname: Reading Room\ntype: SOFTWARE\nphase: discovery\n"
        "deployment target: a small server in the library\ncode style: documented\n\n"
        "Goals\nLend books to everybody in the village\n\n"
        "Requirements\nmust work offline\nremind readers of due dates\n\n"
        "Tech stack\nPython\nSQLite\n\n"
        "Constraints\nat most 500 euros\n\n"
        "Conversation\n- To lend books"
    )


@pytest.mark.parametrize("room", [200, ROOM])
def test_the_context_has_what_the_prompt_has(room: int) -> None:
    sections = artifacts.artifact_sections(Briefing(a_project(goals="so that " * 500), messages(*SAID)))
    prompt, context = artifacts.artifact("generate_code", sections, room), artifacts.in_words(sections, room)
    told = blocks_of(prompt)
    told.pop("left_out", None)
    assert context.count("\n\n") == len(told) - 1
    assert all(text in context for text in told.values())
