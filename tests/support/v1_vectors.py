"""Directories of vectors as v1 left them, made by the real Chroma."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from socrates.config import DEFAULT_MODEL
from socrates.knowledge.embedder import Purpose, Vectors
from tests.support.knowledge import WordEmbedder

COLLECTION = "socratic_knowledge"
DIMENSIONS = 384


@dataclass(frozen=True)
class V1Entry:
    """One record; Chroma wants metadata to be there or None."""

    id: str
    content: str | None
    metadata: Mapping[str, Any] = field(default_factory=dict)


class WideWordEmbedder(WordEmbedder):
    """The one that counts words, with the name and the dimensions of v1's model."""

    def __init__(self) -> None:
        super().__init__(DEFAULT_MODEL)

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        return widened(await super().embed(texts, purpose))


def widened(vectors: Vectors) -> Vectors:
    """The same vectors with zeros up to v1's number of dimensions."""
    return np.pad(vectors, ((0, 0), (0, DIMENSIONS - vectors.shape[1])))


async def v1_directory(place: Path, entries: Sequence[V1Entry], *, name: str = COLLECTION) -> Path:
    """A directory with these entries, and the vectors that `WideWordEmbedder` makes of them."""
    vectors = await WideWordEmbedder().embed([entry.content or "" for entry in entries], "document")
    return with_vectors(place, entries, vectors, name=name)


def with_vectors(place: Path, entries: Sequence[V1Entry], vectors: Vectors, *, name: str = COLLECTION) -> Path:
    """A directory with these entries and vectors, `place`/vector_db; one that is there gets them added.

    The first two are in files of vectors and the others in the log only, as in v1 the first thousand and the others.
    """
    import chromadb

    directory = place / "vector_db"
    settings = chromadb.Settings(anonymized_telemetry=False)
    client = chromadb.PersistentClient(path=str(directory), settings=settings)
    try:
        collection = client.get_or_create_collection(
            name, embedding_function=None, configuration={"hnsw": {"batch_size": 2, "sync_threshold": 2}}
        )
        for entry, vector in zip(entries, vectors, strict=True):
            collection.add(
                ids=[entry.id],
                documents=None if entry.content is None else [entry.content],
                metadatas=[dict(entry.metadata)] if entry.metadata else None,
                embeddings=[vector],
            )
    finally:
        client.close()
    return directory
