"""Results of searches that are kept: what a hit costs, what drops them and what does not, and who switches them off."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import socrates
from socrates import caching
from socrates.config import CacheConfig
from socrates.drafts import NewEntry
from socrates.errors import ClosedError, ProjectNotFoundError
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.knowledge.search import TOP_K
from socrates.store import Store
from tests.support.knowledge import WordEmbedder, fresh_knowledge
from tests.support.migrate import REPOSITORY
from tests.support.postgres import EmptyDatabases
from tests.support.stores import another_store, counted, on_postgres, thrown_away
from tests.unit.knowledge.searches import ASKING, Opened, embedded, fill, kept, search_all, warm

NAME = "knowledge.search"
Change = Callable[[Store, KnowledgeBase], Awaitable[object]]


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Opened]:
    async with fresh_knowledge(tmp_path, "library", "museum") as opened:
        await fill(*opened)
        yield opened


def finished_at_once(call: Awaitable[Any]) -> Any:
    """The result of a coroutine that never gives way to the event loop: that waits for no thread and no model."""
    with pytest.raises(StopIteration) as end:
        call.__await__().__next__()
    return end.value.value


async def test_a_hit_asks_neither_the_database_nor_the_index_nor_the_model(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    async with fresh_knowledge(tmp_path, "library", embedder=embedder) as (store, knowledge):
        await knowledge.add(NewEntry("loans end", "rules"), "library")
        await warm(knowledge, "loans")
        first = await knowledge.search("loans", project_id="library", category="rules")
        calls, vectors = list(embedder.calls), knowledge.embeddings.cache.total().hits
        with counted(store) as cost:
            # Inside `counted` itself everything goes past the cache.
            token = caching.bypass._bypassing.set(False)
            again = finished_at_once(knowledge.search("loans", project_id="library", category="rules"))
            caching.bypass._bypassing.reset(token)
        cost.must_be(statements=0, crossings=0)
        assert again is first
        assert (embedder.calls, knowledge.embeddings.cache.total().hits) == (calls, vectors)
        statistics = store.search_cache.stats()[NAME]
        assert (statistics.hits, statistics.misses, statistics.entries) == (1, 1, 1)


async def test_searches_at_the_same_time_for_the_same_are_one(tmp_path: Path) -> None:
    embedder = WordEmbedder(pause=0.01)
    async with fresh_knowledge(tmp_path, embedder=embedder) as (store, knowledge):
        results = await asyncio.gather(*(knowledge.search("loans") for _ in range(10)))
        assert store.search_cache.stats()[NAME].loads == 1
        assert all(each is results[0] for each in results)
        assert embedder.calls == [("loans",)]


async def test_whatever_is_asked_differently_is_another_search(library: Opened) -> None:
    store, knowledge = library
    asked: list[dict[str, Any]] = [
        *({"project_id": each} for each in ASKING),
        {"top_k": 1},
        {"category": "rules"},
        {"source": "rules"},
        {"cutoff": 0.5},
    ]
    for _ in range(2):
        for each in asked:
            await knowledge.search("loans", **each)
    await knowledge.search("loans", top_k=TOP_K, cutoff=-1)
    statistics = store.search_cache.stats()[NAME]
    assert (statistics.loads, statistics.hits) == (len(asked), len(asked) + 1)


async def in_a_unit(store: Store, work: Callable[[Any], Awaitable[object]]) -> None:
    async with store.begin() as unit:
        await work(unit)


NEW, OTHER, SAME = (NewEntry(text, "rules", id=key) for text, key in (("new", "9"), ("other", "1"), ("loans end", "1")))
SOME = {None, "museum"}
"""Who is not concerned by what happens in the library."""

CHANGES: dict[str, tuple[Change, set[str | None]]] = {
    "an addition": (lambda _, known: known.add(NEW, "library"), SOME),
    "an addition to what everybody knows": (lambda _, known: known.add(NEW), set()),
    "many additions": (
        lambda _, known: known.add_many([NewEntry(f"text {number}", "rules") for number in range(3)], "library"),
        SOME,
    ),
    "a change": (lambda _, known: known.add(OTHER, "library"), SOME),
    "a change of what everybody knows": (lambda _, known: known.add(OTHER), set()),
    "the same again": (lambda _, known: known.add(SAME, "library"), {*ASKING}),
    "the same again for everybody": (lambda _, known: known.add_many([SAME]), {*ASKING}),
    "a text": (lambda _, known: known.add_text("new", "library"), SOME),
    "a deletion": (lambda _, known: known.delete("1", "library"), SOME),
    "a deletion of what everybody knows": (lambda _, known: known.delete("1"), set()),
    "a deletion of all that a project knows": (lambda _, known: known.delete_project_knowledge("library"), SOME),
    "an import": (
        lambda _, known: known.import_project("library", [{"id": "9", "content": "new", "category": "rules"}]),
        SOME,
    ),
    "an export": (lambda _, known: known.export_project("library"), {*ASKING}),
    "a check": (lambda _, known: known.check(), {*ASKING}),
    # What was found in an index that was wrong may be wrong.
    "a rebuild": (lambda _, known: known.rebuild(), set()),
    # With its documents, and with a document what was made of it; that these are of one project no key says.
    "a project's deletion": (lambda store, _: in_a_unit(store, lambda unit: unit.projects.delete("library")), set()),
    "a document's deletion": (
        lambda store, _: in_a_unit(store, lambda unit: unit.knowledge.delete_document("document")),
        set(),
    ),
    "a project's new owner": (
        lambda store, _: in_a_unit(store, lambda unit: unit.projects.transfer("library", "bob")),
        {*ASKING},
    ),
    "another user": (lambda store, _: in_a_unit(store, lambda unit: unit.users.create("bob", "0" * 64)), {*ASKING}),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_drops_the_searches_that_it_concerns_and_no_other(library: Opened, change: str) -> None:
    store, knowledge = library
    make, spared = CHANGES[change]
    await search_all(knowledge)
    dropped = store.search_cache.stats()[NAME].invalidated
    await make(store, knowledge)
    assert kept(knowledge) == spared
    assert store.search_cache.stats()[NAME].invalidated - dropped == len(ASKING) - len(spared)
    for asking in ASKING:
        answer = await knowledge.search("loans", project_id=asking)
        with socrates.bypassed():
            assert answer == await knowledge.search("loans", project_id=asking)


async def test_a_document_that_is_deleted_takes_what_was_found_of_it_along(library: Opened) -> None:
    store, knowledge = library
    (hit,) = await knowledge.search("late fees", project_id="library", top_k=1)
    assert hit.entry.id == "2"
    async with store.begin() as unit:
        await unit.knowledge.delete_document("document")
    assert [hit.entry.id for hit in await knowledge.search("late fees", project_id="library")] == ["1", "1"]


async def test_a_user_who_is_deleted_takes_along_what_was_found_in_his_projects(library: Opened) -> None:
    store, knowledge = library
    await in_a_unit(store, lambda unit: unit.users.create("ada", "0" * 64))
    await search_all(knowledge)
    await in_a_unit(store, lambda unit: unit.users.delete_permanently("ada"))
    for asking in ASKING:
        assert [hit.entry.project_id for hit in await knowledge.search("loans", project_id=asking)] == [None]


async def test_the_defaults_drop_searches_when_they_come_and_not_when_they_are_there(library: Opened) -> None:
    _, knowledge = library
    await search_all(knowledge)
    await knowledge.load_defaults()
    assert kept(knowledge) == set()
    await search_all(knowledge)
    await knowledge.load_defaults()
    assert kept(knowledge) == {*ASKING}


async def test_what_is_rolled_back_drops_nothing(library: Opened) -> None:
    store, knowledge = library
    await search_all(knowledge)
    async with thrown_away(store) as unit:
        await unit.knowledge_entries.delete_all("library")
        await unit.knowledge_entries.put([await embedded("new", "9")])
    with pytest.raises(ProjectNotFoundError):
        await knowledge.add(NEW, "of nobody")
    assert kept(knowledge) == {*ASKING}


@contextmanager
def paused(knowledge: KnowledgeBase) -> Iterator[threading.Event]:
    """The thread that writes to the index does nothing until this is set."""
    going_on = threading.Event()
    knowledge._index._writer.submit(going_on.wait)
    try:
        yield going_on
    finally:
        going_on.set()


async def committed(store: Store, count: int, project_id: str | None = None) -> None:
    """Wait until there are so many entries of a project, or that everybody knows."""
    while await store.knowledge_entries.count(project_id) != count:  # noqa: ASYNC110 - the store tells nobody
        await asyncio.sleep(0)


async def test_what_is_found_between_the_commit_and_the_index_is_not_kept_longer(library: Opened) -> None:
    store, knowledge = library
    await warm(knowledge, "opening hours")
    with paused(knowledge) as going_on:
        adding = asyncio.create_task(knowledge.add(NewEntry("opening hours", "rules", id="3")))
        await committed(store, 2)
        async with asyncio.timeout(20):
            while not store.search_cache.total().entries:  # a search beside the end of that commit is not kept
                found = await knowledge.search("opening hours", project_id="library")
                assert "3" not in {hit.entry.id for hit in found}
        going_on.set()
        await adding
    assert (await knowledge.search("opening hours", project_id="library"))[0].entry.id == "3"


async def test_neither_is_what_a_filter_finds_while_the_index_has_the_old_labels(library: Opened) -> None:
    store, knowledge = library
    with paused(knowledge) as going_on:
        adding = asyncio.create_task(knowledge.add(NewEntry("loans end", "tests", id="1")))
        while (await store.knowledge_entries.entry("1")).category != "tests":  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        assert await knowledge.search("loans", category="tests") == ()
        assert await knowledge.search("loans", category="rules") == ()
        going_on.set()
        await adding
    assert len(await knowledge.search("loans", category="tests")) == 1


async def test_what_a_small_project_has_just_added_is_found_before_the_index_knows(library: Opened) -> None:
    store, knowledge = library
    with paused(knowledge) as going_on:
        adding = asyncio.create_task(knowledge.add(NewEntry("opening hours", "rules", id="3"), "library"))
        await committed(store, 3, "library")
        (first, *_) = await knowledge.search("opening hours", project_id="library")
        assert first.entry.id == "3"
        going_on.set()
        await adding


async def test_a_search_that_was_under_way_when_the_index_learned_of_a_change_is_not_kept(library: Opened) -> None:
    """It began before, and its answer of the index is from before; it ends after the change is over."""
    store, knowledge = library
    find, asked, going_on = knowledge._index.nearest, asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any) -> list[str]:
        keys = await find(*arguments)
        asked.set()
        await going_on.wait()
        return keys

    knowledge._index.nearest = slow  # type: ignore[method-assign]
    searching = asyncio.create_task(knowledge.search("opening hours", project_id="library"))
    await asked.wait()
    knowledge._index.nearest = find  # type: ignore[method-assign]
    await knowledge.add(NewEntry("opening hours", "rules", id="3"), "library")
    going_on.set()
    assert "3" not in [hit.entry.id for hit in await searching]
    (first, *_) = await knowledge.search("opening hours", project_id="library")
    assert first.entry.id == "3"
    assert store.search_cache.stats()[NAME].overtaken == 1


async def test_a_deletion_is_seen_before_the_index_hears_of_it(library: Opened) -> None:
    store, knowledge = library
    await search_all(knowledge)
    with paused(knowledge):
        deleting = asyncio.create_task(knowledge.delete("1", "library"))
        await committed(store, 1, "library")
        hits = await knowledge.search("loans", project_id="library")
        assert [(hit.entry.id, hit.entry.project_id) for hit in hits] == [("1", None), ("2", "library")]
    await deleting


async def test_what_another_store_writes_is_seen_at_once_in_a_file(library: Opened) -> None:
    store, knowledge = library
    await search_all(knowledge)
    async with another_store(store) as other:
        async with other.begin() as unit:
            await unit.knowledge_entries.delete("1", "library")
        assert kept(knowledge) == set()
        (hit,) = await knowledge.search("loans end", project_id="library", top_k=1)
        assert hit.entry.project_id is None


ELSEWHERE = """
import asyncio, sys
from socrates.store import Store

