"""Prompts as text, and their snapshots.

After a wanted change run `SOCRATES_UPDATE_SNAPSHOTS=1 python -m pytest` on the test, and read the difference.
"""

import os
from pathlib import Path

from socrates.llm.demo.protocol import data_blocks
from socrates.llm.prompts.composing import Prompt

SNAPSHOTS = Path(__file__).parent / "snapshots"

ROOM = 8000
"""Tokens of data, as by default."""


def in_full(prompt: Prompt) -> str:
    """Everything that is sent."""
    parts = {"system": prompt.system, "stable data": prompt.stable, "data": prompt.data}
    return "\n".join(f"=== {part} ===\n{words}" for part, words in parts.items()) + "\n"


def assert_same(name: str, prompt: Prompt | str) -> None:
    """The text is that of the snapshot."""
    text = in_full(prompt) if isinstance(prompt, Prompt) else prompt
    snapshot = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("SOCRATES_UPDATE_SNAPSHOTS") == "1":
        snapshot.write_text(text, encoding="utf-8")
    assert text == snapshot.read_text(encoding="utf-8")


def blocks_of(prompt: Prompt) -> dict[str, str]:
    """The blocks of both parts as the model server reads them: each part has a mark of its own."""
    return data_blocks(prompt.stable) | data_blocks(prompt.data)
