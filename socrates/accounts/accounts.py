"""Registering, logging in, and changing passcodes, against guessing."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Unpack
from weakref import WeakValueDictionary

from socrates.accounts.passcodes import Passcodes, objection_to
from socrates.caching import bypassed
from socrates.errors import InvalidValueError, LoginRefusedError, UserNotFoundError
from socrates.repositories.base import now
from socrates.repositories.users import NewUser
from socrates.store import Store, UnitOfWork
from socrates.views import User

MAX_NAME_BYTES = 512
"""Of UTF-8: what every engine can hold as a key."""

_NO_HASH = ""
"""In place of the hash of somebody who may not log in. No passcode fits it."""


class Accounts:
    """People and their passcodes. Safe to share between the tasks of one event loop.

    Failures are counted by name, over all processes and restarts, whether or not somebody bears the name: the fifth in
    a row makes everybody wait 1 s before the next attempt under it, each further one twice as long, up to 15 minutes.
    A success starts anew, and so does a day without a failure.
    """

    def __init__(
        self, store: Store, passcodes: Passcodes | None = None, *, clock: Callable[[], datetime] = now
    ) -> None:
        """`clock` tells the time by which waits are counted, aware."""
        self._store = store
        self._passcodes = passcodes or Passcodes()
        self._clock = clock
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def register(self, username: str, passcode: str, **columns: Unpack[NewUser]) -> User:
        """Make a user, with `columns` as `unit.users.create` takes them.

        Raises AlreadyExistsError, and InvalidValueError for a name or passcode that cannot be one.
        """
        objection = _objection_to_name(username)
        if objection is not None:
            raise InvalidValueError(f"the user name {objection}. Nothing was changed")
        passcode_hash = await self._passcodes.hash(passcode)

        async def create(unit: UnitOfWork) -> User:
            user = await unit.users.create(username, passcode_hash, **columns)
            # Guesses under a name that nobody had are no reason to let its first bearer wait.
            await unit.login_failures.clear(username)
            return user

        return await self._store.transact(create)

    async def log_in(self, username: str, passcode: str) -> User:
        """The user, if `passcode` is theirs. A hash of v1's, or of weaker parameters, is replaced by one of today's.

        Raises LoginRefusedError, which doesn't tell whether the name is unknown or archived, its hash cannot be used or
        the passcode is wrong, and ThrottledError after too many failures.
        """
        user, new_hash = await self._authenticated(username, passcode)
        if new_hash is None:
            return user
        # Where somebody else replaced the hash meanwhile, theirs stays.
        return await self._replaced(user, new_hash) or await self._active(username) or user

    async def change_passcode(self, username: str, old: str, new: str) -> User:
        """Give somebody who knows the `old` passcode a new one.

        Raises like `log_in`, and InvalidValueError for a passcode that cannot be one.
        """
        new_hash = await self._passcodes.hash(new)
        changed = None
        while changed is None:
            # Again where somebody replaced the hash meanwhile: a log-in by a stronger one, or a change by another code.
            user, _ = await self._authenticated(username, old)
            changed = await self._replaced(user, new_hash)
        return changed

    async def set_passcode(self, username: str, new: str) -> User:
        """Give a user a new passcode without knowing the old one, and forget the failures: for administrators.

        The way in for accounts whose hash cannot be used, as those that v1 made by itself. Raises UserNotFoundError,
        and InvalidValueError for a passcode that cannot be one.
        """
        new_hash = await self._passcodes.hash(new)

        async def change(unit: UnitOfWork) -> User:
            user = await unit.users.update(username, passcode_hash=new_hash)
            await unit.login_failures.clear(username)
            return user

        return await self._store.transact(change)

    async def _authenticated(self, username: str, passcode: str) -> tuple[User, str | None]:
        """The user, and the hash to replace an outdated one by. Raises like `log_in`."""
        if _objection_to_name(username) is not None or objection_to(passcode) is not None:
            raise _refusal()
        # In turn, so that some right log-ins of one person at once are not taken for failures in a row.
        async with self._turns.setdefault(username, asyncio.Lock()):
            await self._store.transact(lambda unit: unit.login_failures.count(username, self._clock()))
            user = await self._active(username)
            verdict = await self._passcodes.check(passcode, _NO_HASH if user is None else user.passcode_hash)
            if user is None or not verdict.is_right:
                raise _refusal()
            await self._store.transact(lambda unit: unit.login_failures.clear(username))
        return user, verdict.new_hash

    async def _active(self, username: str) -> User | None:
        """The user of this name, or None where nobody may log in under it."""
        # On PostgreSQL what another process changed is heard of a moment later, and nobody may come in by a passcode
        # that was changed, or after being archived.
        with bypassed():
            try:
                user = await self._store.users.get(username)
            except UserNotFoundError:
                return None
        return None if user.is_archived else user

    async def _replaced(self, user: User, new_hash: str) -> User | None:
        """Replace the hash that was read; None, and nothing done, where it is no longer that or the user is gone."""

        async def replace(unit: UnitOfWork) -> User | None:
            try:
                current = await unit.users.get(user.username)
            except UserNotFoundError:
                return None
            if current.passcode_hash != user.passcode_hash:
                return None
            return await unit.users.update(user.username, passcode_hash=new_hash)

        return await self._store.transact(replace)


def _refusal() -> LoginRefusedError:
    return LoginRefusedError(
        "this user name and passcode don't fit together. Check both; an administrator can set a new passcode"
    )


def _objection_to_name(username: object) -> str | None:
    """What keeps `username` from being a key on every engine; None if nothing does."""
    if not isinstance(username, str):
        return f"must be a text, not {type(username).__name__}"
    if not username:
        return "is empty"
    if "\x00" in username or any("\ud800" <= character <= "\udfff" for character in username):
        return "holds a NUL character or lone surrogates"
    if len(username.encode()) > MAX_NAME_BYTES:
        return f"is longer than {MAX_NAME_BYTES} bytes of UTF-8"
    return None
