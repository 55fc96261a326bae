"""Failed log-ins: a record by name."""

from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

from socrates.errors import ThrottledError
from tests.stateful.model.state import Face, Failures

_DAY = timedelta(days=1)
_LONGEST = timedelta(minutes=15)


class LoginFailures(Face):
    def count(self, username: str, at: datetime) -> None:
        failures = self.state.failures
        known = failures.get(username, Failures(username, 0, at, at, at))
        if at < known.blocked_until <= at + _LONGEST:
            raise ThrottledError(ceil((known.blocked_until - at).total_seconds()))
        if known.last_failed_at < at - _DAY:
            known = replace(known, failures=0, first_failed_at=at)
        number = known.failures + 1
        wait = timedelta(0) if number < 5 else min(timedelta(seconds=2 ** (number - 5)), _LONGEST)
        failures[username] = replace(known, failures=number, last_failed_at=at, blocked_until=at + wait)
        self.state.failures = {name: each for name, each in failures.items() if each.last_failed_at >= at - _DAY}

    def clear(self, username: str) -> None:
        self.state.failures.pop(username, None)
