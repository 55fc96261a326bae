"""How Chroma is opened, in a directory or on a server, and how its failures are told."""

import importlib
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from socrates.errors import ConfigurationError, KnowledgeIndexError, SocratesError

_PATIENCE = 60.0
"""Seconds that a server may take for an answer: for a batch of entries it takes one."""


@dataclass(frozen=True, slots=True)
class Where:
    """What messages say of an index: where it is, and what to do when it fails."""

    place: str
    advice: str


def client_in(library: Any, directory: Path) -> Any:
    """A client of Chroma's own files in a directory."""
    try:
        return library.PersistentClient(path=str(directory), settings=_settings(library))
    except BaseException:
        # Chroma keeps the half-opened one, and would hand it out to the next that asks for this path.
        shared = importlib.import_module("chromadb.api.shared_system_client").SharedSystemClient
        shared._identifier_to_system.pop(str(directory), None)
        raise


def client_of(library: Any, url: str, resources: ExitStack) -> Any:
    """A client of a server; what it holds open is let go of with `resources`."""
    host, port, is_safe = _server(url)
    settings = _settings(library, chroma_server_host=host, chroma_server_http_port=port)
    client = library.HttpClient(host=host, port=port, ssl=is_safe, settings=settings)
    resources.callback(client.close)
    # Chroma never closes its connections, and waits for ever; it has no settings for that.
    for each in (client, client._admin_client):
        resources.callback(each._server._session.close)
        each._server._session.timeout = _PATIENCE
    return client


def _settings(library: Any, **settings: Any) -> Any:
    """Chroma's settings: nothing is told to anybody, and nothing read from a file that happens to lie around."""
    return library.Settings(_env_file=None, anonymized_telemetry=False, chroma_otel_collection_endpoint="", **settings)


def _server(url: str) -> tuple[str, int, bool]:
    """Host, port, and whether it is spoken to over TLS. Raises ConfigurationError, which does not repeat the URL."""
    try:
        parts = urlsplit(url)
        is_safe = parts.scheme == "https"
        port = parts.port or (443 if is_safe else 8000)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError("the URL of a Chroma server is http://HOST:PORT or https://HOST:PORT")
    if parts.username or parts.password or parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigurationError(
            f"the URL of the Chroma server at {parts.hostname} says more than http://HOST:PORT: Chroma knows neither "
            "names and passwords nor tokens, and its address has no path"
        )
    return parts.hostname, port, is_safe


@contextmanager
def telling(where: Where) -> Iterator[None]:
    """Raise KnowledgeIndexError for whatever goes wrong in Chroma."""
    try:
        yield
    except SocratesError:
        raise
    # Answers of a server are plain Exceptions, and a panic of its Rust is none at all.
    except BaseException as error:
        raise KnowledgeIndexError(
            f"the index of knowledge {where.place} failed ({type(error).__name__}: {error}). It holds nothing that the "
            f"database does not: {where.advice}"
        ) from error


def where_is(place: Path | str) -> Where:
    """What messages say of the index in a directory, or on the server of a URL."""
    if isinstance(place, Path):
        return Where(
            f"in {place}",
            "see whether the directory can be written to, then have the index made anew by socrates knowledge rebuild",
        )
    host, port, _ = _server(place)
    return Where(
        f"on the Chroma server at {host}:{port}",
        "see whether the server runs; what the index missed is put in when the knowledge is opened the next time, and "
        "socrates knowledge rebuild makes all of it anew",
    )


def slug(model: str) -> str:
    """The model's name as Chroma takes it in that of a collection."""
    return re.sub(r"[^a-zA-Z0-9._-]+", "-", model).strip("._-") or "model"


def library_of_chroma() -> Any:
    """The library. Raises ConfigurationError where it is not installed."""
    try:
        return importlib.import_module("chromadb")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "the index of knowledge needs its library: pip install 'socrates[knowledge]'"
        ) from error


def not_there() -> type[Exception]:
    """What Chroma raises for a collection that is not there, or no more."""
    error: type[Exception] = importlib.import_module("chromadb.errors").NotFoundError
    return error
