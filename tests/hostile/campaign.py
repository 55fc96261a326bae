"""Sends hostile blobs to a reader and judges what came of them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Timer
from types import TracebackType
from typing import Self

from tests.support.migrate import REPOSITORY

HANG_SECONDS = 30
MEMORY_BASE = 64 * 2**20
# Pages of the interpreter that a fork touches first, and the blocks that malloc takes from the system at a time.
ALLOCATOR_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Account:
    """What reading one blob did: `seconds` of the processor, `peak` bytes, `equal` to a second reading if read."""

    outcome: str
    reason: str = ""
    seconds: float = 0
    peak: int = 0
    trace: str = ""
    events: list[str] = field(default_factory=list)
    equal: bool | None = None

    def faults(self, size: int) -> list[str]:
        """What must not be, for a blob of `size` bytes."""
        found = self.costs(size)
        if self.outcome == "broken":
            found.append(self.trace)
        if self.outcome == "damaged" and not (self.reason and self.reason.isprintable()):
            found.append(f"the reason is {self.reason!r}")
        if self.outcome == "read" and self.equal is not True:
            found.append("was read wrongly")
        return found + [f"did {event}" for event in self.events]

    def costs(self, size: int) -> list[str]:
        """Which bounds it passed."""
        found = []
        if self.seconds > 1 + size / 1e7:
            found.append(f"took {self.seconds:.2f} s where {1 + size / 1e7:.2f} are allowed")
        most = MEMORY_BASE + 8 * size + ALLOCATOR_BYTES
        if self.peak > most:
            found.append(f"took {self.peak / 2**20:.0f} MB where {most / 2**20:.0f} are allowed")
        return found


class Reader:
    """A process of `tests.hostile.reader`, started anew after a blob that made it hang."""

    def __init__(self) -> None:
        self._process = self._started()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()
        self._process.communicate()

    def read(self, table: str, blob: bytes) -> Account:
        """Have one blob read. One that takes more than HANG_SECONDS is broken."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        timer = Timer(HANG_SECONDS, self._kill)
        timer.start()
        try:
            stdin.write(json.dumps([table, len(blob)]).encode() + b"\n" + blob)
            stdin.flush()
            line = stdout.readline()
        finally:
            timer.cancel()
        if line:
            return Account(**json.loads(line))
        self._kill()
        self._process.communicate()
        self._process = self._started()
        return Account("broken", trace=f"was killed after {HANG_SECONDS} s")

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.reader"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def _kill(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)


def offences(entries: Iterable[tuple[str, str, bytes]], must_be_damaged: bool = False) -> list[str]:
    """A line for each entry (name, table, blob) that does what none may do."""
    found = []
    with Reader() as reader:
        for name, table, blob in entries:
            account = reader.read(table, blob)
            if account.costs(len(blob)):
                account = reader.read(table, blob)  # the machine may have been busy; a bomb is one every time
            faults = account.faults(len(blob))
            if must_be_damaged and account.outcome == "read":
                faults.append("was read")
            found.extend(f"{name} ({table}, {len(blob)} bytes): {fault}" for fault in faults)
    return found
