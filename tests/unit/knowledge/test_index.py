"""The index over Chroma in a directory: what it holds and finds, where its work happens, and what damage does to it."""

import asyncio
import gc
import shutil
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from socrates.errors import BusyError, ClosedError, ConfigurationError, DatabaseError, KnowledgeIndexError
from socrates.knowledge.index import erase_index, open_index
from tests.unit.knowledge.indexes import DIMENSIONS, opened, point, some_vectors


def chroma_of(place: Path) -> Path:
    (found,) = (each for each in place.iterdir() if each.is_dir())
    return found


async def filled(place: Path, count: int = 1_200) -> None:
    """An index that is large enough for files of its graph."""
    async with opened(place) as index:
        await index.put([point(number) for number in range(count)], some_vectors(count, dimensions=16))


# What it holds and finds


async def test_what_was_put_is_held_and_found(tmp_path: Path) -> None:
    points = [point(0), point(1, "library", source="a.md"), point(2, "shop", "rules")]
    vectors = some_vectors(3)
    async with opened(tmp_path) as index:
        await index.put(points, vectors)
        held = await index.held(["key0", "key1", "unknown"])
        assert [held[key][0] for key in ("key0", "key1")] == points[:2]
        assert np.array_equal(held["key1"][1], vectors[1])
        assert await index.keys() == {"key0", "key1", "key2"}
        assert await index.nearest(vectors[0], 5, None) == ["key0"]
        assert await index.nearest(vectors[1], 1, "library") == ["key1"]
        assert await index.nearest(vectors[1], 5, "library", "facts", "a.md") == ["key1"]


async def test_putting_a_known_key_changes_it(tmp_path: Path) -> None:
    old, new = some_vectors(2)
    async with opened(tmp_path) as index:
        await index.put([point(0, "library")], old.reshape(1, -1))
        await index.put([point(0, "library", "rules", "a.md")], new.reshape(1, -1))
        assert await index.count() == 1
        held_point, held_vector = (await index.held(["key0"]))["key0"]
        assert held_point == point(0, "library", "rules", "a.md")
        assert np.array_equal(held_vector, new)
        assert await index.nearest(new, 1, "library", "facts") == []


async def test_more_than_one_batch_is_put_read_and_removed(tmp_path: Path) -> None:
    points = [point(number) for number in range(5_500)]
    keys = [each.key for each in points]
    vectors = some_vectors(len(points), dimensions=4)
    async with opened(tmp_path) as index:
        assert index._batch < len(points)
        await index.put(points, vectors)
        assert await index.count() == len(points)
        held = await index.held(keys)
        assert np.array_equal(held["key5499"][1], vectors[5_499])
        await index.remove(keys)
        assert await index.count() == 0


async def test_a_filtered_search_finds_what_comparing_with_all_finds(tmp_path: Path) -> None:
    count = 3_000
    vectors, queries = some_vectors(count), some_vectors(100, seed=2)
    points = [point(number, f"project{number % 20}" if number % 3 else None) for number in range(count)]
    found = 0
    async with opened(tmp_path) as index:
        await index.put(points, vectors)
        for number, query in enumerate(queries):
            project = f"project{number % 20}"
            is_seen = np.array([each.project_id == project for each in points])
            best = np.argsort(np.where(is_seen, vectors @ query, -2))[-5:]
            keys = await index.nearest(query, 5, project)
            assert len(keys) == 5
            found += len({f"key{place}" for place in best} & set(keys))
    assert found >= 0.99 * 5 * len(queries)


async def test_what_is_asked_at_once_is_answered_each_with_its_own(tmp_path: Path) -> None:
    vectors = some_vectors(30)
    async with opened(tmp_path) as index:
        await index.put([point(number, "library" if number % 2 else None) for number in range(30)], vectors)
        asked = [(number, "library" if number % 2 else None) for number in range(30)]
        searches = [asyncio.create_task(index.nearest(vectors[number], 1, owner)) for number, owner in asked]
        left_out = asyncio.create_task(index.nearest(vectors[0], 1, None))
        await asyncio.sleep(0)
        left_out.cancel()
        assert await asyncio.gather(*searches) == [[f"key{number}"] for number in range(30)]
        assert left_out.cancelled()


