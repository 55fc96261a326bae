import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql

from socrates.errors import InvalidValueError, NotFoundError
from socrates.models import LLMProviderConfig
from socrates.repositories import llm
from socrates.store import Store, UnitOfWork
from socrates.views import ProviderConfig, StoredKey
from tests.support.stores import counted, fresh_store
from tests.unit.repositories.plans import query_plan, scans
from tests.unit.repositories.rows import THEN, put

MINUTE = timedelta(minutes=1)
SECRET = "s3cret"


async def save_config(store: Store, provider: str = "claude", user: str = "ada", **values: Any) -> ProviderConfig:
    async with store.begin() as unit:
        return await unit.llm.save_config(user, provider, **values)


async def save_key(store: Store, provider: str = "openai", user: str = "ada", key: str = "k") -> StoredKey:
    async with store.begin() as unit:
        return await unit.llm.save_key(user, provider, f"encrypted {key}", f"hash of {key}")


async def defaults(store: Store, user: str = "ada") -> list[str]:
    return [config.provider for config in await store.llm.configs(user) if config.is_default]


async def test_a_new_configuration_is_enabled_and_not_the_default(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        saved = await save_config(store)
        assert (saved.settings, saved.is_default, saved.enabled, saved.extra) == ({}, False, True, {})
        assert saved.created_at == saved.updated_at
        assert await store.llm.find_config("ada", "claude") == saved
        assert await store.llm.find_config("ada", "openai") is None
        assert await store.llm.find_config("bob", "claude") is None


async def test_configurations_are_listed_by_provider(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for provider in ("openai", "claude", "gemini"):
            await save_config(store, provider)
        await save_config(store, "ollama", "bob")
        assert [config.provider for config in await store.llm.configs("ada")] == ["claude", "gemini", "openai"]
        assert await store.llm.configs("eve") == ()


async def test_saving_a_configuration_again_changes_only_what_is_given(tmp_path: Path) -> None:
    settings = {"model": "m", "temperature": 0.7, "max_tokens": 4096, "stop": ["a"]}
    async with fresh_store(tmp_path) as store:
        await put(
            store,
            LLMProviderConfig,
            {"id": "c1", "user_id": "ada", "provider": "claude", "settings": {"old": 1}, "extra": {"by": "v1"}},
        )
        saved = await save_config(store, settings=settings, enabled=False, is_default=True)
        assert (saved.id, saved.created_at, saved.extra) == ("c1", None, {"by": "v1"})
        assert saved.settings == settings | {"stop": ("a",)}
        assert saved.updated_at is not None
        for change in ({"enabled": True}, {"is_default": False}, {"settings": {}}):
            again = await save_config(store, **change)
            assert again == replace(saved, updated_at=again.updated_at, **change)
            assert again.updated_at is not None
            assert again.updated_at > saved.updated_at
            saved = again
        assert await store.llm.configs("ada") == (saved,)


async def test_settings_of_a_view_can_be_saved_again(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        saved = await save_config(store, settings={"stop": ["a", {"b": [1]}]})
        again = await save_config(store, settings={**saved.settings, "model": "m"})
        assert again.settings == {"stop": ("a", {"b": (1,)}), "model": "m"}
        async with store._engines.reader.connect() as connection:
            text = (
                await connection.exec_driver_sql("SELECT CAST(settings AS TEXT) FROM llm_provider_configs")
            ).scalar_one()
        assert text == '{"stop": ["a", {"b": [1]}], "model": "m"}'


async def test_there_is_one_default_per_user(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for provider in ("claude", "openai"):
            await save_config(store, provider, is_default=True)
        await save_config(store, "claude", "bob", is_default=True)
        assert await defaults(store) == ["openai"]
        for chosen in ("claude", "claude", "openai"):
            async with store.begin() as unit:
                await unit.llm.set_default("ada", chosen)
            assert await defaults(store) == [chosen]
        assert await defaults(store, "bob") == ["claude"]


async def test_several_defaults_that_v1_left_become_one(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        rows = [
            {"id": name, "user_id": "ada", "provider": name, "settings": {}, "is_default": True}
            for name in ("claude", "gemini", "openai")
        ]
        await put(store, LLMProviderConfig, *rows)
        async with store.begin() as unit:
            await unit.llm.set_default("ada", "gemini")
        assert await defaults(store) == ["gemini"]


async def test_an_unknown_default_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        before = await save_config(store, is_default=True)
        await save_config(store, "openai", "bob")
        async with store.begin() as unit:
            with pytest.raises(NotFoundError, match="openai"):
                await unit.llm.set_default("ada", "openai")
        assert await store.llm.configs("ada") == (before,)


async def test_choosing_a_default_touches_only_what_changes_and_the_chosen_one(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        old = await save_config(store, "claude", is_default=True)
        bystander = await save_config(store, "gemini", enabled=False)
        await save_config(store, "openai", enabled=False)
        async with store.begin() as unit:
            await unit.llm.set_default("ada", "openai")
        claude, gemini, openai = await store.llm.configs("ada")
        assert gemini == bystander
        assert claude == replace(old, is_default=False, updated_at=openai.updated_at)
        assert (openai.is_default, openai.enabled) == (True, False)


async def test_a_key_is_found_as_it_was_saved_and_listed_by_provider(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        openai, gemini = await save_key(store), await save_key(store, "gemini", key="g")
        await save_key(store, user="bob")
        assert (openai.encrypted_key, openai.key_hash, openai.last_used_at) == ("encrypted k", "hash of k", None)
        assert await store.llm.find_key("ada", "openai") == openai
        assert await store.llm.keys("ada") == (gemini, openai)
        assert await store.llm.find_key("ada", "claude") is None
        assert await store.llm.keys("eve") == ()


async def test_a_new_key_takes_the_place_of_the_old_one_and_keeps_its_id(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        old = await save_key(store)
        async with store.begin() as unit:
            await unit.llm.touch_key("ada", "openai", THEN)
        new = await save_key(store, key="other")
        assert (new.encrypted_key, new.key_hash) == ("encrypted other", "hash of other")
        assert (new.id, new.created_at, new.last_used_at) == (old.id, old.created_at, THEN)
        assert new.updated_at is not None
        assert old.updated_at is not None
        assert new.updated_at > old.updated_at
        assert await store.llm.keys("ada") == (new,)


async def test_the_use_of_a_key_is_noted(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        saved, other = await save_key(store), await save_key(store, "gemini")
        async with store.begin() as unit:
            await unit.llm.touch_key("ada", "openai", THEN.astimezone(timezone(timedelta(hours=2))))
        assert await store.llm.keys("ada") == (other, replace(saved, last_used_at=THEN))
        async with store.begin() as unit:
            await unit.llm.touch_key("ada", "openai")
        used = await store.llm.find_key("ada", "openai")
        assert used is not None
        assert used.last_used_at is not None
        assert abs(datetime.now(UTC) - used.last_used_at) < MINUTE


async def test_a_key_that_is_not_there_cannot_be_deleted_or_used(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await save_key(store)
        await save_key(store, "gemini")
        async with store.begin() as unit:
            await unit.llm.delete_key("ada", "openai")
            for refused in (unit.llm.delete_key, unit.llm.touch_key):
                with pytest.raises(NotFoundError) as raised:
                    await refused("ada", "openai")
                assert (raised.value.kind, raised.value.key) == ("API key", ("ada", "openai"))
        assert [key.provider for key in await store.llm.keys("ada")] == ["gemini"]


async def test_keys_and_hashes_show_neither_in_representations_nor_in_errors(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        key = await save_key(store, key=SECRET)
        assert SECRET not in repr(key)
        with pytest.raises(InvalidValueError) as raised:
            await save_key(store, key=SECRET + "\ud800")
        assert SECRET not in "".join(traceback.format_exception(raised.value))
        with pytest.raises(InvalidValueError) as raised:
            async with store.begin() as unit:
                await unit.llm.save_key("ada", "openai", SECRET, None)  # type: ignore[arg-type]
        assert SECRET not in "".join(traceback.format_exception(raised.value))
        assert await store.llm.keys("ada") == (key,)


async def test_every_read_is_one_statement_through_the_unique_index(tmp_path: Path, engine: str) -> None:
    async with fresh_store(tmp_path) as store:
        await save_config(store)
        await save_key(store)
        configs, keys = "sqlite_autoindex_llm_provider_configs_2 (user_id=?", "sqlite_autoindex_api_keys_2 (user_id=?"
        reads: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
            (configs + " AND provider=?)", lambda: store.llm.find_config("ada", "claude")),
            (configs + ")", lambda: store.llm.configs("ada")),
            (keys + " AND provider=?)", lambda: store.llm.find_key("ada", "openai")),
            (keys + ")", lambda: store.llm.keys("ada")),
        ]
        await store.llm.keys("ada")
        for index, read in reads:
            with counted(store) as cost:
                assert await read()
            cost.must_be(1, 1)
            assert await scans(store, cost.statements) == []
            if engine == "sqlite":
                plan = await query_plan(store, cost.statements)
                assert index in plan
                assert "TEMP B-TREE" not in plan


async def test_every_write_costs_its_statements(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await save_key(store)
        await save_config(store)
        writes: list[tuple[int, int, int, Callable[[UnitOfWork], Awaitable[Any]]]] = [
            (1, 2, 1, lambda unit: unit.llm.save_config("ada", "claude", settings={"model": "m"})),
            (2, 3, 1, lambda unit: unit.llm.save_config("ada", "openai", is_default=True)),
            (1, 2, 1, lambda unit: unit.llm.set_default("ada", "claude")),
            (1, 2, 1, lambda unit: unit.llm.save_key("ada", "gemini", "e", "h")),
            (1, 2, 0, lambda unit: unit.llm.touch_key("ada", "openai")),
            (2, 2, 0, lambda unit: unit.llm.delete_key("ada", "openai")),
        ]
        for statements, crossings, locks, write in writes:
            with counted(store) as cost:
                async with store.begin() as unit:
                    await write(unit)
            cost.must_be(statements, crossings, locks)
            updates = [statement for statement in cost.statements if not statement.startswith("INSERT")]
            assert await scans(store, updates) == []


def test_upserts_compile_for_postgresql() -> None:
    for statement in (llm._SAVE_KEY, llm._save_config(frozenset({"settings"}))):
        assert "DO UPDATE SET" in str(statement.compile(dialect=postgresql.dialect()))
