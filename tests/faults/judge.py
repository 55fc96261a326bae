"""Says what an operation left behind, and whether it may be: the old content or the new one, never anything between.

Contents are read in a copy, so that what lies there stays as it was for the operation to be run on again.

What cannot be seen here is a loss of power: after a kill the system still has every byte that was written, synced or
not. That the order of writes and syncs is right is SQLite's own business; of the backup, test_syncs.py sees to it.
"""

import hashlib
import json
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from tests.concurrency.checks import LONG
from tests.faults.operations import DATABASE
from tests.faults.trial import Outcome, Stage, was_killed
from tests.faults.victim import UNCAUGHT_INTERRUPT

State = Literal["old", "new"]
Content = dict[str, str]
"""By the name of a table, or of what else the schema holds: a digest of its declaration and its rows."""

_COMPANIONS = tuple(f"{DATABASE}-{what}" for what in ("journal", "wal", "shm"))
_STAMP = r"\d{8}T\d{6}Z(_\d+)?"
_BACKUP = re.compile(re.escape(DATABASE) + rf"\.(backup|replaced)_{_STAMP}")
"""A finished copy of the old content."""
_UNFINISHED = re.compile(
    re.escape(DATABASE) + rf"\.(backup|replaced|new)_{_STAMP}(\.restoring)?(\.partial)?(-journal|-wal|-shm)?"
)
_WAL = b"\x02"
_SALVAGING = re.compile(re.escape(DATABASE) + r"\.salvaging_\w+")
"""A directory in which a damaged file is carried over into a new one."""
_SWALLOWED = re.compile(
    r"^Exception ignored in: .*\nTraceback \(most recent call last\):\n(?:(?: .*)?\n)*KeyboardInterrupt:? ?\n",
    re.MULTILINE,
)
"""What Python prints of a Ctrl-C that it dropped, for it came within a finalizer. No program ever sees that one."""
_LOCK = f"{DATABASE}.lock"
"""An empty file that orders processes; it stays for the next."""
DONE, REFUSED, INTERRUPTED = 0, 2, 130


