import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from socrates.drafts import NewConflict
from socrates.errors import AlreadyExistsError, InvalidValueError, NotFoundError, ProjectNotFoundError
from socrates.frozen import FrozenDict
from socrates.rules.conflicts import Resolution, decided, pending
from socrates.store import Store
from socrates.views import ProjectConflict
from tests.support.stores import another_store, counted, fresh_store
from tests.unit.repositories.plans import query_plan, scans
from tests.unit.repositories.rows import put_project

DRAFT = NewConflict("tech_stack", "MySQL", "PostgreSQL", "medium", "Two databases.", ("Keep one.",), "bob", "ada")


async def add(store: Store, *keys: str, project_id: str = "p1", **values: Any) -> tuple[ProjectConflict, ...]:
    async with store.begin() as unit:
        return await unit.conflicts.add(project_id, [replace(DRAFT, id=key, **values) for key in keys])


async def settle(
    store: Store, key: str, choice: Any = "replace", value: str | None = None, by: str | None = "ada"
) -> ProjectConflict:
    async with store.begin() as unit:
        return await unit.conflicts.settle("p1", key, choice, value, by)


def ids(conflicts: tuple[ProjectConflict, ...]) -> list[str]:
    return [conflict.id for conflict in conflicts]


async def test_a_conflict_waits_with_all_that_was_found(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        before = datetime.now(UTC)
        async with store.begin() as unit:
            (conflict,) = await unit.conflicts.add("p1", [DRAFT])
        assert before <= conflict.created_at <= datetime.now(UTC)
        assert conflict == ProjectConflict(
            id=conflict.id,
            project_id="p1",
            field="tech_stack",
            existing="MySQL",
            new="PostgreSQL",
            severity="medium",
            explanation="Two databases.",
            suggestions=("Keep one.",),
            existing_author="bob",
            new_author="ada",
            created_at=conflict.created_at,
            status="pending",
            choice=None,
            value=None,
            resolved_by=None,
            resolved_at=None,
            extra=FrozenDict(),
        )
        assert await store.conflicts.get(conflict.id) == conflict


async def test_conflicts_are_there_for_another_store(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        added = await add(store, "b", "a")
        async with another_store(store) as other:
            assert await other.conflicts.pending("p1") == added


async def test_lists_are_oldest_first_and_keep_the_order_of_the_drafts(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await put_project(store, "p2", "ada")
        await add(store, "c", "a", "d")
        await add(store, "other", project_id="p2")
        await add(store, "b")
        assert ids(await store.conflicts.pending("p1")) == ["c", "a", "d", "b"]
        await settle(store, "a")
        assert ids(await store.conflicts.pending("p1")) == ["c", "d", "b"]
        assert ids(await store.conflicts.for_project("p1")) == ["c", "a", "d", "b"]
        assert await store.conflicts.pending("nowhere") == await store.conflicts.for_project("nowhere") == ()


async def test_pages_hold_each_conflict_once(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        keys = [f"c{n}" for n in range(7)]
        await add(store, *keys)
        await settle(store, "c3")
        for size in (1, 2, 3, 50):
            found: list[str] = []
            page = await store.conflicts.for_project("p1", limit=size)
            while page:
                assert len(page) <= size
                found += ids(page)
                page = await store.conflicts.for_project("p1", limit=size, after=page[-1])
            assert found == keys
        with pytest.raises(InvalidValueError, match="limit"):
            await store.conflicts.for_project("p1", limit=0)


async def test_conflicts_of_nothing_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await add(store, "c")
        assert await add(store) == ()
        with pytest.raises(ProjectNotFoundError):
            await add(store, "d", project_id="nowhere")
        with pytest.raises(AlreadyExistsError):
            await add(store, "d", "c")
        with pytest.raises(NotFoundError, match="conflict"):
            await store.conflicts.get("d")
        for wrong in ({"field": "name"}, {"severity": "fatal"}, {"suggestions": "Keep one."}, {"new": None}):
            with pytest.raises(InvalidValueError):
                await add(store, "d", **wrong)
        assert ids(await store.conflicts.pending("p1")) == ["c"]


async def test_a_decision_is_kept_with_its_maker_and_time(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await add(store, "c", "d", "e")
        settled = await settle(store, "c", "manual", "SQLite")
        assert (settled.status, settled.choice, settled.value) == ("resolved", "manual", "SQLite")
        assert settled.resolved_by == "ada"
        assert settled.resolved_at is not None
        assert abs(datetime.now(UTC) - settled.resolved_at) < timedelta(minutes=1)
        assert await store.conflicts.get("c") == settled
        assert (await settle(store, "d", "keep", by=None)).resolved_by is None
        assert ids(await store.conflicts.pending("p1")) == ["e"]


async def test_a_conflict_is_settled_once_and_in_its_own_project(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for name in ("p1", "p2"):
            await put_project(store, name, "ada")
        await add(store, "c")
        await add(store, "other", project_id="p2")
        settled = await settle(store, "c")
        with pytest.raises(InvalidValueError, match="resolved already"):
            await settle(store, "c", "keep", by="bob")
        assert await store.conflicts.get("c") == settled
        for key in ("other", "nothing"):
            with pytest.raises(NotFoundError):
                await settle(store, key)
        assert ids(await store.conflicts.pending("p2")) == ["other"]


@pytest.mark.parametrize(("choice", "value"), [("both", None), ("manual", None), ("keep", "SQLite")])
async def test_decisions_that_make_no_sense_are_refused(tmp_path: Path, choice: str, value: str | None) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await add(store, "c")
        with pytest.raises(InvalidValueError, match="choice"):
            await settle(store, "c", choice, value)
        assert ids(await store.conflicts.pending("p1")) == ["c"]


async def test_of_many_decisions_at_once_one_succeeds(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await add(store, "c")
        names = [f"u{n}" for n in range(10)]
        outcomes = await asyncio.gather(*(settle(store, "c", by=name) for name in names), return_exceptions=True)
        winners = [outcome for outcome in outcomes if isinstance(outcome, ProjectConflict)]
        assert [await store.conflicts.get("c")] == winners
        assert [type(outcome) for outcome in outcomes].count(InvalidValueError) == 9


async def test_what_waits_is_what_the_rules_decide_on(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        conflicts = {conflict.id: conflict for conflict in await add(store, "c", "d")}
    resolution = Resolution("c", "replace")
    assert pending(conflicts, [resolution]) == ("d",)
    assert decided({"tech_stack": ("MySQL",)}, conflicts, [resolution]).statements["tech_stack"] == ("PostgreSQL",)


async def test_any_number_is_added_and_every_read_is_one_statement_through_an_index(
    tmp_path: Path, engine: str
) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        with counted(store) as cost:
            first, *_ = await add(store, *(f"c{n}" for n in range(50)))
        assert len(cost.statements) == 1
        assert len(await store.conflicts.for_project("p1")) == 50
        in_state = "ix_project_conflicts_project_id_status_created_at_id (project_id=? AND status=?)"
        of_project = "ix_project_conflicts_project_id_created_at_id (project_id=?"
        reads: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
            ("sqlite_autoindex_project_conflicts_1 (id=?)", lambda: store.conflicts.get("c1")),
            (in_state, lambda: store.conflicts.pending("p1")),
            (of_project, lambda: store.conflicts.for_project("p1")),
            (of_project + " AND (created_at,id)>(?,?)", lambda: store.conflicts.for_project("p1", after=first)),
        ]
        for index, read in reads:
            with counted(store) as cost:
                assert await read()
            cost.must_be(1, 1)
            assert await scans(store, cost.statements) == []
            if engine == "sqlite":
                plan = await query_plan(store, cost.statements)
                assert index in plan
                assert "ORDER BY" not in plan
