"""Loading a blob gives a dict of plain data or a DamagedRecordError, and never runs anything."""

import json
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socrates.errors import DamagedRecordError
from socrates.v1.unpickling import ALLOWED_GLOBALS, load
from tests.support.v1_records import project_record, user_record
from tests.unit.v1.hostile import DAMAGED, code_runners
from tests.unit.v1.oddities import ODDITIES
from tests.unit.v1.samples import PLAIN_RECORD, mutated, sample_blobs

REPOSITORY = Path(__file__).parents[3]
PLAIN_TYPES = {dict, list, tuple, set, str, bytes, int, float, bool, type(None), datetime, Decimal}

# Loads each blob of a directory under an audit hook; prints name, reason and the events of loading as JSON.
UNDER_AUDIT = """
import json, sys
from pathlib import Path
from socrates.errors import DamagedRecordError
from socrates.v1.unpickling import load
import encodings.ascii  # what Python loads on first use is no deed of a blob's
events = None
sys.addaudithook(lambda event, arguments: events.append(event) if events is not None else None)
blobs = [(path.name, path.read_bytes()) for path in sorted(Path(sys.argv[1]).iterdir())]
outcome = {}
for name, blob in blobs:
    reason, events = None, []
    try:
        load(blob)
    except DamagedRecordError as error:
        reason = str(error)
    seen, events = events, None
    outcome[name] = [reason, seen]
print(json.dumps(outcome))
"""


def refusal(blob: bytes) -> str:
    """The reason for which a blob is refused."""
    with pytest.raises(DamagedRecordError) as caught:
        load(blob)
    return str(caught.value)


class Plain(pickle.Unpickler):
    """The C unpickler with the four types, and nothing of ours."""

    def find_class(self, module: str, name: str) -> Any:
        return ALLOWED_GLOBALS[module, name]


def load_or_reason(blob: bytes) -> object:
    """The record, or the reason for which it is refused; any other exception goes through."""
    try:
        return load(blob)
    except DamagedRecordError as error:
        return str(error)


def types_in(value: Any) -> set[type]:
    """The types of a value and of all that it holds."""
    found, waiting = set(), [value]
    while waiting:
        current = waiting.pop()
        found.add(type(current))
        if isinstance(current, dict):
            waiting.extend(current)
            waiting.extend(current.values())
        elif isinstance(current, (list, tuple, set)):
            waiting.extend(current)
    return found


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("record", [{}, user_record("ada"), project_record("p")])
def test_records_come_back_equal(record: dict[str, Any], protocol: int) -> None:
    assert load(pickle.dumps(record, protocol)) == record


@given(PLAIN_RECORD, st.sampled_from((3, 4, 5)))
def test_plain_data_comes_back_the_same(record: dict[str, Any], protocol: int) -> None:
    blob = pickle.dumps(record, protocol)
    assert repr(load(blob)) == repr(pickle.loads(blob))  # repr tells 1 from True, and finds NaN the same


def test_every_sample_blob_loads() -> None:
    for blob in sample_blobs():
        assert types_in(load(blob)) <= PLAIN_TYPES


@pytest.mark.parametrize(
    "value",
    [
        datetime(2025, 1, 1, tzinfo=UTC),
        datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30), "NST")),
        datetime.min,
        datetime.max,
        Decimal("0.500"),
        Decimal("-0"),
        Decimal("1E+5000"),
        Decimal("1" * 400),
        -(2**63),
        2**64,
        "\ud800 alone",
        "nul \x00",
        bytes(range(256)),
    ],
)
def test_rare_values_come_back_the_same(value: object) -> None:
    loaded = load(pickle.dumps({"k": value}, 4))["k"]
    assert (type(loaded), str(loaded), loaded) == (type(value), str(value), value)


def test_a_set_comes_back_the_same() -> None:
    value = {1, "a", None}  # how it prints depends on the order of its members' hashes, which differ by process
    loaded = load(pickle.dumps({"k": value}, 4))["k"]
    assert (type(loaded), loaded) == (set, value)


