"""Keeping the index true to the tables: what the check at opening notices, catching up, making anew."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from socrates.drafts import NewEntry
from socrates.errors import ConfigurationError, DatabaseError, NotFoundError
from socrates.knowledge import upkeep
from socrates.knowledge.embeddings import as_vector
from socrates.knowledge.index import ChromaIndex, Point
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.store import Store
from tests.knowledge.agreement import assert_agree, finds
from tests.support.knowledge import DIMENSIONS, WordEmbedder, fresh_knowledge, with_projects
from tests.support.stores import fresh_store


def facts(count: int, name: str = "fact") -> list[NewEntry]:
    return [NewEntry(fact(each, name), "facts", id=f"{name}-{each}") for each in range(count)]


def fact(number: int, name: str = "fact") -> str:
    """A text whose counted words differ from others': of hundreds that are alike an index misses some."""
    return f"{name} {number} {number * 7} {number * 13}"


@asynccontextmanager
async def library(directory: Path, count: int = 10) -> AsyncIterator[Store]:
    """A store whose library knows so many facts; nobody has the index open."""
    async with fresh_store(directory, index_dir=directory / "index") as store:
        await with_projects(store, "library")
        async with KnowledgeBase.open(store, WordEmbedder()) as knowledge:
            await knowledge.add_many(facts(count), "library")
        yield store


async def reopened_is_right(store: Store, count: int = 10) -> None:
    async with KnowledgeBase.open(store, WordEmbedder()) as knowledge:
        assert len(await assert_agree(store, knowledge)) == count
        assert await finds(knowledge, fact(3), "fact-3")


async def first_held(index: ChromaIndex) -> tuple[Point, np.ndarray]:
    key = min(await index.keys())
    return (await index.held([key]))[key]


# The check


async def lose_one(index: ChromaIndex) -> None:
    await index.remove([min(await index.keys())])


async def have_one_too_many(index: ChromaIndex) -> None:
    await index.put([Point("f" * 64, "library", "facts", None)], np.ones((1, DIMENSIONS), dtype=np.float32))


async def swap_vectors(index: ChromaIndex) -> None:
    held = await index.held(sorted(await index.keys()))
    points, vectors = [each[0] for each in held.values()], np.stack([each[1] for each in held.values()])
    await index.put(points, vectors[::-1])


async def change_labels(index: ChromaIndex) -> None:
    point, vector = await first_held(index)
    await index.put([replace(point, source="b.md")], vector.reshape(1, -1))


async def change_category(index: ChromaIndex) -> None:
    point, vector = await first_held(index)
    await index.put([replace(point, category="rules")], vector.reshape(1, -1))


async def exchange_one(index: ChromaIndex) -> None:
    await lose_one(index)
    await have_one_too_many(index)


async def lose_all(index: ChromaIndex) -> None:
    await index.clear()


