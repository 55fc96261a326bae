"""What is known, in tests: an embedder that takes microseconds, and knowledge bases on fresh databases.

Tests of what a model understands use the real one, which takes seconds to load: `real_embedder` of the fixtures.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from socrates.knowledge.embedder import Purpose, Vectors
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.store import Store
from tests.support.stores import fresh_store

DIMENSIONS = 64


class WordEmbedder:
    """Counts words: texts are near that share some. `calls` has the texts of each call, in order."""

    def __init__(self, model: str = "words", pause: float = 0) -> None:
        self._model = model
        self._pause = pause
        self.calls: list[tuple[str, ...]] = []
        self.is_closed = False

    @property
    def model(self) -> str:
        return self._model

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        self.calls.append(tuple(texts))
        if self._pause:
            await asyncio.sleep(self._pause)
        vectors = np.stack([_vector(text) for text in texts])
        vectors.flags.writeable = False
        return vectors

    async def close(self) -> None:
        self.is_closed = True


def _vector(text: str) -> np.ndarray:
    vector = np.full(DIMENSIONS, 1e-3, dtype=np.float32)
    for word in text.lower().split():
        vector[zlib.crc32(word.encode("utf-8", "surrogatepass")) % DIMENSIONS] += 1
    return (vector / np.linalg.norm(vector)).astype(np.float32)


async def with_projects(store: Store, *ids: str) -> None:
    """Make projects of these ids."""
    async with store.begin() as unit:
        for project_id in ids:
            await unit.projects.create(project_id.title(), "ada", project_id=project_id)


@asynccontextmanager
async def fresh_knowledge(
    directory: Path, *projects: str, embedder: Any = None, **settings: Any
) -> AsyncIterator[tuple[Store, KnowledgeBase]]:
    """A store on an empty database with these projects, and what is known in it; both are closed afterwards."""
    async with fresh_store(directory, **{"index_dir": directory / "index", **settings}) as store:
        await with_projects(store, *projects)
        async with KnowledgeBase.open(store, embedder or WordEmbedder()) as knowledge:
            yield store, knowledge


class Lent:
    """An embedder that several knowledge bases use one after another: closing it does nothing."""

    def __init__(self, embedder: Any) -> None:
        self._embedder = embedder

    @property
    def model(self) -> str:
        return str(self._embedder.model)

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        vectors: Vectors = await self._embedder.embed(texts, purpose)
        return vectors

    async def close(self) -> None:
        """Leave it to its owner."""
