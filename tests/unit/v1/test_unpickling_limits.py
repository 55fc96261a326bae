"""Until it is converted, no blob takes more than 64 MB + 8 × its size, nor more than 1 s + 1 s per 10 MB.

Each is read in a fork of a process, for the peak of memory is the process's. Times are those of the processor, and
allowed three times over.
"""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.concurrency.checks import LONG
from tests.hostile.campaign import Account, Reader
from tests.support.v1_records import LEARNED, project_record
from tests.unit.v1 import bombs
from tests.unit.v1.record_bombs import RECORD_BOMBS

TIME_ALLOWANCE = 3
SIZE = 10_000_000 if LONG else bombs.FAST_LANE

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc"),
    pytest.mark.sampled,
]


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as reader:
        yield reader


def assert_within_limits(reader: Reader, table: str, blob: bytes) -> Account:
    account = reader.read(table, blob)
    assert replace(account, seconds=account.seconds / TIME_ALLOWANCE).faults(len(blob)) == []
    return account


# Those that took more than their share once, when they were as long as this.
ONCE_TOO_MUCH: dict[str, Callable[[], bytes]] = {
    f"{name}, {size / 1e6:g} MB": partial(bombs.BOMBS[name], size)
    for name, size in (
        ("hashes: Decimals of one hash, by memo", 500_000),
        ("hashes: integers of 16 bits that share their way", 500_000),
        ("hashes: integers that share their way", 2_000_000),
        ("opcodes: BINPUT", 6_000_000),
        ("opcodes: BINGET and None in turn", 6_000_000),
        ("opcodes: STACK_GLOBAL of nothing", 6_000_000),
        ("many: bytes of six", 5_000_000),
        ("many: lists in lists", 10_000_000),
        ("sharing: one empty tuple, often", 3_000_000),
        ("sharing: NULs of a third of the size, three times", 10_000_000),
        ("content: NULs", 10_000_000),
    )
}
BOMBS = {name: partial(bomb, SIZE) for name, bomb in bombs.BOMBS.items()} | ONCE_TOO_MUCH


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_no_bomb_takes_more_than_its_share(reader: Reader, bomb: Callable[[], bytes]) -> None:
    assert_within_limits(reader, "users", bomb())


@pytest.mark.parametrize(("table", "bomb"), RECORD_BOMBS.values(), ids=RECORD_BOMBS.keys())
def test_no_record_takes_more_than_its_share_in_its_conversion(
    reader: Reader, table: str, bomb: Callable[[int], bytes]
) -> None:
    assert_within_limits(reader, table, bomb(SIZE))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("names: categories that look the same, without a number", 1_000_000),  # took the square of their number
        ("lists: requirements of None", 1_000_000),
        ("entries: one question, often", 1_000_000),
        ("entries: one member, often", 1_000_000),
    ],
)
def test_no_record_takes_the_square_of_its_size(reader: Reader, name: str, size: int) -> None:
    table, bomb = RECORD_BOMBS[name]
    assert_within_limits(reader, table, bomb(size))


def _history(message: Callable[[int], dict[str, object]], count: int = 100_000) -> dict[str, object]:
    return project_record("p") | {"conversation_history": [message(n) for n in range(count)]}


def _usual(n: int) -> dict[str, object]:
    return {"timestamp": f"2025-01-01T00:00:00.{n:06}", "type": "user", "content": f"word {n}", "phase": "design"}


def _brief(n: int) -> dict[str, object]:
    return {"role": "user", "content": f"ok {n}"}


def _rare(n: int) -> dict[str, object]:
    return {"timestamp": (datetime(1980, 1, 1) + timedelta(hours=n)).isoformat(), "type": "user", "content": ""}


@pytest.mark.parametrize(
    ("what", "table", "record"),
    [
        ("a document of 10 MB", "knowledge_documents", {"content": "é" * 5_000_000}),
        ("20,000 times", "users", {"k": [LEARNED.replace(microsecond=n) for n in range(20_000)]}),
        ("20,000 texts as keys", "users", {"k": {f"key {n}": n for n in range(20_000)}}),
        ("a history of 100,000 messages", "projects", _history(_usual)),
        ("a history of 100,000 brief messages", "projects", _history(_brief)),
        ("a history of 100,000 messages, one an hour", "projects", _history(_rare)),
        ("10,000 members", "projects", project_record("p") | {"collaborators": [f"m {n}" for n in range(10_000)]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_large_honest_records_are_read_within_the_same_limits(
    reader: Reader, what: str, table: str, record: dict[str, object]
) -> None:
    account = assert_within_limits(reader, table, pickle.dumps(record, 4))
    assert account.outcome == "read", f"{what}: {account.reason}"
