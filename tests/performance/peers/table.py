"""What the rounds of all sides say: medians and spreads, what was lost, and where ours leads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.performance.compare import Times
from tests.performance.targets import duration

OURS = "ours"
"""The side that is held against the others."""


@dataclass(frozen=True)
class Round:
    """One round of one side: its seconds, and how many messages were there of those that should be."""

    seconds: float
    cpu: float
    """The seconds that were computed, in all threads, and processes where there are several."""
    kept: int
    wanted: int


@dataclass(frozen=True)
class Figures:
    """What a side did in one row. `failures` are the errors of rounds that have no figures."""

    rounds: Sequence[Round]
    failures: Sequence[str] = ()

    @property
    def times(self) -> Times:
        return Times([each.seconds for each in self.rounds])

    @property
    def cpu(self) -> float:
        """The median of what was computed."""
        return median(each.cpu for each in self.rounds)

    @property
    def complete(self) -> bool:
        """Whether every round was done and lost nothing."""
        return bool(self.rounds) and not self.failures and all(each.kept == each.wanted for each in self.rounds)


@dataclass(frozen=True)
class PeerRow:
    """One kind of work, by side."""

    id: str
    what: str
    sides: Mapping[str, Figures]

    @property
    def best_peer(self) -> str | None:
        """The fastest of the others that lost nothing. Other settings of ours, whose names begin so, are no others."""
        whole = [name for name, did in self.sides.items() if not name.startswith(OURS) and did.complete]
        return min(whole, key=lambda name: self.sides[name].times.median, default=None)

    @property
    def ratio(self) -> float | None:
        """How many times faster ours is than the best peer."""
        if self.best_peer is None or not self.sides[OURS].rounds:
            return None
        return self.sides[self.best_peer].times.median / self.sides[OURS].times.median

    @property
    def leads(self) -> bool:
        """Whether ours lost nothing, and is faster than whoever else did not."""
        return self.sides[OURS].complete and (self.best_peer is None or (self.ratio or 0) > 1)


def as_json(row: PeerRow) -> dict[str, Any]:
    """Return a row as the report has it; times in seconds."""
    return {
        "id": row.id,
        "what": row.what,
        "leads": row.leads,
        "best_peer": row.best_peer,
        "ratio": row.ratio,
        "sides": {name: _figures(did) for name, did in row.sides.items()},
    }


def _figures(did: Figures) -> dict[str, Any]:
    return {
        "median": did.times.median if did.rounds else None,
        "spread": did.times.spread if did.rounds else None,
        "cpu": did.cpu if did.rounds else None,
        "rounds": len(did.rounds),
        "kept": sum(each.kept for each in did.rounds),
        "wanted": sum(each.wanted for each in did.rounds),
        "failures": list(did.failures),
    }


def print_peers(rows: Sequence[PeerRow], settings: Mapping[str, Mapping[str, str]], console: Console) -> None:
    """Print the table (medians, spreads and what was computed), how each side was set, and in which rows ours leads."""
    sides = list(settings)
    table = Table("what", *sides, "ours leads")
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} × {row.best_peer}"
        leads = f"{'yes' if row.leads else 'no'}, {ratio}".removesuffix(", ")
        table.add_row(row.what, *(_cell(row.sides.get(side)) for side in sides), leads)
    console.print(table)
    for name, each in settings.items():
        shown = f"journal_mode {each['journal_mode']}, synchronous {each['synchronous']}; {each['versions']}"
        console.print(f"{name}: {shown}", markup=False)
    console.print(verdict(rows), markup=False)


def verdict(rows: Sequence[PeerRow]) -> str:
    """Say in how many rows ours leads, and which they are not."""
    behind = [row for row in rows if not row.leads]
    first = f"Ours leads in {len(rows) - len(behind)} of {len(rows)} rows."
    return " ".join([first, *(f"Not in {row.id!r}: {_why(row)}." for row in behind)])


def _why(row: PeerRow) -> str:
    if not row.sides[OURS].complete:
        return "ours lost or failed"
    return f"{row.best_peer} takes {duration(row.sides[row.best_peer or OURS].times.median)}"


def _cell(did: Figures | None) -> str:
    if did is None:
        return ""
    if not did.rounds:
        return f"failed: {did.failures[0]}"[:60] if did.failures else ""
    parts = [duration(did.times.median), f"± {did.times.spread:.0%}", f"CPU {duration(did.cpu)}"]
    lost = sum(each.wanted - each.kept for each in did.rounds)
    if lost:
        parts.append(f"lost {lost:,} of {sum(each.wanted for each in did.rounds):,}")
    if did.failures:
        parts.append(f"{len(did.failures)} rounds failed")
    return ", ".join(parts)
