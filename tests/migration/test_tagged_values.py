"""Chapter 3: what JSON cannot hold is written as a `$type` form and reads back as what it was."""

import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from socrates.tagged_json import decode
from tests.support.migrate import json_value, upgrade
from tests.support.v1_files import V1File

NAIVE = datetime(2025, 12, 4, 13, 1, 19, 197734)
FORMS: dict[str, tuple[Any, Any]] = {
    "naive time": (NAIVE, {"$datetime": "2025-12-04T13:01:19.197734"}),
    "UTC time": (NAIVE.replace(tzinfo=UTC), {"$datetime": "2025-12-04T13:01:19.197734+00:00"}),
    "time elsewhere": (
        datetime(2025, 1, 2, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
        {"$datetime": "2025-01-02T00:00:00-03:30"},
    ),
    "Decimal": (Decimal("0.50"), {"$decimal": "0.50"}),
    "bytes": (b"\x00\xffA", {"$bytes": "AP9B"}),
    "no bytes": (b"", {"$bytes": ""}),
    "tuple": ((1, "a", (None,)), {"$tuple": [1, "a", {"$tuple": [None]}]}),
    "empty tuple": ((), {"$tuple": []}),
    "set of one": ({"a"}, {"$set": ["a"]}),
    "empty set": (set(), {"$set": []}),
    "infinity": (math.inf, {"$float": "inf"}),
    "minus infinity": (-math.inf, {"$float": "-inf"}),
    "keys that are not text": ({1: "a", "b": 2}, {"$dict": [[1, "a"], ["b", 2]]}),
    "a time as key": ({NAIVE: 1}, {"$dict": [[{"$datetime": NAIVE.isoformat()}, 1]]}),
    "a key with a dollar": ({"$decimal": "1"}, {"$$decimal": "1"}),
    "a key with two dollars": ({"$$a": 1, "b": {"$c": 2}}, {"$$$a": 1, "b": {"$$c": 2}}),
    "a dollar inside a key": ({"a$b": 1}, {"a$b": 1}),
    "large integer": (2**70, 2**70),
    "plain values": ([None, True, 1, -2.5, "x", {}, []], [None, True, 1, -2.5, "x", {}, []]),
    "mixed": ({"a": [(Decimal(1), {b"k": NAIVE})]}, None),
}


@pytest.mark.parametrize(("original", "written"), FORMS.values(), ids=FORMS.keys())
def test_a_value_is_written_in_its_form_and_reads_back_as_what_it_was(
    tmp_path: Path, original: Any, written: Any
) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(
            **{"unknown": original},
            maturity_history=[{"phase": "p", "event_type": "t", "details": {"d": original}}],
        )
        v1.add_pattern(pattern_data={"d": original})
        v1.add_llm_config(settings={"d": original})
    upgrade(v1.path)
    stored = {
        "extra": json_value(v1.path, "SELECT extra FROM projects")["unknown"],
        "details": json_value(v1.path, "SELECT details FROM maturity_events")["d"],
        "pattern_data": json_value(v1.path, "SELECT pattern_data FROM behavior_patterns")["d"],
        "settings": json_value(v1.path, "SELECT settings FROM llm_provider_configs")["d"],
    }
    for found in stored.values():
        assert written is None or found == written
        assert decode(found) == original
        assert repr(decode(found)) == repr(original)


def test_not_a_number_reads_back_as_not_a_number(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(unknown=math.nan)
    upgrade(v1.path)
    stored = json_value(v1.path, "SELECT extra FROM users")
    assert stored == {"unknown": {"$float": "nan"}}
    assert math.isnan(decode(stored)["unknown"])


def test_a_set_of_many_reads_back_as_the_set(tmp_path: Path) -> None:
    many = {"a", "b", 3, (1, 2), None, Decimal("1.5")}
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(unknown=many)
    upgrade(v1.path)
    assert decode(json_value(v1.path, "SELECT extra FROM users")) == {"unknown": many}


def test_an_unknown_key_that_begins_with_a_dollar_gets_a_second_one(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(**{"$decimal": "1"})
    upgrade(v1.path)
    assert json_value(v1.path, "SELECT extra FROM users") == {"$$decimal": "1"}


def test_a_time_in_the_free_dicts_keeps_its_offset_or_lack_of_one(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_pattern(pattern_data={"naive": NAIVE})
    upgrade(v1.path, v1_timezone="Asia/Tokyo")
    assert decode(json_value(v1.path, "SELECT pattern_data FROM behavior_patterns")) == {"naive": NAIVE}
