"""Which provider, model and key a call uses: what the call says, then what the user has set, then the configuration."""

import asyncio
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cachetools import TTLCache
from pydantic import SecretStr

from socrates.config import LLMConfig
from socrates.errors import ConfigurationError, DamagedRecordError, LLMConfigurationError, NotFoundError
from socrates.llm.caller import Caller
from socrates.llm.providers import ProviderMetadata, all_providers, find_provider
from socrates.llm.vault import KeyVault
from socrates.store import Store
from socrates.views import ProviderConfig, StoredKey

DEFAULT_PROVIDER = "claude"

_KEYS_IN_ENVIRONMENT = {"claude": ("ANTHROPIC_API_KEY", "API_KEY_CLAUDE")}

_TOUCHED_AFTER = timedelta(minutes=1)
"""How exact the time is at which a key was last used: a write for each call would say little more."""

_TOUCHES_KEPT = 10_000
"""Keys of which this process remembers that it has just noted their use."""


_LONGEST_NAME = 200
"""Characters of a model's id; those that there are have less than forty."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a call uses. The key does not show in `repr`."""

    provider: str
    model: str
    key: SecretStr = field(repr=False)


class CredentialResolver:
    """Finds out what a call uses."""

    def __init__(self, store: Store, config: LLMConfig, key: SecretStr | None = None) -> None:
        """`key`: Claude's, for users who have none of their own; by default the environment has it."""
        self._store = store
        self._config = config
        self._key = key
        self._vault: KeyVault | None = None
        self._touched: TTLCache[str, bool] = TTLCache(_TOUCHES_KEPT, _TOUCHED_AFTER.total_seconds())

    def __repr__(self) -> str:
        return "CredentialResolver()"

    async def resolve(self, caller: Caller) -> Credentials:
        """All of it. Raises LLMConfigurationError."""
        provider, model = await self.model(caller)
        return Credentials(provider, model, await self.key(caller, provider))

    async def model(self, caller: Caller) -> tuple[str, str]:
        """The provider and the model.

        Raises LLMConfigurationError (CONFIGURATION_ERROR) for a provider that is unknown or switched off, and for what
        can be no model's name.
        """
        settings = await self._settings(caller)
        name = caller.provider or (settings.provider if settings else DEFAULT_PROVIDER)
        metadata = find_provider(name)
        if metadata is None:
            known = ", ".join(entry.provider for entry in all_providers())
            raise LLMConfigurationError(f"there is no provider {name!r}: it takes {known}", "CONFIGURATION_ERROR")
        if settings is not None:
            _require_usable(settings)
        return metadata.provider, self._model(caller, settings, metadata)

    async def _settings(self, caller: Caller) -> ProviderConfig | None:
        if caller.user_id is None:
            return None
        configs = await self._store.llm.configs(caller.user_id)
        if caller.provider is not None:
            wanted = caller.provider.strip().lower()
        else:
            wanted = next((config.provider for config in configs if config.is_default), DEFAULT_PROVIDER)
        return next((config for config in configs if config.provider == wanted), None)

    def _model(self, caller: Caller, settings: ProviderConfig | None, metadata: ProviderMetadata) -> str:
        names = [caller.model, _model_in(settings)]
        if metadata.provider == DEFAULT_PROVIDER:
            names += [self._config.claude_model, os.environ.get("CLAUDE_MODEL")]
        chosen = next((name for name in names if name and name.strip()), metadata.default_model)
        return metadata.model_id(_one_name(chosen))

    async def key(self, caller: Caller, provider: str) -> SecretStr:
        """The key for the provider.

        Raises LLMConfigurationError (AUTHENTICATION_ERROR) when there is none, or none that can be opened.
        """
        return _usable(await self._find_key(caller, provider), provider)

    async def _find_key(self, caller: Caller, provider: str) -> SecretStr | None:
        if caller.api_key is not None:
            return caller.api_key
        if caller.user_id is not None:
            stored = await self._store.llm.find_key(caller.user_id, provider)
            if stored is not None:
                return await self._opened(stored)
        if provider == DEFAULT_PROVIDER and self._key is not None:
            return self._key
        names = _KEYS_IN_ENVIRONMENT.get(provider, ())
        return next((SecretStr(os.environ[name]) for name in names if os.environ.get(name, "").strip()), None)

    async def _opened(self, stored: StoredKey) -> SecretStr:
        """The user's own key. When it cannot be opened, nobody else's is taken: somebody else would pay."""
        try:
            if self._vault is None:
                # In a thread: the first one loads a library, which takes some 15 ms.
                self._vault = await asyncio.to_thread(KeyVault, self._store.settings.encryption_key)
            key = await self._vault.decrypt(stored)
            await self._touch(stored)
        except NotFoundError as error:
            raise _no_key(f"{stored.user_id!r} has just deleted the key for {stored.provider}. Try again") from error
        except (ConfigurationError, DamagedRecordError) as error:
            raise _no_key(f"the key of {stored.user_id!r} for {stored.provider} cannot be opened: {error}") from error
        return key

    async def _touch(self, stored: StoredKey) -> None:
        used_lately = stored.last_used_at is not None and datetime.now(UTC) - stored.last_used_at <= _TOUCHED_AFTER
        if used_lately or stored.id in self._touched:
            return
        self._touched[stored.id] = True
        await self._store.transact(lambda unit: unit.llm.touch_key(stored.user_id, stored.provider))


def _model_in(settings: ProviderConfig | None) -> str | None:
    if settings is None:
        return None
    name = settings.settings.get("model")
    if name is None or isinstance(name, str):
        return name
    raise LLMConfigurationError(
        f"the model in the settings of {settings.user_id!r} for {settings.provider} is no text: choose one again",
        "CONFIGURATION_ERROR",
    )


def _one_name(model: str) -> str:
    """Raises LLMConfigurationError for what would forge or flood a log, in which models are named as they are."""
    if len(model) <= _LONGEST_NAME and model.strip().isprintable():
        return model
    raise LLMConfigurationError(
        f"what is chosen as the model is no name of one: it takes at most {_LONGEST_NAME} characters in one line",
        "CONFIGURATION_ERROR",
    )


def _require_usable(config: ProviderConfig) -> None:
    if not config.enabled:
        raise LLMConfigurationError(
            f"{config.user_id!r} has switched the provider {config.provider} off: switch it on, or choose another",
            "CONFIGURATION_ERROR",
        )
    if config.settings.get("api_endpoint"):
        # Whoever can change settings could have prompts, and the service's key, sent to a place of their own.
        raise LLMConfigurationError(
            f"the settings of {config.user_id!r} for {config.provider} name an api_endpoint, which is not used: remove "
            "it, and have the service's owner set SOCRATES_CLAUDE_BASE_URL",
            "CONFIGURATION_ERROR",
        )


def _usable(key: SecretStr | None, provider: str) -> SecretStr:
    """Raises LLMConfigurationError for none, an empty one, and one that no HTTP header can hold."""
    text = key.get_secret_value().strip() if key is not None else ""
    if not text:
        raise _no_key(
            f"there is no API key for {provider}: store one for the user, or set "
            f"{' or '.join(_KEYS_IN_ENVIRONMENT.get(provider, ('one for the call',)))}"
        )
    if not (text.isascii() and text.isprintable()):
        raise _no_key(f"the API key for {provider} holds characters that no key has: store it again")
    return SecretStr(text)


def _no_key(message: str) -> LLMConfigurationError:
    return LLMConfigurationError(message, "AUTHENTICATION_ERROR")
