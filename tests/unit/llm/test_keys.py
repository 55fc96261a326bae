"""Keys of service code: stored encrypted, read in the clear."""

import pytest
from pydantic import SecretStr

from socrates.errors import ConfigurationError, DamagedRecordError, InvalidValueError, NotFoundError
from socrates.llm.keys import Keys
from socrates.plain_keys import key_hash
from socrates.store import Store
from tests.unit.llm.vaults import KEY, OTHER_SECRET, PLAIN, vault


async def test_a_key_is_stored_encrypted_and_read_back(store: Store) -> None:
    keys = Keys(store, vault())
    saved = await keys.save("ada", "openai", SecretStr(KEY))
    assert saved.encrypted_key.startswith("v2:")
    assert saved.key_hash == key_hash(KEY)
    assert await store.llm.find_key("ada", "openai") == saved
    found = await keys.read("ada", "openai")
    assert found.get_secret_value() == KEY
    assert KEY not in repr(found)


async def test_a_new_key_takes_the_place_of_the_old_one(store: Store) -> None:
    keys = Keys(store, vault())
    first = await keys.save("ada", "openai", SecretStr(KEY))
    second = await keys.save("ada", "openai", SecretStr("sk-new"))
    assert second.id == first.id
    assert (await keys.read("ada", "openai")).get_secret_value() == "sk-new"


async def test_a_key_that_v1_stored_is_read_as_it_is(store: Store) -> None:
    async with store.begin() as unit:
        await unit.llm.save_key("ada", "openai", PLAIN[0], key_hash(PLAIN[1]))
    assert (await Keys(store, vault()).read("ada", "openai")).get_secret_value() == PLAIN[1]


async def test_use_is_noted(store: Store) -> None:
    keys = Keys(store, vault())
    assert (await keys.save("ada", "openai", SecretStr(KEY))).last_used_at is None
    await keys.touch("ada", "openai")
    found = await store.llm.find_key("ada", "openai")
    assert found is not None
    assert found.last_used_at is not None


async def test_what_is_not_there_is_said(store: Store) -> None:
    for call in (Keys(store, vault()).read, Keys(store, vault()).touch):
        with pytest.raises(NotFoundError):
            await call("ada", "openai")


async def test_what_cannot_be_encrypted_is_not_stored(store: Store) -> None:
    with pytest.raises(InvalidValueError):
        await Keys(store, vault()).save("ada", "openai", SecretStr(""))
    with pytest.raises(ConfigurationError):
        await Keys(store, vault("short")).save("ada", "openai", SecretStr(KEY))
    assert await store.llm.keys("ada") == ()


async def test_another_secret_reads_nothing(store: Store) -> None:
    await Keys(store, vault()).save("ada", "openai", SecretStr(KEY))
    with pytest.raises(DamagedRecordError):
        await Keys(store, vault(OTHER_SECRET)).read("ada", "openai")
