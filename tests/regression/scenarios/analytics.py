"""How complete a project is, when it can go on, and what it should look at next."""

from collections.abc import Iterator

from socrates.drafts import NewSpec
from socrates.rules.categories import categories_of
from tests.regression.scenes import Scene, scenario
from tests.support.systems import with_people, with_project

QUALITY, COUNSELOR = "quality_controller", "socratic_counselor"


@scenario()
async def maturity_grows_category_by_category(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "eve")
    await with_project(scene.lab)
    await scene.ask(QUALITY, "update_after_response", project_id="p1", insights={"goals": ["Lend books", "Buy books"]})
    more = {"requirements": ["works offline", "fast"], "tech_stack": ["SQLite"], "constraints": ["500 euros"]}
    await scene.ask(QUALITY, "update_after_response", project_id="p1", insights=more)
    for action, fields in (("get_readiness", {}), ("verify_advancement", {"from_phase": "discovery"})):
        verified = await scene.prepare(QUALITY, action, project_id="p1", **fields)
        scene.see(action, verified.verification.model_dump(exclude={"details"}))
    await scene.ask(QUALITY, "get_maturity_summary", project_id="p1")
    await scene.ask(QUALITY, "get_maturity_summary", "eve", project_id="p1")
    await scene.ask(QUALITY, "get_history", project_id="p1", limit=1)
    scene.see("the statements in the store", await scene.store.projects.specs("p1"))


@scenario()
async def a_phase_is_left_in_two_steps(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob")
    await with_project(scene.lab, members={"bob": "creator"})
    leave = {"project_id": "p1", "from_phase": "discovery"}
    await scene.ask(COUNSELOR, "advance_phase", **leave)
    scene.see("the phase meanwhile", (await scene.store.projects.summary("p1")).phase)
    await scene.ask(COUNSELOR, "advance_phase", **leave, confirm=True)
    await scene.ask(COUNSELOR, "advance_phase", **leave, confirm=True)
    await scene.ask(COUNSELOR, "advance_phase", "bob", project_id="p1", from_phase="analysis", confirm=True)
    async with scene.store.begin() as unit:
        await unit.projects.add_specs("p1", "analysis", _full("analysis"))
    full = await scene.lab.done(QUALITY, "calculate_maturity", project_id="p1")
    scene.see("the maturity when each category is full", full.maturity.overall_score)
    scene.see("what that told", [{event.type: event.payload} for event in await scene.lab.events()])
    for phase in ("analysis", "design", "implementation"):
        await scene.ask(COUNSELOR, "advance_phase", project_id="p1", from_phase=phase, force=phase == "design")
    await scene.ask(COUNSELOR, "generate_question", project_id="p1")
    scene.see("the project in the store", await scene.store.projects.summary("p1"))


@scenario()
async def progress_plateaus_and_what_to_do_next(scene: Scene) -> None:
    await with_people(scene.lab, "ada")
    await with_project(scene.lab)
    goals = [f"Goal number {number}" for number in range(30)]
    await scene.prepare(QUALITY, "update_after_response", project_id="p1", insights={"goals": goals})
    for number in range(5):
        said = {"project_id": "p1", "response": f"We need feature number {number}."}
        await scene.prepare(COUNSELOR, "process_response", **said)
    for number in range(4):
        said = {"project_id": "p1", "response": f"My goal is to reach point number {number}."}
        await scene.prepare(COUNSELOR, "process_response", **said)
    await scene.ask(QUALITY, "get_analytics", project_id="p1", question_count=2)
    await scene.ask(QUALITY, "get_history", project_id="p1")


def _full(phase: str) -> Iterator[NewSpec]:
    """So many statements that each category of a software project is full."""
    for category, target in categories_of("software", phase).items():
        yield from (NewSpec(category, f"{category} {number}", 1.0) for number in range(int(target)))
