"""Language models: settings and keys, one per user and provider; calls by id."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Context, Decimal, Inexact
from fractions import Fraction
from itertools import groupby
from typing import Any

from socrates.errors import AlreadyExistsError, NotFoundError
from socrates.frozen import FrozenDict, freeze
from socrates.views import ProviderConfig, StoredKey, Usage, UsageOfDay, UsageRow, UsageTotals
from tests.stateful.model.state import BEFORE_ALL, Face, page

_EXACT = Context(prec=500, traps=[Inexact])


class LLM(Face):
    def find_config(self, user_id: str, provider: str) -> ProviderConfig | None:
        return self.state.configs.get((user_id, provider))

    def configs(self, user_id: str) -> tuple[ProviderConfig, ...]:
        return tuple(each for (user, _), each in sorted(self.state.configs.items()) if user == user_id)

    def find_key(self, user_id: str, provider: str) -> StoredKey | None:
        return self.state.keys.get((user_id, provider))

    def keys(self, user_id: str) -> tuple[StoredKey, ...]:
        return tuple(each for (user, _), each in sorted(self.state.keys.items()) if user == user_id)

    def save_config(
        self,
        user_id: str,
        provider: str,
        *,
        settings: Mapping[str, Any] | None = None,
        is_default: bool | None = None,
        enabled: bool | None = None,
    ) -> ProviderConfig:
        config = self.find_config(user_id, provider) or ProviderConfig(
            self.an_id(None), user_id, provider, False, True, FrozenDict(), self.now, self.now, FrozenDict()
        )
        config = replace(
            config,
            settings=config.settings if settings is None else freeze(settings),
            is_default=config.is_default if is_default is None else is_default,
            enabled=config.enabled if enabled is None else enabled,
            updated_at=self.now,
        )
        self.state.configs[user_id, provider] = config
        if is_default:
            self.set_default(user_id, provider)
        return config

    def set_default(self, user_id: str, provider: str) -> None:
        if (user_id, provider) not in self.state.configs:
            raise NotFoundError("provider configuration", (user_id, provider))
        for config in self.configs(user_id):
            wanted = config.provider == provider
            if wanted or config.is_default:
                changed = replace(config, is_default=wanted, updated_at=self.now)
                self.state.configs[user_id, config.provider] = changed

    def save_key(self, user_id: str, provider: str, encrypted_key: str, key_hash: str) -> StoredKey:
        key = self.find_key(user_id, provider) or StoredKey(
            self.an_id(None), user_id, provider, "", "", self.now, self.now, None
        )
        key = replace(key, encrypted_key=encrypted_key, key_hash=key_hash, updated_at=self.now)
        self.state.keys[user_id, provider] = key
        return key

    def touch_key(self, user_id: str, provider: str, at: datetime | None = None) -> None:
        self.state.keys[user_id, provider] = replace(self._key(user_id, provider), last_used_at=at or self.now)

    def delete_key(self, user_id: str, provider: str) -> None:
        self._key(user_id, provider)
        del self.state.keys[user_id, provider]

    def _key(self, user_id: str, provider: str) -> StoredKey:
        key = self.find_key(user_id, provider)
        if key is None:
            raise NotFoundError("API key", (user_id, provider))
        return key

    def record_usage(
        self,
        user_id: str,
        provider: str,
        model: str,
        *,
        input_tokens: int = 0,
        output_tokens: int = 0,
        total_tokens: int | None = None,
        latency_ms: float = 0.0,
        cost: Decimal = Decimal(0),
        success: bool = True,
        error_message: str | None = None,
        request_id: str | None = None,
        timestamp: datetime | None = None,
        usage_id: str | None = None,
        extra: Mapping[Any, Any] = FrozenDict(),
        operation: str | None = None,
        cache_read_tokens: int = 0,
        cache_write_tokens: int = 0,
    ) -> Usage:
        call = Usage(
            self.an_id(usage_id),
            user_id,
            provider,
            model,
            timestamp or self.now,
            input_tokens,
            output_tokens,
            input_tokens + output_tokens if total_tokens is None else total_tokens,
            latency_ms,
            cost,
            success,
            error_message,
            request_id,
            freeze(extra),
            operation,
            cache_read_tokens,
            cache_write_tokens,
        )
        self.record_usages([call])
        return call

    def record_usages(self, calls: Iterable[Usage]) -> None:
        for call in calls:
            if call.id in self.state.usage:
                raise AlreadyExistsError(call.id)
            self.state.usage[call.id] = call

    def usage(
        self,
        user_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        provider: str | None = None,
        limit: int = 50,
        after: Usage | None = None,
    ) -> tuple[Usage, ...]:
        found = self._calls(user_id, since, until, provider)
        return page(found, lambda call: (call.timestamp or BEFORE_ALL, call.id), limit, after, descending=True)

    def usage_totals(
        self,
        user_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        provider: str | None = None,
    ) -> tuple[UsageTotals, ...]:
        calls = self._calls(user_id, since, until, provider)
        return tuple(_totals(*key, list(group)) for key, group in _grouped(calls, _provider_and_model))

    def usage_by_day(self, user_id: str, since: datetime, until: datetime) -> tuple[UsageOfDay, ...]:
        found = []
        for day, group in _grouped(self._calls(user_id, since, until, None), lambda call: call.timestamp.date()):
            calls = list(group)
            found.append(UsageOfDay(day, len(calls), sum(call.total_tokens or 0 for call in calls), _cost(calls)))
        return tuple(found)

    def usage_table(
        self, *, user_id: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[UsageRow, ...]:
        groups = _grouped(self._calls(user_id, since, until, None), _place_in_table)
        return tuple(_row_of_table(list(group)) for _, group in groups)

    def spent(self, user_id: str, since: datetime) -> Decimal:
        return _cost(self._calls(user_id, since, None, None))

    def recent_tokens(self, user_id: str, last: int) -> tuple[int, ...]:
        return tuple(call.total_tokens or 0 for call in self.usage(user_id, limit=last))

    def _calls(
        self, user_id: str | None, since: datetime | None, until: datetime | None, provider: str | None
    ) -> list[Usage]:
        """Those of a span. A call without a time is older than any other, and than any span that has a beginning."""
        return [
            call
            for call in self.state.usage.values()
            if user_id in (None, call.user_id)
            and provider in (None, call.provider)
            and (since is None or (call.timestamp is not None and call.timestamp >= since))
            and (until is None or call.timestamp is None or call.timestamp < until)
        ]


def _grouped(calls: list[Usage], key: Any) -> Any:
    return groupby(sorted(calls, key=key), key)


def _provider_and_model(call: Usage) -> tuple[str, str]:
    return call.provider, call.model


def _place_in_table(call: Usage) -> tuple[int, str, str, bool, str]:
    days = (call.timestamp or BEFORE_ALL).date().toordinal()
    return -days, call.provider, call.model, call.operation is not None, call.operation or ""


def _row_of_table(calls: list[Usage]) -> UsageRow:
    first = calls[0]
    totals = _totals(first.provider, first.model, calls)
    return UsageRow(
        first.timestamp.date() if first.timestamp else None,
        first.provider,
        first.model,
        first.operation,
        totals.calls,
        totals.failures,
        totals.input_tokens,
        totals.output_tokens,
        totals.cache_read_tokens,
        totals.cache_write_tokens,
        totals.cost,
        totals.mean_latency_ms,
    )


def _totals(provider: str, model: str, calls: list[Usage]) -> UsageTotals:
    latencies = [Fraction(call.latency_ms) for call in calls if call.latency_ms is not None]
    return UsageTotals(
        provider,
        model,
        calls=len(calls),
        failures=sum(not call.success for call in calls),
        input_tokens=sum(call.input_tokens or 0 for call in calls),
        output_tokens=sum(call.output_tokens or 0 for call in calls),
        total_tokens=sum(call.total_tokens or 0 for call in calls),
        cache_read_tokens=sum(call.cache_read_tokens for call in calls),
        cache_write_tokens=sum(call.cache_write_tokens for call in calls),
        cost=_cost(calls),
        mean_latency_ms=float(sum(latencies) / len(latencies)) if latencies else None,
    )


def _cost(calls: list[Usage]) -> Decimal:
    total = Decimal(0)
    for call in calls:
        if call.cost is not None:
            total = _EXACT.add(total, call.cost)
    return total
