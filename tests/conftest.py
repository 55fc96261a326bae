"""Fixtures of the whole suite."""

import gc
import signal
from collections.abc import Iterator

import pytest
from sqlalchemy import URL

from tests.support.postgres import EmptyDatabases, fresh_database, running_server

# A shell starts what it puts in the background deaf to Ctrl-C, and every process inherits that from its parent: the
# programs that tests start and interrupt have to hear it, however the tests themselves were started.
signal.signal(signal.SIGINT, signal.default_int_handler)

FEW_CASES = 5
"""So many cases of one test run on PostgreSQL without being chosen from."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test with many cases, PostgreSQL gets each third in `make test`, and the others in `make test-long`.

    SQLite gets all of them always: most cases are about values and calls, which meet the same code on both engines.
    """
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("postgres") is not None:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for found in cases.values():
        if len(found) > FEW_CASES:
            for number, item in enumerate(found):
                if number % 3:
                    item.add_marker(pytest.mark.long)


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
