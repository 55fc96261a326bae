"""Pickles that v1 wrote, and what a careless disk makes of them."""

import random
import sqlite3
from pathlib import Path

from hypothesis import strategies as st

from tests.support import v1_strategies as v1

SAMPLES = Path(__file__).parents[2] / "support" / "v1_samples"
_TOUCHY_OPCODES = b"\x94\x93\x88\x89N)(]}eusaR\x85\x86\x87htbqQ.\x8f\x90c\x81"

PLAIN_SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats()
    | st.text(max_size=300)
    | st.binary(max_size=300)
    | v1.MOMENT
    | v1.AWARE
    | v1.DECIMAL
)
PLAIN_RECORD = st.dictionaries(
    st.text(max_size=20),
    st.recursive(
        PLAIN_SCALAR,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4)
        ),
        max_leaves=12,
    ),
    max_size=6,
)
"""Dicts of what a v1 record may hold."""


def sample_blobs() -> list[bytes]:
    """Every blob of the sample databases."""
    blobs: list[bytes] = []
    for path in sorted(SAMPLES.glob("*.db")):
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [column[1] for column in connection.execute(f"PRAGMA table_info({table})")]
            if "data" in columns:
                blobs.extend(blob for (blob,) in connection.execute(f"SELECT data FROM {table} ORDER BY 1"))
        connection.close()
    return blobs


def mutated(blobs: list[bytes], count: int, seed: int) -> list[bytes]:
    """`count` damaged copies: bytes changed, put in, taken out, moved, and opcodes put where they don't belong."""
    chance = random.Random(seed)
    return [_mutated(chance.choice(blobs), chance) for _ in range(count)]


def _mutated(blob: bytes, chance: random.Random) -> bytes:
    changed = bytearray(blob)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        place = chance.randrange(2, len(changed))
        kind = chance.randrange(5)
        if kind == 0:
            changed[place] = chance.randrange(256)
        elif kind == 1:
            changed.insert(place, chance.randrange(256))
        elif kind == 2:
            end = min(place + chance.choice((1, 1, 2, 8)), len(changed) - 3)
            del changed[place:end]
        elif kind == 3:
            start = chance.randrange(2, len(changed))
            changed[place:place] = changed[start : start + chance.randrange(1, 40)]
        else:
            changed[place] = chance.choice(_TOUCHY_OPCODES)
    return bytes(changed)
