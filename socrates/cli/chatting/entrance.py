"""Logging in, registering, and choosing a project."""

from datetime import UTC, datetime

from socrates.agents.contracts.project_manager import ProjectList, WholeProject
from socrates.agents.contracts.projects import ProjectListed, ProjectShown
from socrates.agents.contracts.users import UserProfile
from socrates.cli.chatting.screen import NotDoneError
from socrates.cli.chatting.session import Session
from socrates.rules.categories import PROJECT_TYPES, describe_type

_NO_QUIRKS = "A name is not empty."


async def enter(session: Session, *, has_all_tiers: bool = False) -> None:
    """Have somebody log in, or register, and choose a project."""
    session.screen.say("Socrates asks, you answer, and it keeps what it learns about your project.", "bold")
    while not session.username:
        try:
            await _log_in_or_register(session, has_all_tiers=has_all_tiers)
        except NotDoneError as error:
            session.screen.warn(str(error))
    while not session.project_id:
        try:
            await choose_project(session)
        except NotDoneError as error:
            session.screen.warn(str(error))


async def choose_project(session: Session) -> None:
    """Let somebody open one of their projects, or make one. Raises NotDoneError."""
    listed = await session.request(ProjectList, "project_manager", "list_projects")
    session.screen.heading("Your projects")
    chosen = await session.screen.choose("Which one? ", [*map(_described, listed.projects), "a new one"])
    if chosen == len(listed.projects):
        project = await _new_project(session)
    else:
        project = listed.projects[chosen]
    session.project_id, session.project_name = project.project_id, project.name
    session.artifact = session.not_analysed = None
    session.screen.heading(f"{project.name}: {project.phase}")


async def _log_in_or_register(session: Session, *, has_all_tiers: bool) -> None:
    is_new = await session.screen.choose("Which? ", ["Log in", "Register"]) == 1
    name = await session.screen.ask_until("Your name: ", bool, _NO_QUIRKS)
    passcode = await session.screen.ask_secret("Your passcode: ")
    if is_new and await session.screen.ask_secret("The passcode once more: ") != passcode:
        session.screen.warn("These are two different passcodes. Nothing was stored.")
        return
    session.username = name
    try:
        action = "create_user" if is_new else "authenticate"
        await session.request(UserProfile, "user_manager", action, passcode=passcode)
    except NotDoneError:
        session.username = ""
        raise
    if is_new and has_all_tiers:
        await _grant_everything(session)
    session.screen.say(f"Welcome, {name}.")


async def _grant_everything(session: Session) -> None:
    """In a demonstration nobody can buy a tier, and everybody should see what there is.

    Only where the database is thrown away afterwards: in one that stays, the tier would stay too.
    """
    async with session.system.services.store.begin() as unit:
        await unit.users.update(
            session.username, subscription_tier="pro", subscription_start=datetime.now(UTC), subscription_end=None
        )
    session.screen.say("For the demonstration you are on the Pro tier.", "dim")


async def _new_project(session: Session) -> ProjectListed | ProjectShown:
    name = await session.screen.ask_until("What is it called? ", bool, _NO_QUIRKS)
    session.screen.say("What kind of project is it?")
    kinds = [f"{kind} – {describe_type(kind)}" for kind in PROJECT_TYPES]
    kind = PROJECT_TYPES[await session.screen.choose("Which? ", kinds)]
    made = await session.request(
        WholeProject, "project_manager", "create_project", project_name=name, project_type=kind
    )
    return made.project


def _described(project: ProjectListed) -> str:
    return f"{project.name} ({project.project_type}, {project.phase}, last changed {project.updated_at:%Y-%m-%d})"
