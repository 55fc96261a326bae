"""Searching a conversation: in any alphabet, literally, with a snippet."""

from pathlib import Path

import pytest

from socrates.drafts import NewMessage
from socrates.errors import InvalidValueError
from socrates.store import Store
from tests.support.stores import fresh_store


async def fill(store: Store, *contents: str) -> None:
    async with store.begin() as unit:
        for name in ("p", "q"):
            await unit.projects.create(name, "ada", project_id=name)
            await unit.conversations.append_many(name, [NewMessage("user", content) for content in contents])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("It must lend BOOKS.", "books"),
        ("it must lend books.", "BOOKS"),
        ("Ärger", "ärger"),
        ("ärger", "ÄRGER"),
        ("Straße", "STRASSE"),
        ("STRASSE", "straße"),
        ("Straße", "ß"),
        ("STRAẞE", "straße"),
        ("İstanbul", "İSTANBUL"),
        ("İstanbul", "i̇stanbul"),
        ("ΟΔΟΣ", "οδος"),
        ("οδός και ΟΔΟΣ", "ΟΔΟΣ"),
        ("ὈΔΥΣΣΕΎΣ", "ὀδυσσεύς"),
        ("ПРИВЕТ мир", "привет МИР"),
        ("ёлка", "ЁЛКА"),
        ("ﬁne", "FINE"),
        ("ŉ", "ʼN"),
        ("100%", "0%"),
        ("a_b", "_"),
        ("a\\b", "\\"),
        ('O\'Neill "x"; --', "o'neill \""),
        ("two  blanks", "  B"),
        ("😀 and 👩‍👩‍👧", "👩‍👩‍👧"),
        ("line\nbreak", "E\nB"),
    ],
)
async def test_a_search_finds(content: str, text: str, tmp_path: Path) -> None:
    await finds(content, text, tmp_path)


@pytest.mark.sqlite
@pytest.mark.parametrize(("content", "text"), [("a\0b", "\0B"), ("after\0zero", "zero")])
async def test_a_search_finds_in_texts_with_nul(content: str, text: str, tmp_path: Path) -> None:
    await finds(content, text, tmp_path)


async def finds(content: str, text: str, directory: Path) -> None:
    async with fresh_store(directory) as store:
        await fill(store, "nothing of it", content, "")
        (hit,) = await store.conversations.search("p", text)
        assert (hit.message.content, hit.message.position, hit.message.project_id) == (content, 1, "p")
        assert hit.snippet == content


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("100 books", "100%"),
        ("100 books", "%"),
        ("axb", "a_b"),
        ("abc", "a*c"),
        ("abc", "a.c"),
        ("arger", "ärger"),
        ("books", "book s"),
        ("", "x"),
        ("abc", "abcd"),
    ],
)
async def test_a_search_does_not_find(content: str, text: str, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store, content)
        assert await store.conversations.search("p", text) == ()


async def test_the_newest_come_first_page_by_page_and_from_one_project_only(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store, *(f"book {number}" if number % 2 else "other" for number in range(20)))
        search = store.conversations.search
        first = await search("p", "BOOK", count=4)
        assert [hit.message.position for hit in first] == [19, 17, 15, 13]
        second = await search("p", "BOOK", before=first[-1].message.position, count=4)
        assert [hit.message.position for hit in second] == [11, 9, 7, 5]
        third = await search("p", "BOOK", before=second[-1].message.position, count=4)
        assert [hit.message.position for hit in third] == [3, 1]
        assert await search("p", "book", before=0) == ()
        assert {hit.message.project_id for hit in await search("q", "book")} == {"q"}
        assert len(await search("p", "book")) == 10


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u2003"])
async def test_a_search_for_nothing_is_refused(text: str, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store, "  ")
        with pytest.raises(InvalidValueError, match="empty"):
            await store.conversations.search("p", text)


async def test_a_search_for_what_no_text_can_hold_is_refused(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store, "x")
        with pytest.raises(InvalidValueError):
            await store.conversations.search("p", "\ud800")


async def test_a_hit_in_a_long_message_shows_what_stands_around_it(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store, "ß" * 500 + " STRASSE " + "x" * 500)
        (hit,) = await store.conversations.search("p", " straße ")
        assert " STRASSE " in hit.snippet
        assert hit.snippet.startswith("…ß")
        assert hit.snippet.endswith("x…")
        assert len(hit.snippet) < 200


async def test_a_search_in_a_unit_sees_what_it_appended(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store, "x")
        async with store.begin() as unit:
            await unit.conversations.append("p", NewMessage("user", "Ärger"))
            assert len(await unit.conversations.search("p", "äRGER")) == 1
            assert await store.conversations.search("p", "äRGER") == ()
