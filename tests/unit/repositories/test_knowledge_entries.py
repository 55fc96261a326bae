import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from socrates.drafts import NewEntry, NewMessage
from socrates.errors import InvalidValueError, NotFoundError, ProjectNotFoundError
from socrates.repositories.cached_rows import KNOWN_BY_SCOPE, KNOWN_IN_PROJECT
from socrates.repositories.knowledge_entries import Embedded, Put, entry_key, id_of
from socrates.store import UnitOfWork
from socrates.views import ImportedDocument
from tests.support.stores import fresh_store
from tests.unit.repositories.entries import VECTOR, chunk, embedded, index_all, put, put_uploaded, waiting
from tests.unit.repositories.rows import put_project

HOSTILE_IDS = (
    "",
    " ",
    "\n",
    "'; DROP TABLE knowledge_entries; --",
    '["p", "x"]',
    "null",
    "../x",
    "é",
    "e\u0301",
    "🎈",
    "%",
)


async def test_a_new_entry_is_found_with_all_that_it_was_given(tmp_path: Path) -> None:
    details = {"a": [1, True, 1.0], "at": datetime(2026, 1, 1, tzinfo=UTC), 7: None, "$x": Decimal("1.0")}
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        before = datetime.now(UTC)
        assert await put(
            store, embedded("größer €", "topic", id="e", source="s", details=details), project_id="p"
        ) == Put(1, 0, 0)
        entry = await store.knowledge_entries.entry("e", "p")
        assert (entry.id, entry.project_id, entry.content, entry.category) == ("e", "p", "größer €", "topic")
        assert (entry.source, entry.document_id) == ("s", None)
        assert repr(entry.details["a"]) == "(1, True, 1.0)"
        assert (entry.details["at"], entry.details[7], entry.details["$x"]) == (details["at"], None, Decimal("1.0"))
        assert before <= entry.created_at == entry.updated_at <= datetime.now(UTC)
        with pytest.raises(NotFoundError):
            await store.knowledge_entries.entry("e")


async def test_an_entry_without_an_id_gets_one_of_its_text(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        given = embedded("a text")
        assert await put(store, given) == Put(1, 0, 0)
        assert await put(store, given) == Put(0, 0, 1)
        assert (await store.knowledge_entries.entry(id_of(given.entry))).content == "a text"


CHANGES: dict[str, dict[str, Any]] = {
    "content": {"content": "other"},
    "category": {"category": "other"},
    "source": {"source": "other"},
    "details": {"details": {"n": True}},
    "no details": {"details": {}},
    "a time zone": {"details": {"n": 1, "at": datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))}},
}
WHAT_IS_THERE = NewEntry("text", "topic", id="e", source="s", details={"n": 1})


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_an_entry_that_differs_is_changed_and_waits_for_the_index(tmp_path: Path, change: dict[str, Any]) -> None:
    async with fresh_store(tmp_path) as store:
        await put(store, Embedded(WHAT_IS_THERE, VECTOR, "m"))
        await index_all(store)
        first = await store.knowledge_entries.entry("e")
        other = replace(WHAT_IS_THERE, **change)
        assert await store.knowledge_entries.changed([other], None, "m") == (other,)
        assert await put(store, Embedded(other, VECTOR, "m")) == Put(0, 1, 0)
        entry = await store.knowledge_entries.entry("e")
        assert {name: getattr(entry, name) for name in change} == change
        assert entry.created_at == first.created_at
        assert entry.updated_at > first.updated_at
        assert await waiting(store) == [entry_key(None, "e")]


