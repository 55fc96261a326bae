import asyncio
import threading

import pytest
from argon2 import PasswordHasher, Type
from hypothesis import given
from hypothesis import strategies as st

from socrates.accounts import Passcodes
from socrates.accounts.passcodes import MAX_PASSCODE_BYTES, Verdict
from socrates.errors import InvalidValueError
from tests.unit.accounts.support import CountingHasher, v1_hash

WRONG = Verdict(False)
SPOKEN = "correct horse"
OURS = CountingHasher().hash(SPOKEN)


def argon2(**parameters: object) -> str:
    cheap = {"time_cost": 1, "memory_cost": 64, "parallelism": 1}
    return PasswordHasher(**(cheap | parameters)).hash(SPOKEN)  # type: ignore[arg-type]


async def test_hashes_are_made_as_rfc_9106_recommends() -> None:
    stored = await Passcodes().hash(SPOKEN)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await Passcodes().check(SPOKEN, stored) == Verdict(True)
    assert await Passcodes().check("Correct horse", stored) == WRONG


async def test_each_hash_has_a_salt_of_its_own() -> None:
    passcodes = Passcodes(CountingHasher())
    assert await passcodes.hash(SPOKEN) != await passcodes.hash(SPOKEN)


@pytest.mark.parametrize("passcode", ["x", " x ", "Straße", "e\u0301", "a\0b", "\U0001f511", "k" * MAX_PASSCODE_BYTES])
async def test_a_passcode_fits_its_own_hash_of_either_kind(passcode: str) -> None:
    passcodes = Passcodes(CountingHasher())
    assert await passcodes.check(passcode, await passcodes.hash(passcode)) == Verdict(True)
    verdict = await passcodes.check(passcode, v1_hash(passcode))
    assert verdict.is_right
    assert verdict.new_hash is not None
    assert await passcodes.check(passcode, verdict.new_hash) == Verdict(True)


@pytest.mark.parametrize(("one", "other"), [("é", "e\u0301"), ("a\0b", "a\0c"), ("a\0", "a"), ("x", "x "), ("ß", "ss")])
async def test_passcodes_are_compared_as_they_are_typed(one: str, other: str) -> None:
    passcodes = Passcodes(CountingHasher())
    assert await passcodes.check(other, await passcodes.hash(one)) == WRONG
    assert await passcodes.check(other, v1_hash(one)) == WRONG


