"""Operations 28 to 30: what calls cost, and with what they are made."""

from decimal import Decimal

from socrates.llm.accounting import Accounting, Call
from socrates.llm.caller import NOBODY, SYSTEM_USER, Caller
from socrates.llm.credentials import DEFAULT_PROVIDER, CredentialResolver, Credentials
from socrates.llm.prices import Prices
from socrates.llm.provider import Tokens
from socrates.llm.providers import find_provider
from socrates.views import Usage


class AccountOperations:
    """What every call of a model does by itself, for calls that somebody else makes."""

    def __init__(self, accounting: Accounting, resolver: CredentialResolver, prices: Prices) -> None:
        self._accounting = accounting
        self._resolver = resolver
        self._prices = prices

    async def track_token_usage_async(
        self,
        usage: Tokens,
        operation: str,
        *,
        user_id: str | None = None,
        provider: str = DEFAULT_PROVIDER,
        model: str | None = None,
    ) -> Usage:
        """Account a successful call: cost, monitor, event `token.usage`, row. Never raises; a failure is logged.

        `model`: by default the provider's.
        """
        return await self._accounting.record(
            Call(operation, user_id or SYSTEM_USER, provider, model or _default_model(provider), usage)
        )

    async def record_usage_async(
        self,
        user_id: str,
        provider: str,
        model: str,
        input_tokens: int = 0,
        output_tokens: int = 0,
        latency_ms: float = 0.0,
        success: bool = True,
        error_message: str | None = None,
        request_id: str | None = None,
    ) -> Usage:
        """Account a call that was made elsewhere, and return its record with id and cost.

        Never raises; a failure is logged and emitted.
        """
        error = None if success else error_message or "failed"
        tokens = Tokens(input_tokens, output_tokens)
        return await self._accounting.record(
            Call(None, user_id, provider, model, tokens, latency_ms, error, request_id)
        )

    async def resolve_credentials_async(
        self, user_id: str | None = None, provider: str | None = None, *, caller: Caller = NOBODY
    ) -> Credentials:
        """Provider, model and key of a call: those given, then the user's own, then the environment's.

        Raises LLMConfigurationError: AUTHENTICATION_ERROR without a key, CONFIGURATION_ERROR for a provider that is
        unknown or switched off.
        """
        return await self._resolver.resolve(
            Caller(user_id or caller.user_id, provider or caller.provider, caller.model, caller.api_key)
        )

    async def resolve_model_async(self, *, caller: Caller = NOBODY) -> tuple[str, str]:
        """The provider and the model that a call would use; no key is looked for. Raises LLMConfigurationError."""
        return await self._resolver.model(caller)

    async def usage_warnings_async(self, user_id: str) -> tuple[str, ...]:
        """What the user's last calls, and what the month has cost, give reason to say."""
        return await self._accounting.warnings(user_id)

    def calculate_cost(self, provider: str, model: str, tokens: Tokens) -> Decimal:
        """What the tokens cost today, exactly, in US dollars."""
        return self._prices.cost(provider, model, tokens)


def _default_model(provider: str) -> str:
    metadata = find_provider(provider)
    return metadata.default_model if metadata else ""
