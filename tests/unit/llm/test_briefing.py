"""What operations are told of a project, as it is stored."""

import pytest

from socrates.drafts import NewMessage
from socrates.errors import InvalidValueError, ProjectNotFoundError
from socrates.llm.briefing import Briefing, brief
from socrates.rules.categories import PROJECT_TYPES
from socrates.store import Store
from tests.support.llm import a_briefing, an_empty_project


async def stored_project(store: Store) -> str:
    async with store.begin() as unit:
        project = await unit.projects.create("Reading Room", "ada", goals="Lend books", requirements=["offline"])
        other = await unit.projects.create("Other", "eve", goals="Secret")
        await unit.projects.add_member(project.id, "bob", "analyst")
        for number in range(15):
            await unit.conversations.append(project.id, NewMessage("user", f"message {number}"))
            await unit.conversations.append(other.id, NewMessage("user", "secret"))
    return project.id


async def test_a_project_comes_with_its_last_messages_and_its_team(store: Store) -> None:
    project_id = await stored_project(store)
    found = await brief(store, project_id)
    assert (found.project.id, found.project.goals) == (project_id, "Lend books")
    assert [message.content for message in found.messages] == [f"message {number}" for number in range(5, 15)]
    assert found.role_of("bob") == "analyst"
    assert found.role_of("somebody else") == "lead"
    assert len((await brief(store, project_id, 100)).messages) == 15
    assert (await brief(store, project_id, 0)).messages == ()
    with pytest.raises(InvalidValueError):
        await brief(store, project_id, -1)


async def test_a_project_that_is_not_there_is_an_error(store: Store) -> None:
    with pytest.raises(ProjectNotFoundError):
        await brief(store, "nowhere")


def test_the_last_messages_are_so_many_or_all() -> None:
    briefing = a_briefing("one", "two", "three")
    assert [message.content for message in briefing.last(2)] == ["two", "three"]
    assert briefing.last(5) == briefing.last(0) == briefing.last(None) == briefing.messages


def test_the_summary_has_a_line_for_what_there_is() -> None:
    assert a_briefing().summary.splitlines() == [
        "Goals: Lend books to everybody in the village",
        "Requirements: must work offline, remind readers of due dates",
        "Tech stack: Python, SQLite",
        "Constraints: at most 500 euros",
    ]
    assert a_briefing(goals=" ", tech_stack=(), constraints=("",)).summary.startswith("Requirements: ")
    assert a_briefing(goals=" ", tech_stack=(), constraints=("",)).summary.count("\n") == 0
    assert Briefing(an_empty_project()).summary == ""


@pytest.mark.parametrize("stored", [*PROJECT_TYPES, " Business ", "", "mobile app"])
def test_the_type_is_one_of_six(stored: str) -> None:
    wanted = stored.strip().lower() if stored.strip().lower() in PROJECT_TYPES else "software"
    assert a_briefing(project_type=stored).project_type == wanted
