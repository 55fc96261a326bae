"""Replies in the form of Anthropic's Messages API: JSON bodies, and the events of a stream.

Source: the types of the `anthropic` package 2.12 (`Message`, `RawMessageStreamEvent`, `ErrorResponse`).
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from socrates.llm.demo.protocol import Answer, Drop, ModelRequest, StreamError
from socrates.llm.demo.tokens import CHARACTERS, CacheUse, tokens

_PIECE = 48
"""Characters of a piece of a stream: a line or so; an artifact of 4,000 tokens then has some 330 pieces."""

_TEXT_FIELDS = {"text": "text", "thinking": "thinking"}
"""The kinds of content blocks whose text is sent piece by piece, with the field that holds it."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """An answer as the API gives it: limited to max_tokens, and counted."""

    id: str
    model: str
    blocks: Sequence[Mapping[str, Any]]
    stop_reason: str
    usage: Mapping[str, int]


def message_of(answer: Answer, request: ModelRequest, message_id: str, cache: CacheUse) -> Message:
    """The message that `answer` makes for `request`, of whose tokens the prompt cache took `cache`."""
    text, stop_reason = answer.text, answer.stop_reason
    if answer.blocks is None and tokens(text) > request.max_tokens:
        text, stop_reason = text[: request.max_tokens * CHARACTERS], "max_tokens"
    blocks = [{"type": "text", "text": text}] if answer.blocks is None else answer.blocks
    usage = {
        "input_tokens": max(1, tokens(request.text) - cache.created - cache.read),
        "cache_creation_input_tokens": cache.created,
        "cache_read_input_tokens": cache.read,
        "output_tokens": tokens("".join(_text(block) for block in blocks)),
    }
    return Message(message_id, request.model, blocks, stop_reason, usage | dict(answer.usage or {}))


def as_json(message: Message) -> bytes:
    """The body of an answer that is not streamed."""
    return _dumps(_envelope(message, message.blocks, message.stop_reason, message.usage))


def as_error(kind: str, text: str, request_id: str) -> bytes:
    """The body of a failure, which is also the data of an error event."""
    return _dumps({"type": "error", "error": {"type": kind, "message": text}, "request_id": request_id})


@dataclass(frozen=True)
class Event:
    """One event of a stream; `piece` is the number, from 0 on, of the piece of text that it carries."""

    data: bytes
    piece: int | None = None


def events(message: Message) -> Iterator[Event]:
    """The stream of a message, in the order of the real API."""
    begun = {**message.usage, "output_tokens": 1}
    pieces = itertools.count()
    yield _event("message_start", message=_envelope(message, [], None, begun))
    for index, block in enumerate(message.blocks):
        field = _TEXT_FIELDS.get(block["type"])
        yield _event("content_block_start", index=index, content_block={**block, field: ""} if field else dict(block))
        if index == 0:
            yield _event("ping")
        if field:
            for text in _pieces(block[field]):
                delta = {"type": f"{block['type']}_delta", field: text}
                event = _event("content_block_delta", index=index, delta=delta)
                yield replace(event, piece=next(pieces))
        yield _event("content_block_stop", index=index)
    ending = {"stop_reason": message.stop_reason, "stop_sequence": None}
    yield _event("message_delta", delta=ending, usage=dict(message.usage))
    yield _event("message_stop")


def with_fault(reply: Answer | Drop | StreamError, stream: Iterable[Event], request_id: str) -> Iterator[Event]:
    """The stream up to where `reply` breaks it off, with the error event if it has one."""
    match reply:
        case Answer():
            yield from stream
        case StreamError():
            yield from _until_piece(reply.after_pieces, stream)
            yield Event(b"event: error\ndata: %b\n\n" % as_error(reply.type, reply.message, request_id))
        case Drop():
            cut = stream if reply.after_pieces is None else _until_piece(reply.after_pieces, stream)
            yield from cut if reply.after_bytes is None else _until_byte(reply.after_bytes, cut)


def _until_piece(number: int, stream: Iterable[Event]) -> Iterator[Event]:
    return itertools.takewhile(lambda event: event.piece is None or event.piece < number, stream)


def _until_byte(number: int, stream: Iterable[Event]) -> Iterator[Event]:
    for event in stream:
        if number > 0:
            yield replace(event, data=event.data[:number])
        number -= len(event.data)


def _envelope(
    message: Message, blocks: Sequence[Mapping[str, Any]], stop_reason: str | None, usage: Mapping[str, int]
) -> Json:
    return {
        "id": message.id,
        "type": "message",
        "role": "assistant",
        "model": message.model,
        "content": [dict(block) for block in blocks],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": dict(usage),
    }


def _event(kind: str, **data: Any) -> Event:
    return Event(b"event: %b\ndata: %b\n\n" % (kind.encode(), _dumps({"type": kind, **data})))


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]


def _text(block: Mapping[str, Any]) -> str:
    field = _TEXT_FIELDS.get(block["type"])
    return str(block[field]) if field else json.dumps(block)


def _dumps(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
