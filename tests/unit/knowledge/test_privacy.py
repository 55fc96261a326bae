"""Whatever is done to what is known, a project sees its own and what everybody knows: never another's."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from socrates.drafts import NewEntry
from socrates.knowledge import search
from socrates.knowledge.index import Point
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.repositories.knowledge_entries import Embedded, KnowledgeEntryReads, entry_key
from socrates.store import Store
from tests.concurrency.checks import LONG
from tests.support.knowledge import WordEmbedder, fresh_knowledge, with_projects
from tests.unit.knowledge.brute_force import Known, best, found

T = TypeVar("T")

PROJECTS = ("library", "$ne", "")
IDS = ("1", "2", "$ne", "")
CATEGORIES = ("rules", "$in", "it's")
SOURCES = (None, "", "a.md")

OWNER = st.sampled_from([None, *PROJECTS])
PROJECT = st.sampled_from(PROJECTS)
# Few words, so that many entries of several projects say the same.
TEXT = st.lists(st.sampled_from(["loans", "end", "soon", "late", "fees"]), min_size=1, max_size=3).map(" ".join)
ENTRY = st.builds(NewEntry, TEXT, st.sampled_from(CATEGORIES), id=st.sampled_from(IDS), source=st.sampled_from(SOURCES))
SEARCH = st.fixed_dictionaries(
    {"query": TEXT, "project_id": st.sampled_from([None, *PROJECTS, "of nobody"])},
    optional={
        "top_k": st.sampled_from([1, 2, 3, 10, 101]),
        "category": st.sampled_from(CATEGORIES),
        "source": st.sampled_from(SOURCES),
        "cutoff": st.sampled_from([0.0, 0.5, 0.9]),
    },
)


class KnowledgeMachine(RuleBasedStateMachine):
    """Everything is done to a knowledge base, and to `known`, which has the entries by project and id."""

    searches = 0

    def __init__(self, runner: asyncio.Runner, store: Store, knowledge: KnowledgeBase) -> None:
        super().__init__()
        self._runner = runner
        self._store = store
        self._knowledge = knowledge
        self.known: dict[tuple[str | None, str], Known] = {}
        self.asked: list[dict[str, Any]] = []
        """The last searches, which are asked again after whatever is done: their results may be kept."""
        self.is_behind = self.is_tampered = False
        self._do(self._begin())

    @rule(entries=st.lists(ENTRY, min_size=1, max_size=5), owner=OWNER)
    def add(self, entries: list[NewEntry], owner: str | None) -> None:
        self._do(self._knowledge.add_many(entries, owner))
        self.is_behind = False
        self._put(entries, owner)

    @rule(entries=st.lists(ENTRY, min_size=1, max_size=3), owner=OWNER, is_caught_up=st.booleans())
    def adopt(self, entries: list[NewEntry], owner: str | None, is_caught_up: bool) -> None:
        """Also as a process leaves it that dies before the index hears of it."""
        embedded = self._do(self._embedded(entries))
        if is_caught_up:
            self._do(self._knowledge.put_embedded(embedded, owner))
        else:
            self._do(self._put_in_tables(embedded, owner))
        self.is_behind = not is_caught_up
        self._put(entries, owner)

    @rule(data=st.data(), is_caught_up=st.booleans())
    def delete(self, data: st.DataObject, is_caught_up: bool) -> None:
        if self.known:
            owner, entry_id = data.draw(st.sampled_from(sorted(self.known, key=repr)))
            if is_caught_up:
                self._do(self._knowledge.delete(entry_id, owner))
                self.is_behind = False
            else:
                self._do(self._delete_in_tables(entry_id, owner))
            del self.known[owner, entry_id]

    @rule(project=PROJECT)
    def delete_all(self, project: str) -> None:
        assert self._do(self._knowledge.delete_project_knowledge(project)) == self._forget(project)
        self.is_behind = False

    @rule(project=PROJECT, owner=st.sampled_from(["ada", "bob"]))
    def replace_project(self, project: str, owner: str) -> None:
        """Hand a project over, or delete it and make another of the same id, which knows nothing yet."""
        if owner == "bob":
            self._do(self._transfer(project, owner))
        else:
            self._do(self._delete_project(project))
            self._do(with_projects(self._store, project))
            self._forget(project)

    @rule(giver=PROJECT, taker=PROJECT)
    def export_and_import(self, giver: str, taker: str) -> None:
        values = self._do(self._knowledge.export_project(giver))
        self._do(self._knowledge.import_project(taker, values))
        self.is_behind = False
        for (owner, entry_id), each in list(self.known.items()):
            if owner == giver:
                self.known[taker, entry_id] = Known(entry_id, taker, each.content, each.category, each.source)

    @rule(data=st.data(), owner=OWNER, category=st.sampled_from(CATEGORIES), source=st.sampled_from(SOURCES))
    def tamper(self, data: st.DataObject, owner: str | None, category: str, source: str | None) -> None:
        """Have the index say of an entry that it is somebody else's."""
        if self.known:
            key = entry_key(*data.draw(st.sampled_from(sorted(self.known, key=repr))))
            vector = np.ones((1, 64), dtype=np.float32) / 8
            self._do(self._knowledge._index.put([Point(key, owner, category, source)], vector))
            self.is_tampered = True

    @rule()
    def rebuild(self) -> None:
        self._do(self._knowledge.rebuild())
        self.is_behind = self.is_tampered = False

    @rule(asked=SEARCH)
    def search(self, asked: dict[str, Any]) -> None:
        self.asked = [*self.asked[-2:], asked]

    @invariant()
    def searches_are_right(self) -> None:
        for asked in self.asked:
            self.check(asked)

    def check(self, asked: dict[str, Any]) -> None:
        """Search. What the index does not know of yet, or was told wrong, may be missing."""
        KnowledgeMachine.searches += 1
        hits = found(self._do(self._knowledge.search(**asked)))
        assert all(hit.project_id in (None, asked["project_id"]) for hit, _ in hits), asked
        everything = self._do(best(self.known.values(), **{**asked, "top_k": 1_000}))
        assert hits == [each for each in everything if each in hits], asked
        if not self.is_behind and not self.is_tampered:
            assert hits == everything[: asked.get("top_k", 5)], asked

    def teardown(self) -> None:
        """Look once more at all that each may see."""
        for asking in (None, *PROJECTS):
            self.check({"query": "loans", "project_id": asking, "top_k": 100})

    def _put(self, entries: list[NewEntry], owner: str | None) -> None:
        for each in entries:
            assert each.id is not None
            self.known[owner, each.id] = Known(each.id, owner, each.content, each.category, each.source)

    def _forget(self, project: str) -> int:
        gone = [key for key in self.known if key[0] == project]
        for key in gone:
            del self.known[key]
        return len(gone)

    def _do(self, work: Awaitable[T]) -> T:
        async def done() -> T:
            return await work

        return self._runner.run(done())

    async def _begin(self) -> None:
        async with self._store.begin() as unit:
            for owner in (None, *PROJECTS):
                await unit.knowledge_entries.delete_all(owner)
        await self._knowledge.rebuild()

    async def _embedded(self, entries: list[NewEntry]) -> list[Embedded]:
        vectors = await WordEmbedder().embed([entry.content for entry in entries], "document")
        return [Embedded(entry, vector.tobytes(), "words") for entry, vector in zip(entries, vectors, strict=True)]

    async def _put_in_tables(self, embedded: list[Embedded], owner: str | None) -> None:
        async with self._store.begin() as unit:
            await unit.knowledge_entries.put(embedded, owner)

    async def _delete_in_tables(self, entry_id: str, owner: str | None) -> None:
        async with self._store.begin() as unit:
            await unit.knowledge_entries.delete(entry_id, owner)

    async def _delete_project(self, project: str) -> None:
        async with self._store.begin() as unit:
            await unit.projects.delete(project)

    async def _transfer(self, project: str, owner: str) -> None:
        async with self._store.begin() as unit:
            await unit.projects.transfer(project, owner)


