"""When a request that failed is sent again, and after how long."""

import pytest

from socrates.config import LLMConfig
from socrates.llm.provider import ProviderError
from socrates.llm.retrying import pause_before_retry

DRAWS = 200


def a_failure(*, is_transient: bool = True, retry_after: float | None = None) -> ProviderError:
    return ProviderError("it failed", "RATE_LIMITED", 429, is_transient=is_transient, retry_after=retry_after)


def pauses(error: ProviderError, retries: int, **config: float) -> list[float]:
    values = LLMConfig(**config)
    drawn = [pause_before_retry(error, retries, values) for _ in range(DRAWS)]
    return [pause for pause in drawn if pause is not None]


@pytest.mark.parametrize(("retries", "least", "most"), [(0, 0.5, 1), (1, 1, 2), (2, 2, 4)])
def test_each_pause_is_twice_as_long_as_the_one_before_and_drawn_from_its_upper_half(
    retries: int, least: float, most: float
) -> None:
    drawn = pauses(a_failure(), retries)

    assert len(drawn) == DRAWS
    assert least <= min(drawn) < least * 1.2
    assert most * 0.8 < max(drawn) <= most


def test_a_pause_at_the_limit_is_still_drawn() -> None:
    drawn = pauses(a_failure(), 2, llm_retry_delay=1000)

    assert 30 <= min(drawn) < 40
    assert 50 < max(drawn) <= 60


def test_a_backoff_beyond_all_numbers_is_the_limit() -> None:
    config = {"llm_retry_delay": 1e300, "llm_retry_multiplier": 100, "llm_max_retries": 100}

    assert all(30 <= pause <= 60 for pause in pauses(a_failure(), 99, **config))
    assert len(pauses(a_failure(), 99, **config)) == DRAWS


def test_a_failure_that_does_not_pass_is_not_tried_again() -> None:
    assert pauses(a_failure(is_transient=False, retry_after=1), 0) == []


def test_it_ends_with_the_number_of_retries() -> None:
    assert len(pauses(a_failure(), 2, llm_max_retries=3)) == DRAWS
    assert pauses(a_failure(), 3, llm_max_retries=3) == []
    assert pauses(a_failure(), 0, llm_max_retries=0) == []


def test_the_pause_that_the_provider_asks_for_is_kept_to_and_lengthened_a_little() -> None:
    drawn = pauses(a_failure(retry_after=20), 0)

    assert 20 <= min(drawn) < 20.5
    assert 21.5 < max(drawn) <= 22


def test_a_provider_that_asks_for_less_gets_the_backoff() -> None:
    assert all(2 <= pause <= 4 for pause in pauses(a_failure(retry_after=0), 2))


def test_a_provider_does_not_undo_the_limit_of_the_backoff() -> None:
    assert all(pause <= 60 for pause in pauses(a_failure(retry_after=1), 2, llm_retry_delay=1000))


def test_a_pause_that_is_too_long_is_none() -> None:
    assert pauses(a_failure(retry_after=60), 0) != []
    assert pauses(a_failure(retry_after=61), 0) == []
