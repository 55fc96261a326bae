"""Who may see a project, and the questions put to them."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from socrates.errors import AlreadyExistsError, InvalidValueError, NotFoundError, ProjectNotFoundError
from socrates.store import Store
from socrates.views import Member, PendingQuestion
from tests.support.stores import fresh_store, thrown_away


async def make(store: Store, *members: str) -> None:
    async with store.begin() as unit:
        await unit.projects.create("A library", "ada", project_id="p")
        await unit.projects.create("Another", "ada", project_id="q")
        for name in members:
            await unit.projects.add_member("p", name)


async def add(store: Store, *arguments: Any, **options: Any) -> Member:
    async with store.begin() as unit:
        return await unit.projects.add_member(*arguments, **options)


async def change(store: Store, *arguments: Any, **options: Any) -> Member:
    async with store.begin() as unit:
        return await unit.projects.update_member(*arguments, **options)


async def remove(store: Store, username: str) -> None:
    async with store.begin() as unit:
        await unit.projects.remove_member("p", username)


async def ask(store: Store, question: str = "Why?", **options: Any) -> PendingQuestion:
    async with store.begin() as unit:
        return await unit.projects.add_question("p", question, "design", **options)


async def answer(store: Store, question_id: str, *words: str) -> PendingQuestion:
    async with store.begin() as unit:
        return await unit.projects.answer_question("p", question_id, *(words or ("So.", "bob")))


async def skip(store: Store, question_id: str) -> PendingQuestion:
    async with store.begin() as unit:
        return await unit.projects.skip_question("p", question_id)


async def test_a_new_member_comes_last_and_sees_the_project(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, "zoe")
        assert not await store.projects.is_member("p", "bob")
        before = datetime.now(UTC)
        bob = await add(store, "p", "bob", "analyst", ["sql", "c"])
        assert (bob.username, bob.role, bob.skills, bob.is_active, bob.position) == (
            "bob",
            "analyst",
            ("sql", "c"),
            True,
            2,
        )
        assert bob.joined_at is not None
        assert before <= bob.joined_at <= datetime.now(UTC)
        assert [member.username for member in await store.projects.members("p")] == ["ada", "zoe", "bob"]
        assert (await store.projects.members("p"))[2] == bob
        assert await store.projects.is_member("p", "bob")
        assert not await store.projects.is_member("q", "bob")
        assert (await add(store, "q", "eve")).role == "creator"


@pytest.mark.parametrize("name", ["ada", "bob"])
async def test_a_member_and_the_owner_cannot_join_again(name: str, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, "bob")
        before = await store.projects.members("p")
        with pytest.raises(AlreadyExistsError):
            await add(store, "p", name, "analyst", ["new"])
        assert await store.projects.members("p") == before


async def test_who_was_removed_has_no_access_but_is_remembered(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, "bob", "cid")
        question = await ask(store, users=["bob"])
        await remove(store, "bob")
        assert [member.username for member in await store.projects.members("p")] == ["ada", "cid"]
        team = await store.projects.members("p", include_inactive=True)
        assert [(member.username, member.is_active) for member in team] == [
            ("ada", True),
            ("bob", False),
            ("cid", True),
        ]
        assert not await store.projects.is_member("p", "bob")
        assert await store.projects.for_user("bob") == ()
        assert await store.projects.pending_questions("p") == (question,)
        for again in (
            remove(store, "bob"),
            change(store, "p", "bob", skills=[]),
            change(store, "p", "bob", role="lead"),
        ):
            with pytest.raises(NotFoundError):
                await again
        with pytest.raises(NotFoundError):
            await change(store, "p", "bob")


async def test_who_comes_back_keeps_the_place_and_gets_what_is_new(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, "bob", "cid")
        await change(store, "p", "bob", skills=["old"])
        await remove(store, "bob")
        bob = await add(store, "p", "bob", "specialist", ["new"])
        assert (bob.position, bob.role, bob.skills, bob.is_active) == (1, "specialist", ("new",), True)
        assert [member.username for member in await store.projects.members("p")] == ["ada", "bob", "cid"]


async def test_role_and_skills_change_apart_and_together(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, "bob")
        assert (await change(store, "p", "bob", role="analyst")).role == "analyst"
        changed = await change(store, "p", "bob", skills=["b", "a", "b"])
        assert (changed.role, changed.skills) == ("analyst", ("b", "a", "b"))
        changed = await change(store, "p", "bob", role="lead", skills=[])
        assert (changed.role, changed.skills) == ("lead", ())
        assert await change(store, "p", "bob") == changed
        assert await store.projects.members("p") == (*(await store.projects.members("p"))[:1], changed)


async def test_the_owner_stays_lead_and_stays(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        before = await store.projects.members("p")
        with pytest.raises(InvalidValueError, match="transfer"):
            await change(store, "p", "ada", role="creator")
        with pytest.raises(InvalidValueError, match="transfer"):
            await remove(store, "ada")
        assert await store.projects.members("p") == before
        assert (await change(store, "p", "ada", role="lead", skills=["x"])).skills == ("x",)


async def test_unknown_people_and_projects_are_not_found(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        with pytest.raises(NotFoundError):
            await remove(store, "nobody")
        with pytest.raises(NotFoundError):
            await change(store, "p", "nobody", role="analyst")
        with pytest.raises(ProjectNotFoundError):
            await add(store, "none", "bob")
        with pytest.raises(ProjectNotFoundError):
            await change(store, "none", "bob", role="analyst")
        with pytest.raises(NotFoundError):
            await change(store, "none", "bob", role="lead")
        async with thrown_away(store) as unit:
            with pytest.raises(ProjectNotFoundError):
                await unit.projects.remove_member("none", "bob")
            with pytest.raises(ProjectNotFoundError):
                await unit.projects.add_question("none", "Why?", "design")
        assert await store.projects.members("none") == ()
        assert await store.projects.pending_questions("none") == ()
        assert not await store.projects.is_member("none", "ada")


@pytest.mark.parametrize("wrong", ["abc", [1], None, 5, [b"x"], [None]], ids=ascii)
async def test_lists_of_anything_but_texts_are_refused(wrong: Any, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, "bob")
        before = await store.projects.details("p")
        with pytest.raises(InvalidValueError):
            await add(store, "p", "cid", "creator", wrong)
        if wrong is not None:
            with pytest.raises(InvalidValueError):
                await change(store, "p", "bob", skills=wrong)
        for options in ({"roles": wrong}, {"users": wrong}):
            with pytest.raises(InvalidValueError):
                await ask(store, **options)
        with pytest.raises(InvalidValueError):
            await add(store, "p", "cid", 5)
        assert await store.projects.details("p") == before


async def test_many_joining_and_asking_at_once_all_get_a_place_of_their_own(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        await asyncio.gather(*(add(store, "p", f"user {n}") for n in range(20)), *(ask(store) for _ in range(20)))
        assert [member.position for member in await store.projects.members("p")] == [*range(21)]
        assert [question.position for question in await store.projects.pending_questions("p")] == [*range(20)]


async def test_a_question_waits_with_all_that_v1_kept(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        before = datetime.now(UTC)
        asked = await ask(store, "Who lends?", roles=["lead", "analyst"], users=["ada"])
        assert re.fullmatch("q_[0-9a-f]{8}", asked.id)
        assert (asked.question, asked.phase, asked.status) == ("Who lends?", "design", "pending")
        assert (asked.assigned_to_roles, asked.assigned_to_users) == (("lead", "analyst"), ("ada",))
        assert (asked.answered_by, asked.answer, asked.answered_at, asked.skipped_at) == (None, None, None, None)
        assert asked.created_at is not None
        assert before <= asked.created_at <= datetime.now(UTC)
        assert await store.projects.pending_questions("p") == (asked,)
        assert await store.projects.pending_questions("q") == ()


async def test_questions_stand_in_the_order_they_were_asked_and_are_found_by_status(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        for key in ("c", "a", "b"):
            await ask(store, question_id=key)
        before = datetime.now(UTC)
        answered, skipped = await answer(store, "a", "So.", "bob"), await skip(store, "c")
        assert (answered.status, answered.answer, answered.answered_by) == ("answered", "So.", "bob")
        assert answered.answered_at is not None
        assert before <= answered.answered_at <= datetime.now(UTC)
        assert (skipped.status, skipped.answer, answered.skipped_at) == ("skipped", None, None)
        assert skipped.skipped_at is not None
        assert before <= skipped.skipped_at

        async def found(status: str | None) -> list[str]:
            return [question.id for question in await store.projects.pending_questions("p", status=status)]

        assert await found(None) == ["c", "a", "b"]
        assert (await found("pending"), await found("answered"), await found("skipped")) == (["b"], ["a"], ["c"])
        assert await found("nonsense") == []
        assert (await store.projects.pending_questions("p"))[:2] == (skipped, answered)


async def test_a_settled_question_stays_as_it_is(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        for key in ("a", "b"):
            await ask(store, question_id=key)
        await answer(store, "a", "first", "bob")
        await skip(store, "b")
        before = await store.projects.pending_questions("p")
        for key, status in (("a", "answered"), ("b", "skipped")):
            with pytest.raises(InvalidValueError, match=status):
                await answer(store, key, "second", "eve")
            with pytest.raises(InvalidValueError, match=status):
                await skip(store, key)
        assert await store.projects.pending_questions("p") == before


async def test_of_two_answers_at_once_one_counts(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        await ask(store, question_id="a")
        outcomes = await asyncio.gather(
            *(answer(store, "a", f"answer {n}", "bob") for n in range(5)), return_exceptions=True
        )
        (counted,) = (outcome for outcome in outcomes if isinstance(outcome, PendingQuestion))
        assert await store.projects.pending_questions("p") == (counted,)


async def test_unknown_and_taken_question_ids(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        await ask(store, "first", question_id="a")
        with pytest.raises(AlreadyExistsError):
            await ask(store, "second", question_id="a")
        async with store.begin() as unit:
            await unit.projects.add_question("q", "third", "design", question_id="a")
            await unit.projects.skip_question("q", "a")
        (first,) = await store.projects.pending_questions("p")
        assert (first.question, first.status) == ("first", "pending")
        for settled in (answer(store, "b"), skip(store, "b")):
            with pytest.raises(NotFoundError) as raised:
                await settled
            assert (raised.value.kind, raised.value.key) == ("question", "b")
