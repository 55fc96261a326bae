"""Providers, models, keys and what calls cost: what is set is what the server is asked with."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from socrates.agents.contracts.providers import AddApiKey
from socrates.events import EventType
from socrates.llm.keys import Keys
from socrates.llm.vault import KeyVault
from tests.support.engines import ENGINES, on_engine
from tests.support.llm import KEY as SERVICE_KEY
from tests.support.stores import counted
from tests.support.systems import Lab, fresh_system, with_people, with_project

SECRET = SecretStr("a secret of sixteen or more")
KEY = "sk-ant-do-not-tell-anybody-0123456789"
SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-4-5-20251001"

CHANGES = [
    ("set_default_provider", {"provider": "claude"}),
    ("set_provider_model", {"provider": "claude", "model": SONNET}),
    ("add_api_key", {"provider": "claude", "api_key": KEY}),
]
READS: list[tuple[str, dict[str, object]]] = [
    ("list_providers", {}),
    ("get_provider_models", {"provider": "claude"}),
    ("get_provider_config", {}),
    ("get_usage_stats", {}),
    ("track_usage", {"provider": "claude", "model": SONNET}),
]


@pytest.fixture(params=ENGINES)
async def stored(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    with on_engine(request):
        async with a_desk(tmp_path) as lab:
            yield lab


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Lab]:
    async with a_desk(tmp_path) as lab:
        yield lab


@asynccontextmanager
async def a_desk(tmp_path: Path, secret: SecretStr | None = SECRET) -> AsyncIterator[Lab]:
    async with fresh_system(tmp_path, settings={"encryption_key": secret}) as lab:
        await with_people(lab, "ada", "bob")
        await with_people(lab, "fred", tier="free")
        await with_project(lab)
        yield lab


async def artifact(lab: Lab, user: str = "ada") -> tuple[str, str]:
    """The model, and the digest of the key, that the server is asked with."""
    await lab.done("code_generator", "generate_artifact", user, project_id="p1")
    request = lab.server.requests[-1]
    return request.model, request.key_digest


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


async def test_a_call_goes_where_the_user_has_set_it_with_the_users_key(stored: Lab) -> None:
    """D23: v1 kept providers, models and keys, and called its built-in client all the same."""
    assert await artifact(stored) == (HAIKU, digest(SERVICE_KEY))
    await stored.done("multi_llm", "set_provider_model", provider="Claude", model="sonnet")
    await stored.done("multi_llm", "add_api_key", provider="claude", api_key=KEY)
    await stored.done("multi_llm", "set_default_provider", provider="claude")
    assert await artifact(stored) == (SONNET, digest(KEY))
    await stored.done("multi_llm", "remove_api_key", provider="claude")
    assert await artifact(stored) == (SONNET, digest(SERVICE_KEY))


async def test_what_one_user_sets_changes_no_call_of_another(desk: Lab) -> None:
    """D56: v1's model was one for the whole process."""
    await with_project(desk, "p2", owner="bob")
    await desk.done("multi_llm", "set_provider_model", provider="claude", model=SONNET)
    await desk.done("code_generator", "generate_artifact", "bob", project_id="p2")
    assert desk.server.requests[-1].model == HAIKU


async def test_a_key_is_stored_encrypted_under_the_setting(stored: Lab) -> None:
    """D65: v1 stored keys in Base64."""
    added = await stored.done("multi_llm", "add_api_key", provider="claude", api_key=f" {KEY}\n")
    row = await stored.store.llm.find_key("ada", "claude")
    assert row is not None
    assert row.id == added.key_id
    assert row.encrypted_key.startswith("v2:")
    opened = await Keys(stored.store, KeyVault(SECRET)).read("ada", "claude")
    assert opened.get_secret_value() == KEY


async def test_without_a_secret_no_key_is_stored(tmp_path: Path) -> None:
    """D65: v1 had a secret built in, and fell back to plain text."""
    async with a_desk(tmp_path, None) as lab:
        failure = await lab.refused("multi_llm", "add_api_key", provider="claude", api_key=KEY)
        assert failure.code == "CONFIGURATION_ERROR"
        assert "SOCRATES_ENCRYPTION_KEY" in failure.message
        assert await lab.store.llm.keys("ada") == ()


@pytest.mark.parametrize("key", [f"{KEY}\x00", "", "  ", f"ключ{KEY}", KEY * 50, 5, [KEY]])
async def test_what_can_be_no_key_is_refused_and_not_repeated(desk: Lab, key: object) -> None:
    failure = await desk.refused("multi_llm", "add_api_key", provider="claude", api_key=key)
    assert (failure.code, failure.field) == ("INVALID_REQUEST", "api_key")
    assert KEY not in failure.model_dump_json()
    assert await desk.store.llm.keys("ada") == ()