def test_the_deepest_data_that_is_allowed_loads() -> None:
    nested: list[Any] = []
    for _ in range(98):
        nested = [nested]
    assert load(pickle.dumps({"k": nested}, 4)) == {"k": nested}


@pytest.mark.parametrize("blob", ODDITIES.values(), ids=ODDITIES.keys())
def test_oddities_are_read_right(blob: bytes) -> None:
    assert repr(load(blob)) == repr(Plain(BytesIO(blob)).load())


def test_the_permitted_globals_are_the_four_of_the_rule() -> None:
    assert set(ALLOWED_GLOBALS) == {
        ("datetime", "datetime"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
    }


@pytest.mark.parametrize("blob", DAMAGED.values(), ids=DAMAGED.keys())
def test_damage_is_refused_with_a_reason(blob: bytes) -> None:
    assert refusal(blob).strip()
    assert refusal(blob).isprintable()


@pytest.mark.parametrize("blob", code_runners("marker").values(), ids=code_runners("marker").keys())
def test_code_is_refused_with_a_reason(blob: bytes) -> None:
    assert refusal(blob).strip()
    assert refusal(blob).isprintable()


def test_a_forbidden_global_is_named() -> None:
    assert refusal(code_runners("marker")["os.system by REDUCE"]) == "the pickle names the forbidden global os.system"


def test_a_reason_can_be_shown_on_any_terminal() -> None:
    # The reason is printed: it may hold neither what no encoding can write nor what steers a terminal.
    blob = code_runners("marker")["a name of a lone surrogate"]
    assert refusal(blob).isprintable()
    assert refusal(blob.replace(b"\xed\xa0\x80", b"\x1b[2")).isprintable()


def test_no_hostile_blob_runs_code_or_touches_anything(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    directory = tmp_path / "blobs"
    directory.mkdir()
    blobs = {**code_runners(str(marker)), **DAMAGED}
    names = list(blobs)
    for number, name in enumerate(names):
        (directory / f"{number:03}").write_bytes(blobs[name])
    run = subprocess.run(
        [sys.executable, "-c", UNDER_AUDIT, str(directory)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    outcome = json.loads(run.stdout)
    assert len(outcome) == len(names)
    for number, name in enumerate(names):
        reason, events = outcome[f"{number:03}"]
        assert reason, name
        assert events == [], name
    assert not marker.exists()


def test_the_exploits_would_work_on_a_careless_reader(tmp_path: Path) -> None:
    # Else the test above would prove nothing.
    marker = tmp_path / "marker"
    pickle.loads(code_runners(str(marker))["os.system by REDUCE"])
    assert marker.exists()
    marker.unlink()
    pickle.loads(code_runners(str(marker))["getattr and __import__ in a chain"])
    assert marker.exists()


@pytest.mark.parametrize("record", [user_record("ada"), project_record("p")], ids=["user", "project"])
def test_a_blob_cut_off_at_any_byte_is_refused(record: dict[str, Any]) -> None:
    blob = pickle.dumps(record, 4)
    for length in range(len(blob)):
        assert refusal(blob[:length]), length


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_blob_with_anything_behind_it_is_refused(protocol: int) -> None:
    blob = pickle.dumps(user_record("ada"), protocol)
    for behind in (b"\x00", b".", b"N.", blob, b" " * 1000):
        assert "follow the pickle's STOP" in refusal(blob + behind)


def test_damaged_samples_load_as_plain_data_or_are_refused() -> None:
    loaded = 0
    for blob in mutated(sample_blobs(), 2000, seed=7):
        value = load_or_reason(blob)
        if isinstance(value, str):
            assert value
        else:
            loaded += 1
            assert type(value) is dict
            assert types_in(value) <= PLAIN_TYPES
    assert 0 < loaded < 1000  # both outcomes occur, so both are tested


@given(st.binary(max_size=200))
def test_random_opcodes_are_refused_or_give_a_dict(code: bytes) -> None:
    value = load_or_reason(b"\x80\x04}" + code + b".")
    assert type(value) is dict or (type(value) is str and value)
