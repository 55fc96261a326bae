"""Fixtures of the whole suite."""

from collections.abc import Iterator

import pytest
from sqlalchemy import URL

from tests.support.postgres import EmptyDatabases, fresh_database, running_server


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
