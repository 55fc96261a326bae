"""People: their rows, the monthly count of questions, archiving."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack

from sqlalchemy import Executable, bindparam, case, func, insert, literal, or_, select, tuple_, update

from socrates.caching import cached
from socrates.errors import InvalidValueError, QuotaExceededError, UserNotFoundError
from socrates.models import Project, User
from socrates.models.types import UtcDateTime
from socrates.repositories.base import Mapper, now, only_known, positive, table, utc, with_next
from socrates.repositories.cached_rows import SUBSCRIPTION, USER, rows_of
from socrates.repositories.pages import last_first, merged
from socrates.repositories.user_deletion import UserDeletion, UserErasurePlans
from socrates.repositories.user_export import UserExport
from socrates.views import ArchivedUser, Subscription
from socrates.views import User as UserView


class NewUser(TypedDict, total=False):
    """What a new user can be given besides name and hash."""

    subscription_tier: str
    subscription_status: str
    subscription_start: datetime | None
    subscription_end: datetime | None
    questions_used_this_month: int
    usage_reset_date: datetime | None
    extra: Mapping[Any, Any]


class UserChanges(NewUser, total=False):
    """What one update can change. Archiving has methods of its own."""

    passcode_hash: str


_user = Mapper(UserView, User)
_subscription = Mapper(Subscription, User)
_users = table(User)
_projects = table(Project)

_GET = select(*_user.columns).where(User.username == bindparam("username"))
_SUBSCRIPTION = select(*_subscription.columns).where(User.username == bindparam("username"))
_EXISTS = select(literal(1)).where(User.username == bindparam("username"))

_PROJECT_COUNT = select(func.count()).select_from(Project).where(Project.owner == User.username).scalar_subquery()
_ARCHIVED = select(User.username, User.archived_at, _PROJECT_COUNT.label("project_count")).where(User.is_archived)
_UNDATED = _ARCHIVED.where(User.archived_at.is_(None))
_OLDER = _ARCHIVED.where(
    tuple_(User.archived_at, User.username)
    < tuple_(bindparam("at", type_=User.archived_at.type), bindparam("username"))
)
_LAST_FIRST = last_first("archived_at", "username")
_FIRST_PAGE = _ARCHIVED.order_by(*_LAST_FIRST).limit(bindparam("count"))
_NEXT_PAGE = merged(_OLDER, _UNDATED, _LAST_FIRST)
# All have the same time, none; its order keeps PostgreSQL from walking the primary key to find them.
_NEXT_UNDATED = _UNDATED.where(User.username < bindparam("username")).order_by(*_LAST_FIRST).limit(bindparam("count"))

_RETURNED = [_users.c[column.key] for column in _user.columns]
_INSERT = insert(_users).returning(*_RETURNED)
_UPDATE = update(_users).where(_users.c.username == bindparam("of_user")).returning(*_RETURNED)

_is_due = or_(_users.c.usage_reset_date.is_(None), _users.c.usage_reset_date <= bindparam("at"))
_used = case((_is_due, 0), else_=func.coalesce(_users.c.questions_used_this_month, 0))
_USE = (
    update(_users)
    .where(_users.c.username == bindparam("of_user"))
    .values(
        questions_used_this_month=_used + 1,
        usage_reset_date=case((_is_due, bindparam("next_reset", type_=UtcDateTime())), else_=_users.c.usage_reset_date),
    )
    .returning(_users.c.questions_used_this_month)
)
_USE_BELOW = _USE.where(_used < bindparam("limit"))
_COUNT_USED = select(_used).where(_users.c.username == bindparam("of_user"))

_ARCHIVE = _UPDATE.values(
    is_archived=True,
    archived_at=case((_users.c.is_archived, _users.c.archived_at), else_=bindparam("at", type_=UtcDateTime())),
)
_ARCHIVE_PROJECTS = with_next(
    update(_projects)
    .where(_projects.c.owner == bindparam("of_user"), ~_projects.c.is_archived)
    .values(is_archived=True, archived_at=bindparam("at"), updated_at=bindparam("at"), version=_projects.c.version + 1)
)
_RESTORE = _UPDATE.where(_users.c.is_archived).values(is_archived=False, archived_at=None)


class UserReads(UserExport, UserErasurePlans):
    """Reads of users."""

    @cached("users.get", tags=rows_of(USER))
    async def get(self, username: str) -> UserView:
        """One person, archived or not. Raises UserNotFoundError."""
        row = await self._record(_GET, username=username)
        if row is None:
            raise UserNotFoundError(username)
        return _user(row)

    @cached("users.subscription", tags=rows_of(SUBSCRIPTION))
    async def subscription(self, username: str) -> Subscription:
        """What the person's limits follow from. Raises UserNotFoundError."""
        row = await self._record(_SUBSCRIPTION, username=username)
        if row is None:
            raise UserNotFoundError(username)
        return _subscription(row)

    @cached("users.exists", tags=rows_of(USER))
    async def exists(self, username: str) -> bool:
        """Whether the name is taken; an archived person's is."""
        return await self._row(_EXISTS, username=username) is not None

    async def archived(self, after: ArchivedUser | None = None, limit: int = 50) -> tuple[ArchivedUser, ...]:
        """The archived people, the last archived first; those whose time is unknown at the end.

        For the next page give the last entry of this one as `after`.
        """
        count = positive("limit", limit)
        if after is None:
            rows = await self._rows(_FIRST_PAGE, count=count)
        elif after.archived_at is None:
            rows = await self._rows(_NEXT_UNDATED, username=after.username, count=count)
        else:
            rows = await self._rows(_NEXT_PAGE, at=after.archived_at, username=after.username, count=count)
        return tuple(ArchivedUser(row.username, row.archived_at, row.project_count) for row in rows)


