from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from socrates.errors import DatabaseError, InvalidValueError
from socrates.models import CachedEmbedding
from socrates.repositories.knowledge_entries import text_hash
from tests.support.stores import counted, fresh_store
from tests.unit.repositories.entries import OTHER_VECTOR, VECTOR, embedded, keep, kept, put
from tests.unit.repositories.rows import stored

DAY = timedelta(days=1)


async def test_a_vector_is_found_by_model_and_text(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await keep(store, "a", "b")
        await keep(store, "c", model="other")
        digests = [text_hash(text) for text in "abc"]
        assert await store.embeddings.find("m", digests) == dict.fromkeys(digests[:2], VECTOR)
        assert await store.embeddings.find("other", digests) == {digests[2]: VECTOR}
        assert await store.embeddings.find("m", []) == {}


async def test_what_is_kept_again_replaces_what_was_there(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await keep(store, "a", "b")
        async with store.begin() as unit:
            await unit.embeddings.keep("m", {text_hash("a"): OTHER_VECTOR, text_hash("c"): OTHER_VECTOR * 2})
        digests = [text_hash(text) for text in "abc"]
        assert await store.embeddings.find("m", digests) == dict(
            zip(digests, (OTHER_VECTOR, VECTOR, OTHER_VECTOR * 2), strict=True)
        )
        (dimensions,) = {row for row in await stored(store, CachedEmbedding, "dimensions") if row != (2,)}
        assert dimensions == (4,)


async def test_many_are_kept_and_found_in_parts(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(1_100)]
    async with fresh_store(tmp_path) as store:
        await keep(store, *texts)
        with counted(store) as cost:
            assert await kept(store, *texts) == set(texts)
    assert len(cost.statements) == 3


async def test_those_made_before_a_time_are_pruned_and_entries_keep_theirs(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put(store, embedded("a", id="e"))
        await keep(store, "a", "b")
        async with store.begin() as unit:
            assert await unit.embeddings.prune(datetime.now(UTC) - DAY) == 0
        assert await kept(store, "a", "b") == {"a", "b"}
        async with store.begin() as unit:
            assert await unit.embeddings.prune(datetime.now(UTC) + DAY) == 2
        assert await kept(store, "a", "b") == set()
        assert [each.vector for each in await store.index_work.waiting(9)] == [VECTOR]
        with pytest.raises(InvalidValueError):
            async with store.begin() as unit:
                await unit.embeddings.prune(datetime(2026, 1, 1))


@pytest.mark.parametrize("vector", [b"", b"abc"])
async def test_a_vector_that_is_none_is_refused(tmp_path: Path, vector: bytes) -> None:
    async with fresh_store(tmp_path) as store:
        with pytest.raises((InvalidValueError, DatabaseError)):
            async with store.begin() as unit:
                await unit.embeddings.keep("m", {"digest": vector})
        assert await store.embeddings.find("m", ["digest"]) == {}
