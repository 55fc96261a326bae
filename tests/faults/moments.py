"""The moments of an operation: counted in the process that runs it, and at one of them something is done to it.

SQLite's driver and Python's file operations are watched; the operation's own code is not touched. What happens inside
of one call of SQLite (the writes of a COMMIT, say) is no moment here: limits of file sizes and kills from outside
reach there.
"""

import inspect
import os
import sqlite3
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

CALL = "call"
"""Before a call of SQLite's driver. An exception can be raised from here."""
STATEMENT = "statement"
"""SQLite begins a statement, and each row of an `executemany`."""
TICK = "tick"
"""Inside of a statement, every so many steps of SQLite's virtual machine."""
STEP = "step"
"""Between two steps of a backup."""
FILE = "file"
"""Before an operation on a file or a directory."""
LINE = "line"
"""Before a line, or at a return, of the code that has to tidy up. An exception can be raised from here."""

KINDS = (CALL, STATEMENT, TICK, STEP, FILE, LINE)

_TICK_STEPS = 50
_STEP_PAGES = 4  # the operation asks for more; of a large file it would see as many steps
_SMALL_CACHE_PAGES = 10  # what is changed goes to the disk long before the commit, as with a large file
_TIDYING = ("backup", "exclusive", "files", "migration", "quarantine", "restore")
_LINES_OF = (
    "alembic/env.py",
    "socrates/cli/",
    "socrates/database/repair/kept_rows.py",
    *(f"socrates/v1/{name}.py" for name in _TIDYING),
)
_FILE_EVENTS = ("open", "os.", "shutil.", "sqlite3.connect")

Moment = tuple[str, str]
"""Its kind, and what is about to happen."""


class Moments:
    """Counts moments of some kinds, and calls `strike` at the one with the number `at` (from 0).

    `lasting`: at all those after it, too.
    """

    def __init__(
        self, kinds: Iterable[str], at: int | None, strike: Callable[[Moment], None], *, lasting: bool = False
    ) -> None:
        self.kinds = frozenset(kinds)
        self.reached: list[Moment] = []
        self._at = at
        self._strike = strike
        self._lasting = lasting
        self._counting = True

    def reach(self, kind: str, what: object) -> None:
        if not self._counting or kind not in self.kinds:
            return
        moment = (kind, str(what)[:100])
        number = len(self.reached)
        self.reached.append(moment)
        if self._at is not None and (number == self._at or (self._lasting and number > self._at)):
            self._strike(moment)

    def stop(self) -> None:
        """The operation has ended: what comes now is not its own."""
        self._counting = False
        sys.settrace(None)


def watch(moments: Moments, directory: Path, *, small_cache: bool) -> None:
    """Count what this process does from now on, by SQLite's driver and in `directory`. There is no way back."""
    _watch_sqlite(moments, small_cache)
    _watch_files(moments, directory)
    sys.settrace(_line_tracer(moments))


def _watch_sqlite(moments: Moments, small_cache: bool) -> None:
    connect = sqlite3.connect

    def watched_connect(*arguments: Any, factory: type[sqlite3.Connection] = sqlite3.Connection, **named: Any) -> Any:
        connection = connect(*arguments, factory=_watched(factory, moments, small_cache), **named)
        connection.set_trace_callback(lambda sql: moments.reach(STATEMENT, sql))
        connection.set_progress_handler(lambda: _tick(moments), _TICK_STEPS)
        return connection

    sqlite3.connect = sqlite3.dbapi2.connect = watched_connect  # type: ignore[assignment]


def _tick(moments: Moments) -> int:
    """What a progress handler returns: 1 ends the statement as interrupted."""
    try:
        moments.reach(TICK, "")
    except sqlite3.Error:
        return 1
    return 0


def _watched(base: type[sqlite3.Connection], moments: Moments, small_cache: bool) -> type[sqlite3.Connection]:
    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            moments.reach(CALL, sql)
            if small_cache and sql.startswith("PRAGMA cache_size"):
                sql = f"PRAGMA cache_size = {_SMALL_CACHE_PAGES}"
            return super().execute(sql, *parameters)

        def executemany(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            moments.reach(CALL, sql)
            return super().executemany(sql, *parameters)

        def executescript(self, sql: str) -> sqlite3.Cursor:
            moments.reach(CALL, sql)
            return super().executescript(sql)

    class Connection(base):  # type: ignore[misc, valid-type]
        def cursor(self, factory: type[sqlite3.Cursor] = Cursor) -> Any:
            return super().cursor(factory)

        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            return self.cursor().execute(*arguments)  # what a connection does itself, and with a cursor of its own

        def executemany(self, *arguments: Any) -> sqlite3.Cursor:
            return self.cursor().executemany(*arguments)

        def executescript(self, sql: str) -> sqlite3.Cursor:
            return self.cursor().executescript(sql)

        def commit(self) -> None:
            moments.reach(CALL, "commit()")  # rollback() is none: SQLite's cannot fail
            super().commit()

        def backup(self, target: sqlite3.Connection, *, progress: Any = None, **named: Any) -> None:
            def step(status: int, remaining: int, total: int) -> None:
                if remaining:  # otherwise it is finished, and could not fail any more
                    moments.reach(STEP, f"backup, {remaining} of {total} pages remain")
                if progress is not None:
                    progress(status, remaining, total)

            moments.reach(CALL, "backup()")
            super().backup(target, **(named | {"pages": _STEP_PAGES}), progress=step)

    return Connection


def _watch_files(moments: Moments, directory: Path) -> None:
    places = (os.fsencode(directory), os.fsencode(directory.resolve()))

    def is_here(path: object) -> bool:
        text = os.fsencode(path) if isinstance(path, str | bytes | os.PathLike) else b""
        return any(place in text for place in places)

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_FILE_EVENTS) and any(map(is_here, arguments[:2])):
            names = [os.path.basename(os.fsdecode(path)) for path in arguments[:2] if is_here(path)]
            moments.reach(FILE, f"{event} {' '.join(names)}")

    fsync = os.fsync

    def watched_fsync(handle: int) -> None:
        moments.reach(FILE, "fsync")  # the one of them that Python doesn't announce
        fsync(handle)

    os.fsync = watched_fsync  # type: ignore[assignment]
    sys.addaudithook(hear)


def _line_tracer(moments: Moments) -> Callable[[FrameType, str, Any], Any] | None:
    if LINE not in moments.kinds:
        return None

    def trace_line(frame: FrameType, event: str, _argument: Any) -> Any:
        # What is raised where a generator yields would leave it without its `finally`, as no Ctrl-C does.
        if event == "line" or (event == "return" and not frame.f_code.co_flags & inspect.CO_GENERATOR):
            moments.reach(LINE, f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno} {event}")
        return trace_line

    def trace_call(frame: FrameType, _event: str, _argument: Any) -> Any:
        code = frame.f_code
        if code.co_name != "<module>" and any(part in code.co_filename for part in _LINES_OF):
            return trace_line
        return None

    return trace_call
