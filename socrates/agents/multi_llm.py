"""Which models a user's calls go to, with which key, and what they cost.

What is set here is what calls use (mends D23: v1 kept records, and called its built-in client all the same).
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from socrates.agents.access import Reads, require_feature, require_user
from socrates.agents.base import Agent, News, action
from socrates.agents.contracts.providers import (
    AddApiKey,
    ApiKeyAdded,
    ApiKeyRemoved,
    ConfigShown,
    DefaultProviderSet,
    GetProviderConfig,
    GetProviderModels,
    GetUsageStats,
    ListProviders,
    ProviderConfigs,
    ProviderList,
    ProviderModels,
    ProviderModelSet,
    ProviderSettings,
    ProviderShown,
    ProviderUsage,
    RemoveApiKey,
    SetDefaultProvider,
    SetProviderModel,
    TrackUsage,
    UsageStats,
    UsageTracked,
)
from socrates.agents.failures import RefusedError
from socrates.agents.usage import require_provider, require_stored
from socrates.errors import LLMConfigurationError
from socrates.llm.caller import Caller
from socrates.llm.credentials import DEFAULT_PROVIDER
from socrates.llm.provider import Tokens
from socrates.llm.providers import ProviderMetadata, all_providers, find_provider
from socrates.llm.vault import KeyVault
from socrates.plain_keys import key_hash
from socrates.store import UnitOfWork
from socrates.views import ProviderConfig, UsageTotals


class MultiLLM(Agent):
    """Everybody reads and sets their own. Changes need the feature `multi_llm`; reading and removing a key do not."""

    name = "multi_llm"

    @action
    async def list_providers(self, request: ListProviders) -> ProviderList:
        """Every provider, also those that cannot be called yet."""
        await require_user(self._store, request.current_user)
        shown = tuple(map(self._shown, all_providers()))
        return ProviderList(providers=shown, count=len(shown))

    @action
    async def get_provider_models(self, request: GetProviderModels) -> ProviderModels:
        """One provider's models, the default first."""
        await require_user(self._store, request.current_user)
        metadata = require_provider(request.provider)
        return ProviderModels(
            provider=metadata.provider,
            available=metadata.available,
            models=tuple(model.id for model in metadata.models),
            default_model=metadata.default_model,
            short_names=metadata.short_names,
            context_window=metadata.context_window,
            supports_streaming=metadata.supports_streaming,
            supports_vision=metadata.supports_vision,
        )

    @action
    async def get_provider_config(self, request: GetProviderConfig) -> ProviderConfigs:
        """The asker's settings, and what calls use."""
        await require_user(self._store, request.current_user)
        configs = await self._store.llm.configs(request.current_user)
        with_key = {key.provider for key in await self._store.llm.keys(request.current_user)}
        default = next((config.provider for config in configs if config.is_default), DEFAULT_PROVIDER)
        model: str | None = None
        note = None if configs else "nothing is set: these are the defaults"
        try:
            _require_available(require_provider(default))
            _, model = await self._services.llm.resolve_model_async(caller=Caller(request.current_user))
        except (RefusedError, LLMConfigurationError) as error:
            note = str(error)
        return ProviderConfigs(
            default_provider=default,
            default_model=model,
            providers=tuple(_config_shown(config, config.provider in with_key) for config in configs),
            note=note,
        )

    @action
    async def set_default_provider(self, request: SetDefaultProvider) -> DefaultProviderSet:
        """Have the asker's calls go to this provider, in one unit of work (mends D55: v1's two could leave two)."""
        metadata = require_provider(request.provider)
        _require_available(metadata)
        settings = _storable(metadata, request.settings)

        async def work(unit: UnitOfWork, _news: News) -> DefaultProviderSet:
            await self._require_may_change(unit, request.current_user)
            config = await unit.llm.save_config(
                request.current_user, metadata.provider, settings=settings or None, is_default=True, enabled=True
            )
            return DefaultProviderSet(provider=config.provider, config_id=config.id)

        return await self._store_and_tell(work)

    @action
    async def set_provider_model(self, request: SetProviderModel) -> ProviderModelSet:
        """Have calls of this provider use this model. The asker's other settings for it stay."""
        metadata = require_provider(request.provider)
        model = _offered(metadata, request.model)

        async def work(unit: UnitOfWork, _news: News) -> ProviderModelSet:
            await self._require_may_change(unit, request.current_user)
            before = await unit.llm.find_config(request.current_user, metadata.provider)
            settings = {**(before.settings if before else {}), "model": model}
            config = await unit.llm.save_config(request.current_user, metadata.provider, settings=settings)
            return ProviderModelSet(provider=config.provider, model=model, config_id=config.id)

        return await self._store_and_tell(work)

    @action
    async def add_api_key(self, request: AddApiKey) -> ApiKeyAdded:
        """Store a key of the asker's own, encrypted, in the place of an earlier one; calls use it from then on.

        Without the setting `encryption_key` nothing is stored (mends D65: v1 stored what anybody could read).
        """
        metadata = require_provider(request.provider)
        _require_takes_key(metadata)
        await self._require_may_change(self._store, request.current_user)
        # In a thread: making the first one loads a large package.
        vault = await asyncio.to_thread(KeyVault, self._store.settings.encryption_key)
        encrypted = await vault.encrypt(request.current_user, metadata.provider, request.api_key)
        hashed = key_hash(request.api_key.get_secret_value())

        async def work(unit: UnitOfWork, _news: News) -> ApiKeyAdded:
            await self._require_may_change(unit, request.current_user)
            stored = await unit.llm.save_key(request.current_user, metadata.provider, encrypted, hashed)
            return ApiKeyAdded(key_id=stored.id, provider=stored.provider)

        return await self._store_and_tell(work)

    @action
    async def remove_api_key(self, request: RemoveApiKey) -> ApiKeyRemoved:
        """Delete the asker's key, also that of a provider nobody knows any more; one that is not there is refused."""

        async def work(unit: UnitOfWork, _news: News) -> ApiKeyRemoved:
            await require_user(unit, request.current_user)
            await unit.llm.delete_key(request.current_user, request.provider)
            return ApiKeyRemoved(provider=request.provider)

        return await self._store_and_tell(work)

    @action
    async def track_usage(self, request: TrackUsage) -> UsageTracked:
        """Store a call that the asker made elsewhere; priced by its model, as any other (mends D75)."""
        await require_user(self._store, request.current_user)
        usage = await self._services.llm.record_usage_async(
            request.current_user,
            require_provider(request.provider).provider,
            request.model,
            request.input_tokens,
            request.output_tokens,
            request.latency_ms,
            request.success,
            request.error_message,
            request.request_id,
        )
        await require_stored(self._store, usage)
        return UsageTracked(usage_id=usage.id, cost=usage.cost or Decimal(0), tokens=usage.total_tokens or 0)

    @action
    async def get_usage_stats(self, request: GetUsageStats) -> UsageStats:
        """What the asker's calls took and cost in so many days."""
        await require_user(self._store, request.current_user)
        since = self._now() - timedelta(days=request.days)
        totals = await self._store.llm.usage_totals(request.current_user, since=since, provider=request.provider)
        return _stats(totals, request.days)

    async def _require_may_change(self, reads: Reads, username: str) -> None:
        await require_user(reads, username)
        await require_feature(reads, username, "multi_llm", self._now())

    def _shown(self, metadata: ProviderMetadata) -> ProviderShown:
        """With the prices by which calls are accounted (mends D75: v1 had two, which never agreed)."""
        cost, model = self._services.llm.calculate_cost, metadata.default_model
        return ProviderShown(
            provider=metadata.provider,
            display_name=metadata.display_name,
            description=metadata.description,
            available=metadata.available,
            models=tuple(each.id for each in metadata.models),
            default_model=model,
            requires_api_key=metadata.requires_api_key,
            cost_per_1k_input_tokens=cost(metadata.provider, model, Tokens(input=1000)),
            cost_per_1k_output_tokens=cost(metadata.provider, model, Tokens(output=1000)),
            context_window=metadata.context_window,
            supports_streaming=metadata.supports_streaming,
            supports_vision=metadata.supports_vision,
            base_url=metadata.base_url,
        )


