"""Reading JSON out of a model's answer: one tolerant reader for every operation (llm-client, 2.5)."""

import json
import re
from typing import Any, TypeVar

from pydantic import ValidationError

from socrates.errors import LLMError
from socrates.llm.answers import Answer

_A = TypeVar("_A", bound=Answer)

_FENCE = re.compile(r"\s*```[a-zA-Z]*[ \t\r]*\n(.*?)```\s*", re.DOTALL)
_BRACKETS: dict[type, tuple[str, str]] = {dict: ("{", "}"), list: ("[", "]")}
_NO_JSON = object()


def parse_json(text: str, kind: type[dict[str, Any]] | type[list[Any]] = dict) -> Any:
    """The JSON object, or array, in an answer.

    A Markdown fence around it is taken away. What is no JSON then is cut from the first opening bracket of the kind to
    the last closing one. Raises LLMError (PARSE_ERROR), which repeats nothing of the answer.
    """
    fenced = _FENCE.fullmatch(text)
    bare = fenced.group(1) if fenced else text
    found = _decoded(bare)
    if found is _NO_JSON:
        opening, closing = _BRACKETS[kind]
        found = _decoded(bare[max(bare.find(opening), 0) : bare.rfind(closing) + 1])
    if isinstance(found, kind):
        return found
    raise LLMError(f"the model's answer holds no JSON {'object' if kind is dict else 'array'}", "PARSE_ERROR")


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NO_JSON


def read_as(schema: type[_A], text: str) -> _A:
    """The answer as the schema has it: unknown keys dropped, what can safely be converted converted.

    A bare array is taken for the one list of a schema that is little more than that. Raises LLMError (PARSE_ERROR).
    """
    found = _bare_list(schema.LIST, text) if schema.LIST else None
    try:
        return schema.model_validate(parse_json(text) if found is None else found)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        names = ", ".join(dict.fromkeys(str(problem["loc"][0]) for problem in problems if problem["loc"]))
        message = f"the model's answer does not fit what was asked for: {names or 'the whole'}"
    # Out of reach of pydantic's error, which repeats the answer.
    raise LLMError(message, "PARSE_ERROR")


def _bare_list(name: str, text: str) -> dict[str, Any] | None:
    start = text.find("[")
    if start < 0 or 0 <= text.find("{") < start:
        return None
    try:
        return {name: parse_json(text, list)}
    except LLMError:  # a bracket in the words before an object
        return None
