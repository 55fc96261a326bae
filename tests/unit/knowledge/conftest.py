"""The real model, loaded once per worker."""

import asyncio
import gc
from collections.abc import Iterator

import pytest

from socrates.knowledge.embedder import SentenceTransformersEmbedder


@pytest.fixture(scope="session")
def real_embedder() -> Iterator[SentenceTransformersEmbedder]:
    """all-MiniLM-L6-v2, loaded with the first text. Hand it over `Lent`, or the first to close it ends it."""
    with pytest.MonkeyPatch.context() as environment:
        # Workers share the cores, and threads that wait for one another's turn on them take many times as long as one.
        environment.setenv("OMP_NUM_THREADS", "1")
        embedder = SentenceTransformersEmbedder()
        asyncio.run(embedder.embed(["load"], "query"))
        gc.freeze()  # or tests that collect would look through all that the model's library has
        yield embedder
        asyncio.run(embedder.close())
