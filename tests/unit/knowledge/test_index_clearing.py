"""An index that is made anew while others use it."""

import asyncio
from pathlib import Path

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
