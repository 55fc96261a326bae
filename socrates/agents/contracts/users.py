"""What user_manager is asked, and what it answers. Passcodes come in only, and hashes never go out."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, SecretStr

from socrates.agents.contracts.base import Key, Limit, Request, Shown, Success, asker
from socrates.rules.subscription import Feature

TierName = Literal["free", "pro", "enterprise"]


class CreateUser(Request):
    """Who asks is who is to be: nobody is authenticated yet."""

    action: Literal["create_user"] = "create_user"
    current_user: Key = asker("username")
    passcode: SecretStr


class Authenticate(Request):
    """Who asks is who claims to be: the passcode has to prove it."""

    action: Literal["authenticate"] = "authenticate"
    current_user: Key = asker("username")
    passcode: SecretStr


class LogOut(Request):
    action: Literal["log_out"] = "log_out"
    current_user: Key = asker("username")


class GetUser(Request):
    action: Literal["get_user"] = "get_user"
    current_user: Key = asker("username")


class ChangePasscode(Request):
    action: Literal["change_passcode"] = "change_passcode"
    current_user: Key = asker("username")
    old_passcode: SecretStr
    new_passcode: SecretStr


class SetSubscription(Request):
    """The whole subscription from now on: what is left out has its default, and no `end` is none."""

    action: Literal["set_subscription"] = "set_subscription"
    username: Key
    tier: TierName
    subscription_status: Literal["active", "expired", "cancelled"] = "active"
    end: AwareDatetime | None = None


class ArchiveUser(Request):
    """People archive themselves: `username` must be who asks."""

    action: Literal["archive_user"] = "archive_user"
    current_user: Key = asker("requester")
    username: Key
    archive_projects: bool = True


class RestoreUser(Request):
    action: Literal["restore_user"] = "restore_user"
    username: Key


class DeleteUser(Request):
    """People delete themselves: `username` must be who asks, and `confirmation` must be `DELETE`.

    With `keep_v1_backup` also where v1's own tables, which keep everything, stand beside the new ones.
    """

    action: Literal["delete_user_permanently"] = "delete_user_permanently"
    current_user: Key = asker("requester")
    username: Key
    confirmation: str = ""
    keep_v1_backup: bool = False


class GetArchivedUsers(Request):
    """`after` is the name of the last user of the page before."""

    action: Literal["get_archived_users"] = "get_archived_users"
    limit: Limit = 50
    after: Key | None = None


class Limits(Shown):
    """What the tier allows; None is no limit. The owner of a project counts as one of its team."""

    max_projects: int | None
    max_team_members: int | None
    max_questions_per_month: int | None


class UserShown(Shown):
    """A person's own profile.

    `tier` is the one whose limits hold: `subscription_tier`, or `free` where the subscription has ended.
    `questions_left` is None where there is no limit. The count of questions starts anew at `questions_reset_at`.
    """

    username: str
    created_at: datetime
    is_archived: bool
    tier: str
    subscription_tier: str
    subscription_status: str
    subscription_start: datetime | None
    subscription_end: datetime | None
    features: tuple[Feature, ...]
    limits: Limits
    projects_owned: int
    questions_used: int
    questions_left: int | None
    questions_reset_at: datetime


class UserProfile(Success):
    user: UserShown


class UserSaved(Success):
    """`message` is for people."""

    message: str
    username: str


class HandedOver(Shown):
    """A project of a deleted user, and who owns it now."""

    project_id: str
    new_owner: str


class Remaining(Shown):
    """A place that names the deleted person still, and how that goes; `rows` is None where nobody can tell."""

    what: str
    rows: int | None
    remedy: str


class UserDeleted(UserSaved):
    """`deleted` counts rows by table, `made_pseudonymous` values by ``table.column``.

    `warning` says where the index of knowledge could not be brought up to date at once; empty for no warning.
    """

    transferred_projects: tuple[HandedOver, ...]
    deleted_projects: tuple[str, ...]
    deleted: dict[str, int]
    made_pseudonymous: dict[str, int]
    remains: tuple[Remaining, ...]
    warning: str = ""


class ArchivedUserShown(Shown):
    """An archived person in a list; `project_count` counts the projects owned."""

    username: str
    archived_at: datetime | None
    project_count: int


class ArchivedUsers(Success):
    archived_users: tuple[ArchivedUserShown, ...]
