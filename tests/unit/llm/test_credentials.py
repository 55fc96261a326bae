"""Which provider, model and key a call uses, and that nobody ever pays for somebody else."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from socrates.config import LLMConfig
from socrates.errors import InvalidValueError, LLMConfigurationError
from socrates.llm.caller import NOBODY, Caller
from socrates.llm.credentials import CredentialResolver, Credentials
from socrates.llm.keys import Keys
from socrates.llm.vault import KeyVault
from socrates.plain_keys import key_hash
from socrates.store import Store
from tests.support.engines import ENGINES, on_engine
from tests.support.stores import fresh_store
from tests.unit.llm.vaults import PLAIN, TOKEN, V1_SECRET

HAIKU, SONNET = "claude-haiku-4-5-20251001", "claude-sonnet-5-5"
SERVICE_KEY = SecretStr("sk-of-the-service")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "API_KEY_CLAUDE", "CLAUDE_MODEL", "SOCRATES_CLAUDE_MODEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    with on_engine(request):
        async with fresh_store(tmp_path, encryption_key=SecretStr(V1_SECRET)) as opened:
            yield opened


@pytest.fixture
async def on_file(tmp_path: Path) -> AsyncIterator[Store]:
    async with fresh_store(tmp_path, encryption_key=SecretStr(V1_SECRET)) as opened:
        yield opened


async def store_key(store: Store, encrypted: str = PLAIN[0], key: str = PLAIN[1], provider: str = "claude") -> None:
    """Give ada a key."""
    async with store.begin() as unit:
        await unit.llm.save_key("ada", provider, encrypted, key_hash(key))


async def settle(store: Store, provider: str = "claude", /, *, default: bool = False, **settings: Any) -> None:
    """Store settings of ada's."""
    async with store.begin() as unit:
        await unit.llm.save_config("ada", provider, settings=settings, is_default=default or None)


async def key_of(store: Store, caller: Caller, key: SecretStr | None = None, **config: Any) -> str:
    found = await CredentialResolver(store, LLMConfig(**config), key).resolve(caller)
    return found.key.get_secret_value()


async def model_of(store: Store, caller: Caller, **config: Any) -> tuple[str, str]:
    return await CredentialResolver(store, LLMConfig(**config)).model(caller)


# Keys


