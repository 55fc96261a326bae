"""The prompts of operations 1 to 4."""

import re
from collections.abc import Mapping

from socrates.errors import InvalidValueError
from socrates.llm.prompts.composing import Prompt, compose, subject

_NAME = re.compile(r"[a-z][a-z_]*")


def response(prompt: str, tokens: int) -> Prompt:
    """Whatever our code asks for: the one prompt whose block is followed. Raises InvalidValueError for an empty one."""
    _require_text(prompt)
    return compose("generic", "generate_response", [subject("prompt", prompt)], tokens)


def structured(system: str, data: Mapping[str, str], tokens: int) -> Prompt:
    """Instructions of the caller's, and named data.

    Raises InvalidValueError for a name that no tag can have, and for no data: a message without text is not answered.
    """
    _require_text(*data.values())
    for name in data:
        if not _NAME.fullmatch(name):
            raise InvalidValueError(f"{name!r} is no name of a block: it takes small letters and underscores")
    sections = [subject(name, text) for name, text in data.items()]
    return compose("generic", "generate_structured", sections, tokens, system=system)


def connection_test() -> Prompt:
    """The smallest there is."""
    return compose("generic", "test_connection", [subject("prompt", "OK?")], tokens=10)


def _require_text(*data: str) -> None:
    if not any(text.strip() for text in data):
        raise InvalidValueError("the prompt is empty: there is nothing to send to a model")
