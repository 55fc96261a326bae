"""Settings come from arguments, else from the environment, else from defaults."""

import os
import re
import traceback
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

import socrates
from socrates.cli.main import app
from socrates.config import (
    CACHE_TTL_SECONDS,
    EMBEDDING_CACHE_SIZE,
    MAX_CACHE_SIZE_MB,
    SEARCH_RESULT_CACHE_SIZE,
    CacheConfig,
    LLMConfig,
    Settings,
)
from socrates.errors import ConfigurationError
from tests.support.stores import fresh_file


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("SOCRATES_")]:
        monkeypatch.delenv(name)


def test_the_default_is_v1_s_own_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings().database_url is None
    assert Settings().default_database_path == tmp_path / ".socrates" / "projects.db"


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_DATA_DIR", "/srv/data")
    monkeypatch.setenv("SOCRATES_DATABASE_URL", "sqlite:///x.db")
    assert Settings().default_database_path == Path("/srv/data/projects.db")
    assert Settings().database_url == "sqlite:///x.db"


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_DATABASE_URL", "sqlite:///environment.db")
    assert Settings(database_url="sqlite:///argument.db").database_url == "sqlite:///argument.db"


def test_variables_without_the_prefix_mean_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///other.db")
    assert Settings().database_url is None


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^there is no setting databse_url$"):
        Settings(databse_url="sqlite:///x.db")  # type: ignore[call-arg]


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().database_url = "sqlite:///x.db"  # type: ignore[misc]


# The caches


def test_the_caches_have_the_plans_defaults() -> None:
    config = Settings().cache_config
    assert (config.embedding_cache_size, config.search_cache_ttl_seconds) == (10_000, 300)
    assert (config.context_cache_ttl_minutes, config.enable_caching) == (5, True)
    assert (config.cache_ttl_seconds, config.max_cache_size_mb, config.search_result_cache_size) == (300, 100, 1_000)
    constants = (CACHE_TTL_SECONDS, MAX_CACHE_SIZE_MB, EMBEDDING_CACHE_SIZE, SEARCH_RESULT_CACHE_SIZE)
    assert constants == (300, 100, 10_000, 1_000)


@pytest.mark.parametrize("name", CacheConfig.model_fields)
def test_each_value_of_the_caches_has_a_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"SOCRATES_{name.upper()}", "0" if name == "enable_caching" else "7")
    assert getattr(Settings().cache_config, name) == (False if name == "enable_caching" else 7)


def test_caching_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_ENABLE_CACHING", "false")
    assert not Settings().cache_config.enable_caching
    assert Settings(cache_config=CacheConfig(enable_caching=True)).cache_config.enable_caching


# Language models


def test_models_are_called_by_v1_s_numbers() -> None:
    config = Settings().llm_config
    assert (config.llm_max_retries, config.llm_retry_delay, config.llm_retry_multiplier) == (3, 1, 2)
    assert (config.llm_timeout, config.llm_context_tokens, config.llm_budget_warning) == (60, 8000, 0.8)
    assert (config.llm_concurrency, config.llm_artifact_tokens, config.llm_connection_ttl) == (10, 4000, 60)
    assert config.claude_model is config.claude_base_url is config.llm_monthly_budget is config.llm_prices is None


@pytest.mark.parametrize("name", LLMConfig.model_fields)
def test_each_value_for_models_has_a_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"llm_context_tokens": "777", "llm_budget_warning": "0.7"}.get(name, "7")
    monkeypatch.setenv(f"SOCRATES_{name.upper()}", value)
    assert str(getattr(Settings().llm_config, name)) in {value, f"{value}.0"}


def test_a_budget_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_LLM_MONTHLY_BUDGET", "0.1")
    assert Settings().llm_config.llm_monthly_budget == Decimal("0.1")


# What is wrong

