"""What a finding about a database is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

_NAMED = 10


class Kind(StrEnum):
    """What a finding is about."""

    PAGES = "pages"
    """The file itself is damaged."""
    INDEX = "index"
    """An index does not fit its table: one of them is damaged."""
    CONSTRAINT = "constraint"
    """A row that breaks a CHECK of the schema."""
    REFERENCE = "reference"
    """Rows whose parent is not there."""
    SCHEMA = "schema"
    """A table or an index that is missing, or that is another one."""
    COUNT = "count"
    """A project's count of its messages, which gives the next one its position."""
    GAP = "gap"
    """Messages that are not there between others that are."""
    VALUE = "value"
    """A value that our types cannot read."""
    IMPORT = "import"
    """Records that were imported from v1 and are not there, or not whole, though nobody deleted or changed them."""


@dataclass(slots=True)
class Keys:
    """A number of rows, and the first few of their keys."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, keys: Iterable[str]) -> Self:
        found = cls()
        for key in keys:
            found.add(key)
        return found

    def add(self, key: str) -> None:
        self.count += 1
        if len(self.first) < _NAMED:
            self.first.append(key)

    def __str__(self) -> str:
        more = f" and {self.count - len(self.first):,} more" if self.count > len(self.first) else ""
        return f"{self.count:,}: {', '.join(self.first)}{more}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `what` is the same for the same thing, whatever `rows` it concerns by now."""

    kind: Kind
    what: str
    table: str | None = None
    rows: Keys = field(default_factory=Keys)
    name: str | None = None
    """The index, or the object of the schema, that it is about."""

    @property
    def identity(self) -> tuple[Kind, str]:
        return self.kind, self.what

    def as_json(self) -> dict[str, Any]:
        counted = {"count": self.rows.count, "first": self.rows.first}
        return {"kind": self.kind.value, "table": self.table, "what": self.what, **counted}

    def __str__(self) -> str:
        return f"{self.what}: {self.rows}" if self.rows.count else self.what


def shown(key: Sequence[object]) -> str:
    """A key as it is told: its only value, or all of them in brackets."""
    values = ", ".join(map(repr, key))
    return values if len(key) == 1 else f"({values})"
