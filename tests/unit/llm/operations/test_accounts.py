"""Operations 28 to 30, and what budgets and settings do to calls."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from socrates.errors import LLMConfigurationError, LLMError
from socrates.llm.caller import Caller
from socrates.llm.provider import Tokens
from socrates.views import Usage
from tests.support.engines import ENGINES, on_engine
from tests.support.llm import HAIKU, KEY, Lab, fresh_lab


@pytest.fixture(params=ENGINES)
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    with on_engine(request):
        async with fresh_lab(tmp_path, llm_monthly_budget=Decimal(1)) as opened:
            yield opened


@pytest.fixture
async def on_file(tmp_path: Path) -> AsyncIterator[Lab]:
    async with fresh_lab(tmp_path) as opened:
        yield opened


async def test_tokens_that_somebody_else_used_are_accounted(lab: Lab) -> None:
    tokens = Tokens(1000, 200, 300, 400)
    returned = await lab.client.track_token_usage_async(tokens, "elsewhere", user_id="ada")
    assert await lab.rows("ada") == (returned,)
    assert (returned.operation, returned.provider, returned.model) == ("elsewhere", "claude", HAIKU)
    assert (returned.cost, returned.total_tokens, returned.success) == (Decimal("0.00253"), 1200, True)
    assert lab.client.monitor.total_cost == returned.cost
    (payload,) = lab.payloads("token.usage")
    assert payload["cost_estimate"] == returned.cost
    await lab.client.track_token_usage_async(tokens, "elsewhere", provider="openai", model="gpt-4")
    (row,) = await lab.rows("system")
    assert (row.provider, row.model, row.cost) == ("openai", "gpt-4", Decimal("0.023"))


async def test_a_call_that_was_made_elsewhere_is_recorded(lab: Lab) -> None:
    given = ("ada", "gemini", "gemini-pro", 1000, 10, 812.5)
    good = await lab.client.record_usage_async(*given, request_id="r1")
    bad = await lab.client.record_usage_async(*given, success=False)
    worse = await lab.client.record_usage_async(*given, success=False, error_message="quota")
    assert sorted(await lab.rows("ada"), key=id_of) == sorted((good, bad, worse), key=id_of)
    assert (good.cost, good.request_id, good.latency_ms) == (Decimal("0.000515"), "r1", 812.5)
    assert [row.error_message for row in (good, bad, worse)] == [None, "failed", "quota"]
    assert len({row.id for row in (good, bad, worse)}) == 3


def id_of(usage: Usage) -> str:
    return usage.id


async def test_recording_never_raises(on_file: Lab) -> None:
    for provider, model in (("nobody", "\0"), ("\ud800", "x"), ("", "")):
        await on_file.client.record_usage_async("ada", provider, model, 5, 5)
        await on_file.client.track_token_usage_async(Tokens(5), "x", provider=provider)
    await on_file.client.record_usage_async("ada", "claude", HAIKU, 2**80)
    await on_file.store.close()
    assert (await on_file.client.record_usage_async("ada", "claude", HAIKU, 1000)).cost == Decimal("0.001")
    assert on_file.payloads("log.error")[-1] == {"message": "a call could not be accounted: ClosedError"}


async def test_credentials_are_those_of_a_call(on_file: Lab) -> None:
    found = await on_file.client.resolve_credentials_async()
    assert (found.provider, found.model, found.key.get_secret_value()) == ("claude", HAIKU, KEY)
    caller = Caller("ada", "openai", "gpt-4", SecretStr("sk-of-the-call"))
    found = await on_file.client.resolve_credentials_async(caller=caller)
    assert (found.provider, found.model, found.key.get_secret_value()) == ("openai", "gpt-4", "sk-of-the-call")
    with pytest.raises(LLMConfigurationError) as raised:
        await on_file.client.resolve_credentials_async("ada", "gemini")
    assert raised.value.error_type == "AUTHENTICATION_ERROR"


async def test_warnings_and_costs_can_be_asked_for(on_file: Lab) -> None:
    assert on_file.client.calculate_cost("claude", HAIKU, Tokens(1000, 1000)) == Decimal("0.006")
    assert await on_file.client.usage_warnings_async("ada") == ()
    await on_file.client.record_usage_async("ada", "claude", HAIKU, 60_000)
    assert len(await on_file.client.usage_warnings_async("ada")) == 2


async def test_whose_budget_is_spent_calls_no_model_and_nobody_else_is_held_up(lab: Lab) -> None:
    await lab.client.record_usage_async("ada", "claude", HAIKU, 1_000_000)
    with pytest.raises(LLMError, match=r"1\.00 of 1\.00") as raised:
        await lab.client.generate_response_async("hello", caller=Caller("ada"))
    assert raised.value.error_type == "BUDGET_EXCEEDED"
    assert not lab.server.requests
    row = (await lab.rows("ada"))[0]
    assert (row.success, row.cost, row.operation) == (False, 0, "generate_response")
    assert row.error_message is not None
    assert row.error_message.startswith("BUDGET_EXCEEDED: ")
    assert (await lab.client.generate_response_async("hello", caller=Caller("bob"))).value


async def test_a_default_provider_that_cannot_be_called_yet_is_told(on_file: Lab) -> None:
    async with on_file.store.begin() as unit:
        await unit.llm.save_config("ada", "openai", is_default=True)
    with pytest.raises(LLMConfigurationError, match="openai cannot be called yet") as raised:
        await on_file.client.generate_response_async("hello", caller=Caller("ada"))
    assert raised.value.error_type == "CONFIGURATION_ERROR"
    (row,) = await on_file.rows("ada")
    assert (row.success, row.provider) == (False, "openai")
    assert not on_file.server.requests
