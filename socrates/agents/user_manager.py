"""People: registered, logged in, archived, deleted for good; and what their subscriptions let them do."""

import asyncio

from socrates.accounts import Accounts
from socrates.agents.access import Reads, require_user
from socrates.agents.base import Agent, News, action
from socrates.agents.confirmation import require_confirmation
from socrates.agents.contracts.users import (
    ArchivedUsers,
    ArchivedUserShown,
    ArchiveUser,
    Authenticate,
    ChangePasscode,
    CreateUser,
    DeleteUser,
    GetArchivedUsers,
    GetUser,
    HandedOver,
    Limits,
    LogOut,
    Remaining,
    RestoreUser,
    SetSubscription,
    UserDeleted,
    UserProfile,
    UserSaved,
    UserShown,
)
from socrates.agents.failures import RefusedError
from socrates.agents.indexing import catch_up
from socrates.agents.services import Services
from socrates.events import EventType
from socrates.events.payloads import OfCollaborator, OfProject, OfUser, ProjectUpdated
from socrates.personal import V1_TABLES, DeletedUser
from socrates.rules.subscription import next_reset, questions_used, tier_of
from socrates.store import UnitOfWork
from socrates.views import ArchivedUser, ProjectSummary, User


class UserManager(Agent):
    """People act for themselves; who is archived and what is paid for is the business of administrators.

    Those are named by the setting `administrators`.
    """

    name = "user_manager"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._accounts = Accounts(services.store, clock=services.clock)

    @action
    async def create_user(self, request: CreateUser) -> UserProfile:
        """Register somebody, always on the tier `free` (mends D60)."""
        user = await self._accounts.register(request.current_user, request.passcode.get_secret_value())
        await self._emit(EventType.USER_CREATED, OfUser(username=user.username))
        return await self._profile(user)

    @action
    async def authenticate(self, request: Authenticate) -> UserProfile:
        """Whether the passcode is this person's; not being so is LOGIN_REFUSED, too many failures THROTTLED."""
        user = await self._accounts.log_in(request.current_user, request.passcode.get_secret_value())
        await self._emit(EventType.USER_AUTHENTICATED, OfUser(username=user.username))
        return await self._profile(user)

    @action
    async def log_out(self, request: LogOut) -> UserSaved:
        """Tell that somebody leaves, an archived person too. Whoever keeps sessions ends them."""
        user = await self._store.users.get(request.current_user)
        await self._emit(EventType.USER_LOGGED_OUT, OfUser(username=user.username))
        return UserSaved(message=f"{user.username!r} is logged out", username=user.username)

    @action
    async def get_user(self, request: GetUser) -> UserProfile:
        """The asker's own profile."""
        return await self._profile(await require_user(self._store, request.current_user))

    @action
    async def change_passcode(self, request: ChangePasscode) -> UserSaved:
        """Give somebody who knows the old passcode a new one. It is refused as logging in is."""
        name = request.current_user
        await self._accounts.change_passcode(
            name, request.old_passcode.get_secret_value(), request.new_passcode.get_secret_value()
        )
        await self.log("info", f"{name!r} has a new passcode")
        return UserSaved(message="the passcode is changed", username=name)

    @action
    async def set_subscription(self, request: SetSubscription) -> UserProfile:
        """Give somebody a subscription that starts now. Nobody pays here, so administrators say what was paid for."""
        asker = request.current_user

        async def work(unit: UnitOfWork, _news: News) -> User:
            await self._require_administrator(unit, asker)
            return await unit.users.update(
                request.username,
                subscription_tier=request.tier,
                subscription_status=request.subscription_status,
                subscription_start=self._now(),
                subscription_end=request.end,
            )

        user = await self._store_and_tell(work)
        await self.log("info", f"{asker!r} gave {user.username!r} the tier {request.tier}")
        return await self._profile(user)

    @action
    async def archive_user(self, request: ArchiveUser) -> UserSaved:
        """Archive the asker and, unless told otherwise, the projects owned that are not archived yet."""
        name = request.current_user
        _require_oneself(request.username, name)

        async def work(unit: UnitOfWork, news: News) -> UserSaved:
            await require_user(unit, name)
            active = await unit.projects.for_user(name) if request.archive_projects else ()
            await unit.users.archive(name, request.archive_projects)
            news.tell(EventType.USER_ARCHIVED, OfUser(username=name))
            for project in active:
                if project.owner == name:
                    news.tell(EventType.PROJECT_ARCHIVED, OfProject(project_id=project.id, user_id=name))
            return UserSaved(message=f"{name!r} is archived", username=name)

        return await self._store_and_tell(work)

    @action
    async def restore_user(self, request: RestoreUser) -> UserSaved:
        """Bring oneself back, or anybody as an administrator (mends D61); the projects stay archived."""

        async def work(unit: UnitOfWork, _news: News) -> UserSaved:
            if request.username != request.current_user:
                await self._require_administrator(unit, request.current_user)
            user = await unit.users.restore(request.username)
            return UserSaved(message=f"{user.username!r} is restored", username=user.username)

        restored = await self._store_and_tell(work)
        await self.log("info", f"{restored.username!r} was restored by {request.current_user!r}")
        return restored

    @action
    async def delete_user_permanently(self, request: DeleteUser) -> UserDeleted:
        """Delete the asker with all that is personal, an archived person too (mends D08).

        A project goes to the active member who joined first and becomes its lead (D02), and is deleted where there is
        none. Refused where v1's own tables would keep everything, unless the request allows for that.
        """
        name = request.current_user
        _require_oneself(request.username, name)
        require_confirmation(request.confirmation)

        async def work(unit: UnitOfWork, news: News) -> UserDeleted:
            await unit.users.get(name)
            projects = await unit.projects.for_user(name, archived=None)
            done = await unit.users.delete_permanently(name)
            if not request.keep_v1_backup:
                _require_no_backup(done)
            _tell_of_projects(news, projects, done)
            return _deleted(done)

        deleted = await self._store_and_tell(work)
        # Without the name, which logs are not to keep.
        await self.log(
            "info",
            f"a user was deleted for good: {len(deleted.transferred_projects)} projects were handed over, "
            f"{len(deleted.deleted_projects)} deleted",
        )
        known = self._services.knowledge
        return deleted if known is None else deleted.model_copy(update={"warning": await catch_up(known)})

    @action
    async def get_archived_users(self, request: GetArchivedUsers) -> ArchivedUsers:
        """The archived people, the last archived first, for administrators only (mends D61)."""
        await self._require_administrator(self._store, request.current_user)
        after = None
        if request.after is not None:
            last = await self._store.users.get(request.after)
            after = ArchivedUser(last.username, last.archived_at, project_count=0)
        users = await self._store.users.archived(after, request.limit)
        return ArchivedUsers(archived_users=tuple(map(ArchivedUserShown.model_validate, users)))

    async def _require_administrator(self, reads: Reads, username: str) -> None:
        await require_user(reads, username)
        if username not in self._store.settings.administrators:
            raise RefusedError("FORBIDDEN", "only administrators may do this", "current_user")

    async def _profile(self, user: User) -> UserProfile:
        subscription, owned = await asyncio.gather(
            self._store.users.subscription(user.username), self._store.projects.count_owned(user.username)
        )
        now = self._now()
        tier, used = tier_of(subscription, now), questions_used(user, now)
        most, reset = tier.max_questions_per_month, user.usage_reset_date
        shown = UserShown(
            username=user.username,
            created_at=user.created_at,
            is_archived=user.is_archived,
            tier=tier.name,
            subscription_tier=user.subscription_tier,
            subscription_status=user.subscription_status,
            subscription_start=user.subscription_start,
            subscription_end=user.subscription_end,
            features=tuple(sorted(tier.features)),
            limits=Limits.model_validate(tier),
            projects_owned=owned,
            questions_used=used,
            questions_left=None if most is None else max(0, most - used),
            questions_reset_at=next_reset(now) if reset is None or reset <= now else reset,
        )
        return UserProfile(user=shown)


