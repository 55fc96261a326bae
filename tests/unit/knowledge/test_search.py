"""Searches: who finds what, in which order, and what makes no sense to ask for."""

import random
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from socrates.drafts import NewEntry
from socrates.errors import InvalidValueError
from socrates.knowledge import search
from socrates.knowledge.index import Point
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.repositories.knowledge_entries import Embedded, entry_key
from socrates.store import Store
from socrates.views import SearchHit
from tests.support.knowledge import WordEmbedder, fresh_knowledge
from tests.support.postgres import EmptyDatabases
from tests.support.stores import on_postgres
from tests.unit.knowledge.brute_force import Known, best, found

HOSTILE = [
    "",
    " ",
    "$ne",
    "{'$ne': 1}",
    'it\'s "so" \\',
    "é\u0301 straße 🦉",
    "%",
    "x" * 10_000,
    "\t\n",
    "None",
    "global",
]


@pytest.fixture(params=[search.SMALL, 0], ids=["all compared", "index asked"])
async def library(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Store, KnowledgeBase]]:
    monkeypatch.setattr(search, "SMALL", request.param)
    async with fresh_knowledge(tmp_path, "library", "museum") as opened:
        yield opened


async def add(knowledge: KnowledgeBase, *known: Known) -> None:
    for each in known:
        await knowledge.add(NewEntry(each.content, each.category, id=each.id, source=each.source), each.project_id)


async def embedded(content: str, entry_id: str, category: str = "rules") -> Embedded:
    (vector,) = await WordEmbedder().embed([content], "document")
    return Embedded(NewEntry(content, category, id=entry_id), vector.tobytes(), "words")


def ids(hits: Iterable[SearchHit]) -> list[str]:
    return [hit.entry.id for hit in hits]


async def test_a_project_finds_its_own_and_what_everybody_knows_and_never_anothers(library: Any) -> None:
    _, knowledge = library
    await add(knowledge, *(Known("1", owner, "loans end") for owner in (None, "library", "museum")))

    async def owners(project_id: str | None) -> list[str | None]:
        return [hit.entry.project_id for hit in await knowledge.search("loans end", project_id=project_id)]

    assert await owners("library") == [None, "library"]
    assert await owners("museum") == [None, "museum"]
    assert await owners(None) == [None]
    assert await owners("of nobody") == [None]


async def test_the_score_is_1_less_half_the_squared_distance(library: Any) -> None:
    _, knowledge = library
    texts = ["loans end after three weeks", "loans end", "museums open at nine"]
    await knowledge.add_many([NewEntry(text, "rules") for text in texts])
    hits = await knowledge.search("loans end")
    asked, *vectors = await WordEmbedder().embed(["loans end", *(hit.entry.content for hit in hits)], "query")
    expected = [1 - float(np.sum((asked - vector) ** 2)) / 2 for vector in vectors]
    assert [hit.score for hit in hits] == pytest.approx(expected, abs=1e-6)
    assert [hit.entry.content for hit in hits][:2] == ["loans end", "loans end after three weeks"]
    assert hits[0].score == 1
    assert all(type(hit.score) is float for hit in hits)


async def test_searches_find_what_brute_force_finds_in_its_order(library: Any) -> None:
    store, knowledge = library
    draw = random.Random(7)
    words = [f"word{number}" for number in range(30)]
    known = [
        Known(
            str(number),
            draw.choice([None, "library", "museum"]),
            " ".join(draw.choices(words, k=draw.randint(1, 12))),
            draw.choice(["rules", "tests"]),
            draw.choice([None, "", "a.md"]),
        )
        for number in range(150)
    ]
    for owner in (None, "library", "museum"):
        entries = [
            NewEntry(each.content, each.category, id=each.id, source=each.source)
            for each in known
            if each.project_id == owner
        ]
        await knowledge.add_many(entries, owner)
    for _ in range(120):
        asked = {
            "query": " ".join(draw.choices(words, k=draw.randint(1, 4))),
            "project_id": draw.choice([None, "library", "museum"]),
            "top_k": draw.choice([1, 2, 5, 20, 149, 150, 151, 10**9]),
            "category": draw.choice([None, "rules", "tests", "nothing"]),
            "source": draw.choice([None, None, "", "a.md"]),
            "cutoff": draw.choice([-1, 0, 0.3, 0.6]),
        }
        assert found(await knowledge.search(**asked)) == await best(known, **asked), asked
    assert store.search_cache.total().loads > 90


