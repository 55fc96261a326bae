"""Asking a model server through the vendor's SDK."""

from typing import Any

from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient
from anthropic.types import Message

from socrates.llm.demo.server import ModelServer

KEY = "a-key-of-nobody"
MODEL = "claude-haiku-4-5-20251001"


def client_of(server: ModelServer, api_key: str = KEY) -> AsyncAnthropic:
    """A client that tries once and gives up after ten seconds."""
    http = DefaultAsyncHttpxClient(verify=False)  # to load certificates takes 25 ms, and nothing here is encrypted
    return AsyncAnthropic(base_url=server.url, api_key=api_key, max_retries=0, timeout=10, http_client=http)


def parameters(text: str = "Hello", task: str = "generate_response", **more: Any) -> dict[str, Any]:
    """Of a request for a message."""
    asked = {"role": "user", "content": text}
    return {"model": MODEL, "max_tokens": 4000, "system": f"Task: {task}\n", "messages": [asked], **more}


async def answer(server: ModelServer, text: str = "Hello", task: str = "generate_response", **more: Any) -> Message:
    """One answer, not streamed."""
    async with client_of(server) as client:
        message: Message = await client.messages.create(**parameters(text, task, **more))
        return message


async def read_stream(server: ModelServer, pieces: list[str]) -> Message:
    """Add the pieces of a stream to `pieces`, and return the message that they make."""
    async with client_of(server) as client, client.messages.stream(**parameters()) as stream:
        async for piece in stream.text_stream:
            pieces.append(piece)  # noqa: PERF401 - what came before an error counts
        message: Message = await stream.get_final_message()
        return message


def text_of(message: Message) -> str:
    """The text of an answer that is one text block."""
    (block,) = message.content
    assert block.type == "text"
    return block.text
