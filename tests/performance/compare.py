"""The harness of the bench: what is measured alternates, round by round, in one process, and becomes rows of a report.

A round of a side is as many calls as take MINIMUM seconds or longer, so that neither the clock nor the entry into the
event loop counts. Medians of the rounds count. The collector stays on, as it is where the code runs, and is run before
every round, so that no side pays for the garbage of another.
"""

import asyncio
import inspect
import json
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from gc import collect, freeze, unfreeze
from itertools import repeat
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.performance.targets import (
    GrowthUnder,
    NoTarget,
    ShareOver,
    ShareUpTo,
    Target,
    Under,
    duration,
    least_speedup,
)

MINIMUM, QUICK_MINIMUM = 0.005, 0.0002
"""The least that a round takes, in seconds."""
ROUNDS, QUICK_ROUNDS = 25, 2


@dataclass(frozen=True)
class Side:
    """Something to measure; a plain callable that is given in place of a Side is `Side(call)`.

    `call` may be a coroutine function, which runs in the bench's event loop. `before` runs, not timed, before every
    round. `loops` is the number of calls in a round, for calls that change what the next one meets; None finds it.
    """

    call: Callable[[], object]
    before: Callable[[], object] | None = None
    loops: int | None = None


@dataclass(frozen=True)
class Times:
    """How long one call took, in seconds, in each round."""

    seconds: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """(the 90th percentile - the 10th) / the median."""
        if len(self.seconds) < 2:
            return 0.0
        lowest, *_, highest = statistics.quantiles(self.seconds, n=10, method="inclusive")
        return (highest - lowest) / self.median


@dataclass(frozen=True)
class Row:
    """One row of the report. What has no baseline has neither `baseline_seconds` nor `ratio`.

    The ratio is the one that the target is about. Of a growth it is the exponent, `ours_seconds` is the time at the
    largest size and `baseline_seconds` ours at the smallest. Of a share it is the share; the times are beside it.
    """

    id: str
    what: str
    ours_seconds: float
    baseline_seconds: float | None
    ratio: float | None
    target: str
    holds: bool
    n: int
    """Rounds."""
    spread: float
    baseline_spread: float | None = None
    least_speedup: float | None = None
    """The least baseline_seconds / ours_seconds that meets the target, if that is what it is about."""
    points: tuple[tuple[int, float], ...] = ()
    """Of a growth: the sizes, and the seconds at each."""
    rung: tuple[str, str] | None = None
    """Of a ladder, whose lowest rung is the baseline: the ladder's name and this rung's."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What one call cost besides time, such as statements and bytes, by what it is."""


def exponent_of(times: Mapping[int, float]) -> float:
    """Return the power of the size to which times grow: the slope of a least squares line through the logarithms."""
    slope, _ = statistics.linear_regression([math.log(size) for size in times], [math.log(t) for t in times.values()])
    return slope


def in_turn(target: Callable[[], object], setup: Callable[[], object], rounds: int) -> None:
    """Do so many rounds without pytest-benchmark, which does the same and keeps the times of `target` besides."""
    for _ in range(rounds):
        setup()
        target()