async def test_of_several_with_one_score_the_smaller_ids_come_first_and_only_they_where_not_all_are_wanted(
    library: Any,
) -> None:
    """Whichever the index names, and wherever their vectors stand in a matrix."""
    _, knowledge = library
    known = [
        *(Known(f"{number:02}", "library", "loans end after three weeks") for number in range(0, 40, 2)),
        *(Known(f"{number:02}", None, "loans end after three weeks") for number in range(1, 40, 2)),
        Known("best", "library", "three weeks"),
    ]
    random.Random(3).shuffle(known)
    await add(knowledge, *known)
    for top_k in range(1, 45):
        hits = await knowledge.search("three weeks", project_id="library", top_k=top_k)
        assert ids(hits) == ["best", *(f"{number:02}" for number in range(40))][:top_k]
        assert len({hit.score for hit in hits[1:]}) <= 1


async def test_of_one_id_what_everybody_knows_comes_first_and_then_the_project_without_a_name(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "") as (_, knowledge):
        await add(knowledge, Known("1", "", "loans end"), Known("1", None, "loans end"))
        hits = await knowledge.search("loans end", project_id="")
        assert [hit.entry.project_id for hit in hits] == [None, ""]
        assert [hit.entry.project_id for hit in await knowledge.search("loans end")] == [None]


async def test_what_scores_less_than_the_cutoff_is_left_out(library: Any) -> None:
    _, knowledge = library
    await add(knowledge, Known("same", None, "loans end"), Known("near", None, "loans end soon or never"))
    first, second = await knowledge.search("loans end")
    assert ids(await knowledge.search("loans end", cutoff=first.score)) == ["same"]
    assert ids(await knowledge.search("loans end", cutoff=second.score)) == ["same", "near"]
    assert ids(await knowledge.search("loans end", cutoff=second.score + 1e-6)) == ["same"]
    assert await knowledge.search("museum", cutoff=1) == ()


async def test_the_setting_is_the_cutoff_where_none_is_given(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, search_cutoff=0.9) as (_, knowledge):
        await add(knowledge, Known("same", None, "loans end"), Known("near", None, "loans end soon or never"))
        assert ids(await knowledge.search("loans end")) == ["same"]
        assert ids(await knowledge.search("loans end", cutoff=0)) == ["same", "near"]


async def test_a_search_gives_as_many_as_are_wanted_or_as_there_are(library: Any) -> None:
    _, knowledge = library
    counts = [1, 3, 4, 100, 101, 10**9, 10**30]
    assert [await knowledge.search("loans", top_k=count) for count in counts] == [()] * len(counts)
    await add(knowledge, *(Known(str(number), None, f"loans {number}") for number in range(3)))
    assert [len(await knowledge.search("loans", top_k=count)) for count in counts] == [1, 3, 3, 3, 3, 3, 3]


WRONG = [
    *({"top_k": wrong} for wrong in (0, -1, 1.5, "3", None, [5])),
    *({"cutoff": wrong} for wrong in (2, -1.1, float("nan"), float("inf"), "0.5", [0])),
    *({"query": wrong} for wrong in (None, 5, b"loans", ["loans"], "half \ud800")),
    *({name: wrong} for name in ("project_id", "category", "source") for wrong in (5, b"x", ["x"], {}, "\udc00")),
]


async def test_what_makes_no_sense_is_refused(library: Any) -> None:
    _, knowledge = library
    await add(knowledge, Known("1", None, "loans"))
    for wrong in WRONG:
        with pytest.raises(InvalidValueError):
            pytest.fail(f"{wrong} gives {await knowledge.search(**{'query': 'loans', **wrong})}")


def finished_at_once(call: Any) -> Any:
    """The result of a coroutine that never gives way to the event loop: that waits for no thread and no model."""
    with pytest.raises(StopIteration) as end:
        call.__await__().__next__()
    return end.value.value


