"""Every call of a model, also one that failed or was cancelled, becomes a row of `llm_usage` before its caller goes on.

A queue would lose rows at a crash, and let budgets overrun; one INSERT is nothing beside a call of seconds. When it
fails the caller has the answer all the same, and the failure is logged and emitted.
"""

import logging
from collections.abc import Awaitable
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from uuid import uuid4

from socrates.config import LLMConfig
from socrates.errors import LLMConfigurationError, LLMError
from socrates.frozen import FrozenDict
from socrates.llm.caller import SYSTEM_USER
from socrates.llm.emitting import Emit
from socrates.llm.monitor import UsageMonitor
from socrates.llm.prices import Prices
from socrates.llm.provider import Tokens
from socrates.llm.storable import storable
from socrates.store import Store
from socrates.views import Usage

_log = logging.getLogger(__name__)

HIGH_USAGE = ((10, 50_000), (5, 40_000))
"""So many of a user's last calls, and the tokens above which they are worth a warning (llm-client, 7.2)."""

_LARGEST_BUDGET = 10**12
"""US dollars. Far larger numbers are none that Decimal can calculate with."""

_LONGEST_TEXT = 500
"""Characters that a row keeps of a text that came from outside."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a model that has ended, however it did. `error_message`: None when it succeeded."""

    operation: str | None
    user_id: str
    provider: str
    model: str
    tokens: Tokens = field(default_factory=Tokens)
    latency_ms: float = 0.0
    error_message: str | None = None
    request_id: str | None = None


class Accounting:
    """Prices calls, counts them, tells of them and stores them."""

    def __init__(self, store: Store, prices: Prices, config: LLMConfig, emit: Emit) -> None:
        self._store = store
        self._prices = prices
        self._config = config
        self._emit = emit
        self.monitor = UsageMonitor()

    async def record(self, call: Call) -> Usage:
        """Account the call, and return its record. Never raises: a failure is logged and emitted as `log.error`."""
        usage = self._priced(call)
        self.monitor.add(usage)
        is_stored = await self._attempt(
            "a call could not be accounted", self._store.transact(lambda unit: unit.llm.record_usages([usage]))
        )
        # After the row: a listener that takes its time, or never ends, costs nobody the account.
        await self._emit(
            "token.usage",
            {
                "operation": call.operation,
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "total_tokens": usage.total_tokens,
                "cost_estimate": usage.cost,
            },
        )
        if is_stored and (usage.total_tokens or usage.cost):
            await self._attempt("what a user has spent could not be looked up", self._warn_of_use(call.user_id))
        return usage

    async def _attempt(self, failure: str, work: Awaitable[None]) -> bool:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the answer is paid for, and delivered whatever the database says
            _log.exception("%s", failure)
            await self._emit("log.error", {"message": f"{failure}: {type(error).__name__}"})
            return False
        return True

    def _priced(self, call: Call) -> Usage:
        error, tokens = call.error_message, _counted(call.tokens)
        return Usage(
            id=str(uuid4()),
            user_id=call.user_id,
            provider=_short(call.provider),
            model=_short(call.model),
            operation=None if call.operation is None else _short(call.operation),
            timestamp=datetime.now(UTC),
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cache_read_tokens=tokens.cache_read,
            cache_write_tokens=tokens.cache_write,
            total_tokens=tokens.input + tokens.output,
            latency_ms=call.latency_ms,
            cost=self._prices.cost(call.provider, call.model, tokens),
            success=error is None,
            error_message=None if error is None else _short(error),
            request_id=None if call.request_id is None else _short(call.request_id),
            extra=FrozenDict(),
        )

    async def _warn_of_use(self, user_id: str) -> None:
        for warning in await self.warnings(user_id):
            _log.warning("%s", warning)
            await self._emit("log.warning", {"message": warning})

    async def warnings(self, user_id: str) -> tuple[str, ...]:
        """What the user's last calls, and what the month has cost, give reason to say."""
        found = []
        recent = await self._store.llm.recent_tokens(user_id, max(calls for calls, _ in HIGH_USAGE))
        for calls, limit in HIGH_USAGE:
            total = sum(recent[:calls])
            if total > limit:
                found.append(f"the last {calls} calls of {user_id!r} took {total} tokens, which is more than {limit}")
        budget = await self.budget(user_id)
        if budget is not None:
            spent = await self.spent_this_month(user_id)
            if spent >= budget * Decimal(str(self._config.llm_budget_warning)):
                found.append(f"{user_id!r} has spent {spent:.2f} of {budget:.2f} US dollars for this month")
        return tuple(found)

    async def require_budget(self, user_id: str) -> None:
        """Raises LLMError (BUDGET_EXCEEDED) when what the user may spend in a month is spent.

        Calls that are under way at the same time can go beyond it, each by its own cost.
        """
        budget = await self.budget(user_id)
        if budget is None:
            return
        spent = await self.spent_this_month(user_id)
        if spent >= budget:
            raise LLMError(
                f"{user_id!r} has spent {spent:.2f} of {budget:.2f} US dollars for this month. Wait for the next one, "
                "or raise the budget: SOCRATES_LLM_MONTHLY_BUDGET, or monthly_budget in the provider's settings",
                "BUDGET_EXCEEDED",
            )

    async def budget(self, user_id: str) -> Decimal | None:
        """What the user may spend in a month (UTC), in US dollars; None: there is no limit.

        The least of what the configuration says and of `monthly_budget` in the settings of the user's providers, which
        users may change themselves. Raises LLMConfigurationError when the latter is no amount.
        """
        if user_id == SYSTEM_USER:
            return None
        settings = [config.settings.get("monthly_budget") for config in await self._store.llm.configs(user_id)]
        limits = [_amount(value) for value in settings if value is not None]
        if self._config.llm_monthly_budget is not None:
            limits.append(self._config.llm_monthly_budget)
        return min(limits, default=None)

    async def spent_this_month(self, user_id: str) -> Decimal:
        """What the user's calls have cost since the month began (UTC), in US dollars."""
        month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return await self._store.llm.spent(user_id, month)


def _counted(tokens: Tokens) -> Tokens:
    """Less than nothing counts as nothing: it would give back what was spent."""
    return Tokens(*(max(0, count) for count in astuple(tokens)))


def _amount(value: object) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= _LARGEST_BUDGET:
        raise LLMConfigurationError(
            "the monthly_budget in the settings of the user's provider is no amount of US dollars",
            "CONFIGURATION_ERROR",
        )
    return amount


def _short(text: str) -> str:
    return storable(text[:_LONGEST_TEXT])
