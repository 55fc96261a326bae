"""Adding to what is known, finding it, and taking it out again."""

from pathlib import Path

import numpy as np
import pytest

from socrates.drafts import NewEntry
from socrates.errors import InvalidValueError
from socrates.repositories.knowledge_entries import Embedded, Put
from tests.support.knowledge import DIMENSIONS, WordEmbedder, fresh_knowledge

UNIT = np.eye(1, DIMENSIONS, dtype="<f4").tobytes()
"""A vector of the model of these tests."""


async def test_what_was_added_is_found(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "library") as (_, knowledge):
        await knowledge.add(NewEntry("loans end after three weeks", "rules"), "library")
        (hit,) = await knowledge.search("when do loans end", project_id="library")
        assert (hit.entry.content, hit.entry.project_id) == ("loans end after three weeks", "library")


async def test_entries_with_vectors_are_found_without_making_them_again(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    async with fresh_knowledge(tmp_path, embedder=embedder) as (_, knowledge):
        (vector,) = await knowledge.embeddings.of_documents(["loans end"])
        made = len(embedder.calls)
        assert await knowledge.put_embedded([Embedded(NewEntry("loans end", "rules"), vector, "words")]) == Put(1, 0, 0)
        assert len(embedder.calls) == made
        assert (await knowledge.search("loans end"))[0].score == pytest.approx(1)
        assert await knowledge.put_embedded([]) == Put(0, 0, 0)


WRONG: dict[str, object] = {
    "shorter": UNIT[:-4],
    "longer": UNIT + bytes(4),
    "half a number": UNIT[:-2],
    "none": b"",
    "no bytes": np.frombuffer(UNIT, dtype="<f4"),
    "zero": bytes(len(UNIT)),
    "twice as long": (2 * np.frombuffer(UNIT, dtype="<f4")).tobytes(),
    "not a number": np.full(DIMENSIONS, np.nan, dtype="<f4").tobytes(),
    "infinite": np.full(DIMENSIONS, np.inf, dtype="<f4").tobytes(),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_vector_that_the_model_does_not_make_is_refused_with_all_of_its_call(name: str, tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path) as (store, knowledge):
        entries = [Embedded(NewEntry(f"text {number}", "topic", id=str(number)), UNIT, "words") for number in range(3)]
        wrong = Embedded(NewEntry("text", "topic", id="wrong"), WRONG[name], "words")  # type: ignore[arg-type]
        with pytest.raises(InvalidValueError, match="'wrong' is none that words makes: those have 64 numbers"):
            await knowledge.put_embedded([*entries, wrong])
        with pytest.raises(InvalidValueError):
            await knowledge.put_embedded([wrong])
        assert await store.knowledge_entries.count() == 0
        assert await knowledge.put_embedded(entries) == Put(3, 0, 0)


async def test_vectors_of_another_model_are_refused(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path) as (_, knowledge):
        with pytest.raises(InvalidValueError, match="these vectors are of others, and here words is in use"):
            await knowledge.put_embedded([Embedded(NewEntry("text", "topic"), UNIT, "others")])