async def test_a_key_shows_nowhere(desk: Lab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("sqlalchemy.engine", "sqlalchemy.pool", "aiosqlite"):
        caplog.set_level(logging.INFO, logger=name)
    request = AddApiKey(current_user="ada", provider="claude", api_key=SecretStr(KEY))
    responses = [
        await desk.system.process_request("multi_llm", request),
        await desk.ask("multi_llm", "add_api_key", provider="claude", api_key=KEY, more=1),
        await desk.ask("multi_llm", "add_api_key", provider="nobody", api_key=KEY),
        await desk.ask("multi_llm", "add_api_key", "fred", provider="claude", api_key=KEY),
        await desk.ask("multi_llm", "add_api_kee", provider="claude", api_key=KEY),
        await desk.ask("multi_llm", "get_provider_config"),
        await desk.ask("multi_llm", "set_default_provider", provider="claude", settings={"api_key": KEY}),
        await desk.ask("multi_llm", "remove_api_key", provider="claude"),
    ]
    assert [response.status == "success" for response in responses] == [1, 0, 0, 0, 0, 1, 0, 1]
    await desk.system.services.emitter.settle()
    told = [event.model_dump_json() for event in desk.heard]
    shown = [caplog.text, repr(request), request.model_dump_json(), *told, *(r.model_dump_json() for r in responses)]
    for text in shown:
        assert KEY not in text
        assert digest(KEY) not in text


async def test_a_key_that_is_not_there_is_not_reported_as_removed(desk: Lab) -> None:
    """D33: v1 reported success without a match."""
    assert (await desk.refused("multi_llm", "remove_api_key", provider="claude")).code == "NOT_FOUND"
    await desk.done("multi_llm", "add_api_key", "bob", provider="claude", api_key=KEY)
    assert (await desk.refused("multi_llm", "remove_api_key", provider="claude")).code == "NOT_FOUND"
    assert len(await desk.store.llm.keys("bob")) == 1


async def test_a_provider_that_takes_no_key_gets_none(desk: Lab) -> None:
    failure = await desk.refused("multi_llm", "add_api_key", provider="ollama", api_key=KEY)
    assert (failure.code, failure.field) == ("PROVIDER_TAKES_NO_KEY", "provider")
    await desk.done("multi_llm", "add_api_key", provider="openai", api_key=KEY)


async def test_every_provider_is_listed_with_whether_it_can_be_called(desk: Lab) -> None:
    listed = await desk.done("multi_llm", "list_providers")
    assert listed.count == 4
    assert [(each.provider, each.available) for each in listed.providers] == [
        ("claude", True),
        ("openai", False),
        ("gemini", False),
        ("ollama", False),
    ]


async def test_prices_are_those_by_which_calls_are_accounted(desk: Lab) -> None:
    """D75: v1's two prices never agreed."""
    claude = (await desk.done("multi_llm", "list_providers")).providers[0]
    tracked = await desk.done(
        "multi_llm", "track_usage", provider="claude", model=claude.default_model, input_tokens=1000, output_tokens=1000
    )
    assert tracked.cost == claude.cost_per_1k_input_tokens + claude.cost_per_1k_output_tokens == Decimal("0.006")


async def test_models_are_listed_in_any_case_of_the_name(desk: Lab) -> None:
    models = await desk.done("multi_llm", "get_provider_models", provider=" Gemini ")
    assert (models.provider, models.models, models.default_model) == (
        "gemini",
        ("gemini-pro", "gemini-pro-vision"),
        "gemini-pro",
    )
    assert models.context_window == 32_000


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("get_provider_models", {}),
        ("set_default_provider", {}),
        ("set_provider_model", {"model": HAIKU}),
        ("add_api_key", {"api_key": KEY}),
        ("track_usage", {"model": HAIKU}),
    ],
)
async def test_a_provider_must_be_named_and_known(desk: Lab, action: str, fields: dict[str, object]) -> None:
    failure = await desk.refused("multi_llm", action, provider="nobody", **fields)
    assert (failure.code, failure.field) == ("UNKNOWN_PROVIDER", "provider")
    for given in ({}, {"provider": None}, {"provider": " "}):
        failure = await desk.refused("multi_llm", action, **given, **fields)
        assert (failure.code, failure.field) == ("INVALID_REQUEST", "provider")
    assert await desk.store.llm.configs("ada") == ()
    assert await desk.store.llm.usage("ada") == ()


async def test_a_provider_that_cannot_be_called_is_no_default(desk: Lab) -> None:
    failure = await desk.refused("multi_llm", "set_default_provider", provider="openai")
    assert (failure.code, failure.field) == ("PROVIDER_NOT_AVAILABLE", "provider")
    assert "choose claude" in failure.message
    assert await desk.store.llm.configs("ada") == ()


