"""Fifty people at work for a long time on one SQLite file, and what that does to the process.

    python -m tests.load.soak --minutes 10

Each of fifty places is taken by a new person with a new project as soon as the last one has ended the session: what is
kept for a person or a project, and should not be, piles up with every session. What fills up to a bound is filled
before: the caches of reads get little room, and the page caches of SQLite's connections (8 MB of the writer, 2 MB of
each of ten readers) are filled with other people's conversations. Left to themselves these grow with the file, by
20 KB a session until they are full, which no fit can tell from a leak.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

from socrates.config import CacheConfig
from socrates.drafts import NewMessage
from socrates.orchestrator import Orchestrator
from socrates.store import Store
from tests.load.latencies import Latencies, Percentiles
from tests.load.model import served_apart
from tests.load.people import PEOPLE, QUESTIONS, Person, opened, register
from tests.load.verdict import MEGABYTE, Bound, Finding, Sample, judge
from tests.performance.memory import resident
from tests.support.migrate import REPOSITORY
from tests.support.stores import fresh_file

REPORT = REPOSITORY / "build" / "bench" / "soak.json"

_SAMPLES = 120
"""At most, over the whole time."""

_STAGGER = 0.1
"""The share of the time after which everybody is there."""

_CACHE_MEGABYTES = 4

_OTHERS = 10
"""Conversations of more than a megabyte each, which nobody goes on with."""

BOUNDS = {
    # 3,600 bytes a session were measured, less with every session: the number of Python objects stays the same.
    "resident": Bound(most=500 * MEGABYTE, growth=6_000, slack=8 * MEGABYTE),
    # A connection to the model for everybody, and those of the database; how many are open goes up and down.
    "descriptors": Bound(most=200, growth=0.05, slack=20),
    "threads": Bound(most=100, growth=0.01, slack=10),
    "tasks": Bound(most=500, growth=0.1, slack=100),
    # SQLite folds it back at 1,000 pages, 4 MB, as soon as nobody reads.
    "wal": Bound(most=16 * MEGABYTE),
    "cached": Bound(most=_CACHE_MEGABYTES * MEGABYTE),
    "p50": Bound(most=20, growth=0.002, slack=2),
    "p95": Bound(most=40),
    "p99": Bound(most=60),
}


@dataclass(frozen=True)
class Outcome:
    """What a soak has seen. `left` file descriptors are still open once the system is closed."""

    samples: list[Sample]
    sessions: int
    failures: list[str]
    left: int = 0

    def findings(self) -> list[Finding]:
        """Held to BOUNDS; failures count from the first second on."""
        none = Bound(most=0)
        return [
            Finding("failures", len(self.failures), 0, 0, none),
            *judge(self.samples, BOUNDS),
            Finding("descriptors left", self.left, 0, 0, none),
        ]


@dataclass
class Soak:
    """People who come and go, and the samples that were taken meanwhile."""

    system: Orchestrator
    file: Path
    questions: int = QUESTIONS
    latencies: Latencies = field(default_factory=Latencies)
    samples: list[Sample] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    sessions: int = 0
    _numbers: "count[int]" = field(default_factory=count)
    _sampled_failures: int = 0
    _began: float = field(default_factory=perf_counter)

    async def run(self, seconds: float, interval: float) -> None:
        """Have people work for so many seconds and end what they began, with a sample every `interval` seconds."""
        end = perf_counter() + seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(end, interval))
            for place in range(PEOPLE):
                # One after another, or else all of them would do the same at the same time for ever.
                group.create_task(self._take_place(end, pause=seconds * _STAGGER * place / PEOPLE))
        self._sample()

    async def _take_place(self, end: float, pause: float) -> None:
        await asyncio.sleep(pause)
        while perf_counter() < end:
            name = f"user-{next(self._numbers):06}"
            try:
                await register(self.system.services.store, [name])
                await Person(self.system, name, self.latencies).work(self.questions)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is counted, and the others go on
                self.failures.append(f"{type(error).__name__}: {error}")
            self.sessions += 1

    async def _watch(self, end: float, interval: float) -> None:
        while perf_counter() < end:
            await asyncio.sleep(interval)
            self._sample()

    def _sample(self) -> None:
        store, times = self.system.services.store, self.latencies.all
        self.samples.append(
            Sample(
                seconds=perf_counter() - self._began,
                sessions=self.sessions,
                actions=len(times),
                errors=len(self.failures) - self._sampled_failures,
                resident=resident("VmRSS"),
                descriptors=open_descriptors(),
                threads=threads(),
                tasks=len(asyncio.all_tasks()),
                wal=_size(self.file.with_name(f"{self.file.name}-wal")),
                database=_size(self.file),
                cached=store.cache.total().bytes,
                **asdict(Percentiles.of(times)),
            )
        )
        self._sampled_failures = len(self.failures)
        self.latencies.clear()


def open_descriptors() -> int:
    """The file descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    """The threads of this process, those that Python knows nothing of too."""
    return len(os.listdir("/proc/self/task"))


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


