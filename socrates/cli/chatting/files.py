"""Artifacts as files in the directory where somebody works."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

_LONGEST = 60
"""Characters of a project's name that go into a file's."""


def save(text: str, project: str, kind: str, directory: Path) -> Path:
    """Write a new file, whose name tells of project and kind; what is there already stays. Raises OSError."""
    for path in _names(project, kind, directory):
        try:
            # Never through a link that somebody has put there, nor over a file.
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        return path
    raise AssertionError("there is always another name")


def _names(project: str, kind: str, directory: Path) -> Iterator[Path]:
    stem = "-".join(re.findall(r"[^\W_]+", f"{project[:_LONGEST]} {kind}".lower())) or "artifact"
    yield directory / f"{stem}.md"
    number = 2
    while True:
        yield directory / f"{stem}-{number}.md"
        number += 1
