"""Other processes with knowledge bases, and Chroma servers, as tests see them."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from tests.support.other_process import OtherProcess, other_process

_CHROMA = Path(sys.executable).with_name("chroma")

_CODE = "from tests.knowledge.worker import main; main()"


def worker(
    task: str, database: Path | str, place: Path | str, *arguments: object
) -> AbstractContextManager[OtherProcess]:
    """A process that is about to do a task of `tests.knowledge.worker`."""
    return other_process(_CODE, task, database, place, *arguments)


def heard(process: OtherProcess) -> dict[str, Any]:
    """Wait for what it says next."""
    return dict(json.loads(process.answer()))


def killed(process: OtherProcess) -> list[dict[str, Any]]:
    """SIGKILL it; return what it has said and nobody has heard yet. A line may be cut short by the kill."""
    process.process.kill()
    rest = process.process.communicate()[0]
    return [json.loads(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]


def _free_port() -> int:
    """A port that is free, and below those that the system gives out: Chroma takes a second or two until it has it.

    Processes that look at the same time look in different places.
    """
    first = 20_000 + os.getpid() % 1_500 * 8
    for port in range(first, first + 8):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise AssertionError("there is no free port")


class ChromaServer:
    """A Chroma server of one directory, on a free port of this machine."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start it, also again after `stop`, and wait until it answers."""
        self._process = subprocess.Popen(
            [_CHROMA, "run", "--path", self._directory, "--host", "127.0.0.1", "--port", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._directory,
        )
        for _ in range(600):
            assert self._process.poll() is None, f"the server ended with status {self._process.returncode}"
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the server does not answer")

    def stop(self) -> None:
        """SIGKILL it."""
        self._process.kill()
        self._process.wait()


@contextmanager
def chroma_server(directory: Path) -> Iterator[ChromaServer]:
    """Such a server, stopped at the end."""
    directory.mkdir()
    server = ChromaServer(directory)
    try:
        yield server
    finally:
        server.stop()
