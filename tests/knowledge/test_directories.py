"""Two processes, and two knowledge bases in one, on one directory."""

from pathlib import Path

import numpy as np
import pytest

from socrates.drafts import NewEntry
from socrates.errors import BusyError
from socrates.knowledge.index import Point, erase_index, open_index
from socrates.knowledge.knowledge_base import KnowledgeBase
from tests.knowledge.agreement import assert_agree
from tests.knowledge.processes import heard, killed, worker
from tests.support.knowledge import WordEmbedder, fresh_knowledge


async def test_a_second_process_is_told_that_the_directory_is_taken(tmp_path: Path) -> None:
    place = tmp_path / "index"
    async with fresh_knowledge(tmp_path, "library") as (store, knowledge):
        await knowledge.add(NewEntry("loans end after three weeks", "rules"), "library")
        with worker("try_to_open", tmp_path / "projects.db", place) as second:
            told = heard(second)["busy"]
        assert str(place) in told
        assert "SOCRATES_CHROMA_URL" in told
        await assert_agree(store, knowledge)
        await knowledge.add(NewEntry("fines are small", "rules"), "library")
        assert len(await assert_agree(store, knowledge)) == 2


async def test_the_directory_is_free_once_a_process_that_had_it_was_killed(tmp_path: Path) -> None:
    place = tmp_path / "index"
    async with fresh_knowledge(tmp_path, "library", index_dir=tmp_path / "elsewhere") as (store, _):
        with worker("stay", tmp_path / "projects.db", place) as process:
            assert heard(process) == {"opened": True}
            with pytest.raises(BusyError):
                await erase_index(place)
            killed(process)
            await erase_index(place)
            with worker("try_to_open", tmp_path / "projects.db", place) as another:
                assert heard(another) == {"busy": None}
        assert store.settings.index_dir == tmp_path / "elsewhere"


async def test_two_knowledge_bases_in_one_process_do_not_share_a_directory(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "library") as (store, knowledge):
        with pytest.raises(BusyError, match="somebody else has the index"):
            await KnowledgeBase.open(store, WordEmbedder())
        await knowledge.add(NewEntry("loans end after three weeks", "rules"), "library")
        await assert_agree(store, knowledge)
    async with fresh_knowledge(tmp_path, "library"):
        pass  # The refusal took nothing along, and the one before let go.


async def test_embedded_nothing_speaks_with_the_network(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, index_dir=tmp_path / "elsewhere"):
        with worker("use_without_network", tmp_path / "projects.db", tmp_path / "index") as process:
            assert heard(process) == {"found": 1}


async def test_a_full_disk_is_an_error_and_what_was_there_stays(tmp_path: Path) -> None:
    with worker("fill_the_disk", "unused", tmp_path / "index") as process:
        told = heard(process)
        assert told["in_vain"] or f"{tmp_path / 'index'} failed" in told["error"]
        process.process.wait()
    index = await open_index(tmp_path / "index", "words")
    try:
        assert await index.count() == 5
        points = [Point(f"key{number}", None, "facts", None) for number in range(1_000)]
        await index.put(points, np.ones((len(points), 384), dtype=np.float32))
        assert await index.count() == 1_000
    finally:
        await index.close()
