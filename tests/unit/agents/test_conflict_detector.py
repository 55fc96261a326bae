"""Conflicts: looked for, shown, decided."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from socrates.drafts import NewConflict
from socrates.events import EventType
from socrates.llm.demo.protocol import Answer
from socrates.rules.categories import categories_of
from tests.support.engines import ENGINES, on_engine
from tests.support.model_server import OVERLOADED, until
from tests.support.saying import say
from tests.support.systems import Lab, fresh_system, with_people, with_project

STANDING: dict[str, Any] = {
    "goals": "lend books\nworks offline",
    "requirements": ["works offline", "fast"],
    "tech_stack": ["React", "SQLite"],
    "constraints": ["free of charge"],
}


async def ready(lab: Lab) -> Lab:
    await with_project(lab, members={"bob": "creator"}, **STANDING)
    await lab.events()
    return lab


@pytest.fixture
async def detector(lab: Lab) -> Lab:
    return await ready(lab)


@pytest.fixture(params=ENGINES)
async def on_both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    with on_engine(request):
        async with fresh_system(tmp_path) as lab:
            await with_people(lab, "ada", "bob")
            yield await ready(lab)


async def disputed(lab: Lab, **found: Any) -> list[str]:
    """The ids of the conflicts that this brings up."""
    return [conflict.id for conflict in (await say(lab, **found)).conflicts]


def asked(lab: Lab) -> list[str]:
    """What a model was asked, but for the checks by which conflicts come up."""
    return [request.task for request in lab.server.requests if not request.task.startswith("detect_")]


async def decide(lab: Lab, conflict_id: str, choice: str, **fields: Any) -> Any:
    return await lab.done("conflict_detector", "resolve_conflict", conflict_id=conflict_id, choice=choice, **fields)


async def test_a_look_finds_conflicts_and_stores_nothing(detector: Lab) -> None:
    said = {"requirements": ["needs internet"], "tech_stack": ["Vue", "PostgreSQL"], "colour": "red"}
    found = await detector.done("conflict_detector", "detect_conflicts", "bob", project_id="p1", new_insights=said)
    shown = [(conflict.old_value, conflict.new_value, conflict.blocking) for conflict in found.conflicts]
    assert shown == [
        ("React", "Vue", True),
        ("SQLite", "PostgreSQL", False),
        ("works offline", "needs internet", True),
    ]
    assert {(conflict.old_author, conflict.new_author) for conflict in found.conflicts} == {(None, "bob")}
    assert (found.unchecked, found.degraded, found.warning) == ((), False, "")
    assert await detector.store.conflicts.pending("p1") == ()
    assert await detector.events() == []


async def test_nothing_said_has_no_conflicts(detector: Lab) -> None:
    found = await detector.done("conflict_detector", "detect_conflicts", project_id="p1")
    assert (found.conflicts, detector.server.requests) == ((), [])


async def test_a_failed_check_is_told(tmp_path: Path) -> None:
    """D30: v1 took the failure of a check for "no conflict"."""
    async with fresh_system(tmp_path, by_task={"detect_requirement_conflict": OVERLOADED}) as lab:
        await with_people(lab, "ada", "bob")
        await ready(lab)
        said = {"requirements": ["needs internet"], "tech_stack": ["Vue"]}
        found = await lab.done("conflict_detector", "detect_conflicts", project_id="p1", new_insights=said)
        assert [conflict.new_value for conflict in found.conflicts] == ["Vue"]
        assert [(each.field, each.statements) for each in found.unchecked] == [("requirements", ("needs internet",))]
        assert found.degraded
        assert found.warning == "new statements that could not be checked for conflicts: 1; ask again"


async def test_what_waits_is_listed_with_the_choices_that_there_are(detector: Lab) -> None:
    """D12: in v1 no conflict ever waited, whatever was said."""
    ids = await disputed(detector, tech_stack=["Vue", "PostgreSQL"])
    listed = await detector.done("conflict_detector", "list_conflicts", project_id="p1")
    assert ([conflict.conflict_id for conflict in listed.conflicts], listed.count) == (ids, 2)
    assert [(conflict.choice, conflict.resolved_by) for conflict in listed.conflicts] == [(None, None)] * 2
    assert listed.model_dump(mode="json")["choices"].keys() == {"keep", "replace", "skip", "manual"}


@pytest.mark.parametrize(
    ("choice", "fields", "stack"),
    [
        ("keep", {}, ("React", "SQLite")),
        ("skip", {}, ("React", "SQLite")),
        ("replace", {}, ("SQLite", "Vue")),
        ("manual", {"value": "Svelte"}, ("SQLite", "Svelte")),
    ],
)
async def test_a_decision_changes_the_project(
    detector: Lab, choice: str, fields: dict[str, str], stack: tuple[str, ...]
) -> None:
    """D11 and D13: v1 stored the new statement whatever was chosen, and its `resolve_conflict` did nothing at all."""
    (conflict_id,) = await disputed(detector, tech_stack=["Vue"])
    decided = await decide(detector, conflict_id, choice, **fields)
    assert (await detector.store.projects.context("p1")).tech_stack == stack
    stored = await detector.store.conflicts.get(conflict_id)
    assert (stored.status, stored.choice, stored.value) == ("resolved", choice, fields.get("value"))
    assert (stored.resolved_by, decided.pending, decided.conflict_id) == ("ada", 0, conflict_id)
    assert decided.added.tech_stack == tuple(text for text in stack if text not in STANDING["tech_stack"])
    assert decided.removed.tech_stack == tuple(text for text in STANDING["tech_stack"] if text not in stack)


async def test_what_a_decision_brings_into_a_project_of_no_known_type_is_not_sorted_as_software(lab: Lab) -> None:
    await with_project(lab, project_type="poetry", **STANDING)
    (conflict_id,) = await disputed(lab, user="ada", constraints=["paid"])
    await decide(lab, conflict_id, "replace")
    (request,) = [each for each in lab.server.requests if each.task == "categorize_insights"]
    assert set(request.blocks["categories"].split()) - {"-"} == set(categories_of("poetry", "discovery"))
    assert "software" not in request.text


async def test_a_decision_is_scored_but_is_no_session(detector: Lab) -> None:
    """The running totals count answers (agents, 2.11): in v1 the decision was part of one."""
    (conflict_id,) = await disputed(detector, constraints=["paid"])
    before = await detector.store.projects.analytics("p1")
    await decide(detector, conflict_id, "replace")
    *_, newest = await detector.store.projects.maturity_events("p1")
    assert (newest.event_type, newest.details) == ("conflict_resolved", {"specs_added": 1})
    totals = await detector.store.projects.analytics("p1")
    assert totals.total_qa_sessions == before.total_qa_sessions
    assert totals.velocity == before.velocity


async def test_a_decision_is_told(detector: Lab) -> None:
    (conflict_id,) = await disputed(detector, tech_stack=["Vue"])
    await decide(detector, conflict_id, "replace")
    updated, resolved = await detector.events(EventType.PROJECT_UPDATED, EventType.CONFLICT_RESOLVED)
    common = {"agent": "conflict_detector", "project_id": "p1", "user_id": "ada"}
    assert updated.payload.model_dump() == {**common, "fields": ("tech_stack",)}
    assert resolved.payload.model_dump() == {**common, "conflict_id": conflict_id, "choice": "replace"}


async def test_a_kept_goal_stays(detector: Lab) -> None:
    """D11: v1 overwrote the goals with the one that had been rejected."""
    (conflict_id,) = await disputed(detector, goals=["needs internet"])
    await decide(detector, conflict_id, "keep")
    assert (await detector.store.projects.context("p1")).goals == STANDING["goals"]


async def test_what_a_decision_brings_in_is_scored(detector: Lab) -> None:
    (conflict_id,) = await disputed(detector, constraints=["paid"])
    assert (await detector.store.projects.details("p1")).specs == ()
    decided = await decide(detector, conflict_id, "replace")
    assert asked(detector) == ["categorize_insights"]
    details = await detector.store.projects.details("p1")
    assert [spec.content for spec in details.specs] == ["paid"]
    assert max(score.score or 0 for score in details.phase_scores) > 0
    assert (decided.degraded, decided.warning) == (False, "")
    assert len(await detector.events(EventType.PHASE_MATURITY_UPDATED)) == 1


async def test_a_decision_that_brings_nothing_in_asks_no_model_and_counts_for_nothing(detector: Lab) -> None:
    (conflict_id,) = await disputed(detector, constraints=["paid"])
    await decide(detector, conflict_id, "keep")
    details = await detector.store.projects.details("p1")
    assert (asked(detector), details.specs, details.maturity_events) == ([], (), ())


async def test_without_a_model_the_field_decides_what_a_statement_counts_for(tmp_path: Path) -> None:
    async with fresh_system(tmp_path, by_task={"categorize_insights": OVERLOADED}) as lab:
        await with_people(lab, "ada", "bob")
        await ready(lab)
        (conflict_id,) = await disputed(lab, constraints=["paid"])
        decided = await decide(lab, conflict_id, "replace")
        assert decided.degraded
        assert decided.warning.startswith("the new statements were sorted without a model: ")
        assert [spec.confidence for spec in (await lab.store.projects.details("p1")).specs] == [0.7]


async def test_what_somebody_ahead_brought_in_meanwhile_is_not_scored_again(detector: Lab) -> None:
    (conflict_id,) = await disputed(detector, constraints=["paid"])
    async with detector.system.services.order.place("p1"):  # somebody is ahead
        deciding = asyncio.create_task(decide(detector, conflict_id, "replace"))
        await until(lambda: asked(detector) == ["categorize_insights"])
        async with detector.store.begin() as unit:
            version = (await unit.projects.summary("p1")).version
            await unit.projects.update("p1", version, constraints=["free of charge", "paid"])
    decided = await deciding
    assert (decided.added.constraints, decided.removed.constraints) == ((), ("free of charge",))
    details = await detector.store.projects.details("p1")
    assert (details.specs, details.maturity_events) == ((), ())


async def test_what_was_sorted_for_a_phase_is_scored_in_it_though_somebody_went_on(detector: Lab) -> None:
    (conflict_id,) = await disputed(detector, constraints=["paid"])
    async with detector.system.services.order.place("p1"):  # somebody is ahead
        deciding = asyncio.create_task(decide(detector, conflict_id, "replace"))
        await until(lambda: asked(detector) == ["categorize_insights"])
        async with detector.store.begin() as unit:
            await unit.projects.update("p1", (await unit.projects.summary("p1")).version, phase="implementation")
    await deciding
    assert [(spec.phase, spec.content) for spec in await detector.store.projects.specs("p1")] == [("discovery", "paid")]


async def test_several_are_decided_at_once_or_none(detector: Lab) -> None:
    first, second, third = await disputed(
        detector, tech_stack=["Vue"], requirements=["needs internet"], goals=["requires internet"]
    )
    good = {"conflict_id": first, "choice": "replace"}
    for bad in ({"conflict_id": "nope", "choice": "keep"}, good, {"conflict_id": second, "choice": "manual"}):
        failure = await detector.refused("conflict_detector", "resolve_conflict", resolutions=[good, bad])
        assert failure.code in ("NOT_FOUND", "INVALID_VALUE")
    assert len(await detector.store.conflicts.pending("p1")) == 3
    both = [good, {"conflict_id": second, "choice": "manual", "value": "works offline for a day"}]
    decided = await detector.done("conflict_detector", "resolve_conflict", resolutions=both)
    assert [conflict.conflict_id for conflict in decided.conflicts] == [first, second]
    assert decided.pending == 1
    project = await detector.store.projects.context("p1")
    assert (project.requirements, project.tech_stack) == (("fast", "works offline for a day"), ("SQLite", "Vue"))
    assert [conflict.id for conflict in await detector.store.conflicts.pending("p1")] == [third]


async def test_a_conflict_is_decided_once(detector: Lab) -> None:
    (conflict_id,) = await disputed(detector, tech_stack=["Vue"])
    await decide(detector, conflict_id, "keep")
    decision = {"conflict_id": conflict_id, "choice": "replace"}
    failure = await detector.refused("conflict_detector", "resolve_conflict", "bob", **decision)
    assert (failure.code, failure.message) == ("INVALID_VALUE", f"the conflict {conflict_id!r} is resolved already")
    assert (await detector.store.projects.context("p1")).tech_stack == ("React", "SQLite")
    assert asked(detector) == []


async def test_of_two_decisions_at_once_one_holds(on_both: Lab) -> None:
    """D55: of two who changed a project at once, v1 kept what the last one had read and changed."""
    (conflict_id,) = await disputed(on_both, tech_stack=["Vue"])
    choices = {"keep": ("React", "SQLite"), "replace": ("SQLite", "Vue")}
    requests = [
        on_both.ask("conflict_detector", "resolve_conflict", user, conflict_id=conflict_id, choice=choice)
        for user, choice in zip(("ada", "bob"), choices, strict=True)
    ]
    assert sorted(response.status for response in await asyncio.gather(*requests)) == ["error", "success"]
    held = (await on_both.store.conflicts.get(conflict_id)).choice
    assert held is not None
    assert (await on_both.store.projects.context("p1")).tech_stack == choices[held]


async def test_conflicts_of_two_projects_are_not_decided_together(detector: Lab) -> None:
    (own,) = await disputed(detector, tech_stack=["Vue"])
    await with_project(detector, "p2", owner="ada", tech_stack=["React"])
    (other,) = (await say(detector, project_id="p2", user="ada", tech_stack=["Vue"])).conflicts
    both = [{"conflict_id": key, "choice": "keep"} for key in (own, other.id)]
    failure = await detector.refused("conflict_detector", "resolve_conflict", resolutions=both)
    assert (failure.code, len(await detector.store.conflicts.pending("p1"))) == ("NOT_FOUND", 1)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({}, "conflict_id"),
        ({"conflict_id": "c"}, "conflict_id"),
        ({"choice": "keep", "resolutions": [{"conflict_id": "c", "choice": "keep"}]}, "conflict_id"),
        ({"conflict_id": "c", "choice": "both"}, "choice"),
        ({"resolutions": [{"conflict_id": "c", "choice": "both"}]}, "resolutions.0.choice"),
    ],
)
async def test_a_bad_decision_is_told_which_field_is_wrong(detector: Lab, request_: dict[str, Any], field: str) -> None:
    failure = await detector.refused("conflict_detector", "resolve_conflict", **request_)
    assert (failure.code, failure.field) == ("INVALID_REQUEST", field)


async def test_suggestions_that_were_found_with_a_conflict_are_shown(detector: Lab) -> None:
    (conflict_id,) = await disputed(detector, tech_stack=["Vue"])
    shown = await detector.done("conflict_detector", "get_suggestions", "bob", conflict_id=conflict_id)
    assert shown.suggestions == (await detector.store.conflicts.get(conflict_id)).suggestions
    assert (len(shown.suggestions), shown.truncated, asked(detector)) == (4, False, [])


async def test_a_model_suggests_where_nothing_was_found(detector: Lab) -> None:
    (conflict_id,) = await disputed(detector, goals=["needs internet"])
    shown = await detector.done("conflict_detector", "get_suggestions", conflict_id=conflict_id)
    assert asked(detector) == ["generate_conflict_resolution_suggestions"]
    assert len(shown.suggestions) == 4
    assert shown.suggestions[0].startswith("Ask what each side protects")


async def test_suggestions_are_told_apart(tmp_path: Path) -> None:
    texts = {
        "Three ways:\n1. Keep it.\n   - for now\n2) Drop it.": ("Keep it.\n   - for now", "Drop it."),
        "- Keep it.\n* Drop it.": ("Keep it.", "Drop it."),
        "Keep it, or drop it.": ("Keep it, or drop it.",),
    }
    async with fresh_system(tmp_path, *map(Answer, texts)) as lab:
        await with_people(lab, "ada", "bob")
        await ready(lab)
        async with lab.store.begin() as unit:
            (conflict,) = await unit.conflicts.add("p1", [NewConflict("goals", "works offline", "paid", "high")])
        shown = [await lab.done("conflict_detector", "get_suggestions", conflict_id=conflict.id) for _ in texts]
        assert [each.suggestions for each in shown] == list(texts.values())


async def test_a_model_that_fails_is_no_suggestion(tmp_path: Path) -> None:
    """D31: v1 returned the sentence of the error as a suggestion."""
    async with fresh_system(tmp_path, by_task={"generate_conflict_resolution_suggestions": OVERLOADED}) as lab:
        await with_people(lab, "ada", "bob")
        await ready(lab)
        (conflict_id,) = await disputed(lab, goals=["needs internet"])
        failure = await lab.refused("conflict_detector", "get_suggestions", conflict_id=conflict_id)
        assert failure.code == "GENERATION_ERROR"


async def test_strangers_learn_nothing_of_conflicts(detector: Lab) -> None:
    (conflict_id,) = await disputed(detector, tech_stack=["Vue"])
    for action, fields in (("resolve_conflict", {"choice": "keep"}), ("get_suggestions", {})):
        own, unknown = [
            await detector.refused("conflict_detector", action, "eve", conflict_id=key, **fields)
            for key in (conflict_id, "nope")
        ]
        assert own.code == unknown.code == "NOT_FOUND"
        assert own.message.replace(conflict_id, "nope") == unknown.message
    for action in ("detect_conflicts", "list_conflicts"):
        failure = await detector.refused("conflict_detector", action, "eve", project_id="p1")
        assert failure.code == "PROJECT_NOT_FOUND"
    assert asked(detector) == []


async def test_nothing_is_decided_in_an_archived_project(detector: Lab) -> None:
    (conflict_id,) = await disputed(detector, requirements=["needs internet"])
    async with detector.store.begin() as unit:
        await unit.projects.archive("p1")
    decision = {"conflict_id": conflict_id, "choice": "replace"}
    assert (await detector.refused("conflict_detector", "resolve_conflict", **decision)).code == "PROJECT_ARCHIVED"
    assert asked(detector) == []
