"""Nobody comes in by what a cache still holds of a user whom somebody else has changed."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from socrates.accounts import Accounts, Passcodes
from socrates.config import CacheConfig
from socrates.errors import LoginRefusedError
from socrates.store import Store
from tests.support.postgres import execute
from tests.support.stores import fresh_store, is_on_sqlite
from tests.unit.accounts.support import Clock, CountingHasher, v1_hash
from tests.unit.library import url
from tests.unit.repositories.rows import put_users

LONG = 30_000


@pytest.fixture
async def store(engine: str, tmp_path: Path) -> AsyncIterator[Store]:
    """A store that learns late what others change: it trusts its cache, and a tool that they use tells nobody."""
    async with fresh_store(tmp_path, cache_config=CacheConfig(cache_trusted_ms=LONG)) as store:
        await put_users(store, "ada", passcode_hash=v1_hash("old"))
        yield store


async def change_behind_its_back(store: Store, change: str) -> None:
    """Change the user by another program, and make sure that the cache does not know."""
    before = await store.users.get("ada")
    statement = f"UPDATE users SET {change} WHERE username = 'ada'"
    if is_on_sqlite(store):
        with closing(sqlite3.connect(store._engines.path)) as connection, connection:
            connection.execute(statement)
    else:
        execute(url(store), statement)
    assert await store.users.get("ada") is before


@pytest.fixture
def accounts(store: Store, hasher: CountingHasher, clock: Clock) -> Accounts:
    return Accounts(store, Passcodes(hasher), clock=clock)


async def test_a_passcode_that_was_changed_lets_nobody_in_and_the_new_one_does(
    accounts: Accounts, store: Store
) -> None:
    await change_behind_its_back(store, f"passcode_hash = '{v1_hash('new')}'")
    with pytest.raises(LoginRefusedError):
        await accounts.log_in("ada", "old")
    assert (await accounts.log_in("ada", "new")).username == "ada"


async def test_who_was_archived_stays_out(accounts: Accounts, store: Store) -> None:
    await change_behind_its_back(store, f"is_archived = {'1' if is_on_sqlite(store) else 'true'}")
    with pytest.raises(LoginRefusedError):
        await accounts.log_in("ada", "old")


async def test_an_old_passcode_changes_nothing(accounts: Accounts, store: Store) -> None:
    await change_behind_its_back(store, f"passcode_hash = '{v1_hash('new')}'")
    with pytest.raises(LoginRefusedError):
        await accounts.change_passcode("ada", "old", "mine")
    assert (await accounts.change_passcode("ada", "new", "mine")).username == "ada"
