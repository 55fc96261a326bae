"""Answers of the Messages API, whole and as they come in. The SDK checks nothing of them: any line here may raise."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from socrates.llm.claude.redaction import redacted
from socrates.llm.provider import Completion, Progress, ProviderError, StopReason, Tokens

if TYPE_CHECKING:  # it takes a second to load, and is an extra
    import anthropic
    from anthropic.types import Message, MessageDeltaUsage, RawMessageStreamEvent, Usage

_STOP: dict[str | None, StopReason] = {
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "refusal": "refusal",
}

_NONE = Tokens()

_MOST_TOKENS = 10**12
"""More than this is no count, and would not fit into the database."""

_LONGEST_TOKEN = 256
"""Characters; tokens have four or so, and runs of blanks have the most."""

_EVENTS_BESIDE_TOKENS = 1000
"""Of a stream: where its blocks begin and end, and its counts; far more than there are."""


class IncomingAnswer:
    """An answer as it comes in."""

    def __init__(self, stream: "anthropic.AsyncStream[RawMessageStreamEvent]", key: SecretStr, max_tokens: int) -> None:
        self._events = stream
        self._room = (max_tokens + _EVENTS_BESIDE_TOKENS) * _LONGEST_TOKEN
        self._key = key
        self._request_id = redacted(key, stream.response.headers.get("request-id"))
        self._pieces: list[str] = []
        self._model = ""
        self._tokens = Tokens()
        self._stop_reason: StopReason = "finished"

    async def step(self) -> Progress | str | Completion | None:
        """What a reader of the stream is told of its next event. Raises ProviderError when there is none."""
        event = await anext(self._events, None)
        if event is None:
            # Before its first piece it can be begun again.
            message = "the answer broke off"
            raise ProviderError(message, "CONNECTION_ERROR", is_transient=True, request_id=self._request_id)
        told = self._take(event)
        self._room -= _LONGEST_TOKEN if not isinstance(told, str) else max(len(told), 1)
        if self._room < 0:
            message = "the answer goes on beyond its limit of tokens"
            raise ProviderError(message, "GENERATION_ERROR", request_id=self._request_id)
        return told

    def _take(self, event: "RawMessageStreamEvent") -> Progress | str | Completion | None:
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            self._pieces.append(_text(event.delta.text))
            return self._pieces[-1]
        if event.type == "message_start":
            self._model, self._tokens = _named(event.message.model, self._key), _tokens(event.message.usage)
            return Progress(self._model, self._tokens, self._request_id)
        if event.type == "message_delta":
            self._stop_reason = _STOP.get(event.delta.stop_reason, "finished")
            self._tokens = _tokens(event.usage, self._tokens)
            return Progress(self._model, self._tokens, self._request_id)
        if event.type == "message_stop":
            # Not at the stream's end: how the connection goes on does not matter any more.
            return Completion("".join(self._pieces), self._stop_reason, self._model, self._tokens, self._request_id)
        return None


async def completed(client: "anthropic.AsyncAnthropic", parameters: Mapping[str, Any], key: SecretStr) -> Completion:
    """Send a request, and read the whole answer."""
    message: Message = await client.messages.create(**parameters)
    # By type: a model that thinks puts its thoughts before the text.
    text = "".join(_text(block.text) for block in message.content if block.type == "text")
    return Completion(
        text,
        _STOP.get(message.stop_reason, "finished"),
        _named(message.model, key),
        _tokens(message.usage),
        redacted(key, message._request_id),
    )


def _text(told: object) -> str:
    """Text that can be stored and shown: lone surrogates, which JSON can hold, become question marks."""
    if not isinstance(told, str):
        raise TypeError(f"{type(told).__name__} where a text belongs")
    return told.encode("utf-8", "replace").decode()


def _named(told: object, key: SecretStr) -> str:
    return redacted(key, _text(told)) or ""


def _tokens(usage: "Usage | MessageDeltaUsage", before: Tokens = _NONE) -> Tokens:
    """The counts that the usage tells, and for those that it leaves out, those of before."""
    return Tokens(
        _count(usage.input_tokens, before.input),
        _count(usage.output_tokens, before.output),
        _count(usage.cache_read_input_tokens, before.cache_read),
        _count(usage.cache_creation_input_tokens, before.cache_write),
    )


def _count(told: int | None, before: int) -> int:
    return before if told is None else int(min(max(0, told), _MOST_TOKENS))