async def test_a_blank_query_finds_nothing_and_asks_nobody(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    async with fresh_knowledge(tmp_path, embedder=embedder) as (store, knowledge):
        await add(knowledge, Known("1", None, "loans"))
        embedder.calls.clear()
        for blank in ("", " ", "\t \n", "\u2003"):
            assert finished_at_once(knowledge.search(blank)) == ()
        assert embedder.calls == []
        assert store.search_cache.total().misses == 0


async def test_filters_take_every_text_as_it_is(library: Any) -> None:
    _, knowledge = library
    categories = [value for value in HOSTILE if value.strip()]
    await knowledge.add_many([NewEntry("loans", "rules", id=f"from {value}", source=value) for value in HOSTILE])
    await knowledge.add_many([NewEntry("loans", value, id=f"of {value}") for value in categories])
    await knowledge.add_many([NewEntry("loans", value, id="no", source=value) for value in categories], "museum")
    for value in HOSTILE:
        assert ids(await knowledge.search("loans", source=value, project_id="library")) == [f"from {value}"]
        assert ids(await knowledge.search("loans", source=value, top_k=1)) == [f"from {value}"]
        of = ids(await knowledge.search("loans", category=value))
        assert of == ([f"of {value}"] if value in categories else [])
        assert await knowledge.search("loans", category=value, source=value) == ()


async def test_ids_of_every_form_are_found_by_their_project_alone(tmp_path: Path) -> None:
    names = [*HOSTILE, "nul \0 inside"]
    async with fresh_knowledge(tmp_path, *names) as (_, knowledge):
        for name in names:
            await knowledge.add_many([NewEntry("loans", "rules", id=entry_id) for entry_id in names], name)
        for name in names:
            hits = await knowledge.search("loans", project_id=name, top_k=1_000)
            assert {hit.entry.project_id for hit in hits} == {name}
            assert ids(hits) == sorted(names)
        assert await knowledge.search("loans") == ()


async def test_what_is_gone_but_not_from_the_index_takes_nobodys_place(library: Any) -> None:
    store, knowledge = library
    await add(knowledge, *(Known(f"gone {number}", "library", "loans end") for number in range(40)))
    await add(knowledge, *(Known(f"there {number}", "library", f"loans end {number}") for number in range(3)))
    async with store.begin() as unit:
        for number in range(40):
            await unit.knowledge_entries.delete(f"gone {number}", "library")
    assert len(await knowledge.search("loans end", project_id="library", top_k=3)) == 3
    assert len(await knowledge.search("loans end", project_id="library", top_k=50)) == 3
    assert len(await knowledge.search("loans end", project_id="library", top_k=10**9)) == 3


async def test_what_has_changed_is_shown_and_scored_and_chosen_as_it_is_now(library: Any) -> None:
    """Also while the index has it as it was."""
    store, knowledge = library
    await add(knowledge, Known("1", "library", "loans end"), Known("2", "library", "loans end soon"))
    async with store.begin() as unit:
        await unit.knowledge_entries.put([await embedded("museums open", "1", "tests")], "library")
    hits = await knowledge.search("loans end", project_id="library")
    known = [Known("1", "library", "museums open", "tests"), Known("2", "library", "loans end soon")]
    assert found(hits) == await best(known, "loans end", "library")
    assert ids(await knowledge.search("loans end", project_id="library", category="rules")) == ["2"]


async def test_an_index_that_calls_an_entry_anothers_shows_it_to_nobody(library: Any) -> None:
    _, knowledge = library
    await add(knowledge, Known("1", "library", "loans end"), Known("2", None, "loans end"))
    (vector,) = await WordEmbedder().embed(["loans end"], "document")
    for owner in ("museum", None):
        await knowledge._index.put([Point(entry_key("library", "1"), owner, "rules", None)], vector.reshape(1, -1))
        for asking in ("museum", None):
            assert ids(await knowledge.search("loans end", project_id=asking, top_k=2 if owner else 3)) == ["2"]


async def test_a_key_of_the_index_that_no_entry_has_is_nothing(library: Any) -> None:
    _, knowledge = library
    await add(knowledge, Known("1", None, "loans end"))
    (vector,) = await WordEmbedder().embed(["loans end"], "document")
    await knowledge._index.put([Point("of nobody", None, "rules", None)], vector.reshape(1, -1))
    assert ids(await knowledge.search("loans end", top_k=1)) == ["1"]


@pytest.mark.postgres
async def test_a_server_finds_the_same(empty_databases: EmptyDatabases, tmp_path: Path) -> None:
    with on_postgres(empty_databases):
        async with fresh_knowledge(tmp_path, "library", "museum") as (_, knowledge):
            known = [
                Known(str(number), owner, f"loans end {word}")
                for number, word in enumerate(("soon", "late", "never"))
                for owner in (None, "library", "museum")
            ]
            await add(knowledge, *known)
            for asking in (None, "library", "museum"):
                for top_k in (1, 4, 10):
                    hits = await knowledge.search("loans end late", project_id=asking, top_k=top_k)
                    assert found(hits) == await best(known, "loans end late", asking, top_k)
