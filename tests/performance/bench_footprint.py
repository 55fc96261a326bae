"""What the package costs before it does anything."""

import subprocess
import sys

from tests.performance.compare import Versus
from tests.performance.targets import Under

STARTS, QUICK_STARTS = 15, 2

IMPORT = "import time; began = time.perf_counter(); import socrates; print(time.perf_counter() - began)"


def test_import(versus: Versus, quick: bool) -> None:
    """In a new Python each time; the interpreter's own start is not counted."""
    times = sorted(float(started(IMPORT)) for _ in range(QUICK_STARTS if quick else STARTS))
    median = times[len(times) // 2]
    spread = (times[-1] - times[0]) / median
    versus.figures("import-socrates", "import socrates", median, None, Under(0.1), n=len(times), spread=spread)
    versus.measure(lambda: None, rounds=1)  # pytest-benchmark wants a measurement of its own from every benchmark


def started(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