SAME: dict[str, dict[str, Any]] = {
    "set": {"tags": {"b", "a", "c", "dd", "ee"}},
    "zone": {"at": datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Berlin"))},
    "floats": {"x": [float("nan"), -0.0, 1e300]},
    "nested": {"deep": {"list": [1, {"a": (1, "b")}], 1: b"\0"}},
}


@pytest.mark.parametrize("details", SAME.values(), ids=SAME)
async def test_an_entry_that_is_there_just_so_is_left_alone(tmp_path: Path, details: dict[str, Any]) -> None:
    async with fresh_store(tmp_path) as store:
        entry = embedded(id="e", details=details)
        await put(store, entry)
        await index_all(store)
        first = await store.knowledge_entries.entry("e")
        assert await store.knowledge_entries.changed([entry.entry], None, "m") == ()
        assert await put(store, entry) == Put(0, 0, 1)
        assert await store.knowledge_entries.entry("e") == first or "nan" in repr(first)
        assert await waiting(store) == []
        assert await store.knowledge_entries.changed([entry.entry], None, "another model") == (entry.entry,)
        assert await put(store, replace(entry, model="another model")) == Put(0, 1, 0)


async def test_an_id_is_another_entry_in_each_project_and_for_everybody(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for project in ("p", "q"):
            await put_project(store, project, "ada")
        for place in ("p", "q", None):
            assert await put(store, embedded(f"of {place}", id="e"), project_id=place) == Put(1, 0, 0)
        assert await put(store, embedded("changed", id="e"), project_id="q") == Put(0, 1, 0)
        found = [(await store.knowledge_entries.entry("e", place)).content for place in ("p", "q", None)]
        assert found == ["of p", "changed", "of None"]
        async with store.begin() as unit:
            await unit.knowledge_entries.delete("e")
        assert [await store.knowledge_entries.count(place) for place in ("p", "q", None)] == [1, 1, 0]


async def test_of_several_with_one_id_the_last_counts(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        assert await put(store, *(embedded(text, id="e") for text in "abc")) == Put(1, 0, 0)
        assert (await store.knowledge_entries.entry("e")).content == "c"
        assert await put(store, *(embedded(text, id="e") for text in "xyc")) == Put(0, 0, 1)


async def test_nothing_is_added_to_a_project_that_is_not_there(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        with pytest.raises(ProjectNotFoundError):
            await put(store, embedded(id="e"), project_id="p")
        assert await store.knowledge_entries.count("p") == 0
        assert await put(store) == Put(0, 0, 0)


@pytest.mark.parametrize("project_id", ["q", None])
async def test_a_chunk_belongs_to_a_document_of_its_own_project(tmp_path: Path, project_id: str | None) -> None:
    async with fresh_store(tmp_path) as store:
        for project in ("p", "q"):
            await put_project(store, project, "ada")
        await put_uploaded(store, "p", "d")
        for document_id in ("d", "nothing"):
            with pytest.raises(NotFoundError) as raised:
                await put(store, chunk(id="e", document_id=document_id), project_id=project_id)
            assert (raised.value.kind, raised.value.key) == ("document", document_id)
        with pytest.raises(NotFoundError):
            await put(store, chunk("changed", id="d 0", document_id="nothing"), project_id="p")
        assert await store.knowledge_entries.count(project_id) == 0


async def test_ids_of_any_form_are_told_apart_and_found(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        await put_project(store, "null", "ada")
        for place in ("p", "null", None):
            entries = [embedded(f"{number} of {place}", id=key) for number, key in enumerate(HOSTILE_IDS)]
            assert await put(store, *entries, project_id=place) == Put(len(entries), 0, 0)
        for place in ("p", "null", None):
            for number, key in enumerate(HOSTILE_IDS):
                assert (await store.knowledge_entries.entry(key, place)).content == f"{number} of {place}"
        assert len({entry_key(place, key) for place in ("p", "null", None) for key in HOSTILE_IDS}) == 3 * len(
            HOSTILE_IDS
        )


async def test_an_id_of_a_megabyte_is_stored_or_refused(tmp_path: Path, engine: str) -> None:
    long = "x" * 2**20
    async with fresh_store(tmp_path) as store:
        if engine == "sqlite":
            await put(store, embedded(id=long))
            assert (await store.knowledge_entries.entry(long)).id == long
        else:
            for refused in (embedded(id=long), chunk(source=long)):
                with pytest.raises(InvalidValueError):
                    await put(store, refused)
            assert await store.knowledge_entries.count() == 0
        with pytest.raises(NotFoundError):
            await store.knowledge_entries.entry("y" * 2**20)


WRONG: dict[str, dict[str, Any]] = {
    "content": {"content": 5},
    "no content": {"content": None},
    "category": {"category": None},
    "id": {"id": 5},
    "source": {"source": b"s"},
    "document": {"document_id": 5},
    "details": {"details": [1]},
    "details of no form": {"details": {"a": object()}},
    "lone surrogate": {"content": "\ud800"},
    "lone surrogate as id": {"id": "\ud800"},
    "lone surrogate as source": {"source": "\ud800"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("is_there", [False, True])
async def test_what_cannot_be_stored_is_refused(tmp_path: Path, wrong: dict[str, Any], is_there: bool) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        if is_there:
            await put(store, embedded(id="e"), project_id="p")
        entry = replace(NewEntry("other", "topic", id="e"), **wrong)
        with pytest.raises(InvalidValueError):
            await put(store, Embedded(entry, VECTOR, "m"), project_id="p")
        assert await store.knowledge_entries.count("p") == is_there


@pytest.mark.postgres
@pytest.mark.parametrize("name", ["content", "category", "id", "source"])
async def test_no_text_of_an_entry_holds_nul_on_postgres(tmp_path: Path, name: str) -> None:
    async with fresh_store(tmp_path) as store:
        with pytest.raises(InvalidValueError):
            await put(store, Embedded(replace(WHAT_IS_THERE, **{name: "SECRET\0"}), VECTOR, "m"))


@pytest.mark.parametrize("vector", [b"", b"abc", "text", None])
async def test_a_vector_is_whole_numbers_of_four_bytes(tmp_path: Path, vector: Any) -> None:
    async with fresh_store(tmp_path) as store:
        with pytest.raises(InvalidValueError, match="vector"):
            await put(store, Embedded(WHAT_IS_THERE, vector, "m"))


@pytest.mark.parametrize("wrong", [5, b"p", ("p",)], ids=str)
async def test_ids_are_texts(tmp_path: Path, wrong: Any) -> None:
    async with fresh_store(tmp_path) as store:
        read = store.knowledge_entries
        for call in (read.entries, read.count, read.documents):
            with pytest.raises(InvalidValueError):
                await call(wrong)
        for of in ((wrong,), ("e", wrong)):
            with pytest.raises(InvalidValueError):
                await read.entry(*of)
        with pytest.raises(InvalidValueError):
            await read.visible([], wrong)
        with pytest.raises(InvalidValueError):
            await put(store, embedded(), project_id=wrong)


# Lists


@pytest.mark.parametrize("size", [1, 2, 3, 50])
async def test_pages_of_entries_hold_each_one_once(tmp_path: Path, size: int) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        await put(store, embedded("everybody's"))
        for batch in ("xb", "ca", "zd"):
            await put(store, *(embedded(key, id=key) for key in batch), project_id="p")
        whole = await store.knowledge_entries.entries("p")
        assert [entry.id for entry in whole] == ["b", "x", "a", "c", "d", "z"]
        found = []
        page = await store.knowledge_entries.entries("p", limit=size)
        while page:
            assert len(page) <= size
            found += page
            page = await store.knowledge_entries.entries("p", limit=size, after=page[-1])
        assert tuple(found) == whole
        assert await store.knowledge_entries.entries("p", after=whole[3]) == whole[4:]
        with pytest.raises(InvalidValueError):
            await store.knowledge_entries.entries("p", limit=0)


async def test_documents_are_listed_by_name_with_the_number_of_their_chunks(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for project in ("p", "q"):
            await put_project(store, project, "ada")
        await put_uploaded(store, "p", "d2", "b.txt")
        await put_uploaded(store, "p", "d1", "b.txt")
        await put(store, chunk("1"), chunk("2"), chunk("3"), embedded("no chunk", source="c.txt"), project_id="p")
        await put(store, chunk("a text", None), project_id="p")
        await put(store, chunk("4", "z.txt"))
        found = await store.knowledge_entries.documents("p")
        assert [(each.source, each.project_id, each.document_id, each.chunks) for each in found] == [
            ("a.txt", "p", None, 3),
            ("b.txt", "p", "d1", 2),
            ("b.txt", "p", "d2", 2),
        ]
        assert found[0].imported_at == min(
            entry.created_at for entry in await store.knowledge_entries.entries("p") if entry.source == "a.txt"
        )
        (entry,) = await store.knowledge_entries.entries()
        assert await store.knowledge_entries.documents() == (
            ImportedDocument("z.txt", None, None, 1, entry.created_at),
        )
        assert await store.knowledge_entries.documents("q") == ()


# Who sees what


async def test_a_project_sees_its_own_and_everybodys_and_nothing_else(tmp_path: Path) -> None:
    places = ("p", "q", None)
    async with fresh_store(tmp_path) as store:
        for project in ("p", "q"):
            await put_project(store, project, "ada")
        for place in places:
            await put(store, embedded(f"of {place}", id="e"), project_id=place)
        keys = [entry_key(place, "e") for place in places] + ["unknown"]
        seen = {
            place: {entry.content for entry, _ in await store.knowledge_entries.visible(keys, place)}
            for place in (*places, "nowhere")
        }
        (_, vector), _ = await store.knowledge_entries.visible(keys, "p")
    assert seen == {
        "p": {"of p", "of None"},
        "q": {"of q", "of None"},
        None: {"of None"},
        "nowhere": {"of None"},
    }
    assert vector == VECTOR


# What searches have to be told

SEARCHES = {"p": (KNOWN_BY_SCOPE("global"), KNOWN_IN_PROJECT("p")), "all": (KNOWN_BY_SCOPE("global"),)} | {
    "q": (KNOWN_BY_SCOPE("global"), KNOWN_IN_PROJECT("q"))
}
WRITES: dict[str, tuple[Callable[[UnitOfWork], Awaitable[Any]], set[str]]] = {
    "add": (lambda unit: unit.knowledge_entries.put([embedded(id="new")], "p"), {"p"}),
    "add for all": (lambda unit: unit.knowledge_entries.put([embedded(id="new")]), {"p", "q", "all"}),
    "change": (lambda unit: unit.knowledge_entries.put([embedded("changed", id="e")], "p"), {"p"}),
    "put what is there": (lambda unit: unit.knowledge_entries.put([embedded(id="e")], "p"), set()),
    "delete": (lambda unit: unit.knowledge_entries.delete("e", "q"), {"q"}),
    "delete for all": (lambda unit: unit.knowledge_entries.delete("e"), {"p", "q", "all"}),
    "delete_all": (lambda unit: unit.knowledge_entries.delete_all("q"), {"q"}),
    "delete_source": (lambda unit: unit.knowledge_entries.delete_source("a.txt", "p"), {"p"}),
    "keep_only": (lambda unit: unit.knowledge_entries.keep_only("a.txt", ["other"], "p"), {"p"}),
    "keep_only of nothing": (lambda unit: unit.knowledge_entries.keep_only("b.txt", [], "p"), set()),
    # Of rows that go with their project it is not seen that none of them is everybody's.
    "delete a project": (lambda unit: unit.projects.delete("q"), {"p", "q", "all"}),
    "message": (lambda unit: unit.conversations.append("p", NewMessage("user", "x")), set()),
}


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_drops_the_searches_that_it_makes_wrong_and_few_others(tmp_path: Path, name: str) -> None:
    write, expected = WRITES[name]

    async def search() -> str:
        return "hits"

    async with fresh_store(tmp_path) as store:
        for place in ("p", "q", None):
            if place is not None:
                await put_project(store, place, "ada")
            await put(store, embedded(id="e"), chunk("of a file"), project_id=place)
        for of, tags in SEARCHES.items():
            await store.search_cache.load(
                (of,), search, lambda _hits, tags=tags: [tag for each in tags for tag in each]
            )
        async with store.begin() as unit:
            await write(unit)
        left = {of for of in SEARCHES if store.search_cache.find((of,)) == "hits"}
    assert left == SEARCHES.keys() - expected


# Several at once


async def test_of_writers_of_the_same_entries_each_is_counted_once(tmp_path: Path) -> None:
    entries = [embedded(f"text {number}", id=str(number)) for number in range(20)]
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        outcomes = await asyncio.gather(*(put(store, *entries[start:], project_id="p") for start in (0, 5, 0, 5)))
        assert await store.knowledge_entries.count("p") == 20
    assert sum(each.added for each in outcomes) == 20
    assert sum(each.changed for each in outcomes) == 0
