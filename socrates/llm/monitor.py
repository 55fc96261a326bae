"""What this process has spent on models since it started; long-term numbers come from `llm_usage`."""

from collections import deque
from decimal import Decimal

from socrates.views import Usage

_KEPT = 1000
"""Entries; the totals count on."""


class UsageMonitor:
    """The totals since the start, and the last calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0
        self.total_tokens = 0
        self.total_cost = Decimal(0)
        self.last: deque[Usage] = deque(maxlen=_KEPT)

    def add(self, usage: Usage) -> None:
        """Count one call."""
        self.last.append(usage)
        self.calls += 1
        self.failures += not usage.success
        self.total_tokens += usage.total_tokens or 0
        self.total_cost += usage.cost or 0
