"""Has ours and each peer do the same work in turn, prints a table and writes a report.

python -m tests.performance.peers.run --peers PYTHON [--quick] [--report FILE]

Every side works in a process of its own, on a file of its own on the same disk. Rounds alternate; one process is at
work at a time but for the first start, which four processes of one side have together.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from tests.performance.peers.table import OURS, Figures, PeerRow, Round, as_json, print_peers, verdict
from tests.support.migrate import REPOSITORY

REPORT = REPOSITORY / "build" / "bench" / "peers.json"
ROUNDS, QUICK_ROUNDS = 15, 2
STARTS, QUICK_STARTS = 5, 1
TIMES, QUICK_TIMES = 20, 2
"""Calls in a round."""
LONG, COUNT = 1_000, 50
TASKS, EACH = 20, 10
PROCESSES = 4

Answer = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    rounds: int
    starts: int
    times: int


@dataclass(frozen=True)
class Work:
    """What all sides do for one row: the command for the n-th round, with names that were not used before."""

    id: str
    what: str
    asked: Callable[[int, Sizes], dict[str, Any]]


def _append(messages: int) -> Callable[[int, Sizes], dict[str, Any]]:
    return lambda number, sizes: {
        "do": "append",
        "conversation": f"append-{messages}-{number}",
        "messages": messages,
        "times": sizes.times,
    }


def _last(again: bool) -> Callable[[int, Sizes], dict[str, Any]]:
    return lambda number, sizes: {
        "do": "last",
        "conversation": f"last-{again}-{number}",
        "messages": LONG,
        "count": COUNT,
        "times": sizes.times,
        "again": again,
    }


def _tasks(conversations: int) -> Callable[[int, Sizes], dict[str, Any]]:
    return lambda number, _sizes: {
        "do": "tasks",
        "conversations": [f"tasks-{conversations}-{number}-{place}" for place in range(conversations)],
        "tasks": TASKS,
        "each": EACH,
    }


WORKS = [
    Work("append", f"append one message to {LONG:,}", _append(LONG)),
    Work("append-new", "append one message to a new conversation", _append(1)),
    Work("last", f"the last {COUNT} of {LONG:,} messages, read from the database", _last(again=False)),
    Work("last-again", f"the last {COUNT} of {LONG:,} messages, read again", _last(again=True)),
    Work("tasks-own", f"{TASKS} tasks append {EACH} each, to conversations of their own", _tasks(TASKS)),
    Work("tasks-shared", f"{TASKS} tasks append {EACH} each, to one conversation", _tasks(1)),
]


class WorkerEnded(Exception):
    """A worker's process ended without an answer."""


class Process:
    """A worker of a side, once it has told that it is ready."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
        )

    def say(self, asked: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Answer:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerEnded(f"{self._process.args} ended with status {self._process.wait()}")
        answer: Answer = json.loads(line)
        return answer

    def ask(self, asked: dict[str, Any]) -> Answer:
        self.say(asked)
        return self.answer()

    def end(self) -> None:
        """Have it end; after a while, make it."""
        try:
            self._process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


@contextmanager
def started(command: Sequence[str]) -> Iterator[Process]:
    process = Process(command)
    try:
        yield process
    finally:
        process.end()


def commands(peers: Path) -> dict[str, list[str]]:
    """How the worker of each side is started. Ours at the peers' `synchronous`, and at its own default."""

    def worker(python: str, name: str, *arguments: str) -> list[str]:
        return [python, "-m", f"tests.performance.peers.{name}", *arguments]

    return {
        OURS: worker(sys.executable, "ours", "FULL"),
        f"{OURS}, as it comes": worker(sys.executable, "ours"),
        "openai-agents SQLAlchemySession": worker(str(peers), "openai_sqlalchemy"),
        "openai-agents SQLiteSession": worker(str(peers), "openai_sqlite"),
        "LangGraph AsyncSqliteSaver": worker(str(peers), "langgraph_sqlite"),
    }


