"""Projects: made, loaded, changed, archived, deleted, handed over; and the people who work on them."""

import asyncio

from socrates.agents.access import require_feature, require_member, require_owner, require_user, require_writer
from socrates.agents.base import Agent, News, action
from socrates.agents.confirmation import require_confirmation
from socrates.agents.contracts.project_manager import (
    AddCollaborator,
    ArchivedProjects,
    ArchiveProject,
    CollaboratorList,
    CreateProject,
    DeleteProject,
    GetArchivedProjects,
    ListCollaborators,
    ListProjects,
    LoadProject,
    MemberRemoved,
    MemberSaved,
    ProjectDeleted,
    ProjectList,
    ProjectSaved,
    RemoveCollaborator,
    RestoreProject,
    SetMemberSkills,
    TransferProject,
    UpdateMemberRole,
    UpdateProject,
    WholeProject,
)
from socrates.agents.contracts.projects import MemberShown, ProjectListed, ProjectShown, team
from socrates.agents.failures import RefusedError
from socrates.agents.indexing import catch_up
from socrates.errors import NotFoundError
from socrates.events import EventType
from socrates.events.payloads import OfCollaborator, OfProject, ProjectUpdated
from socrates.rules.subscription import Refusal, project_refusal, team_refusal
from socrates.store import UnitOfWork
from socrates.views import Member, Message, ProjectSummary

_CODE_STYLE = "documented"
"""Of a new project: the agent's default, not the one of the table (agents, 2.1)."""

_TEAM_CHANGED = ("team_members",)


