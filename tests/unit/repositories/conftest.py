"""Every test of a repository runs on both engines, save those that are marked as one engine's own."""

from collections.abc import Iterator

import pytest

from tests.support.engines import ENGINES, on_engine


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker
        engines = ENGINES[:1] if marked("sqlite") else ENGINES[1:] if marked("postgres") else ENGINES
        metafunc.parametrize("engine", engines, indirect=True)


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Have `fresh_store` make its stores on this engine."""
    with on_engine(request) as name:
        yield name
