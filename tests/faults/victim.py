"""A process in which operations run and are struck: `python -m tests.faults.victim`.

It has loaded everything when the first line of JSON arrives, and forks a child for each: that takes milliseconds where
starting Python takes a second. It must have no threads, therefore. What a child does, dies of or says becomes the
answer, a line of JSON too.
"""

import errno
import gc
import json
import os
import select
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from alembic.config import main as alembic

from socrates.cli.main import main as socrates
from tests.faults import moments as m
from tests.faults.disk import Disk, limit_file_size
from tests.faults.moments import Moment, Moments, watch
from tests.support.migrate import REPOSITORY
from tests.support.v1_files import V1File

PROGRAMS = {"alembic": alembic, "socrates": socrates}
UNCAUGHT_INTERRUPT = -signal.SIGINT  # as of a Python that ends by it
_HANGS_SECONDS = 120.0
_GLANCE_SECONDS = 0.0005


class Blow:
    """What is done to the operation, as the request says it, at the moment it names."""

    def __init__(self, request: dict[str, Any], directory: Path, answer: int) -> None:
        self._name: str = request.get("blow", "none")
        self._left: int = request.get("left", 0)
        self._answer = answer
        self.disk = Disk(Path(request.get("disk", directory))) if self._name == "fill" else None
        if "size" in request:
            limit_file_size(request["size"], deadly=self._name == "kill")

    def strike(self, moment: Moment) -> None:
        tell(self._answer, struck=moment)
        match self._name:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "interrupt":
                signal.raise_signal(signal.SIGINT)
            case "fail":
                raise _failure(moment)
            case "fill" if self.disk is not None:
                self.disk.fill(self._left)


def _failure(moment: Moment) -> Exception:
    kind, what = moment
    if kind == m.FILE and not what.startswith("sqlite3.connect"):
        return OSError(errno.EIO, os.strerror(errno.EIO), what)
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    error.sqlite_errorname = "SQLITE_IOERR"
    return error


def tell(answer: int, **said: Any) -> None:
    os.write(answer, json.dumps(said).encode() + b"\n")


def be_the_child(request: dict[str, Any], answer: int) -> None:
    directory = Path(request["directory"])
    tempfile.tempdir = request["temporary"]
    blow = Blow(request, directory, answer)
    moments = Moments(request["kinds"], request.get("at"), blow.strike, lasting=request.get("lasting", False))
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        watch(moments, directory, small_cache=request["small_cache"])
        try:
            status = _run(request["command"])
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # one from outside can come late
        except KeyboardInterrupt:
            status = UNCAUGHT_INTERRUPT
        finally:
            moments.stop()
    gc.collect()  # an interpreter that ends does so: what lies in cycles is closed
    if blow.disk is not None:
        blow.disk.give_back()
    reached = moments.reached if request.get("count") else []
    real = blow.disk is not None and blow.disk.is_real
    tell(answer, status=status, out=out.getvalue(), err=err.getvalue(), moments=reached, real_disk=real)


def _run(command: list[str]) -> int:
    program, *arguments = command
    sys.argv = [program, *arguments]
    status = 0
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        PROGRAMS[program]()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        traceback.print_exc()
        status = UNCAUGHT_INTERRUPT
    except Exception:  # noqa: BLE001 - the judge is told
        traceback.print_exc()
        status = 1
    return status


def warm_up() -> None:
    """Run in this process what the children will, so that they find everything loaded and prepared."""
    with tempfile.TemporaryDirectory() as directory, redirect_stdout(StringIO()):
        path = Path(directory) / "projects.db"
        with V1File(path) as v1:
            v1.add_project()
        for command in (("upgrade", "head"), ("downgrade", "base")):
            alembic(argv=["-c", str(REPOSITORY / "alembic.ini"), "-x", f"url={path}", *command])
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page


def answer_of(request: dict[str, Any]) -> dict[str, Any]:
    """Run the request in a child, strike it from outside if that is asked for, and gather what it says."""
    reading, writing = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # to the child until its program begins
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            be_the_child(request, writing)
            status = 0
        finally:
            os._exit(status)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.close(writing)
    said = _hear_out(reading, child, request)
    os.close(reading)
    _, wait_status = os.waitpid(child, 0)
    answer: dict[str, Any] = {"signal": os.WTERMSIG(wait_status) if os.WIFSIGNALED(wait_status) else None}
    for line in said.split(b"\n")[:-1]:  # a kill can cut the last line short
        answer = json.loads(line) | answer  # of several blows the first counts
    return answer


def _hear_out(reading: int, child: int, request: dict[str, Any]) -> bytes:
    said = b""
    began = time.monotonic()
    outside = Outside(request)
    while True:
        if select.select([reading], [], [], _GLANCE_SECONDS if outside.waits else _HANGS_SECONDS)[0]:
            part = os.read(reading, 65536)
            if not part:
                return said
            said += part
        elif time.monotonic() - began > _HANGS_SECONDS:
            os.kill(child, signal.SIGKILL)
            said += b'{"hung": true}\n'
        outside.look(child, time.monotonic() - began)


class Outside:
    """A blow from outside: a signal after so many seconds, or as soon as a file is seen to be changed."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._signal: int = request.get("signal", signal.SIGKILL)
        self._after: float | None = request.get("after")
        self._watched: str | None = request.get("when_changed")
        self._state = self._look_at_file()
        self.waits = self._after is not None or self._watched is not None

    def look(self, child: int, seconds: float) -> None:
        due = self._after is not None and seconds >= self._after
        if self.waits and (due or (self._watched is not None and self._look_at_file() != self._state)):
            os.kill(child, self._signal)  # it is there even when it has ended: nobody has waited for it yet
            self.waits = False

    def _look_at_file(self) -> tuple[int, int] | None:
        if self._watched is None or not os.path.exists(self._watched):
            return None
        status = os.stat(self._watched)
        return status.st_size, status.st_mtime_ns


def main() -> None:
    warm_up()
    assert threading.active_count() == 1
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer_of(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
