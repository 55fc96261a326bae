"""What the conversion of one v1 row carries along: the zone of its times, its budget, and what had to be adjusted."""

import json
import re
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

from socrates.errors import DamagedRecordError
from socrates.tagged_json import encode
from socrates.v1.budget import Budget
from socrates.v1.times import Zone

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_NOTE_COST = 190
_STEP_SHOWN = 100  # a name of any length would else be repeated for every value below it

UNREADABLE = "v1_unreadable"
"""The key in `extra` under which values stand that their column cannot hold, as ``{field: original}``."""

Where = Sequence[object]
"""The way to an entry inside a blob, such as ``("conversation_history", 3)``; ``()`` for the blob itself."""


class Note(NamedTuple):
    """One adjustment: what kind, of which field, and the value as v1 had it (tagged JSON)."""

    kind: str
    field: str
    original: Any


class Reading:
    """The state of one row's conversion."""

    __slots__ = ("_numbers", "budget", "entry", "notes", "unreadable", "zone")

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.budget = Budget()
        """What the conversion may take; `records.read_record` extends it by the row's size."""
        self.notes: list[Note] = []
        self.unreadable: dict[str, Any] = {}
        """Numbers that no column holds, of the whole row, by path (V18)."""
        self.entry: dict[str, Any] = {}
        """Times that cannot be read, of the entry being read, by key (V4). `extra_text` takes them out."""
        self._numbers: dict[str, int] = {}

    def note(self, kind: str, field: str, original: object = None) -> None:
        self.budget.spend(_NOTE_COST)
        self.notes.append(Note(kind, field, self.encoded(original)))

    def encoded(self, value: object) -> Any:
        """`value` as tagged JSON. Raises DamagedRecordError where it would take more memory than is left."""
        self.budget.spend_json(value)
        return encode(value)

    def unreadable_number(self, where: Where, key: str, original: object) -> None:
        field = path(where, key)
        if field in self.unreadable:
            field = free_name(field, self.unreadable, self._numbers)
        self.unreadable[field] = self.encoded(original)
        self.note("number_not_storable", field, original)

    def unreadable_time(self, where: Where, key: str, original: object) -> None:
        self.entry[key] = self.encoded(original)
        self.note("time_unreadable", path(where, key), original)

    def take_unreadable(self) -> dict[str, Any]:
        """The unreadable times of the entry just read; forgets them."""
        taken, self.entry = self.entry, {}
        return taken

    def kept(self, source: dict[Any, Any] | None = None, *keys: str) -> dict[str, Any]:
        """What goes to the record's own `extra`: the unreadable numbers, and those of `keys` that are filled."""
        kept: dict[str, Any] = {UNREADABLE: self.unreadable} if self.unreadable else {}
        for key in keys:
            value = (source or {}).get(key)
            if value is not None and value != []:
                kept[key] = self.encoded(value)
        return kept

    def extra_text(
        self, source: dict[Any, Any], known: frozenset[str], where: Where, kept: dict[str, Any] | None = None
    ) -> str:
        """The `extra` column of an entry, as JSON text.

        It holds the keys that are not in `known` (V12), the encoded values in `kept`, which are the import's own, and
        the unreadable times. An unknown key that bears an own name gives way as ``name#2``.
        """
        if not self.entry and not kept and source.keys() <= known:
            return "{}"
        own = dict(kept or {})
        if self.entry:
            own[UNREADABLE] = {**own.get(UNREADABLE, {}), **self.take_unreadable()}
        for key in source:
            check_key(key)
        unknown = {key: value for key, value in source.items() if key not in known}
        for key in [name for name in own if name in unknown]:
            unknown[free_name(key, {*own, *unknown})] = unknown.pop(key)
        for key in unknown:
            self.note("unknown_key", path(where, key))  # without the value: it may be a secret, and extra has it
        with self.budget.passing():
            return json.dumps({**self.encoded(unknown), **own})


def free_name(name: str, taken: Container[str], numbers: dict[str, int] | None = None) -> str:
    """`name#2`, `name#3` …: the first that is not `taken`.

    `numbers` remembers how far it came with each name: looking up the numbers below anew for each of thousands would
    take time that grows with their square. A name once taken may not become free again.
    """
    number = 2 if numbers is None else numbers.get(name, 2)
    while f"{name}#{number}" in taken:
        number += 1
    if numbers is not None:
        numbers[name] = number
    return f"{name}#{number}"


def check_key(key: object) -> None:
    """Raises DamagedRecordError for a dict key that is not text, where only text will do (V14)."""
    if type(key) is not str:
        raise DamagedRecordError(f"a key of type {type(key).__name__} stands where text belongs")


def path(where: Where, key: object) -> str:
    """Write a way to a field as people do: ``conversation_history[3].timestamp``."""
    text = ""
    for step in (*where, key):
        shown = str(step) if len(str(step)) <= _STEP_SHOWN else f"{str(step)[:_STEP_SHOWN]}…"
        text += f"[{shown}]" if isinstance(step, int) else f".{shown}" if text else shown
    return text


def printable(text: str) -> str:
    """`text` with escapes for control characters, for those that turn the direction of reading, and for lone
    surrogates: hostile keys reach the terminal."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
