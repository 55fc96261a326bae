"""Requests to the Messages API, in the way that each model takes them."""

from typing import Any

from socrates.llm.provider import Request
from socrates.llm.providers import Model, known_model

_ROOM_FOR_THOUGHTS = 4000
"""Tokens added to the limit of models that think first: a question's 200 would be used up before its first word."""


def parameters_of(request: Request) -> dict[str, Any]:
    """The arguments of `messages.create`, as the model takes them."""
    model = known_model("claude", request.model)
    content = [_cached(request.stable)] if request.stable else []
    if request.data:  # the API refuses an empty text
        content.append({"type": "text", "text": request.data})
    parameters: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens + (_ROOM_FOR_THOUGHTS if model.thinks else 0),
        "system": [_cached(request.system)],
        "messages": [{"role": "user", "content": content}],
    }
    if model.takes_temperature:
        parameters["extra_body"] = {"temperature": request.temperature}  # SDK 1.0 took the argument away
    output = _output_config(request, model)
    return parameters | ({"output_config": output} if output else {})


def _cached(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}


def _output_config(request: Request, model: Model) -> dict[str, Any]:
    import anthropic  # noqa: PLC0415 - an extra, and slow to load

    output: dict[str, Any] = {}
    if model.thinks:
        output["effort"] = "low"
    if request.schema is not None and model.keeps_to_schemas:
        output["format"] = {"type": "json_schema", "schema": anthropic.transform_schema(request.schema)}
    return output
