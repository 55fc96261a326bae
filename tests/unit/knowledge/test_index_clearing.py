"""An index that is made anew while others use it, and one that begins."""

import asyncio
import time
from pathlib import Path

import pytest
from chromadb import Collection

from tests.unit.knowledge.indexes import opened, point, some_vectors


async def test_who_reads_while_it_is_cleared_finds_something_or_nothing_and_no_error(tmp_path: Path) -> None:
    """Chroma deletes a collection in steps, and between two of them it has errors of its own for who asks."""
    vectors = some_vectors(50)
    async with opened(tmp_path) as index:

        async def clear() -> None:
            for _ in range(20):
                await index.put([point(number, "library") for number in range(50)], vectors)
                await index.clear()

        async with asyncio.TaskGroup() as group:
            clearing = group.create_task(clear())
            while not clearing.done():
                asked = (index.nearest(vectors[0], 3, project_id) for project_id in ("library", "shop", "hall", None))
                found = await asyncio.gather(*asked, index.count(), index.keys(), index.held(["key0"]))
                assert len(found[0]) in (0, 3)
        assert await index.count() == 0


async def test_nobody_reads_while_the_first_entries_are_put_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 860 readings beside the first entries of a collection, Chroma answered 69 with labels that had no vector."""
    upsert, get = Collection.upsert, Collection.get
    is_putting = False
    beside: list[bool] = []

    def slow_upsert(collection: Collection, **entries: object) -> None:
        nonlocal is_putting
        is_putting = True
        time.sleep(0.1)
        upsert(collection, **entries)  # type: ignore[arg-type]
        is_putting = False

    def noted_get(collection: Collection, **asked: object) -> object:
        beside.append(is_putting)
        return get(collection, **asked)  # type: ignore[arg-type]

    monkeypatch.setattr(Collection, "upsert", slow_upsert)
    monkeypatch.setattr(Collection, "get", noted_get)
    async with opened(tmp_path) as index:

        async def has_readers_beside(number: int, project_id: str | None) -> bool:
            beside.clear()
            putting = asyncio.create_task(index.put([point(number, project_id)], some_vectors(1)))
            while not putting.done():
                await asyncio.gather(*(index.held(["key0"]) for _ in range(3)))
            await putting
            return any(beside)

        for project_id in (None, "library"):
            assert not await has_readers_beside(0, project_id)
            assert await has_readers_beside(1, project_id)
        await index.clear()
        assert not await has_readers_beside(0, "library")
