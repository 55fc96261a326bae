"""What is deleted leaves its key for the index to forget, and no vector; nothing else does."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from socrates.errors import NotFoundError
from socrates.models import KnowledgeEntry
from socrates.repositories.knowledge_entries import entry_key
from socrates.store import Store, UnitOfWork
from tests.support.stores import fresh_store, thrown_away
from tests.unit.repositories.entries import chunk, embedded, index_all, keep, kept, put, put_uploaded, removals
from tests.unit.repositories.rows import put_project, put_users, stored

TEXTS = ("one", "two", "a file's", "everybody's", "in q", "d 0", "d 1", "of both")


def _keys(project_id: str | None, *ids: str) -> set[str]:
    return {entry_key(project_id, key) for key in ids}


DELETIONS: dict[str, tuple[Callable[[UnitOfWork], Awaitable[Any]], set[str], set[str]]] = {
    "one": (lambda unit: unit.knowledge_entries.delete("one", "p"), _keys("p", "one"), {"one"}),
    "everybody's": (
        lambda unit: unit.knowledge_entries.delete("everybody's"),
        _keys(None, "everybody's"),
        {"everybody's"},
    ),
    "source": (
        lambda unit: unit.knowledge_entries.delete_source("f", "p"),
        _keys("p", "a file's"),
        {"a file's"},
    ),
    "others of a file": (
        lambda unit: unit.knowledge_entries.keep_only("f", ["one"], "p"),
        _keys("p", "a file's"),
        {"a file's"},
    ),
    "uploaded source": (
        lambda unit: unit.knowledge_entries.delete_source("a.txt", "p"),
        _keys("p", "d 0", "d 1"),
        {"d 0", "d 1"},
    ),
    "document": (lambda unit: unit.knowledge.delete_document("d"), _keys("p", "d 0", "d 1"), {"d 0", "d 1"}),
    "all of a project": (
        lambda unit: unit.knowledge_entries.delete_all("p"),
        _keys("p", "one", "two", "a file's", "d 0", "d 1", "of both"),
        {"one", "two", "a file's", "d 0", "d 1", "of both"},
    ),
    "all of everybody's": (
        lambda unit: unit.knowledge_entries.delete_all(),
        _keys(None, "everybody's"),
        {"everybody's"},
    ),
    "project": (
        lambda unit: unit.projects.delete("p"),
        _keys("p", "one", "two", "a file's", "d 0", "d 1", "of both"),
        {"one", "two", "a file's", "d 0", "d 1", "of both"},
    ),
    "user": (
        lambda unit: unit.users.delete_permanently("ada"),
        _keys("p", "one", "two", "a file's", "d 0", "d 1", "of both"),
        {"one", "two", "a file's", "d 0", "d 1", "of both"},
    ),
}
"""Calls, the keys that they leave, and the texts whose vectors go."""


async def fill(store: Store) -> None:
    """ada's project "p" and bob's "q", what they and everybody know, and the vectors of all of it by two models."""
    await put_users(store, "ada", "bob")
    await put_project(store, "p", "ada")
    await put_project(store, "q", "bob", {"username": "ada"})
    await put_uploaded(store, "p", "d")
    own = [embedded(text, id=text) for text in ("one", "two", "of both")]
    await put(store, *own, chunk("a file's", "f", id="a file's"), project_id="p")
    await put(store, *(embedded(text, id=text) for text in ("in q", "of both")), project_id="q")
    await put(store, embedded("everybody's", id="everybody's"))
    await index_all(store)
    for model in ("m", "earlier"):
        await keep(store, *TEXTS, model=model)


@pytest.mark.parametrize("name", DELETIONS)
async def test_a_deletion_leaves_the_keys_and_takes_the_vectors_along(tmp_path: Path, name: str) -> None:
    delete, keys, texts = DELETIONS[name]
    async with fresh_store(tmp_path) as store:
        await fill(store)
        before = {key for (key,) in await stored(store, KnowledgeEntry, "entry_key")}
        async with store.begin() as unit:
            await delete(unit)
        assert await removals(store) == keys
        assert {key for (key,) in await stored(store, KnowledgeEntry, "entry_key")} == before - keys
        for model in ("m", "earlier"):
            assert await kept(store, *TEXTS, model=model) == set(TEXTS) - texts


@pytest.mark.parametrize("name", DELETIONS)
async def test_a_deletion_that_is_rolled_back_leaves_nothing(tmp_path: Path, name: str) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        async with thrown_away(store) as unit:
            await DELETIONS[name][0](unit)
        assert await removals(store) == set()
        assert await kept(store, *TEXTS) == set(TEXTS)


async def test_deletions_tell_how_many_and_what_is_not_there(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        async with store.begin() as unit:
            assert await unit.knowledge_entries.delete_source("a.txt", "p") == 2
            assert await unit.knowledge_entries.delete_all("p") == 4
            assert await unit.knowledge_entries.delete_all("p") == 0
            for missing in (
                unit.knowledge_entries.delete("one", "p"),
                unit.knowledge_entries.delete("in q"),
                unit.knowledge_entries.delete_source("a.txt", "p"),
                unit.knowledge_entries.delete_source("f"),
            ):
                with pytest.raises(NotFoundError):
                    await missing
        assert await store.knowledge.documents_of_project("p") == ()


async def test_documents_of_other_names_and_projects_stay(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        await put_uploaded(store, "q", "of q")
        await put_uploaded(store, "p", "other name", "b.txt")
        async with store.begin() as unit:
            await unit.knowledge_entries.delete_source("a.txt", "p")
        assert [document.id for document in await store.knowledge.documents_of_user("ada")] == ["of q", "other name"]
        assert await store.knowledge_entries.count("q") == 4


async def test_of_a_file_those_are_kept_that_are_named_and_what_is_no_part_of_it(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        await put(store, *(chunk(f"chunk {n}", id=f"chunk {n}") for n in range(1_200)), project_id="p")
        for place in ("q", None):
            await put(store, chunk("elsewhere", id="chunk 5"), project_id=place)
        await put(store, chunk("another", "b.txt", id="another"), embedded("no chunk", source="a.txt"), project_id="p")
        before = {key for (key,) in await stored(store, KnowledgeEntry, "entry_key")}
        async with store.begin() as unit:
            assert await unit.knowledge_entries.keep_only("a.txt", {"chunk 7", "chunk 900", "unknown"}, "p") == 1_198
            assert await unit.knowledge_entries.keep_only("a.txt", {"chunk 7", "chunk 900"}, "p") == 0
        gone = _keys("p", *(f"chunk {n}" for n in range(1_200) if n not in (7, 900)))
        assert {key for (key,) in await stored(store, KnowledgeEntry, "entry_key")} == before - gone
        assert await removals(store) == gone


async def test_an_entry_that_is_added_while_its_project_is_deleted_is_forgotten_too(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")

        async def delete() -> None:
            async with store.begin() as unit:
                await unit.projects.delete("p")

        async with store.begin() as unit:
            await unit.knowledge_entries.put([embedded(id="late")], "p")
            deleting = asyncio.create_task(delete())
            await asyncio.sleep(0.2)
        await deleting
        assert await stored(store, KnowledgeEntry, "entry_key") == []
        assert await removals(store) == _keys("p", "late")


async def test_a_project_that_is_handed_over_keeps_what_it_knows(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada", "bob")
        await put_project(store, "p", "ada", {"username": "bob"})
        await put(store, embedded("one", id="one"), project_id="p")
        await keep(store, "one")
        async with store.begin() as unit:
            await unit.users.delete_permanently("ada")
        assert (await store.knowledge_entries.entry("one", "p")).content == "one"
        assert (await removals(store), await kept(store, "one")) == (set(), {"one"})


async def test_what_a_project_knows_is_exported_with_it(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        tables = (await store.users.export("ada"))["tables"]
        of_member = (await store.users.export("bob"))["tables"]
    assert {row["id"] for row in tables["knowledge_entries"]} == {"one", "two", "a file's", "d 0", "d 1", "of both"}
    assert {row["id"] for row in of_member["knowledge_entries"]} == {"in q", "of both"}
    assert "knowledge_removals" not in tables
    assert "embedding_cache" not in tables
