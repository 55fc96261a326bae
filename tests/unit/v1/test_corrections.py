"""What a correction may be: tagged JSON from a file that anybody may have edited."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings

from socrates.errors import DamagedRecordError
from socrates.tagged_json import decode, encode
from socrates.v1.corrections import Correction, columns_of, from_stored, parse, value_of
from socrates.v1.opcodes import MAX_HASHING
from tests.unit.v1.samples import PLAIN_RECORD


@given(PLAIN_RECORD)
@settings(max_examples=50)
def test_a_correction_is_read_as_it_was_stored(record: dict[str, Any]) -> None:
    text = json.dumps(encode(record))
    found = value_of(parse(text), len(text))
    assert repr(found) == repr(decode(encode(record)))
    correction = Correction(value=found, timezone="UTC")
    stored = correction.stored()
    assert stored is not None
    assert from_stored(stored, "users").stored() == stored


COSTLY = {
    "numbers with equal hashes as keys": {"$dict": [[n * (2**61 - 1), 0] for n in range(5 * MAX_HASHING)]},
    "numbers with equal hashes in a set": {"a": {"$set": [n * (2**61 - 1) for n in range(5 * MAX_HASHING)]}},
    "decimals": {"a": [{"$set": [{"$decimal": str(n)}]} for n in range(MAX_HASHING)]},
}


@pytest.mark.parametrize("content", COSTLY.values(), ids=COSTLY.keys())
def test_what_is_costly_to_hash_is_refused_at_once(content: Any) -> None:
    text = json.dumps(content)
    started = time.process_time()
    with pytest.raises(DamagedRecordError, match="too costly to hash"):
        value_of(parse(text), len(text))
    assert time.process_time() - started < 5


def test_many_keys_that_are_cheap_to_hash_are_no_attack() -> None:
    content = {"$dict": [[n, 0] for n in range(50_000)]}
    assert len(value_of(parse(json.dumps(content)), 10**6)) == 50_000


@pytest.mark.parametrize("form", ["[", '{"a":', '{"$tuple":[', '{"$dict":[[1,'])
@pytest.mark.parametrize("depth", [101, 400])
def test_what_is_nested_too_deep_is_refused(form: str, depth: int) -> None:
    closing_part = "".join({"[": "]", "{": "}"}[c] for c in reversed(form) if c in "[{")
    text = form * depth + "0" + closing_part * depth
    with pytest.raises(DamagedRecordError, match="nested"):
        value_of({"a": parse(text)}, len(text))


@pytest.mark.parametrize("form", ["[", '{"a":', '{"$tuple":[', '{"$dict":[[1,'])
def test_a_depth_that_a_pickle_may_have_is_read(form: str) -> None:
    closing_part = "".join({"[": "]", "{": "}"}[c] for c in reversed(form) if c in "[{")
    value_of({"a": parse(form * 98 + "0" + closing_part * 98)}, 1000)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"$a": 1, "b": 2}', "written with two"),
        ('{"a": 1, "a": 1}', "stands twice"),
        ('{"a": Infinity}', "float"),
        ('{"$set": "abc"}', "never does"),
        ('{"$tuple": {"a": 1}}', "never does"),
        ('{"$dict": {"ab": 1}}', "never does"),
        ('{"$dict": ["ab"]}', "never does"),
        ('{"$decimal": true}', "never does"),
        ("[1,]", "JSON"),
    ],
)
def test_json_that_says_two_things_is_refused(text: str, told: str) -> None:
    with pytest.raises(DamagedRecordError, match=told):
        parse(text)


def test_a_key_that_stands_twice_among_very_many_is_found_at_once() -> None:
    text = "{" + ", ".join(f'"{n}": 0' for n in range(200_000)) + ', "199999": 1}'
    started = time.process_time()
    with pytest.raises(DamagedRecordError, match="'199999' stands twice"):
        parse(text)
    assert time.process_time() - started < 10


def test_a_long_or_hostile_name_is_told_short_and_without_control_characters() -> None:
    with pytest.raises(DamagedRecordError) as refused:
        columns_of({"\x1b[2J" + "x" * 10_000: 1}, "users")
    assert len(str(refused.value)) < 400
    assert "\x1b" not in str(refused.value)