async def test_the_call_s_key_goes_before_the_user_s_and_that_before_the_service_s(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = Caller("ada")
    with pytest.raises(LLMConfigurationError, match="set ANTHROPIC_API_KEY or API_KEY_CLAUDE") as raised:
        await key_of(store, ada)
    assert raised.value.error_type == "AUTHENTICATION_ERROR"
    monkeypatch.setenv("API_KEY_CLAUDE", "sk-second")
    assert await key_of(store, ada) == "sk-second"
    monkeypatch.setenv("ANTHROPIC_API_KEY", "   ")
    assert await key_of(store, ada) == "sk-second"
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-first\n")
    assert await key_of(store, ada) == "sk-first"
    assert await key_of(store, ada, SERVICE_KEY) == "sk-of-the-service"
    await store_key(store)
    assert await key_of(store, ada, SERVICE_KEY) == PLAIN[1]
    assert await key_of(store, Caller("bob"), SERVICE_KEY) == "sk-of-the-service"
    assert await key_of(store, NOBODY, SERVICE_KEY) == "sk-of-the-service"
    assert await key_of(store, Caller("ada", api_key=SecretStr("sk-of-the-call")), SERVICE_KEY) == "sk-of-the-call"


async def test_keys_are_opened_in_both_forms_of_v1_and_in_ours(on_file: Store) -> None:
    await store_key(on_file, *PLAIN)
    assert await key_of(on_file, Caller("ada")) == PLAIN[1]
    await store_key(on_file, *TOKEN)
    assert await key_of(on_file, Caller("ada")) == TOKEN[1]
    vault = KeyVault(SecretStr(V1_SECRET))
    await Keys(on_file, vault).save("ada", "claude", SecretStr("sk-ours"))
    assert await key_of(on_file, Caller("ada")) == "sk-ours"


async def test_a_stored_key_that_cannot_be_opened_is_never_replaced_by_another(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-environment")
    damaged = [(PLAIN[0], "another"), ("v2:AAAA", PLAIN[1]), ("not base64 ü", PLAIN[1]), (PLAIN[0][:-4], PLAIN[1])]
    for encrypted, key in damaged:
        await store_key(store, encrypted, key)
        with pytest.raises(LLMConfigurationError, match="the key of 'ada' for claude cannot be opened") as raised:
            await key_of(store, Caller("ada"), SERVICE_KEY)
        assert raised.value.error_type == "AUTHENTICATION_ERROR"
        told = "".join(traceback.format_exception(raised.value))
        assert not any(secret in told for secret in (PLAIN[1], key_hash(key), "sk-environment", "sk-of-the-service"))


async def test_without_the_secret_a_stored_key_is_not_replaced_either(tmp_path: Path) -> None:
    async with fresh_store(tmp_path, encryption_key=None) as store:
        await store_key(store)
        with pytest.raises(LLMConfigurationError, match="set SOCRATES_ENCRYPTION_KEY"):
            await key_of(store, Caller("ada"), SERVICE_KEY)
        assert await key_of(store, Caller("bob"), SERVICE_KEY) == "sk-of-the-service"


@pytest.mark.parametrize(
    "key", ["", "  ", "sk-\nX-Other: 1", "sk-\r\n\r\nbody", "sk-ü", "sk-\ud800", "sk-\0", "sk-\x7f"]
)
async def test_a_key_that_no_header_can_hold_is_refused(on_file: Store, key: str) -> None:
    for found in (
        key_of(on_file, Caller(api_key=SecretStr(key)), SERVICE_KEY),
        key_of(on_file, NOBODY, SecretStr(key)),
    ):
        with pytest.raises(LLMConfigurationError) as raised:
            await found
        assert raised.value.error_type == "AUTHENTICATION_ERROR"
        assert not key.strip() or key not in str(raised.value)


async def test_blanks_around_a_key_do_no_harm(on_file: Store) -> None:
    assert await key_of(on_file, Caller(api_key=SecretStr(" sk-1\r\n"))) == "sk-1"


async def test_the_service_s_key_is_for_claude_only(on_file: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-environment")
    with pytest.raises(LLMConfigurationError, match="there is no API key for openai"):
        await key_of(on_file, Caller("ada", provider="openai"), SERVICE_KEY)
    await store_key(on_file, provider="openai")
    assert await key_of(on_file, Caller("ada", provider="openai"), SERVICE_KEY) == PLAIN[1]
    with pytest.raises(LLMConfigurationError):
        await key_of(on_file, Caller("bob", provider="openai"), SERVICE_KEY)


def test_nothing_shows_a_key() -> None:
    caller = Caller("ada", api_key=SecretStr("sk-secret"))
    found = Credentials("claude", HAIKU, SecretStr("sk-secret"))
    for shown in (repr(caller), repr(found), f"{found}"):
        assert "sk-secret" not in shown


async def test_nothing_of_a_key_is_logged(on_file: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "socrates")
    await store_key(on_file)
    resolver = CredentialResolver(on_file, LLMConfig(), SERVICE_KEY)
    await resolver.resolve(Caller("ada"))
    shown = caplog.text + repr(resolver)
    assert not any(secret in shown for secret in (*PLAIN, key_hash(PLAIN[1]), "sk-of-the-service"))


# When a key was last used


async def test_the_last_use_of_a_key_is_noted_at_most_once_a_minute(store: Store) -> None:
    async def last_use() -> datetime | None:
        stored = await store.llm.find_key("ada", "claude")
        assert stored is not None
        return stored.last_used_at

    async def use(resolver: CredentialResolver) -> datetime | None:
        await resolver.resolve(Caller("ada"))
        return await last_use()

    await store_key(store)
    resolver = CredentialResolver(store, LLMConfig())
    before = datetime.now(UTC)
    noted = await use(resolver)
    assert noted is not None
    assert noted >= before
    assert await use(resolver) == noted
    assert await use(CredentialResolver(store, LLMConfig())) == noted  # another process
    earlier = datetime.now(UTC) - timedelta(seconds=61)
    async with store.begin() as unit:
        await unit.llm.touch_key("ada", "claude", earlier)
    assert await use(resolver) == earlier  # it has noted one in this minute
    again = await use(CredentialResolver(store, LLMConfig()))
    assert again is not None
    assert again > noted


async def test_calls_at_once_note_the_use_of_a_key_once(on_file: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await store_key(on_file)
    units = 0
    begin = on_file.begin

    def counting() -> Any:
        nonlocal units
        units += 1
        return begin()

    monkeypatch.setattr(on_file, "begin", counting)
    resolver = CredentialResolver(on_file, LLMConfig())
    await asyncio.gather(*(resolver.resolve(Caller("ada")) for _ in range(50)))
    assert units == 1


async def test_a_key_that_is_deleted_meanwhile_is_told(on_file: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await store_key(on_file)
    stored = await on_file.llm.find_key("ada", "claude")
    assert stored is not None
    async with on_file.begin() as unit:
        await unit.llm.delete_key("ada", "claude")
    with pytest.raises(LLMConfigurationError, match="has just deleted the key"):
        await CredentialResolver(on_file, LLMConfig(), SERVICE_KEY)._opened(stored)


# Models


async def test_the_model_is_the_call_s_else_the_user_s_else_the_configuration_s_else_the_environment_s(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = Caller("ada")
    assert await model_of(store, ada) == ("claude", HAIKU)
    monkeypatch.setenv("CLAUDE_MODEL", "from-environment")
    assert await model_of(store, ada) == ("claude", "from-environment")
    assert await model_of(store, ada, claude_model="configured") == ("claude", "configured")
    await settle(store, model="of-ada")
    assert await model_of(store, ada, claude_model="configured") == ("claude", "of-ada")
    assert await model_of(store, Caller("bob"), claude_model="configured") == ("claude", "configured")
    assert await model_of(store, Caller("ada", model="of-the-call")) == ("claude", "of-the-call")
    for blank in ("", "  ", None):
        await settle(store, model=blank)
        assert await model_of(store, Caller("ada", model="  ")) == ("claude", "from-environment")


async def test_short_names_are_understood_wherever_a_model_is_named(
    on_file: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_MODEL", "opus")
    assert await model_of(on_file, NOBODY) == ("claude", "claude-opus-5-5")
    assert await model_of(on_file, NOBODY, claude_model=" Sonnet ") == ("claude", SONNET)
    await settle(on_file, model="haiku")
    assert await model_of(on_file, Caller("ada")) == ("claude", HAIKU)
    assert await model_of(on_file, Caller("ada", model="SONNET")) == ("claude", SONNET)


@pytest.mark.parametrize("model", ["m\nERROR all is lost", "m\x1b[2J", "m\ud800", "m\0", "m" * 201])
async def test_what_would_forge_or_flood_a_log_is_no_model(on_file: Store, model: str) -> None:
    await settle(on_file, model=model)
    for caller in (Caller("ada"), Caller("bob", model=model)):
        with pytest.raises(LLMConfigurationError, match="no name of one") as raised:
            await model_of(on_file, caller)
        assert raised.value.error_type == "CONFIGURATION_ERROR"
        assert model not in str(raised.value)


@pytest.mark.parametrize("model", [5, ["haiku"], {"id": "haiku"}, True])
async def test_a_model_in_settings_that_is_no_text_is_told(on_file: Store, model: object) -> None:
    await settle(on_file, model=model)
    with pytest.raises(
        LLMConfigurationError, match="the model in the settings of 'ada' for claude is no text"
    ) as raised:
        await model_of(on_file, Caller("ada"))
    assert raised.value.error_type == "CONFIGURATION_ERROR"


# Providers


async def test_the_provider_is_the_call_s_else_the_user_s_default_else_claude(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_MODEL", "only-for-claude")
    await settle(store, "gemini", model="gemini-pro-vision")
    assert await model_of(store, Caller("ada")) == ("claude", "only-for-claude")
    await settle(store, "openai", default=True)
    assert await model_of(store, Caller("ada")) == ("openai", "gpt-4-turbo")
    assert await model_of(store, Caller("bob")) == ("claude", "only-for-claude")
    assert await model_of(store, Caller("ada", provider=" Gemini ")) == ("gemini", "gemini-pro-vision")
    assert await model_of(store, Caller("ada", provider="ollama")) == ("ollama", "llama2")


async def test_a_provider_that_is_unknown_is_told_with_those_that_are(on_file: Store) -> None:
    for caller in (Caller(provider="antropic"), Caller("ada", provider="antropic")):
        with pytest.raises(LLMConfigurationError, match="no provider 'antropic': it takes claude, openai") as raised:
            await model_of(on_file, caller)
        assert raised.value.error_type == "CONFIGURATION_ERROR"
    await settle(on_file, "antropic", default=True)
    with pytest.raises(LLMConfigurationError, match="no provider 'antropic'"):
        await model_of(on_file, Caller("ada"))


async def test_a_provider_that_its_user_switched_off_is_not_called(store: Store) -> None:
    async with store.begin() as unit:
        await unit.llm.save_config("ada", "claude", enabled=False)
    for caller in (Caller("ada"), Caller("ada", provider="claude", api_key=SecretStr("sk"))):
        with pytest.raises(LLMConfigurationError, match="switched the provider claude off") as raised:
            await model_of(store, caller)
        assert raised.value.error_type == "CONFIGURATION_ERROR"
    assert await model_of(store, Caller("bob")) == ("claude", HAIKU)


async def test_an_endpoint_of_a_user_s_own_is_refused(on_file: Store) -> None:
    await settle(on_file, api_endpoint="https://evil.example/v1")
    with pytest.raises(LLMConfigurationError, match="api_endpoint, which is not used") as raised:
        await key_of(on_file, Caller("ada"), SERVICE_KEY)
    assert "evil" not in str(raised.value)
    await settle(on_file, api_endpoint="")
    assert await key_of(on_file, Caller("ada"), SERVICE_KEY) == "sk-of-the-service"


@pytest.mark.parametrize("name", ["x" * 513, "ж" * 257, "a\0da", "\ud800"])
def test_nobody_calls_under_a_name_that_a_row_cannot_hold(name: str) -> None:
    with pytest.raises(InvalidValueError, match="512 bytes"):
        Caller(name)
    Caller("ж" * 256)


@pytest.mark.parametrize("name", ["", "system"])
def test_nobody_calls_under_a_name_that_no_budget_holds_for(name: str) -> None:
    with pytest.raises(InvalidValueError, match="is no user"):
        Caller(name)
