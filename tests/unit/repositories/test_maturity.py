"""Scores, statements, events and running totals of a project."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from socrates.drafts import NewMaturityEvent, NewSpec
from socrates.errors import InvalidValueError, ProjectNotFoundError
from socrates.frozen import freeze
from socrates.repositories.projects import ProjectRepository
from socrates.store import Store, UnitOfWork
from socrates.views import Analytics, CategoryScore, Spec
from tests.support.stores import fresh_store, thrown_away
from tests.unit.repositories.plans import no_growth, settle, steps_of

AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
EMPTY = freeze({})


def score(category: str, current: float | None = 1.0, phase: str = "design", **extra: Any) -> CategoryScore:
    return CategoryScore(phase, category, current, 5.0, 0.5, 2, freeze(extra))


async def make(store: Store) -> None:
    async with store.begin() as unit:
        for name in ("p", "q"):
            await unit.projects.create(name, "ada", project_id=name)


async def write(store: Store, method: Any, *arguments: Any) -> Any:
    """Call one writing method in a unit of its own."""
    async with store.begin() as unit:
        return await method(unit.projects, *arguments)


save_phases = ProjectRepository.save_phase_scores
save_categories = ProjectRepository.save_category_scores
add_specs = ProjectRepository.add_specs
add_event = ProjectRepository.add_maturity_event
save_analytics = ProjectRepository.save_analytics


async def test_phase_scores_that_are_given_change_and_others_stay(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        await write(store, save_phases, "p", {"design": 12.5, "own phase": 1, "analysis": None})
        await write(store, save_phases, "p", {"design": 0.1 + 0.2})
        await write(store, save_phases, "p", {})
        found = {each.phase: each.score for each in await store.projects.phase_scores("p")}
        assert found == {
            "analysis": None, "design": 0.1 + 0.2, "discovery": 0.0, "implementation": 0.0, "own phase": 1.0,
        }  # fmt: skip
        assert list(found) == sorted(found)
        assert {each.score for each in await store.projects.phase_scores("q")} == {0.0}


@pytest.mark.parametrize(
    "wrong", [float("nan"), float("inf"), float("-inf"), "12", True, b"1", 10**400], ids=lambda wrong: repr(wrong)[:9]
)
async def test_what_is_no_finite_number_is_no_score(wrong: Any, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        before = await store.projects.details("p")
        for method, *arguments in (
            (save_phases, {"design": 1.0, "analysis": wrong}),
            (save_categories, "design", [score("a"), score("b", wrong)]),
            (add_specs, "design", [NewSpec("a", "b", wrong)]),
            (add_event, NewMaturityEvent("design", wrong if isinstance(wrong, float) else 1.0, float("nan"), "answer")),
            (save_analytics, Analytics(wrong, 1, 1.0, (), (), None, EMPTY)),
        ):
            with pytest.raises(InvalidValueError):
                await write(store, method, "p", *arguments)
        assert await store.projects.details("p") == before


async def test_the_categories_of_a_phase_become_those_given(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        await write(store, save_categories, "p", "design", [score("b"), score("a", 2.0, kept=(1, [2]))])
        await write(store, save_categories, "p", "analysis", [score("a", 9.0, "analysis")])
        await write(store, save_categories, "q", "design", [score("b")])
        assert await store.projects.category_scores("p", "design") == (score("a", 2.0, kept=(1, [2])), score("b"))
        await write(store, save_categories, "p", "design", [score("c", None), score("a", 3.0)])
        assert await store.projects.category_scores("p") == (
            score("a", 9.0, "analysis"), score("a", 3.0), score("c", None),
        )  # fmt: skip
        await write(store, save_categories, "p", "design", [])
        assert await store.projects.category_scores("p") == (score("a", 9.0, "analysis"),)
        assert await store.projects.category_scores("q") == (score("b"),)
        with pytest.raises(InvalidValueError):
            await write(store, save_categories, "p", "analysis", [score("a", 1.0, "analysis"), score("a")])
        assert await store.projects.category_scores("p") == (score("a", 9.0, "analysis"),)


async def test_scores_read_can_be_saved_again_unchanged(tmp_path: Path) -> None:
    odd = {"list": [1, [2.0]], "tuple": (AT,), "set": {1}, 5: None}
    async with fresh_store(tmp_path) as store:
        await make(store)
        given = CategoryScore("design", "a", 0.0, None, 1e-300, 0, freeze(odd))
        await write(store, save_categories, "p", "design", [given])
        read = await store.projects.category_scores("p", "design")
        await write(store, save_categories, "p", "design", read)
        assert repr(await store.projects.category_scores("p", "design")) == repr(read) == repr((given,))


async def test_specs_are_appended_within_their_phase(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        berlin = AT.astimezone(timezone(timedelta(hours=2)))
        first = NewSpec("api", "x", 0.5, 1.0, "goals", berlin, {"a": [1]})
        before = datetime.now(UTC)
        added = await write(store, add_specs, "p", "design", [first, NewSpec("db", "y")])
        assert added[0] == Spec("design", 0, "api", "x", 0.5, 1.0, "goals", AT, freeze({"a": [1]}))
        assert added[0].timestamp.tzinfo is UTC
        assert before <= added[1].timestamp <= datetime.now(UTC)
        analysis = await write(store, add_specs, "p", "analysis", iter([NewSpec("z", "z")]))
        more = await write(store, add_specs, "p", "design", [NewSpec("api", "")])
        assert await write(store, add_specs, "p", "design", []) == ()
        assert [spec.position for spec in (*added, *more, *analysis)] == [0, 1, 2, 0]
        assert await store.projects.specs("p") == (*analysis, *added, *more)
        assert await store.projects.specs("p", "design") == (*added, *more)
        assert await store.projects.specs("q") == await store.projects.specs("p", "Design") == ()


async def test_events_are_appended_with_their_delta(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        first = await write(
            store, add_event, "p", NewMaturityEvent("design", 10.0, 12.5, "answer", AT, {"specs": [1, (2,)]})
        )
        assert (first.position, first.delta, first.timestamp) == (0, 2.5, AT)
        second = await write(store, add_event, "p", NewMaturityEvent("design", 12.5, 2.5, "recount"))
        assert (second.position, second.delta) == (1, -10.0)
        assert repr(await store.projects.maturity_events("p")) == repr((first, second))
        assert await store.projects.maturity_events("q") == ()


async def test_running_totals_are_stored_as_they_are(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        totals = Analytics(0.1, 7, None, ("b", "a"), ("c",), AT, freeze({"x": [1]}))
        await write(store, save_analytics, "p", totals)
        assert repr(await store.projects.analytics("p")) == repr(totals)
        await write(store, save_analytics, "p", await store.projects.analytics("p"))
        assert repr(await store.projects.analytics("p")) == repr(totals)
        assert (await store.projects.analytics("q")).total_qa_sessions == 0


async def test_at_once_every_spec_and_event_gets_a_place_of_its_own(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        await asyncio.gather(
            *(write(store, add_specs, "p", "design", [NewSpec("a", "1"), NewSpec("a", "2")]) for _ in range(10)),
            *(write(store, add_event, "p", NewMaturityEvent("design", 1.0, 2.0, "answer")) for _ in range(10)),
        )
        assert [spec.position for spec in await store.projects.specs("p")] == [*range(20)]
        assert [spec.content for spec in await store.projects.specs("p")] == ["1", "2"] * 10
        assert [event.position for event in await store.projects.maturity_events("p")] == [*range(10)]


async def test_unknown_projects_are_not_found_by_writes_and_have_nothing_to_read(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for method, *arguments in (
            (save_phases, {"design": 1.0}),
            (save_categories, "design", [score("a")]),
            (add_specs, "design", [NewSpec("a", "b")]),
            (add_specs, "design", []),
            (add_event, NewMaturityEvent("design", 1.0, 2.0, "answer")),
            (save_analytics, Analytics(1.0, 1, 1.0, (), (), None, EMPTY)),
        ):
            with pytest.raises(ProjectNotFoundError):
                await write(store, method, "p", *arguments)
        with pytest.raises(ProjectNotFoundError):
            await store.projects.analytics("p")
        projects = store.projects
        for read in (projects.phase_scores, projects.category_scores, projects.specs, projects.maturity_events):
            assert await read("p") == ()


async def test_a_phase_that_cannot_be_one_is_refused_by_the_call_and_not_by_a_later_one(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store, thrown_away(store) as unit:
        with pytest.raises(InvalidValueError, match=r"cannot be stored|surrogates"):
            await unit.projects.save_category_scores("p", "\ud800", [])


async def test_times_without_a_zone_are_refused(tmp_path: Path) -> None:
    naive = datetime(2026, 1, 2)
    async with fresh_store(tmp_path) as store:
        await make(store)
        before = await store.projects.details("p")
        for method, *arguments in (
            (add_specs, "design", [NewSpec("a", "b", timestamp=naive)]),
            (add_event, NewMaturityEvent("design", 1.0, 2.0, "answer", naive)),
            (save_analytics, Analytics(1.0, 1, 1.0, (), (), naive, EMPTY)),
        ):
            with pytest.raises(InvalidValueError, match="no time zone"):
                await write(store, method, "p", *arguments)
        assert await store.projects.details("p") == before


async def test_the_next_place_is_found_at_the_same_cost_behind_ten_and_behind_ten_thousand(
    tmp_path: Path, engine: str
) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        steps = []
        for count in (10, 10_000):
            async with store.begin() as unit:
                await unit.projects.add_specs("p", "design", [NewSpec("a", "b")] * count)
                connection = await unit.projects._session.connection()  # type: ignore[attr-defined]
                await connection.exec_driver_sql("DELETE FROM maturity_events")
                await connection.exec_driver_sql(
                    "INSERT INTO maturity_events (project_id, position, phase, event_type, details)"
                    " SELECT project_id, position, phase, 'answer', '{}' FROM categorized_specs"
                )
            await settle(store)
            steps.append(await _steps(store))
        assert no_growth(engine, steps)


async def _steps(store: Store) -> int:
    """What it costs to add one spec and one event."""

    async def add(unit: UnitOfWork) -> None:
        await unit.projects.add_specs("p", "design", [NewSpec("a", "b")])
        await unit.projects.add_maturity_event("p", NewMaturityEvent("design", 1.0, 2.0, "answer"))

    return await steps_of(store, lambda unit: unit.projects.summary("p"), add)
