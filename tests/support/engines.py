"""The engines that a test runs on."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.stores import on_postgres

POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)
ENGINES = [pytest.param("sqlite"), POSTGRES]


@contextmanager
def on_engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Have `fresh_store` make its stores on PostgreSQL where the fixture's parameter says so. Yields the parameter."""
    name: str = request.param
    if name != "postgres":
        yield name
        return
    with on_postgres(request.getfixturevalue("empty_databases")):
        yield name
