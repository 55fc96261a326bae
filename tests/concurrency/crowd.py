"""Worker processes, as a test sees them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.migrate import REPOSITORY


class Worker:
    """One process of `tests.concurrency.worker`. Its errors go to the test's own output."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.concurrency.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )

    def tell(self, do: str, database: Path | str, settings: dict[str, Any] | None = None, **arguments: Any) -> None:
        """Have it begin; don't wait. `database` is a file or a URL."""
        self._write(json.dumps({"do": do, "database": str(database), "settings": settings or {}, **arguments}))

    def go_on(self) -> None:
        """What `hold` waits for."""
        self._write("")

    def answer(self) -> dict[str, Any]:
        """Wait for its next line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the worker ended with status {self._process.wait()}"
        return dict(json.loads(line))

    def kill(self) -> list[dict[str, Any]]:
        """SIGKILL it; return what it has said and nobody has heard yet. A line may be cut short by the kill."""
        self._process.kill()
        assert self._process.stdout is not None
        rest = self._process.stdout.read()
        self.end()
        return [json.loads(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]

    def end(self) -> None:
        """Let it end, and wait for that."""
        with self._process:
            if self._process.stdin is not None:
                self._process.stdin.close()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


@contextmanager
def crowd(size: int) -> Iterator[list[Worker]]:
    """Several workers, all of them ready."""
    with ExitStack() as stack:
        workers = [Worker() for _ in range(size)]
        for worker in workers:
            stack.callback(worker.end)
        for worker in workers:
            assert worker.answer() == {"ready": True}
        yield workers
