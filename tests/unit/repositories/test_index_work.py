from datetime import timedelta
from pathlib import Path

import pytest

from socrates.repositories.knowledge_entries import entry_key
from socrates.store import Store, UnitOfWork
from tests.support.stores import fresh_store
from tests.unit.repositories.entries import (
    OTHER_VECTOR,
    VECTOR,
    chunk,
    embedded,
    index_all,
    put,
    removals,
    say_all_done,
    waiting,
)
from tests.unit.repositories.rows import put_project

PLACES = pytest.mark.parametrize("place", ["p", None])


async def delete(store: Store, place: str | None, entry_id: str = "e") -> None:
    async with store.begin() as unit:
        await unit.knowledge_entries.delete(entry_id, place)


async def test_what_was_added_waits_the_longest_first_until_the_index_has_it(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        for key in "cab":
            await put(store, chunk(key, f"of {key}", id=key), project_id="p")
        first, second = await store.index_work.waiting(2)
        assert (first.entry_key, first.project_id, first.category) == (entry_key("p", "c"), "p", "imported_document")
        assert (first.source, first.vector) == ("of c", VECTOR)
        async with store.begin() as unit:
            await unit.index_work.say_indexed([first, second])
        assert await waiting(store) == [entry_key("p", "b")]
        assert await removals(store) == set()


@PLACES
async def test_what_changed_while_it_was_indexed_goes_on_waiting(tmp_path: Path, place: str | None) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        await put(store, embedded("first", id="e"), embedded("stays", id="f"), project_id=place)
        seen = await store.index_work.waiting(9)
        await put(store, embedded("second", id="e"), project_id=place)
        async with store.begin() as unit:
            await unit.index_work.say_indexed(seen)
        assert await waiting(store) == [entry_key(place, "e")]
        await index_all(store)
        assert await waiting(store) == []


@PLACES
async def test_what_is_gone_once_it_is_indexed_has_to_be_removed(tmp_path: Path, place: str | None) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        await put(store, embedded(id="e"), project_id=place)
        seen = await store.index_work.waiting(9)
        await delete(store, place)
        # Somebody else removed it, before this one put it in.
        await index_all(store)
        assert await removals(store) == set()
        async with store.begin() as unit:
            await unit.index_work.say_indexed(seen)
        assert await removals(store) == {entry_key(place, "e")}


@PLACES
async def test_what_came_back_while_it_was_removed_has_to_be_put_in(tmp_path: Path, place: str | None) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        await put(store, embedded(id="e"), project_id=place)
        await index_all(store)
        await delete(store, place)
        gone = await store.index_work.to_remove(9)
        assert gone == (entry_key(place, "e"),)
        await put(store, embedded(id="e"), project_id=place)
        assert await removals(store) == set()
        # Somebody else put it in, before this one removed it.
        await index_all(store)
        assert await waiting(store) == []
        async with store.begin() as unit:
            await unit.index_work.say_removed(gone)
        assert await waiting(store) == list(gone)


async def test_keys_of_what_is_gone_are_given_in_parts_until_they_are_removed(tmp_path: Path) -> None:
    keys = sorted(entry_key(None, str(number)) for number in range(1_200))
    async with fresh_store(tmp_path) as store:
        await put(store, *(embedded(f"text {number}", id=str(number)) for number in range(1_200)))
        await index_all(store)
        assert await waiting(store) == []
        async with store.begin() as unit:
            assert await unit.knowledge_entries.delete_all() == 1_200
        part = await store.index_work.to_remove(3)
        assert list(part) == keys[:3]
        async with store.begin() as unit:
            await unit.index_work.say_removed(part)
        assert await removals(store) == set(keys[3:])
        await index_all(store)
        assert await removals(store) == set()


async def test_what_the_index_lost_waits_again(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        for place in ("p", None):
            await put(store, embedded(id="e"), embedded("more"), project_id=place)
        await index_all(store)
        lost = sorted(entry_key(place, "e") for place in ("p", None))
        async with store.begin() as unit:
            await unit.index_work.say_lost([*lost, "unknown"])
        assert await waiting(store) == lost


async def test_nothing_is_done_for_nothing(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            await unit.index_work.say_indexed([])
            await unit.index_work.say_removed([])
            await unit.index_work.say_lost([])
            await unit.index_work.embed([], "m")
        assert await store.index_work.models() == {}


async def test_all_entries_are_read_in_the_order_of_their_keys(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        for place in ("p", None):
            await put(store, *(embedded(text) for text in "abc"), project_id=place)
        await index_all(store)
        found, after = [], ""
        while batch := await store.index_work.entries(after, 2):
            assert [each.entry_key for each in batch] == list(await store.index_work.keys(after, 2))
            found += batch
            after = batch[-1].entry_key
    assert [each.entry_key for each in found] == sorted({each.entry_key for each in found})
    assert len(found) == 6


# Vectors of another model


async def embed_again(unit: UnitOfWork, model: str = "new") -> None:
    texts = await unit.index_work.of_other_models(model, 10)
    await unit.index_work.embed([(text, OTHER_VECTOR) for text in texts], model)


async def test_entries_of_other_models_get_vectors_of_this_one_and_wait(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        await put(store, embedded(id="old", model="a"), project_id="p")
        await put(store, embedded(id="older", model="z"))
        await put(store, embedded(id="right", model="new"))
        await index_all(store)
        assert await store.index_work.models() == {"a": 1, "z": 1, "new": 1}
        assert len(await store.index_work.of_other_models("new", 1)) == 1
        async with store.begin() as unit:
            await embed_again(unit)
        assert await store.index_work.models() == {"new": 3}
        assert await store.index_work.of_other_models("new", 9) == ()
        assert await waiting(store) == sorted([entry_key("p", "old"), entry_key(None, "older")])
        assert {each.vector for each in await store.index_work.waiting(9)} == {OTHER_VECTOR}


@PLACES
async def test_what_changed_while_it_was_embedded_is_left_alone(tmp_path: Path, place: str | None) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        await put(store, embedded("first", id="e"), embedded("gone", id="f"), project_id=place)
        texts = await store.index_work.of_other_models("new", 9)
        await put(store, embedded("second", id="e"), project_id=place)
        await delete(store, place, "f")
        async with store.begin() as unit:
            await unit.index_work.embed([(text, OTHER_VECTOR) for text in texts], "new")
        assert await store.index_work.models() == {"m": 1}
        (entry,) = await store.index_work.waiting(9)
        assert entry.vector == VECTOR


async def test_a_unit_sees_what_it_left_to_do(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store, store.begin() as unit:
        await unit.knowledge_entries.put([embedded(id="e")])
        (seen,) = await unit.index_work.waiting(9)
        await say_all_done(unit)
        assert await unit.index_work.waiting(9) == ()
        await unit.knowledge_entries.put([embedded("other", id="e")])
        (again,) = await unit.index_work.waiting(9)
        assert again.updated_at - seen.updated_at < timedelta(minutes=1)
        assert again.updated_at != seen.updated_at
