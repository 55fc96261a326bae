"""What the calls of a knowledge base cost, in counts: of the database, of the index, and of the embedder."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from socrates.drafts import NewEntry
from socrates.knowledge.index import ChromaIndex
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.store import Store
from tests.support.knowledge import Lent, WordEmbedder, fresh_knowledge
from tests.support.stores import Cost, counted

pytestmark = pytest.mark.usefixtures("engine")

QUERY = "when do loans end"


@dataclass
class Spent(Cost):
    """What a call cost besides: units that wrote, calls of the index, and calls of the embedder."""

    units: int = 0
    index_calls: int = 0
    embedder_calls: int = 0

    def must_leave_alone(self, *, units: int = 0, index_calls: int = 0, embedder_calls: int = 0) -> None:
        """Fail unless it cost so many of these."""
        spent = (self.units, self.index_calls, self.embedder_calls)
        assert spent == (units, index_calls, embedder_calls), f"units, index, embedder: {spent}"


class Counting:
    """A knowledge base, and what its calls cost with the caches on."""

    def __init__(self, store: Store, knowledge: KnowledgeBase, embedder: WordEmbedder, index_calls: list[str]) -> None:
        self.store = store
        self.knowledge = knowledge
        self._embedder = embedder
        self._index_calls = index_calls

    async def cost(self, call: Callable[[], Coroutine[Any, Any, object]]) -> Spent:
        """What a call costs, alone: nothing else may be under way."""
        cached = copy_context()  # `counted` has what runs inside go past the caches
        commits: list[object] = []
        writer, note_commit = self.store._engines.writer.sync_engine, commits.append
        index_calls, embedder_calls = len(self._index_calls), len(self._embedder.calls)
        event.listen(writer, "commit", note_commit)
        try:
            with counted(self.store) as cost:
                await asyncio.create_task(call(), context=cached)
        finally:
            event.remove(writer, "commit", note_commit)
        return Spent(
            **vars(cost),
            units=len(commits),
            index_calls=len(self._index_calls) - index_calls,
            embedder_calls=len(self._embedder.calls) - embedder_calls,
        )

    async def search(self) -> object:
        return await self.knowledge.search(QUERY, project_id="library")

    async def saved(self) -> None:
        """Wait until the vectors of queries are in the database."""
        saving = self.knowledge.embeddings._saving
        if saving is not None:
            await asyncio.wait([saving])


@pytest.fixture
def index_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what an index was asked to do in its threads."""
    run, calls = ChromaIndex._run, []

    async def counting(self: ChromaIndex, threads: Any, work: Any) -> Any:
        calls.append(work.__name__)
        return await run(self, threads, work)

    monkeypatch.setattr(ChromaIndex, "_run", counting)
    return calls


@asynccontextmanager
async def counting(directory: Path, index_calls: list[str]) -> AsyncIterator[Counting]:
    """A project `library` that knows three things, one of them what QUERY asks."""
    embedder = WordEmbedder()
    async with fresh_knowledge(directory, "library", embedder=embedder) as (store, knowledge):
        texts = ("loans end after three weeks", "the library opens at nine", "members pay nothing")
        await knowledge.add_many([NewEntry(text, "rules") for text in texts], "library")
        yield Counting(store, knowledge, embedder, index_calls)


async def test_a_cached_search_asks_nobody(tmp_path: Path, index_calls: list[str]) -> None:
    async with counting(tmp_path, index_calls) as here:
        assert await here.search()
        await here.saved()
        spent = await here.cost(here.search)
        spent.must_be(statements=0, crossings=0)
        spent.must_leave_alone()


async def test_a_search_whose_vector_is_known_asks_index_and_database_once(
    tmp_path: Path, index_calls: list[str]
) -> None:
    async with counting(tmp_path, index_calls) as here:
        await here.search()
        await here.saved()
        here.store.search_cache.clear()
        spent = await here.cost(here.search)
        spent.must_be(statements=1, crossings=1)
        spent.must_leave_alone(index_calls=1)


async def test_ten_searches_at_once_cost_what_one_does(tmp_path: Path, index_calls: list[str]) -> None:
    async with counting(tmp_path, index_calls) as here:
        texts = ("loans end", "the library opens", "members pay", "nothing at nine", "three weeks")
        queries = [f"{text} {word}".strip() for text in texts for word in ("", "when")]

        async def ten() -> None:
            searches = (here.knowledge.search(query, project_id="library") for query in queries)
            assert await asyncio.gather(*searches) == one_by_one

        one_by_one = [await here.knowledge.search(query, project_id="library") for query in queries]
        assert len({hits[0].entry.content for hits in one_by_one}) == 3
        await here.saved()
        here.store.search_cache.clear()
        here.knowledge.embeddings.cache.clear()
        spent = await here.cost(ten)
        spent.must_be(statements=2, crossings=2)
        spent.must_leave_alone(index_calls=1)


