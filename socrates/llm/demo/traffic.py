"""What passed through a model server."""

import itertools
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from socrates.llm.demo.protocol import ModelRequest


class Traffic:
    """Keeps the `keep` newest well-formed requests, and counts. Safe to use from several threads."""

    def __init__(self, keep: int) -> None:
        self._requests: deque[ModelRequest] = deque(maxlen=keep)
        self._numbers = itertools.count(1)
        self._at_work = 0
        self._most_at_once = 0
        self._answered = 0
        self._lock = threading.Lock()

    @property
    def requests(self) -> list[ModelRequest]:
        """The kept requests, the oldest first."""
        with self._lock:
            return list(self._requests)

    @property
    def most_at_once(self) -> int:
        """The highest number of requests that were at work at one moment."""
        with self._lock:
            return self._most_at_once

    @property
    def answered(self) -> int:
        """How many replies were sent to their end, failures too."""
        with self._lock:
            return self._answered

    def next_number(self) -> int:
        """The number of a request that begins, from 1 on."""
        return next(self._numbers)

    @contextmanager
    def working_on(self, request: ModelRequest) -> Iterator[None]:
        """Keep the request, and count it as being at work."""
        with self._lock:
            self._requests.append(request)
            self._at_work += 1
            self._most_at_once = max(self._most_at_once, self._at_work)
        try:
            yield
        finally:
            with self._lock:
                self._at_work -= 1

    def count_answered(self) -> None:
        """One reply more was sent to its end."""
        with self._lock:
            self._answered += 1
