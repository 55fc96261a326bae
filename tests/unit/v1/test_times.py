"""v1's times become UTC: zones, gaps, folds, and the ends of the calendar."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socrates.errors import ConfigurationError
from socrates.v1.times import Zone, as_text, has_finer_fraction

REPOSITORY = Path(__file__).parents[3]

SHOWING = """
import sys
from datetime import datetime
from socrates.v1.times import Zone
zone = Zone()
print(zone.name)
for text in sys.argv[1:]:
    print(*zone.to_utc(datetime.fromisoformat(text)))
"""


def in_zone(tz: str, *times: str) -> list[str]:
    """What a process whose TZ is `tz` makes of naive times: the zone's name, then a line a time."""
    run = subprocess.run(
        [sys.executable, "-c", SHOWING, *times],
        cwd=REPOSITORY,
        env={**os.environ, "TZ": tz},
        check=True,
        capture_output=True,
        text=True,
    )
    return run.stdout.splitlines()


def utc(zone: str, *parts: int) -> tuple[datetime, bool]:
    return Zone(zone).to_utc(datetime(*parts))  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("zone", "naive", "expected"),
    [
        ("UTC", datetime(2025, 7, 1, 12), datetime(2025, 7, 1, 12)),
        ("Europe/Berlin", datetime(2025, 7, 1, 12), datetime(2025, 7, 1, 10)),
        ("Europe/Berlin", datetime(2025, 1, 1, 12), datetime(2025, 1, 1, 11)),
        ("America/New_York", datetime(2025, 12, 31, 20), datetime(2026, 1, 1, 1)),
        ("Asia/Kathmandu", datetime(2025, 1, 1, 5, 45), datetime(2025, 1, 1)),
        ("Africa/Monrovia", datetime(1960, 1, 1), datetime(1960, 1, 1, 0, 44, 30)),
        ("Europe/Berlin", datetime(2025, 7, 1, 12, 0, 0, 123456), datetime(2025, 7, 1, 10, 0, 0, 123456)),
    ],
)
def test_naive_times_are_local_times_of_the_zone(zone: str, naive: datetime, expected: datetime) -> None:
    assert Zone(zone).to_utc(naive) == (expected, False)


def test_in_a_gap_the_earlier_reading_is_taken_and_said() -> None:
    assert utc("Europe/Berlin", 2025, 3, 30, 2, 30) == (datetime(2025, 3, 30, 0, 30), True)


def test_in_a_fold_the_earlier_reading_is_taken_and_said() -> None:
    assert utc("Europe/Berlin", 2025, 10, 26, 2, 30) == (datetime(2025, 10, 26, 0, 30), True)


def test_the_fold_attribute_decides_nothing() -> None:
    zone = Zone("Europe/Berlin")
    assert zone.to_utc(datetime(2025, 10, 26, 2, 30, fold=1)) == (datetime(2025, 10, 26, 0, 30), True)
    assert zone.to_utc(datetime(2025, 7, 1, 12, fold=1)) == (datetime(2025, 7, 1, 10), False)


@pytest.mark.parametrize(
    ("parts", "ambiguous"),
    [
        ((2025, 3, 30, 1, 59, 59, 999999), False),
        ((2025, 3, 30, 2, 0), True),
        ((2025, 3, 30, 2, 59, 59, 999999), True),
        ((2025, 3, 30, 3, 0), False),
        ((2025, 10, 26, 1, 59, 59, 999999), False),
        ((2025, 10, 26, 2, 0), True),
        ((2025, 10, 26, 2, 59, 59, 999999), True),
        ((2025, 10, 26, 3, 0), False),
    ],
)
def test_gap_and_fold_begin_and_end_on_the_microsecond(parts: tuple[int, ...], ambiguous: bool) -> None:
    assert utc("Europe/Berlin", *parts)[1] is ambiguous


@pytest.mark.parametrize(("minute", "ambiguous"), [(29, False), (30, True), (59, True)])
def test_a_fold_may_begin_within_an_hour(minute: int, ambiguous: bool) -> None:
    # On Lord Howe Island clocks go back by half an hour at two: 01:30 to 02:00 occurs twice.
    assert utc("Australia/Lord_Howe", 2025, 4, 6, 1, minute)[1] is ambiguous


def test_a_day_that_a_zone_left_out_is_a_gap() -> None:
    # Samoa had no 30 December 2011.
    assert utc("Pacific/Apia", 2011, 12, 30, 12) == (datetime(2011, 12, 29, 22), True)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.sampled_from(["Europe/Berlin", "America/St_Johns"]))
