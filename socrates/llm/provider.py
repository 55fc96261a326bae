"""What a provider of language models has to do: answer one request, at once or piece by piece."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import BaseModel, SecretStr

from socrates.errors import LLMError, LLMErrorType

StopReason = Literal["finished", "max_tokens", "refusal"]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one answer took. `input` leaves out what was read from the provider's cache, or written to it."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model. `system` and `stable` change seldom, so a provider may keep what it made of them."""

    model: str
    system: str
    stable: str
    data: str
    max_tokens: int
    temperature: float
    schema: type[BaseModel] | None = None
    """What the answer is to be read as; a model that can is held to it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a stream tells of itself: before its first piece, and again when the provider counts its tokens anew."""

    model: str
    tokens: Tokens
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer: the text blocks joined."""

    text: str
    stop_reason: StopReason
    model: str
    tokens: Tokens
    request_id: str | None


class ProviderError(LLMError):
    """A request that failed. `is_transient`: it may succeed when it is sent again, after `retry_after` seconds."""

    def __init__(
        self,
        message: str,
        error_type: LLMErrorType,
        status: int | None = None,
        *,
        is_transient: bool = False,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, error_type, status)
        self.is_transient = is_transient
        self.retry_after = retry_after
        self.request_id = request_id


class Provider(Protocol):
    """One way to language models. An instance serves all users: the key comes with each request.

    Both ways of asking raise LLMConfigurationError where nothing can be sent, such as without the vendor's package.
    """

    async def complete(self, request: Request, key: SecretStr) -> Completion:
        """The whole answer. Raises ProviderError; tries once only."""
        ...

    def stream(self, request: Request, key: SecretStr) -> AsyncGenerator[Progress | str | Completion, None]:
        """`Progress`, the pieces of the answer's text, then the `Completion`. Raises ProviderError; tries once only."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...