@pytest.mark.parametrize(
    "passcode",
    ["", "k" * (MAX_PASSCODE_BYTES + 1), "ä" * (MAX_PASSCODE_BYTES // 2 + 1), "secret\ud800", b"secret", None, 5],
    ids=["empty", "long", "long in UTF-8", "surrogate", "bytes", "None", "number"],
)
async def test_what_cannot_be_a_passcode_is_refused_without_being_shown_or_hashed(passcode: str) -> None:
    hasher = CountingHasher()
    passcodes = Passcodes(hasher)
    for attempt in (passcodes.hash(passcode), passcodes.check(passcode, v1_hash(""))):
        with pytest.raises(InvalidValueError, match="the passcode") as raised:
            await attempt
        assert not {"secret", "kkk", "äää"} & {word for word in ("secret", "kkk", "äää") if word in str(raised.value)}
        # The error of an encoding, for one, would hold the text.
        assert raised.value.__context__ is None
    assert hasher.computed == 0


UNUSABLE = {
    "empty": "",
    "foreign": "pbkdf2_sha256$600000$salt$digest",
    "the passcode itself": SPOKEN,
    "v1, upper case": v1_hash(SPOKEN).upper(),
    "v1, cut off": v1_hash(SPOKEN)[:-1],
    "v1, with a line end": v1_hash(SPOKEN) + "\n",
    "v1, with a space": " " + v1_hash(SPOKEN),
    "v1, in other digits": v1_hash(SPOKEN).translate({ord(str(n)): chr(0x0660 + n) for n in range(10)}),
    "argon2i": argon2(type=Type.I),
    "argon2d": argon2(type=Type.D),
    "argon2id, cut off": OURS[:-3],
    "argon2id, without digest": OURS.rpartition("$")[0],
    "argon2id, with an empty digest": OURS.rpartition("$")[0] + "$",
    "argon2id, upper case": OURS.upper(),
    "argon2id, with a line end": OURS + "\n",
    "argon2id, of another version": OURS.replace("v=19", "v=16"),
    "argon2id, not base64": OURS[:-1] + "*",
    "argon2id, with bits left over": OURS[:-1] + ("B" if OURS[-1] != "B" else "C"),
    "argon2id, with a digest of 4 bytes": argon2(hash_len=4),
    "argon2id, that takes 4 TiB": OURS.replace("m=64", "m=4294967295"),
    "argon2id, that takes 1 GiB": OURS.replace("m=64", "m=1048576"),
    "argon2id, that takes a day": OURS.replace("t=1", "t=999"),
    "argon2id, with more lanes than memory": OURS.replace("p=1", "p=9"),
    "argon2id, of no passes": OURS.replace("t=1", "t=0"),
    "lone surrogates": "\ud800" * 64,
}


@pytest.mark.parametrize("stored", UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_nothing_fits_a_hash_that_cannot_be_used_and_finding_out_costs_as_much_as_any(stored: str) -> None:
    hasher = CountingHasher()
    passcodes = Passcodes(hasher)
    for passcode in {SPOKEN, stored, "x"} - {"", UNUSABLE["lone surrogates"]}:
        before = hasher.computed
        assert await passcodes.check(passcode, stored) == WRONG
        assert hasher.computed == before + 1


async def test_the_hash_itself_is_no_passcode() -> None:
    passcodes = Passcodes(CountingHasher())
    for stored in (v1_hash(SPOKEN), OURS, v1_hash("")):
        assert await passcodes.check(stored, stored) == WRONG


@given(st.data())
def test_a_hash_that_was_tampered_with_fits_nothing_and_breaks_nothing(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(OURS) - 1))
    stored = OURS[:place] + data.draw(st.text(max_size=2)) + OURS[place + 1 :]
    verdict = Passcodes(CountingHasher())._check(SPOKEN, stored)
    assert verdict.is_right == (stored == OURS)


async def test_any_check_costs_one_computation_whatever_is_stored_and_whether_it_fits() -> None:
    hasher = CountingHasher()
    passcodes = Passcodes(hasher)
    for passcode in (SPOKEN, "wrong"):
        for stored in (OURS, v1_hash(SPOKEN), v1_hash(""), ""):
            before = hasher.computed
            await passcodes.check(passcode, stored)
            assert hasher.computed == before + 1


@pytest.mark.parametrize("today", [{"time_cost": 2}, {"memory_cost": 128}])
async def test_a_weaker_hash_is_to_be_replaced_if_the_passcode_is_right(today: dict[str, int]) -> None:
    passcodes = Passcodes(CountingHasher(**today))  # type: ignore[arg-type]
    assert await passcodes.check("wrong", OURS) == WRONG
    verdict = await passcodes.check(SPOKEN, OURS)
    assert verdict.is_right
    assert verdict.new_hash is not None
    assert await passcodes.check(SPOKEN, verdict.new_hash) == Verdict(True)


async def test_hashing_runs_in_other_threads_and_only_so_many_at_once_whoever_gives_up() -> None:
    hasher = CountingHasher(lasts=0.02)
    passcodes = Passcodes(hasher, at_once=2)
    tasks = [asyncio.create_task(passcodes.check(SPOKEN, OURS)) for _ in range(20)]
    await asyncio.sleep(0.01)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[1::2] == [Verdict(True)] * 10
    assert hasher.most_at_once == 2
    assert threading.get_ident() not in hasher.threads


async def test_a_verdict_does_not_show_the_hash() -> None:
    verdict = await Passcodes(CountingHasher()).check(SPOKEN, v1_hash(SPOKEN))
    assert verdict.new_hash is not None
    assert "argon2" not in repr(verdict)
