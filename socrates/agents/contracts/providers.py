"""What multi_llm is asked, and what it answers. In v1 who asks stood in `user_id`.

No response has a field for a key: a key that is stored is never shown again.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from socrates.agents.contracts.base import Key, Line, Request, Shown, Success, asker
from socrates.agents.contracts.monitor import TokenCount

_LONGEST_KEY = 1000
"""Characters; those that there are have about a hundred."""

ProviderName = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=100)]

_LARGEST_BUDGET = 10**12
"""US dollars, as of the setting `llm_monthly_budget`."""


def _plain(key: SecretStr) -> SecretStr:
    text = key.get_secret_value().strip()
    if not text or len(text) > _LONGEST_KEY or not (text.isascii() and text.isprintable()):
        raise ValueError(f"must be a key: printable ASCII of at most {_LONGEST_KEY} characters")
    return SecretStr(text)


ApiKey = Annotated[SecretStr, AfterValidator(_plain)]
"""Shows neither in `repr` nor in errors."""


class ListProviders(Request):
    action: Literal["list_providers"] = "list_providers"
    current_user: Key = asker("user_id")


class GetProviderModels(Request):
    action: Literal["get_provider_models"] = "get_provider_models"
    current_user: Key = asker("user_id")
    provider: ProviderName


class GetProviderConfig(Request):
    action: Literal["get_provider_config"] = "get_provider_config"
    current_user: Key = asker("user_id")


class ProviderSettings(BaseModel):
    """What calls go by; anything else, such as a key, has no place here. `monthly_budget` is in US dollars."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    model: Line | None = None
    monthly_budget: Annotated[Decimal, Field(ge=0, le=_LARGEST_BUDGET)] | None = None


class SetDefaultProvider(Request):
    """Settings that are given take the place of all earlier ones; without them, these stay."""

    action: Literal["set_default_provider"] = "set_default_provider"
    current_user: Key = asker("user_id")
    provider: ProviderName
    settings: ProviderSettings = ProviderSettings()


class SetProviderModel(Request):
    """`model` is an id, or one of the short names haiku, sonnet, opus."""

    action: Literal["set_provider_model"] = "set_provider_model"
    current_user: Key = asker("user_id")
    provider: ProviderName
    model: Line


class AddApiKey(Request):
    action: Literal["add_api_key"] = "add_api_key"
    current_user: Key = asker("user_id")
    provider: ProviderName
    api_key: ApiKey


class RemoveApiKey(Request):
    action: Literal["remove_api_key"] = "remove_api_key"
    current_user: Key = asker("user_id")
    provider: ProviderName


class TrackUsage(Request):
    """A call that was made elsewhere; `latency_ms` in milliseconds. Its cost is calculated."""

    action: Literal["track_usage"] = "track_usage"
    current_user: Key = asker("user_id")
    provider: ProviderName
    model: Line
    input_tokens: TokenCount = 0
    output_tokens: TokenCount = 0
    latency_ms: Annotated[float, Field(ge=0)] = 0.0
    success: bool = True
    error_message: Line | None = None
    request_id: Line | None = None


class GetUsageStats(Request):
    """`days` back from now."""

    action: Literal["get_usage_stats"] = "get_usage_stats"
    current_user: Key = asker("user_id")
    provider: ProviderName | None = None
    days: Annotated[int, Field(ge=1, le=3650)] = 30


class ProviderShown(Shown):
    """A provider. Costs are US dollars for its default model, in JSON as text; the context window is in tokens.

    One that is not `available` cannot be called yet: its settings and keys are kept until it can.
    """

    provider: str
    display_name: str
    description: str
    available: bool
    models: tuple[str, ...]
    default_model: str
    requires_api_key: bool
    cost_per_1k_input_tokens: Decimal
    cost_per_1k_output_tokens: Decimal
    context_window: int
    supports_streaming: bool
    supports_vision: bool
    base_url: str | None


class ProviderList(Success):
    providers: tuple[ProviderShown, ...]
    count: int


class ProviderModels(Success):
    """`short_names` are what a model can be called by, beside its id."""

    provider: str
    available: bool
    models: tuple[str, ...]
    default_model: str
    short_names: dict[str, str]
    context_window: int
    supports_streaming: bool
    supports_vision: bool


class ConfigShown(Shown):
    """A user's settings for one provider. `model` is None where the user chose none; `has_key`: one is stored."""

    provider: str
    model: str | None
    monthly_budget: str | None
    enabled: bool
    is_default: bool
    available: bool
    has_key: bool
    updated_at: datetime | None


class ProviderConfigs(Success):
    """`default_provider` and `default_model` are what a call uses now.

    `note` says so where the user has set nothing, and why where the settings cannot be used: then no model is named.
    """

    default_provider: str
    default_model: str | None
    providers: tuple[ConfigShown, ...]
    note: str | None


class DefaultProviderSet(Success):
    provider: str
    config_id: str


class ProviderModelSet(Success):
    provider: str
    model: str
    config_id: str


class ApiKeyAdded(Success):
    """`key_id` names the record, not the key."""

    key_id: str
    provider: str


class ApiKeyRemoved(Success):
    provider: str


class UsageTracked(Success):
    """`cost` is in US dollars, in JSON as text."""

    usage_id: str
    cost: Decimal
    tokens: int


class ProviderUsage(Shown):
    """What one provider's calls took and cost."""

    tokens: int
    cost: Decimal
    requests: int


class UsageStats(Success):
    """Costs are exact, in US dollars, in JSON as text. `daily_average` are tokens; latency is in milliseconds.

    The same fields at all times (mends D81). `avg_latency_ms` is None where there is no call with one.
    """

    total_tokens: int
    total_cost: Decimal
    by_provider: dict[str, ProviderUsage]
    daily_average: float
    success_count: int
    error_count: int
    avg_latency_ms: float | None
    period_days: int
