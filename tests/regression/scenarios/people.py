"""People: registering, logging in, archiving, deleting, and what is held on them."""

from typing import Any

from tests.regression.scenes import Scene, scenario
from tests.support.systems import with_people, with_project, with_talk

USERS = "user_manager"
PASSCODE = "open sesame"


@scenario()
async def registered_and_in_with_another_passcode(scene: Scene) -> None:
    await scene.ask(USERS, "create_user", "zoe", passcode="")
    await scene.ask(USERS, "create_user", "zoe", passcode=PASSCODE)
    await scene.ask(USERS, "create_user", "zoe", passcode="another")
    await scene.ask(USERS, "change_passcode", "zoe", old_passcode="wrong", new_passcode="a new one")
    await scene.ask(USERS, "change_passcode", "zoe", old_passcode=PASSCODE, new_passcode="a new one")
    await scene.ask(USERS, "authenticate", "zoe", passcode=PASSCODE)
    await scene.ask(USERS, "authenticate", "zoe", passcode="a new one")
    await scene.ask(USERS, "get_user", "zoe")
    await scene.ask(USERS, "log_out", "zoe")
    user = await scene.store.users.get("zoe")
    scene.see("the user in the store", {**_columns(user), "hash": user.passcode_hash[:10]})


@scenario()
async def wrong_passcodes_have_to_wait(scene: Scene) -> None:
    await scene.prepare(USERS, "create_user", "zoe", passcode=PASSCODE)
    for _ in range(5):
        # Without `scene.ask`, after which the clock goes on.
        failure = await scene.lab.refused(USERS, "authenticate", "zoe", passcode="guess")
    scene.see("the fifth refusal", failure)
    await scene.ask(USERS, "authenticate", "zoe", passcode=PASSCODE)
    scene.lab.clock.move(hours=1)
    await scene.ask(USERS, "authenticate", "zoe", passcode=PASSCODE)
    await scene.ask(USERS, "authenticate", "nobody", passcode=PASSCODE)


@scenario()
async def archived_with_projects_and_restored(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob", "root")
    await with_project(scene.lab, "p1", members={"bob": "creator"})
    await with_project(scene.lab, "p2", "bob", {"ada": "creator"})
    await scene.ask(USERS, "archive_user", "bob", username="ada")
    await scene.ask(USERS, "archive_user", username="ada")
    await scene.ask("project_manager", "list_projects")
    await scene.ask("project_manager", "list_projects", "bob")
    await scene.ask(USERS, "get_archived_users", "bob")
    await scene.ask(USERS, "get_archived_users", "root")
    await scene.ask(USERS, "restore_user", "bob", username="ada")
    await scene.ask(USERS, "restore_user", "root", username="ada")
    await scene.ask("project_manager", "get_archived_projects")
    scene.see("the user in the store", _columns(await scene.store.users.get("ada")))


@scenario()
async def deleted_without_a_trace_and_projects_go_to_heirs(scene: Scene) -> None:
    await _with_traces_of_ada(scene)
    await scene.ask(USERS, "delete_user_permanently", username="ada")
    await scene.ask(USERS, "delete_user_permanently", "bob", username="ada", confirmation="DELETE")
    scene.see("the plan of the erasure", await scene.store.users.erasure_plan("ada"))
    await scene.ask(USERS, "delete_user_permanently", username="ada", confirmation="DELETE")
    await scene.ask("project_manager", "list_projects")
    scene.see("the project p1", await scene.store.projects.summary("p1"))
    scene.see("its team", await scene.store.projects.members("p1", include_inactive=True))
    await scene.ask("project_manager", "list_projects", "eve")
    scene.see("the talk of p2", await scene.store.conversations.last("p2"))
    scene.see("the notes of p2", await scene.store.notes.for_project("p2"))
    scene.see("what ada's calls have cost", await scene.store.llm.usage("ada"))
    scene.see("whether bob's export names ada", "ada" in str(await scene.store.users.export("bob")))


@scenario()
async def exported_with_all_that_is_held(scene: Scene) -> None:
    await _with_traces_of_ada(scene)
    scene.see("the export", await scene.store.users.export("ada"))


async def _with_traces_of_ada(scene: Scene) -> None:
    """Projects of ada with and without an heir, and what she wrote in one of bob's."""
    await with_people(scene.lab, "ada", "bob", "eve")
    await with_project(scene.lab, "p1", members={"bob": "creator", "eve": "analyst"}, goals="Lend books")
    await with_project(scene.lab, "alone")
    await with_project(scene.lab, "p2", "bob", {"ada": "analyst"})
    for project_id in ("p1", "p2"):
        await with_talk(scene.lab, project_id, "Who may borrow?", "Children too.")
    note: dict[str, Any] = {"note_type": "idea", "title": "Fees", "content": "None.", "tags": ["money"]}
    await scene.prepare("note_manager", "add_note", project_id="p2", **note)
    queued = await scene.prepare("question_queue", "add_question", "bob", project_id="p2", question="Who decides?")
    await scene.prepare(
        "question_queue", "answer_question", "bob", project_id="p2", question_id=queued.question_id, answer="Ada."
    )
    await scene.prepare("learning", "learn_behavior_pattern", pattern_type="pace", pattern_data={"fast": True})
    await scene.prepare(
        "learning", "track_question_effectiveness", question_template_id="static:discovery:1", specs_extracted=2
    )
    async with scene.store.begin() as unit:
        await unit.llm.record_usage(
            "ada", "claude", "m-1", input_tokens=10, latency_ms=5.0, timestamp=scene.lab.clock()
        )


def _columns(user: object) -> dict[str, object]:
    """A user's row without the hash, which has another salt every time."""
    names = ("username", "created_at", "subscription_tier", "subscription_status", "is_archived", "archived_at")
    return {name: getattr(user, name) for name in names}