async def fill_page_caches(store: Store) -> None:
    """Write and read more than SQLite keeps in memory for the writer and for each of the readers."""
    # Over 1,000 bytes, from where on each takes a page of its own.
    pages = [NewMessage("user", f"{number} " + "lent and brought back " * 46) for number in range(300)]
    for place in range(_OTHERS):
        async with store.begin() as unit:
            await unit.projects.create("Archive", "others", project_id=f"archive-{place}")
            await unit.conversations.append_many(f"archive-{place}", pages)
    everybody = (store.conversations.search(f"archive-{place % _OTHERS}", "not there") for place in range(4 * _OTHERS))
    await asyncio.gather(*everybody)


@asynccontextmanager
async def opened_anew(url: str) -> AsyncIterator[tuple[Orchestrator, Path]]:
    """A system whose caches have little room, on an empty database, whose file comes with it; both are removed."""
    caches = CacheConfig(max_cache_size_mb=_CACHE_MEGABYTES)
    with tempfile.TemporaryDirectory(prefix="socrates-soak-") as name:
        directory = Path(name)
        file = fresh_file(directory)
        async with opened(file, directory, url, cache_config=caches) as system:
            yield system, file


async def soak(seconds: float, interval: float, questions: int = QUESTIONS) -> Outcome:
    """Soak for so many seconds."""
    with served_apart(seed=50) as url:
        async with opened_anew(url):
            pass  # libraries open something of their own when they are first used, and keep it
        before = open_descriptors()
        async with opened_anew(url) as (system, file):
            await fill_page_caches(system.services.store)
            soaked = Soak(system, file, questions)
            await soaked.run(seconds, interval)
        return Outcome(soaked.samples, soaked.sessions, soaked.failures, open_descriptors() - before)


def write_samples(samples: Sequence[Sample], findings: Sequence[Finding], path: Path) -> None:
    """Write what was seen and what was found as one JSON object."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = [asdict(finding) | {"holds": finding.holds} for finding in findings]
    text = json.dumps({"findings": found, "samples": [asdict(sample) for sample in samples]}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print them as a table."""
    table = Table("quantity", "most", "at most", "growth a session", "at most", "in all", "if over", "holds")
    for finding in findings:
        bound = finding.bound
        table.add_row(
            finding.quantity,
            f"{finding.most:,.6g}",
            "" if bound.most is None else f"{bound.most:,.6g}",
            f"{finding.growth:,.3g}",
            "" if bound.growth is None else f"{bound.growth:,.3g}",
            f"{finding.rise:,.3g}",
            "" if bound.growth is None else f"{bound.slack:,.6g}",
            "yes" if finding.holds else "no",
        )
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 when something broke its bound."""
    parser = argparse.ArgumentParser(description="Fifty people at work, and what that does to the process.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--report", type=Path, default=REPORT, help="where the samples go as JSON")
    parser.add_argument("--questions", type=int, default=QUESTIONS, help="that everybody is asked in a session")
    chosen = parser.parse_args(arguments)
    seconds = chosen.minutes * 60
    soaked = asyncio.run(soak(seconds, max(0.5, seconds / _SAMPLES), chosen.questions))
    findings = soaked.findings()
    write_samples(soaked.samples, findings, chosen.report)
    console = Console(width=120)
    console.print(f"{soaked.sessions} sessions of {PEOPLE} people at once. Samples: {chosen.report}")
    print_findings(findings, console)
    for failure in soaked.failures[:10]:
        console.print(failure)
    return 0 if all(finding.holds for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
