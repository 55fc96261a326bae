"""Fixtures of the load tests."""

from collections.abc import Iterator

import pytest

from tests.support.engines import ENGINES, on_engine


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Have `fresh_store` and `fresh_place` make their databases on each engine."""
    with on_engine(request) as name:
        yield name
