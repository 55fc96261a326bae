"""v1's vector store, as agents.md B.2 and v1-format.md chapter 6 tell of it: one model, one collection, no cache, and
everything in the caller's thread."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import chromadb

from socrates.knowledge.documents.chunks import chunks

COLLECTION = "socratic_knowledge"

FILLED_AT_ONCE = 5_000
"""Chroma takes 5,461."""


class V1Knowledge:
    """v1's store of knowledge in a directory. `model` is a SentenceTransformer, which v1 loaded as it started."""

    def __init__(self, directory: Path, model: Any) -> None:
        self._model = model
        self._client = chromadb.PersistentClient(str(directory), chromadb.Settings(anonymized_telemetry=False))
        self._collection = self._client.get_or_create_collection(COLLECTION, embedding_function=None)

    def fill(self, contents: Sequence[str], vectors: Any, project_id: str) -> None:
        """Have these as a project's knowledge, without the time that v1 took for it."""
        for start in range(0, len(contents), FILLED_AT_ONCE):
            part = slice(start, start + FILLED_AT_ONCE)
            self._collection.add(
                ids=[_id(content) for content in contents[part]],
                embeddings=vectors[part],
                documents=list(contents[part]),
                metadatas=[{"project_id": project_id, "scope": "project"} for _ in contents[part]],
            )

    def encode(self, text: str) -> list[float]:
        """The vector of one text, each time anew."""
        vector: list[float] = self._model.encode(text).tolist()
        return vector

    def add(self, content: str, metadata: dict[str, Any]) -> None:
        """Add one text, unless its id is there."""
        entry_id = _id(content)
        if self._collection.get(ids=[entry_id])["ids"]:
            return
        self._collection.add(
            ids=[entry_id], embeddings=[self.encode(content)], documents=[content], metadatas=[metadata]
        )

    def search(self, query: str, top_k: int, project_id: str) -> list[dict[str, Any]]:
        """The nearest entries that v1 let a project see."""
        found = self._collection.query(
            query_embeddings=[self.encode(query)],
            n_results=min(top_k, self._collection.count()),
            where={"$or": [{"scope": {"$ne": "project"}}, {"project_id": project_id}]},
        )
        documents, metadatas, distances = (found[name] or [[]] for name in ("documents", "metadatas", "distances"))
        return [
            {"content": content, "metadata": metadata, "score": distance}
            for content, metadata, distance in zip(documents[0], metadatas[0], distances[0], strict=True)
        ]

    def import_directory(self, directory: Path, project_id: str) -> int:
        """Add every chunk of every text there by itself; tell how many they were."""
        added = 0
        for path in sorted(directory.glob("*.txt")):
            parts = list(chunks(path.read_text(encoding="utf-8", errors="ignore")))
            for number, part in enumerate(parts, start=1):
                metadata = {"source": path.name, "chunk": number, "total_chunks": len(parts), "project_id": project_id}
                self.add(part, metadata)
                added += 1
        return added

    def close(self) -> None:
        self._client.close()


def _id(content: str) -> str:
    return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()[:8]
