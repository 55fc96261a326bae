"""The column types keep what they are given, and refuse what they cannot keep."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import StatementError
from sqlalchemy.schema import CreateTable

from socrates.models.types import CodePointText, ExactDecimal, TaggedJSON, UtcDateTime

TABLE = Table(
    "samples",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("time", UtcDateTime),
    Column("amount", ExactDecimal),
    Column("data", TaggedJSON),
    Column("name", CodePointText),
)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    TABLE.metadata.create_all(engine)
    yield engine
    engine.dispose()


def round_trip(engine: Engine, column: str, value: object) -> Any:
    """Write one value, read it back."""
    with engine.begin() as connection:
        connection.execute(TABLE.insert(), {column: value})
        return connection.scalar(select(TABLE.c[column]))


def as_stored(engine: Engine, column: str, value: object) -> Any:
    """Write one value, read what SQLite itself holds."""
    with engine.begin() as connection:
        connection.execute(TABLE.insert(), {column: value})
        return connection.scalar(text(f"SELECT {column} FROM samples"))


class TestUtcDateTime:
    @pytest.mark.parametrize(
        "value",
        [
            datetime(2025, 12, 4, 13, 1, 19, 197734, tzinfo=UTC),
            datetime(2025, 12, 4, 13, 1, 19, tzinfo=UTC),
            datetime(2025, 12, 4, 13, 1, 19, 1, tzinfo=UTC),
            datetime(1, 1, 1, tzinfo=UTC),
            datetime.max.replace(tzinfo=UTC),
        ],
    )
    def test_utc_comes_back_to_the_microsecond(self, engine: Engine, value: datetime) -> None:
        result = round_trip(engine, "time", value)

        assert result == value
        assert result.tzinfo is UTC

    def test_another_zone_becomes_utc(self, engine: Engine) -> None:
        value = datetime(2025, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=45)))

        result = round_trip(engine, "time", value)

        assert result == datetime(2024, 12, 31, 19, 45, tzinfo=UTC)
        assert result.utcoffset() == timedelta(0)

    def test_none_stays_none(self, engine: Engine) -> None:
        assert round_trip(engine, "time", None) is None

    def test_sqlite_holds_sqlalchemys_default_form_in_utc(self, engine: Engine) -> None:
        value = datetime(2025, 12, 4, 15, 1, 19, 7, tzinfo=timezone(timedelta(hours=2)))

        assert as_stored(engine, "time", value) == "2025-12-04 13:01:19.000007"

    def test_a_naive_time_is_refused(self, engine: Engine) -> None:
        with pytest.raises(StatementError, match="has no time zone") as raised:
            round_trip(engine, "time", datetime(2025, 12, 4))

        assert isinstance(raised.value.orig, ValueError)

    def test_a_naive_time_is_refused_in_a_condition(self, engine: Engine) -> None:
        with engine.connect() as connection, pytest.raises(StatementError, match="has no time zone"):
            connection.execute(select(TABLE).where(TABLE.c.time > datetime(2025, 12, 4)))


class TestExactDecimal:
    @pytest.mark.parametrize(
        "digits",
        ["0.50", "0.5", "1E+2", "100", "-0", "0E-10", "123456789012345678901234567890", "0.1" + "0" * 29],
    )
    def test_every_digit_comes_back(self, engine: Engine, digits: str) -> None:
        result = round_trip(engine, "amount", Decimal(digits))

        assert isinstance(result, Decimal)
        assert str(result) == digits

    def test_sqlite_holds_the_digits_as_text(self, engine: Engine) -> None:
        assert as_stored(engine, "amount", Decimal("0.50")) == "0.50"

    def test_none_stays_none(self, engine: Engine) -> None:
        assert round_trip(engine, "amount", None) is None

    @pytest.mark.parametrize("value", [0.5, 1, "0.5", True])
    def test_other_types_are_refused(self, engine: Engine, value: object) -> None:
        with pytest.raises(StatementError, match="takes a Decimal") as raised:
            round_trip(engine, "amount", value)

        assert isinstance(raised.value.orig, TypeError)

    @pytest.mark.parametrize("digits", ["NaN", "sNaN", "Infinity", "-Infinity"])
    def test_what_is_not_finite_is_refused(self, engine: Engine, digits: str) -> None:
        with pytest.raises(StatementError, match="not finite") as raised:
            round_trip(engine, "amount", Decimal(digits))

        assert isinstance(raised.value.orig, ValueError)

    def test_a_sum_by_sqlite_is_no_exact_decimal(self, engine: Engine) -> None:
        with engine.begin() as connection:
            connection.execute(TABLE.insert(), [{"amount": Decimal("0.1")}, {"amount": Decimal("0.2")}])
            with pytest.raises(TypeError, match="compute it in Python"):
                connection.scalar(select(func.sum(TABLE.c.amount)))

    def test_more_digits_are_a_change(self) -> None:
        assert not ExactDecimal().compare_values(Decimal("0.5"), Decimal("0.50"))
        assert ExactDecimal().compare_values(Decimal("0.50"), Decimal("0.50"))


class TestTaggedJSON:
    @pytest.mark.parametrize(
        "value",
        [
            {},
            {"plain": ["text", 1, 1.5, True, None], "Käse": "日本語 \ud800"},
            {"time": datetime(2025, 12, 4, 13, 1, 19, 197734)},
            {"time": datetime(2025, 12, 4, tzinfo=timezone(timedelta(hours=2)))},
            {"amount": Decimal("0.50"), "raw": b"\x00\xff", "pair": (1, "two"), "set": {1, 2}},
            {1: "one", None: "nothing", (1, 2): "pair"},
            {"$decimal": "not a Decimal", "$": 1, "$$x": 2},
            {"large": 2**70},
        ],
    )
    def test_what_goes_in_comes_out(self, engine: Engine, value: object) -> None:
        assert repr(round_trip(engine, "data", value)) == repr(value)

    def test_nan_comes_out(self, engine: Engine) -> None:
        assert math.isnan(round_trip(engine, "data", {"score": math.nan})["score"])

    def test_the_stored_text_has_the_tagged_forms(self, engine: Engine) -> None:
        assert as_stored(engine, "data", {"a": Decimal("0.50")}) == '{"a": {"$decimal": "0.50"}}'

    def test_a_type_without_a_form_is_refused(self, engine: Engine) -> None:
        with pytest.raises(StatementError) as raised:
            round_trip(engine, "data", {"a": object()})

        assert isinstance(raised.value.orig, TypeError)

    @pytest.mark.parametrize(("old", "new"), [(1, True), (1, 1.0), (Decimal("0.5"), Decimal("0.50")), ((1,), [1])])
    def test_equal_values_that_are_stored_differently_are_a_change(self, old: object, new: object) -> None:
        assert not TaggedJSON().compare_values({"a": old}, {"a": new})
        assert TaggedJSON().compare_values({"a": old}, {"a": old})


class TestCodePointText:
    @pytest.mark.parametrize("value", ["", "Zoë/äöü:'\"", "a\x00b", "123", "😀" * 1000])
    def test_text_comes_back(self, engine: Engine, value: str) -> None:
        assert round_trip(engine, "name", value) == value

    def test_order_is_by_code_point(self, engine: Engine) -> None:
        names = ["b", "a", "B", "é", "Z", "\uffff", "\U00010000"]
        with engine.begin() as connection:
            connection.execute(TABLE.insert(), [{"name": name} for name in names])
            ordered = connection.scalars(select(TABLE.c.name).order_by(TABLE.c.name)).all()

        assert ordered == sorted(names)


def test_types_of_each_engine() -> None:
    assert declared_types(sqlite.dialect()) == ["INTEGER", "DATETIME", "TEXT", "JSON", "TEXT"]
    assert declared_types(postgresql.dialect())[1:] == [
        "TIMESTAMP WITH TIME ZONE",
        "NUMERIC",
        "JSON",
        'TEXT COLLATE "C"',
    ]


def declared_types(dialect: Any) -> list[str]:
    lines = str(CreateTable(TABLE).compile(dialect=dialect)).splitlines()
    columns = [line.strip(" ,\t") for line in lines if line.startswith("\t") and "PRIMARY" not in line]
    return [column.split(" ", 1)[1].removesuffix(" NOT NULL") for column in columns]


@pytest.mark.parametrize("column_type", [UtcDateTime, ExactDecimal, TaggedJSON, CodePointText])
def test_statements_can_be_cached(column_type: Any) -> None:
    assert column_type.cache_ok
