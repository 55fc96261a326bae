"""Fixtures of the whole suite."""

import gc
import signal
from collections.abc import Iterator
from zlib import crc32

import pytest
from hypothesis import settings
from sqlalchemy import URL

from tests.support.postgres import EmptyDatabases, fresh_database, running_server

# A shell starts what it puts in the background deaf to Ctrl-C, and every process inherits that from its parent: the
# programs that tests start and interrupt have to hear it, however the tests themselves were started.
signal.signal(signal.SIGINT, signal.default_int_handler)

# By default an example that takes a fifth of a second is a failure, and so is a pause of the machine in one.
settings.register_profile("without a deadline", deadline=None)
settings.load_profile("without a deadline")

FEW_CASES = 5
"""So many cases are run without being chosen from."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of many cases that are alike, `make test` runs every third, and `make test-long` all."""
    alike: dict[str, list[pytest.Item]] = {}
    for item in items:
        if (kind := _kind(item)) is not None:
            alike.setdefault(kind, []).append(item)
    for kind, found in alike.items():
        if len(found) > FEW_CASES:
            # Not the same third of all: tests are often tried with one list of cases.
            for number, item in enumerate(found, crc32(kind.encode())):
                if number % 3:
                    item.add_marker(pytest.mark.long)


def _kind(item: pytest.Item) -> str | None:
    """What the cases have in common that a test is chosen among; None where all are run.

    SQLite gets all cases of what runs on both engines: most are about values and calls, which meet the same code there.
    """
    if item.get_closest_marker("postgres") is None:
        return item.nodeid.partition("[")[0] if item.get_closest_marker("sampled") is not None else None
    callspec = getattr(item, "callspec", None)  # None of a test without parameters
    runs_on_both = callspec is not None and "postgres" in callspec.params.values()
    return item.nodeid.partition("::" if runs_on_both else "[")[0]


def pytest_collection_finish() -> None:
    """Spare the collector what stays until the end: nine thousand tests, and the libraries that they have loaded.

    Tests that collect in every step would otherwise take minutes for it.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """The maintenance database of a PostgreSQL server; with pytest-xdist each worker has a server."""
    with running_server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: URL) -> Iterator[str]:
    """The SQLAlchemy URL (asyncpg) of an empty database that only this test has."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def empty_databases(postgres_server: URL) -> Iterator[EmptyDatabases]:
    """Databases at head without a row, to be lent."""
    databases = EmptyDatabases(postgres_server)
    yield databases
    databases.drop()
