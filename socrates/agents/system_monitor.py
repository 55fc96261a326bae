"""What calls of models take and cost, and whether a model answers."""

from datetime import datetime
from decimal import Decimal

from cachetools import LRUCache

from socrates.agents.access import require_user
from socrates.agents.base import Agent, action
from socrates.agents.contracts.monitor import (
    CheckHealth,
    CheckLimits,
    GetStats,
    HealthChecked,
    LimitsChecked,
    Stats,
    TokensTracked,
    TrackTokens,
    UsageShown,
)
from socrates.agents.services import Services
from socrates.agents.usage import require_provider, require_stored
from socrates.errors import LLMError
from socrates.llm.accounting import HIGH_USAGE
from socrates.llm.caller import Caller
from socrates.llm.provider import Tokens

(_LONG, _LONG_LIMIT), (_SHORT, _) = HIGH_USAGE

_CHECKS_KEPT = 1000
"""People of whose last check this process remembers the result."""


class SystemMonitor(Agent):
    """Everybody sees their own numbers, which are those of the database (mends D54 and D44)."""

    name = "system_monitor"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        # By person, since each is called with that person's provider and key; what it says of is this process.
        self._connected: LRUCache[str, bool] = LRUCache(_CHECKS_KEPT)

    @action
    async def track_tokens(self, request: TrackTokens) -> TokensTracked:
        """Store a call that the asker made elsewhere, and tell of it as of any other."""
        await require_user(self._store, request.current_user)
        usage = await self._services.llm.track_token_usage_async(
            Tokens(request.input_tokens, request.output_tokens),
            request.operation,
            user_id=request.current_user,
            provider=require_provider(request.provider).provider,
            model=request.model,
        )
        await require_stored(self._store, usage)
        recent = sum(await self._store.llm.recent_tokens(request.current_user, _LONG))
        return TokensTracked(
            current_usage=UsageShown.model_validate(usage), warning=recent > _LONG_LIMIT, total_recent=recent
        )

    @action
    async def check_health(self, request: CheckHealth) -> HealthChecked:
        """Call the asker's model once; that is billed as a few tokens. Its failure is an answer to this question."""
        await require_user(self._store, request.current_user)
        failure: LLMError | None = None
        try:
            await self._services.llm.test_connection_async(caller=Caller(request.current_user), fresh=True)
        except LLMError as error:
            failure = error
        self._connected[request.current_user] = failure is None
        return _health(failure, self._now())

    @action
    async def get_stats(self, request: GetStats) -> Stats:
        """The sums of all calls of the asker."""
        await require_user(self._store, request.current_user)
        totals = await self._store.llm.usage_totals(request.current_user)
        return Stats(
            total_tokens=sum(total.total_tokens for total in totals),
            total_cost=sum((total.cost for total in totals), start=Decimal(0)),
            api_calls=sum(total.calls for total in totals),
            failed_calls=sum(total.failures for total in totals),
            connection_status=self._connected.get(request.current_user),
        )

    @action
    async def check_limits(self, request: CheckLimits) -> LimitsChecked:
        """What the asker's last calls, the month's costs and the last check give reason to say."""
        await require_user(self._store, request.current_user)
        warnings = await self._services.llm.usage_warnings_async(request.current_user)
        if self._connected.get(request.current_user) is False:
            warnings = (*warnings, "the model did not answer when it was last checked: check_health says why")
        recent = await self._store.llm.recent_tokens(request.current_user, _SHORT)
        return LimitsChecked(warnings=warnings, recent_usage=sum(recent))


def _health(failure: LLMError | None, at: datetime) -> HealthChecked:
    """With the code of what made the check fail: the check's own says only that it did."""
    if failure is None:
        return HealthChecked(connection=True, last_check=at, code=None, message=None)
    cause = failure.__cause__ if isinstance(failure.__cause__, LLMError) else failure
    return HealthChecked(connection=False, last_check=at, code=cause.error_type, message=str(failure))
