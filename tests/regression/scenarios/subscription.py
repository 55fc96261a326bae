"""Tiers: what each allows, what is counted, and when it ends."""

from datetime import timedelta

from tests.regression.scenes import Scene, scenario
from tests.support.systems import with_people, with_project

MANAGER, USERS, COUNSELOR = "project_manager", "user_manager", "socratic_counselor"


@scenario()
async def what_the_free_tier_refuses(scene: Scene) -> None:
    await with_people(scene.lab, "fred", "bob", tier="free")
    made = await scene.prepare(MANAGER, "create_project", "fred", project_name="Reading Room")
    of_it = {"project_id": made.project.project_id}
    await scene.ask(MANAGER, "create_project", "fred", project_name="Tool Shed")
    await scene.ask(MANAGER, "add_collaborator", "fred", **of_it, username="bob")
    await scene.ask("code_generator", "generate_artifact", "fred", **of_it)
    await scene.ask("quality_controller", "get_analytics", "fred", **of_it)
    await scene.ask("quality_controller", "calculate_maturity", "fred", **of_it)
    await scene.ask("multi_llm", "set_default_provider", "fred", provider="claude")
    await scene.prepare(MANAGER, "archive_project", "fred", **of_it)
    await scene.prepare(MANAGER, "create_project", "fred", project_name="Tool Shed")
    await scene.ask(MANAGER, "restore_project", "fred", **of_it)
    await scene.ask(USERS, "get_user", "fred")


@scenario()
async def questions_of_a_month_and_the_end_of_a_subscription(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "root", tier="free")
    await with_project(scene.lab)
    async with scene.store.begin() as unit:
        reset = scene.lab.clock().replace(month=4, day=1, hour=0)
        for _ in range(99):
            await unit.users.use_question("ada", None, next_reset=reset, at=scene.lab.clock())
    await scene.ask(COUNSELOR, "generate_question", project_id="p1")
    await scene.ask(COUNSELOR, "generate_question", project_id="p1")
    await scene.ask(USERS, "set_subscription", username="ada", tier="pro")
    until = scene.lab.clock() + timedelta(days=10)
    await scene.ask(USERS, "set_subscription", "root", username="ada", tier="pro", end=until)
    await scene.ask(COUNSELOR, "generate_question", project_id="p1")
    scene.lab.clock.move(days=10)
    await scene.ask(COUNSELOR, "generate_question", project_id="p1")
    await scene.ask(USERS, "get_user")
    scene.lab.clock.move(days=15)
    await scene.ask(COUNSELOR, "generate_question", project_id="p1")
    await scene.ask(
        USERS, "set_subscription", "root", username="ada", tier="enterprise", subscription_status="cancelled"
    )
    await scene.ask(USERS, "set_subscription", "root", username="ada", tier="enterprise")
