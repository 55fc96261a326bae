"""What project_manager is asked, and what it answers."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from socrates.agents.contracts.base import Key, Limit, Line, OfProject, Request, Role, Success, asker
from socrates.agents.contracts.projects import MemberShown, ProjectListed, ProjectShown

LongText = Annotated[str, StringConstraints(max_length=1_000_000)]
"""What a person wrote; it can be blank."""

Statement = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
"""One requirement, technology or constraint, without blanks around it."""

Statements = Annotated[tuple[Statement, ...], Field(max_length=10_000)]


class CreateProject(Request):
    """Who asks becomes the owner. A type that the rules know nothing of has their generic categories (agents, 5.1)."""

    action: Literal["create_project"] = "create_project"
    current_user: Key = asker("owner")
    project_name: Line
    project_type: Line = "software"


class LoadProject(OfProject):
    """With the newest `messages`, or the newest of those before the position `before`."""

    action: Literal["load_project"] = "load_project"
    messages: Annotated[int, Field(ge=0, le=1000)] = 100
    before: Annotated[int, Field(ge=0, lt=2**63)] | None = None


class UpdateProject(OfProject):
    """What is left out stays. With `expected_version` it is refused if somebody saved since that was read.

    `save_project` is v1's name for it.
    """

    action: Literal["update_project", "save_project"] = "update_project"
    expected_version: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    name: Line | None = None
    goals: LongText | None = None
    requirements: Statements | None = None
    tech_stack: Statements | None = None
    constraints: Statements | None = None
    team_structure: Line | None = None
    language_preferences: Line | None = None
    deployment_target: Line | None = None
    code_style: Line | None = None
    chat_mode: Literal["socratic", "direct"] | None = None
    progress: Annotated[int, Field(ge=0, le=100)] | None = None
    project_status: Literal["active", "completed", "on-hold"] | None = None
    dynamic_questions: bool | None = None


class ListProjects(Request):
    """`after` is the id of the last project of the page before."""

    action: Literal["list_projects"] = "list_projects"
    current_user: Key = asker("username")
    limit: Limit | None = None
    after: Key | None = None


class GetArchivedProjects(Request):
    """`list_archived` is another name for it."""

    action: Literal["get_archived_projects", "list_archived"] = "get_archived_projects"


class ArchiveProject(OfProject):
    action: Literal["archive_project"] = "archive_project"
    current_user: Key = asker("requester")


class RestoreProject(OfProject):
    action: Literal["restore_project"] = "restore_project"
    current_user: Key = asker("requester")


class DeleteProject(OfProject):
    """`confirmation` must be `DELETE`."""

    action: Literal["delete_project_permanently"] = "delete_project_permanently"
    current_user: Key = asker("requester")
    confirmation: str = ""


class TransferProject(OfProject):
    action: Literal["transfer_project"] = "transfer_project"
    new_owner: Key


class AddCollaborator(OfProject):
    action: Literal["add_collaborator"] = "add_collaborator"
    username: Key
    role: Role = "creator"


class UpdateMemberRole(OfProject):
    action: Literal["update_member_role"] = "update_member_role"
    username: Key
    role: Role


class SetMemberSkills(OfProject):
    action: Literal["set_member_skills"] = "set_member_skills"
    username: Key
    skills: Annotated[tuple[Line, ...], Field(max_length=100)]


class ListCollaborators(OfProject):
    action: Literal["list_collaborators"] = "list_collaborators"


class RemoveCollaborator(OfProject):
    action: Literal["remove_collaborator"] = "remove_collaborator"
    current_user: Key = asker("requester")
    username: Key


class WholeProject(Success):
    project: ProjectShown


class ProjectSaved(Success):
    """`message` is for people; the project is as it is now."""

    message: str
    project: ProjectListed


class ProjectDeleted(Success):
    """`warning` says where the index of knowledge could not be brought up to date at once; empty for no warning."""

    message: str
    project_id: str
    warning: str = ""


class ProjectList(Success):
    projects: tuple[ProjectListed, ...]


class ArchivedProjects(Success):
    archived_projects: tuple[ProjectListed, ...]


class MemberSaved(Success):
    """`message` is for people; the member is as it is now."""

    message: str
    member: MemberShown


class MemberRemoved(Success):
    message: str
    username: str


class CollaboratorList(Success):
    collaborators: tuple[MemberShown, ...]
    total_count: int
