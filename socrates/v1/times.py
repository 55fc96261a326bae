"""v1's times as aware UTC (v1-format, V4).

v1 wrote local time without an offset. A `Zone` says which local time that was. In a gap or a fold of the zone a naive
time has two readings; the earlier one is taken, and said.

The result is text, `YYYY-MM-DD HH:MM:SS.ffffff` in UTC: the form in which SQLAlchemy stores a DateTime on SQLite.
"""

import os
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from socrates.errors import ConfigurationError

_ZERO = timedelta(0)
_LAST_MOMENT = timedelta(minutes=59, seconds=59, microseconds=999_999)
_LOCAL = "local"
_MICROSECOND_DIGITS = 6
_HOURS_KEPT = 20_000


class Zone:
    """The zone of naive times.

    `name` is an IANA name, or ``local`` where the machine's zone has none that could be found; a later check on another
    machine needs the name.
    """

    def __init__(self, name: str | None = None) -> None:
        """Raises ConfigurationError for a name that no zone has. None or ``local`` is the zone of this machine."""
        self._zone: tzinfo | None = None
        if name is None or name == _LOCAL:
            name = _local_name()
        if name != _LOCAL:
            self._zone = _zone_called(name)
        self.name = name
        self._hours: dict[int, timedelta | None] = {}

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

    def _offset(self, moment: datetime) -> timedelta:
        located = moment.replace(tzinfo=self._zone) if self._zone else moment.astimezone()
        return located.utcoffset() or _ZERO

    def _steady_offset(self, hour: datetime) -> timedelta | None:
        """The offset during the hour that begins at `hour`, or None when it changes or is ambiguous in it.

        Kept per hour, because a data set holds many times of few hours and asking the zone costs 2 µs a time.
        """
        edges = (hour, hour + _LAST_MOMENT)
        offsets = {self._offset(edge.replace(fold=fold)) for edge in edges for fold in (0, 1)}
        return offsets.pop() if len(offsets) == 1 else None


def has_finer_fraction(text: str) -> bool:
    """Tell whether ISO text has more digits of a second than a datetime keeps."""
    digits = 0
    for character in text.partition(".")[2]:
        if not character.isdigit():
            break
        digits += 1
    return digits > _MICROSECOND_DIGITS


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
    """The IANA name of this machine's zone: from TZ, else from where /etc/localtime points, else ``local``."""
    named = os.environ.get("TZ")
    if named is None:
        target = Path("/etc/localtime").resolve()
        _, found, named = target.as_posix().partition("zoneinfo/")
        if not found:
            return "UTC" if not target.exists() else _LOCAL
    try:
        ZoneInfo(named.lstrip(":") or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _LOCAL  # such as a POSIX rule in TZ: the C library still knows it
    return named.lstrip(":") or "UTC"
