"""The soak's verdict, and a soak of a few seconds."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.load import soak
from tests.load.latencies import Latencies, Percentiles
from tests.load.people import Person
from tests.load.verdict import QUANTITIES, Bound, Sample, after_warm_up, growth_of, judge
from tests.support.systems import fresh_system

_NOTHING = dict.fromkeys(QUANTITIES, 0)


def sample(sessions: int, **values: Any) -> Sample:
    return Sample(**(_NOTHING | {"sessions": sessions} | values))


_STEADY = [sample(number, resident=1000) for number in range(10)]


def test_growth_is_by_session_and_not_moved_by_one_sample() -> None:
    samples = [sample(sessions, resident=1000 + 7 * sessions) for sessions in range(0, 100, 5)]
    samples[10] = sample(50, resident=1_000_000)
    assert growth_of("resident", samples) == 7


def test_what_levels_off_does_not_grow() -> None:
    samples = [sample(sessions, resident=min(sessions, 20) * 1000) for sessions in range(100)]
    assert growth_of("resident", samples) == 0
    assert growth_of("resident", samples[:20]) == 1000


def test_growth_without_sessions_is_none() -> None:
    assert growth_of("resident", [sample(3, resident=1), sample(3, resident=9)]) == 0


def test_the_first_fifth_is_not_judged() -> None:
    samples = [sample(number, resident=900 if number < 2 else 10) for number in range(10)]
    assert [each.sessions for each in after_warm_up(samples)] == list(range(2, 10))
    (found,) = judge(samples, {"resident": Bound(most=10, growth=0)})
    assert (found.most, found.growth, found.rise, found.holds) == (10, 0, 0, True)


@pytest.mark.parametrize(
    ("bound", "holds"),
    [
        (Bound(), True),
        (Bound(most=59), True),
        (Bound(most=58), False),
        (Bound(growth=1), True),
        (Bound(growth=0.9), False),
        (Bound(most=58, growth=1), False),
        (Bound(growth=0.9, slack=39), True),
        (Bound(growth=0.9, slack=38), False),
        (Bound(most=58, growth=0.9, slack=39), False),
    ],
    ids=str,
)
def test_either_bound_can_break(bound: Bound, holds: bool) -> None:
    samples = [sample(number, threads=10 + number) for number in range(50)]
    (found,) = judge(samples, {"threads": bound})
    assert found.holds is holds


def test_nothing_is_not_judged() -> None:
    with pytest.raises(ValueError, match="no sample was taken"):
        judge([], soak.BOUNDS)


def test_every_bound_is_of_something_that_is_watched() -> None:
    assert set(soak.BOUNDS) <= QUANTITIES
    assert {"resident", "descriptors", "threads", "wal", "p99"} <= set(soak.BOUNDS)


def test_percentiles_are_times_that_were_taken() -> None:
    assert Percentiles.of([]) == Percentiles(0, 0, 0)
    assert Percentiles.of([3.0]) == Percentiles(3, 3, 3)
    assert Percentiles.of([float(number) for number in range(100, 0, -1)]) == Percentiles(50, 95, 99)


def test_what_fails_is_not_timed() -> None:
    latencies = Latencies()
    with pytest.raises(KeyError), latencies.timing("ask"):
        raise KeyError
    with latencies.timing("answer"):
        pass
    assert [(kind, len(times)) for kind, times in latencies.by_action.items()] == [("answer", 1)]


def test_a_short_soak_ends_well_and_writes_what_it_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = tmp_path / "bench" / "soak.json"
    # What the process takes is other tests' doing as well, and seconds are too short for a slope.
    bounds = dict.fromkeys(soak.BOUNDS, Bound())
    monkeypatch.setattr(soak, "BOUNDS", bounds)
    monkeypatch.setattr(soak, "PEOPLE", 8)
    assert soak.main(["--minutes", "0.03", "--questions", "1", "--report", str(report)]) == 0
    written = json.loads(report.read_text())
    assert {finding["quantity"] for finding in written["findings"]} == {"failures", *bounds, "descriptors left"}
    assert all(finding["holds"] for finding in written["findings"])
    last = Sample(**written["samples"][-1])
    assert last.sessions > 0
    assert min(last.resident, last.descriptors, last.threads, last.tasks, last.wal, last.database) > 0
    assert asdict(last).keys() == QUANTITIES


async def test_whatever_fails_is_counted_and_stops_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(person: Person, _questions: int) -> None:
        if person.name.endswith("7"):
            raise KeyError(person.name)

    monkeypatch.setattr(Person, "work", fail)
    async with fresh_system(tmp_path) as lab:
        soaked = soak.Soak(lab.system, tmp_path / "projects.db")
        await soaked.run(seconds=0.3, interval=0.1)
    assert soaked.sessions > len(soaked.failures) > 0
    assert set(map(str, soaked.failures)) >= {"KeyError: 'user-000007'"}
    assert sum(each.errors for each in soaked.samples) == len(soaked.failures)
    assert soaked.samples[-1].sessions == soaked.sessions


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (soak.Outcome(_STEADY, sessions=9, failures=[]), 0),
        (soak.Outcome(_STEADY, sessions=9, failures=["TIMEOUT: too late"]), 1),
        (soak.Outcome(_STEADY, sessions=9, failures=[], left=1), 1),
        (soak.Outcome([*_STEADY, sample(10, wal=10**9)], sessions=10, failures=[]), 1),
    ],
    ids=["all holds", "a failure", "a descriptor left", "a bound broken"],
)
def test_what_does_not_hold_is_told_by_the_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: soak.Outcome, status: int
) -> None:
    async def ended(*_arguments: Any) -> soak.Outcome:
        return outcome

    monkeypatch.setattr(soak, "soak", ended)
    assert soak.main(["--report", str(tmp_path / "soak.json")]) == status
