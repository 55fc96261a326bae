"""What the bench of the knowledge store knows: paragraphs of the default knowledge's sentences, anew each time."""

import random
import re
from collections.abc import Iterator
from itertools import count

import numpy as np

from socrates.drafts import NewEntry
from socrates.knowledge.defaults import default_entries
from socrates.repositories.knowledge_entries import Embedded

PROJECT = "library"
CATEGORY = "python_advanced"
DIMENSIONS = 384
"""Of all-MiniLM-L6-v2."""

_SENTENCES_OF_A_PARAGRAPH = 3


def paragraphs(number: int, seed: int = 1) -> list[str]:
    """So many texts of some 50 words, all different."""
    choose = random.Random(seed)
    sentences = _sentences()
    return [
        " ".join([*choose.sample(sentences, _SENTENCES_OF_A_PARAGRAPH), f"This is remark {seed}-{place}."])
        for place in range(number)
    ]


def queries(seed: int = 1) -> Iterator[str]:
    """Questions of some ten words without end, all different."""
    choose = random.Random(seed)
    sentences = _sentences()
    for place in count():
        words = choose.choice(sentences).rstrip(".").split()[:8]
        yield f"What about {' '.join(words)} {seed}-{place}?"


def document(words: int, seed: int) -> str:
    """A text of so many words."""
    choose = random.Random(seed)
    sentences = _sentences()
    text: list[str] = []
    while sum(len(sentence.split()) for sentence in text) < words:
        text.append(choose.choice(sentences))
    return " ".join(text)


def embedded_at_random(number: int, model: str) -> list[Embedded]:
    """So many entries with vectors of no meaning, for what does not depend on it."""
    vectors = np.random.default_rng(1).normal(size=(number, DIMENSIONS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [
        Embedded(NewEntry(content, CATEGORY), vector.astype("<f4").tobytes(), model)
        for content, vector in zip(paragraphs(number), vectors, strict=True)
    ]


def _sentences() -> list[str]:
    return [sentence for entry in default_entries() for sentence in re.split(r"(?<=[.!?])\s+", entry.content)]
