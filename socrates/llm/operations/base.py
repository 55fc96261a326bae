"""What the families of operations share: calling models, and what is known for a prompt."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from socrates.config import LLMConfig
from socrates.errors import LLMError
from socrates.llm.calls import Calls
from socrates.llm.emitting import Emit
from socrates.llm.prompts.composing import Prompt, Rank, Section
from socrates.llm.results import Piece, Result
from socrates.views import SearchHit

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


class KnowledgeSearch(Protocol):
    """What everybody knows, and what one project does: `KnowledgeBase.search` is one."""

    async def __call__(self, query: str, *, project_id: str | None = None, top_k: int = 5) -> Sequence[SearchHit]:
        """The entries that are nearest in meaning to the query, the best first."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """What a search found for a prompt."""

    section: Section
    sources: tuple[str, ...] = ()
    """The ids of the entries."""
    omitted: tuple[str, ...] = ()

    def told(self, prompt: Prompt) -> Prompt:
        """The prompt, which says when the search failed."""
        return replace(prompt, omitted=(*self.omitted, *prompt.omitted))


_NOTHING = Known(Section("knowledge", (), Rank.KNOWLEDGE))


class Operations:
    """A family of operations; they keep nothing from one call to the next."""

    def __init__(self, calls: Calls, search: KnowledgeSearch | None, config: LLMConfig, emit: Emit) -> None:
        self._calls = calls
        self._search = search
        self._context_tokens = config.llm_context_tokens
        self._artifact_tokens = config.llm_artifact_tokens
        self._emit = emit

    async def _known(self, query: str, project_id: str | None, top_k: int, characters: int) -> Known:
        """What is known about the query, in the project and by everybody, each entry cut to so many characters.

        A search that fails costs the prompt what is known, and nothing else.
        """
        if self._search is None or not query.strip():
            return _NOTHING
        try:
            hits = await self._search(query, project_id=project_id, top_k=top_k)
        except Exception as error:  # noqa: BLE001 - a search may come from anywhere, and no operation fails with it
            _log.warning("the search for a prompt failed", exc_info=True)
            await self._emit("log.warning", {"message": f"the search for a prompt failed: {type(error).__name__}"})
            return Known(_NOTHING.section, omitted=("knowledge: the search failed",))
        items = tuple(_beginning(hit.entry.content, characters) for hit in hits)
        return Known(Section("knowledge", items, Rank.KNOWLEDGE), tuple(hit.entry.id for hit in hits))

    @staticmethod
    async def _or_else(asked: Awaitable[Result[_T]], substitute: _T) -> Result[_T]:
        """What was asked for, or the substitute when the model fails."""
        try:
            return await asked
        except LLMError as error:
            return Result(substitute, degraded=True, failure=error)

    @staticmethod
    async def _whole(pieces: AsyncGenerator[Piece[_T], None]) -> Result[_T]:
        """The result of a stream, read to its end: for a text that takes longer than one answer may."""
        async with aclosing(pieces):
            async for piece in pieces:
                if piece.result is not None:
                    return piece.result
        raise AssertionError("a stream ends with its result, or raises")


def _beginning(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[:characters]}…"
