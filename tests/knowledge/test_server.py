"""An index on a real Chroma server, which several processes and several databases share."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from socrates.config import Settings
from socrates.drafts import NewEntry
from socrates.errors import DatabaseError
from socrates.knowledge.index import open_index
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.store import Store
from tests.knowledge.agreement import assert_agree, finds
from tests.knowledge.processes import ChromaServer, chroma_server, heard, worker
from tests.support.knowledge import WordEmbedder, fresh_knowledge, with_projects
from tests.support.stores import another_store, fresh_file


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaServer]:
    with chroma_server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@asynccontextmanager
async def another(store: Store) -> AsyncIterator[KnowledgeBase]:
    """A second knowledge base on the same database and server, as another process would have it."""
    async with another_store(store) as second, KnowledgeBase.open(second, WordEmbedder()) as knowledge:
        yield knowledge


async def test_what_one_adds_or_deletes_others_find_or_do_not(server: ChromaServer, tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "library", chroma_url=server.url) as (store, one), another(store) as other:
        await one.add(NewEntry("loans end after three weeks", "rules", id="loans"), "library")
        assert await finds(other, "loans end after three weeks", "loans")
        await other.add(NewEntry("fines are small", "rules", id="loans"), "library")
        assert await finds(one, "fines are small", "loans")
        assert not await finds(one, "loans end after three weeks", "loans")
        await other.delete("loans", "library")
        assert not await finds(one, "fines are small", "loans")
        assert await assert_agree(store, one) == set()


async def test_processes_write_at_the_same_time(server: ChromaServer, tmp_path: Path) -> None:
    path = fresh_file(tmp_path)
    async with Store.open(path, Settings(chroma_url=server.url)) as store:
        await with_projects(store, "library")
        with worker("add", path, server.url, "one", 8) as one, worker("add", path, server.url, "two", 8) as two:
            for process in (one, two):
                assert heard(process) == {"opened": True}
            for process in (one, two):
                process.go_on()
            for process in (one, two):
                assert heard(process) == {"done": True}
        async with KnowledgeBase.open(store, WordEmbedder()) as knowledge:
            assert len(await assert_agree(store, knowledge)) == 16
            assert await finds(knowledge, "two 7", "two-7")


async def test_databases_on_one_server_do_not_mix(server: ChromaServer, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with (
        fresh_knowledge(tmp_path / "a", chroma_url=server.url) as (_, first),
        fresh_knowledge(tmp_path / "b", chroma_url=server.url) as (_, second),
    ):
        await first.add(NewEntry("loans end after three weeks", "rules"))
        assert await second._index.keys() == set()
        await second.rebuild()
        assert len(await first._index.keys()) == 1


async def test_others_go_on_while_one_makes_the_index_anew(server: ChromaServer, tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "library", chroma_url=server.url) as (store, one), another(store) as other:
        await one.add(NewEntry("loans end after three weeks", "rules", id="loans"), "library")
        assert await finds(other, "loans end after three weeks", "loans")
        await one.rebuild()
        assert await finds(other, "loans weeks", "loans") is False  # It can be asked, and nothing scores so high.
        await other.add(NewEntry("fines are small", "rules", id="fines"), "library")
        await one.rebuild()
        await other.delete("loans", "library")
        await one.rebuild()
        await other.rebuild()
        assert await assert_agree(store, one) == {"fines"}
        assert await assert_agree(store, other) == {"fines"}


def overtake_the_next_put(one: KnowledgeBase, other: KnowledgeBase) -> None:
    """Have the other change `loans` and delete `fines` after the one has read them, and before the index gets them."""
    index, put = one._index, one._index.put

    async def put_later(*arguments: object) -> None:
        index.put = put  # type: ignore[method-assign]
        await other.add(NewEntry("loans of today", "rules", id="loans"), "library")
        await other.delete("fines", "library")
        await put(*arguments)  # type: ignore[arg-type]

    index.put = put_later  # type: ignore[method-assign]


async def test_who_rebuilds_does_not_put_back_what_others_changed_meanwhile(
    server: ChromaServer, tmp_path: Path
) -> None:
    async with fresh_knowledge(tmp_path, "library", chroma_url=server.url) as (store, one), another(store) as other:
        for name in ("loans", "fines"):
            await one.add(NewEntry(f"{name} of old", "rules", id=name), "library")
        overtake_the_next_put(one, other)
        await one.rebuild()
        assert await assert_agree(store, one) == {"loans"}
        assert await finds(one, "loans of today", "loans")


async def test_who_catches_up_does_not_put_back_what_others_changed_meanwhile(
    server: ChromaServer, tmp_path: Path
) -> None:
    async with fresh_knowledge(tmp_path, "library", chroma_url=server.url) as (store, one), another(store) as other:
        overtake_the_next_put(one, other)
        await one.add_many([NewEntry(f"{name} of old", "rules", id=name) for name in ("loans", "fines")], "library")
        assert await assert_agree(store, one) == {"loans"}
        assert await finds(one, "loans of today", "loans")


async def test_a_server_that_dies_costs_nothing_that_was_added(tmp_path: Path) -> None:
    with chroma_server(tmp_path / "data") as server:
        async with fresh_knowledge(tmp_path, "library", chroma_url=server.url) as (store, knowledge):
            await knowledge.add(NewEntry("loans end after three weeks", "rules", id="loans"), "library")
            server.stop()
            with pytest.raises(DatabaseError, match=rf"Chroma server at 127.0.0.1:{server.port} failed.*server runs"):
                await knowledge.add(NewEntry("fines are small", "rules", id="fines"), "library")
            with pytest.raises(DatabaseError, match=f"Chroma server at 127.0.0.1:{server.port} failed"):
                await knowledge.search("loans", project_id="library")
            with pytest.raises(DatabaseError, match=f"Chroma server at 127.0.0.1:{server.port} failed"):
                await open_index(server.url, "words")
            assert (await store.knowledge_entries.entry("fines", "library")).content == "fines are small"
            server.start()
            async with KnowledgeBase.open(store, WordEmbedder()) as reopened:
                assert await assert_agree(store, reopened) == {"loans", "fines"}
                assert await finds(reopened, "fines are small", "fines")
            # Who was there all the time goes on, too.
            await knowledge.add(NewEntry("shelves are high", "rules", id="shelves"), "library")
            assert await assert_agree(store, knowledge) == {"loans", "fines", "shelves"}
