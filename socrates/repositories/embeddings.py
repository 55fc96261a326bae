"""Vectors that have been computed: by model and the digest of the text."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, select

from socrates.models import CachedEmbedding
from socrates.repositories.base import AT_ONCE, Repository, now, table, utc
from socrates.repositories.upsert import upsert

_embeddings = table(CachedEmbedding)

_FIND = select(_embeddings.c.text_hash, _embeddings.c.vector).where(
    _embeddings.c.model == bindparam("model"), _embeddings.c.text_hash.in_(bindparam("hashes", expanding=True))
)
_KEEP = upsert(_embeddings, keys=("model", "text_hash"), columns=("dimensions", "vector"))
_PRUNE = delete(_embeddings).where(_embeddings.c.created_at < bindparam("before", type_=_embeddings.c.created_at.type))

_BYTES_A_NUMBER = 4


class EmbeddingReads(Repository):
    """Reads of vectors: float32, little-endian."""

    async def find(self, model: str, hashes: Sequence[str]) -> dict[str, bytes]:
        """The vectors that are there, by the digests of their texts."""
        found: dict[str, bytes] = {}
        for start in range(0, len(hashes), AT_ONCE):
            rows = await self._rows(_FIND, model=model, hashes=list(hashes[start : start + AT_ONCE]))
            found |= {row.text_hash: row.vector for row in rows}
        return found


class EmbeddingRepository(EmbeddingReads):
    """Reads and writes of vectors, inside a unit of work."""

    async def keep(self, model: str, vectors: Mapping[str, bytes]) -> None:
        """Keep vectors by the digests of their texts, and in the place of those there, which may be damaged."""
        at = now()
        rows = [
            {
                "model": model,
                "text_hash": digest,
                "dimensions": len(vector) // _BYTES_A_NUMBER,
                "vector": vector,
                "created_at": at,
            }
            # In one order, so that two who keep the same wait for one another instead of each for the other's next.
            for digest, vector in sorted(vectors.items())
        ]
        await self._write_many(_KEEP, rows)

    async def prune(self, before: datetime) -> int:
        """Delete vectors that were made before a time; tell how many they were. Entries have theirs themselves.

        Reads all that are kept.
        """
        return await self._write(_PRUNE, before=utc(before))
