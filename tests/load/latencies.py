"""How long each kind of action took, and what may be said of that in three numbers."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter


@dataclass(frozen=True)
class Percentiles:
    """Seconds within which half of the actions were done, 95 and 99 of a hundred; 0 where there were none."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Percentiles":
        """Each is one of these times: the smallest within which at least so many were done."""
        ordered = sorted(seconds)
        return cls(*(ordered[math.ceil(len(ordered) * share) - 1] if ordered else 0.0 for share in (0.5, 0.95, 0.99)))


@dataclass
class Latencies:
    """Times of actions in seconds, by the action's name, in the order in which they ended."""

    by_action: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def timing(self, action: str) -> Iterator[None]:
        """Time what happens inside, unless it fails."""
        began = perf_counter()
        yield
        self.by_action[action].append(perf_counter() - began)

    @property
    def all(self) -> list[float]:
        """Those of every action."""
        return [seconds for times in self.by_action.values() for seconds in times]

    def clear(self) -> None:
        """Begin anew."""
        self.by_action.clear()