def _config_shown(config: ProviderConfig, has_key: bool) -> ConfigShown:
    """Without settings of other names, of which nobody knows what v1's users put into them."""
    metadata = find_provider(config.provider)
    model, budget = config.settings.get("model"), config.settings.get("monthly_budget")
    return ConfigShown(
        provider=config.provider,
        model=model if isinstance(model, str) else None,
        monthly_budget=None if budget is None else str(budget),
        enabled=config.enabled,
        is_default=config.is_default,
        available=metadata is not None and metadata.available,
        has_key=has_key,
        updated_at=config.updated_at,
    )


def _require_available(metadata: ProviderMetadata) -> None:
    if not metadata.available:
        able = " or ".join(entry.provider for entry in all_providers() if entry.available)
        raise RefusedError(
            "PROVIDER_NOT_AVAILABLE",
            f"{metadata.display_name} cannot be called yet, only its settings and keys are kept: choose {able}",
            "provider",
        )


def _require_takes_key(metadata: ProviderMetadata) -> None:
    # The default provider does not require a user's key, since the service may have one; but it takes one.
    if not metadata.requires_api_key and metadata.provider != DEFAULT_PROVIDER:
        raise RefusedError("PROVIDER_TAKES_NO_KEY", f"{metadata.display_name} is called without a key", "provider")


