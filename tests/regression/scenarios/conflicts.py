"""Statements that contradict each other: found, held back, decided."""

from typing import Any

from tests.regression.scenes import Scene, scenario
from tests.support.model_server import OVERLOADED
from tests.support.systems import with_people, with_project

COUNSELOR, DETECTOR = "socratic_counselor", "conflict_detector"

STANDING: dict[str, Any] = {
    "goals": "lend books",
    "requirements": ["works offline", "fast"],
    "tech_stack": ["React", "SQLite"],
    "constraints": ["free of charge"],
}


@scenario()
async def a_statement_is_held_back_until_somebody_decides(scene: Scene) -> None:
    await _with_standing(scene)
    said = "We will use Vue. It needs a permanent network."
    answered = await scene.ask(COUNSELOR, "process_response", "bob", project_id="p1", response=said)
    scene.see("what stands meanwhile", await scene.store.projects.context("p1"))
    listed = await scene.prepare(DETECTOR, "list_conflicts", project_id="p1")
    scene.see("whether the list has the same", listed.conflicts == answered.conflicts)
    first, *_ = answered.conflicts
    await scene.ask(DETECTOR, "get_suggestions", project_id="p1")
    await scene.ask(DETECTOR, "get_suggestions", conflict_id=first.conflict_id)
    await scene.ask(DETECTOR, "resolve_conflict", "eve", conflict_id=first.conflict_id, choice="replace")
    await scene.ask(DETECTOR, "resolve_conflict", conflict_id=first.conflict_id, choice="replace")
    await scene.ask(DETECTOR, "resolve_conflict", conflict_id=first.conflict_id, choice="keep")
    await scene.ask(DETECTOR, "list_conflicts", project_id="p1")
    scene.see("what stands now", await scene.store.projects.context("p1"))


@scenario()
async def four_ways_to_decide(scene: Scene) -> None:
    await with_people(scene.lab, "ada")
    for choice in ("keep", "replace", "skip", "manual"):
        await with_project(scene.lab, choice, **STANDING)
        said = {"project_id": choice, "response": "We will use Vue."}
        answered = await scene.prepare(COUNSELOR, "process_response", **said)
        (conflict,) = answered.conflicts
        more = {"value": "Svelte"} if choice == "manual" else {}
        await scene.ask(DETECTOR, "resolve_conflict", conflict_id=conflict.conflict_id, choice=choice, **more)
        scene.see(f"after {choice}", (await scene.store.projects.context(choice)).tech_stack)


@scenario()
async def several_are_decided_at_once_or_none(scene: Scene) -> None:
    await _with_standing(scene)
    said = {"project_id": "p1", "response": "We will use Vue and PostgreSQL. Readers should pay a subscription."}
    answered = await scene.prepare(COUNSELOR, "process_response", **said)
    decisions = [{"conflict_id": each.conflict_id, "choice": "replace"} for each in answered.conflicts]
    wrong = [*decisions, {"conflict_id": "none", "choice": "keep"}]
    await scene.ask(DETECTOR, "resolve_conflict", resolutions=wrong)
    await scene.ask(DETECTOR, "resolve_conflict", resolutions=[{**decisions[0], "choice": "manual"}])
    scene.see("what stands meanwhile", await scene.store.projects.context("p1"))
    await scene.ask(DETECTOR, "resolve_conflict", resolutions=decisions)
    scene.see("what stands now", await scene.store.projects.context("p1"))


@scenario()
async def a_look_stores_nothing_and_says_what_it_could_not_check(scene: Scene) -> None:
    await _with_standing(scene)
    said = {"requirements": ["needs internet"], "tech_stack": ["Vue", "Redis"], "constraints": ["a yearly fee"]}
    await scene.ask(DETECTOR, "detect_conflicts", "bob", project_id="p1", new_insights=said)
    scene.model.by_task["detect_requirement_conflict"] = OVERLOADED
    del said["constraints"]
    await scene.ask(DETECTOR, "detect_conflicts", project_id="p1", new_insights=said)
    await scene.ask(COUNSELOR, "process_response", project_id="p1", response="It must have a permanent network.")
    await scene.ask(DETECTOR, "detect_conflicts", project_id="p1")
    await scene.ask(DETECTOR, "list_conflicts", project_id="p1")


async def _with_standing(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob", "eve")
    await with_project(scene.lab, members={"bob": "creator"}, **STANDING)