async def test_a_model_that_is_not_offered_is_refused_with_those_that_are(desk: Lab) -> None:
    failure = await desk.refused("multi_llm", "set_provider_model", provider="claude", model="gpt-4")
    assert (failure.code, failure.field) == ("UNKNOWN_MODEL", "model")
    assert HAIKU in failure.message
    settings = {"model": "gpt-4"}
    failure = await desk.refused("multi_llm", "set_default_provider", provider="claude", settings=settings)
    assert failure.code == "UNKNOWN_MODEL"


async def test_a_new_default_takes_the_place_of_the_old_one_in_one_unit(stored: Lab) -> None:
    """D55: v1 wrote twice, and what failed in between left two defaults or none."""
    async with stored.store.begin() as unit:
        await unit.llm.save_config("ada", "openai", is_default=True, settings={"model": "gpt-4"})
    with counted(stored.store) as cost:
        await stored.done("multi_llm", "set_default_provider", provider="claude")
    assert len([each for each in cost.statements if each.startswith(("INSERT", "UPDATE"))]) == 2
    configs = await stored.store.llm.configs("ada")
    assert [(config.provider, config.is_default) for config in configs] == [("claude", True), ("openai", False)]
    assert configs[1].settings == {"model": "gpt-4"}


async def test_changes_at_once_lose_nothing(stored: Lab) -> None:
    """D55: of two changes of a row that v1 read whole and wrote whole, one was lost."""
    await asyncio.gather(
        *(stored.done("multi_llm", "set_default_provider", provider="claude") for _ in range(3)),
        *(stored.done("multi_llm", "set_provider_model", provider="claude", model=SONNET) for _ in range(3)),
        *(stored.done("multi_llm", "set_provider_model", provider="openai", model="gpt-4") for _ in range(3)),
    )
    configs = await stored.store.llm.configs("ada")
    assert [(config.provider, config.is_default, config.settings) for config in configs] == [
        ("claude", True, {"model": SONNET}),
        ("openai", False, {"model": "gpt-4"}),
    ]


async def test_settings_that_are_given_replace_the_others_and_none_leave_them(desk: Lab) -> None:
    async with desk.store.begin() as unit:
        await unit.llm.save_config("ada", "claude", enabled=False, settings={"model": HAIKU, "temperature": 0.7})
    await desk.done("multi_llm", "set_provider_model", provider="claude", model=SONNET)
    await desk.done("multi_llm", "set_default_provider", provider="claude")
    (config,) = await desk.store.llm.configs("ada")
    assert (config.enabled, config.settings) == (True, {"model": SONNET, "temperature": 0.7})
    settings = {"monthly_budget": 2.5}
    await desk.done("multi_llm", "set_default_provider", provider="claude", settings=settings)
    (config,) = await desk.store.llm.configs("ada")
    assert config.settings == {"monthly_budget": "2.5"}


async def test_a_budget_that_is_set_holds(desk: Lab) -> None:
    await desk.done("multi_llm", "set_default_provider", provider="claude", settings={"monthly_budget": "0"})
    failure = await desk.refused("code_generator", "generate_artifact", project_id="p1")
    assert failure.code == "BUDGET_EXCEEDED"


@pytest.mark.parametrize("settings", [{"api_endpoint": "http://x"}, {"api_key": "x"}, {"monthly_budget": -1}, "haiku"])
async def test_settings_hold_what_calls_go_by_and_nothing_else(desk: Lab, settings: object) -> None:
    failure = await desk.refused("multi_llm", "set_default_provider", provider="claude", settings=settings)
    assert failure.code == "INVALID_REQUEST"
    assert failure.field is not None
    assert failure.field.startswith("settings")


async def test_the_configuration_has_the_same_fields_before_and_after(desk: Lab) -> None:
    """D81: v1 added a note for those who had set nothing."""
    before = await desk.done("multi_llm", "get_provider_config")
    assert (before.default_provider, before.default_model, before.providers) == ("claude", HAIKU, ())
    assert before.note
    await desk.done("multi_llm", "set_provider_model", provider="claude", model=SONNET)
    await desk.done("multi_llm", "add_api_key", provider="claude", api_key=KEY)
    after = await desk.done("multi_llm", "get_provider_config")
    assert set(after.model_dump()) == set(before.model_dump())
    assert (after.default_model, after.note) == (SONNET, None)
    (config,) = after.providers
    assert (config.model, config.is_default, config.enabled, config.has_key) == (SONNET, False, True, True)
    assert (await desk.done("multi_llm", "get_provider_config", "bob")).providers == ()


