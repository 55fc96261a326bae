"""Settings, read from the environment with the prefix ``SOCRATES_``."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from socrates.errors import ConfigurationError

CACHE_TTL_SECONDS: Final = 300
"""How long a read is kept at the longest, by default: the plan's five minutes."""

MAX_CACHE_SIZE_MB: Final = 100
"""Megabytes that all caches of a store may take, by default; as the plan has it."""

EMBEDDING_CACHE_SIZE: Final = 10_000
"""How many vectors are kept in memory, by default; as the plan has it."""

SEARCH_RESULT_CACHE_SIZE: Final = 1_000
"""How many results of searches are kept, by default; as the plan has it."""

DEFAULT_MODEL: Final = "all-MiniLM-L6-v2"
"""v1's model of vectors: 384 dimensions, texts of up to 256 tokens; what is longer is cut."""

_PREFIX = "SOCRATES_"
_MEGABYTE = 1_000_000

_SHARE_OF_READS, _SHARE_OF_SEARCHES, _SHARE_OF_VECTORS = 0.6, 0.2, 0.2
"""Of the bytes that all caches may take. 10,000 vectors of 384 numbers are 16 MB, 1,000 results of searches 10 MB."""

_KINDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Decimal | None: "a number",
    Path: "a path",
}
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most"}


class _FromEnvironment(BaseSettings):
    """Values that are checked once, at the start: a wrong one is a ConfigurationError, whoever reads it."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except (ValidationError, SettingsError) as error:
            message = self._explained(error)
        else:
            return
        # Out of reach of pydantic's error, which repeats what was given: that can be a secret.
        raise ConfigurationError(message)

    @classmethod
    def _explained(cls, error: ValidationError | SettingsError) -> str:
        """Which settings are wrong and what they take, in one line without the values."""
        if isinstance(error, SettingsError):
            return f"{error}: it takes JSON, or leave it out and set its values one by one"
        names = dict.fromkeys(str(problem["loc"][0]) for problem in error.errors(include_input=False))
        return "; ".join(map(cls._refusal, names))

    @classmethod
    def _refusal(cls, name: str) -> str:
        field = cls.model_fields.get(name)
        if field is None:
            return f"there is no setting {name}"
        return f"the setting {name} ({_PREFIX}{name.upper()}) takes {_taken_by(field)} ({field.description})"


def _taken_by(field: FieldInfo) -> str:
    """The values that are right, in words."""
    if get_origin(field.annotation) is Literal:
        return " or ".join(get_args(field.annotation))
    bounds = [
        f"{words} {getattr(bound, name)}"
        for bound in field.metadata
        for name, words in _BOUNDS.items()
        if hasattr(bound, name)
    ]
    return ", ".join([_KINDS.get(field.annotation, "a text"), *bounds])


class CacheConfig(_FromEnvironment):
    """How much is cached, and for how long: the plan's names, each with the prefix ``SOCRATES_`` in the environment."""

    enable_caching: bool = Field(default=True, description="false: every read goes to the database")
    max_cache_size_mb: int = Field(
        default=MAX_CACHE_SIZE_MB, ge=1, description="megabytes that all caches of a store may take"
    )
    read_cache_size: int = Field(default=10_000, ge=1, description="how many results of reads are kept")
    cache_ttl_seconds: float = Field(
        default=CACHE_TTL_SECONDS, gt=0, description="how long a read is kept at the longest; writes end it at once"
    )
    context_cache_ttl_minutes: float = Field(default=5, gt=0, description="the same for whole projects")
    embedding_cache_size: int = Field(
        default=EMBEDDING_CACHE_SIZE, ge=1, description="how many vectors are kept in memory"
    )
    search_result_cache_size: int = Field(
        default=SEARCH_RESULT_CACHE_SIZE, ge=1, description="how many results of searches are kept"
    )
    search_cache_ttl_seconds: float = Field(default=300, gt=0, description="how long a search's result is kept")
    cache_trusted_ms: float = Field(
        default=0,
        ge=0,
        description="SQLite: milliseconds for which a read is trusted without asking for other processes' commits",
    )

    @property
    def read_cache_bytes(self) -> int:
        """What the results of reads may take."""
        return int(self.max_cache_size_mb * _MEGABYTE * _SHARE_OF_READS)

    @property
    def search_cache_bytes(self) -> int:
        """What the results of searches may take."""
        return int(self.max_cache_size_mb * _MEGABYTE * _SHARE_OF_SEARCHES)

    @property
    def embedding_cache_bytes(self) -> int:
        """What vectors may take."""
        return int(self.max_cache_size_mb * _MEGABYTE * _SHARE_OF_VECTORS)


