"""The entries that the package brings along."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from socrates.drafts import NewEntry
from socrates.knowledge import knowledge_base
from socrates.knowledge.defaults import default_entries
from socrates.repositories.knowledge_entries import Put
from tests.support.knowledge import WordEmbedder, fresh_knowledge

# agents.md, appendix C
CATEGORIES = {
    "programming": {
        "python_advanced": 5, "javascript_ts": 5, "algorithms": 5, "web_development": 5, "devops": 5, "testing": 5,
    },
    "writing": {"narrative_structure": 4, "technical_writing": 2, "editing_revision": 2, "genres_formats": 7},
    "business": {"project_management": 5, "business_strategy": 4, "product_management": 3, "team_collaboration": 3},
    "research": {"research_methods": 4, "analysis_techniques": 3, "documentation": 3},
    "design": {"ux_ui_design": 5, "visual_design": 3, "design_process": 2},
    "general": {"problem_solving": 5, "communication": 4, "collaboration": 3, "learning_adaptation": 8},
}  # fmt: skip
DIFFICULTIES = {"beginner": 35, "intermediate": 58, "advanced": 7}
LANGUAGES = {"javascript": 4, "typescript": 1}


def test_there_are_a_hundred_with_ids_and_texts_of_their_own() -> None:
    """D82: v1 brought two of the same id, of which it dropped one."""
    entries = default_entries()
    assert len(entries) == len({entry.id for entry in entries}) == len({entry.content for entry in entries}) == 100
    assert all(re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", entry.id or "") for entry in entries)


def test_they_are_in_the_categories_and_domains_of_v1() -> None:
    counted = {domain: Counter[str]() for domain in CATEGORIES}
    for entry in default_entries():
        counted[entry.details["domain"]][entry.category] += 1
    assert counted == CATEGORIES
    assert Counter(entry.details["difficulty"] for entry in default_entries()) == DIFFICULTIES
    assert Counter(entry.details["language"] for entry in default_entries() if "language" in entry.details) == LANGUAGES


def test_each_is_one_paragraph_and_says_what_it_is_about() -> None:
    for entry in default_entries():
        assert 270 <= len(entry.content) <= 389, entry.id
        assert entry.content == " ".join(entry.content.split()), entry.id
        assert entry.content[-1] in '."', entry.id
        assert set(entry.details) - {"language"} == {"topic", "difficulty", "domain", "tags"}, entry.id
        assert re.fullmatch(r"[\w-]+,[\w-]+", entry.details["tags"]), entry.id
        assert entry.details["topic"].strip(), entry.id


async def test_a_second_time_embeds_nothing_and_a_changed_text_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D50: v1 looked up, embedded and inserted each entry by itself."""
    embedder = WordEmbedder()
    async with fresh_knowledge(tmp_path, embedder=embedder) as (store, knowledge):
        assert (await knowledge.load_defaults()).added == 100
        embedder.calls.clear()
        assert (await knowledge.load_defaults()).unchanged == 100
        assert embedder.calls == []
        first, *others = default_entries()
        mended = replace(first, content="a text that was mended")
        monkeypatch.setattr(knowledge_base, "default_entries", lambda: (mended, *others))
        assert (await knowledge.load_defaults()).changed == 1
        assert embedder.calls == [("a text that was mended",)]
        assert (await store.knowledge_entries.entry(first.id or "")).content == "a text that was mended"


async def test_what_somebody_has_edited_or_taken_over_stays(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    first, second, *_ = default_entries()
    edited = replace(first, content="a text of our own", source=None)
    of_v1 = NewEntry(second.content, second.category, id=second.id, details={"topic": "as v1 had it"})
    async with fresh_knowledge(tmp_path, embedder=embedder) as (store, knowledge):
        await knowledge.add(of_v1)
        assert await knowledge.load_defaults() == Put(99, 0, 1)
        await knowledge.add(edited)
        embedder.calls.clear()
        assert await knowledge.load_defaults() == Put(0, 0, 100)
        assert embedder.calls == []
        for entry in (edited, of_v1):
            there = await store.knowledge_entries.entry(entry.id or "")
            assert (there.content, there.source, there.details) == (entry.content, None, entry.details)


async def test_one_of_a_projects_own_is_no_default(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "library") as (_, knowledge):
        await knowledge.add(replace(default_entries()[0], content="ours", source=None), "library")
        assert await knowledge.load_defaults() == Put(100, 0, 0)


async def test_one_that_the_package_no_longer_brings_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fresh_knowledge(tmp_path) as (store, knowledge):
        await knowledge.load_defaults()
        monkeypatch.setattr(knowledge_base, "default_entries", lambda: default_entries()[1:])
        await knowledge.load_defaults()
        assert await store.knowledge_entries.count() == 100
