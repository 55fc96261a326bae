"""What the rows of the bench are held to."""

from dataclasses import dataclass
from typing import Protocol


class Target(Protocol):
    """What a row is held to; `str()` of it is shown."""

    def ratio(self, ours: float, baseline: float) -> float:
        """The figure to show, of two times in seconds."""

    def holds(self, ours: float, baseline: float) -> bool: ...


@dataclass(frozen=True)
class AtLeast:
    """So many times faster than the baseline; the ratio is baseline / ours."""

    factor: float

    def ratio(self, ours: float, baseline: float) -> float:
        return baseline / ours

    def holds(self, ours: float, baseline: float) -> bool:
        return self.ratio(ours, baseline) >= self.factor

    def __str__(self) -> str:
        return f"at least {self.factor:g} ×"


@dataclass(frozen=True)
class AtMost:
    """At most so many times the time of the baseline; the ratio is ours / baseline."""

    factor: float

    def ratio(self, ours: float, baseline: float) -> float:
        return ours / baseline

    def holds(self, ours: float, baseline: float) -> bool:
        return self.ratio(ours, baseline) <= self.factor

    def __str__(self) -> str:
        return f"at most {self.factor:g} ×"


@dataclass(frozen=True)
class Under:
    """Less than so many seconds a call; the ratio, baseline / ours, is for information."""

    seconds: float

    def ratio(self, ours: float, baseline: float) -> float:
        return baseline / ours

    def holds(self, ours: float, baseline: float) -> bool:
        return ours < self.seconds

    def __str__(self) -> str:
        return f"under {duration(self.seconds)}"


@dataclass(frozen=True)
class NoTarget:
    """Nothing is asked, which always holds; the ratio is ours / baseline."""

    def ratio(self, ours: float, baseline: float) -> float:
        return ours / baseline

    def holds(self, ours: float, baseline: float) -> bool:
        return True

    def __str__(self) -> str:
        return "none"


@dataclass(frozen=True)
class GrowthUnder:
    """The time grows with the size to a power below `exponent`: 0 is no growth, 1 is in proportion."""

    exponent: float

    def __str__(self) -> str:
        return f"exponent under {self.exponent:g}"


@dataclass(frozen=True)
class ShareOver:
    """A share, such as that of hits among reads, is larger than this; both from 0 to 1."""

    share: float

    def holds(self, share: float) -> bool:
        return share > self.share

    def __str__(self) -> str:
        return f"over {self.share:.0%}"


@dataclass(frozen=True)
class ShareUpTo:
    """A share, such as that of memory used of what is allowed, is no larger than this."""

    share: float

    def holds(self, share: float) -> bool:
        return share <= self.share

    def __str__(self) -> str:
        return f"at most {self.share:.0%}"


def least_speedup(target: object) -> float | None:
    """Return the least baseline / ours that meets a target, or None where the target is not about both sides."""
    match target:
        case AtLeast(factor):
            return factor
        case AtMost(factor):
            return 1 / factor
    return None


def duration(seconds: float) -> str:
    """Return a time with three digits, in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
