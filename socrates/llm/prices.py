"""What tokens cost: one table for every calculation, in prices.toml, before which an owner's own goes."""

import logging
import tomllib
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from socrates.errors import ConfigurationError
from socrates.llm.provider import Tokens
from socrates.llm.providers import find_provider

_log = logging.getLogger(__name__)

_NONE = Tokens()
_ANY = "*"
_MILLION = Decimal(1_000_000)
_EVERY_PROMPT = -1

# Beyond these, costs would have more digits than Decimal counts exactly.
_Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=9)]


class Price(BaseModel):
    """US dollars per million tokens, from a day on, for prompts of more than so many tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    since: date = date.min
    prompt_above: int = _EVERY_PROMPT
    input: _Dollars
    output: _Dollars
    cache_read: _Dollars | None = None
    """By default that of input."""
    cache_write: _Dollars | None = None
    """By default that of input."""

    def of(self, tokens: Tokens) -> Decimal:
        """What the tokens cost, exactly."""
        read = self.input if self.cache_read is None else self.cache_read
        write = self.input if self.cache_write is None else self.cache_write
        return (
            tokens.input * self.input
            + tokens.output * self.output
            + tokens.cache_read * read
            + tokens.cache_write * write
        ) / _MILLION


_FILE = TypeAdapter(dict[str, list[Price]])


class Prices:
    """A table of prices."""

    def __init__(self, path: Path | None = None) -> None:
        """`path`: a TOML file in the form of prices.toml. A model that it names is priced by it alone.

        Raises ConfigurationError when it cannot be read.
        """
        self._table = _read(resources.files("socrates.llm").joinpath("prices.toml").read_text("utf-8"))
        if path is not None:
            self._table |= _own(path)
        self._warned: set[tuple[str, str]] = set()

    def cost(self, provider: str, model: str, tokens: Tokens, on: date | None = None) -> Decimal:
        """What the tokens cost on that day (UTC), by default today, in US dollars.

        A model without a price of its own has its provider's, and the first time a warning is logged; a provider
        without any costs nothing, with the same warning.
        """
        if tokens == _NONE:  # of a call that came to nothing, perhaps because nobody can call that model
            return Decimal(0)
        prices = self._table.get((provider, model))
        if prices is None:
            self._warn(provider, model)
            prices = self._table.get((provider, _ANY), ())
        day = datetime.now(UTC).date() if on is None else on
        prompt = tokens.input + tokens.cache_read + tokens.cache_write
        fitting = [price for price in prices if price.since <= day and price.prompt_above < prompt]
        if not fitting:
            return Decimal(0)
        return max(fitting, key=lambda price: (price.since, price.prompt_above)).of(tokens)

    def _warn(self, provider: str, model: str) -> None:
        if (provider, model) in self._warned:
            return
        self._warned.add((provider, model))
        _log.warning(
            "no price is known for the model %r of %r, so its provider's is taken: put one into the file of "
            "SOCRATES_LLM_PRICES",
            model,
            provider,
        )


def _own(path: Path) -> dict[tuple[str, str], tuple[Price, ...]]:
    try:
        return _read(path.expanduser().read_text("utf-8-sig"))
    except ValidationError as error:
        places = dict.fromkeys(".".join(map(str, problem["loc"])) for problem in error.errors(include_input=False))
        reason = f"it is wrong in {', '.join(places)}"
    except (OSError, ValueError, RuntimeError) as error:  # of tomllib's also RecursionError
        reason = str(error)
    # Out of reach of pydantic's error, which repeats what the file holds: it may be the wrong file.
    raise ConfigurationError(
        f"the file of prices {str(path)!r} (SOCRATES_LLM_PRICES) cannot be used: {reason}. It takes, for each "
        'provider, tables such as [[claude]] with model, input and output, US dollars per million tokens: input = "1.5"'
    )


def _read(text: str) -> dict[tuple[str, str], tuple[Price, ...]]:
    table: dict[tuple[str, str], tuple[Price, ...]] = {}
    for provider, entries in _FILE.validate_python(tomllib.loads(text)).items():
        metadata = find_provider(provider)
        if metadata is None or metadata.provider != provider:
            raise ValueError(f"there is no provider {provider!r}")
        for price in entries:
            table[provider, price.model] = (*table.get((provider, price.model), ()), price)
    for (provider, model), prices in table.items():
        if not any(price.since == date.min and price.prompt_above == _EVERY_PROMPT for price in prices):
            raise ValueError(f"the model {model!r} of {provider} has no entry without since and prompt_above")
    return table
