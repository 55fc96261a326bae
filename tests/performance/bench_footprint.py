"""What the package costs before it does anything."""

import subprocess
import sys
from pathlib import Path
from time import perf_counter

from tests.performance.compare import Times, Versus
from tests.performance.targets import ShareUpTo, Under
from tests.performance.test_footprint import WORK
from tests.support.stores import fresh_file

STARTS, QUICK_STARTS = 15, 2

MEMORY = 100_000_000
"""Bytes that the data layer may take."""

IMPORT = "import time; began = time.perf_counter(); import socrates; print(time.perf_counter() - began)"


def test_import(versus: Versus, quick: bool) -> None:
    """In a new Python each time; the interpreter's own start is not counted."""
    times = sorted(float(started(IMPORT)) for _ in range(QUICK_STARTS if quick else STARTS))
    median = times[len(times) // 2]
    spread = (times[-1] - times[0]) / median
    versus.figures("import-socrates", "import socrates", median, None, Under(0.1), n=len(times), spread=spread)
    versus.measured_elsewhere()


def test_memory(versus: Versus, tmp_path: Path, quick: bool) -> None:
    """The peak of a new Python that has all readers at work."""
    began = perf_counter()
    runs = range(QUICK_STARTS if quick else 5)
    peaks = [1024 * int(started(WORK, str(fresh_file(tmp_path, f"{number}.db")))) for number in runs]
    versus.share(
        id="memory",
        what=f"peak resident memory of the data layer at work, as a share of {MEMORY / 1e6:.0f} MB",
        share=max(peaks) / MEMORY,
        ours=Times([(perf_counter() - began) / len(peaks)]),
        baseline=None,
        target=ShareUpTo(1),
        counts={"bytes at the peak": max(peaks)},
    )
    versus.measured_elsewhere()


def started(program: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    ).stdout
