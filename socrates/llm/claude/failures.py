"""What the SDK raises, as exceptions of ours."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from pydantic import SecretStr

from socrates.errors import LLMErrorType
from socrates.llm.claude.redaction import redacted
from socrates.llm.provider import ProviderError

if TYPE_CHECKING:  # it takes a second to load, and is an extra
    import anthropic

_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""What each type of error stands for. One that comes in the middle of a stream has no status of its own."""

_ERROR_TYPES: dict[int, LLMErrorType] = {
    401: "AUTHENTICATION_ERROR",
    403: "AUTHENTICATION_ERROR",
    408: "TIMEOUT",
    429: "RATE_LIMITED",
    504: "TIMEOUT",
}

_ADVICE = {
    **dict.fromkeys((301, 302, 303, 307, 308), ". Redirects are not followed: the key would go with them"),
    401: ". Check the key, or store another",
    403: ". The key may not use this model",
    404: ". The model may be retired: choose another",
    413: ". The prompt is too large: lower SOCRATES_LLM_CONTEXT_TOKENS",
}

_SHOWN = 300
"""Characters of a provider's own message that ours repeat."""


def failure_of(error: Exception, key: SecretStr, model: str) -> ProviderError:
    """What the SDK raised, as an exception of ours that holds nothing of it."""
    import anthropic  # noqa: PLC0415 - an extra, and slow to load
    import httpx2  # noqa: PLC0415 - comes with it

    if isinstance(error, ProviderError):
        return error
    if isinstance(error, anthropic.APIStatusError):
        return _refusal(error, key, model)
    if isinstance(error, TimeoutError | anthropic.APITimeoutError | httpx2.TimeoutException):
        message = f"{model} did not answer in time (SOCRATES_LLM_TIMEOUT)"
        return ProviderError(message, "TIMEOUT", is_transient=True)
    if isinstance(error, anthropic.APIConnectionError | httpx2.HTTPError):
        cause = type(error.__cause__ or error).__name__
        message = f"the connection to {model}'s provider failed ({cause})"
        return ProviderError(message, "CONNECTION_ERROR", is_transient=True)
    message = f"what came from {model}'s provider is no answer of the Messages API ({type(error).__name__})"
    return ProviderError(message, "GENERATION_ERROR")


def _refusal(error: "anthropic.APIStatusError", key: SecretStr, model: str) -> ProviderError:
    status = error.status_code
    if status < 300:
        status = _STATUS.get(str(error.type), status)
    told = redacted(key, f"{status} {error.type or ''} {error.api_message or ''}") or ""
    return ProviderError(
        f"{model}'s provider refused the call: {_shown(told)}{_ADVICE.get(status, '')}",
        _ERROR_TYPES.get(status, "GENERATION_ERROR"),
        status,
        is_transient=status in {408, 429} or status >= 500,
        retry_after=_retry_after(error.response.headers),
        request_id=redacted(key, error.request_id),
    )


def _shown(told: str) -> str:
    """The beginning, in one line that any log and terminal can take."""
    letters = (letter if letter.isprintable() else " " for letter in told[: 2 * _SHOWN])
    return " ".join("".join(letters).split())[:_SHOWN]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from the header that the provider sends with 429 and 529: a number, or a date."""
    told = headers.get("retry-after", "")
    try:
        seconds = float(told)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()
        except (ArithmeticError, LookupError, TypeError, ValueError):  # the parser checks little
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
