"""The text of a document, by the type that its name says."""

import asyncio
import os
import sys
from pathlib import Path, PurePath
from typing import Final

from socrates.errors import ConfigurationError, DocumentError, InvalidValueError
from socrates.knowledge.documents.files import in_megabytes, too_large

TEXT_TYPES: Final = frozenset({".txt", ".md", ".code", ".py", ".js", ".java", ".cpp"})
PARSED_TYPES: Final = frozenset({".pdf", ".docx"})
TYPES: Final = TEXT_TYPES | PARSED_TYPES

SECONDS: Final = 120
"""How long parsing one document may take. A book of 600 pages takes half a minute."""

MAX_MEMORY: Final = 1_000_000_000
"""Bytes of address space that parsing one document may take; Python and the libraries have 100 MB of it."""

_PROGRAM = Path(__file__).with_name("parsing.py")
"""Run as a file, which takes a tenth of the time: as a module it would first import the package, and the store."""

_MOST_DROPPED = 0.3
"""The share of a text's bytes that may be undecodable; Perl's test for text has the same. Some per cent are the accents
of an older encoding; of one whose letters are all undecodable, such as Cyrillic, nothing would be left."""


def suffix_of(name: str | PurePath) -> str:
    """The type of a document. Raises InvalidValueError for one that cannot be read."""
    suffix = PurePath(name).suffix.lower()
    if suffix not in TYPES:
        known = " ".join(sorted(TYPES))
        raise InvalidValueError(f"{name} is of no type that can be read; the types are {known}")
    return suffix


def decoded(name: object, data: bytes) -> str:
    """A text in UTF-8, without the bytes that are none. Raises DocumentError for what is no text at all."""
    text = data.decode("utf-8-sig", "ignore")
    dropped = len(data) - len(text.encode())
    if "\0" in text or dropped > _MOST_DROPPED * len(data):
        raise DocumentError(f"{name} is no text in UTF-8: it is binary, or has another encoding")
    return text


async def parsed(name: object, suffix: str, data: bytes, max_bytes: int, seconds: float = SECONDS) -> str:
    """The text of a PDF or Word document, taken out by a process of its own, which ends with the call.

    Raises InvalidValueError beyond a limit, DocumentError for a file that is damaged or encrypted, and
    ConfigurationError without the extra `knowledge`.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", str(_PROGRAM)),
        *(suffix, str(max_bytes), str(MAX_MEMORY), str(int(seconds) + 1)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
    )
    try:
        async with asyncio.timeout(seconds):
            answer, _ = await process.communicate(data)
    except TimeoutError as error:
        raise InvalidValueError(f"{name} cannot be imported: to read it takes more than {seconds:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    return _understood(name, answer, max_bytes)


def _understood(name: object, answer: bytes, max_bytes: int) -> str:
    outcome, _, rest = answer.partition(b"\n")
    text = rest.decode("utf-8")
    match outcome.decode():
        case "text":
            return text
        case "limit":
            raise InvalidValueError(f"{name} cannot be imported: {text}. A document may have {in_megabytes(max_bytes)}")
        case "unreadable":
            raise DocumentError(f"{name} cannot be read: {text}")
        case "no library":
            raise ConfigurationError(f"{name} cannot be read: {text}")
        case _:
            raise DocumentError(f"{name} cannot be read: the process that should do it came to its end")


def _environment() -> dict[str, str]:
    """Ours, without the settings, which hold secrets; modules are found where we find them, and nowhere else."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SOCRATES_")}
    return {**inherited, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def require_size(name: object, content: str | bytes, max_bytes: int) -> int:
    """The bytes that a content has. Raises InvalidValueError beyond the limit."""
    # A character has a byte at least, so that the huge ones are never encoded.
    too_long = len(content) > max_bytes
    size = len(content) if too_long or isinstance(content, bytes) else len(content.encode("utf-8", "surrogatepass"))
    if size > max_bytes:
        raise too_large(name, max_bytes)
    return size
