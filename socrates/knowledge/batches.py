"""Gathers what is asked of an embedder at the same time: a batch costs far less than its texts one by one."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from socrates.errors import ClosedError
from socrates.knowledge.embedder import AT_ONCE, Embedder, Purpose, Vector, Vectors

PATIENCE = 0.003
"""Seconds that an idle model waits for others after a first text: searches that begin together read the database first,
and arrive within about that."""

FULL = AT_ONCE
"""Texts that make a batch, as many as the model takes in one step."""

_FULL_CHARACTERS = 8_000
"""Characters that make a batch too, about 2,000 tokens: 32 texts as long as the model takes would be seconds in which
no query gets its turn."""

_SEEN = 1_000
"""Characters of a text that count at most: about the 256 tokens that all-MiniLM-L6-v2 sees."""


@dataclass(slots=True, eq=False)
class _Wanted:
    """A text, and how many wait for its vector."""

    text: str
    purpose: Purpose
    answer: "asyncio.Future[Vector]"
    waiting: int = 0


class Batches:
    """Gathers the requests of the tasks of one event loop; while the model is at work, the next batch gathers.

    Queries and documents take turns, so a query waits for one batch of documents at most. A text that several want at
    the same time is computed once. Whoever is cancelled takes only their own texts along, if the model has not begun
    with them. An error of the model reaches all whose texts were in the batch.
    """

    def __init__(self, embedder: Embedder, patience: float = PATIENCE, full: int = FULL) -> None:
        self._embedder = embedder
        self._patience = patience
        self._full = full
        self._wanted: dict[tuple[Purpose, str], _Wanted] = {}
        self._queues: dict[Purpose, deque[_Wanted]] = {"query": deque(), "document": deque()}
        self._is_full = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._is_closed = False

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        """The vectors of the texts, a row each, in their order. Raises what the embedder raises, and ClosedError."""
        if self._is_closed:
            raise ClosedError("the knowledge base is closed")
        if not texts:
            return np.empty((0, 0), dtype=np.float32)
        wanted = [self._want(text, purpose) for text in texts]
        if len(self._queues[purpose]) >= self._full:
            self._is_full.set()
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._serve_all(), name="socrates batches")
        try:
            done, _ = await asyncio.wait({each.answer for each in wanted}, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for each in wanted:
                each.waiting -= 1
        for answer in done:
            answer.result()  # raises the error that some may have, before others are there
        vectors = np.stack([each.answer.result() for each in wanted])
        vectors.flags.writeable = False
        return vectors

    async def close(self) -> None:
        """Let what was asked for be done; what is asked from now on is refused."""
        self._is_closed = True
        self._is_full.set()
        if self._work is not None:
            await asyncio.wait([self._work])

    def _want(self, text: str, purpose: Purpose) -> _Wanted:
        wanted = self._wanted.get((purpose, text))
        if wanted is None:
            wanted = _Wanted(text, purpose, asyncio.get_running_loop().create_future())
            self._wanted[purpose, text] = wanted
            self._queues[purpose].append(wanted)
        wanted.waiting += 1
        return wanted

    async def _serve_all(self) -> None:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await self._is_full.wait()
            turn: Purpose = "query"
            while any(self._queues.values()):
                batch = self._next(turn)
                if batch:
                    await self._serve(batch, turn)
                turn = "document" if turn == "query" else "query"
        finally:
            self._is_full.clear()
            # None is left, unless this task was cancelled, as when the event loop ends.
            for each in self._wanted.values():
                each.answer.cancel()
            self._wanted.clear()
            for queue in self._queues.values():
                queue.clear()

    def _next(self, purpose: Purpose) -> list[_Wanted]:
        batch, characters = list[_Wanted](), 0
        queue = self._queues[purpose]
        while queue and len(batch) < self._full and characters < _FULL_CHARACTERS:
            wanted = queue.popleft()
            if wanted.waiting:
                batch.append(wanted)
                characters += min(len(wanted.text), _SEEN)
            else:
                self._forget(wanted)
        return batch

    async def _serve(self, batch: Sequence[_Wanted], purpose: Purpose) -> None:
        try:
            vectors = await self._embedder.embed([each.text for each in batch], purpose)
            for each, vector in zip(batch, list(vectors), strict=True):
                each.answer.set_result(vector)
        except Exception as error:  # noqa: BLE001 - it is theirs who wait
            for each in batch:
                if not each.answer.done():
                    each.answer.set_exception(error)
                    # Whoever waits for several raises the first: asyncio need not complain that nobody asked the rest.
                    each.answer.exception()
        for each in batch:
            self._forget(each)

    def _forget(self, wanted: _Wanted) -> None:
        del self._wanted[wanted.purpose, wanted.text]
