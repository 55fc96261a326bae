"""Vectors of texts, each computed once: in memory, in the database, by the model."""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from socrates.caching import bypassed, stats
from socrates.config import CacheConfig
from socrates.errors import ClosedError, ConfigurationError, InvalidValueError
from socrates.knowledge.embedder import Purpose, Vectors
from socrates.knowledge.embeddings import Embeddings, as_bytes, as_vector
from tests.support.knowledge import DIMENSIONS, WordEmbedder
from tests.support.stores import another_store, fresh_store


async def test_a_query_is_computed_once_and_a_restart_computes_nothing(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    async with fresh_store(tmp_path) as store:
        embeddings = Embeddings(store, embedder)
        first = await embeddings.of_query("a question")
        again = await embeddings.of_query("a question")
        await embeddings.close()
        restarted = Embeddings(store, embedder)
        after = await restarted.of_query("a question")
        await restarted.close()
    assert embedder.calls == [("a question",)]
    assert np.array_equal(first, again)
    assert np.array_equal(first, after)


async def test_documents_are_computed_once_and_a_restart_computes_nothing(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    async with fresh_store(tmp_path) as store:
        embeddings = Embeddings(store, embedder)
        first = await embeddings.of_documents(["a", "b", "a"])
        assert await embeddings.of_documents(["b", "a"]) == [first[1], first[0]]
        assert first[0] == first[2]
        await embeddings.close()
        restarted = Embeddings(store, embedder)
        assert await restarted.of_documents(["a", "b", "a"]) == first
        await restarted.close()
    assert embedder.calls == [("a", "b")]


async def test_what_several_miss_at_the_same_time_is_computed_once(tmp_path: Path) -> None:
    embedder = WordEmbedder(pause=0.5)  # so long that all have looked by then for what is stored
    async with fresh_store(tmp_path) as store:
        embeddings = Embeddings(store, embedder)
        await asyncio.gather(
            *(embeddings.of_query("same") for _ in range(10)),
            embeddings.of_documents(["one", "two"]),
            embeddings.of_documents(["two", "three"]),
        )
        await embeddings.close()
    assert sorted(text for call in embedder.calls for text in call) == ["one", "same", "three", "two"]


async def test_vectors_are_read_only_and_of_length_1(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        embeddings = Embeddings(store, WordEmbedder())
        for vector in (await embeddings.of_query("q"), await embeddings.of_query("q")):
            assert vector.dtype == np.float32
            assert np.linalg.norm(vector) == pytest.approx(1)
            with pytest.raises(ValueError, match="read-only"):
                vector[0] = 5
        (stored,) = await embeddings.of_documents(["d"])
        assert len(stored) == 4 * DIMENSIONS
        await embeddings.close()


async def test_statistics_tell_hits_and_misses(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        embeddings = Embeddings(store, WordEmbedder())
        before = stats().get("embeddings")
        hits, loads = (before.hits, before.loads) if before else (0, 0)
        await embeddings.of_query("q")
        await embeddings.of_query("q")
        await embeddings.of_documents(["d"])
        await embeddings.of_documents(["d"])
        after = stats()["embeddings"]
        assert (after.hits - hits, after.loads - loads) == (2, 2)
        await embeddings.close()


async def test_what_was_used_last_stays_in_memory(tmp_path: Path) -> None:
    async with fresh_store(tmp_path, cache_config=CacheConfig(embedding_cache_size=2)) as store:
        embeddings = Embeddings(store, WordEmbedder())
        for query in ("a", "b", "a", "c"):
            await embeddings.of_query(query)
        counted = embeddings.cache.stats()["embeddings"]
        assert (counted.entries, counted.loads, counted.evicted_for_entries) == (2, 3, 1)
        await embeddings.of_query("a")
        assert embeddings.cache.stats()["embeddings"].loads == 3
        await embeddings.close()


@pytest.mark.parametrize("enabled", [True, False])
async def test_past_the_memory_the_database_still_has_them(tmp_path: Path, *, enabled: bool) -> None:
    embedder = WordEmbedder()
    async with fresh_store(tmp_path, cache_config=CacheConfig(enable_caching=enabled)) as store:
        embeddings = Embeddings(store, embedder)
        with bypassed():
            (first,) = await embeddings.of_documents(["d"])
            assert await embeddings.of_documents(["d"]) == [first]
        assert embeddings.cache.total().entries == 0
        assert embedder.calls == [("d",)]
        await embeddings.close()


async def test_a_text_as_a_query_is_another_than_as_a_document(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    async with fresh_store(tmp_path) as store:
        embeddings = Embeddings(store, embedder)
        await embeddings.of_documents(["same", "query\0same"])
        await embeddings.of_query("same")
        await embeddings.close()
    assert embedder.calls == [("same", "query\0same"), ("same",)]


async def test_models_do_not_share_vectors(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for model in ("one", "two"):
            embedder = WordEmbedder(model)
            embeddings = Embeddings(store, embedder)
            await embeddings.of_documents(["d"])
            await embeddings.close()
            assert embedder.calls == [("d",)]


@pytest.mark.parametrize("damage", ["zeroblob(256)", "randomblob(256)", "X'00000000'", "X'0000C07F'", "X'FFFF7F7F'"])
async def test_a_vector_that_was_damaged_in_the_database_is_made_anew(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with fresh_store(tmp_path) as store:
        embeddings = Embeddings(store, WordEmbedder())
        right = await embeddings.of_documents(["d"])
        await embeddings.close()
        with closing(sqlite3.connect(tmp_path / "projects.db")) as connection, connection:
            connection.execute(f"UPDATE embedding_cache SET vector = {damage}, dimensions = length({damage}) / 4")
        restarted = Embeddings(store, WordEmbedder())
        assert await restarted.of_documents(["d"]) == right
        await restarted.close()
        embedder = WordEmbedder()
        mended = Embeddings(store, embedder)
        assert await mended.of_documents(["d"]) == right
        await mended.close()
    assert embedder.calls == []
    assert "damaged" in caplog.text


async def test_another_model_of_the_same_name_is_told(tmp_path: Path) -> None:
    class Shorter(WordEmbedder):
        async def embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
            vectors = (await super().embed(texts, purpose))[:, :8] + np.float32(0.01)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    async with fresh_store(tmp_path) as store:
        embeddings = Embeddings(store, WordEmbedder())
        await embeddings.of_documents(["d"])
        await embeddings.close()
        restarted = Embeddings(store, Shorter())
        with pytest.raises(ConfigurationError, match="64 numbers here and 8 there"):
            await restarted.of_documents(["d", "e"])
        with pytest.raises(ConfigurationError, match="socrates knowledge rebuild"):
            await restarted.of_query("q")
        await restarted.close()


async def test_a_vector_of_another_length_is_trouble_for_its_own_query_only(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        first = Embeddings(store, WordEmbedder())
        right = [await first.of_query(text) for text in ("right", "wrong", "right too")]
        await first.close()
        with closing(sqlite3.connect(tmp_path / "projects.db")) as connection, connection:
            unit = np.array([1, 0], dtype="<f4").tobytes()
            changed = "UPDATE embedding_cache SET vector = ?, dimensions = 2 WHERE vector = ?"
            assert connection.execute(changed, [unit, right[1].tobytes()]).rowcount == 1
        restarted = Embeddings(store, WordEmbedder())
        await restarted.of_query("right")
        restarted.cache.clear()
        found = await asyncio.gather(
            *(restarted.of_query(text) for text in ("right", "wrong", "right too")), return_exceptions=True
        )
        await restarted.close()
    assert np.array_equal(found[0], right[0])
    assert isinstance(found[1], ConfigurationError)
    assert np.array_equal(found[2], right[2])


async def test_a_query_does_not_wait_for_the_writer_and_is_stored_when_that_is_free(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    async with fresh_store(tmp_path) as store:
        embeddings = Embeddings(store, embedder)
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada")
            async with asyncio.timeout(20):
                await embeddings.of_query("a question")
        await embeddings.close()
        assert number_stored(tmp_path) == 1


async def test_a_vector_that_cannot_be_stored_is_logged_and_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with fresh_store(tmp_path, lock_timeout=0.1) as store, another_store(store) as other:
        embeddings = Embeddings(store, WordEmbedder())
        async with other.begin() as unit:
            await unit.projects.create("Library", "ada")
            await embeddings.of_query("a question")
            await embeddings.close()
    assert "1 vectors of queries could not be stored" in caplog.text


async def test_after_a_store_that_was_closed_first_closing_ends_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    embedder = WordEmbedder()
    async with fresh_store(tmp_path) as store:
        embeddings = Embeddings(store, embedder)
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada")
            await embeddings.of_query("a question")
    async with asyncio.timeout(20):
        await embeddings.close()
    assert embedder.is_closed
    with pytest.raises(ClosedError):
        await embeddings.of_documents(["late"])


async def test_what_is_asked_while_it_closes_is_stored_and_later_refused(tmp_path: Path) -> None:
    begun = asyncio.Event()

    class Slow(WordEmbedder):
        async def embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
            begun.set()
            return await super().embed(texts, purpose)

    async with fresh_store(tmp_path) as store:
        embeddings = Embeddings(store, Slow(pause=0.05))
        asked = asyncio.ensure_future(embeddings.of_query("in time"))
        async with asyncio.timeout(20):
            await begun.wait()
        await embeddings.close()
        await asked
        assert number_stored(tmp_path) == 1
        assert np.array_equal(await embeddings.of_query("in time"), await asked)
        with pytest.raises(ClosedError):
            await embeddings.of_query("too late")


async def test_documents_in_portions_tell_how_far_they_are(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    async with fresh_store(tmp_path) as store:
        embeddings = Embeddings(store, WordEmbedder())
        vectors = await embeddings.of_documents(
            [f"document {number % 300}" for number in range(600)], lambda done, total: told.append((done, total))
        )
        await embeddings.close()
    assert told == [(256, 300), (300, 300)]
    assert vectors[:300] == vectors[300:]


async def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        embeddings = Embeddings(store, WordEmbedder())
        with pytest.raises(InvalidValueError, match="bytes"):
            await embeddings.of_documents([b"binary"])  # type: ignore[list-item]
        await embeddings.close()


def number_stored(directory: Path) -> int:
    with closing(sqlite3.connect(directory / "projects.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM embedding_cache").fetchone()[0])


def test_a_stored_vector_is_what_was_stored() -> None:
    vector = np.array([0.6, 0.8], dtype=np.float32)
    assert np.array_equal(as_vector(as_bytes(vector)), vector)
    assert len(as_bytes(vector)) == 8