class LLMConfig(_FromEnvironment):
    """How language models are called, each value with the prefix ``SOCRATES_`` in the environment.

    The numbers are v1's (llm-client, 2.2), which it set and did not use.
    """

    claude_model: str | None = Field(
        default=None, description="the model for users who chose none; default CLAUDE_MODEL, then Claude Haiku 4.5"
    )
    claude_base_url: str | None = Field(
        default=None, description="URL of the Messages API; default the vendor's. https, or http on this machine"
    )
    llm_timeout: float = Field(
        default=60,
        gt=0,
        allow_inf_nan=False,
        description="seconds that one attempt may take; in a stream, until its next piece",
    )
    llm_max_retries: int = Field(
        default=3, ge=0, le=100, description="how often a call is tried again after a failure that may pass"
    )
    llm_retry_delay: float = Field(
        default=1, ge=0, allow_inf_nan=False, description="seconds before the first of these, at most"
    )
    llm_retry_multiplier: float = Field(default=2, ge=1, le=100, description="how much longer each further one waits")
    llm_max_retry_wait: float = Field(
        default=60,
        ge=0,
        allow_inf_nan=False,
        description="seconds; when a provider asks for a longer pause, the call fails at once",
    )
    llm_concurrency: int = Field(default=10, ge=1, description="how many requests are under way at once")
    llm_context_tokens: int = Field(
        default=8000, ge=200, description="tokens of data that a prompt may hold, counted as four characters each"
    )
    llm_artifact_tokens: int = Field(default=4000, ge=1, description="tokens that a generated artifact may have")
    llm_monthly_budget: Decimal | None = Field(
        default=None,
        ge=0,
        le=10**12,
        description="US dollars that one user's calls may cost in a month (UTC); default no limit",
    )
    llm_budget_warning: float = Field(
        default=0.8, gt=0, le=1, description="the share of the budget from which on each call warns"
    )
    llm_connection_ttl: float = Field(
        default=60,
        ge=0,
        allow_inf_nan=False,
        description="seconds for which a connection that was tested is taken as good",
    )
    llm_prices: Path | None = Field(
        default=None, description="a TOML file of prices, which go before those that come with the package"
    )


class Settings(_FromEnvironment):
    """What the environment says. An explicit argument wins over the environment, and that over the default."""

    data_dir: Path = Field(default=Path("~/.socrates"), description="where the database lies by default")
    database_url: str | None = Field(
        default=None,
        description="URL of the database, or the path of a SQLite file; default data_dir/projects.db",
    )
    pool_size: int = Field(
        default=10, ge=1, le=10, description="how many reads, and on PostgreSQL units of work, can be at work at once"
    )
    lock_timeout: float = Field(
        default=60.0, gt=0, description="seconds to wait for the writer, a reader, a lock or another process: BusyError"
    )
    close_timeout: float = Field(
        default=10.0, ge=0, description="seconds that closing waits for units of work and reads that are under way"
    )
    statement_timeout: float = Field(
        default=60.0, ge=0, description="PostgreSQL: seconds that one statement may take; 0 is no limit"
    )
    transaction_attempts: int = Field(
        default=5, ge=1, description="how often `Store.transact` tries when units of work get in each other's way"
    )
    sqlite_driver: Literal["onehop", "stock"] = Field(
        default="onehop",
        description="stock: SQLAlchemy's own aiosqlite dialect; slower, but a way out",
    )
    sqlite_synchronous: Literal["NORMAL", "FULL"] = Field(
        default="NORMAL",
        description="NORMAL survives a crash of the program; FULL also keeps the last commits when the power fails",
    )

    encryption_key: SecretStr | None = Field(
        default=None, description="the secret under which API keys are encrypted; without it none can be stored"
    )

    embedding_model: str = Field(
        default=DEFAULT_MODEL, description="the model that makes vectors of texts: a name, or a directory that holds it"
    )
    index_dir: Path | None = Field(
        default=None, description="where the index of knowledge lies; default beside the database, or in data_dir"
    )
    chroma_url: str | None = Field(
        default=None, description="URL of a Chroma server, for several processes; then index_dir is not used"
    )
    search_cutoff: float = Field(
        default=-1, ge=-1, le=1, description="the score below which a search finds nothing; -1 is no limit"
    )
    documents_root: Path | None = Field(
        default=None,
        description="the directory that documents are read from, and never from outside; default: any, for agents none",
    )
    max_document_mb: float = Field(default=10, gt=0, description="megabytes that one document may have")
    max_document_chunks: int = Field(default=10_000, ge=1, description="how many parts one document may be cut into")

    use_async: bool = Field(default=True, description="false: the orchestrator answers one request at a time")
    request_timeout: float = Field(
        default=600, gt=0, allow_inf_nan=False, description="seconds that the orchestrator gives one request at most"
    )
    administrators: frozenset[str] = Field(
        default=frozenset(),
        description="JSON list of users who may restore others, set tiers, and change what everybody knows",
    )

    cache_config: CacheConfig = Field(
        default_factory=CacheConfig, description="of the caches; each of its values has a variable of its own"
    )

    llm_config: LLMConfig = Field(
        default_factory=LLMConfig, description="of language models; each of its values has a variable of its own"
    )

    @property
    def default_database_path(self) -> Path:
        """The file that is used when nothing names another: v1's own place (v1-format, chapter 1)."""
        return Path(os.path.expanduser(self.data_dir)) / "projects.db"
