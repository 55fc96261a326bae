"""Teams: who joins and leaves, what each role may do, and questions put to them."""

from typing import Any

from tests.regression.scenes import Scene, scenario
from tests.support.systems import with_people, with_project

MANAGER, QUEUE = "project_manager", "question_queue"


@scenario()
async def members_join_change_and_leave(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob", "eve", "zoe")
    await with_project(scene.lab)
    await scene.ask(MANAGER, "add_collaborator", project_id="p1", username="bob")
    await scene.ask(MANAGER, "add_collaborator", project_id="p1", username="bob", role="analyst")
    await scene.ask(MANAGER, "add_collaborator", project_id="p1", username="nobody")
    await scene.ask(MANAGER, "add_collaborator", "bob", project_id="p1", username="eve")
    await scene.ask(MANAGER, "add_collaborator", project_id="p1", username="eve", role="coordinator")
    await scene.ask(MANAGER, "update_member_role", project_id="p1", username="bob", role="specialist")
    await scene.ask(MANAGER, "update_member_role", project_id="p1", username="zoe", role="specialist")
    await scene.ask(MANAGER, "set_member_skills", project_id="p1", username="bob", skills=["sql", "python"])
    await scene.ask(MANAGER, "list_collaborators", "eve", project_id="p1")
    await scene.ask(MANAGER, "remove_collaborator", project_id="p1", username="ada")
    await scene.ask(MANAGER, "remove_collaborator", "eve", project_id="p1", username="eve")
    await scene.ask(MANAGER, "remove_collaborator", project_id="p1", username="eve")
    await scene.ask(MANAGER, "load_project", "eve", project_id="p1")
    scene.see("the team in the store", await scene.store.projects.members("p1", include_inactive=True))


@scenario()
async def each_role_may_do_what_it_may(scene: Scene) -> None:
    roles = ("lead", "creator", "specialist", "analyst", "coordinator")
    people = ["owner", *roles, "stranger"]
    await with_people(scene.lab, *people, "guest", tier="enterprise")
    of_it = {"project_id": "p1"}
    asked: list[tuple[str, str, dict[str, Any]]] = [
        (MANAGER, "list_collaborators", of_it),
        (MANAGER, "update_project", of_it | {"goals": "Lend books"}),
        (MANAGER, "add_collaborator", of_it | {"username": "guest"}),
        (MANAGER, "update_member_role", of_it | {"username": "analyst", "role": "analyst"}),
        (MANAGER, "set_member_skills", of_it | {"username": "analyst", "skills": ["sql"]}),
        (MANAGER, "remove_collaborator", of_it | {"username": "guest"}),
        (MANAGER, "archive_project", of_it),
        (MANAGER, "restore_project", of_it),
        (MANAGER, "transfer_project", of_it | {"new_owner": "owner"}),
        ("note_manager", "add_note", of_it | {"note_type": "idea", "title": "Fees", "content": "None."}),
        ("knowledge_manager", "clear_suggestions", of_it),
        ("socratic_counselor", "advance_phase", of_it | {"from_phase": "design"}),
        ("socratic_counselor", "toggle_dynamic_questions", of_it),
        ("quality_controller", "get_maturity_summary", of_it),
        ("context_analyzer", "search_conversations", of_it | {"query": "books"}),
        ("conflict_detector", "list_conflicts", of_it),
    ]
    await with_project(scene.lab, owner="owner", members={role: role for role in roles})
    for agent, action, fields in asked:
        answers = {}
        for person in people:
            response = await scene.lab.ask(agent, action, person, **fields)
            answers[person] = getattr(response, "code", response.status)
        scene.see(f"{agent}.{action}", answers)


@scenario()
async def handed_over(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob", "eve")
    await with_project(scene.lab, members={"bob": "creator"})
    await scene.ask(MANAGER, "transfer_project", "bob", project_id="p1", new_owner="bob")
    await scene.ask(MANAGER, "transfer_project", project_id="p1", new_owner="eve")
    await scene.ask(MANAGER, "transfer_project", project_id="p1", new_owner="bob")
    await scene.ask(MANAGER, "list_collaborators", project_id="p1")
    await scene.ask(MANAGER, "delete_project_permanently", project_id="p1", confirmation="DELETE")
    await scene.ask(MANAGER, "remove_collaborator", "bob", project_id="p1", username="ada")
    await scene.ask(MANAGER, "list_projects")


@scenario()
async def questions_are_put_to_those_whose_role_they_name(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob", "eve")
    await with_project(scene.lab, members={"bob": "analyst", "eve": "creator"})
    measured = await scene.ask(QUEUE, "add_question", project_id="p1", question="Which requirements can users test?")
    built = await scene.ask(
        QUEUE, "add_question", project_id="p1", question="Which version do we build?", phase="design"
    )
    decided = await scene.ask(QUEUE, "add_question", "eve", project_id="p1", question="Hm?")
    await scene.ask(QUEUE, "get_user_questions", "bob", project_id="p1")
    await scene.ask(QUEUE, "get_user_questions", project_id="p1", username="eve")
    settle = {"project_id": "p1", "question_id": measured.question_id}
    await scene.ask(QUEUE, "answer_question", "eve", **settle, answer="All of them.")
    await scene.ask(QUEUE, "answer_question", "bob", **settle, answer="The first three.")
    await scene.ask(QUEUE, "answer_question", **settle, answer="The first two.")
    await scene.ask(QUEUE, "skip_question", project_id="p1", question_id=built.question_id)
    await scene.ask(QUEUE, "skip_question", project_id="p1", question_id="none")
    await scene.prepare(MANAGER, "remove_collaborator", project_id="p1", username="eve")
    await scene.ask(QUEUE, "answer_question", "eve", project_id="p1", question_id=decided.question_id, answer="Ada.")
    await scene.ask(QUEUE, "get_queue_status", project_id="p1")
    scene.see("the questions in the store", await scene.store.projects.pending_questions("p1"))