def measure(
    sides: Mapping[str, Sequence[str]],
    directory: Path,
    sizes: Sizes,
    done: Callable[[PeerRow], object] = lambda _row: None,
) -> tuple[list[PeerRow], dict[str, Any]]:
    """Return the rows, each of which `done` is told of as soon as it is there, and how each side was set."""
    rows = []
    with ExitStack() as stack:
        workers = {name: stack.enter_context(started(command)) for name, command in sides.items()}
        settings = {}
        for place, (name, worker) in enumerate(workers.items()):
            assert worker.answer() == {"ready": True}
            settings[name] = worker.ask({"do": "open", "path": str(directory / f"{place}.db")})["settings"]
        for work in WORKS:
            rows.append(_in_turn(work, workers, sizes))
            done(rows[-1])
        for worker in workers.values():
            worker.ask({"do": "close"})
    for row in _starts(sides, directory, sizes):
        rows.append(row)
        done(row)
    return rows, settings


def _in_turn(work: Work, workers: Mapping[str, Process], sizes: Sizes) -> PeerRow:
    """Every side's rounds, the first of which is a warm-up and does not count."""
    answers: dict[str, list[Answer]] = {name: [] for name in workers}
    for number in range(sizes.rounds + 1):
        for name, worker in workers.items():
            answers[name].append(worker.ask(work.asked(number, sizes)))
    return PeerRow(work.id, work.what, {name: figures_of(given[1:]) for name, given in answers.items()})


def figures_of(answers: Sequence[Answer]) -> Figures:
    """Make figures of what a worker answered."""
    done = [
        Round(each["seconds"], each["cpu"], each["kept"], each["wanted"]) for each in answers if "error" not in each
    ]
    return Figures(done, [each["error"] for each in answers if "error" in each])


def _starts(sides: Mapping[str, Sequence[str]], directory: Path, sizes: Sizes) -> list[PeerRow]:
    """The first start of several processes on one new file: opening alone, and with Python and all imports."""
    opening: dict[str, list[Answer]] = {name: [] for name in sides}
    whole: dict[str, list[Answer]] = {name: [] for name in sides}
    for number in range(sizes.starts):
        for place, (name, command) in enumerate(sides.items()):
            first, all_of_it = _start(command, directory / f"start-{number}-{place}.db")
            opening[name].append(first)
            whole[name].append(all_of_it)
    what = f"first start of {PROCESSES} processes on one new file, each storing a message"
    return [
        PeerRow("start", f"{what}: the slowest", {name: figures_of(given) for name, given in opening.items()}),
        PeerRow(
            "start-whole",
            f"{what}, with the start of Python and all imports",
            {name: figures_of(given) for name, given in whole.items()},
        ),
    ]


def _start(command: Sequence[str], path: Path) -> tuple[Answer, Answer]:
    began = perf_counter()
    with ExitStack() as stack:
        workers = [stack.enter_context(started(command)) for _ in range(PROCESSES)]
        for worker in workers:
            worker.answer()
        for place, worker in enumerate(workers):
            worker.say({"do": "start", "path": str(path), "conversation": f"start-{place}"})
        answers = [worker.answer() for worker in workers]
        seconds = perf_counter() - began
    together = slowest(answers)
    if "error" in together:
        return together, together
    return together, together | {"seconds": seconds, "cpu": sum(each["whole_cpu"] for each in answers)}


def slowest(answers: Sequence[Answer]) -> Answer:
    """What several processes did together: the longest time and all they computed, or the first error."""
    for each in answers:
        if "error" in each:
            return each
    return {
        "seconds": max(each["seconds"] for each in answers),
        "cpu": sum(each["cpu"] for each in answers),
        "kept": sum(each["kept"] for each in answers),
        "wanted": sum(each["wanted"] for each in answers),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, required=True, help="the Python that has the peers' packages")
    parser.add_argument("--quick", action="store_true", help="tiny numbers, to see that it runs")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each row (%(default)s)")
    parser.add_argument("--starts", type=int, default=STARTS, help="rounds of the first start (%(default)s)")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the figures go as JSON")
    given = parser.parse_args()
    sizes = Sizes(QUICK_ROUNDS, QUICK_STARTS, QUICK_TIMES) if given.quick else Sizes(given.rounds, given.starts, TIMES)
    given.report.parent.mkdir(parents=True, exist_ok=True)
    # Beside the report, and not where temporary files go: that may be memory, where no commit waits for a disk.
    with tempfile.TemporaryDirectory(dir=given.report.parent, prefix="peers-") as directory:
        rows, settings = measure(
            commands(given.peers), Path(directory), sizes, lambda row: print(row.id, verdict([row]), flush=True)
        )
    report = {"settings": settings, "rows": [as_json(row) for row in rows]}
    given.report.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print_peers(rows, settings, Console(width=170))
    print(f"Written to {given.report}")


if __name__ == "__main__":
    main()
