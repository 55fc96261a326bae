"""`sync.Store`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from socrates import store
from socrates.config import Settings
from socrates.errors import SocratesError
from socrates.sync.blocking import Blocking, Opened
from socrates.sync.loop import LoopThread
from socrates.sync.units import Unit


class Store(Opened):
    """A database that is open, for synchronous code. Its faces are those of `socrates.store.Store`."""

    def __init__(self, inner: store.Store, loop: LoopThread) -> None:
        """Use `Store.open`."""
        super().__init__(inner, loop)
        self._units = threading.local()
        self._closing = threading.Lock()

    @classmethod
    def open(cls, database: str | Path | None = None, settings: Settings | None = None) -> Self:
        """Open a database, as `socrates.store.Store.open` does, and start its thread."""
        loop = LoopThread()
        try:
            return cls(loop.run(_opened(database, settings)), loop)
        except BaseException:
            loop.stop()
            raise

    @contextmanager
    def begin(self) -> Iterator[Blocking]:
        """One transaction; its repositories are attributes, such as ``unit.projects``."""
        if getattr(self._units, "open", False):
            raise SocratesError("this thread has a unit of work open, and would wait for its end; use that one")
        unit = Unit(self._inner, self._loop)
        try:
            entered = unit.enter()
            self._units.open = True
            yield Blocking(entered, unit.run)
        except BaseException:
            unit.abandon()
            raise
        else:
            unit.commit()
        finally:
            self._units.open = False

    def close(self) -> None:
        """Close the connections and end the thread. Units of other threads that are open are rolled back.

        Closing twice does nothing; who closes while another thread does waits for it.
        """
        with self._closing:
            if self._loop.running:
                try:
                    self._loop.run(self._inner.close())
                finally:
                    self._loop.stop()


async def _opened(database: str | Path | None, settings: Settings | None) -> store.Store:
    return await store.Store.open(database, settings)