class Judge:
    """Knows what an operation finds and what it should leave, by an undisturbed run."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        stage.reset()
        self.old = self._content(DATABASE)
        outcome = stage.run()
        assert outcome.status == DONE, outcome
        self.new = self._content(DATABASE)
        self.seconds = outcome.seconds
        """What an undisturbed run takes."""
        assert self._look(outcome) == "new"
        self._largest = max(path.stat().st_size for path in stage.directory.iterdir())

    def sizes(self, few: int, many: int) -> list[int]:
        """Sizes that files reach while the operation runs, as limits to hold them to."""
        count = many if LONG else few
        return [int(self._largest * ((number + 0.5) / count) ** 2) for number in range(count)]  # more of the small ones

    def judge(self, outcome: Outcome, *, may_be_untidy: bool = False, may_break_into_python: bool = False) -> State:
        """Which content is there after `outcome`. Raises AssertionError when something is there that may not be.

        Then the operation is run again, and has to succeed. `may_be_untidy`: copies may lie there, for they could not
        be removed, if that was said; and a journal that SQLite is to roll back. `may_break_into_python`: it may be
        interrupted while Python itself makes or removes a temporary directory, which is there then.
        """
        assert not outcome.hung, outcome
        outcome = replace(outcome, err=_SWALLOWED.sub("", outcome.err))
        state = self._look(outcome, may_be_untidy, may_break_into_python)
        if not self.stage.is_untouched():  # else that run would be the undisturbed one
            again = self.stage.run_on()
            expected = self.stage.operation.status_again if state == "new" and self.old != self.new else DONE
            assert again.status == expected, (outcome, again)
            assert self._content(DATABASE) == self.new, (outcome, again)
            self._assert_backups_hold((self.old, self.new) if state == "new" else (self.old,))
        return state

    def _look(self, outcome: Outcome, may_be_untidy: bool = False, may_break_into_python: bool = False) -> State:
        state = self._state(outcome)
        found = self._assert_backups_hold((self.old,))
        if state == "new" and self.stage.operation.backs_up:
            assert found, "it is done, and there is no backup"
        for name, content in self.stage.start.items():
            if name != DATABASE and name not in _COMPANIONS:
                assert (self.stage.directory / name).read_bytes() == content, f"{name} was changed"
        if was_killed(outcome):
            self._assert_only_what_a_kill_leaves()
        else:
            self._assert_truth_was_told(outcome, state, may_be_untidy)
            assert may_break_into_python or list(self.stage.temporary.iterdir()) == [], outcome
        return state

    def _state(self, outcome: Outcome) -> State:
        content = self.old if self.stage.is_untouched() else self._content(DATABASE)
        if content == self.new and (content != self.old or outcome.status == DONE):
            return "new"
        differing = {name for name in content.keys() | self.old.keys() if content.get(name) != self.old.get(name)}
        assert not differing, f"neither the old content nor the new one: {differing}, {outcome}"
        return "old"

    def _assert_backups_hold(self, permitted: tuple[Content, ...]) -> list[str]:
        found = self._backups()
        for name in found:
            assert self._content(name) in permitted, f"{name} does not hold the old content"
        return found

    def _assert_only_what_a_kill_leaves(self) -> None:
        for name in self._added():
            known = name in (DATABASE, _LOCK, *_COMPANIONS)
            assert known or _UNFINISHED.fullmatch(name) or _SALVAGING.fullmatch(name), f"{name} was left"

    def _assert_truth_was_told(self, outcome: Outcome, state: State, may_be_untidy: bool) -> None:
        said = outcome.out + outcome.err
        nothing = "nothing was changed" in said.lower()
        assert not re.search(r"\b(Traceback|None)\b", said) or outcome.status == UNCAUGHT_INTERRUPT, outcome
        match outcome.status:
            case 0:
                assert state == "new", outcome
                assert outcome.err == "", outcome
            case 1:
                assert state == "new", outcome
                assert self.stage.operation.may_remain, outcome
            case 2:
                assert state == "old", outcome
                assert may_be_untidy or self._mode() == self._mode_before(), outcome
                assert outcome.err.startswith("error: "), outcome
            case 130 if outcome.err:
                is_old = nothing or "could not be proven" in said
                assert state == ("old" if is_old else "new") or self.old == self.new, outcome
                assert outcome.err.startswith("interrupted: "), outcome
            case _:  # a Ctrl-C before it had begun, or when all was done and said
                assert outcome.status in {UNCAUGHT_INTERRUPT, INTERRUPTED}, outcome
                assert state == "old" or outcome.out, outcome
        unsaid = {name for name in self._added() - {DATABASE, _LOCK, *self._log()} if name not in said}
        if self.old == self.new:
            unsaid -= set(self._backups())  # to make a copy was all there was to do
        if may_be_untidy:
            unsaid.discard(f"{DATABASE}-journal")
        assert not unsaid, f"nothing was said of {unsaid}: {outcome}"
        if nothing and outcome.status != DONE and self.old != self.new and not may_be_untidy:
            assert not self._backups(), f"{self._backups()} was left: {outcome}"

    def _log(self) -> tuple[str, ...]:
        """What may lie beside a file in WAL mode."""
        return _COMPANIONS[1:] if self._mode_before() == _WAL else ()

    def _mode_before(self) -> bytes:
        """The journal mode, as the header of a database has it."""
        return self.stage.start.get(DATABASE, b"")[18:19]

    def _mode(self) -> bytes:
        return self.stage.files().get(DATABASE, b"")[18:19]

    def _added(self) -> set[str]:
        return {path.name for path in self.stage.directory.iterdir()} - self.stage.start.keys()

    def _backups(self) -> list[str]:
        return [name for name in self._added() if _BACKUP.fullmatch(name)]

    def _content(self, name: str) -> Content:
        """What a file of the stage holds once SQLite has recovered it; nothing if it isn't there."""
        copies = self.stage.root / "copies"
        shutil.rmtree(copies, ignore_errors=True)
        copies.mkdir()
        for companion in (name, f"{name}-journal", f"{name}-wal"):
            if (self.stage.directory / companion).exists():
                shutil.copyfile(self.stage.directory / companion, copies / companion)
        return content_of(copies / name)


def content_of(path: Path) -> Content:
    """What a database holds, for comparison: without times of the run and what was remarked on its circumstances.

    Of a damaged one, that it is, and every byte.
    """
    if not path.exists():
        return {}
    with closing(sqlite3.connect(path)) as connection:
        if not _is_sound(connection):
            return {"damaged": hashlib.sha256(path.read_bytes()).hexdigest()}
        schema = connection.execute("SELECT name, type, tbl_name, sql FROM sqlite_master").fetchall()
        if any(name == "alembic_version" for name, *_ in schema):
            broken = {table for table, *_ in connection.execute("PRAGMA foreign_key_check")}
            assert all(table.endswith("_v1_backup") for table in broken), broken  # v1 did not enforce its own
        return {name: _digest(connection, name, rest) for name, *rest in schema}


def _is_sound(connection: sqlite3.Connection) -> bool:
    try:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    except sqlite3.DatabaseError:
        return False


def _digest(connection: sqlite3.Connection, name: str, declaration: list[Any]) -> str:
    found = hashlib.sha256(repr(declaration).encode())
    if declaration[0] == "table":
        columns = [column for _, column, *_ in connection.execute(f'PRAGMA table_info("{name}")')]
        names = ", ".join(f'"{column}"' for column in columns)
        for row in connection.execute(f'SELECT {names} FROM "{name}" ORDER BY {names}'):
            found.update(repr([_lasting(name, *cell) for cell in zip(columns, row, strict=True)]).encode())
    return found.hexdigest()


def _lasting(table: str, column: str, value: object) -> object:
    """A value, without what differs from one run to the next."""
    ours = table.startswith("v1_") and not table.endswith("_v1_backup")
    if ours and column.endswith("_at"):
        return value is None
    if ours and column == "report" and isinstance(value, str):
        return {key: part for key, part in json.loads(value).items() if key not in {"seconds", "remarks"}}
    return value
