"""Systems with ada and bob in them, without knowledge."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.systems import Lab, fresh_system, with_people
from tests.unit.agents.quality import SORTED, ready


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with fresh_system(tmp_path) as lab:
        await with_people(lab, "ada", "bob", "eve")
        yield lab


@pytest.fixture
async def quality(tmp_path: Path) -> AsyncIterator[Lab]:
    """One with a project whose answers a model sorts."""
    async with fresh_system(tmp_path, by_task={"categorize_insights": SORTED}, llm_max_retries=0) as lab:
        yield await ready(lab)
