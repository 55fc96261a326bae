import asyncio
from typing import Any

import pytest

from socrates.accounts import Accounts, Passcodes
from socrates.errors import AlreadyExistsError, InvalidValueError, LoginRefusedError, UserNotFoundError
from socrates.models import LoginFailure
from socrates.store import Store
from tests.unit.accounts.support import Clock, CountingHasher, InterruptedHasher, v1_hash
from tests.unit.repositories.rows import put_users, stored


async def hash_of(store: Store, username: str) -> str:
    return (await store.users.get(username)).passcode_hash


# Coming in


async def test_who_registers_can_log_in_with_that_passcode_only(accounts: Accounts, store: Store) -> None:
    created = await accounts.register("ada", "s3cret", subscription_tier="pro")
    assert created.subscription_tier == "pro"
    assert created.passcode_hash.startswith("$argon2id$")
    assert await accounts.log_in("ada", "s3cret") == created == await store.users.get("ada")
    for name, passcode in (("ada", "S3cret"), ("ada", "s3cret "), ("Ada", "s3cret"), ("ada", created.passcode_hash)):
        with pytest.raises(LoginRefusedError):
            await accounts.log_in(name, passcode)


async def test_a_taken_name_is_refused_and_its_passcode_stays(accounts: Accounts) -> None:
    await accounts.register("ada", "s3cret")
    with pytest.raises(AlreadyExistsError):
        await accounts.register("ada", "other")
    await accounts.log_in("ada", "s3cret")


NO_NAMES = ["", "a\0b", "\ud800", "n" * 513, "ä" * 257, None, 5]


@pytest.mark.parametrize("name", NO_NAMES, ids=lambda name: repr(name)[:8])
async def test_what_cannot_be_a_name_is_refused(accounts: Accounts, store: Store, name: Any) -> None:
    with pytest.raises(InvalidValueError, match="the user name"):
        await accounts.register(name, "s3cret")
    with pytest.raises(LoginRefusedError):
        await accounts.log_in(name, "s3cret")
    assert await stored(store, LoginFailure, "username") == []


async def test_the_longest_names_can_be_registered_and_wait_like_others(accounts: Accounts, store: Store) -> None:
    await accounts.register("ä" * 256, "s3cret")
    with pytest.raises(LoginRefusedError):
        await accounts.log_in("ä" * 256, "wrong")
    assert await stored(store, LoginFailure, "username", "failures") == [("ä" * 256, 1)]


@pytest.mark.parametrize("passcode", ["", "k" * 5000, "\ud800", None], ids=["empty", "long", "surrogate", "None"])
async def test_what_cannot_be_a_passcode_lets_nobody_in(accounts: Accounts, store: Store, passcode: Any) -> None:
    await put_users(store, "ada", passcode_hash=v1_hash(""))
    with pytest.raises(LoginRefusedError):
        await accounts.log_in("ada", passcode)
    for change in (
        accounts.register("bob", passcode),
        accounts.set_passcode("ada", passcode),
        accounts.change_passcode("ada", "x", passcode),
    ):
        with pytest.raises(InvalidValueError):
            await change
    assert await hash_of(store, "ada") == v1_hash("")
    assert not await store.users.exists("bob")


# v1's hashes


async def test_a_hash_of_v1_is_replaced_at_the_first_log_in_that_succeeds(accounts: Accounts, store: Store) -> None:
    await put_users(store, "ada", passcode_hash=v1_hash("s3cret"))
    with pytest.raises(LoginRefusedError):
        await accounts.log_in("ada", "wrong")
    assert await hash_of(store, "ada") == v1_hash("s3cret")
    user = await accounts.log_in("ada", "s3cret")
    assert user.passcode_hash.startswith("$argon2id$")
    assert user == await store.users.get("ada")
    assert await accounts.log_in("ada", "s3cret") == user


async def test_a_weaker_hash_is_replaced_when_the_parameters_grow(accounts: Accounts, store: Store) -> None:
    old = await accounts.register("ada", "s3cret")
    stronger = Accounts(store, Passcodes(CountingHasher(time_cost=2)))
    user = await stronger.log_in("ada", "s3cret")
    assert "t=2" in user.passcode_hash
    assert old.passcode_hash != user.passcode_hash == await hash_of(store, "ada")


async def test_a_replaced_hash_does_not_undo_a_change_of_the_passcode_meanwhile(
    accounts: Accounts, store: Store, clock: Clock
) -> None:
    await put_users(store, "ada", passcode_hash=v1_hash("old"))
    slow = InterruptedHasher()
    logging_in = asyncio.create_task(Accounts(store, Passcodes(slow), clock=clock).log_in("ada", "old"))
    await slow.computed_one.wait()
    await accounts.change_passcode("ada", "old", "new")
    slow.go_on.set()
    await logging_in
    with pytest.raises(LoginRefusedError):
        await accounts.log_in("ada", "old")
    await accounts.log_in("ada", "new")