async def test_an_error_reaches_all_that_asked_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as index:
        await index.put([point(0)], some_vectors(1))
        wrong = some_vectors(1, dimensions=8)[0]
        told = await asyncio.gather(*(index.nearest(wrong, 1, None) for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in told] == 3 * [KnowledgeIndexError]


async def test_a_closed_index_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as index:
        pass
    with pytest.raises(ClosedError, match="is closed"):
        await index.nearest(some_vectors(1)[0], 1, None)


async def test_more_are_asked_for_than_there_are(tmp_path: Path) -> None:
    vectors = some_vectors(30)
    async with opened(tmp_path) as index:
        assert await index.nearest(vectors[0], 1_000, None) == []
        await index.put([point(number) for number in range(30)], vectors)
        assert len(await index.nearest(vectors[0], 1_000, None)) == 30


async def test_what_is_left_is_found_after_most_was_removed(tmp_path: Path) -> None:
    vectors = some_vectors(1_500, dimensions=32)
    async with opened(tmp_path) as index:
        await index.put([point(number) for number in range(1_500)], vectors)
        await index.remove([f"key{number}" for number in range(1_490)])
        assert len(await index.nearest(vectors[0], 10, None)) == 10
        for number in range(1_490, 1_500):
            assert await index.nearest(vectors[number], 1, None) == [f"key{number}"]
    async with opened(tmp_path) as index:
        assert len(await index.nearest(vectors[0], 10, None)) == 10


async def test_models_and_databases_do_not_mix_in_one_directory(tmp_path: Path) -> None:
    names = [
        ("words", ""),
        ("words", "a"),
        ("words", "b"),
        ("sentence-transformers/all-MiniLM-L6-v2", "a"),
        ("/é!", ""),
    ]
    for model, database in names:
        async with opened(tmp_path, model, database) as index:
            assert await index.count() == 0
            await index.put([point(0)], some_vectors(1))


# Where its work happens


async def test_nothing_of_chroma_runs_in_the_thread_of_the_event_loop(tmp_path: Path) -> None:
    with calls_of_chroma() as calls:
        async with opened(tmp_path) as index:
            await index.put([point(0)], some_vectors(1))
            await index.nearest(some_vectors(1)[0], 1, None)
            await index.held(["key0"])
            await index.keys()
            await index.count()
            await index.remove(["key0"])
            await index.clear()
        await erase_index(tmp_path)
    assert calls == []


@contextmanager
def calls_of_chroma() -> Iterator[list[str]]:
    """The functions of Chroma that this thread calls."""
    calls: list[str] = []

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and "/chromadb/" in frame.f_code.co_filename:
            calls.append(f"{frame.f_code.co_filename}:{frame.f_code.co_name}")

    gc.disable()  # What it collects may have finalizers.
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        gc.enable()


async def test_closing_frees_the_directory_from_whatever_thread(tmp_path: Path) -> None:
    index = await open_index(tmp_path, "words")
    with ThreadPoolExecutor(1) as another_thread:
        await asyncio.get_running_loop().run_in_executor(another_thread, index._close)
    async with opened(tmp_path):
        pass


async def test_who_is_cancelled_while_opening_leaves_nothing_open(tmp_path: Path) -> None:
    before = threading.active_count()
    for pause in (0, 0.0005, 0.001, 0.002):
        opening = asyncio.create_task(open_index(tmp_path, "words"))
        await asyncio.sleep(pause)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        async with opened(tmp_path):
            pass
    assert threading.active_count() <= before + 4  # those of asyncio.to_thread


# Damage


def cut_short(chroma: Path) -> None:
    (chroma / "chroma.sqlite3").write_bytes((chroma / "chroma.sqlite3").read_bytes()[:5_000])


def random_bytes(chroma: Path) -> None:
    (chroma / "chroma.sqlite3").write_bytes(np.random.default_rng(1).bytes(50_000))


def directory_for_file(chroma: Path) -> None:
    (chroma / "chroma.sqlite3").unlink()
    (chroma / "chroma.sqlite3").mkdir()


def file_for_directory(chroma: Path) -> None:
    shutil.rmtree(chroma)
    chroma.write_text("not a directory")


@pytest.mark.parametrize("damage", [cut_short, random_bytes, directory_for_file])
async def test_a_damaged_index_says_what_to_do_and_can_be_erased(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    await filled(tmp_path, 10)
    damage(chroma_of(tmp_path))
    threads = threading.active_count()
    for _ in range(2):  # which leaves nothing behind in this process
        with pytest.raises(DatabaseError, match="socrates knowledge rebuild") as caught:
            await open_index(tmp_path, "words")
        assert str(tmp_path) in str(caught.value)
        assert type(caught.value) is KnowledgeIndexError
        assert "bindings" not in str(caught.value)
    assert threading.active_count() <= threads + 1
    await erase_index(tmp_path)
    async with opened(tmp_path) as index:
        assert await index.count() == 0
        await index.put([point(0)], some_vectors(1))
        assert await index.count() == 1


@pytest.mark.parametrize("name", ["header.bin", "data_level0.bin", "index_metadata.pickle"])
async def test_an_index_without_its_graph_can_be_cleared(name: str, tmp_path: Path) -> None:
    await filled(tmp_path)
    (graph,) = chroma_of(tmp_path).glob(f"*/{name}")
    graph.unlink()
    async with opened(tmp_path) as index:
        with pytest.raises(DatabaseError, match="socrates knowledge rebuild"):
            await index.held([f"key{number}" for number in range(5)])
        await index.clear()
        await index.put([point(0)], some_vectors(1))
        assert await index.keys() == {"key0"}


async def test_files_that_would_end_the_process_are_erased(tmp_path: Path) -> None:
    await filled(tmp_path)
    (graph,) = chroma_of(tmp_path).glob("*/data_level0.bin")
    graph.write_bytes(np.random.default_rng(1).bytes(graph.stat().st_size))  # Chroma dies of it: SIGSEGV
    await erase_index(tmp_path)
    async with opened(tmp_path) as index:
        assert await index.count() == 0


async def test_an_index_that_was_deleted_begins_anew(tmp_path: Path) -> None:
    await filled(tmp_path, 10)
    shutil.rmtree(tmp_path)
    async with opened(tmp_path) as index:
        assert await index.count() == 0


async def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    place = tmp_path / "index"
    place.write_text("mine")
    for using in (open_index(place, "words"), erase_index(place), open_index(place / "below", "words")):
        with pytest.raises(DatabaseError, match=str(place)):
            await using
    assert place.read_text() == "mine"


async def test_files_of_others_stay_whatever_happens(tmp_path: Path) -> None:
    theirs = [tmp_path / "chroma.sqlite3", tmp_path / str(uuid.uuid4()) / "header.bin", tmp_path / "notes.txt"]
    for each in theirs:
        each.parent.mkdir(exist_ok=True)
        each.write_text("theirs")
    async with opened(tmp_path) as index:
        await index.put([point(0)], some_vectors(1))
        await index.clear()
    await erase_index(tmp_path)
    assert all(each.read_text() == "theirs" for each in theirs)
    async with opened(tmp_path) as index:
        assert await index.count() == 0


async def test_an_index_in_use_is_not_erased(tmp_path: Path) -> None:
    async with opened(tmp_path) as index:
        await index.put([point(0)], some_vectors(1))
        with pytest.raises(BusyError):
            await erase_index(tmp_path)
        assert await index.count() == 1


async def test_erasing_nothing_makes_nothing(tmp_path: Path) -> None:
    await erase_index(tmp_path / "index")
    assert not (tmp_path / "index").exists()


async def test_a_wrong_vector_is_an_error_that_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    async with opened(tmp_path) as index:
        await index.put([point(0)], some_vectors(1))
        for wrong in (some_vectors(1, dimensions=5), np.full((1, DIMENSIONS), np.nan, dtype=np.float32)):
            with pytest.raises(DatabaseError):
                await index.put([point(1)], wrong)
        assert await index.keys() == {"key0"}


async def test_a_panic_of_the_library_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Panic(BaseException):
        """As pyo3's: not an Exception."""

    def panic(_collection: object) -> None:
        raise Panic("called `Option::unwrap()` on a `None` value")

    async with opened(tmp_path) as index:
        with pytest.raises(DatabaseError, match="Panic: called"):
            await index._run(index._writer, panic)
        await index.put([point(0)], some_vectors(1))
        assert await index.count() == 1


# URLs


@pytest.mark.parametrize(
    "url",
    ["", "chroma", "ftp://host", "http://", "http://:8000", "http://host:port", "http://host:99999", "http://[::1"],
)
async def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="http://HOST:PORT"):
        await open_index(url, "words")


@pytest.mark.parametrize(
    "url",
    [
        "http://ada:secret@host:8000",
        "http://secret@host",
        "http://host/?token=secret",
        "http://host/secret",
        "http://host#secret",
    ],
)
async def test_a_url_with_credentials_or_a_path_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="server at host says more than") as caught:
        await open_index(url, "words")
    assert "secret" not in str(caught.value)


async def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(DatabaseError, match=r"Chroma server at 127\.0\.0\.1:9 failed.*see whether the server runs"):
        await open_index("http://127.0.0.1:9", "words")
