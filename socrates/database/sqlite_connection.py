"""What every SQLite connection is set to, and the functions it knows besides SQLite's own.

All of it happens while the connection is made, in its own thread: a pragma set later would cost a crossing each.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, Literal

Role = Literal["writer", "reader"]

ONE_HOP_BUSY_MS = 100
"""How long SQLite itself waits for another process, in milliseconds. Short, because nothing can cancel that wait; our
driver tries again in the event loop, up to the setting `lock_timeout`."""

BOTH = (
    # Off by default in SQLite, per connection; deletes rely on ON DELETE CASCADE.
    "PRAGMA foreign_keys = ON",
    # Sorting a list must not touch the disk.
    "PRAGMA temp_store = MEMORY",
    # A file that somebody else prepared must not make this connection run code of its triggers and views.
    "PRAGMA trusted_schema = OFF",
)
# Rejected: mmap_size. It saved nothing measurable on these small reads, and counts as resident memory.

WRITER = (
    # After a large transaction the -wal file is cut back to this (64 MB) instead of staying large for ever.
    "PRAGMA journal_size_limit = 67108864",
    # 8 MB: a long append touches few pages, an import many.
    "PRAGMA cache_size = -8000",
)

READER = (
    # mode=ro refuses writes to this file already; this also refuses them to an attached one.
    "PRAGMA query_only = ON",
    # 2 MB each, ten of them.
    "PRAGMA cache_size = -2000",
)


class OurConnection(sqlite3.Connection):
    """A connection that tells of its commits, and closes whatever is still being read."""

    after_commit: Callable[[sqlite3.Connection], None] | None = None
    """Called with the connection after each commit, in the connection's own thread. It must not raise."""

    def commit(self) -> None:
        super().commit()
        if self.after_commit is not None:
            self.after_commit(self)

    def close(self) -> None:
        # A cursor that is still being read keeps SQLite from ending the transaction when its connection is closed,
        # and the traceback of a cancelled task keeps such cursors of the stock driver.
        with suppress(sqlite3.Error):  # it may be closed already, and closing rolls back what it can as well
            self.rollback()
        super().close()


def connection_class(role: Role, synchronous: str) -> type[OurConnection]:
    """A class for `sqlite3.connect(factory=…)` whose connections are ready to use.

    `synchronous` NORMAL means that in WAL mode a commit does not wait for the disk: a crash of the program loses
    nothing, a power cut may lose the last commits but never tears one. FULL waits.
    """
    pragmas = (*BOTH, f"PRAGMA synchronous = {synchronous}", *WRITER) if role == "writer" else (*BOTH, *READER)

    class Connection(OurConnection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            for pragma in pragmas:
                self.execute(pragma).close()
            self.create_function("contains_folded", 2, _contains_folded, deterministic=True)
            self.create_aggregate("decimal_sum", 1, _DecimalSum)  # type: ignore[arg-type]

    return Connection


def _contains_folded(text: object, needle: str) -> bool:
    """Whether `text` contains `needle`, which is case-folded already. SQLite's own LIKE knows only ASCII's cases."""
    return isinstance(text, str) and needle in text.casefold()


_EXACT = Context(prec=1000, traps=[Inexact, InvalidOperation])


class _DecimalSum:
    """The exact sum of Decimals that are stored as text; NULL for no rows, "0" for NULLs only.

    SQLite's own sum would go through floats.

    A sum of more than 1,000 digits fails instead of being rounded.
    """

    def __init__(self) -> None:
        self._sum = Decimal(0)

    def step(self, value: str | None) -> None:
        if value is not None:
            self._sum = _EXACT.add(self._sum, Decimal(value))

    def finalize(self) -> str:
        return str(self._sum)
