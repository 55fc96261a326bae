"""What a scenario has seen, as JSON that is the same on every run.

Only what cannot be the same is replaced: ids that are made at random, by names in their order of appearance such as
`<project 1>`; times of the run itself, by `<time>`; the places of this run, by their names. Times of the system's own
clock are written as their distance from its start. Floats are rounded to 9 places.
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import BaseModel

from tests.support.systems import Clock

Json = dict[str, Any] | list[Any] | str | int | float | bool | None

_PLACES = 9

_CLOCK = Clock().now

_ITS_TIMES = timedelta(days=62)
"""How far from its start the clock is moved at most, the end of the next month included."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b|\bq_[0-9a-f]{8}\b")


def plain(value: object) -> Json:
    """As JSON, whatever the system returns: responses, views, rows. Raises TypeError for what is none of it."""
    found: Json
    match value:
        case None | bool() | int() | float() | str():
            found = value.value if isinstance(value, Enum) else value
        case BaseModel():
            found = plain(value.model_dump(mode="json"))
        case Mapping():
            found = {str(plain(key)): plain(item) for key, item in value.items()}
        case Set():
            found = sorted((plain(item) for item in value), key=str)
        case list() | tuple():
            found = [plain(item) for item in value]
        case datetime() | date():
            found = value.isoformat()
        case Decimal():
            found = str(value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            found = {each.name: plain(getattr(value, each.name)) for each in fields(value)}
        case _:
            raise TypeError(f"a scenario has seen something of type {type(value).__name__}")
    return found


@dataclass
class Normalizer:
    """Replaces what differs between two runs. `began` and `ended` are the run's own time, `places` texts by name."""

    began: datetime
    ended: datetime
    places: Mapping[str, str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def __call__(self, value: Json, name: str = "id") -> Json:
        """The value with nothing else hidden; `name` is what it is called where it stands."""
        match value:
            case dict():
                found = {self._text(key, "id"): self(item, _kind(key, name)) for key, item in _in_order(value)}
                return dict(sorted(found.items()))
            case list():
                return [self(item, name) for item in value]
            case float():
                return round(value, _PLACES)
            case str():
                return self._text(value, name)
        return value

    def _text(self, text: str, name: str) -> str:
        for place, its_name in self.places.items():
            text = text.replace(place, its_name)
        text = _TIME.sub(lambda found: self._time(found[0]), text)
        return _ID.sub(lambda found: self._name(found[0], name if found[0] == text else "id"), text)

    def _time(self, text: str) -> str:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        if self.began <= moment <= self.ended:
            return "<time>"
        passed = moment - _CLOCK
        return f"<clock + {passed}>" if timedelta(0) <= passed <= _ITS_TIMES else text

    def _name(self, found: str, name: str) -> str:
        if found not in self._names:
            self._counts[name] = self._counts.get(name, 0) + 1
            self._names[found] = f"<{name} {self._counts[name]}>"
        return self._names[found]


def _in_order(value: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """By name, so that the order in which code makes a dict has no say; keys that are ids stay as they come."""
    yield from sorted(value.items(), key=lambda item: _ID.sub("", item[0]))


def _kind(key: str, name: str) -> str:
    """What an id is called that stands under this key: `project` under `project_id`, `note` under `notes` and `id`."""
    if key in {"id", "value", "answer"}:
        return name
    key = key.removesuffix("_id")
    return (key[:-3] + "y" if key.endswith("ies") else key.removesuffix("s")).replace("_", " ")
