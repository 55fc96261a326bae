"""The model that people meet under load: the demo's, each of whose calls takes a seeded time of 50 to 200 ms.

`python -m tests.load.model SEED` serves it until its standard input ends, and says its URL first.
"""

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from socrates.llm.demo.answers import demo_reply
from socrates.llm.demo.protocol import Answer, ModelRequest
from socrates.llm.demo.server import ModelServer
from tests.support.migrate import REPOSITORY

LEAST, MOST = 0.05, 0.2
"""Seconds of a call."""


class SlowModel:
    """A reply function for ModelServer: the demo's answers, late. The same seed gives the same row of delays.

    `calls` counts what it was asked.
    """

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self.calls = 0

    def __call__(self, request: ModelRequest) -> Answer:
        with self._lock:
            self.calls += 1
            delay = self._dice.uniform(LEAST, MOST)
        return replace(demo_reply(request), delay=delay)


def served_apart(seed: int) -> AbstractContextManager[str]:
    """The URL of such a model in a process of its own, so that what it takes is not counted as ours."""
    return served_by("-m", "tests.load.model", str(seed))


@contextmanager
def served_by(*arguments: str) -> Iterator[str]:
    """The URL of a model that Python serves with these arguments; it ends with its standard input."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, f"the model's process ended with status {process.wait()}"
        yield url
        process.stdin.close()


def _serve(seed: int) -> None:
    with ModelServer(SlowModel(seed), keep=1) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
