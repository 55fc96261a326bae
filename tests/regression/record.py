"""Shows how the scenarios differ from their baseline, and records them.

    python -m tests.regression.record [NAME ...] [--write]

Without names all of them. With `--write` the baseline of just these becomes what happens now. The exit status is 1
where something differs and is not written, or a scenario cannot be played to its end; 2 for a name that there is not.
"""

import asyncio
import logging
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from pathlib import Path
from traceback import format_exception

from tests.regression import baseline
from tests.regression.plain import Json
from tests.regression.scenarios import SCENARIOS

ABSENT: Json = None
"""What stands for a scenario on the side that does not have it."""


def main(arguments: Sequence[str], file: Path = baseline.FILE) -> int:
    """Do what the arguments say; the exit status."""
    parser = ArgumentParser("python -m tests.regression.record", description="Compare scenarios with their baseline.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a scenario; by default all of them")
    parser.add_argument("--write", action="store_true", help="record what happens now")
    chosen = parser.parse_args(arguments)
    recorded = baseline.load(file) if file.exists() else {}
    there = SCENARIOS.keys() | recorded.keys()
    if unknown := sorted(set(chosen.names) - there):
        parser.error(f"there is no scenario {', '.join(unknown)}; there are {', '.join(sorted(there))}")
    now, broken = asyncio.run(_played(dict.fromkeys(chosen.names or sorted(there))))
    differing = _shown(recorded, now)
    if differing and chosen.write:
        baseline.save({name: value for name, value in (recorded | now).items() if value is not ABSENT}, file)
    _sum_up(len(now) + len(broken), len(differing), len(broken), is_written=chosen.write)
    return 1 if broken or (differing and not chosen.write) else 0


async def _played(names: Iterable[str]) -> tuple[dict[str, Json], list[str]]:
    """What is seen of each, and which of them cannot be played to their end: why is shown."""
    now: dict[str, Json] = {}
    broken = []
    for name in names:
        try:
            now[name] = await SCENARIOS[name].play() if name in SCENARIOS else ABSENT
        except Exception as error:  # noqa: BLE001 - whatever a change has broken, the other scenarios are shown too
            broken.append(name)
            sys.stdout.write(f"{name} cannot be played to its end:\n{''.join(format_exception(error, limit=-4))}")
    return now, broken


def _shown(recorded: dict[str, Json], now: dict[str, Json]) -> list[str]:
    """Show the differences; the names of what differs."""
    differences = {name: baseline.difference(name, recorded.get(name, ABSENT), value) for name, value in now.items()}
    sys.stdout.writelines(f"{difference}\n" for difference in differences.values() if difference)
    return [name for name, difference in differences.items() if difference]


def _sum_up(played: int, differing: int, broken: int, *, is_written: bool) -> None:
    told = [f"scenarios: {played}", f"differing: {differing}"]
    if broken:
        told.append(f"broken: {broken}")
    if differing:
        told.append("recorded" if is_written else "not recorded: --write does")
    sys.stdout.write(f"{', '.join(told)}\n")


if __name__ == "__main__":
    # Failures that scenarios cause are seen in their answers.
    logging.getLogger("socrates").setLevel(logging.CRITICAL)
    raise SystemExit(main(sys.argv[1:]))
