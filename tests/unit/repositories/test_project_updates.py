"""Saving what changed, and refusing to lose what somebody else saved."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from socrates.drafts import NewMessage
from socrates.errors import ConflictError, DatabaseError, InvalidValueError, ProjectNotFoundError
from socrates.repositories.projects import ProjectUpdate
from socrates.store import Store
from socrates.views import ProjectSummary
from tests.support.stores import counted, fresh_store, thrown_away

WRONG = [
    {"owner": "bob"},
    {"id": "q"},
    {"is_archived": True},
    {"archived_at": None},
    {"version": 9},
    {"message_count": 9},
    {"updated_at": None},
    {"project_ID": "x"},
    {"goals": 5},
    {"goals": b"x"},
    {"goals": {"a": 1}},
    {"name": None},
    {"name": "\udfff"},
    {"progress": "many"},
    {"progress": True},
    {"progress": 1.0},
    {"progress": float("nan")},
    {"progress": 2**63},
    {"progress": -(2**63) - 1},
    {"extra": [1]},
    {"extra": None},
    {"extra": {"x": 1j}},
]
WRONG_LISTS = [
    {"requirements": "abc"},
    {"requirements": None},
    {"tech_stack": 5},
    {"constraints": [b"x"]},
    {"constraints": ["ok", 1]},
    {"constraints": {"a": 1}.values()},
    {"requirements": ["fine", "\ud800"]},
]


async def make(store: Store, project_id: str = "p", **columns: Any) -> ProjectSummary:
    async with store.begin() as unit:
        return await unit.projects.create(project_id, "ada", project_id=project_id, **columns)


async def save(store: Store, expected: int, /, **changes: Any) -> ProjectSummary:
    async with store.begin() as unit:
        return await unit.projects.update("p", expected, **changes)


async def bulk(store: Store, *updates: ProjectUpdate) -> None:
    async with store.begin() as unit:
        await unit.projects.bulk_update(updates)


async def test_an_update_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, goals="lend", requirements=["a"], extra={"k": 1})
        other = await make(store, "q")
        before = await store.projects.details("p")
        saved = await save(store, 1, name="new", progress=150, extra={"n": (1,)})
        after = await store.projects.details("p")
        assert await store.projects.summary("q") == other
    assert (saved.name, saved.progress, saved.version, after.extra) == ("new", 150, 2, {"n": (1,)})
    assert saved == after.summary
    assert saved.updated_at > before.summary.updated_at
    assert saved.created_at == before.summary.created_at
    assert (after.goals, after.requirements, after.members) == (before.goals, before.requirements, before.members)


async def test_a_lost_update_is_refused_with_both_versions_and_changes_nothing(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, requirements=["a"])
        await save(store, 1, name="first")
        before = await store.projects.details("p")
        async with store.begin() as unit:
            with pytest.raises(ConflictError) as raised:
                await unit.projects.update("p", 1, name="second", requirements=["b", "c"])
        assert (raised.value.key, raised.value.expected, raised.value.actual) == ("p", 1, 2)
        assert await store.projects.details("p") == before
        with pytest.raises(ConflictError):
            await save(store, 3, name="from the future")
        with pytest.raises(ConflictError):
            await save(store, 1)
        assert await store.projects.details("p") == before


async def test_of_many_at_once_with_one_version_one_is_saved(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        outcomes = await asyncio.gather(
            *(save(store, 1, name=f"name {number}") for number in range(20)), return_exceptions=True
        )
        (saved,) = (outcome for outcome in outcomes if isinstance(outcome, ProjectSummary))
        assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == 19
        assert await store.projects.summary("p") == saved


async def test_a_message_in_between_is_no_conflict(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        async with store.begin() as unit:
            await unit.conversations.append("p", NewMessage("user", "x"))
        saved = await save(store, 1, name="new")
    assert (saved.version, saved.message_count) == (2, 1)


async def test_an_unknown_project_is_not_found_by_updates(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for changes in ({"name": "x"}, {"requirements": ["x"]}, {}):
            with pytest.raises(ProjectNotFoundError):
                await save(store, 1, **changes)
        with pytest.raises(ProjectNotFoundError):
            await bulk(store, ProjectUpdate("p", 1, {"name": "x"}))


@pytest.mark.parametrize("wrong", WRONG + WRONG_LISTS[:-1], ids=ascii)
async def test_what_cannot_be_stored_is_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, goals="lend", requirements=["a"])
        before = await store.projects.details("p")
        async with thrown_away(store) as unit:
            with pytest.raises(InvalidValueError):
                await unit.projects.update("p", 1, **wrong)
        assert await store.projects.details("p") == before


@pytest.mark.parametrize("wrong", [{"progress": "many"}, {"requirements": ["b", "\ud800"]}], ids=ascii)
async def test_a_unit_in_which_a_value_was_refused_stores_nothing(wrong: dict[str, Any], tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, goals="lend", requirements=["a"])
        before = await store.projects.details("p")
        with pytest.raises(DatabaseError, match="nothing of the unit was stored"):
            await update_and_go_on(store, wrong)
        assert await store.projects.details("p") == before


async def update_and_go_on(store: Store, wrong: dict[str, Any]) -> None:
    async with store.begin() as unit:
        with pytest.raises(InvalidValueError):
            await unit.projects.update("p", 1, **wrong)


@pytest.mark.parametrize("wrong", WRONG + WRONG_LISTS, ids=ascii)
async def test_a_unit_that_an_impossible_value_ends_leaves_nothing(wrong: dict[str, Any], tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, goals="lend", requirements=["a"])
        before = await store.projects.details("p")
        with pytest.raises(InvalidValueError):
            await save(store, 1, **wrong)
        with pytest.raises(InvalidValueError):
            await bulk(store, ProjectUpdate("p", 1, {"name": "x"} | wrong))  # type: ignore[arg-type]
        assert await store.projects.details("p") == before


async def test_an_update_of_nothing_changes_nothing(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        created = await make(store)
        assert await save(store, 1) == created
        await bulk(store, ProjectUpdate("p", 1, {}))
        assert await store.projects.summary("p") == created
        with pytest.raises(ConflictError):
            await bulk(store, ProjectUpdate("p", 2, {}))


async def test_work_on_the_team_and_the_scores_leaves_version_and_time_alone(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        created = await make(store)
        async with store.begin() as unit:
            await unit.projects.add_member("p", "bob")
            await unit.projects.add_question("p", "Why?", "design", question_id="q")
            await unit.projects.answer_question("p", "q", "So.", "bob")
            await unit.projects.save_phase_scores("p", {"design": 1.0})
            await unit.projects.remove_member("p", "bob")
        await store.projects.details("p")
        assert await store.projects.summary("p") == created


@pytest.mark.parametrize(
    ("old", "new", "written"),
    [
        (["a", "b", "c"], ["a", "b", "c"], []),
        (["a", "b", "c"], ["a", "x", "c"], [1]),
        (["a", "b", "c"], ["a", "b", "c", "d"], [3]),
        (["a", "b", "c"], ["a"], []),
        (["a", "b", "c"], [], []),
        ([], ["a", "b"], [0, 1]),
        ([], [], []),
        (["a", "b", "c"], ["b", "c"], [0, 1]),
        (["a", "a"], ["a", "a", "a"], [2]),
        (["a", "b"], ["b", "a"], [0, 1]),
        (["é"], ["e\u0301"], [0]),
        (["1"], ["01", ""], [0, 1]),
    ],
)
@pytest.mark.parametrize("name", ["requirements", "tech_stack", "constraints"])
async def test_of_a_list_only_changed_entries_are_written(
    name: str, old: list[str], new: list[str], written: list[int], tmp_path: Path
) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, **{name: old})
        await make(store, "q", **{name: ["other"] * 9})
        positions: list[int] = []

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
            if statement.startswith("INSERT"):
                positions.extend(row[1] for row in (parameters if many else [parameters]))

        event.listen(store._engines.writer.sync_engine, "before_cursor_execute", note)
        saved = await save(store, 1, **{name: new})
        assert saved.version == 2
        assert positions == written
        assert getattr(await store.projects.details("p"), name) == tuple(new)
        assert getattr(await store.projects.details("q"), name) == ("other",) * 9


async def test_a_list_may_come_as_any_sequence_and_all_three_at_once(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, requirements=["a"], tech_stack=["b"], constraints=["c"])
        await save(store, 1, requirements=("x", "y"), tech_stack=[], constraints=["c"], goals="g")
        details = await store.projects.details("p")
    assert (details.requirements, details.tech_stack, details.constraints) == (("x", "y"), (), ("c",))
    assert (details.goals, details.version) == ("g", 2)


async def test_a_bulk_update_of_a_thousand_projects_takes_a_statement_a_set_of_columns(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            for number in range(1000):
                await unit.projects.create("old", "ada", project_id=f"p{number}")
        updates = [
            ProjectUpdate(f"p{number}", 1, {"progress": number} if number % 2 else {"goals": "g", "name": str(number)})
            for number in range(1000)
        ]
        with counted(store) as cost:
            await bulk(store, *updates)
        assert len(cost.statements) == 1 + 2
        projects = {project.id: project for project in await store.projects.for_user("ada")}
        assert len(projects) == 1000
        assert {project.version for project in projects.values()} == {2}
        assert len({project.updated_at for project in projects.values()}) == 1
        assert (projects["p7"].progress, projects["p7"].name) == (7, "old")
        assert (projects["p8"].progress, projects["p8"].name) == (0, "8")


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (ProjectUpdate("b", 2, {"name": "x"}), ConflictError),
        (ProjectUpdate("none", 1, {"name": "x"}), ProjectNotFoundError),
        (ProjectUpdate("a", 1, {"name": "x"}), InvalidValueError),
        (ProjectUpdate("b", 1, {"requirements": ["x"]}), InvalidValueError),  # type: ignore[typeddict-unknown-key]
        (ProjectUpdate("b", 1, {"owner": "x"}), InvalidValueError),  # type: ignore[typeddict-unknown-key]
        (ProjectUpdate("b", 1, {"name": 5}), InvalidValueError),  # type: ignore[typeddict-item]
    ],
    ids=["conflict", "missing", "twice", "a list", "the owner", "wrong type"],
)
async def test_a_bulk_update_is_all_or_none(bad: ProjectUpdate, error: type[Exception], tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        before = [await make(store, name) for name in ("a", "b", "c")]
        async with thrown_away(store) as unit:
            with pytest.raises(error) as raised:
                await unit.projects.bulk_update(
                    [ProjectUpdate("a", 1, {"name": "x"}), bad, ProjectUpdate("c", 1, {"name": "x"})]
                )
        assert [await store.projects.summary(name) for name in ("a", "b", "c")] == before
    if isinstance(raised.value, ConflictError):
        assert (raised.value.key, raised.value.expected, raised.value.actual) == ("b", 2, 1)
