"""Claude at a model server in a test, and a request to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from socrates.llm.claude.client import Claude
from socrates.llm.demo.protocol import Reply
from socrates.llm.demo.server import ModelServer
from socrates.llm.provider import Completion, Progress, Request
from tests.support.llm import HAIKU
from tests.support.model_server import serving

KEY = SecretStr("sk-ant-test-0123456789abcdef")


def a_request(**changes: Any) -> Request:
    return replace(Request(HAIKU, "Task: x\n\nBe brief.", "what stays", "what changes", 100, 0.5), **changes)


@asynccontextmanager
async def claude_at(*script: Reply, seconds: float = 30) -> AsyncIterator[tuple[Claude, ModelServer]]:
    """Claude with this limit of time, at a server that gives these replies."""
    with serving(*script) as server:
        claude = Claude(server.url, seconds)
        try:
            yield claude, server
        finally:
            await claude.aclose()


async def streamed(claude: Claude) -> list[Progress | str | Completion]:
    """All that a stream tells."""
    return [told async for told in claude.stream(a_request(), KEY)]