async def main():
    async with Store.open(sys.argv[1]) as store, store.begin() as unit:
        await unit.knowledge_entries.delete("1", "library")

asyncio.run(main())
"""


async def test_so_is_what_another_process_writes(library: Opened) -> None:
    store, knowledge = library
    await search_all(knowledge)
    process = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", ELSEWHERE, str(store.file)], cwd=REPOSITORY, check=False
    )
    assert process.returncode == 0
    hits = await knowledge.search("loans", project_id="library")
    assert [(hit.entry.id, hit.entry.project_id) for hit in hits] == [("1", None), ("2", "library")]


@pytest.mark.postgres
async def test_on_a_server_other_processes_are_told_exactly(empty_databases: EmptyDatabases, tmp_path: Path) -> None:
    with on_postgres(empty_databases):
        async with fresh_knowledge(tmp_path, "library", "museum") as (store, knowledge):
            await fill(store, knowledge)
            async with another_store(store) as other:
                await search_all(knowledge)
                for entry_id in ("2", "1"):
                    await search_all(knowledge)
                    async with other.begin() as unit:
                        await unit.knowledge_entries.delete(entry_id, "library")
                    async with asyncio.timeout(20):
                        while "library" in kept(knowledge):  # noqa: ASYNC110 - the store tells nobody
                            await asyncio.sleep(0.01)
                    assert kept(knowledge) == SOME
                assert [hit.entry.project_id for hit in await knowledge.search("loans", project_id="library")] == [None]
                async with other.begin() as unit:
                    await unit.knowledge_entries.put([await embedded("loans start", "1")])
                async with asyncio.timeout(20):
                    while kept(knowledge):  # noqa: ASYNC110 - the store tells nobody
                        await asyncio.sleep(0.01)


async def test_the_switch_works_while_the_store_runs(library: Opened) -> None:
    store, knowledge = library
    first = await knowledge.search("loans")
    store.search_cache.enabled = False
    assert await knowledge.search("loans") is not first
    assert store.search_cache.total().entries == 0
    store.search_cache.enabled = True
    again = await knowledge.search("loans")
    assert await knowledge.search("loans") is again == first


async def test_the_setting_turns_it_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_ENABLE_CACHING", "false")
    async with fresh_knowledge(tmp_path) as (store, knowledge):
        await knowledge.add(NEW)
        assert await knowledge.search("new") is not await knowledge.search("new")
        assert not store.search_cache.enabled
        assert store.search_cache.total().hits == 0


async def test_a_single_search_can_go_past_it(library: Opened) -> None:
    _, knowledge = library
    first = await knowledge.search("loans")
    with socrates.bypassed():
        past_it = await knowledge.search("loans")
    assert past_it == first
    assert past_it is not first
    assert await knowledge.search("loans") is first


async def test_the_settings_bound_how_many_are_kept_and_how_long(tmp_path: Path) -> None:
    config = CacheConfig(search_result_cache_size=2, search_cache_ttl_seconds=1)
    async with fresh_knowledge(tmp_path, cache_config=config) as (store, knowledge):
        await warm(knowledge, "a", "b", "c")
        for query in ("a", "b", "a", "c"):
            await knowledge.search(query)
        statistics = store.search_cache.stats()[NAME]
        assert (statistics.loads, statistics.entries, statistics.evicted_for_entries) == (3, 2, 1)
        await asyncio.sleep(1.05)
        await knowledge.search("a")
        assert store.search_cache.stats()[NAME].loads == 4


async def test_by_default_1000_are_kept_for_300_seconds(library: Opened) -> None:
    store, _ = library
    assert (store.search_cache._entries._max_entries, store.search_cache._lifetime) == (1_000, 300)


async def test_the_statistics_of_the_process_tell_of_searches(library: Opened) -> None:
    store, knowledge = library
    for _ in range(3):
        await knowledge.search("loans")
    assert caching.stats()[NAME].hits >= store.search_cache.stats()[NAME].hits == 2


async def test_a_closed_store_gives_out_nothing_that_it_kept(library: Opened) -> None:
    store, knowledge = library
    await knowledge.search("loans")
    await store.close()
    with pytest.raises(ClosedError, match="the store is closed"):
        await knowledge.search("loans")
    assert store.search_cache.total().entries == 0
