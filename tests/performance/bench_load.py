"""Fifty people at work at once, beside one who is alone, on either engine: how much is done, and how long each waits.

Everybody does a whole session (see tests/load/people.py). The model takes 50 to 200 ms a call, in a process of its own.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from itertools import count, islice
from pathlib import Path
from time import perf_counter, process_time

import pytest

from socrates.orchestrator import Orchestrator
from tests.load.latencies import Latencies, Percentiles
from tests.load.model import served_apart
from tests.load.people import PEOPLE, QUESTIONS, Person, opened, register
from tests.performance.compare import Times, Versus
from tests.performance.targets import AtLeast, AtMost, NoTarget
from tests.support.engines import on_engine
from tests.support.stores import fresh_place

ROUNDS = 3
QUICK_PEOPLE, QUICK_QUESTIONS, QUICK_ROUNDS = 4, 1, 1
_numbers = count()
ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """The engines by turns; the server is started for the second only."""
    with on_engine(request) as name:
        yield name


class Crowd:
    """New people each time, so that nobody's past slows them down; `latencies` and `sessions` are of all rounds."""

    def __init__(self, system: Orchestrator, size: int, questions: int) -> None:
        self._system = system
        self._size = size
        self._questions = questions
        self.latencies = Latencies()
        self.sessions: list[float] = []
        """Seconds of each round by the number of people: what a session takes of the whole crowd's time."""
        self.computing: list[float] = []
        """Of them, those in which this process computed; they say the same on a busy machine."""

    async def work(self) -> None:
        """One round: a session each, all at once."""
        names = [f"user-{number}" for number in islice(_numbers, self._size)]
        await register(self._system.services.store, names)
        people = [Person(self._system, name, self.latencies) for name in names]
        began, computed = perf_counter(), process_time()
        await asyncio.gather(*(person.work(self._questions) for person in people))
        self.sessions.append((perf_counter() - began) / self._size)
        self.computing.append((process_time() - computed) / self._size)

    @property
    def rate(self) -> float:
        """Actions a second."""
        return len(self.latencies.all) / (sum(self.sessions) * self._size)


@contextmanager
def crowds(versus: Versus, directory: Path, url: str, sizes: tuple[int, int], questions: int) -> Iterator[list[Crowd]]:
    """Crowds of these sizes that take turns on one system; each has worked once, which is not counted."""
    with fresh_place(directory) as place:
        stack = AsyncExitStack()
        system = versus.run(stack.enter_async_context(opened(place, directory, url)))
        try:
            versus.run(Crowd(system, 1, questions).work())
            yield [Crowd(system, size, questions) for size in sizes]
        finally:
            versus.run(stack.aclose())


def test_people_at_once(versus: Versus, engine: str, tmp_path: Path, quick: bool) -> None:
    people, questions, rounds = (QUICK_PEOPLE, QUICK_QUESTIONS, QUICK_ROUNDS) if quick else (PEOPLE, QUESTIONS, ROUNDS)
    with served_apart(seed=50) as url, crowds(versus, tmp_path, url, (1, people), questions) as (alone, together):
        for _ in range(rounds):
            versus.run(alone.work())
            versus.run(together.work())
    on = f"{people} people at once on {ENGINES[engine]}"
    versus.row(
        f"load-{engine}-sessions",
        f"{on}: all their time for one session, {together.rate:.0f} actions/s; beside one alone, {alone.rate:.0f}/s",
        Times(together.sessions),
        Times(alone.sessions),
        AtLeast(1 if quick else 5),
    )
    versus.row(
        f"load-{engine}-cpu",
        f"{on}: a session's CPU time in this process; beside one alone",
        Times(together.computing),
        Times(alone.computing),
        AtMost(10 if quick else 1.5),
    )
    ours, beside = Percentiles.of(together.latencies.all), Percentiles.of(alone.latencies.all)
    for name in ("p50", "p95", "p99"):
        versus.figures(
            f"load-{engine}-{name}",
            f"{on}: {name[1:]} % of all actions take at most; beside one alone",
            getattr(ours, name),
            getattr(beside, name),
            NoTarget(),
            n=len(together.latencies.all),
            spread=0.0,
        )
    versus.measured_elsewhere()
