"""What a soak has seen, and whether all of it stayed within its bounds."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

MEGABYTE = 1_000_000

_WARM_UP = 0.2
"""The share of the samples that are not judged: caches and pools fill up, and the allocator takes what it needs."""


@dataclass(frozen=True)
class Sample:
    """The process at one moment; latencies and errors are of the time since the last one, in seconds.

    `sessions` are those that have ended since the beginning, `wal` is the size of SQLite's -wal file in bytes,
    `database` the size of the file, and `cached` the bytes that the store's caches hold by their own count.
    """

    seconds: float
    sessions: int
    actions: int
    errors: int
    resident: int
    descriptors: int
    threads: int
    tasks: int
    wal: int
    database: int
    cached: int
    p50: float
    p95: float
    p99: float


QUANTITIES = frozenset(field.name for field in fields(Sample))


@dataclass(frozen=True)
class Bound:
    """What a quantity may be at `most`, and by how much it may rise in a session (`growth`); None is no bound.

    Who sees few sessions cannot tell a small growth from chance: a rise up to `slack` in all of them is none.
    """

    most: float | None = None
    growth: float | None = None
    slack: float = 0.0


@dataclass(frozen=True)
class Finding:
    """One quantity after the warm-up: its highest value, how much it rose in each session and in all of them."""

    quantity: str
    most: float
    growth: float
    rise: float
    bound: Bound

    @property
    def holds(self) -> bool:
        """Whether it stayed within its bound."""
        most, growth = self.bound.most, self.bound.growth
        grows = growth is not None and self.growth > growth and self.rise > self.bound.slack
        return not grows and (most is None or self.most <= most)


def after_warm_up(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Those that are judged."""
    return samples[int(len(samples) * _WARM_UP) :]


def growth_of(quantity: str, samples: Sequence[Sample]) -> float:
    """By how much it rises in a session: the median of the slopes between all pairs of samples (Theil and Sen).

    A line of least squares would follow a single sample that was taken in the middle of something large. 0 where no
    session ended between any two samples.
    """
    points = [(sample.sessions, getattr(sample, quantity)) for sample in samples]
    slopes = [
        (later - value) / (after - sessions)
        for place, (sessions, value) in enumerate(points)
        for after, later in points[place + 1 :]
        if after > sessions
    ]
    return statistics.median(slopes) if slopes else 0.0


def judge(samples: Sequence[Sample], bounds: Mapping[str, Bound]) -> list[Finding]:
    """Hold what came after the warm-up to the bounds, in their order. Raises ValueError without samples."""
    judged = after_warm_up(samples)
    if not judged:
        raise ValueError("there is nothing to judge: no sample was taken")
    return [_finding(quantity, judged, bound) for quantity, bound in bounds.items()]


def _finding(quantity: str, judged: Sequence[Sample], bound: Bound) -> Finding:
    growth = growth_of(quantity, judged)
    rise = growth * (judged[-1].sessions - judged[0].sessions)
    return Finding(quantity, float(max(getattr(sample, quantity) for sample in judged)), growth, rise, bound)
