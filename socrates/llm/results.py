"""What the operations return."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from socrates.errors import LLMError
from socrates.views import Usage

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Result(Generic[_T]):
    """The value that an operation returns, and how it came about."""

    value: _T
    truncated: bool = False
    """The model ran into its limit of tokens: the end is missing."""
    degraded: bool = False
    """The model was not asked successfully, and `value` is the substitute; `failure` says why."""
    failure: LLMError | None = None
    omitted: tuple[str, ...] = ()
    """What of the project the prompt had no room for, or could not have, in words."""
    usage: tuple[Usage, ...] = ()
    """The requests that were accounted, in their order; none where no model was asked."""


@dataclass(frozen=True, slots=True)
class Piece(Generic[_T]):
    """A piece of a text that comes in; the last one is empty and has the `result`."""

    text: str
    result: Result[_T] | None = None


@dataclass(frozen=True, slots=True)
class AnswerToQuestion:
    """An answer, and the ids of the entries of knowledge that the model was given for it."""

    text: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Artifact:
    """A generated artifact; `artifact_type` as in llm-client, operation 19; `context` is what the model was told."""

    text: str
    artifact_type: str
    context: str
