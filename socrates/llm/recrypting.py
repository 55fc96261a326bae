"""Encrypting what v1 stored, and changing the secret: every key of a database, in one transaction.

Deriving takes a few tenths of a second a key, so everything is encrypted first, and nobody is held up meanwhile. The
transaction that follows changes only rows that are still what was read.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pydantic import SecretStr

from socrates.database.engines import Engines
from socrates.database.sessions import write_session
from socrates.errors import DamagedRecordError, SerializationError
from socrates.llm.vault import PREFIX, KeyVault, name_of
from socrates.repositories.all_keys import AllKeysRepository
from socrates.views import StoredKey

_AT_ONCE = 16
"""Keys that are opened or encrypted side by side; there are hardly more cores."""


@dataclass(slots=True)
class Recrypted:
    """What became of every key."""

    done: list[StoredKey] = field(default_factory=list)
    """As they were before."""
    already: list[StoredKey] = field(default_factory=list)
    """Those that needed nothing."""
    unreadable: list[StoredKey] = field(default_factory=list)
    """Those of v1's that nobody can read, and that were left as they are."""
    changed: list[StoredKey] = field(default_factory=list)
    """Those that somebody else stored or deleted meanwhile, and that were left as that made them."""


async def read_all(engines: Engines) -> tuple[StoredKey, ...]:
    """Every key of the database, as stored."""
    async with _all_keys(engines) as keys:
        return await keys.all()


async def encrypt_all(engines: Engines, vault: KeyVault) -> Recrypted:
    """Encrypt every key that v1 stored and that can be read.

    Raises ConfigurationError when the secret is too short, and DamagedRecordError when it opens none of the keys that
    are encrypted already: then it is another one.
    """
    vault.require_long_secret()
    result = Recrypted()
    from_v1: list[StoredKey] = []
    for stored in await read_all(engines):
        (result.already if stored.encrypted_key.startswith(PREFIX) else from_v1).append(stored)
    await require_right_secret(vault, result.already)
    opened = await opened_keys(vault, from_v1)
    result.unreadable = [stored for stored, key in zip(from_v1, opened, strict=True) if key is None]
    readable = [(stored, key) for stored, key in zip(from_v1, opened, strict=True) if key is not None]
    encrypted = await _encrypted(vault, readable)
    async with _all_keys(engines) as keys:
        for (stored, _), new in zip(readable, encrypted, strict=True):
            (result.done if await keys.replace(stored, new) else result.changed).append(stored)
    return result


async def rotate_all(engines: Engines, old: KeyVault, new: KeyVault) -> Recrypted:
    """Encrypt every key that `old` opens, v1's too, under `new`: all of them or none.

    Those that `new` opens already are left, so that it can be run again. Raises DamagedRecordError, with their names,
    when neither opens some, and SerializationError when somebody stored or deleted a key meanwhile.
    """
    new.require_long_secret()
    before = await read_all(engines)
    result = Recrypted()
    readable: list[tuple[StoredKey, SecretStr]] = []
    closed: list[StoredKey] = []
    for stored, key in zip(before, await opened_keys(old, before), strict=True):
        if key is not None:
            readable.append((stored, key))
        else:
            (closed if stored.encrypted_key.startswith(PREFIX) else result.unreadable).append(stored)
    for stored, key in zip(closed, await opened_keys(new, closed), strict=True):
        if key is not None:
            result.already.append(stored)
    if len(result.already) < len(closed):
        names = "; ".join(name_of(stored) for stored in closed if stored not in result.already)
        raise DamagedRecordError(
            f"neither the old secret nor the new one opens {names}. Nothing was changed. Set the right old secret, or "
            "store these keys again"
        )
    encrypted = await _encrypted(new, readable)
    async with _all_keys(engines) as keys:
        for (stored, _), sealed in zip(readable, encrypted, strict=True):
            if not await keys.replace(stored, sealed):
                raise _meanwhile()
        if {stored.id for stored in await keys.all()} != {stored.id for stored in before}:
            raise _meanwhile()
    result.done = [stored for stored, _ in readable]
    return result


async def require_right_secret(vault: KeyVault, encrypted: Sequence[StoredKey]) -> None:
    """Raises DamagedRecordError when the secret opens none of the keys, of which there are some."""
    failure: DamagedRecordError | None = None
    for stored in encrypted:
        try:
            await vault.decrypt(stored)
        except DamagedRecordError as error:
            failure = error
        else:
            return
    if failure is not None:
        raise DamagedRecordError(f"{failure}. Nothing was changed.")


def _meanwhile() -> SerializationError:
    return SerializationError(
        "somebody stored or deleted API keys while they were encrypted anew. Nothing was changed. Run it again"
    )


@asynccontextmanager
async def _all_keys(engines: Engines) -> AsyncIterator[AllKeysRepository]:
    async with write_session(engines.write_session()) as session:
        yield AllKeysRepository(session)


async def opened_keys(vault: KeyVault, keys: Sequence[StoredKey]) -> list[SecretStr | None]:
    """The keys in the clear, None for those that the vault does not open."""

    async def opened(stored: StoredKey) -> SecretStr | None:
        try:
            return await vault.decrypt(stored)
        except DamagedRecordError:
            return None  # the caller names it

    found: list[SecretStr | None] = []
    for start in range(0, len(keys), _AT_ONCE):
        found += await asyncio.gather(*map(opened, keys[start : start + _AT_ONCE]))
    return found


async def _encrypted(vault: KeyVault, keys: Sequence[tuple[StoredKey, SecretStr]]) -> list[str]:
    found: list[str] = []
    for start in range(0, len(keys), _AT_ONCE):
        found += await asyncio.gather(
            *(vault.encrypt(stored.user_id, stored.provider, key) for stored, key in keys[start : start + _AT_ONCE])
        )
    return found