WRONG = [
    ("POOL_SIZE", "many", "takes a whole number, at least 1, at most 10 (how many reads, and on PostgreSQL units of"),
    ("POOL_SIZE", "11", "takes a whole number, at least 1, at most 10 ("),
    ("LOCK_TIMEOUT", "0", "takes a number, more than 0 (seconds to wait for"),
    ("SQLITE_DRIVER", "fast", "takes onehop or stock ("),
    ("ENABLE_CACHING", "perhaps", "takes true or false ("),
    ("MAX_CACHE_SIZE_MB", "0", "takes a whole number, at least 1 (megabytes that all caches of a store may take)"),
    ("CACHE_TTL_SECONDS", "-1", "takes a number, more than 0 ("),
    ("CACHE_TTL_SECONDS", "nan", "takes a number, more than 0 ("),
    ("LLM_TIMEOUT", "inf", "takes a number, more than 0 (seconds that one attempt may take"),
    ("LLM_TIMEOUT", "0", "takes a number, more than 0 ("),
    ("LLM_RETRY_DELAY", "nan", "takes a number, at least 0 ("),
    ("LLM_RETRY_MULTIPLIER", "1e300", "takes a number, at least 1, at most 100 ("),
    ("LLM_MAX_RETRIES", "1000", "takes a whole number, at least 0, at most 100 ("),
    ("LLM_MAX_RETRY_WAIT", "inf", "takes a number, at least 0 ("),
    ("LLM_CONNECTION_TTL", "nan", "takes a number, at least 0 ("),
    ("LLM_CONCURRENCY", "0", "takes a whole number, at least 1 ("),
    ("LLM_CONTEXT_TOKENS", "199", "takes a whole number, at least 200 ("),
    ("LLM_MONTHLY_BUDGET", "-1", "takes a number, at least 0, at most 1000000000000 (US dollars"),
    ("LLM_MONTHLY_BUDGET", "NaN", "takes a number, at least 0, "),
    ("LLM_BUDGET_WARNING", "1.1", "takes a number, more than 0, at most 1 ("),
]


@pytest.mark.parametrize(("name", "value", "takes"), WRONG)
def test_a_wrong_value_is_told_with_what_the_setting_takes(
    name: str, value: str, takes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SOCRATES_{name}", value)
    with pytest.raises(ConfigurationError) as refused:
        Settings()
    assert str(refused.value).startswith(f"the setting {name.lower()} (SOCRATES_{name}) {takes}")
    assert "\n" not in str(refused.value)


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_POOL_SIZE", "0")
    monkeypatch.setenv("SOCRATES_CLOSE_TIMEOUT", "soon")
    with pytest.raises(ConfigurationError, match=r"SOCRATES_POOL_SIZE.*; the setting close_timeout"):
        Settings()


def test_what_should_be_json_and_is_not_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_CACHE_CONFIG", "{large}")
    with pytest.raises(ConfigurationError, match=r"cache_config.*takes JSON, or leave it out"):
        Settings()


@pytest.mark.parametrize("wrong", [{"encryption_key": ["swordfish"]}, {"database_url": ["ada:swordfish@db"]}])
def test_what_was_given_is_not_repeated(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="takes a text") as refused:
        Settings(**wrong)
    assert "swordfish" not in "".join(traceback.format_exception(refused.value))


COMMANDS = [
    "tour ada DATABASE",
    "cache stats DATABASE",
    *(f"db {name} DATABASE" for name in ("upgrade", "downgrade", "status", "check", "show", "backup", "repair")),
    "db restore DATABASE DATABASE",
    "db quarantine list DATABASE",
    "db quarantine export DIRECTORY DATABASE",
    "db quarantine retry DATABASE",
    "db drop-v1-backup DATABASE",
    "db copy DATABASE OTHER",
    *(f"keys {name} DATABASE" for name in ("list", "encrypt", "rotate", "blank-v1")),
    "users export ada DATABASE",
    "users delete ada DATABASE",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_which_setting_is_wrong(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = fresh_file(tmp_path)
    monkeypatch.setenv("SOCRATES_POOL_SIZE", "many")
    places = {"DATABASE": str(database), "OTHER": str(tmp_path / "other.db"), "DIRECTORY": str(tmp_path / "rows")}
    result = CliRunner().invoke(app, [places.get(word, word) for word in command.split()])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: the setting pool_size (SOCRATES_POOL_SIZE) takes a whole number")
    assert result.stderr.count("\n") == 1
    assert [found.name for found in tmp_path.iterdir()] == [database.name]


def test_every_setting_has_an_effect() -> None:
    """D72: v1 declared settings that nothing read."""
    package = Path(socrates.__file__).parent
    sources = [path.read_text("utf-8") for path in package.rglob("*.py") if path.name != "config.py"]
    # What the caches may take is read as shares of it, by properties of its own.
    names = {*Settings.model_fields, *LLMConfig.model_fields, *CacheConfig.model_fields} - {"max_cache_size_mb"}
    unread = [name for name in sorted(names) if not any(re.search(rf"\.{name}\b", source) for source in sources)]
    assert unread == []
