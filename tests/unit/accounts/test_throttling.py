import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from socrates.accounts import Accounts, Passcodes
from socrates.errors import LoginRefusedError, ThrottledError
from socrates.models import LoginFailure
from socrates.repositories.login_failures import LONGEST_WAIT, wait_after
from socrates.store import Store
from tests.unit.accounts.support import Clock, CountingHasher, InterruptedHasher
from tests.unit.repositories.rows import THEN, put, stored

LONGEST = LONGEST_WAIT.total_seconds()


async def fail(accounts: Accounts, username: str = "ada", times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(LoginRefusedError):
            await accounts.log_in(username, "wrong")


async def wait_told(accounts: Accounts, username: str = "ada", passcode: str = "s3cret") -> int:
    with pytest.raises(ThrottledError) as raised:
        await accounts.log_in(username, passcode)
    return raised.value.retry_after


async def failed_long_ago(store: Store, *names: str, days: float) -> None:
    then = THEN - timedelta(days=days)
    row = {"failures": 9, "first_failed_at": then, "last_failed_at": then, "blocked_until": then}
    await put(store, LoginFailure, *({"username": name} | row for name in names))


def test_waits_double_from_a_second_after_the_fifth_failure_up_to_a_quarter_of_an_hour() -> None:
    waits = [wait_after(failures).total_seconds() for failures in range(1, 18)]
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert wait_after(2**62) == LONGEST_WAIT


async def test_each_failure_from_the_fifth_on_makes_the_name_wait_as_long_as_it_should(
    accounts: Accounts, store: Store, clock: Clock, hasher: CountingHasher
) -> None:
    await accounts.register("ada", "s3cret")
    for failures in range(1, 18):
        await fail(accounts)
        wait = wait_after(failures).total_seconds()
        if wait:
            before = hasher.computed
            assert await wait_told(accounts) == wait
            clock.turn(wait - 0.5)
            assert await wait_told(accounts) == 1
            clock.turn(0.5)
            assert hasher.computed == before
    ((counted, first, last, until),) = await stored(
        store, LoginFailure, "failures", "first_failed_at", "last_failed_at", "blocked_until"
    )
    assert (counted, first, until - last) == (17, THEN, LONGEST_WAIT)


async def test_a_success_starts_anew(accounts: Accounts, store: Store, clock: Clock) -> None:
    await accounts.register("ada", "s3cret")
    await fail(accounts, times=5)
    clock.turn(1)
    await accounts.log_in("ada", "s3cret")
    assert await stored(store, LoginFailure, "username") == []
    await fail(accounts, times=5)
    assert await wait_told(accounts) == 1


async def test_changing_a_passcode_is_no_way_to_guess_it(accounts: Accounts) -> None:
    await accounts.register("ada", "s3cret")
    for _ in range(5):
        with pytest.raises(LoginRefusedError):
            await accounts.change_passcode("ada", "wrong", "new")
    with pytest.raises(ThrottledError):
        await accounts.change_passcode("ada", "s3cret", "new")
    assert await wait_told(accounts) == 1


async def test_an_administrator_ends_the_wait(accounts: Accounts) -> None:
    await accounts.register("ada", "s3cret")
    await fail(accounts, times=5)
    await accounts.set_passcode("ada", "new")
    await accounts.log_in("ada", "new")


async def test_names_wait_by_themselves_and_nobody_can_tell_which_exist(accounts: Accounts) -> None:
    await accounts.register("ada", "s3cret")
    await fail(accounts, "nobody", times=5)
    assert await wait_told(accounts, "nobody") == 1
    await accounts.log_in("ada", "s3cret")


async def test_who_takes_a_name_does_not_wait_for_those_who_guessed_at_it(accounts: Accounts) -> None:
    await fail(accounts, times=5)
    await accounts.register("ada", "s3cret")
    await accounts.log_in("ada", "s3cret")


async def test_a_crowd_of_guesses_at_once_gets_no_further_than_one_after_another(
    accounts: Accounts, hasher: CountingHasher
) -> None:
    await accounts.register("ada", "s3cret")
    before = hasher.computed
    outcomes = await asyncio.gather(*(accounts.log_in("ada", f"guess {n}") for n in range(40)), return_exceptions=True)
    assert hasher.computed - before == 5
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LoginRefusedError"] * 5 + ["ThrottledError"] * 35


async def test_programs_beside_one_another_share_the_count(store: Store, clock: Clock, engine: str) -> None:
    url = store._engines.writer.url
    there = make_url(f"sqlite+aiosqlite:///{Path(url.database[5:])}") if engine == "sqlite" else url  # type: ignore[index]
    hashers = [CountingHasher() for _ in range(2)]
    async with Store.open(there.render_as_string(hide_password=False)) as other:
        both = [
            Accounts(each, Passcodes(hasher), clock=clock) for each, hasher in zip((store, other), hashers, strict=True)
        ]
        await both[0].register("ada", "s3cret")
        hashers[0].computed = 0
        guesses = (accounts.log_in("ada", f"guess {n}") for n in range(20) for accounts in both)
        outcomes = await asyncio.gather(*guesses, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {LoginRefusedError, ThrottledError}
        assert sum(hasher.computed for hasher in hashers) == 5
    again = Accounts(store, Passcodes(CountingHasher()), clock=clock)
    assert await wait_told(again) == 1


async def test_who_hangs_up_before_the_answer_is_counted_too(store: Store, clock: Clock) -> None:
    patient = Accounts(store, Passcodes(CountingHasher()), clock=clock)
    await patient.register("ada", "s3cret")
    for _ in range(5):
        slow = InterruptedHasher()
        guessing = asyncio.create_task(Accounts(store, Passcodes(slow), clock=clock).log_in("ada", "wrong"))
        await slow.computed_one.wait()
        guessing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await guessing
        slow.go_on.set()
    assert await wait_told(patient) == 1


async def test_after_a_day_a_name_starts_anew(accounts: Accounts, store: Store, clock: Clock) -> None:
    await failed_long_ago(store, "ada", days=1.01)
    await fail(accounts)
    assert await stored(store, LoginFailure, "failures", "first_failed_at") == [(1, THEN)]
    await failed_long_ago(store, "bob", days=0.99)
    await fail(accounts, "bob")
    assert await wait_told(accounts, "bob") == 32
    clock.turn(24 * 3600 + 1)
    await fail(accounts, "bob", times=5)


async def test_names_that_were_guessed_at_do_not_pile_up(accounts: Accounts, store: Store) -> None:
    await failed_long_ago(store, *(f"guess {n}" for n in range(250)), days=2)
    await failed_long_ago(store, "of today", days=0.5)
    left = []
    for name in ("a", "b", "c"):
        await fail(accounts, name)
        left.append(len(await stored(store, LoginFailure, "username")))
    assert left == [250 - 100 + 2, 250 - 200 + 3, 0 + 4]
    assert ("of today",) in await stored(store, LoginFailure, "username")


async def test_a_clock_that_is_set_back_keeps_nobody_out(accounts: Accounts, clock: Clock) -> None:
    await accounts.register("ada", "s3cret")
    await fail(accounts, times=5)
    clock.turn(-365 * 24 * 3600)
    await accounts.log_in("ada", "s3cret")


async def test_a_wait_is_never_longer_than_the_longest(accounts: Accounts, store: Store, clock: Clock) -> None:
    await failed_long_ago(store, "ada", days=0.5)
    for _ in range(12):
        await fail(accounts)
        clock.turn(await wait_told(accounts))
    await fail(accounts)
    assert await wait_told(accounts) == LONGEST
