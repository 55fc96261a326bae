"""Listeners for tests, and events for them to hear."""

import asyncio
import logging

import pytest

from socrates.events import Event, EventType

NOTED = EventType.CUSTOM
LOGGED = EventType.LOG_INFO


def noted(number: int) -> dict[str, object]:
    return {"name": "noted", "data": {"number": number}}


class Heard:
    """A listener that remembers; `pause` before it does so, in seconds."""

    def __init__(self, pause: float = 0) -> None:
        self.events: list[Event] = []
        self._pause = pause

    async def __call__(self, event: Event) -> None:
        await asyncio.sleep(self._pause)
        self.events.append(event)

    @property
    def numbers(self) -> list[int]:
        return [event.payload.model_dump()["data"]["number"] for event in self.events]


class Gate:
    """A listener that is held until the gate is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.events: list[Event] = []

    async def __call__(self, event: Event) -> None:
        await self.open.wait()
        self.events.append(event)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Of ours: what asyncio says of an earlier test's tasks comes whenever they are collected."""
    ours = (record for record in caplog.records if record.name.startswith("socrates."))
    return [record.getMessage() for record in ours if record.levelno >= logging.ERROR]
