"""The harness: targets, growth, what is counted, and what a whole run leaves behind."""

import asyncio
import gc
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.performance.compare import (
    MINIMUM,
    QUICK_ROUNDS,
    Row,
    Side,
    Times,
    Versus,
    exponent_of,
    in_turn,
    print_table,
    write_report,
)
from tests.performance.targets import (
    AtLeast,
    AtMost,
    GrowthUnder,
    NoTarget,
    ShareOver,
    ShareUpTo,
    Target,
    Under,
    duration,
)
from tests.support.migrate import REPOSITORY

FIELDS = ["id", "what", "ours_seconds", "baseline_seconds", "ratio", "target", "holds", "n", "spread"]
FIELDS += ["baseline_spread", "least_speedup", "points", "rung", "counts"]


@pytest.fixture
def rows() -> dict[str, Row]:
    return {}


class Clock:
    """A clock that stands still but for the work that is said to be done, so that no test depends on the machine."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def versus(rows: dict[str, Row], clock: Clock) -> Iterator[Versus]:
    with asyncio.Runner() as runner:
        yield Versus(rows, runner.get_loop(), in_turn, quick=False, clock=clock)


@pytest.mark.parametrize(
    ("target", "ours", "baseline", "ratio", "holds"),
    [
        (AtLeast(25), 0.001, 0.025, 25, True),
        (AtLeast(25), 0.001, 0.024, 24, False),
        (AtMost(2), 0.002, 0.001, 2, True),
        (AtMost(2), 0.0021, 0.001, 2.1, False),
        (Under(0.00001), 0.000009, 0.0009, 100, True),
        (Under(0.00001), 0.00001, 0.001, 100, False),
        (NoTarget(), 0.004, 0.001, 4, True),
    ],
)
def test_a_target_is_held_or_not(target: Target, ours: float, baseline: float, ratio: float, holds: bool) -> None:
    assert target.ratio(ours, baseline) == pytest.approx(ratio)
    assert target.holds(ours, baseline) == holds


def test_targets_say_what_they_ask() -> None:
    targets = (AtLeast(1.5), AtMost(2), Under(0.00001), GrowthUnder(0.1), NoTarget())
    assert [str(target) for target in targets] == [
        "at least 1.5 ×",
        "at most 2 ×",
        "under 10 µs",
        "exponent under 0.1",
        "none",
    ]


@pytest.mark.parametrize("exponent", [0, 0.1, 1, 2])
def test_an_exponent_is_found_again(exponent: float) -> None:
    assert exponent_of({size: 3e-5 * size**exponent for size in (1_000, 3_000, 100_000)}) == pytest.approx(exponent)


def test_an_exponent_is_fitted_to_all_sizes() -> None:
    # Slopes 0 and 2 between neighbours; the least squares line of the three points has slope 1.
    assert exponent_of({10: 1.0, 100: 1.0, 1000: 100.0}) == pytest.approx(1)


def test_the_spread_is_that_of_the_middle_four_fifths() -> None:
    assert Times([1.0] * 20 + [50.0]).spread == 0
    assert Times([float(number) for number in range(1, 12)]).spread == pytest.approx(8 / 6)
    assert Times([3.0]).spread == 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5, "2.5 s"), (0.0123, "12.3 ms"), (1e-3, "1 ms"), (4.56e-5, "45.6 µs"), (2e-8, "20 ns")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_two_sides_become_a_row(versus: Versus, rows: dict[str, Row], clock: Clock) -> None:
    versus(
        id="work",
        what="some work",
        ours=lambda: clock.work(0.001),
        baseline=lambda: clock.work(0.02),
        target=AtLeast(2),
        rounds=3,
        counts={"statements": 1},
    )
    row = rows["work"]
    assert (row.counts, row.least_speedup) == ({"statements": 1}, 2)
    assert row.baseline_spread == pytest.approx(0, abs=1e-9)
    assert row.ours_seconds == pytest.approx(0.001)
    assert row.baseline_seconds == pytest.approx(0.02)
    assert row.ratio == pytest.approx(20)
    assert (row.what, row.target, row.holds, row.n) == ("some work", "at least 2 ×", True, 3)
    assert row.spread == pytest.approx(0, abs=1e-9)


def test_the_median_of_the_rounds_counts(versus: Versus, rows: dict[str, Row], clock: Clock) -> None:
    warm_up, *rounds = 9.0, 1.0, 7.0, 2.0
    durations = iter([warm_up, *rounds])
    side = Side(lambda: clock.work(next(durations)), loops=1)
    versus(id="work", what="some work", ours=side, baseline=lambda: clock.work(1), target=AtMost(2), rounds=3)
    assert rows["work"].ours_seconds == pytest.approx(2)
    assert rows["work"].holds


def test_an_absolute_target_needs_no_baseline(versus: Versus, rows: dict[str, Row], clock: Clock) -> None:
    versus(id="work", what="some work", ours=lambda: clock.work(0.01), target=Under(0.001), rounds=2)
    assert (rows["work"].baseline_seconds, rows["work"].ratio, rows["work"].holds) == (None, None, False)
    with pytest.raises(ValueError, match="needs a baseline"):
        versus(id="other", what="work", ours=lambda: clock.work(0.01), target=AtLeast(2), rounds=2)


def test_coroutines_run_in_one_loop(versus: Versus, rows: dict[str, Row], clock: Clock) -> None:
    loops = set()

    async def ours() -> None:
        loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0)
        clock.work(0.001)

    versus(id="a", what="async", ours=ours, baseline=lambda: clock.work(0.02), target=AtLeast(2), rounds=2)
    assert loops == {versus.loop}
    assert rows["a"].ours_seconds == pytest.approx(0.001)


def test_rounds_alternate_and_preparation_is_not_timed(versus: Versus, clock: Clock) -> None:
    calls = []

    def side(name: str) -> Side:
        def before() -> None:
            calls.append(f"before {name}")
            clock.work(100)

        def call() -> None:
            calls.append(name)
            clock.work(1)

        return Side(call, before=before, loops=2)

    times = versus.measure(side("v1"), side("ours"), rounds=3)
    warm_up = one_round = ["before v1", "v1", "v1", "before ours", "ours", "ours"]
    assert calls == warm_up + 3 * one_round
    assert [taken.seconds for taken in times] == [[1, 1, 1], [1, 1, 1]]


def test_a_short_call_is_made_often_enough(versus: Versus, clock: Clock) -> None:
    began = []
    call = 1e-6
    (times,) = versus.measure(Side(lambda: clock.work(call), before=lambda: began.append(clock.now)), rounds=2)
    first, second = began[-2:]
    assert MINIMUM <= second - first <= 2 * MINIMUM
    assert times.median == pytest.approx(call)


def test_one_slow_call_does_not_pass_for_a_long_one(versus: Versus, clock: Clock) -> None:
    calls = []

    def call() -> None:
        calls.append(1)
        clock.work(10 if len(calls) == 2 else 1e-4)  # the first one after the warm-up meets a pause

    versus.measure(call, rounds=1)
    assert len(calls) > MINIMUM / 1e-4


def test_the_collector_is_on_and_garbage_is_gone_before_a_round(versus: Versus) -> None:
    class Cycle:
        alive = 0

        def __init__(self) -> None:
            self.own = self
            Cycle.alive += 1

        def __del__(self) -> None:
            Cycle.alive -= 1

    met = []
    versus.measure(Side(Cycle, loops=1), Side(lambda: met.append((gc.isenabled(), Cycle.alive)), loops=1), rounds=3)
    assert met == [(True, 0)] * 4


def test_growth_is_measured_over_sizes(versus: Versus, rows: dict[str, Row], clock: Clock) -> None:
    def ours(size: int) -> Side:
        return Side(lambda: clock.work(size**0.5))

    sides = {size: ours(size) for size in (400, 100, 10_000)}
    versus.growth(id="root", what="work", ours=sides, target=GrowthUnder(0.4), rounds=2)
    row = rows["root"]
    assert (row.baseline_seconds, row.ours_seconds, row.n) == (10, 100, 2)
    assert row.points == ((100, 10), (400, 20), (10_000, 100))
    assert row.ratio == pytest.approx(0.5)
    assert not row.holds
    assert row.target == "exponent under 0.4"
    versus.growth(id="again", what="work", ours=sides, target=GrowthUnder(0.6), rounds=2)
    assert rows["again"].holds


def test_a_row_has_an_id_of_its_own(versus: Versus) -> None:
    versus.figures("a", "one", 1.0, 2.0, AtLeast(2), n=1, spread=0)
    with pytest.raises(ValueError, match="two rows 'a'"):
        versus.figures("a", "other", 1.0, 2.0, AtLeast(2), n=1, spread=0)


def test_quick_is_two_rounds(rows: dict[str, Row]) -> None:
    # By the machine's own clock, which is what a bench has.
    with asyncio.Runner() as runner:
        versus = Versus(rows, runner.get_loop(), in_turn, quick=True)
        versus(id="a", what="nothing", ours=lambda: None, baseline=lambda: None, target=NoTarget(), rounds=50)
    assert rows["a"].ours_seconds > 0
    assert rows["a"].n == QUICK_ROUNDS == 2


def test_the_report_and_the_table_say_the_same(tmp_path: Path) -> None:
    held = Row("list", "a list", 0.001, 0.025, 25.0, "at least 25 ×", True, 9, 0.1)
    missed = Row("cached", "a cached list", 2e-5, None, None, "under 10 µs", False, 9, 0.1)
    write_report([held, missed], tmp_path / "deep" / "report.json")
    report = json.loads((tmp_path / "deep" / "report.json").read_text(encoding="utf-8"))
    assert [list(row) for row in report] == [FIELDS, FIELDS]
    assert report[0] == {
        "id": "list",
        "what": "a list",
        "ours_seconds": 0.001,
        "baseline_seconds": 0.025,
        "ratio": 25.0,
        "target": "at least 25 ×",
        "holds": True,
        "n": 9,
        "spread": 0.1,
        "baseline_spread": None,
        "least_speedup": None,
        "points": [],
        "rung": None,
        "counts": {},
    }
    assert (report[1]["baseline_seconds"], report[1]["ratio"], report[1]["holds"]) == (None, None, False)
    shown = io.StringIO()
    print_table([held, missed], Console(file=shown, width=150))
    assert re.search(r"list +│ a list +│ 1 ms +│ 25 ms +│ 25 +│ at least 25 × │ yes", shown.getvalue())
    assert re.search(r"cached +│ a cached list +│ 20 µs +│ +│ +│ under 10 µs +│ no", shown.getvalue())


def test_a_quick_run_of_the_ladder_prints_a_table_and_writes_the_report(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "pytest", "tests/performance/bench_ladder.py", "--quick", "-p", "no:cacheprovider"]
    command.append(f"--bench-report={report}")
    # Without what pytest-xdist told this process, or else pytest-benchmark would think itself inside a worker.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(command, check=False, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    written = json.loads(report.read_text(encoding="utf-8"))
    assert written
    for row in written:
        assert list(row) == FIELDS
        assert row["id"] in run.stdout
        assert row["ours_seconds"] > 0
        assert row["n"] == QUICK_ROUNDS


def test_a_share_is_shown_as_the_ratio_with_the_times_beside_it(versus: Versus, rows: dict[str, Row]) -> None:
    ours, baseline = Times([1.0, 3.0, 2.0]), Times([5.0])
    versus.share(id="hits", what="hits", share=0.6, ours=ours, baseline=baseline, target=ShareOver(0.6))
    versus.share(id="memory", what="memory", share=1.0, ours=ours, baseline=None, target=ShareUpTo(1))
    hits, memory = rows["hits"], rows["memory"]
    assert (hits.ratio, hits.ours_seconds, hits.baseline_seconds, hits.n) == (0.6, 2.0, 5.0, 3)
    assert (hits.target, hits.holds) == ("over 60%", False)
    assert (memory.target, memory.holds, memory.baseline_seconds) == ("at most 100%", True, None)


def test_a_share_beyond_its_target_does_and_does_not_hold() -> None:
    assert ShareOver(0.6).holds(0.61)
    assert not ShareUpTo(1).holds(1.01)
