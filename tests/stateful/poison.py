"""Values that hardly any column takes, in place of one of those that a call was drawn with."""

from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from socrates.frozen import FrozenDict
from tests.stateful.calls import Call
from tests.stateful.model import Model


@dataclass(frozen=True)
class Poisoned(Call):
    """A call that gets such a value just before it is made. The number says which one, and in place of what."""

    number: int = 0

    def __repr__(self) -> str:
        return f"Poisoned({self.number}, {super().__repr__()})"

    def known_to(self, model: Model) -> Call:
        """Without a change where the call has no value that could be replaced."""
        call = super().known_to(model)
        values = (call.arguments, tuple(call.named.values()))
        count = _Poison(self.number, None)
        count.given_to(values)
        if not count.met:
            return call
        arguments, named = _Poison(self.number, self.number % count.met).given_to(values)
        return Call(call.name, arguments, dict(zip(call.named, named, strict=True)))


class _Poison:
    """Walks through values and replaces the one at a certain place."""

    def __init__(self, number: int, place: int | None) -> None:
        self._number = number
        self._place = place
        self.met = 0

    def given_to(self, value: Any) -> Any:
        if isinstance(value, tuple | list):
            return type(value)([self.given_to(item) for item in value])
        if is_dataclass(value):
            return replace(value, **{each.name: self.given_to(getattr(value, each.name)) for each in fields(value)})
        bad = _BAD.get(type(value))
        if bad is None:
            return value
        self.met += 1
        return bad[self._number % len(bad)] if self.met - 1 == self._place else value


_BAD: dict[type, tuple[Any, ...]] = {
    str: ("\ud800",),  # half a surrogate pair
    int: (2**63, -(2**63) - 1),
    float: (float("nan"), float("inf")),
    # Without a zone, and without a year in UTC.
    datetime: (datetime(2026, 1, 1), datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))),
    Decimal: (Decimal("NaN"), Decimal("-Infinity")),
    dict: ({"what": object()},),
    FrozenDict: (FrozenDict(what=object()),),
}
