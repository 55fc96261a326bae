"""Vaults that derive quickly, and the keys that they are given."""

from dataclasses import replace

from pydantic import SecretStr

from socrates.llm.vault import KeyVault
from socrates.plain_keys import key_hash
from socrates.views import StoredKey

SECRET = "correct horse battery staple"
OTHER_SECRET = "another horse battery staple"
V1_SECRET = "unit-test-secret"
KEY = "sk-only-ada-has-this"

PLAIN = ("c2stZXhhbXBsZS0xMjM=", "sk-example-123")
"""Form A of a v1 key, and the key (llm-client, 9.2)."""
TOKEN = (
    "gAAAAABrAo_T6C1sScaATDNrUwCPREsXaz7FLxWySK0RF15d3JDuSp84pgIxdnvEL7u_9g8MNp2qu-_nnGxh5YIrrT0C33Epgg==",
    "sk-example",
)
"""Form B under `V1_SECRET`, and the key (llm-client, 9.2)."""


def vault(secret: str = SECRET, iterations: int = 2) -> KeyVault:
    return KeyVault(SecretStr(secret), iterations=iterations)


def stored(encrypted_key: str, key: str = KEY, user_id: str = "ada", provider: str = "openai") -> StoredKey:
    return StoredKey(f"key of {user_id}", user_id, provider, encrypted_key, key_hash(key), None, None, None)


async def encrypted(key: str = KEY, secret: str = SECRET) -> StoredKey:
    """Ada's key, as a vault stores it."""
    row = stored("", key)
    return replace(row, encrypted_key=await vault(secret).encrypt(row.user_id, row.provider, SecretStr(key)))
