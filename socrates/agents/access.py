"""Who may do what (mends D61 and D62).

A project that somebody has no part in is reported as not found: nobody learns by asking which ids there are. What only
reads may ask the store, whose answers are cached; what writes asks its own unit of work, so that a right that was taken
away a moment ago does not count any more.
"""

from datetime import datetime
from typing import Protocol

from socrates.agents.failures import RefusedError
from socrates.errors import ProjectNotFoundError
from socrates.repositories.projects import ProjectReads
from socrates.repositories.users import UserReads
from socrates.rules.subscription import Feature, feature_refusal
from socrates.views import ProjectSummary, User


class Reads(Protocol):
    """A store or a unit of work."""

    @property
    def projects(self) -> ProjectReads: ...
    @property
    def users(self) -> UserReads: ...


async def require_user(reads: Reads, username: str) -> User:
    """The person. Raises UserNotFoundError, and RefusedError (USER_ARCHIVED)."""
    user = await reads.users.get(username)
    if user.is_archived:
        raise RefusedError("USER_ARCHIVED", f"the user {username!r} is archived; restore it first", "current_user")
    return user


async def require_member(reads: Reads, project_id: str, username: str) -> None:
    """Somebody who may see the project: its owner, or an active member. Raises ProjectNotFoundError otherwise."""
    await require_user(reads, username)
    if not await reads.projects.is_member(project_id, username):
        raise ProjectNotFoundError(project_id)


async def require_writer(reads: Reads, project_id: str, username: str) -> ProjectSummary:
    """Somebody who may work on the project. It must not be archived: RefusedError (PROJECT_ARCHIVED)."""
    await require_member(reads, project_id, username)
    project = await reads.projects.summary(project_id)
    if project.is_archived:
        raise RefusedError("PROJECT_ARCHIVED", "the project is archived: restore it first", "project_id")
    return project


async def require_owner(reads: Reads, project_id: str, username: str) -> ProjectSummary:
    """The project's owner, whether it is archived or not. Raises RefusedError (FORBIDDEN) for other members."""
    await require_member(reads, project_id, username)
    project = await reads.projects.summary(project_id)
    if project.owner != username:
        raise RefusedError("FORBIDDEN", f"only {project.owner!r}, who owns the project, may do this", "current_user")
    return project


async def require_lead(reads: Reads, project_id: str, username: str) -> ProjectSummary:
    """The owner, or a member with the role `lead`, of a project that is not archived."""
    project = await require_writer(reads, project_id, username)
    team = () if project.owner == username else await reads.projects.members(project_id)
    is_lead = any(member.username == username and member.role == "lead" for member in team)
    if project.owner != username and not is_lead:
        raise RefusedError("FORBIDDEN", "only the project's owner and its leads may do this", "current_user")
    return project


async def role_in(reads: Reads, project_id: str, username: str) -> str:
    """The role of an active member; `lead` for an owner whom v1 did not put into the team."""
    members = await reads.projects.members(project_id)
    return next((member.role for member in members if member.username == username), "lead")


async def require_feature(reads: Reads, username: str, feature: Feature, now: datetime) -> None:
    """A feature that the person's tier has, whoever calls (mends D64: v1 asked in its terminal only)."""
    refusal = feature_refusal(await reads.users.subscription(username), feature, now)
    if refusal is not None:
        raise RefusedError.by_subscription(refusal)
