"""A hasher that counts its work, a clock that is turned by hand, and v1's hash."""

import asyncio
import hashlib
import threading
import time
from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher

from tests.unit.repositories.rows import THEN


def v1_hash(passcode: str) -> str:
    return hashlib.sha256(passcode.encode()).hexdigest()


class Clock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.time = THEN

    def __call__(self) -> datetime:
        return self.time

    def turn(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class CountingHasher(PasswordHasher):
    """argon2id at next to no cost. Each computation, of a new hash or of one to compare with, is counted."""

    def __init__(self, *, time_cost: int = 1, memory_cost: int = 64, lasts: float = 0) -> None:
        super().__init__(time_cost=time_cost, memory_cost=memory_cost, parallelism=1)
        self.computed = 0
        self.most_at_once = 0
        self.threads: set[int] = set()
        self._lasts = lasts
        self._running = 0
        self._lock = threading.Lock()

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        return self._noted(super().hash, password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:
        return self._noted(super().verify, hash, password)

    def _noted(self, compute: Any, *given: Any, **named: Any) -> Any:
        with self._lock:
            self.computed += 1
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
            self.threads.add(threading.get_ident())
        try:
            time.sleep(self._lasts)
            return compute(*given, **named)
        finally:
            with self._lock:
                self._running -= 1


class InterruptedHasher(CountingHasher):
    """Has a hash computed, then lets somebody else do something before it is given out."""

    def __init__(self) -> None:
        super().__init__()
        self.computed_one = asyncio.Event()
        self.go_on = threading.Event()
        self._loop = asyncio.get_running_loop()

    def _noted(self, compute: Any, *given: Any, **named: Any) -> Any:
        try:
            return super()._noted(compute, *given, **named)
        finally:
            self._loop.call_soon_threadsafe(self.computed_one.set)
            assert self.go_on.wait(timeout=30)
