"""How single v1 values read in the new tables, straight from the format's specification."""

from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any

Row = dict[str, Any]
Tables = dict[str, list[Row]]


class Record:
    """One v1 dict, its keys ticked off as they are read; what nobody read is `extra`."""

    def __init__(self, blob: Row, columns: Row | None = None, ignored: Iterable[str] = ()) -> None:
        self.blob = blob
        self.columns = columns or {}
        self.read = set(ignored)
        self.unreadable: Row = {}

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        found = self.blob.get(key)
        return default if found is None else found

    def time(self, key: str) -> str | None:
        """Read a time; the column stands in for a missing one, and for an unreadable created_at."""
        found = self.get(key)
        if found is None:
            return utc_text(self.columns.get(key))
        try:
            return utc_text(found)
        except ValueError:
            self.unreadable[key] = found
            return utc_text(self.columns.get(key)) if key == "created_at" else None

    def later_time(self, key: str) -> str | None:
        """Read a time of which blob and column may know different ones: the later holds."""
        return max(filter(None, (self.time(key), utc_text(self.columns.get(key)))), default=None)

    def number(self, key: str, default: float | None = None) -> Any:
        found = self.get(key, default)
        if found is None or isinstance(found, bool):
            return found
        holdable = -(2**63) <= found < 2**63 if isinstance(found, int) else isfinite(found)
        if not holdable:
            self.unreadable[key] = tagged(found)
            return None
        return found

    def exact(self, key: str, default: str) -> str | None:
        """Read an exact decimal as its digits; a float gives those of its shortest form."""
        found = self.number(key, Decimal(default))
        return None if found is None else str(Decimal(repr(found)) if isinstance(found, float) else found)

    def texts(self, key: str) -> list[str]:
        return [str(item) for item in self.get(key, [])]

    def extra(self, **more: Any) -> Row:
        unknown = {key: value for key, value in self.blob.items() if key not in self.read}
        unreadable = {"v1_unreadable": self.unreadable} if self.unreadable else {}
        return {**tagged(unknown), **more, **unreadable}


def tagged(value: Any) -> Any:
    """Write a value as chapter 3 does in `extra`, `details`, `settings` and `pattern_data`."""
    match value:
        case float() if not isfinite(value):
            written: Any = {"$float": str(value)}
        case datetime():
            written = {"$datetime": value.isoformat()}
        case Decimal():
            written = {"$decimal": str(value)}
        case bytes():
            written = {"$bytes": b64encode(value).decode()}
        case tuple():
            written = {"$tuple": [tagged(item) for item in value]}
        case set():
            written = {"$set": [tagged(item) for item in value]}
        case list():
            written = [tagged(item) for item in value]
        case dict() if all(isinstance(key, str) for key in value):
            written = {("$" if key[:1] == "$" else "") + key: tagged(item) for key, item in value.items()}
        case dict():
            written = {"$dict": [[tagged(key), tagged(item)] for key, item in value.items()]}
        case _:
            written = value
    return written


def utc_text(value: Any) -> str | None:
    """Write a time as the SQLite column holds it: UTC, microseconds, no offset."""
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")