@pytest.mark.parametrize(
    "harm", [lose_one, have_one_too_many, swap_vectors, change_labels, change_category, exchange_one, lose_all]
)
async def test_the_check_mends_what_is_wrong(harm: Callable[[ChromaIndex], object], tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        async with KnowledgeBase.open(store, WordEmbedder(), check=False) as knowledge:
            await harm(knowledge._index)  # type: ignore[misc]
            with pytest.raises(AssertionError):
                await assert_agree(store, knowledge)
        await reopened_is_right(store)


async def test_a_sound_index_is_left_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with library(tmp_path) as store:
        await reopened_is_right(store)
    assert caplog.records == []


async def test_what_is_missing_or_too_much_is_mended_without_making_all_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with library(tmp_path, 100) as store:
        async with KnowledgeBase.open(store, WordEmbedder(), check=False) as knowledge:
            await lose_one(knowledge._index)
            await lose_one(knowledge._index)
            await have_one_too_many(knowledge._index)
        await reopened_is_right(store, 100)
    (record,) = caplog.records
    assert "is mended" in record.message


async def test_an_index_that_was_deleted_is_filled_again(tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        shutil.rmtree(tmp_path / "index")
        await reopened_is_right(store)


@pytest.mark.parametrize("name", ["header.bin", "data_level0.bin", None])
async def test_an_index_whose_graph_is_gone_is_made_anew(name: str | None, tmp_path: Path) -> None:
    async with library(tmp_path, 1_100) as store:
        (graph,) = (each for each in (tmp_path / "index").glob("*/*") if each.is_dir())
        if name is None:
            shutil.rmtree(graph)
        else:
            (graph / name).unlink()
        await reopened_is_right(store, 1_100)


async def test_the_check_takes_nobody_at_work_for_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with fresh_knowledge(tmp_path, "library") as (store, knowledge):
        await knowledge.add_many(facts(5), "library")

        async def change() -> None:
            for attempt in range(10):
                await knowledge.add_many(
                    [NewEntry(f"{attempt} {each.content}", "facts", id=each.id) for each in facts(5)], "library"
                )

        changing = asyncio.create_task(change())
        while not changing.done():
            await knowledge.check()
        await changing
        await assert_agree(store, knowledge)
    assert not [record for record in caplog.records if "made anew" in record.message]


async def test_what_changes_while_the_check_compares_is_no_damage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fresh_knowledge(tmp_path, "library") as (_store, knowledge):
        await knowledge.add_many(facts(5), "library")
        held, changes = knowledge._index.held, iter(range(100))

        async def held_a_moment_later(keys: Sequence[str]) -> dict[str, tuple[Point, np.ndarray]]:
            changed = f"{next(changes)} {fact(3)}"
            await knowledge.add_many([NewEntry(changed, "facts", id="fact-3")], "library")
            return await held(keys)

        monkeypatch.setattr(knowledge._index, "held", held_a_moment_later)
        await knowledge.check()
        assert next(changes) == 1
    assert caplog.records == []


async def test_what_waits_for_the_index_is_no_damage(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "library") as (store, knowledge):
        await knowledge.add_many(facts(5), "library")
        entries = await store.index_work.entries("", 5)
        await swap_vectors(knowledge._index)
        assert not await knowledge._upkeep._is_right_after("")
        async with store.begin() as unit:
            await unit.index_work.say_lost([each.entry_key for each in entries])
        assert await knowledge._upkeep._is_right_after("")


async def test_entries_of_another_model_are_refused_and_rebuilt(tmp_path: Path) -> None:
    class Longer(WordEmbedder):
        async def embed(self, texts: object, purpose: object) -> np.ndarray:
            vectors = await super().embed(texts, purpose)  # type: ignore[arg-type]
            return np.hstack([vectors, vectors]) / np.float32(np.sqrt(2))

    async with library(tmp_path) as store:
        with pytest.raises(ConfigurationError, match=r"10 entries have vectors of words.*socrates knowledge rebuild"):
            await KnowledgeBase.open(store, Longer("others"))
        told: list[tuple[int, int]] = []
        async with KnowledgeBase.open(store, Longer("others"), check=False) as knowledge:
            assert await knowledge.rebuild(lambda done, total: told.append((done, total))) == 10
            assert told == [(10, 20), (20, 20)]
            assert len(await assert_agree(store, knowledge)) == 10
            assert await finds(knowledge, fact(3), "fact-3")
        # The same name, and vectors of another length: the model was exchanged.
        async with KnowledgeBase.open(store, WordEmbedder("others")) as knowledge:
            with pytest.raises(DatabaseError, match="dimension"):
                await knowledge.search("something else", project_id="library")


# Catching up


async def test_tasks_that_add_and_delete_at_once_leave_nothing_undone(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "library") as (store, knowledge):
        await knowledge.add_many(facts(10, "old"), "library")
        await asyncio.gather(
            *(knowledge.add(each, "library") for each in facts(10)),
            *(knowledge.delete(f"old-{each}", "library") for each in range(5)),
            *(knowledge.check() for _ in range(2)),
        )
        assert len(await assert_agree(store, knowledge)) == 15


async def test_who_is_cancelled_at_any_moment_leaves_nothing_undone_for_long(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "library") as (store, knowledge):
        for attempt in range(30):
            tasks = [
                asyncio.create_task(knowledge.add_many(facts(3, f"new{attempt}"), "library")),
                asyncio.create_task(_delete(knowledge, f"new{attempt - 1}-0")),
            ]
            await asyncio.sleep(random.uniform(0, 0.03))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await knowledge.add(NewEntry(f"after {attempt}", "facts", id="after"), "library")
            there = await assert_agree(store, knowledge)
            assert await finds(knowledge, f"after {attempt}", "after")
            assert len({each for each in there if each.startswith(f"new{attempt}-")}) in (0, 3)


async def _delete(knowledge: KnowledgeBase, entry_id: str) -> None:
    with suppress(NotFoundError):
        await knowledge.delete(entry_id, "library")


async def test_who_is_cancelled_while_making_the_index_anew_leaves_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "BATCH", 5)
    async with fresh_knowledge(tmp_path, "library") as (store, knowledge):
        await knowledge.add_many(facts(30), "library")
        for pause in (0, 0.005, 0.01, 0.02, 0.03):
            rebuilding = asyncio.create_task(knowledge.rebuild())
            await asyncio.sleep(pause)
            rebuilding.cancel()
            await asyncio.wait([rebuilding])
            await knowledge.add(NewEntry(f"after {pause}", "facts", id="after"), "library")
            assert len(await assert_agree(store, knowledge)) == 31


# Making anew


async def test_others_search_and_add_while_the_index_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "BATCH", 10)
    async with fresh_knowledge(tmp_path, "library") as (store, knowledge):
        await knowledge.add_many(facts(60), "library")
        told: list[tuple[int, int]] = []
        rebuilding = asyncio.create_task(knowledge.rebuild(lambda done, total: told.append((done, total))))
        for each in facts(10, "new"):
            await knowledge.search(each.content, project_id="library", top_k=3)
            await knowledge.add(each, "library")
        assert 60 <= await rebuilding <= 70
        assert told[0] == (10, 60)
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]
        assert len(await assert_agree(store, knowledge)) == 70
        assert await finds(knowledge, fact(7, "new"), "new-7")


# Vectors in the tables


@pytest.mark.parametrize(
    "vector", [b"", b"123", np.ones(3, "<f4").tobytes(), np.full(DIMENSIONS, np.nan, "<f4").tobytes()]
)
async def test_an_entry_whose_stored_vector_is_damaged_gets_a_new_one(vector: bytes, tmp_path: Path) -> None:
    async with library(tmp_path) as store:
        async with store._engines.writer.begin() as connection:
            await connection.execute(
                text("UPDATE knowledge_entries SET vector = :vector WHERE id = 'fact-3'"), {"vector": vector}
            )
        async with KnowledgeBase.open(store, WordEmbedder(), check=False) as knowledge:
            await knowledge.rebuild()
            assert len(await assert_agree(store, knowledge)) == 10
            for entry in await store.index_work.entries("", 100):
                assert len(as_vector(entry.vector)) == DIMENSIONS
                assert np.isfinite(as_vector(entry.vector)).all()
            assert await finds(knowledge, fact(3), "fact-3")
