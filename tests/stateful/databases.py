"""Where the machine's store is: in a file, or on a server."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.concurrency import checks, on_server
from tests.support.postgres import EmptyDatabases
from tests.support.stores import fresh_file


class OnFile:
    """A SQLite file. What a killed process or a backup leaves is another file, with which one goes on."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def url(self) -> str:
        return f"sqlite+aiosqlite:///{self._path}"

    def leave_as_on_disk(self) -> None:
        """Go on with the files as a process that is killed at this moment leaves them."""
        place = self._new_place()
        for part in ("", "-wal"):
            left = Path(f"{self._path}{part}")
            if left.exists():
                shutil.copyfile(left, f"{place}{part}")
        self._path = place

    def back_up(self) -> None:
        """Go on with a backup."""
        place = self._new_place()
        with closing(sqlite3.connect(self._path)) as source, closing(sqlite3.connect(place)) as target:
            source.backup(target)
        self._path = place

    def assert_sound(self) -> None:
        checks.assert_sound(self._path)

    def _new_place(self) -> Path:
        return self._path.with_name(f"{len(list(self._path.parent.iterdir()))}.db")


class OnServer:
    """A PostgreSQL database, which stays where it is: a store that is to be killed is left open there."""

    def __init__(self, url: str) -> None:
        self.url = url

    def leave_as_on_disk(self) -> None:
        """Nothing: what a client leaves, the server itself rolls back."""

    def back_up(self) -> None:
        """Nothing: how a server is backed up is not ours."""

    def assert_sound(self) -> None:
        on_server.assert_sound(self.url)


@contextmanager
def in_a_file() -> Iterator[OnFile]:
    """An empty database, for as long as the machine runs."""
    with TemporaryDirectory() as directory:
        yield OnFile(fresh_file(Path(directory)))


@contextmanager
def on_a_server(databases: EmptyDatabases) -> Iterator[OnServer]:
    """The same on a server."""
    with databases.lent() as url:
        yield OnServer(url)
