"""Eight processes that write to one SQLite file at once: what is lost, and what a message takes beside one alone."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.performance.compare import Times, Versus
from tests.performance.peers.run import Answer, Process, started
from tests.performance.targets import NoTarget, ShareUpTo

PROCESSES = 8
EACH, QUICK_EACH = 100, 5
"""Messages that each process appends in a round."""
ROUNDS, QUICK_ROUNDS = 9, 2
OURS = [sys.executable, "-m", "tests.performance.peers.ours"]


def test_processes(versus: Versus, tmp_path: Path, quick: bool) -> None:
    each, rounds = (QUICK_EACH, QUICK_ROUNDS) if quick else (EACH, ROUNDS)
    lost = wanted = 0
    alone: list[float] = []
    together: list[float] = []
    with ExitStack() as stack:
        workers = [stack.enter_context(started(OURS)) for _ in range(PROCESSES)]
        for place, worker in enumerate(workers):
            assert worker.answer() == {"ready": True}
            asked = {"do": "start", "path": str(tmp_path / "shared.db"), "conversation": f"first-{place}"}
            assert "error" not in worker.ask(asked)
        for number in range(rounds):
            (by_one,) = _append(workers[:1], f"alone-{number}", each)
            alone.append(by_one["seconds"])
            by_all = _append(workers, f"together-{number}", each)
            together.append(max(answer.get("seconds", 0.0) for answer in by_all) / PROCESSES)
            wanted += PROCESSES * (each + 2)
            lost += sum(each + 2 - answer.get("kept", 0) for answer in by_all)
    what = f"{PROCESSES} processes append to one file at once"
    versus.row("processes", f"{what}: time for a message, beside one alone", Times(together), Times(alone), NoTarget())
    versus.share(
        id="processes-lost",
        what=f"{what}: share of {wanted:,} messages that are lost or refused",
        share=lost / wanted,
        ours=Times(together),
        baseline=Times(alone),
        target=ShareUpTo(0),
    )
    versus.measured_elsewhere()


def _append(workers: Sequence[Process], name: str, each: int) -> list[Answer]:
    """Have all of them append to conversations of their own, which have two messages by then."""
    for place, worker in enumerate(workers):
        worker.say({"do": "append", "conversation": f"{name}-{place}", "messages": 1, "times": each})
    return [worker.answer() for worker in workers]
