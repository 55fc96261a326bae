"""A whole project read in one statement equals what a plain reading finds, table by table."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, text

from socrates import tagged_json, views
from socrates.drafts import NewMaturityEvent, NewSpec
from socrates.frozen import freeze
from socrates.models import Base
from socrates.store import Store
from tests.support.migrate import upgrade
from tests.support.stores import fresh_store

SAMPLES = Path(__file__).parents[2] / "support" / "v1_samples"
AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)

Convert = Callable[[Any], Any]


# SQLite gives the text that is stored, PostgreSQL's driver what it says.


def _time(stored: str | datetime | None) -> datetime | None:
    return datetime.fromisoformat(stored).replace(tzinfo=UTC) if isinstance(stored, str) else stored


def _tagged(stored: Any) -> Any:
    return freeze(tagged_json.decode(_json(stored)))


def _texts(stored: Any) -> tuple[str, ...]:
    return tuple(_json(stored))


def _json(stored: Any) -> Any:
    return json.loads(stored) if isinstance(stored, str) else stored


TIMES = (
    "archived_at",
    "created_at",
    "updated_at",
    "joined_at",
    "answered_at",
    "skipped_at",
    "timestamp",
    "last_updated",
)
TEXTS = ("skills", "assigned_to_roles", "assigned_to_users", "weak_categories", "strong_categories")
CONVERT: dict[str, Convert] = (
    dict.fromkeys(TIMES, _time)
    | dict.fromkeys(TEXTS, _texts)
    | dict.fromkeys(("extra", "details"), _tagged)
    | dict.fromkeys(("is_archived", "is_active"), bool)
)
PARTS: dict[str, tuple[type[Any], str, str]] = {
    "members": (views.Member, "team_members", "position, username"),
    "pending_questions": (views.PendingQuestion, "pending_questions", "position, id"),
    "phase_scores": (views.PhaseScore, "phase_maturity_scores", "phase"),
    "category_scores": (views.CategoryScore, "category_scores", "phase, category"),
    "specs": (views.Spec, "categorized_specs", "phase, position"),
    "maturity_events": (views.MaturityEvent, "maturity_events", "position"),
}
LISTS = {
    "requirements": "project_requirements",
    "tech_stack": "project_tech_stack",
    "constraints": "project_constraints",
}


async def slowly(store: Store, project_id: str) -> views.ProjectDetails:
    """The same project, by a SELECT per table and a conversion per column."""
    async with store._engines.reader.connect() as connection:

        async def rows(table: str, key: str, order: str) -> Sequence[Row[Any]]:
            sql = f"SELECT * FROM {table} WHERE {key} = :project_id ORDER BY {order}"
            return (await connection.execute(text(sql), {"project_id": project_id})).all()

        (project,) = await rows("projects", "id", "id")
        analytics = await rows("analytics_metrics", "project_id", "project_id")
        return views.ProjectDetails(
            summary=_view(views.ProjectSummary, project),
            **{
                name: _value(name, project)
                for name in (
                    "goals",
                    "team_structure",
                    "language_preferences",
                    "deployment_target",
                    "code_style",
                    "extra",
                )
            },
            **{
                name: tuple([_view(kind, row) for row in await rows(table, "project_id", order)])
                for name, (kind, table, order) in PARTS.items()
            },
            **{
                name: tuple([row.value for row in await rows(table, "project_id", "position")])
                for name, table in LISTS.items()
            },
            analytics=_view(views.Analytics, analytics[0]) if analytics else None,
        )


def _view(kind: type[Any], row: Row[Any]) -> Any:
    return kind(**{field.name: _value(field.name, row) for field in fields(kind)})


def _value(name: str, row: Row[Any]) -> Any:
    value = getattr(row, name)
    return CONVERT[name](value) if name in CONVERT and (value is not None or CONVERT[name] is not bool) else value


def keys(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [key for (key,) in connection.execute("SELECT id FROM projects ORDER BY id")]


@pytest.mark.sqlite  # upgrades a file
@pytest.mark.parametrize("sample", ["nine-tables.db", "three-tables.db"])
async def test_details_are_what_the_tables_hold_after_an_upgrade_from_v1(sample: str, tmp_path: Path) -> None:
    path = Path(shutil.copyfile(SAMPLES / sample, tmp_path / "projects.db"))
    upgrade(path)
    found = keys(path)
    assert len(found) > 1
    seen: dict[str, int] = {}
    async with Store.open(path) as store:
        for key in found:
            details = await store.projects.details(key)
            # By repr too: it tells 1 from True and 1.0, and a NaN equals itself.
            assert repr(details) == repr(await slowly(store, key))
            assert details.summary == await store.projects.summary(key)
            for name in (*PARTS, *LISTS):
                seen[name] = seen.get(name, 0) + len(getattr(details, name))
    if sample == "nine-tables.db":
        assert min(seen.values()) > 0, seen


@pytest.mark.sqlite  # upgrades a file
@pytest.mark.parametrize("sample", ["nine-tables.db", "three-tables.db"])
async def test_the_parts_read_one_by_one_are_those_of_the_details(sample: str, tmp_path: Path) -> None:
    path = Path(shutil.copyfile(SAMPLES / sample, tmp_path / "projects.db"))
    upgrade(path)
    async with Store.open(path) as store:
        for key in keys(path):
            details = await store.projects.details(key)
            assert details.members == await store.projects.members(key, include_inactive=True)
            assert details.pending_questions == await store.projects.pending_questions(key)
            assert details.phase_scores == await store.projects.phase_scores(key)
            assert details.category_scores == await store.projects.category_scores(key)
            assert details.specs == await store.projects.specs(key)
            assert details.maturity_events == await store.projects.maturity_events(key)
            if details.analytics is not None:
                assert details.analytics == await store.projects.analytics(key)
            assert all(member in details.members for member in await store.projects.members(key))


async def full(store: Store, project_id: str, mark: str) -> None:
    """A project with every kind of row and odd values in each."""
    extra = {"t": AT, "d": Decimal("0.50"), 5: (1, [2.0, None]), "b": b"\0", "s": {1}, "$x": float("inf")}
    async with store.begin() as unit:
        projects = unit.projects
        await projects.create(
            mark,
            "ada",
            project_id=project_id,
            extra=extra,
            requirements=["b", mark, "b"],
            constraints=["\x01", "", "😀"],
        )
        await projects.add_member(project_id, "Zoe", "analyst", ["sql", mark])
        await projects.add_member(project_id, "bob")
        await projects.remove_member(project_id, "Zoe")
        for number in range(3):
            await projects.add_question(project_id, f"{mark} {number}", "design", question_id=f"z{9 - number}")
        await projects.answer_question(project_id, "z8", mark, "bob")
        await projects.skip_question(project_id, "z7")
        await projects.save_phase_scores(project_id, {"design": 12.5, "Äther": 1, "zzz": 0.1 + 0.2})
        scores = [
            views.CategoryScore("design", name, value, None, 0.0, 3, freeze(extra))
            for name, value in [("b", 1.0), ("B", None), ("", -0.0)]
        ]
        await projects.save_category_scores(project_id, "design", scores)
        for phase in ("zz", "design", "Design"):
            specs = [NewSpec(mark, f"{number}", number / 3, None, None, AT, extra) for number in range(12)]
            await projects.add_specs(project_id, phase, specs)
        for number in range(12):
            event = NewMaturityEvent("design", number / 3, 0.0, mark, AT, {"n": number, **extra})
            await projects.add_maturity_event(project_id, event)
        analytics = views.Analytics(0.1, 2, None, ("b", "a"), ("z",), AT, freeze(extra))
        await projects.save_analytics(project_id, analytics)


async def test_details_of_projects_side_by_side_do_not_mix(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for project_id in ("p", "P", "p'"):
            await full(store, project_id, f"mark of {project_id}")
        for project_id in ("p", "P", "p'"):
            details = await store.projects.details(project_id)
            assert repr(details) == repr(await slowly(store, project_id))
            assert [spec.position for spec in details.specs] == [*range(12)] * 3
            assert [event.position for event in details.maturity_events] == [*range(12)]
            assert [member.username for member in details.members] == ["ada", "Zoe", "bob"]
            assert [question.id for question in details.pending_questions] == ["z9", "z8", "z7"]
            assert details.requirements == ("b", f"mark of {project_id}", "b")


async def test_details_with_null_wherever_null_is_allowed(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await full(store, "p", "x")
        async with store.begin() as unit:
            connection = await unit.projects._session.connection()  # type: ignore[attr-defined]
            for name in ("projects", "analytics_metrics", *(table for _, table, _ in PARTS.values())):
                for column in Base.metadata.tables[name].columns:
                    if column.nullable:
                        await connection.exec_driver_sql(f"UPDATE {name} SET {column.name} = NULL")
        details = await store.projects.details("p")
        assert details.summary.progress is details.specs[0].timestamp is details.members[0].joined_at is None
        assert repr(details) == repr(await slowly(store, "p"))


async def test_a_project_whose_rows_are_gone_has_empty_parts(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await full(store, "p", "x")
        async with store.begin() as unit:
            connection = await unit.projects._session.connection()  # type: ignore[attr-defined]
            for table in ("analytics_metrics", *LISTS.values(), *(table for _, table, _ in PARTS.values())):
                await connection.exec_driver_sql(f"DELETE FROM {table}")
        details = await store.projects.details("p")
    assert details.analytics is None
    assert all(getattr(details, name) == () for name in (*PARTS, *LISTS))
    assert (details.id, details.version) == ("p", 1)


async def test_details_inside_a_unit_see_what_it_wrote(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await full(store, "p", "x")
        async with store.begin() as unit:
            await unit.projects.update("p", 1, goals="new", tech_stack=["t"])
            inside = await unit.projects.details("p")
            assert (inside.goals, inside.tech_stack, inside.version) == ("new", ("t",), 2)
        assert await store.projects.details("p") == inside