def _require_oneself(username: str, asker: str) -> None:
    if username != asker:
        raise RefusedError("FORBIDDEN", "people do this to themselves only", "username")


def _require_no_backup(done: DeletedUser) -> None:
    """Raises RefusedError, which undoes the deletion, where v1's own tables keep everything."""
    kept = next((place for place in done.erasure.remains if place.what == V1_TABLES), None)
    if kept is not None:
        raise RefusedError(
            "BACKUP_REMAINS",
            f"{kept.what} would keep everything that v1 held on {done.username!r}: {kept.remedy}. "
            "To be deleted all the same, say keep_v1_backup. Nothing was changed",
            "keep_v1_backup",
        )


def _tell_of_projects(news: News, projects: tuple[ProjectSummary, ...], done: DeletedUser) -> None:
    """What a deletion was for the projects that the person owned or worked on."""
    name, deleted = done.username, set(done.deleted_projects)
    for project_id in done.deleted_projects:
        news.tell(EventType.PROJECT_DELETED, OfProject(project_id=project_id, user_id=name))
    for project_id, _heir in done.transferred:
        fields = ("owner", "team_members")
        news.tell(EventType.PROJECT_UPDATED, ProjectUpdated(project_id=project_id, user_id=name, fields=fields))
    for project in projects:
        if project.id not in deleted:
            left = OfCollaborator(project_id=project.id, user_id=name, username=name)
            news.tell(EventType.COLLABORATOR_REMOVED, left)


def _deleted(done: DeletedUser) -> UserDeleted:
    return UserDeleted(
        message=f"{done.username!r} is deleted",
        username=done.username,
        transferred_projects=tuple(
            HandedOver(project_id=project_id, new_owner=heir) for project_id, heir in done.transferred
        ),
        deleted_projects=done.deleted_projects,
        deleted=dict(done.erasure.deleted),
        made_pseudonymous=dict(done.erasure.made_pseudonymous),
        remains=tuple(map(Remaining.model_validate, done.erasure.remains)),
    )