class Versus:
    """The fixture `versus`: measures sides and adds rows. One measurement per test, for pytest-benchmark has it so.

    `rows` collects the rows by id, `loop` runs what is asynchronous, `drive(target, setup, rounds)` does the rounds and
    `clock` gives seconds.
    """

    def __init__(
        self,
        rows: dict[str, Row],
        loop: asyncio.AbstractEventLoop,
        drive: Callable[[Callable[[], object], Callable[[], object], int], object],
        quick: bool,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._rows = rows
        self._drive = drive
        self._minimum = QUICK_MINIMUM if quick else MINIMUM
        self._quick = quick
        self._clock = clock
        self.loop = loop

    def __call__(
        self,
        *,
        id: str,
        what: str,
        ours: Side | Callable[[], object],
        baseline: Side | Callable[[], object] | None = None,
        target: Target,
        rounds: int = ROUNDS,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Measure two sides beside each other and add their row; without a baseline the target is `Under`."""
        if baseline is None:
            self.row(id, what, *self.measure(ours, rounds=rounds), None, target, counts=counts)
        else:
            beside, own = self.measure(baseline, ours, rounds=rounds)
            self.row(id, what, own, beside, target, counts=counts)

    def growth(
        self,
        *,
        id: str,
        what: str,
        ours: Mapping[int, Side | Callable[[], object]],
        target: GrowthUnder,
        rounds: int = ROUNDS,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Measure what is said for each size, smallest first, beside each other, and add the row of its growth."""
        sizes = sorted(ours)
        times = dict(zip(sizes, self.measure(*(ours[size] for size in sizes), rounds=rounds), strict=True))
        exponent = exponent_of({size: taken.median for size, taken in times.items()})
        smallest, largest = times[sizes[0]], times[sizes[-1]]
        self._add(
            Row(
                id=id,
                what=what,
                ours_seconds=largest.median,
                baseline_seconds=smallest.median,
                ratio=exponent,
                target=str(target),
                holds=exponent < target.exponent,
                n=len(largest.seconds),
                spread=largest.spread,
                baseline_spread=smallest.spread,
                points=tuple((size, taken.median) for size, taken in times.items()),
                counts=dict(counts or {}),
            )
        )

    def measure(self, *sides: Side | Callable[[], object], rounds: int = ROUNDS) -> list[Times]:
        """Measure any number of sides, each once a round, in their order; pytest-benchmark keeps the last one."""
        timers = [_Timer(side if isinstance(side, Side) else Side(side), self.loop, self._clock) for side in sides]
        *others, last = timers

        def until_the_last() -> None:
            for timer in others:
                timer.prepare()
                timer.run()
            last.prepare()

        with _spared_by_the_collector():
            for timer in timers:
                timer.calibrate(self._minimum)
            self._drive(last.run, until_the_last, QUICK_ROUNDS if self._quick else rounds)
        return [Times(timer.seconds) for timer in timers]

    def row(
        self,
        id: str,
        what: str,
        ours: Times,
        baseline: Times | None,
        target: Target,
        *,
        rung: tuple[str, str] | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Add a row for times that `measure` gave."""
        self.figures(
            id,
            what,
            ours.median,
            None if baseline is None else baseline.median,
            target,
            n=len(ours.seconds),
            spread=ours.spread,
            baseline_spread=None if baseline is None else baseline.spread,
            rung=rung,
            counts=counts,
        )

    def figures(
        self,
        id: str,
        what: str,
        ours: float,
        baseline: float | None,
        target: Target,
        *,
        n: int,
        spread: float,
        baseline_spread: float | None = None,
        rung: tuple[str, str] | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Add a row for two times in seconds, however they came about."""
        if baseline is None and not isinstance(target, Under):
            raise ValueError(f"{id}: {target} needs a baseline")
        self._add(
            Row(
                id=id,
                what=what,
                ours_seconds=ours,
                baseline_seconds=baseline,
                ratio=None if baseline is None else target.ratio(ours, baseline),
                target=str(target),
                holds=target.holds(ours, math.nan if baseline is None else baseline),
                n=n,
                spread=spread,
                baseline_spread=baseline_spread,
                least_speedup=least_speedup(target),
                rung=rung,
                counts=dict(counts or {}),
            )
        )

    def share(
        self,
        *,
        id: str,
        what: str,
        share: float,
        ours: Times,
        baseline: Times | None,
        target: ShareOver | ShareUpTo,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Add a row for a figure that is no time, with the times of what it was taken from."""
        self._add(
            Row(
                id=id,
                what=what,
                ours_seconds=ours.median,
                baseline_seconds=None if baseline is None else baseline.median,
                ratio=share,
                target=str(target),
                holds=target.holds(share),
                n=len(ours.seconds),
                spread=ours.spread,
                baseline_spread=None if baseline is None else baseline.spread,
                counts=dict(counts or {}),
            )
        )

    def measured_elsewhere(self) -> None:
        """Say that a benchmark took its times itself; pytest-benchmark wants a measurement of its own from each."""
        self.measure(lambda: None, rounds=1)

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine in the loop that the asynchronous sides run in: to open engines and to close them."""
        return self.loop.run_until_complete(coroutine)

    def _add(self, row: Row) -> None:
        if row.id in self._rows:
            raise ValueError(f"there are two rows {row.id!r}")
        self._rows[row.id] = row


@contextmanager
def _spared_by_the_collector() -> Iterator[None]:
    """Have the collector leave alone what is there. Libraries that other rows have loaded would slow down a side that
    makes many objects, and the bench would spend most of its time on looking through them."""
    collect()
    freeze()
    try:
        yield
    finally:
        unfreeze()


class _Timer:
    """One side and its times."""

    def __init__(self, side: Side, loop: asyncio.AbstractEventLoop, clock: Callable[[], float]) -> None:
        self._side = side
        self._loop = loop
        self._clock = clock
        self._loops = side.loops or 1
        self.seconds: list[float] = []

    def calibrate(self, minimum: float) -> None:
        """Run once, so that caches are warm, and find how many calls take `minimum` seconds."""
        self._once()
        # The shorter of two, or else a pause of the machine would pass for a long call.
        while self._side.loops is None and (elapsed := min(self._once(), self._once())) < minimum:
            self._loops = math.ceil(1.3 * self._loops * minimum / elapsed)

    def _once(self) -> float:
        self.prepare()
        return self._elapsed()

    def prepare(self) -> None:
        if self._side.before is not None:
            self._side.before()
        collect()

    def run(self) -> None:
        self.seconds.append(self._elapsed() / self._loops)

    def _elapsed(self) -> float:
        if inspect.iscoroutinefunction(self._side.call):
            return self._loop.run_until_complete(self._elapsed_in_loop())
        call = self._side.call
        began = self._clock()
        for _ in repeat(None, self._loops):
            call()
        return self._clock() - began

    async def _elapsed_in_loop(self) -> float:
        call: Any = self._side.call
        began = self._clock()
        for _ in repeat(None, self._loops):
            await call()
        return self._clock() - began


def write_report(rows: Iterable[Row], path: Path) -> None:
    """Write the rows as a JSON list of objects."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def print_table(rows: Iterable[Row], console: Console) -> None:
    """Print the rows as one table."""
    table = Table("id", "what", "ours", "baseline", "ratio", "target", "holds")
    for row in rows:
        table.add_row(
            row.id,
            row.what,
            duration(row.ours_seconds),
            "" if row.baseline_seconds is None else duration(row.baseline_seconds),
            "" if row.ratio is None else f"{row.ratio:.3g}",
            row.target,
            "" if row.target == str(NoTarget()) else "yes" if row.holds else "no",
        )
    console.print(table)
