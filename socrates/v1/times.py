"""v1's times as aware UTC (v1-format, V4).

v1 wrote local time without an offset. A `Zone` says which local time that was. In a gap or a fold of the zone a naive
time has two readings; the earlier one is taken, and said.

The result is text, `YYYY-MM-DD HH:MM:SS.ffffff` in UTC: the form in which SQLAlchemy stores a DateTime on SQLite.
"""

import os
import re
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from socrates.errors import ConfigurationError

_ZERO = timedelta(0)
_LAST_MOMENT = timedelta(minutes=59, seconds=59, microseconds=999_999)
_LOCAL = "local"
_MICROSECOND_DIGITS = 6
_V1_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-5][0-9]:[0-5][0-9]\.[0-9]{6}")
_TO_THE_HOUR = len("2025-12-04T13")
_SEPARATORS = frozenset({"T", " ", ""})
_COLON_OR_END = frozenset({":", ""})
_HOURS_KEPT = 20_000


class Zone:
    """The zone of naive times.

    `name` is its IANA name.
    """

    def __init__(self, name: str | None = None) -> None:
        """None or ``local`` is the zone of this machine. Raises ConfigurationError for a name that no zone has."""
        self.name = _local_name() if name in (None, _LOCAL) else str(name)
        self._zone = _zone_called(self.name)
        self._hours: dict[int, timedelta | None] = {}
        self._prefixes: dict[str, timedelta] = {}

    def to_utc(self, moment: datetime) -> tuple[datetime, bool]:
        """Return `moment` as a naive UTC time, and whether it was ambiguous.

        Raises OverflowError when the result leaves the years 1 to 9999.
        """
        if moment.tzinfo is not None:
            return moment.astimezone(UTC).replace(tzinfo=None), False
        if moment.fold:
            moment = moment.replace(fold=0)  # v1 never set it: what it says is chance
        hour = moment.toordinal() * 24 + moment.hour
        if hour not in self._hours:
            if len(self._hours) == _HOURS_KEPT:
                self._hours.clear()
            self._hours[hour] = self._steady_offset(moment.replace(minute=0, second=0, microsecond=0))
        offset = self._hours[hour]
        if offset is not None:
            return moment - offset, False
        first, second = (moment - self._offset(moment.replace(fold=fold)) for fold in (0, 1))
        return min(first, second), first != second

    def quick(self, text: str) -> str | None:
        """The stored form of text in the form that v1 wrote, of an hour that `to_utc` has seen; None for any other.

        Most times of a data set are such, and this takes less than half of the long way's time.
        """
        offset = self._prefixes.get(text[:_TO_THE_HOUR])
        if offset is None or not _V1_FORM.fullmatch(text):
            return None
        if not offset:
            return f"{text[:10]} {text[11:]}"
        return as_text(datetime.fromisoformat(text) - offset)

    def remember(self, text: str, moment: datetime) -> None:
        """Let `quick` serve the hour of `text`, which is naive and reads as `moment`, if its offset is steady."""
        offset = self._hours.get(moment.toordinal() * 24 + moment.hour)
        if moment.tzinfo is None and offset is not None and _V1_FORM.fullmatch(text):
            if len(self._prefixes) >= _HOURS_KEPT:
                self._prefixes.clear()
            self._prefixes[text[:_TO_THE_HOUR]] = offset

    def _offset(self, moment: datetime) -> timedelta:
        return self._zone.utcoffset(moment) or _ZERO

    def _steady_offset(self, hour: datetime) -> timedelta | None:
        """The offset during the hour that begins at `hour`, or None when it changes or is ambiguous in it.

        Kept per hour, because a data set holds many times of few hours and asking the zone costs 2 µs a time.
        """
        offset = self._offset(hour)
        end = hour + _LAST_MOMENT
        others = (end, end.replace(fold=1), hour.replace(fold=1))
        return offset if all(self._offset(edge) == offset for edge in others) else None


def parse_iso(text: str) -> datetime:
    """Read a date with hyphens, then ``T`` or a blank and a time with colons, with or without an offset or ``Z``.

    Raises ValueError for other text. Python would also take forms that v1 never wrote, and make the year 1712 of the
    digits of a Unix time in milliseconds.
    """
    text = text.strip()
    if text[4:5] != "-" or text[7:8] != "-" or text[10:11] not in _SEPARATORS or text[13:14] not in _COLON_OR_END:
        raise ValueError("not a time")
    return datetime.fromisoformat(text.replace("z", "Z"))


def has_finer_fraction(text: str) -> bool:
    """Tell whether ISO text has more digits of a second than a datetime keeps."""
    fraction = text.replace(",", ".").partition(".")[2][: _MICROSECOND_DIGITS + 1]
    return len(fraction) > _MICROSECOND_DIGITS and fraction.isdigit()


def as_text(utc: datetime) -> str:
    """The stored form of a naive UTC time."""
    return utc.isoformat(" ", "microseconds")


def _zone_called(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"there is no time zone {name!r}: give an IANA name such as Europe/Berlin, or UTC, or {_LOCAL}"
        ) from error


def _local_name() -> str:
    """The IANA name of this machine's zone: from TZ, else from what /etc/localtime or /etc/timezone say.

    A name is needed, for a check on another machine must read the same times. Raises ConfigurationError without one.
    """
    named = os.environ.get("TZ")
    if named is None:
        named = _after_zoneinfo(Path("/etc/localtime").resolve().as_posix())
        if named is None and Path("/etc/timezone").is_file():
            named = Path("/etc/timezone").read_text(encoding="utf-8").strip()
        if named is None and not Path("/etc/localtime").exists():
            named = "UTC"
    else:
        named = named.lstrip(":") or "UTC"
        named = _after_zoneinfo(named) or named
    try:
        return ZoneInfo(named or "").key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            "this machine's time zone has no name that is known, and v1's times are local times: "
            "say which zone they are of, with -x v1_timezone=ZONE, such as Europe/Berlin or UTC"
        ) from error


def _after_zoneinfo(path: str) -> str | None:
    _, found, name = path.partition("zoneinfo/")
    return name if found else None
