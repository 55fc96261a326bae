"""The vault opens what it encrypted, for nobody else and under no other secret, and fails closed."""

import asyncio
import base64
import sys
from dataclasses import replace

import pytest
from pydantic import SecretStr

from socrates.config import Settings
from socrates.errors import ConfigurationError, DamagedRecordError, InvalidValueError
from socrates.llm import vault as vault_module
from socrates.llm.vault import ITERATIONS, PREFIX, SHORTEST_SECRET, KeyVault
from tests.unit.llm.vaults import KEY, OTHER_SECRET, PLAIN, SECRET, TOKEN, V1_SECRET, encrypted, stored, vault


def sealed(encrypted_key: str) -> bytes:
    return base64.urlsafe_b64decode(encrypted_key.removeprefix(PREFIX))


# What is encrypted here


@pytest.mark.parametrize("key", [KEY, "x", "schlüssel-鍵-🔑", "k" * 10_000])
async def test_a_key_comes_back_as_it_was(key: str) -> None:
    row = await encrypted(key)
    assert (await vault().decrypt(row)).get_secret_value() == key
    assert row.encrypted_key.startswith(PREFIX)
    assert key.encode() not in sealed(row.encrypted_key) or key == "x"


async def test_the_same_key_never_looks_the_same() -> None:
    one, other = await encrypted(), await encrypted()
    assert sealed(one.encrypted_key)[:16] != sealed(other.encrypted_key)[:16]
    assert sealed(one.encrypted_key)[16:] != sealed(other.encrypted_key)[16:]


async def test_another_secret_opens_nothing() -> None:
    with pytest.raises(DamagedRecordError, match="SOCRATES_ENCRYPTION_KEY is not the secret") as refusal:
        await vault(OTHER_SECRET).decrypt(await encrypted())
    assert KEY not in str(refusal.value)


async def test_the_iterations_are_part_of_what_opens() -> None:
    with pytest.raises(DamagedRecordError):
        await vault(iterations=3).decrypt(await encrypted())
    assert ITERATIONS >= 600_000


@pytest.mark.parametrize(
    "moved", [{"user_id": "eve"}, {"provider": "gemini"}, {"user_id": "adaopen", "provider": "ai"}]
)
async def test_a_key_that_was_moved_to_another_row_does_not_open(moved: dict[str, str]) -> None:
    with pytest.raises(DamagedRecordError, match="tampered"):
        await vault().decrypt(replace(await encrypted(), **moved))


async def test_every_changed_byte_is_noticed() -> None:
    row = await encrypted()
    whole = sealed(row.encrypted_key)
    for place in range(len(whole)):
        changed = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        with pytest.raises(DamagedRecordError):
            await vault().decrypt(replace(row, encrypted_key=PREFIX + base64.urlsafe_b64encode(changed).decode()))


@pytest.mark.parametrize(
    "broken", [PREFIX, PREFIX + "AAAA", PREFIX + "no base64!", PREFIX + "é" * 80, PREFIX + "A" * 59]
)
async def test_a_value_that_is_cut_short_is_named_and_not_repeated(broken: str) -> None:
    with pytest.raises(DamagedRecordError, match="'key of ada' of 'ada' for 'openai' is not whole") as refusal:
        await vault().decrypt(stored(broken))
    assert broken not in str(refusal.value)


# Failing closed


@pytest.mark.parametrize("secret", [None, SecretStr("")])
def test_without_a_secret_there_is_no_vault(secret: SecretStr | None) -> None:
    with pytest.raises(ConfigurationError, match="set SOCRATES_ENCRYPTION_KEY"):
        KeyVault(secret)


async def test_a_short_secret_encrypts_nothing() -> None:
    with pytest.raises(ConfigurationError, match=f"too short.*{SHORTEST_SECRET}") as refusal:
        await vault("s" * (SHORTEST_SECRET - 1)).encrypt("ada", "openai", SecretStr(KEY))
    assert "sss" not in str(refusal.value)
    assert await vault("s" * SHORTEST_SECRET).encrypt("ada", "openai", SecretStr(KEY))


@pytest.mark.parametrize("key", ["", KEY + "\ud800"])
async def test_what_can_be_no_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(InvalidValueError, match="empty, or holds") as refusal:
        await vault().encrypt("ada", "openai", SecretStr(key))
    assert (KEY in str(refusal.value), refusal.value.__context__) == (False, None)


def test_a_secret_that_is_no_text_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="not UTF-8") as refusal:
        vault(SECRET + "\udcff")
    assert (SECRET in str(refusal.value), refusal.value.__context__) == (False, None)


def test_without_the_package_the_owner_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'socrates\[llm\]'"):
        vault()


def test_the_secret_comes_from_the_environment_and_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_ENCRYPTION_KEY", SECRET)
    settings = Settings()
    assert settings.encryption_key is not None
    assert settings.encryption_key.get_secret_value() == SECRET
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(KeyVault(settings.encryption_key))):
        assert SECRET not in shown


# Cost


async def test_a_record_is_derived_once_and_others_go_on_meanwhile() -> None:
    slow = vault(iterations=300_000)
    row = stored(await slow.encrypt("ada", "openai", SecretStr(KEY)))
    fresh = vault(iterations=300_000)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    await fresh.decrypt(row)
    assert turns > 100  # the loop was free
    counting.cancel()
    assert len(fresh._derived) == 1
    await fresh.decrypt(row)
    assert len(fresh._derived) == 1


async def test_those_who_want_one_key_at_the_same_time_derive_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    row = stored(await vault().encrypt("ada", "openai", SecretStr(KEY)))
    derived = []
    pbkdf2 = vault_module.hashlib.pbkdf2_hmac

    def counted(*arguments: object) -> bytes:
        derived.append(arguments)
        return pbkdf2(*arguments)

    monkeypatch.setattr(vault_module.hashlib, "pbkdf2_hmac", counted)
    fresh = vault()
    first, *others = [asyncio.create_task(fresh.decrypt(row)) for _ in range(20)]
    await asyncio.sleep(0)
    first.cancel()
    assert {key.get_secret_value() for key in await asyncio.gather(*others)} == {KEY}
    assert len(derived) == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_what_was_derived_is_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_module, "_DERIVED_KEPT", 3)
    one = vault()
    for _ in range(5):
        await one.encrypt("ada", "openai", SecretStr(KEY))
    assert len(one._derived) == 3


# What v1 stored


async def test_v1_s_plain_form_is_read() -> None:
    assert (await vault().decrypt(stored(*PLAIN))).get_secret_value() == PLAIN[1]


async def test_v1_s_tokens_are_read_under_the_secret_of_the_environment_however_short() -> None:
    assert (await vault(V1_SECRET).decrypt(stored(*TOKEN))).get_secret_value() == TOKEN[1]
    with pytest.raises(DamagedRecordError, match="stored by v1, cannot be read") as refusal:
        await vault(SECRET).decrypt(stored(*TOKEN))
    assert TOKEN[0] not in str(refusal.value)


async def test_a_value_whose_hash_is_another_is_not_taken_for_the_key() -> None:
    with pytest.raises(DamagedRecordError):
        await vault().decrypt(stored(PLAIN[0], "sk-another"))
    with pytest.raises(DamagedRecordError):
        await vault(V1_SECRET).decrypt(stored(TOKEN[0], "sk-another"))
