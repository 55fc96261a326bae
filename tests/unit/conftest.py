"""What stores run on: the two engines, and SQLite's two drivers."""

from collections.abc import Iterator

import pytest

from tests.concurrency.checks import DRIVERS
from tests.support.engines import ENGINES, POSTGRES, on_engine


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Have `fresh_store` make its stores on each engine."""
    with on_engine(request) as name:
        yield name


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both drivers of SQLite, switched as an owner does it."""
    monkeypatch.setenv("SOCRATES_SQLITE_DRIVER", request.param)
    return str(request.param)


@pytest.fixture(params=[*DRIVERS, POSTGRES])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both drivers of SQLite, and PostgreSQL."""
    with on_engine(request) as name:
        if name in DRIVERS:
            monkeypatch.setenv("SOCRATES_SQLITE_DRIVER", name)
        yield name
