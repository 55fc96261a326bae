"""The vectors of v1's collection: had written to a file by another process, and found there by id."""

import asyncio
import json
import logging
import os
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from socrates.knowledge.adoption import extraction
from socrates.knowledge.embeddings import is_of_length_1

_log = logging.getLogger(__name__)

DIMENSIONS = 384
"""Of all-MiniLM-L6-v2, v1's model."""

_FIND = "SELECT id, vector FROM vectors WHERE id IN (SELECT value FROM json_each(?))"


async def extract(directory: Path, collection: str, file: Path) -> None:
    """Have the vectors of a collection written to `file`, as far as Chroma can read them; a warning says why not."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", extraction.__name__, str(directory), collection, str(file)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        lines = said.decode(errors="replace").splitlines() or ["it was ended"]
        _log.warning(
            "v1's vectors cannot all be read (%s, exit status %d); those that are missing are made anew",
            lines[-1],
            process.returncode,
        )


def find(file: Path, ids: Sequence[str]) -> Mapping[str, bytes]:
    """The vectors under these ids that are as the model makes them: finite, of length 1, with all dimensions."""
    connection = sqlite3.connect(file)
    try:
        connection.execute(extraction.TABLE)
        return {each: vector for each, vector in connection.execute(_FIND, [json.dumps(ids)]) if _is_sound(vector)}
    finally:
        connection.close()


def _is_sound(stored: bytes) -> bool:
    return len(stored) == 4 * DIMENSIONS and is_of_length_1(stored)