async def test_a_log_in_that_replaces_the_hash_does_not_undo_a_change_under_way(
    accounts: Accounts, store: Store, clock: Clock
) -> None:
    await put_users(store, "ada", passcode_hash=v1_hash("old"))
    slow = InterruptedHasher()
    changing = asyncio.create_task(Accounts(store, Passcodes(slow), clock=clock).change_passcode("ada", "old", "new"))
    await slow.computed_one.wait()
    await accounts.log_in("ada", "old")
    slow.go_on.set()
    await changing
    await accounts.log_in("ada", "new")


async def test_of_two_changes_at_once_one_wins_and_the_other_is_refused(
    accounts: Accounts, store: Store, clock: Clock
) -> None:
    await accounts.register("ada", "old")
    others = Accounts(store, Passcodes(CountingHasher(lasts=0.01)), clock=clock)
    outcomes = await asyncio.gather(
        accounts.change_passcode("ada", "old", "one"),
        others.change_passcode("ada", "old", "two"),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LoginRefusedError", "User"]
    await accounts.log_in("ada", "two" if isinstance(outcomes[0], LoginRefusedError) else "one")


async def test_some_log_ins_at_once_all_succeed(accounts: Accounts, store: Store) -> None:
    await put_users(store, "ada", passcode_hash=v1_hash("s3cret"))
    users = await asyncio.gather(*(accounts.log_in("ada", "s3cret") for _ in range(12)))
    assert len({user.passcode_hash for user in users}) == 1
    assert await stored(store, LoginFailure, "username") == []


# One refusal for all


async def refusals(accounts: Accounts, store: Store) -> dict[str, LoginRefusedError]:
    """What those are told who must not get in."""
    await accounts.register("ada", "s3cret")
    await accounts.register("gone", "s3cret")
    async with store.begin() as unit:
        await unit.users.archive("gone")
    await put_users(store, "v1", passcode_hash=v1_hash("s3cret"))
    await put_users(store, "empty", passcode_hash="")
    await put_users(store, "blank", passcode_hash=v1_hash(""))
    await put_users(store, "foreign", passcode_hash="s3cret")
    found = {}
    for name, passcode in {
        "ada": "wrong",
        "nobody": "s3cret",
        "gone": "s3cret",
        "v1": "wrong",
        "empty": "s3cret",
        "blank": "s3cret",
        "foreign": "s3cret",
    }.items():
        before = accounts._passcodes._hasher.computed  # type: ignore[attr-defined]
        with pytest.raises(LoginRefusedError) as raised:
            await accounts.log_in(name, passcode)
        assert accounts._passcodes._hasher.computed == before + 1, name  # type: ignore[attr-defined]
        found[name] = raised.value
    return found


async def test_a_refusal_is_the_same_and_takes_as_long_whatever_is_wrong(accounts: Accounts, store: Store) -> None:
    found = await refusals(accounts, store)
    assert len({str(error) for error in found.values()}) == 1
    for error in found.values():
        assert (error.__cause__, error.__context__) == (None, None)
    counted = await stored(store, LoginFailure, "username", "failures")
    assert counted == sorted((name, 1) for name in found)


async def test_one_who_is_restored_can_log_in_again(accounts: Accounts, store: Store) -> None:
    await accounts.register("ada", "s3cret")
    async with store.begin() as unit:
        await unit.users.archive("ada")
    with pytest.raises(LoginRefusedError):
        await accounts.log_in("ada", "s3cret")
    async with store.begin() as unit:
        await unit.users.restore("ada")
    await accounts.log_in("ada", "s3cret")


# Changing passcodes


async def test_a_changed_passcode_is_the_only_one_that_fits(accounts: Accounts) -> None:
    await accounts.register("ada", "old")
    changed = await accounts.change_passcode("ada", "old", "new")
    assert await accounts.log_in("ada", "new") == changed
    for attempt in (accounts.log_in("ada", "old"), accounts.change_passcode("ada", "old", "other")):
        with pytest.raises(LoginRefusedError):
            await attempt


@pytest.mark.parametrize("unusable", ["", v1_hash(""), "s3cret"], ids=["empty", "of nothing", "foreign"])
async def test_an_administrator_lets_in_whose_hash_cannot_be_used(
    accounts: Accounts, store: Store, unusable: str
) -> None:
    await put_users(store, "ada", passcode_hash=unusable)
    with pytest.raises(LoginRefusedError):
        await accounts.change_passcode("ada", "s3cret", "new")
    await accounts.set_passcode("ada", "new")
    await accounts.log_in("ada", "new")


async def test_there_is_no_passcode_to_set_for_nobody(accounts: Accounts) -> None:
    with pytest.raises(UserNotFoundError):
        await accounts.set_passcode("nobody", "new")
