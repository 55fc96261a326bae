"""Texts are cut as agents.md 2.7 has it; each test holds one of its sentences."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socrates.knowledge.documents.chunks import LONGEST_SENTENCE, LONGEST_WORD, chunks, count_words
from tests.unit.knowledge.documents.made import sentences


def sentence(name: str, words: int) -> str:
    return " ".join([name] * words) + "."


@pytest.mark.parametrize("mark", [".", "!", "?"])
@pytest.mark.parametrize("gap", [" ", "\n\n", "\t  "])
def test_sentences_end_before_whitespace_and_are_joined_by_one_space(mark: str, gap: str) -> None:
    assert list(chunks(f"One{mark}{gap}two{mark}")) == [f"One{mark} two{mark}"]


def test_a_full_stop_inside_a_word_ends_no_sentence() -> None:
    text = "version 2.7 of a.b.c " * 200
    assert list(chunks(text)) == [text]


def test_a_chunk_has_five_hundred_words_at_most_and_the_next_begins_with_its_last_fifty() -> None:
    first, second, *_ = chunks(sentences(200))
    assert (count_words(first), count_words(second)) == (500, 500)
    assert second.split()[:50] == first.split()[-50:]


def test_five_hundred_words_are_one_chunk_and_one_more_is_another() -> None:
    assert len(list(chunks(sentences(50)))) == 1
    assert len(list(chunks(sentences(50) + " more."))) == 2


def test_only_whole_sentences_of_fifty_words_together_come_again() -> None:
    a, b, c, d = sentence("a", 430), sentence("b", 40), sentence("c", 20), sentence("d", 100)
    assert list(chunks(" ".join([a, b, c, d]))) == [f"{a} {b} {c}", f"{c} {d}"]


def test_walking_back_stops_at_the_first_sentence_that_does_not_fit() -> None:
    a, b, c, d = sentence("a", 10), sentence("b", 460), sentence("c", 20), sentence("d", 100)
    assert list(chunks(" ".join([a, b, c, d]))) == [f"{a} {b} {c}", f"{c} {d}"]


def test_nothing_comes_again_where_the_last_sentence_is_longer_than_that() -> None:
    a, b = sentence("a", 480), sentence("b", 480)
    assert list(chunks(f"{a} {b}")) == [a, b]


def test_a_sentence_of_more_than_five_hundred_words_is_not_split() -> None:
    a, long, b = sentence("a", 100), sentence("long", 600), sentence("b", 100)
    assert list(chunks(" ".join([a, long, b]))) == [a, long, b]


def test_a_text_without_a_sentence_is_one_chunk() -> None:
    assert list(chunks("no end")) == ["no end"]


@pytest.mark.parametrize("text", ["", " ", "\n\t \u2003"])
def test_a_blank_text_has_no_chunk(text: str) -> None:
    assert list(chunks(text)) == []


def test_what_is_too_long_for_a_sentence_is_cut_between_words() -> None:
    parts = list(chunks("word\t" * 10_000))
    assert [count_words(part) for part in parts] == [500] * 20
    assert parts[0] == "\t".join(["word"] * 500)


def test_an_endless_word_is_cut_too() -> None:
    parts = list(chunks("a" * (3 * LONGEST_SENTENCE + 1) + " b"))
    assert [len(part) for part in parts] == [LONGEST_SENTENCE, LONGEST_SENTENCE, LONGEST_SENTENCE, len("a b")]


def test_huge_words_do_not_make_a_huge_chunk() -> None:
    assert max(map(len, chunks(("a" * 1_000 + ". ") * 1_000))) <= LONGEST_SENTENCE + 1_000


@pytest.mark.parametrize("text", ["a" * 10_000_000, "word " * 2_000_000, "a. " * 300_000, " " * 10_000_000])
def test_megabytes_of_anything_are_cut_into_short_chunks_within_seconds(text: str) -> None:
    begun = time.perf_counter()
    assert max(map(len, chunks(text)), default=0) <= LONGEST_SENTENCE + 1_000
    assert time.perf_counter() - begun < 60


words = st.lists(st.text("ab.!?", max_size=6).map(lambda word: word + "\u2003"), max_size=80).map("".join) | st.text(
    "ab.!? \n\t\u2003\x1c", max_size=LONGEST_WORD
)


@given(words)
def test_words_are_what_stands_between_whitespace(text: str) -> None:
    assert count_words(text) == len(text.split())


def by_the_rule(text: str, size: int, overlap: int) -> list[str]:
    """The rule once more, as it is written, without a thought of large texts."""
    done: list[list[str]] = []
    chunk: list[str] = []
    for each in re.split(r"(?<=[.!?])\s+", text):
        if not each.strip():
            continue
        if chunk and sum(len(one.split()) for one in [*chunk, each]) > size:
            done.append(chunk)
            while sum(len(one.split()) for one in chunk) > overlap:
                chunk = chunk[1:]
        chunk = [*chunk, each]
    return [" ".join(each) for each in [*done, chunk] if each]


@given(words, st.integers(1, 12), st.integers(0, 11))
def test_chunks_are_those_of_the_rule(text: str, size: int, overlap: int) -> None:
    assert list(chunks(text, size, overlap)) == by_the_rule(text, size, overlap)
