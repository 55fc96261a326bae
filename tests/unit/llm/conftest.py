"""What is stored is tested on both engines."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from socrates.store import Store
from tests.support.engines import ENGINES, on_engine
from tests.support.stores import fresh_store


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    with on_engine(request):
        async with fresh_store(tmp_path) as opened:
            yield opened
