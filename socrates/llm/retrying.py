"""When a request that failed is sent again."""

import random

from socrates.config import LLMConfig
from socrates.llm.provider import ProviderError

_JITTER = 0.1
"""The share by which a pause that the provider asked for is lengthened at most, so that not all come back at once."""


def pause_before_retry(error: ProviderError, retries: int, config: LLMConfig) -> float | None:
    """Seconds to wait before the request is sent again, after `retries` times; None: it is not sent again.

    A provider's own `retry-after` is kept to, unless it is longer than a caller can be expected to wait.
    """
    longest_wait = config.llm_max_retry_wait
    if not error.is_transient or retries >= config.llm_max_retries or (error.retry_after or 0) > longest_wait:
        return None
    longest = min(config.llm_retry_delay * config.llm_retry_multiplier**retries, longest_wait)
    pause = random.uniform(longest / 2, longest)  # noqa: S311 - no secret
    if error.retry_after is None:
        return pause
    return max(pause, error.retry_after * random.uniform(1, 1 + _JITTER))  # noqa: S311