async def test_a_vector_from_before_a_restart_is_one_more_statement(tmp_path: Path, index_calls: list[str]) -> None:
    async with counting(tmp_path, index_calls) as here:
        await here.search()
        await here.saved()
        here.store.search_cache.clear()
        here.knowledge.embeddings.cache.clear()
        spent = await here.cost(here.search)
        spent.must_be(statements=2, crossings=2)
        spent.must_leave_alone(index_calls=1)


async def test_a_new_query_is_embedded_once_and_stored_besides(tmp_path: Path, index_calls: list[str]) -> None:
    async def search_and_save() -> None:
        await here.search()
        await here.saved()

    async with counting(tmp_path, index_calls) as here:
        spent = await here.cost(search_and_save)
        spent.must_be(statements=5, crossings=6)
        spent.must_leave_alone(units=1, index_calls=1, embedder_calls=1)


async def test_a_top_k_over_a_hundred_asks_the_index_how_many_there_are(tmp_path: Path, index_calls: list[str]) -> None:
    async def search(top_k: int) -> object:
        return await here.knowledge.search(QUERY, project_id="library", top_k=top_k)

    async with counting(tmp_path, index_calls) as here:
        await search(1)
        await here.saved()
        (await here.cost(lambda: search(100))).must_leave_alone(index_calls=1)
        (await here.cost(lambda: search(101))).must_leave_alone(index_calls=2)


async def test_adding_one_entry(tmp_path: Path, index_calls: list[str]) -> None:
    async def add() -> object:
        return await here.knowledge.add(NewEntry("a loan can be extended once", "rules"), "library")

    async with counting(tmp_path, index_calls) as here:
        first = await here.cost(add)
        assert len(first.statements) <= 12, first.statements
        assert first.crossings <= 15
        # Its vector, the entry itself, and that the index has it.
        first.must_leave_alone(units=3, index_calls=1, embedder_calls=1)
        again = await here.cost(add)
        assert len(again.statements) <= 4, again.statements
        assert again.crossings <= 4
        again.must_leave_alone()


async def test_a_thousand_entries_are_added_in_batches(tmp_path: Path, index_calls: list[str]) -> None:
    async def add() -> object:
        return await here.knowledge.add_many([NewEntry(f"rule {number}", "rules") for number in range(1_000)])

    async with counting(tmp_path, index_calls) as here:
        spent = await here.cost(add)
        assert 1 <= spent.embedder_calls <= 40  # of as many texts as a model takes in one step
        assert 1 <= spent.index_calls <= 5
        assert 1 <= spent.units <= 15
        assert len(spent.statements) <= 50


async def test_what_the_package_brings_along_is_loaded_once(tmp_path: Path, index_calls: list[str]) -> None:
    async with counting(tmp_path, index_calls) as here:
        first = await here.cost(here.knowledge.load_defaults)
        assert (first.units, first.index_calls) == (3, 1)
        assert 1 <= first.embedder_calls <= 5
        second = await here.cost(here.knowledge.load_defaults)
        assert len(second.statements) <= 4, second.statements
        assert second.crossings <= 4
        second.must_leave_alone()


async def test_deleting_one_entry(tmp_path: Path, index_calls: list[str]) -> None:
    async with counting(tmp_path, index_calls) as here:
        entry, *_ = await here.knowledge.project_knowledge("library")
        spent = await here.cost(lambda: here.knowledge.delete(entry.id, "library"))
        assert len(spent.statements) <= 9, spent.statements
        # The entry itself, and that the index forgot it.
        spent.must_leave_alone(units=2, index_calls=1)


async def test_opening_what_is_in_order_writes_nothing(tmp_path: Path, index_calls: list[str]) -> None:
    async with counting(tmp_path, index_calls) as here:
        await here.knowledge.close()

        async def reopen() -> None:
            async with KnowledgeBase.open(here.store, Lent(here._embedder)):
                pass

        spent = await here.cost(reopen)
        # One more where the sample begins, at random, after the last entry.
        assert len(spent.statements) in (5, 6), spent.statements
        assert spent.crossings <= 6
        # How many there are, and a sample.
        spent.must_leave_alone(index_calls=2)
