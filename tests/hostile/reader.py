"""Reads hostile blobs as the import does, under watch: `python -m tests.hostile.reader`.

On its input: blobs, each after a line of JSON with its table and its length. On its output: a line of JSON for each,
the fields of `campaign.Account`. Each is read in a fork of its own, so that no blob profits from, or pays for, the
memory that another has left.
"""

import gc
import io
import json
import os
import pickle
import resource
import signal
import sys
import time
import traceback
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from socrates.errors import DamagedRecordError
from socrates.v1.importer import convert
from socrates.v1.reader import SourceRow
from socrates.v1.shapes import V1_TABLES
from socrates.v1.times import Zone
from socrates.v1.unpickling import load
from tests.hostile.mutator import samples

ADDRESS_SPACE = 6 * 1024**3
LONGEST_SECONDS = 60
ALLOWED = {
    ("datetime", "datetime"): datetime,
    ("datetime", "timedelta"): timedelta,
    ("datetime", "timezone"): timezone,
    ("decimal", "Decimal"): Decimal,
}
_WATCHED = ("import", "exec", "compile", "open", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "marshal.")
_COLUMNS = {"created_at": "2025-03-01T09:00:00", "updated_at": "2025-03-02T09:00:00", "cost": 0.5}


class Watch:
    """Remembers what the interpreter did, while it is on."""

    def __init__(self) -> None:
        self.is_on = False
        self.events: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if event.startswith(_WATCHED) or (event == "pickle.find_class" and arguments not in ALLOWED):
            self.events.append(f"{event} {str(arguments)[:200]}")


class Independent(pickle.Unpickler):
    """A second reading of what the first accepted, without any of its code."""

    def find_class(self, module: str, name: str) -> Any:
        return ALLOWED[module, name]


def row_of(table: str, blob: bytes) -> SourceRow:
    """A row as v1 would have written it around `blob`."""
    values = {column: _COLUMNS.get(column, f"{column}-1") for column in V1_TABLES[table].columns}
    return SourceRow(table, values | {"data": blob})


def read(table: str, blob: bytes, watch: Watch) -> dict[str, Any]:
    """Convert one blob, and give account of it."""
    row, zone = row_of(table, blob), Zone("UTC")
    reason, trace = "", ""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began = _memory("VmRSS"), time.process_time()
    watch.is_on = True
    try:
        convert(row, zone)
        outcome = "read"
    except DamagedRecordError as error:
        outcome, reason = "damaged", str(error)
    except BaseException:  # noqa: BLE001 - whatever it is, it is told
        watch.is_on = False
        outcome, trace = "broken", traceback.format_exc()[-3000:]
    watch.is_on = False
    seconds = time.process_time() - began
    account = {"outcome": outcome, "reason": reason, "seconds": seconds, "peak": _memory("VmHWM") - before}
    equal = repr(load(blob)) == repr(Independent(io.BytesIO(blob)).load()) if outcome == "read" else None
    return account | {"trace": trace, "events": watch.events, "equal": equal}


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def _read_in_fork(table: str, blob: bytes, watch: Watch) -> None:
    child = os.fork()
    if child == 0:
        signal.alarm(LONGEST_SECONDS)  # should nobody be left to kill it
        try:
            answer = json.dumps(read(table, blob, watch))
        except BaseException:  # noqa: BLE001 - likewise
            answer = json.dumps({"outcome": "broken", "trace": traceback.format_exc()[-3000:]})
        print(answer, flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status != 0:
        print(json.dumps({"outcome": "broken", "trace": f"the process ended with {status}"}), flush=True)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    watch = Watch()
    gc.disable()  # as the import does
    for table, blob in dict(samples()).items():
        convert(row_of(table, blob), Zone("UTC"))  # what is imported on first use is not the blobs' doing
    gc.freeze()
    while header := sys.stdin.buffer.readline():
        table, length = json.loads(header)
        _read_in_fork(table, sys.stdin.buffer.read(length), watch)


if __name__ == "__main__":
    main()
