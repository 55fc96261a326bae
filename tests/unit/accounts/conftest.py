"""Accounts on both engines, with hashes that cost little and a clock that the test turns."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from socrates.accounts import Accounts, Passcodes
from socrates.store import Store
from tests.support.engines import ENGINES, on_engine
from tests.support.stores import fresh_store
from tests.unit.accounts.support import Clock, CountingHasher


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Have `store` be on this engine."""
    with on_engine(request) as name:
        yield name


@pytest.fixture
async def store(engine: str, tmp_path: Path) -> AsyncIterator[Store]:
    async with fresh_store(tmp_path) as store:
        yield store


@pytest.fixture
def hasher() -> CountingHasher:
    return CountingHasher()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(store: Store, hasher: CountingHasher, clock: Clock) -> Accounts:
    return Accounts(store, Passcodes(hasher), clock=clock)
