"""What a request to the model server says, and what a reply to it can be."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_SECRET_HEADERS = frozenset({"x-api-key", "authorization", "cookie"})
_TASK = re.compile(r"Task: (\S+)")
_MARK = re.compile(r"The data of this message stands between tags that carry the mark ([0-9a-f]{16})\.")


class InvalidRequestError(ValueError):
    """The API would refuse this request with status 400; the message says why, and is meant for the caller."""


@dataclass(frozen=True)
class ModelRequest:
    """One well-formed request.

    `headers` have lower-case names; those that hold a key are left out, and `key_digest` is the SHA-256 of the key in
    hexadecimal digits. `system` and `user` are the texts of the system parameter and of all user messages. `text` is
    all that the model reads, and `cached_prefixes` are its beginnings that end with a `cache_control`, the shortest
    first. `task` is what stands after "Task: " in the first line of `system`, or "". `blocks` are the data blocks of
    the user messages by name.
    """

    body: Mapping[str, Any]
    headers: Mapping[str, str]
    key_digest: str
    model: str
    system: str
    user: str
    max_tokens: int
    temperature: float | None
    stream: bool
    schema: Mapping[str, Any] | None
    text: str
    cached_prefixes: tuple[str, ...]
    task: str
    blocks: Mapping[str, str]

    @classmethod
    def read(cls, body: object, headers: Mapping[str, str], key: str) -> "ModelRequest":
        """Read a parsed body.

        Raises:
            InvalidRequestError: a required field is missing, or one is not what it must be.
        """
        if not isinstance(body, dict):
            raise InvalidRequestError("the body must be a JSON object")
        system = _texts(body.get("system", ""), "system")
        messages = _messages(body.get("messages"))
        user = [part.text for message in messages if message.role == "user" for part in message.parts]
        parts = [*system, *(part for message in messages for part in message.parts)]
        instructions = "".join(part.text for part in system)
        task = _TASK.match(instructions)
        return cls(
            body=body,
            headers={name.lower(): value for name, value in headers.items() if name.lower() not in _SECRET_HEADERS},
            key_digest=hashlib.sha256(key.encode()).hexdigest(),
            model=_model(body.get("model")),
            system=instructions,
            user="\n".join(user),
            max_tokens=_max_tokens(body.get("max_tokens")),
            temperature=_temperature(body.get("temperature")),
            stream=body.get("stream") is True,
            schema=_schema(body),
            text="".join(part.text for part in parts),
            cached_prefixes=_cached_prefixes(parts),
            task=task[1] if task else "",
            blocks={name: text for part in user for name, text in data_blocks(part).items()},
        )


def data_blocks(part: str) -> dict[str, str]:
    """The data blocks of a part of a message by their names.

    Only tags with the part's own mark count, which its first line names: other tags are data.
    """
    first = _MARK.match(part)
    if first is None:
        return {}
    mark = first[1]
    return dict(re.findall(rf"^<([a-z_]+) {mark}>\n(.*?)\n?^</\1 {mark}>$", part, re.DOTALL | re.MULTILINE))


@dataclass(frozen=True)
class Answer:
    """A good answer: `text` as one text block, or the content `blocks` as they are.

    It begins `delay` seconds after the request, and waits `delay_between` seconds between the pieces of a stream.
    `usage` overrides numbers of the usage. A text of more than the request's max_tokens is cut there, with the stop
    reason "max_tokens".
    """

    text: str = ""
    stop_reason: str = "end_turn"
    delay: float = 0.0
    delay_between: float = 0.0
    blocks: Sequence[Mapping[str, Any]] | None = None
    usage: Mapping[str, int] | None = None


LONG_ANSWER = Answer(text="A word and another one, again and again. " * 20)
"""Of several pieces in a stream: what a reply breaks off that names no answer."""


@dataclass(frozen=True)
class Failure:
    """An error with an HTTP status, such as 429 and "rate_limit_error"; `retry_after` in seconds."""

    status: int
    type: str
    message: str
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Drop:
    """The connection is closed without an answer, or in the middle of `answer`.

    It ends after so many bytes of the body, or (streams only) after so many pieces of text; with neither given, before
    the first byte of the head.
    """

    after_bytes: int | None = None
    after_pieces: int | None = None
    answer: Answer = LONG_ANSWER


@dataclass(frozen=True)
class Raw:
    """These bytes as the body, whatever they are."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200


@dataclass(frozen=True)
class StreamError:
    """An error event after so many pieces of text of a stream; without a stream, a failure with status 500."""

    after_pieces: int
    type: str
    message: str
    answer: Answer = LONG_ANSWER


Reply = Answer | Failure | Drop | Raw | StreamError
Replier = Callable[[ModelRequest], Reply]


def _model(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidRequestError("model: a non-empty string is required")
    return value


def _max_tokens(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidRequestError("max_tokens: an integer of at least 1 is required")
    return value


def _temperature(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise InvalidRequestError("temperature: a number from 0 to 1 is required")
    return float(value)


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        schema = body["output_config"]["format"]["schema"]
    except (KeyError, TypeError):
        return None
    if not isinstance(schema, dict):
        raise InvalidRequestError("output_config.format.schema: an object is required")
    return schema


class _Part(NamedTuple):
    """A text block; `is_breakpoint` if the prompt cache is to hold everything up to its end."""

    text: str
    is_breakpoint: bool


class _Message(NamedTuple):
    role: str
    parts: list[_Part]


def _messages(messages: object) -> list[_Message]:
    if not isinstance(messages, list) or not messages:
        raise InvalidRequestError("messages: at least one message is required")
    return [_message(message, f"messages.{number}") for number, message in enumerate(messages)]


def _message(message: object, where: str) -> _Message:
    if not isinstance(message, dict) or message.get("role") not in {"user", "assistant"}:
        raise InvalidRequestError(f"{where}: an object with the role user or assistant is required")
    parts = _texts(message.get("content"), f"{where}.content")
    if not parts or not all(part.text.strip() for part in parts):
        raise InvalidRequestError(f"{where}: text content blocks must be non-empty")
    return _Message(message["role"], parts)


def _texts(content: object, where: str) -> list[_Part]:
    if isinstance(content, str):
        return [_Part(content, False)]
    if not isinstance(content, list):
        raise InvalidRequestError(f"{where}: a string or a list of content blocks is required")
    for block in content:
        if not isinstance(block, dict) or not isinstance(block.get("text"), str):
            raise InvalidRequestError(f"{where}: this server reads text blocks only, each with a text")
    return [_Part(block["text"], bool(block.get("cache_control"))) for block in content]


def _cached_prefixes(parts: Sequence[_Part]) -> tuple[str, ...]:
    ends = [end for end, part in enumerate(parts, 1) if part.is_breakpoint]
    return tuple("".join(part.text for part in parts[:end]) for end in ends)
