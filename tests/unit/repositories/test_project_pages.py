"""Lists of projects: whose, in which order, page by page."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from socrates.errors import InvalidValueError
from socrates.models import Project
from socrates.store import Store, UnitOfWork
from socrates.views import ProjectSummary
from tests.support.stores import fresh_store
from tests.unit.repositories.plans import no_growth, settle, steps_of
from tests.unit.repositories.rows import put_project

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ["", "A", "Z", "a", "z", "ÿ", "Ā", "ss", "ß", "İ", "\uffff", "\U0001f600", "e\u0301", "é", "10", "9"]

Page = Callable[[int, ProjectSummary | None], Awaitable[tuple[ProjectSummary, ...]]]


async def ids(found: Awaitable[tuple[ProjectSummary, ...]]) -> list[str]:
    return [project.id for project in await found]


async def all_pages(page: Page, size: int) -> list[ProjectSummary]:
    """Every project, read page by page, as a user would who clicks on."""
    found: list[ProjectSummary] = []
    while True:
        following = await page(size, found[-1] if found else None)
        assert len(following) <= size
        found.extend(following)
        assert len(found) < 100, "the pages go round in circles"
        if len(following) < size:
            return found


async def many(store: Store) -> None:
    """Projects with ties in every key, of which `ada` sees all but one, as owner or as member."""
    for number, name in enumerate(NAMES * 2):
        await put_project(
            store,
            f"p{number * 7 % 32:02}",
            "ada" if number % 3 else "bob",
            *([] if number % 3 else [{"username": "ada"}]),
            name=name,
            created_at=START + timedelta(microseconds=number // 4),
            updated_at=START - timedelta(days=number // 5),
            is_archived=number % 2 == 0,
        )
    await put_project(store, "hidden", "bob")


async def test_a_list_holds_what_one_owns_and_what_one_is_an_active_member_of(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "own", "ada")
        await put_project(store, "joined", "bob", {"username": "ada"})
        await put_project(store, "left", "bob", {"username": "ada", "is_active": False})
        await put_project(store, "other", "bob", {"username": "cid"})
        await put_project(store, "both", "ada", {"username": "bob"})
        for reader in (store, None):
            async with store.begin() as unit:
                projects = (reader or unit).projects
                assert sorted(await ids(projects.for_user("ada"))) == ["both", "joined", "own"]
                assert sorted(await ids(projects.for_user("bob"))) == ["both", "joined", "left", "other"]
                assert await ids(projects.for_user("cid")) == ["other"]
        assert await ids(store.projects.for_user("Ada")) == []
        assert await ids(store.projects.for_user("ad%")) == []


async def test_an_owner_who_left_the_team_still_sees_the_project(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "own", "ada", is_archived=False)
        async with store.begin() as unit:
            await (await unit.projects._session.connection()).exec_driver_sql(  # type: ignore[attr-defined]
                "UPDATE team_members SET is_active = false"
            )
        assert await ids(store.projects.for_user("ada")) == ["own"]
        assert await store.projects.is_member("own", "ada")


async def test_the_archived_filter_holds_for_owned_and_joined_projects(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for archived in (False, True):
            await put_project(store, f"own {archived}", "ada", is_archived=archived)
            await put_project(store, f"joined {archived}", "bob", {"username": "ada"}, is_archived=archived)
        for_user = store.projects.for_user
        assert sorted(await ids(for_user("ada"))) == ["joined False", "own False"]
        assert sorted(await ids(for_user("ada", archived=True))) == ["joined True", "own True"]
        assert len(await ids(for_user("ada", archived=None))) == 4


async def test_quotas_count_what_one_owns_only(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "own", "ada")
        await put_project(store, "own 2", "ada")
        await put_project(store, "old", "ada", is_archived=True)
        await put_project(store, "joined", "bob", {"username": "ada"})
        count = store.projects.count_owned
        assert (await count("ada"), await count("ada", archived=True), await count("ada", archived=None)) == (2, 1, 3)
        assert (await count("nobody"), await count("nobody", archived=None)) == (0, 0)


async def test_the_last_changed_comes_first_by_default(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for number in (2, 0, 1):
            await put_project(store, f"p{number}", "ada", updated_at=START + timedelta(seconds=number))
        assert await ids(store.projects.for_user("ada")) == ["p2", "p1", "p0"]
        assert await ids(store.projects.for_user("ada", limit=2)) == ["p2", "p1"]


@pytest.mark.sampled
@pytest.mark.parametrize("size", [1, 3, 31, 32, *(pytest.param(size, marks=pytest.mark.long) for size in (2, 5, 100))])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", ["updated_at", "created_at", "name"])
async def test_pages_have_no_gap_and_no_double_in_any_order(
    sort: Literal["updated_at", "created_at", "name"], descending: bool, size: int, tmp_path: Path
) -> None:
    async with fresh_store(tmp_path) as store:
        await many(store)
        for archived in (None, False):
            whole = await store.projects.for_user("ada", archived=archived, sort=sort, descending=descending)
            keys = [(getattr(project, sort), project.id) for project in whole]
            assert keys == sorted(keys, reverse=descending)
            assert len(whole) == (32 if archived is None else 16)

            async def page(count: int, last: ProjectSummary | None, kind: bool | None = archived) -> Any:
                return await store.projects.for_user(
                    "ada", archived=kind, sort=sort, descending=descending, limit=count, after=last
                )

            assert await all_pages(page, size) == list(whole)


async def test_a_page_can_begin_behind_a_project_that_is_gone(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await many(store)
        whole = await store.projects.for_user("ada", archived=None, sort="name", descending=False)
        async with store.begin() as unit:
            await unit.projects.delete(whole[4].id)
        rest = await store.projects.for_user("ada", archived=None, sort="name", descending=False, after=whole[4])
        assert rest == whole[5:]


async def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for limit in (0, -1, 2**64):
            with pytest.raises(InvalidValueError):
                await store.projects.for_user("ada", limit=limit)
            with pytest.raises(InvalidValueError):
                await store.projects.archived(limit)
        for sort in ("id", "owner; DROP TABLE projects", "__class__", "extra", ""):
            with pytest.raises(InvalidValueError):
                await store.projects.for_user("ada", sort=sort)  # type: ignore[arg-type]


async def test_nobody_sees_nothing(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        assert await store.projects.for_user("ada") == ()
        assert await store.projects.archived() == ()


async def archived_ones(store: Store) -> list[str]:
    """Everybody's archived projects with ties and without times; their ids in the order that is promised."""
    times = {f"p{number}": START + timedelta(seconds=number // 3) for number in range(8)}
    for name, at in times.items():
        await put_project(store, name, "ada" if name < "p4" else "bob", is_archived=True, archived_at=at)
    for name in ("u2", "a1", "u1"):
        await put_project(store, name, "cid", is_archived=True, archived_at=None)
    await put_project(store, "live", "ada")
    await put_project(store, "restored", "ada", archived_at=START)
    return [*sorted(times, key=lambda name: (times[name], name), reverse=True), "u2", "u1", "a1"]


async def test_archived_projects_come_the_last_first_and_those_without_a_time_at_the_end(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        expected = await archived_ones(store)
        assert await ids(store.projects.archived()) == expected
        assert await ids(store.projects.archived(3)) == expected[:3]


@pytest.mark.parametrize("size", range(1, 13))
async def test_pages_of_archived_projects_have_no_gap_and_no_double(size: int, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        expected = await archived_ones(store)
        found = await all_pages(store.projects.archived, size)
        assert [project.id for project in found] == expected


async def test_a_late_page_of_archived_projects_costs_what_an_early_one_does(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for number in range(400):
            at = START + timedelta(seconds=number)
            await put_project(store, f"p{number:03}", "ada", is_archived=True, archived_at=at)
        steps = []
        for place in (10, 380):
            after = (await store.projects.archived(place))[-1]
            steps.append(await _steps_of(store, partial(page_of_archived, after), 10))
        assert steps[1] <= steps[0] * 1.2


def page_of_archived(after: ProjectSummary, unit: UnitOfWork) -> Awaitable[tuple[ProjectSummary, ...]]:
    return unit.projects.archived(10, after)


async def test_a_list_reads_nothing_of_other_peoples_projects(tmp_path: Path, engine: str) -> None:
    """The same cost beside 10 and beside 5,000 projects of others."""
    async with fresh_store(tmp_path) as store:
        await put_project(store, "own", "ada")
        steps = []
        for others in (10, 5000):
            await _others(store, others)
            await settle(store)
            steps.append(await _steps(store))
    assert no_growth(engine, steps)


async def _others(store: Store, count: int) -> None:
    async with store.begin() as unit:
        connection = await unit.projects._session.connection()  # type: ignore[attr-defined]
        columns = ", ".join(column.name for column in Project.__table__.columns if column.name not in ("id", "owner"))
        await connection.exec_driver_sql(
            f"INSERT INTO projects (id, owner, {columns})"
            f" WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
            f" SELECT '{count}/' || i, 'user ' || (i % 50), {columns} FROM n, projects WHERE id = 'own'"
        )


async def _steps(store: Store) -> int:
    """What one list costs."""
    return await _steps_of(store, lambda unit: unit.projects.for_user("ada"), 1)


async def _steps_of(
    store: Store, read: Callable[[UnitOfWork], Awaitable[tuple[ProjectSummary, ...]]], rows: int
) -> int:
    """What one read costs."""

    async def checked(unit: UnitOfWork) -> None:
        assert len(await read(unit)) == rows

    return await steps_of(store, read, checked)
