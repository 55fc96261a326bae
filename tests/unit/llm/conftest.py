"""What is stored is tested on both engines."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from socrates.store import Store
from tests.support.stores import fresh_store, on_postgres


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        async with fresh_store(tmp_path) as opened:
            yield opened
        return
    with on_postgres(request.getfixturevalue("empty_databases")):
        async with fresh_store(tmp_path) as opened:
            yield opened
