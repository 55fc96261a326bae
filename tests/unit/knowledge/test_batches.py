"""Gathering what is embedded at the same time: what goes together, whose turn it is, and what ends how."""

import asyncio
import gc
import traceback
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from socrates.errors import ClosedError
from socrates.knowledge.batches import FULL, Batches
from socrates.knowledge.embedder import Purpose, Vectors
from tests.support.knowledge import WordEmbedder

LONG = 3_600.0
"""Seconds of patience that no test waits for."""


class Gate(WordEmbedder):
    """Works only while it is open; fails where it has an `error`."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.begun = asyncio.Semaphore(0)
        self.purposes: list[Purpose] = []
        self.error: Exception | None = None

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        self.purposes.append(purpose)
        vectors = await super().embed(texts, purpose)
        self.begun.release()
        await self.open.wait()
        await asyncio.sleep(0.001)  # as a thread, it gives others their turn
        if self.error is not None:
            raise self.error
        return vectors


def soon(awaitable: Any) -> "asyncio.Task[Any]":
    return asyncio.ensure_future(awaitable)


async def begun(gate: Gate) -> None:
    async with asyncio.timeout(20):
        await gate.begun.acquire()


async def test_what_is_asked_together_is_one_batch_and_everybody_has_their_own() -> None:
    embedder = WordEmbedder()
    batches = Batches(embedder)
    asked = [["a b", "c"], ["d"], ["e", "f", "g"]]
    given = await asyncio.gather(*(batches.embed(texts, "query") for texts in asked))
    assert embedder.calls == [("a b", "c", "d", "e", "f", "g")]
    for texts, vectors in zip(asked, given, strict=True):
        assert np.array_equal(vectors, await WordEmbedder().embed(texts, "query"))


async def test_a_full_batch_does_not_wait_for_more() -> None:
    embedder = WordEmbedder()
    batches = Batches(embedder, patience=LONG)
    async with asyncio.timeout(20):
        await asyncio.gather(*(batches.embed([f"text {number}"], "query") for number in range(FULL)))
    assert [len(call) for call in embedder.calls] == [FULL]


async def test_one_text_alone_waits_for_the_patience_only() -> None:
    async with asyncio.timeout(20):
        await Batches(WordEmbedder(), patience=0.01).embed(["alone"], "query")


async def test_while_the_model_works_the_next_batch_gathers() -> None:
    gate = Gate()
    batches = Batches(gate, patience=0)
    tasks = [soon(batches.embed(["first"], "query"))]
    await begun(gate)
    tasks += [soon(batches.embed([text], "query")) for text in ("second", "third")]
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(*tasks)
    assert gate.calls == [("first",), ("second", "third")]


async def test_queries_and_documents_are_batches_of_their_own() -> None:
    gate = Gate()
    gate.open.set()
    batches = Batches(gate)
    await asyncio.gather(batches.embed(["same"], "document"), batches.embed(["same"], "query"))
    assert sorted(gate.purposes) == ["document", "query"]


async def test_a_query_has_its_turn_among_a_thousand_documents() -> None:
    gate = Gate()
    batches = Batches(gate, patience=0)
    documents = soon(batches.embed([f"document {number}" for number in range(1_000)], "document"))
    await begun(gate)
    query = soon(batches.embed(["a query"], "query"))
    await asyncio.sleep(0)
    gate.open.set()
    await query
    assert not documents.done()
    assert gate.purposes[:2] == ["document", "query"]
    assert len(await documents) == 1_000
    assert max(map(len, gate.calls)) == FULL


async def test_documents_have_their_turn_among_queries_without_end() -> None:
    gate = Gate()
    batches = Batches(gate, patience=0, full=1)
    queries = [soon(batches.embed([f"query {number}"], "query")) for number in range(10)]
    document = soon(batches.embed(["a document"], "document"))
    gate.open.set()
    await document
    assert gate.purposes[:2] == ["query", "document"]
    await asyncio.gather(*queries)


async def test_long_texts_make_smaller_batches() -> None:
    embedder = WordEmbedder()
    await Batches(embedder).embed([f"{number} " + "word " * 400 for number in range(20)], "document")
    assert [len(call) for call in embedder.calls] == [8, 8, 4]


async def test_a_text_that_several_want_is_computed_once() -> None:
    gate = Gate()
    batches = Batches(gate, patience=0)
    tasks = [soon(batches.embed(["same", "same", "other"], "query"))]
    await begun(gate)
    tasks.append(soon(batches.embed(["same"], "query")))
    await asyncio.sleep(0)
    gate.open.set()
    first, second = await asyncio.gather(*tasks)
    assert gate.calls == [("same", "other")]
    assert np.array_equal(first[0], first[1])
    assert np.array_equal(first[0], second[0])


async def test_who_is_cancelled_before_takes_only_their_own_texts_along() -> None:
    gate = Gate()
    gate.open.set()
    batches = Batches(gate)
    kept, given_up = soon(batches.embed(["kept", "shared"], "query")), soon(batches.embed(["gone", "shared"], "query"))
    await asyncio.sleep(0)
    given_up.cancel()
    assert len(await kept) == 2
    assert gate.calls == [("kept", "shared")]
    assert given_up.cancelled()


async def test_who_is_cancelled_while_the_model_works_cancels_nobody_else() -> None:
    gate = Gate()
    batches = Batches(gate)
    kept, given_up = soon(batches.embed(["kept"], "query")), soon(batches.embed(["gone"], "query"))
    await begun(gate)
    given_up.cancel()
    await asyncio.sleep(0)
    gate.open.set()
    assert len(await kept) == 1
    assert given_up.cancelled()


async def test_where_all_are_cancelled_the_model_is_spared_the_rest_and_the_next_is_served() -> None:
    gate = Gate()
    batches = Batches(gate)
    gone = soon(batches.embed([f"gone {number}" for number in range(100)], "document"))
    await begun(gate)
    gone.cancel()
    await asyncio.sleep(0)
    gate.open.set()
    assert len(await batches.embed(["next"], "query")) == 1
    await batches.close()
    assert [len(call) for call in gate.calls] == [FULL, 1]


async def test_an_error_reaches_all_in_the_batch_with_one_trace_each_and_the_next_batch_works() -> None:
    gate = Gate()
    gate.error = ValueError("no")
    gate.open.set()
    batches = Batches(gate)
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    depths = []
    tasks = [soon(batches.embed([f"{number}", f"{number} too"], "query")) for number in range(10)]
    for task in tasks:
        with pytest.raises(ValueError, match="no") as caught:
            await task
        depths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert len(gate.calls) == 1
    assert len(set(depths)) == 1
    gate.error = None
    assert len(await batches.embed(["1"], "query")) == 1
    del tasks, task, caught
    gc.collect()
    assert complaints == []


async def test_an_error_in_one_step_spares_the_model_the_other_steps() -> None:
    gate = Gate()
    gate.error = ValueError("no")
    gate.open.set()
    batches = Batches(gate)
    with pytest.raises(ValueError, match="no"):
        await batches.embed([str(number) for number in range(10 * FULL)], "document")
    await batches.close()
    assert len(gate.calls) <= 2


async def test_an_embedder_that_gives_too_few_vectors_is_an_error_for_who_waits() -> None:
    class TooFew(WordEmbedder):
        async def embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
            return (await super().embed(texts, purpose))[:-1]

    async with asyncio.timeout(20):
        with pytest.raises(ValueError, match="shorter"):
            await Batches(TooFew()).embed(["a", "b"], "query")


async def test_closing_lets_be_done_what_was_asked_for_and_refuses_the_rest() -> None:
    embedder = WordEmbedder()
    batches = Batches(embedder, patience=LONG)
    waiting = soon(batches.embed(["waiting"], "query"))
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await batches.close()
        assert len(await waiting) == 1
    with pytest.raises(ClosedError):
        await batches.embed(["late"], "query")
    await batches.close()


async def test_closing_that_is_cancelled_can_be_done_again() -> None:
    gate = Gate()
    batches = Batches(gate)
    waiting = soon(batches.embed(["waiting"], "query"))
    await begun(gate)
    closing = soon(batches.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    gate.open.set()
    await batches.close()
    assert len(await waiting) == 1


async def test_where_the_work_itself_is_cancelled_nobody_waits_for_ever() -> None:
    gate = Gate()
    batches = Batches(gate)
    waiting = [soon(batches.embed([f"{number}"], "query")) for number in range(2 * FULL)]
    await begun(gate)
    assert batches._work is not None
    batches._work.cancel()
    async with asyncio.timeout(20):
        ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends)
    gate.open.set()
    assert len(await batches.embed(["next"], "query")) == 1


async def test_vectors_are_read_only_and_keep_no_batch_alive() -> None:
    batches = Batches(WordEmbedder())
    first, _ = await asyncio.gather(batches.embed(["a"], "query"), batches.embed(["b", "c"], "query"))
    assert not first.flags.writeable
    assert first.base is None
    assert len(await batches.embed([], "query")) == 0
