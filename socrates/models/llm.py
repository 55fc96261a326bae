"""Which language models a user may call, with which key, and what the calls cost."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from socrates.models.base import Base, Extra, TaggedDict, undated_last


class LLMProviderConfig(Base):
    """One user's settings for one provider."""

    __tablename__ = "llm_provider_configs"
    __table_args__ = (UniqueConstraint("user_id", "provider"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    provider: Mapped[str]
    is_default: Mapped[bool] = mapped_column(default=False)
    enabled: Mapped[bool] = mapped_column(default=True)
    settings: Mapped[TaggedDict]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    extra: Mapped[Extra]


class APIKey(Base):
    """One user's key for one provider, encrypted; `key_hash` recognises a key without opening it."""

    __tablename__ = "api_keys"
    __table_args__ = (UniqueConstraint("user_id", "provider"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    provider: Mapped[str]
    encrypted_key: Mapped[str]
    key_hash: Mapped[str]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class LLMUsage(Base):
    """One call of a model; latency in milliseconds, cost in US dollars.

    `operation` says what the call did; NULL where nobody knows. What a cache of the provider held is not among the
    input tokens, nor in the total.
    """

    __tablename__ = "llm_usage"

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    provider: Mapped[str]
    model: Mapped[str]
    timestamp: Mapped[datetime | None]
    input_tokens: Mapped[int | None] = mapped_column(default=0)
    output_tokens: Mapped[int | None] = mapped_column(default=0)
    total_tokens: Mapped[int | None] = mapped_column(default=0)
    latency_ms: Mapped[float | None] = mapped_column(default=0.0)
    cost: Mapped[Decimal | None] = mapped_column(default=Decimal("0"))
    success: Mapped[bool] = mapped_column(default=True)
    error_message: Mapped[str | None]
    request_id: Mapped[str | None]
    extra: Mapped[Extra]
    operation: Mapped[str | None]
    cache_read_tokens: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    cache_write_tokens: Mapped[int] = mapped_column(default=0, server_default=text("0"))


Index(None, LLMUsage.user_id, undated_last(LLMUsage.timestamp))
