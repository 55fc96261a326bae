"""No blob takes more than 64 MB + 8 × its size, nor more than 1 s + 1 s per 10 MB of the processor.

Each is loaded in a process of its own, for the peak of memory is the process's. Times are allowed three times over.
"""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.v1_records import LEARNED, project_record
from tests.unit.v1 import assembly as a
from tests.unit.v1.collisions import cycle, slow_keys

REPOSITORY = Path(__file__).parents[3]
TIME_ALLOWANCE = 3
HANG_SECONDS = 60
ADDRESS_SPACE = 6 * 1024**3

LOADING = """
import json, resource, sys, time
from pathlib import Path
from socrates.errors import DamagedRecordError
from socrates.v1.unpickling import load
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
blob = Path(sys.argv[1]).read_bytes()
reason, before, began = None, peak(), time.process_time()
try:
    load(blob)
except DamagedRecordError as error:
    reason = str(error)
print(json.dumps([reason, time.process_time() - began, peak() - before]))
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")


@dataclass(frozen=True)
class Load:
    """How one load went: `reason` is None when the blob was accepted; seconds of processor time; bytes."""

    reason: str | None
    seconds: float
    peak: int


def measured(blob: bytes, directory: Path) -> Load:
    """Load a blob in a new process."""
    path = directory / "blob"
    path.write_bytes(blob)
    run = subprocess.run(
        [sys.executable, "-c", LOADING, str(path), str(ADDRESS_SPACE)],
        cwd=REPOSITORY,
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert run.returncode == 0, run.stderr
    return Load(*json.loads(run.stdout))


def assert_within_limits(load: Load, size: int) -> None:
    assert load.peak <= 64 * 2**20 + 8 * size
    assert load.seconds <= TIME_ALLOWANCE * (1 + size / 1e7)


def numbers_that_collide(multiples: int) -> bytes:
    keys = b"".join(a.number(k * (2**61 - 1)) + a.NONE for k in range(1, multiples))
    return a.record(a.EMPTY_DICT + a.MARK + keys + a.SET_ITEMS)


def decimals_that_collide(count: int) -> bytes:
    keys = b"".join(a.get(0) + a.text(str(k * (2**61 - 1))) + a.TUPLE1 + a.REDUCE + a.NONE for k in range(count))
    return a.record(a.list_of(a.DECIMAL + a.MEMOIZE) + a.SET_ITEM + a.text("c") + a.EMPTY_DICT + a.MARK + keys + b"u")


def numbers_that_share_their_way() -> bytes:
    filled = cycle(18, 118_000)
    keys = b"".join(a.number(key) + a.NONE for key in (*filled, *slow_keys(18, filled, 54_000)))
    return a.record(a.EMPTY_DICT + a.MARK + keys + a.SET_ITEMS)


def decimals_of_one_text(digits: int, count: int) -> bytes:
    code = a.DECIMAL + a.MEMOIZE + a.text("7" * digits) + a.MEMOIZE
    return a.record(a.list_of(code + (a.get(0) + a.get(1) + a.TUPLE1 + a.REDUCE) * count))


def dicts_with_long_common_keys(length: int, count: int) -> bytes:
    keys = a.text("a" * length) + a.MEMOIZE + a.text("b" * length) + a.MEMOIZE
    entry = a.EMPTY_DICT + a.MARK + a.get(0) + a.NONE + a.get(1) + a.NONE + a.SET_ITEMS
    return a.record(a.list_of(keys + entry * count))


def set_of_one_wide_tuple(width: int, count: int) -> bytes:
    return a.record(a.set_of(a.MARK + a.NONE * width + a.TUPLE + a.MEMOIZE + a.get(0) * count))


BOMBS: dict[str, Callable[[], bytes]] = {
    "a memo index of 4,294,967,295": lambda: a.record(b"Nr\xff\xff\xff\xff"),
    "a memo index of 65,535, often": lambda: a.record(a.list_of(b"Nr\xff\xff\x00\x00" * 50_000)),
    "a length of 2**62": lambda: a.record(b"\x8e" + (2**62).to_bytes(8, "little")),
    "a frame of 2**63": lambda: a.PROTOCOL_4 + b"\x95" + (2**63 - 1).to_bytes(8, "little") + b"}.",
    "lists doubled 60 times": lambda: a.record(
        a.list_of(a.NONE) + a.MEMOIZE + b"".join(a.list_of(a.get(n) * 2) + a.MEMOIZE for n in range(60))
    ),
    "a list of 500,000 times one list": lambda: a.record(
        a.list_of(a.list_of(a.NONE * 10_000) + a.MEMOIZE + a.get(0) * 500_000)
    ),
    "one text of 1 MB, 100,000 times": lambda: a.record(
        a.list_of(a.text("x" * 1_000_000) + a.MEMOIZE + a.get(0) * 100_000)
    ),
    "a doubled tuple as a key": lambda: a.record(a.NONE, key=a.doubling_tuples(40)),
    "a doubled tuple in a set": lambda: a.record(a.set_of(a.doubling_tuples(40))),
    "a doubled tuple 250 times over": lambda: a.record(a.doubling_tuples(250)),
    "a wide tuple, 990 times in a set": lambda: set_of_one_wide_tuple(2_500_000, 990),
    "multiples of 2**61 - 1 as keys": lambda: numbers_that_collide(60_000),
    "Decimals of one hash as keys": lambda: decimals_that_collide(60_000),
    "integers that share their way through a dict": numbers_that_share_their_way,
    "empty dicts, 520,000 in the first lane": lambda: a.record(a.list_of(a.EMPTY_DICT * 520_000)),
    "empty dicts by the million": lambda: a.record(a.list_of(a.EMPTY_DICT * 5_000_000)),
    "empty sets by the million": lambda: a.record(a.list_of(a.EMPTY_SET * 5_000_000)),
    "lists of one by the million": lambda: a.record(a.list_of(b"]Na" * 2_000_000)),
    "sets of one by the million": lambda: a.record(a.list_of(b"\x8f(N\x90" * 1_000_000)),
    "dicts of one by the 100,000 in the first lane": lambda: a.record(a.list_of(b"}NNs" * 130_000)),
    "nested 5,000,000 deep": lambda: a.record(a.EMPTY_LIST * 5_000_000 + a.APPEND * 4_999_999),
    "5,000,000 marks": lambda: a.record(a.MARK * 5_000_000),
    "8,000,000 times None": lambda: a.record(a.list_of(a.NONE * 8_000_000)),
    "5,000,000 small integers": lambda: a.record(a.list_of(a.number(1) * 5_000_000)),
    "one wide character after 10 MB": lambda: pickle.dumps({"k": "x" * 10_000_000 + "😀"}, 4),
    "an integer of 10 MB": lambda: a.record(a.number(1 << 80_000_000)),
    "a Decimal of an integer of 300 KB": lambda: a.record(a.called(a.DECIMAL, a.number(1 << 2_400_000))),
    "a Decimal of 1,000,000 digits": lambda: a.record(a.called(a.DECIMAL, a.text("7" * 1_000_000))),
    "990 Decimals of one text of 400,000 digits": lambda: decimals_of_one_text(400_000, 990),
    "20,000 Decimals of one text of 40,000 digits": lambda: decimals_of_one_text(40_000, 20_000),
    "100,000 dicts with two keys of 1 MB": lambda: dicts_with_long_common_keys(1_000_000, 100_000),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_no_bomb_takes_more_than_its_share(bomb: Callable[[], bytes], tmp_path: Path) -> None:
    blob = bomb()
    assert_within_limits(measured(blob, tmp_path), len(blob))


@pytest.mark.parametrize(
    ("what", "record"),
    [
        ("a document of 10 MB", {"content": "é" * 5_000_000}),
        ("20,000 times", {"k": [LEARNED.replace(microsecond=n) for n in range(20_000)]}),
        (
            "a history of 100,000 messages",
            project_record("p")
            | {
                "conversation_history": [
                    {
                        "timestamp": f"2025-01-01T00:00:00.{n:06}",
                        "type": "user",
                        "content": f"word {n}",
                        "phase": "design",
                    }
                    for n in range(100_000)
                ]
            },
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_large_honest_records_load_within_the_same_limits(what: str, record: dict[str, object], tmp_path: Path) -> None:
    blob = pickle.dumps(record, 4)
    load = measured(blob, tmp_path)
    assert load.reason is None, what
    assert_within_limits(load, len(blob))
