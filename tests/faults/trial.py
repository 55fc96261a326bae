"""Runs an operation again and again from the same start, each time with another blow."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.concurrency.checks import LONG
from tests.faults.moments import KINDS, Moment
from tests.faults.operations import Operation
from tests.support.migrate import OBEY_PERMISSIONS, REPOSITORY

SEED = 20260401
ALL = sys.maxsize


@dataclass(frozen=True)
class Outcome:
    """How an operation ended. A killed one (`signal`) has no `status`, and nothing that it said is known."""

    signal: int | None
    status: int | None = None
    out: str = ""
    err: str = ""
    struck: tuple[str, str] | None = None
    """The moment at which it was, if it was."""
    moments: Sequence[Moment] = ()
    real_disk: bool = False
    hung: bool = False
    seconds: float = 0


class Victims:
    """The process that runs operations in children of its own."""

    def __enter__(self) -> Self:
        # Even the superuser is held to the permissions of files, as owners of files are.
        interpreter = [sys.executable, "-c", OBEY_PERMISSIONS, "-m", "tests.faults.victim"]
        self._process = subprocess.Popen(
            interpreter, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._answer() == {"ready": True}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def run(self, **request: Any) -> Outcome:
        """Run what `victim.py` is asked for, in its words."""
        assert self._process.stdin is not None
        began = time.monotonic()
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Outcome(**self._answer(), seconds=time.monotonic() - began)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


class Stage:
    """A directory for one operation, which every run finds in the same state."""

    def __init__(self, victims: Victims, operation: Operation, root: Path) -> None:
        self.operation = operation
        self.root = root
        self.directory = root / "work"
        self.temporary = root / "temporary"
        """Where the operation's temporary files go."""
        self.directory.mkdir()
        self.temporary.mkdir()
        operation.prepare(self.directory)
        self.start = self.files()
        self._victims = victims
        self._moments: Sequence[Moment] = ()

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.directory.iterdir()) if path.is_file()}

    def is_untouched(self) -> bool:
        """Whether all is, to the byte, as an operation finds it."""
        return self.files() == self.start and len(list(self.directory.iterdir())) == len(self.start)

    def reset(self) -> None:
        for place in (self.directory, self.temporary):  # what is killed leaves temporary directories in both
            shutil.rmtree(place)
            place.mkdir()
        for name, content in self.start.items():
            (self.directory / name).write_bytes(content)

    def run(self, **request: Any) -> Outcome:
        """Run the operation from the start."""
        self.reset()
        return self.run_on(**request)

    def run_on(self, **request: Any) -> Outcome:
        """Run the operation on what lies there."""
        asked = {
            "command": [word.replace("{directory}", str(self.directory)) for word in self.operation.command],
            "directory": str(self.directory),
            "temporary": str(self.temporary),
            "small_cache": self.operation.small_cache,
            "kinds": (),
        }
        return self._victims.run(**asked | request)

    def moments(self, kinds: Sequence[str]) -> Sequence[Moment]:
        """The moments of an undisturbed run, in the order in which one that counts these kinds meets them."""
        if not self._moments:
            outcome = self.run(kinds=KINDS, count=True)
            assert outcome.status == 0, outcome
            self._moments = outcome.moments
        return [moment for moment in self._moments if moment[0] in kinds]


def chosen(moments: Sequence[Moment], few: int, many: int, seed: int = SEED) -> list[int]:
    """`few` of the moments, or `many` in a long campaign: the first, the last, those at which things turn, and
    others from everywhere between."""
    wanted = min(many if LONG else few, len(moments))
    turning = [number for number, moment in enumerate(moments) if _turns(moment)][::-1]  # the commit comes late
    around = [number + by for number in turning for by in (0, 1, -1)]
    first = [number for number in (0, len(moments) - 1, *around) if 0 <= number < len(moments)]
    picked = list(dict.fromkeys(first))[: max(wanted - 3, wanted // 2)]
    rest = sorted(set(range(len(moments))) - set(picked))
    chance = random.Random(seed)
    missing = wanted - len(picked)
    for part in range(missing):  # one from each of as many equal parts
        low, high = part * len(rest) // missing, (part + 1) * len(rest) // missing
        picked.append(chance.choice(rest[low:high]))
    return sorted(picked)


def _turns(moment: Moment) -> bool:
    _, what = moment
    return any(word in what.lower() for word in ("commit", "rename", "remove"))


def was_killed(outcome: Outcome) -> bool:
    return outcome.signal in {signal.SIGKILL, signal.SIGXFSZ}
