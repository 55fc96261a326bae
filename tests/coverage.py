"""Tells how much of the code a run of the tests has reached, and fails where that is too little.

    python -m tests.coverage build/coverage.json --at-least 90

reads what slipcover has written. Lines and branches count alike, as coverage.py has it. Slipcover's own table has a
line for each of some hundred modules, and its own limit forgets what the workers of pytest-xdist have measured.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LEAST_REACHED = 10
"""Modules that are shown."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the total and the modules that are reached least; 1 when the total is below what is asked."""
    parser = ArgumentParser("python -m tests.coverage", description="Tell how much of the code the tests have reached.")
    parser.add_argument("report", type=Path)
    parser.add_argument("--at-least", type=float, default=0, help="percent of lines and branches")
    chosen = parser.parse_args(arguments)
    measured = json.loads(chosen.report.read_text(encoding="utf-8"))
    for name, percent in least_reached(measured["files"]):
        sys.stdout.write(f"{percent:6.1f} %  {name}\n")
    total = measured["summary"]
    lines, branches = (total[f"covered_{what}"] for what in ("lines", "branches"))
    of_lines, of_branches = lines + total["missing_lines"], branches + total["missing_branches"]
    percent = 100 * (lines + branches) / (of_lines + of_branches)
    of_which = f"{lines:,} of {of_lines:,} lines, {branches:,} of {of_branches:,} branches"
    sys.stdout.write(f"Reached by the tests: {percent:.1f} % ({of_which})\n")
    if percent >= chosen.at_least:
        return 0
    sys.stdout.write(f"That is less than {chosen.at_least:g} %.\n")
    return 1


def least_reached(files: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The modules of which the smallest share is reached, and that in percent."""
    shares = ((name, float(found["summary"]["percent_covered"])) for name, found in files.items())
    return sorted(shares, key=lambda each: each[1])[:LEAST_REACHED]


if __name__ == "__main__":
    raise SystemExit(main())
