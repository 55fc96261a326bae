"""An embedder that takes neither time nor memory, for what is measured beside the model."""

import hashlib
from collections.abc import Sequence

import numpy as np

from socrates.knowledge.embedder import Purpose, Vectors
from tests.performance.known import DIMENSIONS


class LightEmbedder:
    """Vectors of no meaning, the same for the same text. `calls` has how many texts each call had."""

    model = "light"

    def __init__(self) -> None:
        self.calls: list[int] = []

    async def embed(self, texts: Sequence[str], _purpose: Purpose) -> Vectors:
        self.calls.append(len(texts))
        vectors = np.stack([_vector(text) for text in texts]).astype(np.float32)
        vectors.flags.writeable = False
        return vectors

    async def close(self) -> None:
        """There is nothing to let go of."""


def _vector(text: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    vector: np.ndarray = np.random.default_rng(seed).normal(size=DIMENSIONS)
    return vector / np.linalg.norm(vector)
