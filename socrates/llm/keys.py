"""API keys for service code: stored encrypted, read in the clear, never shown by `repr`.

keys = Keys(store, KeyVault(settings.encryption_key))
await keys.save("ada", "openai", SecretStr("sk-…"))
(await keys.read("ada", "openai")).get_secret_value()
"""

from pydantic import SecretStr

from socrates.errors import NotFoundError
from socrates.llm.vault import KeyVault
from socrates.plain_keys import key_hash
from socrates.store import Store
from socrates.views import StoredKey


class Keys:
    """The API keys of a store, under the secret of a vault."""

    def __init__(self, store: Store, vault: KeyVault) -> None:
        self._store = store
        self._vault = vault

    async def save(self, user_id: str, provider: str, key: SecretStr) -> StoredKey:
        """Encrypt and store the user's key for one provider, in the place of an earlier one.

        Raises InvalidValueError for an empty key, ConfigurationError when the secret is too short.
        """
        encrypted = await self._vault.encrypt(user_id, provider, key)
        hashed = key_hash(key.get_secret_value())
        return await self._store.transact(lambda unit: unit.llm.save_key(user_id, provider, encrypted, hashed))

    async def read(self, user_id: str, provider: str) -> SecretStr:
        """The user's key for one provider, also one that v1 stored.

        Raises NotFoundError when there is none, DamagedRecordError when it cannot be opened.
        """
        stored = await self._store.llm.find_key(user_id, provider)
        if stored is None:
            raise NotFoundError("API key", (user_id, provider))
        return await self._vault.decrypt(stored)

    async def touch(self, user_id: str, provider: str) -> None:
        """Note that the key was used now. Raises NotFoundError when there is none."""
        await self._store.transact(lambda unit: unit.llm.touch_key(user_id, provider))