class UserRepository(UserReads, UserDeletion):
    """Reads and writes of users, inside a unit of work."""

    async def create(
        self, username: str, passcode_hash: str, *, created_at: datetime | None = None, **columns: Unpack[NewUser]
    ) -> UserView:
        """Make a user, by default on the tier "free", created now. Raises AlreadyExistsError.

        The subscription starts with the user unless `subscription_start` says otherwise.
        """
        only_known("new user", columns, NewUser.__annotations__)
        created_at = created_at or now()
        row = {"subscription_start": created_at, **columns, "username": username, "created_at": created_at}
        (created,) = await self._rows(_INSERT, **row, passcode_hash=passcode_hash)
        return _user(created)

    async def update(self, username: str, **changes: Unpack[UserChanges]) -> UserView:
        """Write the columns given, and no others.

        Raises UserNotFoundError, and InvalidValueError for nothing to change or what a user doesn't have.
        """
        only_known("user", changes, UserChanges.__annotations__)
        if not changes:
            raise InvalidValueError("an update of a user needs something to change")
        return await self._updated(_UPDATE, username, **changes)

    async def use_question(
        self, username: str, limit: int | None, *, next_reset: datetime, at: datetime | None = None
    ) -> int:
        """Count one question of this month, if fewer than `limit` are used; None is no limit. Returns the new count.

        When the month is over at the time `at` (by default now), the count starts anew and the next month ends at
        `next_reset`. A user without a reset date starts anew too, because nobody can tell which month the count is of.
        However many ask at once, no more than `limit` get through. Raises QuotaExceededError, UserNotFoundError.
        """
        at = utc(at) or now()
        if next_reset.utcoffset() is None or next_reset <= at:
            raise InvalidValueError(
                "next_reset must be an aware time after that of the question, or every question starts a month"
            )
        parameters = {"of_user": username, "at": at, "next_reset": next_reset}
        if limit is None:
            count = await self._value(_USE, **parameters)
        else:
            count = await self._value(_USE_BELOW, **parameters, limit=limit)
        if count is not None:
            return int(count)
        used = await self._value(_COUNT_USED, of_user=username, at=at)
        if used is None or limit is None:
            raise UserNotFoundError(username)
        raise QuotaExceededError(f"questions of {username!r} this month", used, limit)

    async def archive(self, username: str, archive_projects: bool = True) -> UserView:
        """Archive a user and, unless told otherwise, the owned projects that are not archived yet. Their status stays.

        One who is archived keeps the first time. Raises UserNotFoundError.
        """
        at = now()
        archived = await self._updated(_ARCHIVE, username, at=at)
        if archive_projects:
            await self._write(_ARCHIVE_PROJECTS, of_user=username, at=at)
        return archived

    async def restore(self, username: str) -> UserView:
        """Bring an archived user back; the projects stay archived.

        Raises UserNotFoundError, and InvalidValueError for a user who is not archived.
        """
        row = await self._row(_RESTORE, of_user=username)
        if row is not None:
            return _user(row)
        if await self.exists(username):
            raise InvalidValueError(f"the user {username!r} is not archived")
        raise UserNotFoundError(username)

    async def _updated(self, statement: Executable, username: str, **parameters: Any) -> UserView:
        row = await self._row(statement, of_user=username, **parameters)
        if row is None:
            raise UserNotFoundError(username)
        return _user(row)
