"""Operations 1 to 4: any prompt, any form of answer, and whether the provider can be reached."""

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TypeVar

from cachetools import TTLCache

from socrates.config import LLMConfig
from socrates.errors import LLMError
from socrates.llm import operation
from socrates.llm.answers import Answer
from socrates.llm.caller import NOBODY, Caller
from socrates.llm.calls import Calls
from socrates.llm.emitting import Emit
from socrates.llm.operations.base import KnowledgeSearch, Operations
from socrates.llm.prompts import generic as prompts
from socrates.llm.results import Piece, Result

_A = TypeVar("_A", bound=Answer)

_log = logging.getLogger("socrates.clients.claude")  # v1's name, under which people look for it

_TESTED_KEPT = 1000
"""Callers whose connection is remembered as good."""


class GenericOperations(Operations):
    """What is not about a project."""

    def __init__(self, calls: Calls, search: KnowledgeSearch | None, config: LLMConfig, emit: Emit) -> None:
        super().__init__(calls, search, config, emit)
        self._tested: TTLCache[Caller, bool] = TTLCache(_TESTED_KEPT, config.llm_connection_ttl)

    async def generate_response_async(
        self, prompt: str, max_tokens: int = 2000, temperature: float = 0.7, *, caller: Caller = NOBODY
    ) -> Result[str]:
        """The answer to any prompt. Raises LLMError, InvalidValueError for an empty prompt."""
        asked = replace(operation.GENERATE_RESPONSE, max_tokens=max_tokens, temperature=temperature)
        return await self._calls.text(asked, prompts.response(prompt, self._context_tokens), caller)

    async def generate_structured_async(
        self,
        system: str,
        data: Mapping[str, str],
        schema: type[_A],
        *,
        max_tokens: int = 1000,
        temperature: float = 0.3,
        caller: Caller = NOBODY,
    ) -> Result[_A]:
        """The answer in the form of `schema`. `system` are instructions of ours, `data` named texts by anybody.

        Raises LLMError, InvalidValueError for no data and for names that are none.
        """
        asked = replace(operation.GENERATE_STRUCTURED, max_tokens=max_tokens, temperature=temperature)
        return await self._calls.structured(
            asked, prompts.structured(system, data, self._context_tokens), caller, schema
        )

    async def stream_response_async(
        self, prompt: str, max_tokens: int = 2000, temperature: float = 0.7, *, caller: Caller = NOBODY
    ) -> AsyncGenerator[Piece[str], None]:
        """The answer to any prompt, piece by piece; the last piece has the whole as its result.

        Raises LLMError, InvalidValueError for an empty prompt.
        """
        asked = replace(operation.STREAM_RESPONSE, max_tokens=max_tokens, temperature=temperature)
        composed = prompts.response(prompt, self._context_tokens)
        async with aclosing(self._calls.stream(asked, composed, caller, str.strip)) as pieces:
            async for piece in pieces:
                yield piece

    async def test_connection_async(self, *, caller: Caller = NOBODY, fresh: bool = False) -> bool:
        """True when the provider answers with this caller's key; billed, so a success counts for a while.

        `fresh`: ask in any case. Raises LLMError (CONNECTION_ERROR), which says what failed.
        """
        if not fresh and caller in self._tested:
            return True
        try:
            await self._calls.text(operation.TEST_CONNECTION, prompts.connection_test(), caller)
        except LLMError as error:
            self._tested.pop(caller, None)
            raise LLMError(f"the connection failed: {error}", "CONNECTION_ERROR", error.status) from error
        self._tested[caller] = True
        _log.info("the connection to the provider works")
        return True
