"""Providers of language models, keys and usage."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from socrates.frozen import FrozenDict


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One user's settings for one provider of language models."""

    id: str
    user_id: str
    provider: str
    is_default: bool
    enabled: bool
    settings: FrozenDict
    created_at: datetime | None
    updated_at: datetime | None
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One user's key for one provider, as stored: encrypted. Neither it nor its hash shows in `repr`."""

    id: str
    user_id: str
    provider: str
    encrypted_key: str = field(repr=False)
    key_hash: str = field(repr=False)
    created_at: datetime | None
    updated_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Usage:
    """One call of a language model; latency in milliseconds, cost in US dollars.

    `operation` is what the call did, None where nobody knows. Tokens that a cache of the provider held are counted
    apart from `input_tokens`, and not in `total_tokens`.
    """

    id: str
    user_id: str
    provider: str
    model: str
    timestamp: datetime | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    latency_ms: float | None
    cost: Decimal | None
    success: bool
    error_message: str | None
    request_id: str | None
    extra: FrozenDict
    operation: str | None = None
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class UsageTotals:
    """The calls of one provider and model in one span of time, added up; the mean latency in milliseconds."""

    provider: str
    model: str
    calls: int
    failures: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost: Decimal
    mean_latency_ms: float | None


@dataclass(frozen=True, slots=True)
class UsageOfDay:
    """The calls of one day (UTC), added up; cost in US dollars."""

    day: date
    calls: int
    total_tokens: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class UsageRow:
    """The calls of one day (UTC), provider, model and operation, added up; cost in US dollars, latency in milliseconds.

    `day` is None for calls whose time is lost, `operation` where nobody knows it.
    """

    day: date | None
    provider: str
    model: str
    operation: str | None
    calls: int
    failures: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost: Decimal
    mean_latency_ms: float | None
