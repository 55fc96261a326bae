"""Records with values of the wrong kind in any place: each is converted or refused, and always to the same rows.

The mutator of tests/hostile damages pickles, most of which then cannot be loaded. This one damages what they hold.
"""

import copy
import json
import pickle
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from socrates.errors import DamagedRecordError
from socrates.v1.digest import digest
from socrates.v1.importer import convert
from socrates.v1.layout import TABLES_OF, Kind, Rows
from socrates.v1.times import Zone
from tests.concurrency.checks import LONG
from tests.hostile.mutator import samples
from tests.hostile.reader import row_of

RECORDS = 5_000 if LONG else 500
REPOSITORY = Path(__file__).parents[3]
ZONES = [Zone(name) for name in ("UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia")]

SCALARS = (None, True, 0, -1, 2**31, 2**63, 10**1000, 1.5, -0.0, float("inf"), float("nan"), 1e308, 5e-324, b"", b"x")
TEXTS = ("", "x", "\ud800", "\0", "True", "0", "-0", "1_0", "१", "1e5", "nan", " 12 ", "x" * 300, "😀", "#2", "q_v1_0")
TIMES = (
    "2025-01-01T00:00:00",
    "2025-01-01T00:00:00.1234567",
    "9999-12-31T23:59:59.999999",
    "0001-01-01T00:00:00+14:00",
    "2025-13-01",
    "2025-10-26T02:30:00",
    "2025-01-01 00:00:00Z",
    datetime.min,
    datetime.max,
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    datetime(2025, 10, 26, 2, 30, fold=1),
    datetime(2025, 1, 1, tzinfo=UTC),
    datetime(2025, 1, 1, tzinfo=timezone(timedelta(microseconds=1))),
)
DECIMALS = tuple(map(Decimal, ("1.5", "NaN", "sNaN", "-Infinity", "1E+999999999", "1E-999999999", "-0E+3", "1E+20")))
CONTAINERS = (
    (), (1, 2), [], [[]], {}, {"a": 1}, {1: 2}, {"$decimal": "1"}, set(), {"a", "b", ("c",)}, ["x", 1, None],
    [{"id": "x"}, {"id": "x"}], [{"username": "ada"}, {"username": "ada", "role": None}],
    [{"type": "u", "content": ""}], [{"a", "b", "c"}],
)  # fmt: skip
ODD: tuple[Any, ...] = SCALARS + TEXTS + TIMES + DECIMALS + CONTAINERS
KEYS = ("id", "username", "role", "type", "content", "v1_unreadable", "v1_unreadable#2", "v1_role", "v1_collaborators",
        "notes", "projects", "$", "", "\ud800", "x", 1, None, 2.5, b"k", Decimal(1))  # fmt: skip

HOLDS = {Kind.TEXT: str, Kind.INTEGER: int, Kind.FLOAT: float, Kind.FLAG: int, Kind.TIME: str, Kind.DECIMAL: str,
         Kind.JSON: str, Kind.BYTES: bytes}  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder and key or index below a value."""
    if type(value) in (dict, list):
        for key in list(value) if type(value) is dict else range(len(value)):
            yield value, key
            yield from places(value[key])


def spoil(record: dict[Any, Any], chance: random.Random) -> None:
    """Put something odd in some places: in place of what is there, beside it, or twice."""
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        found = list(places(record))
        if not found:
            return
        holder, key = chance.choice(found)
        odd = copy.deepcopy(chance.choice(ODD))
        kind = chance.randrange(7)
        if kind < 4:
            holder[key] = odd
        elif type(holder) is dict:
            holder[chance.choice(KEYS)] = odd if kind < 6 else copy.deepcopy(holder[key])
        elif kind == 4:
            holder.append(odd)
        elif kind == 5:
            del holder[key]
        else:
            holder.extend(copy.deepcopy(holder[:20]))


def spoiled(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """So many records of the samples, spoiled: the table and the blob of each."""
    chance = random.Random(seed)
    whole = [(table, pickle.loads(blob)) for table, blob in samples()]
    for _ in range(count):
        table, record = chance.choice(whole)
        record = copy.deepcopy(record)
        spoil(record, chance)
        yield table, pickle.dumps(record, chance.choice((3, 4, 5)))


def require_neutral(table: str, rows: Rows) -> None:
    """That all values are of the types that are stored."""
    for shape in TABLES_OF[table]:
        for row in rows.get(shape.name, ()):
            for (column, kind), value in zip(shape.columns, row, strict=True):
                assert value is None or type(value) is HOLDS[kind], f"{shape.name}.{column}: {value!r:.200}"
                assert kind is not Kind.JSON or value is None or json.loads(str(value)) is not None


@pytest.mark.parametrize("seed", range(8))
def test_a_record_with_odd_values_is_converted_or_refused(seed: int) -> None:
    converted = 0
    for table, blob in spoiled(RECORDS, seed):
        try:
            rows, notes = convert(row_of(table, blob), ZONES[seed % len(ZONES)])
        except DamagedRecordError:
            continue
        converted += 1
        require_neutral(table, rows)
        json.dumps([note.original for note in notes])
    assert RECORDS / 5 < converted < RECORDS


DIGESTS = """
import sys
from tests.unit.v1.test_odd_values import digests
print(*digests(int(sys.argv[1])))
"""


def digests(count: int) -> list[str]:
    """What so many spoiled records become."""
    found = []
    for table, blob in spoiled(count, seed=100):
        try:
            rows, _ = convert(row_of(table, blob), ZONES[1])
        except DamagedRecordError:
            continue
        found.append(digest(rows, TABLES_OF[table]).hex())
    return found


def test_a_record_becomes_the_same_in_every_process() -> None:
    # A later check converts it again, and compares digests; sets are in another order in every process.
    found = [
        subprocess.run(
            [sys.executable, "-c", DIGESTS, str(4 * RECORDS)],
            cwd=REPOSITORY,
            env={"PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert len(found[0]) > RECORDS
    assert found[0] == found[1]
