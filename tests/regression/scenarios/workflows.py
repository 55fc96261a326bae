"""Work in which many agents have a part."""

from socrates.events import EventType
from tests.regression.scenarios.conversation import ANSWERS
from tests.regression.scenes import Scene, scenario
from tests.support.model_server import OVERLOADED
from tests.support.systems import with_people, with_project, with_talk

MANAGER, COUNSELOR = "project_manager", "socratic_counselor"


@scenario(knowledge=True)
async def from_an_idea_to_a_documented_program(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob", tier="enterprise")
    made = await scene.prepare(MANAGER, "create_project", project_name="Reading Room")
    of_it = {"project_id": made.project.project_id}
    await scene.prepare(MANAGER, "add_collaborator", **of_it, username="bob", role="analyst")
    for said in ANSWERS:
        await scene.prepare(COUNSELOR, "generate_question", **of_it)
        await scene.prepare(COUNSELOR, "process_response", **of_it, response=said)
    disputed = await scene.ask(COUNSELOR, "process_response", "bob", **of_it, response="We use PostgreSQL and React.")
    decisions = [{"conflict_id": each.conflict_id, "choice": "replace"} for each in disputed.conflicts]
    await scene.ask("conflict_detector", "resolve_conflict", resolutions=decisions)
    await scene.prepare("note_manager", "add_note", **of_it, note_type="task", title="Ask", content="Who pays?")
    found = await scene.prepare("context_analyzer", "analyze_context", **of_it)
    scene.see("the analysis, and what is known", [found.analysis, [each.id for each in found.relevant_knowledge]])
    await scene.ask(COUNSELOR, "advance_phase", **of_it, from_phase="discovery", confirm=True)
    await scene.ask("quality_controller", "get_maturity_summary", **of_it)
    program = await scene.prepare("code_generator", "generate_artifact", **of_it)
    made_of = program.model_dump(include={"artifact_type", "context_used", "omitted", "truncated"})
    shown = program.artifact.splitlines()
    scene.see("the program", {**made_of, "begins": shown[:8], "ends": shown[-4:], "lines": len(shown)})
    manual = await scene.prepare("code_generator", "generate_documentation", "bob", **of_it, artifact=program.artifact)
    scene.see("its documentation", manual.documentation)
    await scene.ask(MANAGER, "load_project", **of_it, messages=2)


@scenario()
async def artifacts_of_each_type_and_a_model_that_fails(scene: Scene) -> None:
    await with_people(scene.lab, "ada", tier="enterprise")
    for kind in ("software", "business", "creative", "research", "marketing", "educational", "garden"):
        await with_project(scene.lab, kind, project_type=kind, goals="Lend books", requirements=["works offline"])
        await with_talk(scene.lab, kind, "Who may borrow?", "Children too.")
        made = await scene.prepare("code_generator", "generate_artifact", project_id=kind)
        shown = {"type": made.artifact_type, "begins": made.artifact.splitlines()[:2], "length": len(made.artifact)}
        scene.see(f"the artifact of the type {kind}", {**shown, "omitted": made.omitted, "truncated": made.truncated})
    scene.model.by_task["generate_code"] = OVERLOADED
    await scene.ask("code_generator", "generate_artifact", project_id="software")


@scenario()
async def one_request_is_told_from_its_start_to_its_end(scene: Scene) -> None:
    await with_people(scene.lab, "ada")
    await with_project(scene.lab)
    for action, fields in (("generate_question", {}), ("process_response", {"response": ANSWERS[0]})):
        await scene.lab.done(COUNSELOR, action, project_id="p1", **fields)
        told = await scene.lab.events(*EventType)
        scene.see(f"whether all of {action} bears one id", len({event.correlation_id for event in told}) == 1)
        scene.see(f"what {action} told", [{event.type: event.payload.model_dump(mode="json")} for event in told])
    requests = scene.lab.server.requests
    scene.see("what the model was asked", [{"task": each.task, "model": each.model} for each in requests])
