"""Which providers of language models there are, and what is known of their models: data, from providers.toml.

It changes oftener than the code: a model that the table lacks can be called all the same, with the parameters that
every model takes.
"""

import tomllib
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """One model, and what its API takes."""

    model_config = ConfigDict(frozen=True)

    id: str
    takes_temperature: bool = False
    """False: it answers a request with a temperature by an error, as those from Opus 4.7 on do."""
    keeps_to_schemas: bool = False
    """It can be held to a JSON schema ("structured outputs")."""
    thinks: bool = False
    """It thinks before it answers unless it is told not to, and some cannot be told; thoughts count as output."""


class ProviderMetadata(BaseModel):
    """One provider (llm-client, 8.1). Look prices up in `prices`: they are another thing for each model."""

    model_config = ConfigDict(frozen=True)

    provider: str
    display_name: str
    description: str
    requires_api_key: bool
    """False: the service may have a key for everybody, or the provider takes none."""
    context_window: int
    """Tokens."""
    supports_streaming: bool
    supports_vision: bool
    available: bool
    base_url: str | None = None
    models: tuple[Model, ...]
    """The default first."""
    short_names: dict[str, str] = {}
    """What the model command takes instead of an id."""

    @property
    def default_model(self) -> str:
        return self.models[0].id

    def model_id(self, name: str) -> str:
        """The id behind a short name; any other name is taken as an id."""
        return self.short_names.get(name.strip().lower(), name.strip())


@cache
def all_providers() -> tuple[ProviderMetadata, ...]:
    """Every provider, in the order of the table."""
    table = tomllib.loads(resources.files("socrates.llm").joinpath("providers.toml").read_text("utf-8"))
    return tuple(ProviderMetadata(provider=name, **entry) for name, entry in table.items())


def find_provider(name: str) -> ProviderMetadata | None:
    """The provider of that name, in any case; None when there is none."""
    wanted = name.strip().lower()
    return next((entry for entry in all_providers() if entry.provider == wanted), None)


def known_model(provider: str, model: str) -> Model:
    """What is known of the model; of one that the table lacks, nothing but its id."""
    metadata = find_provider(provider)
    known = metadata.models if metadata else ()
    return next((entry for entry in known if entry.id == model), Model(id=model))
