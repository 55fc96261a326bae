"""Another process that does something with SQLite while a test goes on."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.migrate import REPOSITORY


class OtherProcess:
    """Runs a piece of Python that prints lines, and may wait for lines."""

    def __init__(self, code: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )

    def answer(self) -> str:
        """Wait for the next line that it prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the process ended with status {self.process.wait()}"
        return line.strip()

    def go_on(self) -> None:
        """What it waits for."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def rest(self) -> str:
        """Let it go on to its end, and return what it printed."""
        return self.process.communicate("\n")[0]


@contextmanager
def other_process(code: str, *arguments: object) -> Iterator[OtherProcess]:
    """Such a process, after its first line; killed at the end if it is still there."""
    running = OtherProcess(code, *arguments)
    try:
        running.answer()
        yield running
    finally:
        running.process.kill()
        running.process.communicate()


CAN_WRITE = """
import sqlite3, sys
try:
    connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    print(error)
else:
    print("yes")
"""


def can_write(path: Path) -> str:
    """Whether another process could write to a database now: yes, or SQLite's message."""
    done = subprocess.run([sys.executable, "-c", CAN_WRITE, path], capture_output=True, text=True, check=True)
    return done.stdout.strip()
