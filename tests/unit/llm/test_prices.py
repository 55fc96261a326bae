"""What tokens cost, to the last digit, by our table and by an owner's."""

import traceback
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socrates.errors import ConfigurationError
from socrates.llm.prices import Prices
from socrates.llm.provider import Tokens
from socrates.llm.providers import all_providers
from tests.support.llm import HAIKU

DAY = date(2026, 11, 20)
counts = st.integers(min_value=0, max_value=10**12)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "prices.toml"


@pytest.mark.parametrize(
    ("provider", "model", "tokens", "on", "cost"),
    [
        ("claude", HAIKU, Tokens(1), DAY, "0.000001"),
        ("claude", HAIKU, Tokens(1_000_000, 1_000_000, 1_000_000, 1_000_000), DAY, "7.35"),
        ("claude", HAIKU, Tokens(123, 45, 6789, 1011), DAY, "0.00229065"),
        ("claude", "claude-haiku-5-5", Tokens(99_999, 0, 1), DAY, "0.00999991"),
        ("claude", "claude-haiku-5-5", Tokens(100_000, 10), DAY, "0.010005"),
        ("claude", "claude-haiku-5-5", Tokens(100_000, 10, 1), DAY, "0.05002505"),
        ("claude", "claude-haiku-5-5", Tokens(0, 0, 0, 100_001), DAY, "0.062500625"),
        ("claude", "claude-sonnet-5-5", Tokens(0, 0, 1_000_000), date(2026, 10, 6), "0.2"),
        ("claude", "claude-sonnet-5-5", Tokens(0, 0, 1_000_000), date(2026, 10, 7), "0.1"),
        ("claude", "claude-3-sonnet-20240229", Tokens(0, 0, 10, 1), DAY, "0.000033"),
        ("openai", "gpt-4", Tokens(1000, 1000), DAY, "0.04"),
        ("gemini", "gemini-pro", Tokens(1000, 1000), DAY, "0.002"),
        ("ollama", "llama2", Tokens(10**9, 10**9), DAY, "0"),
    ],
)
def test_a_known_usage_costs_what_the_table_says(
    provider: str, model: str, tokens: Tokens, on: date, cost: str
) -> None:
    assert Prices().cost(provider, model, tokens, on) == Decimal(cost)


@given(counts, counts, counts, counts)
def test_no_number_of_tokens_costs_a_digit(output: int, read: int, write: int, given_: int) -> None:
    cost = Prices().cost("claude", HAIKU, Tokens(given_, output, read, write), DAY)
    assert cost * 10**8 == given_ * 100 + output * 500 + read * 10 + write * 125


def test_today_s_price_is_the_default() -> None:
    tokens = Tokens(0, 0, 1_000_000)
    prices = Prices()
    today = prices.cost("claude", "claude-sonnet-5-5", tokens, datetime.now(UTC).date())
    assert prices.cost("claude", "claude-sonnet-5-5", tokens) == today


def test_an_unknown_model_has_its_provider_s_price_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    prices = Prices()
    assert prices.cost("claude", "claude-next", Tokens()) == 0
    assert not caplog.records
    for _ in range(3):
        assert prices.cost("claude", "claude-next", Tokens(1000, 1000)) == Decimal("0.0048")
    assert [record.getMessage() for record in caplog.records] == [
        "no price is known for the model 'claude-next' of 'claude', so its provider's is taken: put one into the file "
        "of SOCRATES_LLM_PRICES"
    ]
    prices.cost("claude", "claude-after-next", Tokens(1))
    assert len(caplog.records) == 2


def test_a_provider_without_prices_costs_nothing_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    assert Prices().cost("nobody", "model", Tokens(1000)) == 0
    assert len(caplog.records) == 1


@pytest.mark.parametrize("provider", all_providers(), ids=lambda provider: provider.provider)
def test_every_model_that_we_know_has_a_price(provider: object, caplog: pytest.LogCaptureFixture) -> None:
    name, models = provider.provider, provider.models  # type: ignore[attr-defined]
    costs = [Prices().cost(name, model.id, Tokens(1000, 1000), date(2026, 1, 1)) for model in models]
    assert all(cost > 0 for cost in costs) or name == "ollama"
    assert not [record for record in caplog.records if name == "claude"]  # each has one of its own


