"""The table of providers and models (llm-client, 8.1)."""

import pytest

from socrates.llm.providers import Model, all_providers, find_provider, known_model

TABLE = {
    "claude": (False, 200_000, True, True, None),
    "openai": (True, 128_000, True, True, None),
    "gemini": (True, 32_000, True, True, None),
    "ollama": (False, 8_000, True, False, "http://localhost:11434"),
}
V1_MODELS = {
    "claude": {
        "claude-haiku-4-5-20251001",
        "claude-3-5-sonnet-20241022",
        "claude-opus-4-20250514",
        "claude-3-sonnet-20240229",
        "claude-3-opus-20240229",
        "claude-3-haiku-20240307",
    },
    "openai": {"gpt-4-turbo", "gpt-4", "gpt-3.5-turbo"},
    "gemini": {"gemini-pro", "gemini-pro-vision"},
    "ollama": {"llama2", "mistral", "neural-chat", "orca-mini"},
}
DEFAULTS = {
    "claude": "claude-haiku-4-5-20251001",
    "openai": "gpt-4-turbo",
    "gemini": "gemini-pro",
    "ollama": "llama2",
}


def test_the_providers_are_v1_s_with_v1_s_models_and_defaults() -> None:
    told = {
        each.provider: (
            each.requires_api_key,
            each.context_window,
            each.supports_streaming,
            each.supports_vision,
            each.base_url,
        )
        for each in all_providers()
    }
    assert told == TABLE
    assert {each.provider: each.default_model for each in all_providers()} == DEFAULTS
    for each in all_providers():
        assert {model.id for model in each.models} >= V1_MODELS[each.provider]
        assert each.description
        assert each.display_name


def test_only_claude_can_be_called() -> None:
    assert [each.provider for each in all_providers() if each.available] == ["claude"]


@pytest.mark.parametrize("name", ["claude", "Claude", " CLAUDE "])
def test_a_provider_is_found_in_any_case(name: str) -> None:
    found = find_provider(name)
    assert found is not None
    assert found.provider == "claude"


@pytest.mark.parametrize("name", ["", "anthropic", "claude-haiku", "клод"])
def test_any_other_name_is_no_provider(name: str) -> None:
    assert find_provider(name) is None


def test_short_names_mean_models_of_the_table_and_other_names_themselves() -> None:
    claude = find_provider("claude")
    assert claude is not None
    assert set(claude.short_names) == {"haiku", "sonnet", "opus"}
    assert set(claude.short_names.values()) <= {model.id for model in claude.models}
    assert claude.model_id(" Haiku ") == "claude-haiku-4-5-20251001"
    assert claude.model_id(" claude-next ") == "claude-next"
    assert all(not each.short_names for each in all_providers() if each.provider != "claude")


def test_of_a_model_that_the_table_lacks_nothing_is_assumed() -> None:
    assert known_model("claude", "claude-next") == Model(id="claude-next")
    assert known_model("nobody", "x") == Model(id="x")
    assert known_model("claude", "claude-haiku-4-5-20251001").takes_temperature
