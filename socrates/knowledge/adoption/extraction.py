"""A process of its own in which Chroma reads vectors: damaged files of vectors end a process (chromadb 1.5).

Run as ``python -m socrates.knowledge.adoption.extraction DIRECTORY COLLECTION FILE``, it opens a copy of v1's directory
with Chroma, which migrates it, and writes the vectors to a SQLite file; what is there when it fails can be used.
"""

import importlib
import sqlite3
import sys
from typing import Any

import numpy as np

TABLE = "CREATE TABLE IF NOT EXISTS vectors (id TEXT PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
"""Of the file: float32, little-endian."""

_PAGE = 1_000


def _extract(directory: str, name: str, file: str) -> None:
    chroma = importlib.import_module("chromadb")
    client = chroma.PersistentClient(path=directory, settings=chroma.Settings(anonymized_telemetry=False))
    collection = client.get_collection(name, embedding_function=None)
    connection = sqlite3.connect(file)
    connection.execute(TABLE)
    ids: list[str] = collection.get(include=[])["ids"]
    for start in range(0, len(ids), _PAGE):
        found = collection.get(ids=ids[start : start + _PAGE], include=["embeddings"])
        with connection:
            connection.executemany(
                "INSERT INTO vectors VALUES (?, ?)", zip(found["ids"], map(_stored, found["embeddings"]), strict=True)
            )
    connection.close()
    client.close()


def _stored(vector: Any) -> bytes:
    return np.asarray(vector, dtype="<f4").tobytes()


if __name__ == "__main__":
    _extract(*sys.argv[1:])
