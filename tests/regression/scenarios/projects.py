"""Projects: made, changed, listed, archived, deleted."""

from typing import Any

from tests.regression.scenes import Scene, scenario
from tests.support.systems import with_people, with_project, with_talk

MANAGER = "project_manager"


@scenario()
async def created_and_loaded(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob")
    made = await scene.ask(MANAGER, "create_project", project_name="  Reading Room ")
    await scene.ask(MANAGER, "load_project", project_id=made.project.project_id)
    await scene.ask(MANAGER, "load_project", "bob", project_id=made.project.project_id)
    await scene.ask(MANAGER, "load_project", project_id="nowhere")


@scenario()
async def updated_unless_somebody_was_faster(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob")
    await with_project(scene.lab, members={"bob": "creator"}, goals="Lend books", tech_stack=["React"])
    said: dict[str, Any] = {
        "requirements": ["works offline", " fast "],
        "constraints": ["500 euros"],
        "team_structure": "two people",
    }
    await scene.ask(MANAGER, "update_project", project_id="p1", expected_version=1, progress=30, **said)
    await scene.ask(MANAGER, "update_project", "bob", project_id="p1", expected_version=1, goals="Sell books")
    await scene.ask(
        MANAGER, "save_project", "bob", project_id="p1", name="Sales", project_status="on-hold", tech_stack=[]
    )
    await scene.ask(MANAGER, "update_project", "bob", project_id="p1", chat_mode="direct", dynamic_questions=False)
    scene.see("the project in the store", await scene.store.projects.details("p1"))


@scenario()
async def listed_page_by_page(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob", "eve")
    for number in range(4):
        await with_project(scene.lab, f"p{number}", "bob" if number == 2 else "ada", project_type="business")
    await with_project(scene.lab, "shared", "bob", {"ada": "analyst"})
    await scene.ask(MANAGER, "list_projects")
    await scene.ask(MANAGER, "list_projects", limit=2)
    await scene.ask(MANAGER, "list_projects", limit=2, after="p3")
    await scene.ask(MANAGER, "list_projects", "eve")
    await scene.ask(MANAGER, "list_projects", "eve", after="p3")
    await scene.ask(MANAGER, "list_projects", "nobody")


@scenario()
async def archived_and_restored(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob")
    await with_project(scene.lab, members={"bob": "lead"})
    await scene.ask(MANAGER, "archive_project", "bob", project_id="p1")
    await scene.ask(MANAGER, "archive_project", project_id="p1")
    await scene.ask(MANAGER, "archive_project", project_id="p1")
    await scene.ask(MANAGER, "list_projects")
    await scene.ask(MANAGER, "get_archived_projects")
    await scene.ask(MANAGER, "list_archived", "bob")
    await scene.ask(MANAGER, "update_project", project_id="p1", goals="Lend books")
    await scene.ask("socratic_counselor", "generate_question", project_id="p1")
    await scene.ask("note_manager", "add_note", project_id="p1", note_type="idea", title="Fees", content="None.")
    await scene.ask(MANAGER, "restore_project", project_id="p1")
    await scene.ask(MANAGER, "list_projects", "bob")


@scenario()
async def deleted_for_good_with_all_that_hangs_on_it(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob")
    await with_project(scene.lab, members={"bob": "lead"})
    await with_talk(scene.lab, "p1", "Who may borrow?", "Children too.")
    note = await scene.prepare(
        "note_manager", "add_note", project_id="p1", note_type="idea", title="Fees", content="None."
    )
    await scene.prepare("question_queue", "add_question", project_id="p1", question="Who decides?")
    await scene.ask(MANAGER, "delete_project_permanently", project_id="p1")
    await scene.ask(MANAGER, "delete_project_permanently", "bob", project_id="p1", confirmation="DELETE")
    await scene.ask(MANAGER, "delete_project_permanently", project_id="p1", confirmation="DELETE")
    await scene.ask(MANAGER, "load_project", project_id="p1")
    await scene.ask("note_manager", "update_note", note_id=note.note.note_id, title="Fines")
    await scene.ask("context_analyzer", "search_conversations", project_id="p1", query="children")
    await scene.ask(MANAGER, "list_projects", "bob")


@scenario()
async def wrong_requests_are_refused(scene: Scene) -> None:
    await with_people(scene.lab, "ada")
    await with_project(scene.lab)
    await scene.ask("librarian", "lend")
    await scene.ask(MANAGER, "lend")
    await scene.ask(MANAGER, "create_project")
    await scene.ask(MANAGER, "create_project", project_name="   ")
    await scene.ask(MANAGER, "create_project", project_name="n" * 501)
    await scene.ask(MANAGER, "create_project", project_name="Sales", color="red")
    await scene.ask(MANAGER, "update_project", project_id="p1", progress=101, chat_mode="shouting")
    await scene.ask(MANAGER, "add_collaborator", project_id="p1", username="bob", role="king")
    await scene.ask(MANAGER, "add_collaborator", project_id="p1", username="bob")
    await scene.ask(MANAGER, "load_project", project_id="p1", messages=1001)
    await scene.ask(MANAGER, "list_projects", "")
    scene.see("the project in the store", await scene.store.projects.summary("p1"))


@scenario()
async def each_type_is_scored_by_categories_of_its_own(scene: Scene) -> None:
    await with_people(scene.lab, "ada", tier="enterprise")
    said = {"goals": ["Lend books"], "requirements": ["works offline"], "constraints": ["free of charge"]}
    for kind in ("software", "business", "creative", "research", "marketing", "educational", "garden"):
        made = await scene.prepare("project_manager", "create_project", project_name=kind.title(), project_type=kind)
        found = await scene.prepare(
            "quality_controller", "update_after_response", project_id=made.project.project_id, insights=said
        )
        asked = await scene.prepare("socratic_counselor", "generate_question", project_id=made.project.project_id)
        scores = found.maturity.category_scores.values()
        scene.see(
            f"a project of the type {kind}",
            {
                "question": asked.question,
                "maturity": found.maturity.overall_score,
                "points": {each.category: f"{each.current_score:g} of {each.target_score:g}" for each in scores},
                "missing": found.maturity.missing_categories,
                "warnings": found.maturity.warnings,
            },
        )


@scenario()
async def a_project_in_numbers(scene: Scene) -> None:
    scene.to_real_time()
    await with_people(scene.lab, "ada", "bob", "eve")
    columns: dict[str, Any] = {
        "goals": "Lend books",
        "requirements": ["works offline", "fast"],
        "constraints": ["free of charge"],
    }
    await with_project(scene.lab, members={"bob": "creator"}, tech_stack=["SQLite"], progress=20, **columns)
    await with_talk(scene.lab, "p1", "Who may borrow?", "Children too.", "For how long?")
    await scene.prepare("note_manager", "add_note", project_id="p1", note_type="idea", title="Fees", content="None.")
    scene.lab.clock.move(days=3)
    await scene.ask("context_analyzer", "get_statistics", "bob", project_id="p1")
    await scene.ask("context_analyzer", "get_statistics", "eve", project_id="p1")
    await scene.ask("context_analyzer", "get_summary", project_id="p1")
