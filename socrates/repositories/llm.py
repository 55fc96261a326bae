"""Which language models a user may call, and with which key. What the calls cost is in llm_usage.py."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import uuid4

from sqlalchemy import Executable, bindparam, delete, exists, or_, select, update

from socrates.caching import cached
from socrates.errors import NotFoundError
from socrates.models import APIKey, LLMProviderConfig
from socrates.repositories.base import Mapper, now, table, utc
from socrates.repositories.cached_rows import PROVIDERS, rows_of
from socrates.repositories.deletions import remember
from socrates.repositories.llm_usage import UsageReads, UsageRepository
from socrates.repositories.upsert import upsert
from socrates.views import ProviderConfig, StoredKey

_config = Mapper(ProviderConfig, LLMProviderConfig)
_key = Mapper(StoredKey, APIKey)
_configs = table(LLMProviderConfig)
_keys = table(APIKey)
_OF_USER_AND_PROVIDER = ("user_id", "provider")

_CONFIGS = (
    select(*_config.columns)
    .where(LLMProviderConfig.user_id == bindparam("user_id"))
    .order_by(LLMProviderConfig.provider)
)
_CONFIG = _CONFIGS.where(LLMProviderConfig.provider == bindparam("provider"))
_KEYS = select(*_key.columns).where(APIKey.user_id == bindparam("user_id")).order_by(APIKey.provider)
_KEY = _KEYS.where(APIKey.provider == bindparam("provider"))

_wanted = _configs.alias("wanted")
_WANTED_EXISTS = exists().where(
    _wanted.c.user_id == bindparam("of_user"), _wanted.c.provider == bindparam("of_provider")
)
_SET_DEFAULT = (
    update(_configs)
    .where(
        _configs.c.user_id == bindparam("of_user"),
        or_(_configs.c.is_default, _configs.c.provider == bindparam("of_provider")),
        _WANTED_EXISTS,
    )
    .values(is_default=_configs.c.provider == bindparam("of_provider"))
)

_SAVE_KEY = upsert(_keys, _OF_USER_AND_PROVIDER, ("encrypted_key", "key_hash", "updated_at")).returning(*_key.columns)
_TOUCH_KEY = update(_keys).where(_keys.c.user_id == bindparam("of_user"), _keys.c.provider == bindparam("of_provider"))
_OF_PROVIDER = (_keys.c.user_id == bindparam("user_id"), _keys.c.provider == bindparam("provider"))
_DELETE_KEY = delete(_keys).where(*_OF_PROVIDER)
_REMEMBER_DELETION = remember(("api_keys", select(_keys.c.id).where(*_OF_PROVIDER)))

_NEW_CONFIG: Mapping[str, Any] = {"settings": {}, "is_default": False, "enabled": True, "extra": {}}


@lru_cache(maxsize=8)
def _save_config(given: frozenset[str]) -> Executable:
    """The upsert that leaves everything but `given` as it is."""
    return upsert(_configs, _OF_USER_AND_PROVIDER, ("updated_at", *sorted(given))).returning(*_config.columns)


class LLMReads(UsageReads):
    """Reads of providers' configurations, keys and usage. An unknown user has none."""

    @cached("llm.find_config", tags=rows_of(PROVIDERS))
    async def find_config(self, user_id: str, provider: str) -> ProviderConfig | None:
        """The user's settings for one provider; None when the user has made none."""
        await self._session.hold("providers of", user_id)
        row = await self._row(_CONFIG, user_id=user_id, provider=provider)
        return None if row is None else _config(row)

    @cached("llm.configs", tags=rows_of(PROVIDERS))
    async def configs(self, user_id: str) -> tuple[ProviderConfig, ...]:
        """The user's settings for all providers, ordered by provider."""
        return await self._views(_config, _CONFIGS, user_id=user_id)

    async def find_key(self, user_id: str, provider: str) -> StoredKey | None:
        """The user's key for one provider, encrypted; None when the user has none."""
        await self._session.hold("key of", user_id, provider)
        row = await self._row(_KEY, user_id=user_id, provider=provider)
        return None if row is None else _key(row)

    async def keys(self, user_id: str) -> tuple[StoredKey, ...]:
        """The user's keys for all providers, encrypted, ordered by provider."""
        return await self._views(_key, _KEYS, user_id=user_id)


class LLMRepository(LLMReads, UsageRepository):
    """Reads and writes of providers' configurations, keys and usage, inside a unit of work."""

    async def save_config(
        self,
        user_id: str,
        provider: str,
        *,
        settings: Mapping[str, Any] | None = None,
        is_default: bool | None = None,
        enabled: bool | None = None,
    ) -> ProviderConfig:
        """Store the user's settings for one provider, and return them as stored.

        What is None stays as it is; where nothing is stored yet, `settings` are empty, not the default, and enabled.
        `settings` are replaced as a whole. A new default takes the place of the old one. Raises InvalidValueError.
        """
        given = {
            name: value
            for name, value in (("settings", settings), ("is_default", is_default), ("enabled", enabled))
            if value is not None
        }
        at = now()
        await self._session.hold("providers of", user_id)
        (row,) = await self._rows(
            _save_config(frozenset(given)),
            id=str(uuid4()),
            user_id=user_id,
            provider=provider,
            created_at=at,
            updated_at=at,
            **{**_NEW_CONFIG, **given},
        )
        if is_default:
            await self._write(_SET_DEFAULT, of_user=user_id, of_provider=provider, updated_at=at)
        return _config(row)

    async def set_default(self, user_id: str, provider: str) -> None:
        """Make this provider the user's only default. Raises NotFoundError when no settings for it are stored."""
        await self._session.hold("providers of", user_id)
        if not await self._write(_SET_DEFAULT, of_user=user_id, of_provider=provider, updated_at=now()):
            raise NotFoundError("provider configuration", (user_id, provider))

    async def save_key(self, user_id: str, provider: str, encrypted_key: str, key_hash: str) -> StoredKey:
        """Store the user's key for one provider, encrypted already, and return it as stored.

        It takes the place of an earlier one, of which `id`, `created_at` and `last_used_at` stay: when the latter is
        before `updated_at`, it is the earlier key's. Raises InvalidValueError.
        """
        at = now()
        await self._session.hold("key of", user_id, provider)
        (row,) = await self._rows(
            _SAVE_KEY,
            id=str(uuid4()),
            user_id=user_id,
            provider=provider,
            encrypted_key=encrypted_key,
            key_hash=key_hash,
            created_at=at,
            updated_at=at,
            last_used_at=None,
        )
        return _key(row)

    async def touch_key(self, user_id: str, provider: str, at: datetime | None = None) -> None:
        """Note that the key was used, by default now. Raises NotFoundError when there is none."""
        used_at = utc(at) or now()
        if not await self._write(_TOUCH_KEY, of_user=user_id, of_provider=provider, last_used_at=used_at):
            raise _no_key(user_id, provider)

    async def delete_key(self, user_id: str, provider: str) -> None:
        """Delete the user's key for one provider. Raises NotFoundError when there is none."""
        await self._write(_REMEMBER_DELETION, user_id=user_id, provider=provider, deleted_at=now())
        if not await self._write(_DELETE_KEY, user_id=user_id, provider=provider):
            raise _no_key(user_id, provider)


def _no_key(user_id: str, provider: str) -> NotFoundError:
    return NotFoundError("API key", (user_id, provider))
