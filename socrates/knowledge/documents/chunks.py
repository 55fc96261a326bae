"""Cuts a text into chunks (agents.md 2.7): whole sentences, up to 500 words, the last 50 again in the next."""

import re
from collections.abc import Iterable, Iterator

CHUNK_WORDS = 500
OVERLAP_WORDS = 50

LONGEST_WORD = 40
"""Characters. A longer one counts as several words, or a chunk of such words could be of any size."""

LONGEST_SENTENCE = CHUNK_WORDS * LONGEST_WORD
"""Characters: six times those of a chunk. What is longer is a table, a log or one endless word, and no sentence."""

_END_OF_SENTENCE = re.compile(r"[.!?]\s+")
_WORD = re.compile(rf"\S{{1,{LONGEST_SENTENCE}}}")


def chunks(text: str, size: int = CHUNK_WORDS, overlap: int = OVERLAP_WORDS) -> Iterator[str]:
    """The chunks of `text`, in order; sizes in words. A blank text has none.

    A sentence that is longer than a chunk stays whole, so that a text without sentences is one chunk. Only where it is
    beyond LONGEST_SENTENCE it is cut between words, and a word beyond that inside: the model reads no more than the
    beginning of a chunk, and would never see the rest.
    """
    current: list[str] = []
    words = 0
    for sentence in _sentences(text, size):
        length = _length(sentence)
        if current and words + length > size:
            yield " ".join(current)
            current = _tail(current, overlap)
            words = sum(map(_length, current))
        current.append(sentence)
        words += length
    if current:
        yield " ".join(current)


def count_words(text: str) -> int:
    """How many words a text has: what is between whitespace."""
    # One by one, where `split` would keep every other thread waiting until it is through all of a large text.
    return sum(1 for _ in re.finditer(r"\S+", text))


def _length(sentence: str) -> int:
    return max(count_words(sentence), len(sentence) // LONGEST_WORD)


def _sentences(text: str, size: int) -> Iterator[str]:
    start = 0
    for end in _END_OF_SENTENCE.finditer(text):
        yield from _short_enough(text[start : end.start() + 1], size)
        start = end.end()
    yield from _short_enough(text[start:], size)


def _short_enough(sentence: str, size: int) -> Iterable[str]:
    """The sentence, unless it is blank; its pieces, if it is longer than any."""
    if len(sentence) > LONGEST_SENTENCE:
        return _pieces(sentence, size)
    return [sentence] if sentence.strip() else []


def _pieces(sentence: str, size: int) -> Iterator[str]:
    """As much at a time as has `size` words and is no longer than a sentence can be."""
    start = end = words = 0
    for word in _WORD.finditer(sentence):
        if words == size or (words and word.end() - start > LONGEST_SENTENCE):
            yield sentence[start:end]
            words = 0
        if not words:
            start = word.start()
        end = word.end()
        words += 1
    if words:
        yield sentence[start:end]


def _tail(sentences: list[str], overlap: int) -> list[str]:
    """The last whole sentences that have at most `overlap` words together."""
    tail: list[str] = []
    words = 0
    for sentence in reversed(sentences):
        words += _length(sentence)
        if words > overlap:
            break
        tail.append(sentence)
    return tail[::-1]
