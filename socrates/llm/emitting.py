"""Telling others what happens, by events; the client runs as well without anybody who listens."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

_log = logging.getLogger(__name__)

Emit = Callable[[str, Mapping[str, Any]], Awaitable[None]]
"""Takes an event's type, such as `token.usage`, and its payload."""


async def silent(event: str, payload: Mapping[str, Any]) -> None:
    """Tells nobody."""


def careful(emit: Emit) -> Emit:
    """The same, but a listener that fails spoils no call of a model: its failure is logged."""

    async def emitted(event: str, payload: Mapping[str, Any]) -> None:
        try:
            await emit(event, payload)
        except Exception:  # noqa: BLE001 - it is the listener's, and not ours
            _log.exception("a listener to %s failed", event)

    return emitted
