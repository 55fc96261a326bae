"""Failed log-ins in a row, by name: when the next attempt may be made."""

import math
from datetime import datetime, timedelta

from sqlalchemy import bindparam, case, delete, or_, select
from sqlalchemy.dialects.postgresql import insert

from socrates.errors import InvalidValueError, ThrottledError
from socrates.models import LoginFailure
from socrates.models.types import UtcDateTime
from socrates.repositories.base import Repository, table

FREE_FAILURES = 4
"""Failures in a row that cost no wait: the fifth costs the first one."""

LONGEST_WAIT = timedelta(minutes=15)
"""At the most one attempt each 15 minutes is 96 a day, near the 100 in all of NIST SP 800-63B, 5.2.2."""

FORGOTTEN_AFTER = timedelta(days=1)
"""How long after the last failure a name starts anew."""

_FORGOTTEN_AT_ONCE = 100
"""Each failure adds one row at most and takes away up to so many, so old rows cannot pile up; and nobody waits long."""

_WAITS = range(FREE_FAILURES + 1, FREE_FAILURES + 12)
"""The numbers of failures whose waits differ; from the last one on it is the longest."""


def wait_after(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: 1 s after the fifth, then twice as long, up to 15 minutes."""
    if failures <= FREE_FAILURES:
        return timedelta(0)
    doublings = min(failures, _WAITS[-1]) - _WAITS[0]
    return min(timedelta(seconds=2**doublings), LONGEST_WAIT)


def _until(failures: int) -> str:
    return f"until_{failures}"


def _times(at: datetime) -> tuple[datetime, dict[str, datetime]]:
    """Whose last failure was before the first one starts anew at the time `at`; and the ends of the waits."""
    try:
        return at - FORGOTTEN_AFTER, {_until(failures): at + wait_after(failures) for failures in _WAITS}
    except OverflowError:
        raise InvalidValueError(f"{at!r} is too near to the first or last time that there is") from None


_failures = table(LoginFailure)
_insert = insert(_failures)
_new = _insert.excluded
_count = _failures.c.failures + 1
_EXPIRED = _failures.c.last_failed_at < bindparam("expired", type_=UtcDateTime())
# SQLite took the clause over from PostgreSQL, whose form of it SQLAlchemy compiles for both.
_COUNT = _insert.on_conflict_do_update(
    index_elements=[_failures.c.username],
    set_={
        "failures": case((_EXPIRED, 1), else_=_count),
        "first_failed_at": case((_EXPIRED, _new.first_failed_at), else_=_failures.c.first_failed_at),
        "last_failed_at": _new.last_failed_at,
        "blocked_until": case(
            (or_(_EXPIRED, _count <= FREE_FAILURES), _new.blocked_until),
            *((_count == failures, bindparam(_until(failures), type_=UtcDateTime())) for failures in _WAITS[:-1]),
            else_=bindparam(_until(_WAITS[-1]), type_=UtcDateTime()),
        ),
    },
    where=or_(
        _failures.c.blocked_until <= _new.last_failed_at,
        # No wait is so long: the clock was set back since, and would keep the name blocked until it is there again.
        _failures.c.blocked_until > bindparam(_until(_WAITS[-1]), type_=UtcDateTime()),
    ),
).returning(_failures.c.failures)

_BLOCKED_UNTIL = select(LoginFailure.blocked_until).where(LoginFailure.username == bindparam("username"))
_OLDEST = (
    select(_failures.c.username)
    .where(_EXPIRED)
    .order_by(_failures.c.last_failed_at)
    .limit(_FORGOTTEN_AT_ONCE)
    # Whoever is at one of these rows goes on, and does not wait for us while we wait for another of theirs.
    .with_for_update(skip_locked=True)
    # Not a plain subquery: PostgreSQL may run that once a row, and each time it finds others.
    .cte("oldest")
)
_FORGET = delete(_failures).where(_failures.c.username.in_(select(_OLDEST.c.username)))
_CLEAR = delete(_failures).where(_failures.c.username == bindparam("username"))


class LoginFailureRepository(Repository):
    """Counts and forgets failures, inside a unit of work."""

    async def count(self, username: str, at: datetime) -> None:
        """Count a log-in under this name at the time `at` as failed; rows that are a day old go along.

        To be called, and committed, before the passcode is looked at, and followed by `clear` if it is right: then
        neither a crowd of attempts at once nor hanging up before the answer gets round the count. Raises
        ThrottledError, and counts nothing, while the name is blocked; and InvalidValueError for a time without a zone,
        or within a day of the first or last one that there is.
        """
        expired, until = _times(at)
        counted = await self._value(
            _COUNT,
            username=username,
            failures=1,
            first_failed_at=at,
            last_failed_at=at,
            blocked_until=at,
            expired=expired,
            **until,
        )
        if counted is None:
            blocked_until = await self._value(_BLOCKED_UNTIL, username=username)
            raise ThrottledError(math.ceil((blocked_until - at).total_seconds()))
        await self._write(_FORGET, expired=expired)

    async def clear(self, username: str) -> None:
        """Forget the failures under this name, if there are any."""
        await self._write(_CLEAR, username=username)
