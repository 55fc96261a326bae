"""`sync.KnowledgeBase`: what is known, for scripts; and attributes of what `sync` gives out."""

from pathlib import Path

import pytest

from socrates import sync
from socrates.drafts import NewEntry
from socrates.errors import BusyError, ClosedError, ProjectNotFoundError
from tests.support.knowledge import WordEmbedder
from tests.support.stores import fresh_file


def test_entries_are_added_and_found_without_await(tmp_path: Path) -> None:
    with sync.Store.open(fresh_file(tmp_path)) as store:
        with store.begin() as unit:
            project = unit.projects.create("A library", "ada")
        with sync.KnowledgeBase.open(store, WordEmbedder()) as knowledge:
            entry = knowledge.add(NewEntry("A book may be kept for three weeks.", "rules"), project.id)
            (hit,) = knowledge.search("may a book be kept", project_id=project.id)
            assert hit.entry == entry
            assert knowledge.search("may a book be kept") == ()
            with pytest.raises(ProjectNotFoundError):
                knowledge.add(entry, "typo")
            assert knowledge.documents.list(project.id) == ()
            assert knowledge.model == "words"
            assert {"add", "search", "documents", "close"} <= set(dir(knowledge))


def test_leaving_lets_go_of_the_index_and_not_of_the_store(tmp_path: Path) -> None:
    with sync.Store.open(fresh_file(tmp_path)) as store:
        with sync.KnowledgeBase.open(store, WordEmbedder()) as knowledge:
            with pytest.raises(BusyError):
                sync.KnowledgeBase.open(store, WordEmbedder())
            knowledge.add(NewEntry("A text.", "rules"))
        with sync.KnowledgeBase.open(store, WordEmbedder()) as again:
            assert len(again.search("text")) == 1
        assert store.knowledge_entries.count() == 1


def test_a_knowledge_base_that_outlives_its_store_says_so(tmp_path: Path) -> None:
    store = sync.Store.open(fresh_file(tmp_path))
    knowledge = sync.KnowledgeBase.open(store, WordEmbedder())
    store.close()
    with pytest.raises(ClosedError, match="the store is closed"):
        knowledge.search("text")


def test_what_is_no_call_is_given_out_as_it_is_and_can_be_set(tmp_path: Path) -> None:
    path = fresh_file(tmp_path)
    with sync.Store.open(path) as store:
        assert (store.file, store.cache.enabled) == (path, True)
        store.cache.enabled = False
        store.projects.for_user("ada")
        store.projects.for_user("ada")
        assert (store.cache.enabled, store.cache.total().hits) == (False, 0)
