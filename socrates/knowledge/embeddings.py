"""Vectors of texts, each computed once: kept in memory, then in the database, then made by the model."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from socrates.caching import Cache
from socrates.caching.cache import ABSENT
from socrates.drafts import NewEntry
from socrates.errors import ConfigurationError, InvalidValueError, SocratesError
from socrates.knowledge.batches import Batches
from socrates.knowledge.embedder import Embedder, Purpose, Vector, Vectors
from socrates.knowledge.together import Together
from socrates.repositories.knowledge_entries import Embedded, text_hash
from socrates.store import Store

_log = logging.getLogger(__name__)

_AT_ONCE = 256
"""Texts of documents that are embedded, and then stored, before others get a turn: some two seconds of two cores. What
a process that dies loses at most."""

_NAME = "embeddings"

_TOLERANCE = 1e-3
"""How far the square of a stored vector's length may be from 1: rounding is 10,000 times less, damage is more."""

Progress = Callable[[int, int], None]
"""Called with how many are done, and how many there are."""


def no_progress(_done: int, _all: int) -> None:
    """Tell nobody."""


class Embeddings:
    """Vectors of one model. `cache` has those used last."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        config = store.settings.cache_config
        self.cache = Cache(
            max_bytes=config.embedding_cache_bytes,
            max_entries=config.embedding_cache_size,
            lifetime=None,
            enabled=config.enable_caching,
        )
        self._store = store
        self._embedder = embedder
        self._batches = Batches(embedder)
        self._together = Together(self._stored_each)
        self._size: int | None = None
        self._unsaved: dict[str, bytes] = {}
        self._saving: asyncio.Task[None] | None = None

    @property
    def model(self) -> str:
        """The name of the model."""
        return self._embedder.model

    async def of_query(self, text: str) -> Vector:
        """The vector to search with, read-only. Raises what the embedder raises."""
        digest = _digest(text, "query")
        key = (_NAME, self.model, digest)
        kept = self.cache.find(key)
        if kept is ABSENT:
            kept = await self.cache.load(key, lambda: self._find_or_make(text, digest), _no_tags)
        return as_vector(kept)

    async def of_documents(self, texts: Sequence[str], progress: Progress = no_progress) -> list[bytes]:
        """The vectors to be found by, in the order of the texts: float32, little-endian. They are stored by then.

        Raises what the embedder raises; what was done until then stays stored.
        """
        digests = [_digest(text, "document") for text in texts]
        by_digest = dict(zip(digests, texts, strict=True))
        different = list(by_digest)
        vectors: dict[str, bytes] = {}
        for start in range(0, len(different), _AT_ONCE):
            part = different[start : start + _AT_ONCE]
            vectors |= await self._of_some({digest: by_digest[digest] for digest in part})
            progress(len(vectors), len(different))
        return [vectors[digest] for digest in digests]

    async def embedded(self, entries: Sequence[NewEntry], progress: Progress = no_progress) -> list[Embedded]:
        """The entries, each with the vector of its content. Raises as `of_documents` does."""
        vectors = await self.of_documents([entry.content for entry in entries], progress)
        return [Embedded(entry, vector, self.model) for entry, vector in zip(entries, vectors, strict=True)]

    async def size(self) -> int:
        """How many bytes a vector of the model has. Raises what the embedder raises, where none is known yet."""
        if self._size is None:
            return len(as_bytes(await self.of_query("how long are vectors")))
        return self._size

    async def close(self) -> None:
        """Let what is under way be done, and let go of the model."""
        try:
            await self._batches.close()
            if self._saving is not None:
                await asyncio.wait([self._saving])
        finally:
            await self._embedder.close()

    async def _of_some(self, texts: dict[str, str]) -> dict[str, bytes]:
        kept: dict[str, bytes] = {}
        for digest in texts:
            vector = self.cache.find((_NAME, self.model, digest))
            if vector is not ABSENT:
                kept[digest] = vector
        stored = await self._stored([digest for digest in texts if digest not in kept])
        found = {digest: self._of_one_size(vector) for digest, vector in stored.items()}
        missing = {digest: text for digest, text in texts.items() if digest not in kept and digest not in found}
        if missing:
            vectors = await self._batches.embed(list(missing.values()), "document")
            made = {digest: self._of_one_size(as_bytes(each)) for digest, each in zip(missing, vectors, strict=True)}
            async with self._store.begin() as unit:
                await unit.embeddings.keep(self.model, made)
            found |= made
        for digest, vector in found.items():
            await self._keep(digest, vector)
        return kept | found

    async def _stored_each(self, _: None, digests: Sequence[str]) -> Sequence[bytes | None]:
        stored = await self._stored(digests)
        return [stored.get(digest) for digest in digests]

    async def _stored(self, digests: Sequence[str]) -> dict[str, bytes]:
        """Those that are in the database. One that was damaged there is left out, and so made anew."""
        stored = await self._store.embeddings.find(self.model, digests)
        sound = {digest: vector for digest, vector in stored.items() if is_of_length_1(vector)}
        if len(sound) < len(stored):
            _log.warning("%d vectors in embedding_cache are damaged, and made anew", len(stored) - len(sound))
        return sound

    def _of_one_size(self, vector: bytes) -> bytes:
        """The vector. Raises ConfigurationError where others of this model have another number of dimensions."""
        if self._size is None:
            self._size = len(vector)
        if len(vector) != self._size:
            raise ConfigurationError(
                f"vectors of {self.model} have {self._size // 4} numbers here and {len(vector) // 4} there: two models "
                "went by this name. Set SOCRATES_EMBEDDING_MODEL to the directory of the one to be used, and have all "
                "entries embedded anew: socrates knowledge rebuild"
            )
        return vector

    async def _keep(self, digest: str, vector: bytes) -> None:
        async def have() -> bytes:
            return vector

        await self.cache.load((_NAME, self.model, digest), have, _no_tags)

    async def _find_or_make(self, text: str, digest: str) -> bytes:
        stored = await self._together.find(None, digest)
        if stored is not None:
            return self._of_one_size(stored)
        vectors = await self._batches.embed([text], "query")
        vector = self._of_one_size(as_bytes(vectors[0]))
        self._save(digest, vector)
        return vector

    def _save(self, digest: str, vector: bytes) -> None:
        """Have it stored soon: whoever searches need not wait for the writer, which may be busy for long."""
        self._unsaved[digest] = vector
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save_all(), name="socrates embeddings")

    async def _save_all(self) -> None:
        while self._unsaved:
            vectors, self._unsaved = self._unsaved, {}
            try:
                async with self._store.begin() as unit:
                    await unit.embeddings.keep(self.model, vectors)
            except SocratesError as error:
                # Nothing is lost but time: the model makes them again.
                _log.warning("%d vectors of queries could not be stored for the next time: %s", len(vectors), error)


def as_vector(stored: bytes) -> Vector:
    """The numbers of a stored vector, read-only."""
    vector: Vector = np.frombuffer(stored, dtype="<f4")
    return vector


def as_vectors(stored: Iterable[bytes]) -> Vectors:
    """The numbers of several, a row each."""
    return np.stack([as_vector(each) for each in stored]).astype(np.float32, copy=False)


def as_bytes(vector: Vector) -> bytes:
    """A vector as it is stored: float32, little-endian."""
    return vector.astype("<f4", copy=False).tobytes()


def is_of_length_1(stored: bytes) -> bool:
    """Whether these bytes are numbers, of length 1 together: an embedder's are, and damaged ones hardly ever."""
    if len(stored) % 4:
        return False
    vector = as_vector(stored)
    with np.errstate(all="ignore"):
        return bool(abs(np.dot(vector, vector) - 1) < _TOLERANCE)  # false for what is not a number, too


def _digest(text: str, purpose: Purpose) -> str:
    """What a vector is found by. Some models put something else before a query than before a document."""
    if not isinstance(text, str):
        raise InvalidValueError(f"a text to embed is a str, not {type(text).__name__}")
    if purpose == "document":
        return text_hash(text)
    # A byte that no text begins with, so that nobody can add a document whose vector is taken for a query's.
    return hashlib.sha256(b"\xff" + text.encode("utf-8", "surrogatepass")).hexdigest()


def _no_tags(_result: object) -> tuple[()]:
    return ()
