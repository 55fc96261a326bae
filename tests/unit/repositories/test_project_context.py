from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from socrates.drafts import NewMessage
from socrates.errors import InvalidValueError, ProjectNotFoundError
from socrates.views import ProjectContext
from tests.support.stores import counted, fresh_store

pytestmark = pytest.mark.usefixtures("engine")

LISTS = {"requirements": ["lend", "remind", "bill"], "tech_stack": ["Python"], "constraints": []}


async def test_a_context_is_what_the_details_say(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada", project_id="p", goals="Lend books", **LISTS)
            await unit.projects.create("Other", "ada", project_id="q", **LISTS)
        details, context = await store.projects.details("p"), await store.projects.context("p")
        for field in fields(ProjectContext):
            part = details if hasattr(details, field.name) else details.summary
            assert getattr(context, field.name) == getattr(part, field.name), field.name
        assert context.requirements == ("lend", "remind", "bill")
        assert (context.tech_stack, context.constraints) == (("Python",), ())


async def test_who_asks_its_questions_is_for_each_project_to_say(tmp_path: Path) -> None:
    """Mends D56."""
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada", project_id="p")
            other = await unit.projects.create("Other", "ada", project_id="q", dynamic_questions=False)
        for name, is_dynamic in (("p", True), ("q", False)):
            assert (await store.projects.context(name)).dynamic_questions is is_dynamic
            assert (await store.projects.details(name)).dynamic_questions is is_dynamic
        async with store.begin() as unit:
            await unit.projects.update("q", other.version, dynamic_questions=True)
        assert (await store.projects.context("q")).dynamic_questions is True
        wrong: Any = "no"
        with pytest.raises(InvalidValueError):
            async with store.begin() as unit:
                await unit.projects.update("p", 1, dynamic_questions=wrong)


async def test_a_project_without_lists_has_a_context_too(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            await unit.projects.create("Bare", "ada", project_id="p")
        context = await store.projects.context("p")
        assert (context.name, context.requirements, context.tech_stack, context.constraints) == ("Bare", (), (), ())


async def test_an_unknown_project_has_none(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        with pytest.raises(ProjectNotFoundError):
            await store.projects.context("p")


async def test_talk_does_not_change_it_and_leaves_it_cached(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            project = await unit.projects.create("Library", "ada", project_id="p")
        before = await store.projects.context("p")
        async with store.begin() as unit:
            await unit.conversations.append("p", NewMessage("user", "It must lend books."))
        assert await store.projects.context("p") is before
        async with store.begin() as unit:
            await unit.projects.update("p", project.version, constraints=["cheap"])
        assert (await store.projects.context("p")).constraints == ("cheap",)


async def test_it_is_one_statement(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada", project_id="p", **LISTS)
        await store.projects.context("p")
        with counted(store) as cost:
            await store.projects.context("p")
        cost.must_be(statements=1, crossings=1)