class ProjectManager(Agent):
    """Members work on a project; its owner decides about its team, its place in the archive, and its end."""

    name = "project_manager"

    @action
    async def create_project(self, request: CreateProject) -> WholeProject:
        """Make a project, if the owner's subscription has room for one more.

        An owner who does not exist is refused, and not made (mends D60); what others share does not count (D07).
        """
        owner = request.current_user

        async def work(unit: UnitOfWork, news: News) -> WholeProject:
            await require_user(unit, owner)
            await self._require_room(unit, owner)
            project = await unit.projects.create(
                request.project_name, owner, project_type=request.project_type, code_style=_CODE_STYLE
            )
            news.tell(EventType.PROJECT_CREATED, OfProject(project_id=project.id, user_id=owner))
            return WholeProject(project=ProjectShown.of(await unit.projects.details(project.id)))

        return await self._store_and_tell(work)

    @action
    async def load_project(self, request: LoadProject) -> WholeProject:
        """The whole project, for its members only (mends D61)."""
        project_id = request.project_id
        await require_member(self._store, project_id, request.current_user)
        project, messages, notes = await asyncio.gather(
            self._store.projects.details(project_id),
            self._messages(request),
            self._store.notes.for_project(project_id),
        )
        await self._emit(EventType.PROJECT_LOADED, OfProject(project_id=project_id, user_id=request.current_user))
        return WholeProject(project=ProjectShown.of(project, messages, notes))

    async def _messages(self, request: LoadProject) -> tuple[Message, ...]:
        if request.messages == 0:
            return ()
        if request.before is None:
            return await self._store.conversations.last(request.project_id, request.messages)
        return await self._store.conversations.before(request.project_id, request.before, request.messages)

    @action
    async def update_project(self, request: UpdateProject) -> ProjectSaved:
        """Change what is given, and nothing else that somebody saved meanwhile (mends D55)."""
        changes = request.model_dump(
            exclude={"action", "current_user", "project_id", "expected_version"}, exclude_none=True
        )
        if not changes:
            raise RefusedError("INVALID_REQUEST", "give at least one field of the project to change", "name")
        fields = tuple(changes)
        if "project_status" in changes:
            changes["status"] = changes.pop("project_status")

        async def work(unit: UnitOfWork, news: News) -> ProjectSaved:
            project = await require_writer(unit, request.project_id, request.current_user)
            saved = await unit.projects.update(project.id, request.expected_version or project.version, **changes)
            news.tell(EventType.PROJECT_UPDATED, _changed(project.id, request.current_user, *fields))
            news.tell(EventType.PROJECT_SAVED, OfProject(project_id=project.id, user_id=request.current_user))
            return _saved(saved, f"saved: {', '.join(fields)}")

        return await self._store_and_tell(work)

    @action
    async def list_projects(self, request: ListProjects) -> ProjectList:
        """What the asker owns or works on and is not archived; the last changed first."""
        await require_user(self._store, request.current_user)
        after = None
        if request.after is not None:
            await require_member(self._store, request.after, request.current_user)
            after = await self._store.projects.summary(request.after)
        projects = await self._store.projects.for_user(request.current_user, limit=request.limit, after=after)
        return ProjectList(projects=tuple(map(ProjectListed.of, projects)))

    @action
    async def get_archived_projects(self, request: GetArchivedProjects) -> ArchivedProjects:
        """The asker's own, who alone can restore them; nobody else's (mends D61)."""
        await require_user(self._store, request.current_user)
        projects = await self._store.projects.for_user(request.current_user, archived=True)
        own = (project for project in projects if project.owner == request.current_user)
        return ArchivedProjects(archived_projects=tuple(map(ProjectListed.of, own)))

    @action
    async def archive_project(self, request: ArchiveProject) -> ProjectSaved:
        """Take the project out of the lists. One that is archived stays as it is, and nothing is told."""

        async def work(unit: UnitOfWork, news: News) -> ProjectSaved:
            before = await require_owner(unit, request.project_id, request.current_user)
            archived = await unit.projects.archive(before.id)
            if not before.is_archived:
                news.tell(EventType.PROJECT_ARCHIVED, OfProject(project_id=before.id, user_id=request.current_user))
            return _saved(archived, f"{archived.name!r} is archived")

        return await self._store_and_tell(work)

    @action
    async def restore_project(self, request: RestoreProject) -> ProjectSaved:
        """Bring an archived project back, if the owner's subscription has room for it (mends D63)."""

        async def work(unit: UnitOfWork, news: News) -> ProjectSaved:
            project = await require_owner(unit, request.project_id, request.current_user)
            if project.is_archived:
                await self._require_room(unit, project.owner)
            restored = await unit.projects.restore(project.id)
            news.tell(EventType.PROJECT_RESTORED, OfProject(project_id=project.id, user_id=request.current_user))
            return _saved(restored, f"{restored.name!r} is restored")

        return await self._store_and_tell(work)

    @action
    async def delete_project_permanently(self, request: DeleteProject) -> ProjectDeleted:
        """Delete the project with all that hangs on it, in the index of knowledge too (mends D08)."""

        async def work(unit: UnitOfWork, news: News) -> ProjectDeleted:
            project = await require_owner(unit, request.project_id, request.current_user)
            require_confirmation(request.confirmation)
            await unit.projects.delete(project.id)
            news.tell(EventType.PROJECT_DELETED, OfProject(project_id=project.id, user_id=request.current_user))
            return ProjectDeleted(message=f"{project.name!r} is deleted", project_id=project.id)

        deleted = await self._store_and_tell(work)
        known = self._services.knowledge
        return deleted if known is None else deleted.model_copy(update={"warning": await catch_up(known)})

    @action
    async def transfer_project(self, request: TransferProject) -> ProjectSaved:
        """Make another member the owner, and a lead (mends D02), if their subscription has room for project and team.

        Who owned it stays in the team.
        """
        heir = request.new_owner

        async def work(unit: UnitOfWork, news: News) -> ProjectSaved:
            project = await _own(unit, request.project_id, request.current_user)
            if heir == project.owner:
                raise RefusedError("INVALID_REQUEST", f"{heir!r} owns the project already", "new_owner")
            await _require_active(unit, heir, "new_owner")
            members = await unit.projects.members(project.id)
            _find(members, heir)
            await self._require_room_of_heir(unit, heir, len(team(project, members)))
            transferred = await unit.projects.transfer(project.id, heir)
            news.tell(EventType.PROJECT_UPDATED, _changed(project.id, request.current_user, "owner", *_TEAM_CHANGED))
            return _saved(transferred, f"{transferred.name!r} belongs to {heir!r} now")

        return await self._store_and_tell(work)

    @action
    async def add_collaborator(self, request: AddCollaborator) -> MemberSaved:
        """Let somebody who exists in, if the owner's subscription has room (mends D62, and D27)."""
        asker, username = request.current_user, request.username

        async def work(unit: UnitOfWork, news: News) -> MemberSaved:
            project = await _own(unit, request.project_id, asker)
            await require_feature(unit, asker, "team_collaboration", self._now())
            await _require_active(unit, username, "username")
            size = len(team(project, await unit.projects.members(project.id)))
            _refuse(team_refusal(await unit.users.subscription(project.owner), size, self._now()))
            member = await unit.projects.add_member(project.id, username, request.role)
            news.tell(
                EventType.COLLABORATOR_ADDED,
                OfCollaborator(project_id=project.id, user_id=asker, username=username, role=request.role),
            )
            return _of_member(member, project, f"{username!r} works on {project.name!r} now, as {member.role}")

        return await self._store_and_tell(work)

    @action
    async def update_member_role(self, request: UpdateMemberRole) -> MemberSaved:
        """Give a member another role; the owner stays lead (mends D62)."""

        async def work(unit: UnitOfWork, news: News) -> MemberSaved:
            project = await self._own_team(unit, request.project_id, request.current_user)
            before = _find(await unit.projects.members(project.id), request.username)
            member = await unit.projects.update_member(project.id, before.username, role=request.role)
            news.tell(EventType.PROJECT_UPDATED, _changed(project.id, request.current_user, *_TEAM_CHANGED))
            return _of_member(member, project, f"{member.username!r} was {before.role} and is {member.role} now")

        return await self._store_and_tell(work)

    @action
    async def set_member_skills(self, request: SetMemberSkills) -> MemberSaved:
        """Say what a member can do: in place of what was said before, in lower case, each skill once."""
        skills = tuple(dict.fromkeys(skill.lower() for skill in request.skills))

        async def work(unit: UnitOfWork, news: News) -> MemberSaved:
            project = await self._own_team(unit, request.project_id, request.current_user)
            member = await unit.projects.update_member(project.id, request.username, skills=skills)
            news.tell(EventType.PROJECT_UPDATED, _changed(project.id, request.current_user, *_TEAM_CHANGED))
            return _of_member(member, project, f"{member.username!r} has {len(skills)} skills")

        return await self._store_and_tell(work)

    @action
    async def list_collaborators(self, request: ListCollaborators) -> CollaboratorList:
        """The active team, in order of joining, each person with the same fields (mends D01, and D81)."""
        await require_member(self._store, request.project_id, request.current_user)
        await require_feature(self._store, request.current_user, "team_collaboration", self._now())
        project, members = await asyncio.gather(
            self._store.projects.summary(request.project_id), self._store.projects.members(request.project_id)
        )
        shown = team(project, members)
        return CollaboratorList(collaborators=shown, total_count=len(shown))

    @action
    async def remove_collaborator(self, request: RemoveCollaborator) -> MemberRemoved:
        """Take somebody's access and role away at once (mends D02). Every tier may; the owner cannot be removed."""

        async def work(unit: UnitOfWork, news: News) -> MemberRemoved:
            project = await _own(unit, request.project_id, request.current_user)
            await unit.projects.remove_member(project.id, request.username)
            news.tell(
                EventType.COLLABORATOR_REMOVED,
                OfCollaborator(project_id=project.id, user_id=request.current_user, username=request.username),
            )
            message = f"{request.username!r} works on {project.name!r} no more"
            return MemberRemoved(message=message, username=request.username)

        return await self._store_and_tell(work)

    async def _own_team(self, unit: UnitOfWork, project_id: str, username: str) -> ProjectSummary:
        """The asker's own project, whose team the tier lets them work with."""
        project = await _own(unit, project_id, username)
        await require_feature(unit, username, "team_collaboration", self._now())
        return project

    async def _project_refusal(self, unit: UnitOfWork, username: str) -> Refusal | None:
        """Why the person may own no further project. Nobody else adds one to theirs before this unit ends."""
        subscription = await unit.users.subscription(username)
        return project_refusal(subscription, await unit.projects.count_owned(username), self._now())

    async def _require_room(self, unit: UnitOfWork, username: str) -> None:
        _refuse(await self._project_refusal(unit, username))

    async def _require_room_of_heir(self, unit: UnitOfWork, heir: str, team_size: int) -> None:
        """The limits of who is to own a project; the figures are none of the asker's business."""
        of_project = await self._project_refusal(unit, heir)
        # The team has them in it already: it must have had room for its last member.
        of_team = team_refusal(await unit.users.subscription(heir), team_size - 1, self._now())
        refusal = of_project or of_team
        if refusal is not None:
            what = "a further project" if of_project else f"a team of {team_size}"
            message = f"the subscription of {heir!r} has no room for {what}"
            raise RefusedError(refusal.code, message, "new_owner")


async def _own(unit: UnitOfWork, project_id: str, username: str) -> ProjectSummary:
    """The asker's own project, which must not be archived."""
    await require_owner(unit, project_id, username)
    return await require_writer(unit, project_id, username)


async def _require_active(unit: UnitOfWork, username: str, field: str) -> None:
    """Somebody whom a request names, and who must be there."""
    user = await unit.users.get(username)
    if user.is_archived:
        raise RefusedError("USER_ARCHIVED", f"the user {username!r} is archived", field)


def _find(members: tuple[Member, ...], username: str) -> Member:
    """The active member of this name. Raises NotFoundError."""
    found = next((member for member in members if member.username == username), None)
    if found is None:
        raise NotFoundError("active member", username)
    return found


def _refuse(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise RefusedError.by_subscription(refusal)


def _changed(project_id: str, username: str, *fields: str) -> ProjectUpdated:
    return ProjectUpdated(project_id=project_id, user_id=username, fields=fields)


def _saved(project: ProjectSummary, message: str) -> ProjectSaved:
    return ProjectSaved(message=message, project=ProjectListed.of(project))


def _of_member(member: Member, project: ProjectSummary, message: str) -> MemberSaved:
    return MemberSaved(message=message, member=MemberShown.of(member, project.owner))
