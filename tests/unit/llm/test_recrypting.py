"""Encrypting what v1 stored and changing the secret: only how a key is encrypted changes, for all keys or none."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from socrates.errors import ConfigurationError, DamagedRecordError, SerializationError
from socrates.llm.keys import Keys
from socrates.llm.recrypting import encrypt_all, read_all, rotate_all
from socrates.llm.vault import KeyVault
from socrates.plain_keys import key_hash
from socrates.store import Store
from socrates.views import StoredKey
from tests.unit.llm.vaults import KEY, OTHER_SECRET, PLAIN, TOKEN, V1_SECRET, vault


async def save(store: Store, user_id: str, encrypted_key: str, key: str) -> None:
    async with store.begin() as unit:
        await unit.llm.save_key(user_id, "openai", encrypted_key, key_hash(key))


async def v1_keys(store: Store) -> None:
    """One key in each of v1's forms, and one that nobody can read."""
    await save(store, "ada", *PLAIN)
    await save(store, "bob", *TOKEN)
    await save(store, "eve", "bm90IGhlciBrZXk=", "sk-lost")


async def held(store: Store) -> dict[str, StoredKey]:
    return {stored.user_id: stored for stored in await read_all(store._engines)}


async def opened(store: Store, vault: KeyVault, user_id: str) -> str:
    return (await Keys(store, vault).read(user_id, "openai")).get_secret_value()


class Meanwhile(KeyVault):
    """A vault during whose work somebody else does something, once."""

    def __init__(self, store: Store, action: str, secret: str = V1_SECRET) -> None:
        super().__init__(SecretStr(secret), iterations=2)
        self._store, self._action = store, action

    async def encrypt(self, user_id: str, provider: str, key: SecretStr) -> str:
        action, self._action = self._action, ""
        async with self._store.begin() as unit:
            if action == "store":
                await unit.llm.save_key("ada", "openai", "v2:theirs", key_hash("theirs"))
            elif action == "delete":
                await unit.llm.delete_key("ada", "openai")
            elif action == "add":
                await unit.llm.save_key("new", "openai", "v2:theirs", key_hash("theirs"))
        return await super().encrypt(user_id, provider, key)


# Encrypting


async def test_what_can_be_read_is_encrypted_and_the_rest_stays(store: Store) -> None:
    await v1_keys(store)
    before = await held(store)
    result = await encrypt_all(store._engines, vault(V1_SECRET))
    assert [stored.user_id for stored in result.unreadable] == ["eve"]
    assert (len(result.done), result.already, result.changed) == (2, [], [])
    after = await held(store)
    assert after["eve"] == before["eve"]
    for user, key in (("ada", PLAIN[1]), ("bob", TOKEN[1])):
        assert after[user].encrypted_key.startswith("v2:")
        assert replace(after[user], encrypted_key="") == replace(before[user], encrypted_key="")
        assert await opened(store, vault(V1_SECRET), user) == key


async def test_what_is_encrypted_already_stays_as_it_is(store: Store) -> None:
    await v1_keys(store)
    await encrypt_all(store._engines, vault(V1_SECRET))
    before = await held(store)
    result = await encrypt_all(store._engines, vault(V1_SECRET))
    assert (len(result.done), len(result.already), len(result.unreadable)) == (0, 2, 1)
    assert await held(store) == before


async def test_a_second_secret_beside_the_first_is_refused(store: Store) -> None:
    await save(store, "ada", *PLAIN)
    await Keys(store, vault()).save("bob", "openai", SecretStr(KEY))
    before = await held(store)
    with pytest.raises(DamagedRecordError, match=r"is not the secret.*Nothing was changed"):
        await encrypt_all(store._engines, vault(OTHER_SECRET))
    assert await held(store) == before


async def test_a_short_secret_encrypts_nothing(store: Store) -> None:
    await save(store, "ada", *PLAIN)
    for work in (encrypt_all(store._engines, vault("short")), rotate_all(store._engines, vault(), vault("short"))):
        with pytest.raises(ConfigurationError, match="too short"):
            await work
    assert (await held(store))["ada"].encrypted_key == PLAIN[0]


@pytest.mark.parametrize("action", ["store", "delete"])
async def test_what_somebody_changed_meanwhile_is_not_overwritten(store: Store, action: str) -> None:
    await v1_keys(store)
    result = await encrypt_all(store._engines, Meanwhile(store, action))
    assert [stored.user_id for stored in result.changed] == ["ada"]
    assert [stored.user_id for stored in result.done] == ["bob"]
    after = await held(store)
    assert after.get("ada") is None if action == "delete" else after["ada"].encrypted_key == "v2:theirs"


async def test_a_database_without_keys_is_no_failure(store: Store) -> None:
    assert (await encrypt_all(store._engines, vault())).done == []
    assert (await rotate_all(store._engines, vault(), vault(OTHER_SECRET))).done == []


# Changing the secret


async def test_all_keys_are_put_under_the_new_secret(store: Store) -> None:
    await v1_keys(store)
    await Keys(store, vault(V1_SECRET)).save("cyd", "openai", SecretStr(KEY))
    before = await held(store)
    result = await rotate_all(store._engines, vault(V1_SECRET), vault(OTHER_SECRET))
    assert (len(result.done), [stored.user_id for stored in result.unreadable]) == (3, ["eve"])
    after = await held(store)
    for user, key in (("ada", PLAIN[1]), ("bob", TOKEN[1]), ("cyd", KEY)):
        assert await opened(store, vault(OTHER_SECRET), user) == key
        assert replace(after[user], encrypted_key="") == replace(before[user], encrypted_key="")
    with pytest.raises(DamagedRecordError):
        await opened(store, vault(V1_SECRET), "cyd")


async def test_it_can_be_run_again(store: Store) -> None:
    await Keys(store, vault()).save("ada", "openai", SecretStr(KEY))
    await rotate_all(store._engines, vault(), vault(OTHER_SECRET))
    await Keys(store, vault()).save("bob", "openai", SecretStr(KEY))  # by a program that still has the old secret
    result = await rotate_all(store._engines, vault(), vault(OTHER_SECRET))
    assert (len(result.done), len(result.already)) == (1, 1)


async def test_a_key_that_neither_secret_opens_stops_it_by_name(store: Store) -> None:
    await Keys(store, vault()).save("ada", "openai", SecretStr(KEY))
    await Keys(store, vault("a third secret, forgotten")).save("bob", "openai", SecretStr(KEY))
    before = await held(store)
    with pytest.raises(DamagedRecordError, match=r"neither .*of 'bob' for 'openai'\. Nothing was changed") as refusal:
        await rotate_all(store._engines, vault(), vault(OTHER_SECRET))
    assert "'ada'" not in str(refusal.value)
    assert await held(store) == before


@pytest.mark.parametrize("action", ["store", "delete", "add"])
async def test_a_change_meanwhile_stops_it_and_nothing_is_half_done(store: Store, action: str) -> None:
    await v1_keys(store)
    before = await held(store)
    with pytest.raises(SerializationError, match="Run it again"):
        await rotate_all(store._engines, vault(V1_SECRET), Meanwhile(store, action, OTHER_SECRET))
    assert (await held(store))["bob"] == before["bob"]
