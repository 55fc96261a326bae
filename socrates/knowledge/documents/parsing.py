"""Takes the text out of a PDF or Word document: a program of its own, which imports as little as can be.

Such files can be made so that their parser never ends, or unpacks gigabytes. A thread cannot be stopped; a process can,
and its memory can be limited: what it does has no effect on whoever started it.
"""

import importlib
import io
import logging
import sys
import zipfile
from collections.abc import Iterator
from typing import Any, Literal, get_args

from socrates.errors import ConfigurationError, DocumentError, InvalidValueError, SocratesError

if sys.platform != "win32":
    import resource

Outcome = Literal["text", "limit", "unreadable", "no library"]
"""The first line of what the process answers. The rest is the text, or why there is none."""

UNPACKED = 10
"""How many times the most text the parts of a Word document may have together: XML takes several times its text."""

_PARAGRAPH = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}p"

_OUTCOMES: dict[type[SocratesError], Outcome] = {
    InvalidValueError: "limit",
    DocumentError: "unreadable",
    ConfigurationError: "no library",
}


def main(suffix: str, max_bytes: int, max_memory: int, seconds: int) -> None:
    """Answer with the text of the document that stands in the standard input."""
    _limit(max_memory, seconds)
    logging.disable()  # pypdf tells of each flaw in a file
    outcome: Outcome
    try:
        outcome, answer = get_args(Outcome)[0], _text(suffix, sys.stdin.buffer.read(), max_bytes)
    except SocratesError as error:
        outcome, answer = _OUTCOMES[type(error)], str(error)
    sys.stdout.buffer.write(f"{outcome}\n{answer}".encode("utf-8", "ignore"))


def _text(suffix: str, data: bytes, max_bytes: int) -> str:
    parts: list[str] = []
    size = 0
    try:
        for part in _PARTS[suffix](data, max_bytes):
            size += len(part.encode("utf-8", "ignore"))
            if size > max_bytes:
                raise InvalidValueError("its text is too long")
            parts.append(part)
    except SocratesError:
        raise
    except MemoryError as error:
        raise InvalidValueError("it takes too much memory") from error
    except Exception as error:  # both libraries raise almost anything for a damaged file
        raise DocumentError(f"it is damaged, or not what its name says ({type(error).__name__}: {error})") from error
    # A NUL means nothing in a text, and PostgreSQL cannot store it.
    return "\n".join(parts).replace("\0", "")


def _pages(data: bytes, _max_bytes: int) -> Iterator[str]:
    reader = _library("pypdf").PdfReader(io.BytesIO(data))
    # Many can be read by anybody, and are encrypted only against changes: those have an empty password.
    if reader.is_encrypted and not reader.decrypt(""):
        raise DocumentError("it is encrypted: save it without a password")
    for page in reader.pages:
        yield page.extract_text()


def _paragraphs(data: bytes, max_bytes: int) -> Iterator[str]:
    library = _library("docx")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        # What is stated is what is unpacked at most: zipfile stops there.
        if sum(member.file_size for member in archive.infolist()) > UNPACKED * max_bytes:
            raise InvalidValueError("it unpacks to too much")
    document = library.Document(io.BytesIO(data))
    # All that are anywhere in the text, in tables too, in their order.
    for paragraph in document.element.body.iter(_PARAGRAPH):
        yield paragraph.text


_PARTS = {".pdf": _pages, ".docx": _paragraphs}


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigurationError("it takes a library to read it: pip install 'socrates[knowledge]'") from error


def _limit(max_memory: int, seconds: int) -> None:
    # Windows has no such limits: there only the time is limited, by whoever started this process.
    if sys.platform != "win32":
        resource.setrlimit(resource.RLIMIT_AS, (max_memory, max_memory))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
