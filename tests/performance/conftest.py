"""Fixtures of the bench (bench_*.py), which plain `pytest` does not collect: `make bench` runs it."""

import asyncio
import io
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from rich.console import Console

from socrates.config import Settings
from socrates.store import Store
from tests.performance.compare import Row, Versus, print_table, write_report
from tests.performance.datasets import (
    GROWTH_SIZES,
    QUICK_GROWTH_SIZES,
    QUICK_SIZES,
    SIZES,
    Dataset,
    dataset,
    grown,
)
from tests.performance.opening import UNCACHED
from tests.performance.page import write_page
from tests.support.migrate import REPOSITORY

REPORT = REPOSITORY / "build" / "bench" / "report.json"
ROWS = pytest.StashKey[dict[str, Row]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bench")
    group.addoption("--quick", action="store_true", help="tiny numbers, to see that the bench runs")
    group.addoption("--large", action="store_true", help="growth to 1,000,000 projects, which takes minutes to fill")
    group.addoption("--bench-report", type=Path, default=REPORT, help="where the rows go as JSON; beside it, a page")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS] = {}


@pytest.fixture(scope="session")
def quick(pytestconfig: pytest.Config) -> bool:
    """Whether only tiny numbers are wanted."""
    return bool(pytestconfig.getoption("quick"))


@pytest.fixture(scope="session")
def bench_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The one event loop in which all that is asynchronous is measured."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.fixture
def versus(
    benchmark: BenchmarkFixture, bench_loop: asyncio.AbstractEventLoop, quick: bool, pytestconfig: pytest.Config
) -> Versus:
    """Measures ours beside a baseline and puts a row into the report."""

    def drive(target: Callable[[], object], setup: Callable[[], object], rounds: int) -> None:
        benchmark.pedantic(target, setup=setup, rounds=rounds)

    return Versus(pytestconfig.stash[ROWS], bench_loop, drive, quick)


@pytest.fixture
def one_core() -> Iterator[None]:
    """Has all threads of this process run on one core, where the system can: for rows that do one thing at a time.

    Each statement wakes the thread of a connection and is waited for. How long the kernel takes to wake another core
    changes from one minute to the next, between 15 and 150 µs, by what nobody here decides. v1 has one thread.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    _keep_to({max(before)})
    yield
    _keep_to(before)


def _keep_to(cores: set[int]) -> None:
    for thread in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):  # ended meanwhile
            os.sched_setaffinity(int(thread), cores)


@pytest.fixture
def open_store(versus: Versus) -> Iterator[Callable[..., Store]]:
    """Opens stores on a path or URL, without caches unless other settings are given, and closes them at the end."""
    stores: list[Store] = []

    async def opened(database: str | Path, settings: Settings) -> Store:
        return await Store.open(database, settings)

    def open_store(database: str | Path, settings: Settings = UNCACHED) -> Store:
        stores.append(versus.run(opened(database, settings)))
        return stores[-1]

    yield open_store
    for store in stores:
        versus.run(store.close())


@pytest.fixture(scope="session")
def data(quick: bool) -> Callable[[str], Dataset]:
    """Give a data set by its name: "bare", "usual", "large" or "many"; write to a copy only."""
    return lambda name: dataset(*(QUICK_SIZES if quick else SIZES)[name])


@pytest.fixture(scope="session")
def growth_files(quick: bool) -> Callable[[], dict[int, Path]]:
    """Give our files of growing size, by their number of projects; write to a copy only."""
    return lambda: {size: grown(size) for size in (QUICK_GROWTH_SIZES if quick else GROWTH_SIZES)}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash[ROWS].values()
    if not rows:
        return
    report: Path = config.getoption("bench_report")
    write_report(rows, report)
    shown = report.with_suffix(".html")
    write_page(rows, shown)
    lines = io.StringIO()
    print_table(rows, Console(file=lines, width=150))
    terminalreporter.section("ours beside the baseline")
    terminalreporter.write_line(lines.getvalue())
    terminalreporter.write_line(f"Written to {report} and {shown}")
