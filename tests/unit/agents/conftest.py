"""A system with ada and bob in it, without knowledge."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.systems import Lab, fresh_system, with_people


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with fresh_system(tmp_path) as lab:
        await with_people(lab, "ada", "bob", "eve")
        yield lab
