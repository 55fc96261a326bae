"""No blob runs code, takes more than its share, or is read otherwise than it was written."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.concurrency.checks import LONG
from tests.hostile import bombs, floods
from tests.hostile.campaign import Account, Reader, offences
from tests.hostile.mutator import mutants, samples
from tests.support.hostile_blobs import DAMAGED_BLOBS
from tests.support.migrate import REPOSITORY
from tests.unit.v1.hostile import DAMAGED, code_runners
from tests.unit.v1.test_unpickling_limits import BOMBS

MUTANTS = 20_000 if LONG else 2_000
PORTIONS = 4

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="reads the peak of memory from /proc"
)


def made(entries: dict[str, Callable[[], bytes]], table: str = "projects") -> Iterator[tuple[str, str, bytes]]:
    """One at a time: together they would not fit into memory."""
    return ((name, table, make()) for name, make in entries.items())


def assert_harmless(entries: Iterable[tuple[str, str, bytes]], must_be_damaged: bool = False) -> None:
    found = offences(entries, must_be_damaged)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("table", ["users", "projects"])
def test_no_exploit_runs(table: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    assert_harmless(((name, table, blob) for name, blob in code_runners(str(marker)).items()), must_be_damaged=True)
    assert not marker.exists()


def test_damage_is_known_for_what_it_is() -> None:
    kept = {name: blob for name, blob in DAMAGED_BLOBS.items() if isinstance(blob, bytes)}
    assert_harmless(((name, "users", blob) for name, blob in (DAMAGED | kept).items()), must_be_damaged=True)


def test_opcodes_that_v1_never_wrote_are_refused() -> None:
    assert_harmless(((name, "users", blob) for name, blob in bombs.FOREIGN_OPCODES.items()), must_be_damaged=True)


@pytest.mark.parametrize("corpus", ["LIES", "MEMOS", "SHARED", "KEYS", "NUMBERS", "TIMES", "STRUCTURES"])
def test_no_small_bomb_does_harm(corpus: str) -> None:
    assert_harmless((name, _table_of(name), blob) for name, blob in getattr(bombs, corpus).items())


def _table_of(name: str) -> str:
    return next((table for table, key in bombs.NUMBER_FIELDS if name.endswith(f" as {key}")), "projects")


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_no_mutant_of_a_real_blob_does_harm(portion: int) -> None:
    found = mutants(seed=portion, count=MUTANTS // PORTIONS)
    assert_harmless((f"mutant {number} of seed {portion}", *mutant) for number, mutant in enumerate(found))


def test_no_flood_of_little_things_does_harm() -> None:
    assert_harmless(made(floods.of_one_opcode(10**6)))


def test_no_larger_flood_does_harm() -> None:
    assert_harmless(made(floods.of_one_opcode(10**7, *(() if LONG else ("empty dicts", "sets of one")))))


def test_no_record_does_harm_in_its_conversion() -> None:
    assert_harmless(made(floods.CONVERTED if LONG else dict(islice(floods.CONVERTED.items(), 0, None, 2))))


@pytest.mark.skipif(not LONG, reason="takes long, and the shorter ones are of the same kinds")
@pytest.mark.parametrize("entries", [floods.of_one_opcode(3 * 10**7), BOMBS], ids=["30 MB", "bombs"])
def test_no_very_large_blob_does_harm(entries: dict[str, Callable[[], bytes]]) -> None:
    assert_harmless(made(entries))


def test_mutants_are_the_same_every_time() -> None:
    assert list(mutants(7, 50)) == list(mutants(7, 50))
    assert list(mutants(7, 50)) != list(mutants(8, 50))


def test_most_mutants_differ_from_what_v1_wrote() -> None:
    honest = {blob for _, blob in samples()}
    assert sum(blob in honest for _, blob in islice(mutants(1, 300), 300)) < 15


def test_real_blobs_are_read_and_found_equal() -> None:
    with Reader() as reader:
        accounts = [reader.read(table, blob) for table, blob in samples()[:20]]
    assert {(account.outcome, account.equal) for account in accounts} == {("read", True)}


def test_the_reader_measures_what_a_blob_takes() -> None:
    blob = pickle.dumps({"content": "é" * 5_000_000, "filename": "a.md"}, 4)
    with Reader() as reader:
        account = reader.read("knowledge_documents", blob)
    assert account.outcome == "read"
    assert account.peak > 5_000_000
    assert account.seconds > 0.001


def test_the_reader_sees_what_code_does() -> None:
    code = (
        "import os; from tests.hostile.reader import Watch; watch = Watch(); watch.is_on = True;"
        "os.system('true'); open(os.devnull).close(); eval('1'); print(*watch.events)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, capture_output=True, text=True)
    assert all(event in done.stdout for event in ("os.system", "open", "compile", "exec"))


@pytest.mark.parametrize(
    ("account", "fault"),
    [
        (Account("read", equal=False), "read wrongly"),
        (Account("damaged"), "reason"),
        (Account("damaged", reason="a\x1b[2J"), "reason"),
        (Account("broken", trace="Traceback"), "Traceback"),
        (Account("damaged", reason="no", events=["os.system"]), "os.system"),
        (Account("damaged", reason="no", seconds=1.2), "1.20 s"),
        (Account("damaged", reason="no", peak=80 * 2**20), "80 MB"),
    ],
    ids=["wrong", "no reason", "unprintable", "broken", "code", "slow", "large"],
)
def test_every_fault_is_told(account: Account, fault: str) -> None:
    (told,) = account.faults(size=1000)
    assert fault in told