def test_every_reading_is_one_that_the_zone_knows(naive: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    readings = [(naive - located.utcoffset()) for located in (naive.replace(tzinfo=zone, fold=f) for f in (0, 1))]  # type: ignore[operator]
    assert Zone(name).to_utc(naive.replace(fold=0)) == (min(readings), readings[0] != readings[1])


def test_many_different_hours_do_not_fill_the_memory() -> None:
    zone = Zone("Europe/Berlin")
    first = datetime(1990, 1, 1)
    for hour in range(0, 45_000):
        zone.to_utc(first + timedelta(hours=hour))
    assert len(zone._hours) <= 20_000
    assert zone.to_utc(first) == (datetime(1989, 12, 31, 23), False)


def test_aware_times_keep_their_moment_in_any_zone() -> None:
    moment = datetime(2025, 10, 26, 2, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert Zone("Europe/Berlin").to_utc(moment) == (datetime(2025, 10, 25, 21, 0), False)


def test_the_first_and_the_last_moment_of_the_calendar_are_kept_where_utc_has_them() -> None:
    for moment in (datetime.min, datetime.max):
        assert Zone("UTC").to_utc(moment) == (moment, False)
        assert Zone("Europe/Berlin").to_utc(moment.replace(tzinfo=UTC)) == (moment, False)
    assert Zone("Europe/Berlin").to_utc(datetime.max) == (datetime.max - timedelta(hours=1), False)


@pytest.mark.parametrize(
    ("zone", "moment"),
    [
        ("Europe/Berlin", datetime.min),
        ("America/New_York", datetime.max),
        ("UTC", datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))),
        ("UTC", datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))),
    ],
)
def test_a_time_that_leaves_the_calendar_raises(zone: str, moment: datetime) -> None:
    with pytest.raises(OverflowError):
        Zone(zone).to_utc(moment)


@pytest.mark.parametrize("name", ["", "Nowhere", "Europe", "../etc/passwd", "/etc/passwd", "\x00", "é", "x" * 5000])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="there is no time zone"):
        Zone(name)


@pytest.mark.parametrize(
    ("tz", "name"),
    [("Asia/Tokyo", "Asia/Tokyo"), (":Asia/Tokyo", "Asia/Tokyo"), ("", "UTC")],
)
def test_the_local_zone_comes_from_tz(tz: str, name: str) -> None:
    assert in_zone(tz)[0] == name


@pytest.mark.parametrize("tz", ["JST-9", "CET-1CEST,M3.5.0,M10.5.0/3", "Europe/Nowhere"])
def test_a_local_zone_without_a_known_name_is_asked_for(tz: str) -> None:
    # Without a name no later check, perhaps on another machine, could read the same times.
    with pytest.raises(subprocess.CalledProcessError) as caught:
        in_zone(tz)
    assert "-x v1_timezone=ZONE" in caught.value.stderr


def test_local_times_are_read_in_the_zone_of_tz() -> None:
    _, summer, gap, fold = in_zone("Europe/Berlin", "2025-07-01T12:00", "2025-03-30T02:30", "2025-10-26T02:30")
    assert summer == "2025-07-01 10:00:00 False"
    assert gap == "2025-03-30 00:30:00 True"
    assert fold == "2025-10-26 00:30:00 True"


@pytest.mark.parametrize(
    ("text", "finer"),
    [
        ("2025-12-04T13:01:19.197734", False),
        ("2025-12-04T13:01:19.1977345", True),
        ("2025-12-04T13:01:19.1977345+00:00", True),
        ("2025-12-04T13:01:19.197734+00:00", False),
        ("2025-12-04T13:01:19+00:00", False),
        ("2025-12-04T13:01:19,1977345", True),
    ],
)
def test_more_digits_than_a_time_keeps_are_seen(text: str, finer: bool) -> None:
    assert datetime.fromisoformat(text)
    assert has_finer_fraction(text) is finer


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2025, 1, 2, 3, 4, 5), "2025-01-02 03:04:05.000000"),
        (datetime(1, 1, 1), "0001-01-01 00:00:00.000000"),
        (datetime.max, "9999-12-31 23:59:59.999999"),
    ],
)
def test_the_stored_form_sorts_by_time(moment: datetime, text: str) -> None:
    assert as_text(moment) == text
