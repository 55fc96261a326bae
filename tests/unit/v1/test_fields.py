"""How one value of a blob becomes one value of a column."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socrates.errors import DamagedRecordError
from socrates.tagged_json import decode
from socrates.v1 import fields
from socrates.v1.fields import REQUIRED, Entry, Field
from socrates.v1.reading import Reading
from socrates.v1.times import Zone


class Read:
    """One value read by one field."""

    def __init__(self, field: Field, value: Any, zone: str = "UTC") -> None:
        self.reading = Reading(Zone(zone))
        (self.value,) = Entry(field).read({field.key: value}, self.reading, ())

    @property
    def kinds(self) -> list[str]:
        return [note.kind for note in self.reading.notes]

    @property
    def original(self) -> Any:
        """What the only note says v1 had."""
        (note,) = self.reading.notes
        return decode(note.original)

    @property
    def unreadable(self) -> Any:
        """What is kept because no column holds it."""
        (kept,) = {**self.reading.unreadable, **self.reading.entry}.values()
        return decode(kept)


def is_damage(field: Field, value: Any) -> bool:
    """Tell whether a value is refused, with a reason; any other exception goes through."""
    try:
        Read(field, value)
    except DamagedRecordError as error:
        return bool(str(error))
    return False


def refusal(field: Field, value: Any) -> str:
    with pytest.raises(DamagedRecordError) as caught:
        Read(field, value)
    return str(caught.value)


TEXT, INTEGER, NUMBER = fields.text("k"), fields.integer("k"), fields.number("k")
DECIMAL, FLAG, TIME = fields.decimal("k"), fields.flag("k", default=False), fields.time("k")
RAW, TEXTS, TAGGED = fields.raw("k"), fields.text_list("k"), fields.tagged("k")
EVERY_FIELD = [TEXT, fields.secret("k"), INTEGER, NUMBER, DECIMAL, FLAG, TIME, RAW, TEXTS, TAGGED]
ODD_NUMBERS = [
    Decimal("NaN"),
    Decimal("-NaN123"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    Decimal("1E+400"),
    Decimal("1E-400"),
    Decimal("1E+999999"),
    Decimal("1E-999999"),
    Decimal("7" * 5000),
    Decimal("-0"),
    float("nan"),
    float("-inf"),
    -0.0,
    1e308,
    5e-324,
    2**63,
    -(2**4000),
    "9" * 10_000,
    "1e999999999999999999999",
    "nan",
    "",
    "\ud800",
]

FREE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**4000), 2**4000),
    st.floats(),
    st.decimals(),
    st.text(),
    st.binary(),
    st.datetimes(),
    st.lists(st.integers() | st.text()),
    st.dictionaries(st.text(), st.integers()),
    st.sampled_from(ODD_NUMBERS),
)


@given(st.sampled_from(EVERY_FIELD), FREE)
def test_any_value_is_converted_or_damage_and_nothing_else(field: Field, value: Any) -> None:
    assert is_damage(field, value) or Read(field, value)


@pytest.mark.parametrize("value", ODD_NUMBERS, ids=lambda value: str(value)[:12].encode("ascii", "replace").decode())
@pytest.mark.parametrize("field", EVERY_FIELD, ids=lambda field: field.convert.__name__)
def test_odd_numbers_are_converted_or_damage_and_nothing_else(field: Field, value: Any) -> None:
    assert is_damage(field, value) or Read(field, value)


@pytest.mark.parametrize(
    ("field", "value"),
    [(TEXT, "x"), (INTEGER, 5), (INTEGER, -(2**63)), (NUMBER, 0.1), (DECIMAL, None), (RAW, b"\x00"), (TIME, None)],
)
def test_a_value_of_the_right_type_passes_unchanged(field: Field, value: Any) -> None:
    read = Read(field, value)
    assert read.value == value
    assert read.kinds == []


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (TEXT, 5, "5"),
        (TEXT, 1.5, "1.5"),
        (TEXT, True, "True"),
        (TEXT, Decimal("0.50"), "0.50"),
        (INTEGER, "50", 50),
        (INTEGER, "-7", -7),
        (INTEGER, 5.0, 5),
        (INTEGER, True, 1),
        (INTEGER, Decimal("1E+2"), 100),
        (NUMBER, 5, 5.0),
        (NUMBER, "0.1", 0.1),
        (NUMBER, Decimal("0.10"), 0.1),
        (NUMBER, False, 0.0),
        (DECIMAL, "0.50", "0.50"),
        (DECIMAL, True, "1"),
        (FLAG, 1, 1),
        (FLAG, 0.0, 0),
        (FLAG, "true", 1),
        (FLAG, "False", 0),
        (FLAG, Decimal("1.0"), 1),
    ],
)
def test_another_type_is_converted_without_loss_and_reported(field: Field, value: Any, expected: Any) -> None:
    read = Read(field, value)
    assert (type(read.value), read.value) == (type(expected), expected)
    assert read.kinds == ["converted"]
    assert (type(read.original), read.original) == (type(value), value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (TEXT, ["x"]),
        (TEXT, b"x"),
        (TEXT, datetime(2025, 1, 1)),
        (INTEGER, "5.0"),
        (INTEGER, "05"),
        (INTEGER, "-0"),
        (INTEGER, " 5"),
        (INTEGER, "1_000"),
        (INTEGER, "٣"),
        (INTEGER, 5.5),
        (INTEGER, Decimal("0.5")),
        (INTEGER, Decimal("1E-999999")),
        (INTEGER, []),
        (NUMBER, 2**53 + 1),
        (NUMBER, Decimal("0.12345678901234567890")),
        (NUMBER, "x"),
        (NUMBER, "1e400"),
        (DECIMAL, "nan"),
        (DECIMAL, "x"),
        (DECIMAL, [1]),
        (FLAG, 2),
        (FLAG, "yes"),
        (FLAG, {}),
        (FLAG, Decimal("NaN")),
        (RAW, "x"),
        (RAW, [1]),
        (TEXTS, "x"),
        (TEXTS, {"x": 1}),
        (TEXTS, ("x",)),
        (TAGGED, []),
        (TAGGED, "x"),
    ],
)
def test_what_cannot_be_converted_without_loss_is_damage(field: Field, value: Any) -> None:
    assert refusal(field, value).startswith("k is of type ")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (INTEGER, 2**63),
        (INTEGER, -(2**63) - 1),
        (INTEGER, float("inf")),
        (INTEGER, Decimal("Infinity")),
        (NUMBER, float("-inf")),
        (NUMBER, 2**64),
        (NUMBER, Decimal("Infinity")),
        (DECIMAL, float("inf")),
        (DECIMAL, Decimal("-Infinity")),
    ],
)
def test_a_number_that_no_column_holds_is_kept_aside(field: Field, value: Any) -> None:
    read = Read(field, value)
    assert read.value is None
    assert read.kinds == ["number_not_storable"]
    assert (type(read.unreadable), read.unreadable) == (type(value), value)


@pytest.mark.parametrize("field", [INTEGER, NUMBER, DECIMAL])
@pytest.mark.parametrize("value", [float("nan"), Decimal("NaN"), Decimal("sNaN"), Decimal("-NaN7")], ids=str)
def test_nan_is_kept_aside(field: Field, value: Any) -> None:
    read = Read(field, value)
    assert read.value is None
    assert str(read.unreadable) == str(value)


@pytest.mark.parametrize(
    "digits",
    ["0", "0.50", "-0.00", "1E+2", "1E-400", "1E+400", "1E+5000", "1." + "7" * 2000, "7" * 400, "12345678901234567.89"],
)
def test_a_decimal_keeps_every_digit(digits: str) -> None:
    read = Read(DECIMAL, Decimal(digits))
    assert read.value == str(Decimal(digits))
    assert read.kinds == []


@pytest.mark.parametrize(
    ("value", "expected"), [(0.1, "0.1"), (1e22, "1E+22"), (1 / 3, "0.3333333333333333"), (3, "3")]
)
def test_a_number_where_a_decimal_belongs_keeps_its_shortest_form(value: Any, expected: str) -> None:
    assert Read(DECIMAL, value).value == expected


def test_a_negative_zero_becomes_the_zero_that_sqlite_stores() -> None:
    assert str(Read(NUMBER, -0.0).value) == "0.0"


@pytest.mark.parametrize(
    "value",
    [
        datetime(2025, 12, 4, 13, 1, 19, 197734),
        datetime(2025, 12, 4, 13, 1, 19, 197734, tzinfo=UTC),
        "2025-12-04T13:01:19.197734",
        "2025-12-04 13:01:19.197734",
        "2025-12-04T13:01:19.197734+00:00",
        "2025-12-04T13:01:19.197734Z",
        "2025-12-04T14:01:19.197734+01:00",
        " 2025-12-04T13:01:19.197734\n",
    ],
)
def test_times_in_every_form_become_utc(value: Any) -> None:
    read = Read(TIME, value)
    assert read.value == "2025-12-04 13:01:19.197734"
    assert read.kinds == []


@pytest.mark.parametrize(
    "value",
    ["soon", "", "2025-02-30T00:00:00", "12:30", 5, 1.5, [1], b"x", "\ud800", "0001-01-01T00:00:00+14:00", "x" * 10**6],
    ids=lambda value: str(value)[:10].encode("ascii", "replace").decode(),
)
def test_an_unreadable_time_is_null_and_its_text_kept(value: Any) -> None:
    read = Read(TIME, value)
    assert read.value is None
    assert read.kinds == ["time_unreadable"]
    assert read.unreadable == value


def test_an_ambiguous_time_is_reported() -> None:
    read = Read(TIME, "2025-10-26T02:30:00", "Europe/Berlin")
    assert read.value == "2025-10-26 00:30:00.000000"
    assert (read.kinds, read.original) == (["time_ambiguous"], "2025-10-26T02:30:00")


@pytest.mark.parametrize("text", ["2025-12-04T13:01:19.1977349", "2025-12-04T13:01:19,1977349"])
def test_a_fraction_that_is_cut_is_reported(text: str) -> None:
    read = Read(TIME, text)
    assert read.value == "2025-12-04 13:01:19.197734"
    assert (read.kinds, read.original) == (["fraction_shortened"], text)


def test_a_secret_is_never_repeated_in_a_note() -> None:
    read = Read(fields.secret("k"), 12345)
    assert read.value == "12345"
    assert "12345" not in repr(read.reading.notes)


def test_list_items_become_text_and_are_reported() -> None:
    items = ["a", 5, None, {"b": [1]}, Decimal("0.50"), datetime(2025, 1, 1)]
    read = Read(TEXTS, items)
    assert json.loads(read.value) == ["a", "5", "None", "{'b': [1]}", "0.50", "2025-01-01 00:00:00"]
    assert set(read.kinds) == {"item_not_text"}


@given(st.lists(st.text()))
def test_text_lists_are_json(items: list[str]) -> None:
    assert json.loads(Read(TEXTS, items).value) == items


@given(st.dictionaries(st.text() | st.integers(), st.integers() | st.text() | st.decimals(allow_nan=False)))
def test_tagged_dicts_read_back_as_what_they_were(value: dict[Any, Any]) -> None:
    assert decode(json.loads(Read(TAGGED, value).value)) == value


@pytest.mark.parametrize(
    ("field", "default"),
    [
        (fields.text("k", "x"), "x"),
        (fields.text("k"), None),
        (fields.integer("k", 0), 0),
        (fields.number("k", 0.0), 0.0),
        (fields.decimal("k", "0.5"), "0.5"),
        (fields.flag("k", default=True), 1),
        (TEXTS, "[]"),
        (TAGGED, "{}"),
    ],
)
def test_missing_and_none_give_the_default(field: Field, default: Any) -> None:
    for source in ({}, {"k": None}):
        reading = Reading(Zone("UTC"))
        assert Entry(field).read(source, reading, ()) == [default]
        assert reading.notes == []


def test_a_required_value_that_is_missing_is_damage() -> None:
    for source in ({}, {"k": None}):
        with pytest.raises(DamagedRecordError, match=r"^entries\[3\]\.k is missing$"):
            Entry(fields.text("k", REQUIRED)).read(source, Reading(Zone("UTC")), ("entries", 3))


def test_falsy_values_are_not_missing() -> None:
    assert Read(fields.text("k", "x"), "").value == ""
    assert Read(fields.integer("k", 7), 0).value == 0
    assert Read(fields.flag("k", default=True), False).value == 0


def test_an_entry_reads_in_the_order_of_its_fields_whatever_came_before() -> None:
    entry = Entry(fields.text("a", "none"), fields.integer("b", 9), fields.flag("c", default=True))
    for _ in range(2):
        assert entry.read({"c": False, "b": 1, "a": "x"}, Reading(Zone("UTC")), ()) == ["x", 1, 0]
        assert entry.read({"b": "2", "a": 3}, Reading(Zone("UTC")), ()) == ["3", 2, 1]
        assert entry.read({}, Reading(Zone("UTC")), ()) == ["none", 9, 1]


class TestExtra:
    """`read_row` appends what the fields don't know."""

    @staticmethod
    def extra(source: dict[Any, Any], kept: dict[str, Any] | None = None) -> dict[str, Any]:
        entry = Entry(fields.text("a"), fields.time("t"), also_known=("b",))
        extra: dict[str, Any] = json.loads(entry.read_row(source, Reading(Zone("UTC")), (), kept)[-1])
        return extra

    def test_known_keys_leave_it_empty(self) -> None:
        assert self.extra({"a": "x", "b": 1}) == {}

    def test_unknown_keys_are_kept_and_read_back(self) -> None:
        unknown = {"$x": 1, "n": Decimal("0.50"), "d": {1: (2,)}}
        assert decode(self.extra({"a": "x", **unknown})) == unknown

    def test_own_content_stays(self) -> None:
        assert self.extra({"role": "mine"}, {"role": "ours"}) == {"role": "ours", "role#2": "mine"}

    def test_no_unknown_key_pushes_out_another(self) -> None:
        kept = self.extra({"t": "soon", "v1_unreadable": "one", "v1_unreadable#2": "two"})
        assert kept["v1_unreadable"] == {"t": "soon"}
        assert {"one", "two"} <= {value for value in kept.values() if isinstance(value, str)}

    def test_a_key_that_is_not_text_is_damage(self) -> None:
        with pytest.raises(DamagedRecordError):
            self.extra({"a": "x", 5: 6})
