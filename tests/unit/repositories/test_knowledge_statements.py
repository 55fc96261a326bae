"""What calls on entries of knowledge cost, and that none of them reads a whole table."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from socrates.repositories.knowledge_entries import entry_key, id_of
from socrates.store import Store, UnitOfWork
from tests.support.stores import counted, fresh_store, is_on_sqlite
from tests.unit.repositories.entries import OTHER_VECTOR, chunk, embedded, index_all, keep, put, put_uploaded
from tests.unit.repositories.plans import indexes_used, query_plan, scans
from tests.unit.repositories.rows import put_project

KEYS = [entry_key("p", each) for each in "efghijkl"]
_seen: dict[str, Any] = {}

READS: dict[str, Callable[[Store], Awaitable[Any]]] = {
    "entry": lambda store: store.knowledge_entries.entry("e", "p"),
    "entries": lambda store: store.knowledge_entries.entries("p"),
    "entries, next page": lambda store: store.knowledge_entries.entries("p", limit=1, after=_seen["first"]),
    "everybody's entries": lambda store: store.knowledge_entries.entries(),
    "everybody's, next page": lambda store: store.knowledge_entries.entries(limit=1, after=_seen["first"]),
    "count": lambda store: store.knowledge_entries.count("p"),
    "count of everybody's": lambda store: store.knowledge_entries.count(),
    "documents": lambda store: store.knowledge_entries.documents("p"),
    "everybody's documents": lambda store: store.knowledge_entries.documents(),
    "visible": lambda store: store.knowledge_entries.visible(KEYS, "p"),
    "visible to all": lambda store: store.knowledge_entries.visible(KEYS),
    "waiting": lambda store: store.index_work.waiting(9),
    "to_remove": lambda store: store.index_work.to_remove(9),
    "all entries": lambda store: store.index_work.entries(KEYS[0], 9),
    "all keys": lambda store: store.index_work.keys(KEYS[0], 9),
    "of_other_models": lambda store: store.index_work.of_other_models("n", 9),
    "vectors": lambda store: store.embeddings.find("m", KEYS),
}
WRITES: dict[str, tuple[int, int, int, Callable[[UnitOfWork], Awaitable[Any]]]] = {
    "put new": (3, 3, 1, lambda unit: unit.knowledge_entries.put([embedded(id=key) for key in "xyz"], "p")),
    "put new for all": (3, 3, 1, lambda unit: unit.knowledge_entries.put([embedded(id="x")])),
    "put new of a document": (4, 4, 1, lambda unit: unit.knowledge_entries.put([chunk("new", document_id="d")], "p")),
    "put changed": (2, 3, 1, lambda unit: unit.knowledge_entries.put([embedded("changed", id="e")], "p")),
    "put what is there": (1, 2, 1, lambda unit: unit.knowledge_entries.put([embedded(id="e")], "p")),
    "put nothing": (0, 0, 1, lambda unit: unit.knowledge_entries.put([], "p")),
    "delete": (3, 2, 1, lambda unit: unit.knowledge_entries.delete("e", "p")),
    "delete everybody's": (3, 2, 1, lambda unit: unit.knowledge_entries.delete("e")),
    "delete_all": (3, 2, 1, lambda unit: unit.knowledge_entries.delete_all("p")),
    "delete_source": (4, 3, 1, lambda unit: unit.knowledge_entries.delete_source("f")),
    "delete_source, uploaded": (6, 3, 1, lambda unit: unit.knowledge_entries.delete_source("a.txt", "p")),
    "keep_only": (4, 3, 1, lambda unit: unit.knowledge_entries.keep_only("a.txt", ["other"], "p")),
    "keep_only, all of it": (1, 2, 1, lambda unit: unit.knowledge_entries.keep_only("a.txt", [_seen["chunk"]], "p")),
    "delete a document": (4, 2, 0, lambda unit: unit.knowledge.delete_document("d")),
    "say_indexed": (2, 3, 0, lambda unit: unit.index_work.say_indexed(_seen["waiting"])),
    "say_removed": (2, 2, 0, lambda unit: unit.index_work.say_removed(["gone", "too"])),
    "say_lost": (1, 2, 0, lambda unit: unit.index_work.say_lost(KEYS)),
    "embed": (1, 2, 0, lambda unit: unit.index_work.embed([(text, OTHER_VECTOR) for text in _seen["texts"]], "n")),
    "keep": (1, 2, 0, lambda unit: unit.embeddings.keep("m", {"a": OTHER_VECTOR, "b": OTHER_VECTOR})),
}
"""Statements, crossings with the commit, locks on PostgreSQL, and the call."""


async def fill(store: Store) -> None:
    await put_project(store, "p", "ada")
    await put_uploaded(store, "p", "d")
    await put(store, embedded(id="e"), embedded(id="f"), chunk(), project_id="p")
    await put(store, embedded(id="e"), chunk(source="f"))
    await index_all(store)
    await keep(store, "text", "more")
    await put(store, embedded("waits", id="w"), project_id="p")
    _seen["chunk"] = id_of(chunk().entry)
    _seen["waiting"] = await store.index_work.waiting(9)
    _seen["texts"] = [each for each in await store.index_work.of_other_models("n", 9) if each.project_id == "p"]
    _seen["first"], *_ = await store.knowledge_entries.entries("p")


@pytest.mark.parametrize("name", READS)
async def test_a_read_is_one_statement_in_one_crossing_and_scans_no_table(name: str, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        await store.health()  # opens a reader
        with counted(store) as cost:
            await READS[name](store)
        cost.must_be(statements=1, crossings=1)
        assert await scans(store, cost.statements) == []


@pytest.mark.parametrize("name", ["visible", "visible to all"])
async def test_what_is_visible_is_looked_up_by_its_keys_however_much_there_is(name: str, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        with counted(store) as cost:
            await READS[name](store)
        if is_on_sqlite(store):
            assert "(entry_key=?)" in await query_plan(store, cost.statements)
        else:
            assert "pk_knowledge_entries" in await indexes_used(store, cost.statements)


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_is_as_many_statements_as_promised_and_scans_no_table(name: str, tmp_path: Path) -> None:
    statements, crossings, locks, write = WRITES[name]
    async with fresh_store(tmp_path) as store:
        await fill(store)
        with counted(store) as cost:
            async with store.begin() as unit:
                await write(unit)
        cost.must_be(statements, crossings, locks)
        assert await scans(store, cost.statements) == []


INDEXED = {
    "documents": "ix_knowledge_entries_project_id_source_document_id_created_at",
    "everybody's documents": "ix_knowledge_entries_project_id_source_document_id_created_at",
    "entries, next page": "ix_knowledge_entries_project_id_created_at_id",
    "waiting": "ix_knowledge_entries_updated_at",
}


@pytest.mark.parametrize("name", INDEXED)
async def test_a_list_is_read_in_the_order_of_its_index(name: str, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        with counted(store) as cost:
            await READS[name](store)
        if is_on_sqlite(store):
            plan = await query_plan(store, cost.statements)
            assert INDEXED[name] in plan
            assert "TEMP B-TREE" not in plan
        else:
            assert INDEXED[name] in await indexes_used(store, cost.statements)


@pytest.mark.sqlite
@pytest.mark.parametrize("name", ["count", "all keys"])
async def test_what_tells_no_content_reads_none(name: str, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        with counted(store) as cost:
            await READS[name](store)
        assert "COVERING INDEX" in await query_plan(store, cost.statements)


@pytest.mark.sqlite
async def test_models_are_counted_in_an_index_and_old_vectors_are_looked_for_among_all(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        with counted(store) as cost:
            await store.index_work.models()
            async with store.begin() as unit:
                await unit.embeddings.prune(datetime.now(UTC))
        assert await scans(store, cost.statements) == [
            "SCAN knowledge_entries USING COVERING INDEX ix_knowledge_entries_model",
            "SCAN embedding_cache",
        ]
