"""Indexes in directories, and what to put into them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from socrates.knowledge.embedder import Vectors
from socrates.knowledge.index import ChromaIndex, Point, open_index

DIMENSIONS = 384


def some_vectors(count: int, seed: int = 1, dimensions: int = DIMENSIONS) -> Vectors:
    """Vectors of length 1 without any pattern."""
    vectors = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def point(number: int, project_id: str | None = None, category: str = "facts", source: str | None = None) -> Point:
    return Point(f"key{number}", project_id, category, source)


@asynccontextmanager
async def opened(place: Path, model: str = "words", database: str = "") -> AsyncIterator[ChromaIndex]:
    index = await open_index(place, model, database)
    try:
        yield index
    finally:
        await index.close()
