"""The provider `claude`.

One SDK client per key, made at its first use. The SDK's own retries are off, because its delays cannot be set and its
waits have no limit.

At DEBUG the loggers of the SDK (`anthropic`, `httpcore2`) show prompts and the headers of answers, but no key unless
the provider repeats it in a header. They are whoever's who turns them on: this package sets no filter on them.
"""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from socrates.llm.claude.answers import IncomingAnswer, completed
from socrates.llm.claude.connections import VENDOR, new_client, new_connections, safe_url
from socrates.llm.claude.failures import failure_of
from socrates.llm.claude.requests import parameters_of
from socrates.llm.provider import Completion, Progress, Request

if TYPE_CHECKING:  # it takes a second to load, and is an extra
    import anthropic

_T = TypeVar("_T")

_CLIENTS_KEPT = 1000
"""SDK clients, one per key. They share their connections, so one that is forgotten leaves none open."""

_LONGEST_WAIT_FOR_TOKEN = 1.0
"""Seconds, on average; models write dozens in one."""


class Claude:
    """The provider `claude`."""

    def __init__(self, base_url: str | None = None, timeout: float = 60) -> None:
        """`timeout` in seconds: of a whole answer, and of each step of a stream.

        A stream may bring no more than its limit of tokens can hold, and be waited for a second for each of them.

        Raises ConfigurationError for a URL to which a key must not be sent.
        """
        self._base_url = safe_url(base_url or os.environ.get("ANTHROPIC_BASE_URL") or VENDOR)
        self._timeout = timeout
        self._clients: OrderedDict[str, anthropic.AsyncAnthropic] = OrderedDict()
        self._http: anthropic.DefaultAsyncHttpxClient | None = None
        self._opening = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Claude({self._base_url})"

    async def complete(self, request: Request, key: SecretStr) -> Completion:
        """The whole answer. Raises ProviderError; tries once only."""
        client = await self._client(key)
        parameters = parameters_of(request)
        return await self._step(completed(client, parameters, key), key, request.model, self._timeout)

    async def stream(self, request: Request, key: SecretStr) -> AsyncGenerator[Progress | str | Completion, None]:
        """`Progress`, the pieces of the answer's text, then the `Completion`. Raises ProviderError; tries once only."""
        client = await self._client(key)
        parameters = parameters_of(request)
        opening = client.messages.create(**parameters, stream=True)
        async with await self._step(opening, key, request.model, self._timeout) as stream:
            answer = IncomingAnswer(stream, key, parameters["max_tokens"])
            patience = self._timeout + parameters["max_tokens"] * _LONGEST_WAIT_FOR_TOKEN
            told: Progress | str | Completion | None = None
            while not isinstance(told, Completion):
                began = time.monotonic()
                told = await self._step(answer.step(), key, request.model, min(self._timeout, patience))
                patience -= time.monotonic() - began  # not what its reader takes
                if told is not None:
                    yield told

    async def _step(self, step: Coroutine[Any, Any, _T], key: SecretStr, model: str, seconds: float) -> _T:
        """What the step returns, in time. Raises ProviderError.

        The SDK's exceptions are neither causes nor contexts of ours: they hold the request, and that the key.
        """
        try:
            async with asyncio.timeout(seconds):
                return await step
        except Exception as error:  # noqa: BLE001 - the SDK checks nothing of what comes in: it can raise anything
            failure = failure_of(error, key, model)
        raise failure

    async def _client(self, key: SecretStr) -> "anthropic.AsyncAnthropic":
        connections = await self._connections()
        secret = key.get_secret_value()
        client = self._clients.get(secret)
        if client is None:
            client = self._clients[secret] = new_client(secret, self._base_url, connections)
            if len(self._clients) > _CLIENTS_KEPT:
                self._clients.popitem(last=False)
        else:
            self._clients.move_to_end(secret)
        return client

    async def _connections(self) -> "anthropic.DefaultAsyncHttpxClient":
        async with self._opening:
            if self._http is None:
                # In a thread: it loads the SDK and the certificates.
                self._http = await asyncio.to_thread(new_connections, self._timeout)
            return self._http

    async def aclose(self) -> None:
        """Close every connection."""
        self._clients.clear()
        if self._http is not None:
            http, self._http = self._http, None
            await http.aclose()