def _offered(metadata: ProviderMetadata, name: str) -> str:
    """The id of the model. Raises RefusedError (UNKNOWN_MODEL)."""
    model, offered = metadata.model_id(name), [model.id for model in metadata.models]
    if model not in offered:
        raise RefusedError(
            "UNKNOWN_MODEL", f"{metadata.provider} has no model {name!r}; it has {', '.join(offered)}", "model"
        )
    return model


def _storable(metadata: ProviderMetadata, settings: ProviderSettings) -> dict[str, str]:
    """The given settings as they are stored. Raises RefusedError (UNKNOWN_MODEL)."""
    given = {}
    if settings.model is not None:
        given["model"] = _offered(metadata, settings.model)
    if settings.monthly_budget is not None:
        given["monthly_budget"] = str(settings.monthly_budget)
    return given


def _stats(totals: Sequence[UsageTotals], days: int) -> UsageStats:
    calls, failures = sum(total.calls for total in totals), sum(total.failures for total in totals)
    tokens = sum(total.total_tokens for total in totals)
    by_provider: dict[str, ProviderUsage] = {}
    for provider in dict.fromkeys(total.provider for total in totals):
        mine = [total for total in totals if total.provider == provider]
        by_provider[provider] = ProviderUsage(
            tokens=sum(total.total_tokens for total in mine),
            cost=sum((total.cost for total in mine), start=Decimal(0)),
            requests=sum(total.calls for total in mine),
        )
    return UsageStats(
        total_tokens=tokens,
        total_cost=sum((total.cost for total in totals), start=Decimal(0)),
        by_provider=by_provider,
        daily_average=round(tokens / days, 2),
        success_count=calls - failures,
        error_count=failures,
        avg_latency_ms=_mean_latency(totals),
        period_days=days,
    )


def _mean_latency(totals: Sequence[UsageTotals]) -> float | None:
    """Of all calls, each model's mean counting as often as it was called."""
    known = [(total.mean_latency_ms, total.calls) for total in totals if total.mean_latency_ms is not None]
    calls = sum(count for _, count in known)
    return round(sum(mean * count for mean, count in known) / calls, 2) if calls else None
