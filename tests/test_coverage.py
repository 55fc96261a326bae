"""What is told of a run's coverage."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.coverage import LEAST_REACHED, main


def summary(covered: int, missing: int, branches: int = 0, missing_branches: int = 0) -> dict[str, Any]:
    reached, there = covered + branches, covered + missing + branches + missing_branches
    return {
        "covered_lines": covered,
        "missing_lines": missing,
        "covered_branches": branches,
        "missing_branches": missing_branches,
        "percent_covered": 100 * reached / there,
    }


def report(directory: Path, total: dict[str, Any], **files: dict[str, Any]) -> str:
    path = directory / "coverage.json"
    path.write_text(json.dumps({"files": {name: {"summary": each} for name, each in files.items()}, "summary": total}))
    return str(path)


@pytest.mark.parametrize(("asked", "status"), [("75", 0), ("75.1", 1)])
def test_lines_and_branches_are_held_to_what_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: str, status: int
) -> None:
    assert main([report(tmp_path, summary(80, 10, 10, 20)), "--at-least", asked]) == status
    told = capsys.readouterr().out
    assert "75.0 % (80 of 90 lines, 10 of 30 branches)" in told
    assert (f"less than {asked} %" in told) == bool(status)


def test_the_modules_that_are_reached_least_come_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {f"m{missing:02}": summary(100, missing) for missing in range(LEAST_REACHED + 5)}
    main([report(tmp_path, summary(1, 0), **files)])
    told = [line.split()[-1] for line in capsys.readouterr().out.splitlines() if "%  " in line]
    assert told == [f"m{missing:02}" for missing in range(LEAST_REACHED + 4, 4, -1)]