async def test_settings_that_cannot_be_used_say_so(desk: Lab) -> None:
    async with desk.store.begin() as unit:
        await unit.llm.save_config("ada", "openai", is_default=True, settings={"model": "gpt-4", "api_key": KEY})
        await unit.llm.save_config("bob", "claude", is_default=True, enabled=False)
    config = await desk.done("multi_llm", "get_provider_config")
    assert (config.default_provider, config.default_model) == ("openai", None)
    assert "cannot be called yet" in config.note
    assert KEY not in config.model_dump_json()
    assert "switched" in (await desk.done("multi_llm", "get_provider_config", "bob")).note


async def test_a_call_made_elsewhere_is_stored(desk: Lab) -> None:
    await desk.events()
    fields = {"model": "gpt-4", "input_tokens": 10, "output_tokens": 5, "latency_ms": 12.5, "request_id": "r1"}
    tracked = await desk.done("multi_llm", "track_usage", provider="OpenAI", **fields)
    (row,) = await desk.store.llm.usage("ada")
    assert (row.id, row.provider, row.model, row.total_tokens) == (tracked.usage_id, "openai", "gpt-4", 15)
    assert (row.latency_ms, row.request_id, row.success) == (12.5, "r1", True)
    assert (tracked.tokens, tracked.cost) == (15, row.cost)
    assert len(await desk.events(EventType.TOKEN_USAGE)) == 1
    await desk.done("multi_llm", "track_usage", provider="openai", model="gpt-4", success=False, error_message="no")
    assert (await desk.store.llm.usage("ada"))[0].error_message == "no"


async def test_statistics_have_the_same_fields_when_there_is_nothing(stored: Lab) -> None:
    """D81: v1's had fewer."""
    empty = await stored.done("multi_llm", "get_usage_stats")
    assert empty.model_dump(exclude={"status"}) == {
        "total_tokens": 0,
        "total_cost": Decimal(0),
        "by_provider": {},
        "daily_average": 0.0,
        "success_count": 0,
        "error_count": 0,
        "avg_latency_ms": None,
        "period_days": 30,
    }
    async with stored.store.begin() as unit:
        for number, (provider, days) in enumerate([("claude", 1), ("claude", 2), ("openai", 2), ("claude", 40)]):
            await unit.llm.record_usage(
                "ada",
                provider,
                "m",
                input_tokens=100,
                latency_ms=100.0 * (number + 1),
                cost=Decimal("0.00001"),
                success=number != 1,
                timestamp=stored.clock.now - timedelta(days=days),
            )
    stats = await stored.done("multi_llm", "get_usage_stats", days=7)
    assert set(stats.model_dump()) == set(empty.model_dump())
    assert (stats.total_tokens, stats.success_count, stats.error_count) == (300, 2, 1)
    assert (stats.total_cost, stats.daily_average, stats.avg_latency_ms) == (Decimal("0.00003"), 42.86, 200.0)
    assert stats.by_provider["claude"].model_dump() == {"tokens": 200, "cost": Decimal("0.00002"), "requests": 2}
    only = await stored.done("multi_llm", "get_usage_stats", provider="openai", days=7)
    assert (only.total_tokens, list(only.by_provider)) == (100, ["openai"])
    assert (await stored.done("multi_llm", "get_usage_stats", "bob")).total_tokens == 0


@pytest.mark.parametrize("days", [0, -1, 10**6, "x", None])
async def test_days_that_make_no_span_are_refused(desk: Lab, days: object) -> None:
    """D80: v1 divided by zero."""
    failure = await desk.refused("multi_llm", "get_usage_stats", days=days)
    assert (failure.code, failure.field) == ("INVALID_REQUEST", "days")


@pytest.mark.parametrize(("action", "fields"), CHANGES)
async def test_a_tier_without_the_feature_changes_nothing(desk: Lab, action: str, fields: dict[str, object]) -> None:
    """D64: v1 asked for the tier in its terminal only."""
    failure = await desk.refused("multi_llm", action, "fred", **fields)
    assert failure.code == "FEATURE_NOT_IN_TIER"
    assert await desk.store.llm.configs("fred") == ()
    assert await desk.store.llm.keys("fred") == ()


@pytest.mark.parametrize(("action", "fields"), READS)
async def test_every_tier_reads_its_own(desk: Lab, action: str, fields: dict[str, object]) -> None:
    await desk.done("multi_llm", action, "fred", **fields)


async def test_every_tier_removes_its_key(desk: Lab) -> None:
    await desk.done("multi_llm", "add_api_key", provider="claude", api_key=KEY)
    async with desk.store.begin() as unit:
        await unit.users.update("ada", subscription_tier="free")
    await desk.done("multi_llm", "remove_api_key", provider="claude")


@pytest.mark.parametrize(("action", "fields"), [*CHANGES, *READS, ("remove_api_key", {"provider": "claude"})])
async def test_nobody_who_does_not_exist_is_answered(desk: Lab, action: str, fields: dict[str, object]) -> None:
    assert (await desk.refused("multi_llm", action, "nobody", **fields)).code == "USER_NOT_FOUND"