def test_an_owner_s_prices_go_before_ours_by_whole_models(own: Path) -> None:
    own.write_text(
        f'[[claude]]\nmodel = "{HAIKU}"\ninput = "1.5"\noutput = 7\n'
        f'[[claude]]\nmodel = "{HAIKU}"\nsince = 2026-11-01\nprompt_above = 10\ninput = 2.5\noutput = "9"\n'
        '[[claude]]\nmodel = "mine"\ninput = "0.000000001"\noutput = "0"\ncache_read = "1"\n',
        encoding="utf-8-sig",
    )
    prices = Prices(own)
    assert prices.cost("claude", HAIKU, Tokens(1000, 1000, 1000), date(2026, 10, 31)) == Decimal("0.01")
    assert prices.cost("claude", HAIKU, Tokens(1000, 1000), DAY) == Decimal("0.0115")
    assert prices.cost("claude", HAIKU, Tokens(10, 1000), DAY) == Decimal("0.007015")
    assert prices.cost("claude", "mine", Tokens(1, 5, 1), DAY) == Decimal("0.000001000000001")
    assert prices.cost("claude", "claude-opus-5-5", Tokens(1000), DAY) == Decimal("0.004")


BASE = '[[claude]]\nmodel = "m"\ninput = "1"\noutput = "1"\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[claude]", "Expected ']]'"),
        ("claude = 5", "wrong in claude"),
        ('claude = "swordfish"', "wrong in claude"),
        ('[claude]\nmodel = "m"', "wrong in claude"),
        ("claude = [1]", r"wrong in claude\.0"),
        ('[[claude]]\nmodel = "m"\ninput = "1"', r"wrong in claude\.0\.output"),
        (BASE.replace('"1"', '"-1"'), r"wrong in claude\.0\.input, claude\.0\.output"),
        (BASE.replace('"1"', '"nan"'), "claude.0.input"),
        (BASE.replace('"1"', '"inf"'), "claude.0.input"),
        (BASE.replace('"1"', '"swordfish"'), "claude.0.input"),
        (BASE.replace('"1"', '"0.0000000001"'), "claude.0.input"),
        (BASE.replace('"1"', '"1e7"'), "claude.0.input"),
        (BASE + 'note = "swordfish"', r"claude\.0\.note"),
        (BASE + 'since = "soon"', r"claude\.0\.since"),
        (BASE.replace("claude", "cluade"), "no provider 'cluade'"),
        (BASE.replace("claude", "Claude"), "no provider 'Claude'"),
        (BASE + "since = 2026-01-01", "the model 'm' of claude has no entry without since and prompt_above"),
        (BASE + "prompt_above = 10", "the model 'm' of claude has no entry without since and prompt_above"),
        ("a = " + "[" * 5000, "recursion"),
        ("\x00", "Invalid"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_what_it_takes(own: Path, text: str, reason: str) -> None:
    own.write_text(text)
    with pytest.raises(ConfigurationError, match=reason) as refused:
        Prices(own)
    assert str(own) in str(refused.value)
    assert (
        'tables such as [[claude]] with model, input and output, US dollars per million tokens: input = "1.5"'
        in str(refused.value)
    )
    assert "swordfish" not in "".join(traceback.format_exception(refused.value))


def test_a_file_that_cannot_be_read_is_told(own: Path) -> None:
    for path in (own, own.parent, Path("~nobody-has-this-name/prices.toml")):
        with pytest.raises(ConfigurationError, match="the file of prices"):
            Prices(path)
    own.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="utf-8"):
        Prices(own)


def test_an_empty_file_changes_nothing(own: Path) -> None:
    own.touch()
    assert Prices(own).cost("claude", HAIKU, Tokens(1000), DAY) == Decimal("0.001")
