"""Every test of a repository runs on both engines, save those that are marked as SQLite's own."""

from collections.abc import Iterator

import pytest

from tests.support.stores import on_postgres

ENGINES = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        own = metafunc.definition.get_closest_marker("sqlite") is not None
        metafunc.parametrize("engine", ENGINES[:1] if own else ENGINES, indirect=True)


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Have `fresh_store` make its stores on this engine."""
    name: str = request.param
    if name == "sqlite":
        yield name
        return
    with on_postgres(request.getfixturevalue("empty_databases")):
        yield name