def run(number: int, examples: int, phases: tuple[Phase, ...] = (Phase.generate, Phase.shrink)) -> None:
    with TemporaryDirectory() as directory, asyncio.Runner() as runner:
        opening = fresh_knowledge(Path(directory), *PROJECTS)
        store, knowledge = runner.run(opening.__aenter__())

        @seed(number)
        def machine() -> KnowledgeMachine:
            return KnowledgeMachine(runner, store, knowledge)

        try:
            run_state_machine_as_test(
                machine,  # type: ignore[arg-type]
                settings=settings(
                    max_examples=examples, stateful_step_count=30, phases=phases, database=None, deadline=None
                ),
            )
        finally:
            runner.run(opening.__aexit__(None, None, None))


@pytest.mark.parametrize("number", range(30 if LONG else 1))
@pytest.mark.parametrize("small", [search.SMALL, 1], ids=["all compared", "index asked"])
def test_no_search_finds_what_is_anothers_and_each_finds_what_it_should(
    number: int, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "SMALL", small)
    before = KnowledgeMachine.searches
    run(number, 12)
    assert KnowledgeMachine.searches - before > 50


@pytest.mark.long
def test_an_index_that_is_trusted_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    read = KnowledgeEntryReads.visible

    async def trusting(self: Any, keys: Any, _project_id: str | None = None) -> Any:
        shown = {repr(each): each for owner in PROJECTS for each in await read(self, keys, owner)}
        return tuple(shown.values())

    monkeypatch.setattr(KnowledgeEntryReads, "visible", trusting)
    monkeypatch.setattr(search, "SMALL", 0)
    with pytest.raises(AssertionError):
        run(1, 50, (Phase.generate,))


@pytest.mark.long
def test_a_change_that_drops_no_search_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "KNOWN_IN_PROJECT", lambda _: ())
    with pytest.raises(AssertionError):
        run(2, 50, (Phase.generate,))
