import asyncio

import asyncpg
import pytest

from tests.support.migrate import alembic
from tests.support.postgres import rows


@pytest.mark.postgres
async def test_async(postgres_url):
    c = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    assert await c.fetchval("select 1") == 1
    await c.close()


@pytest.mark.postgres
def test_sync(postgres_url):
    print(postgres_url)
    print(alembic(postgres_url, "upgrade", "head"))
    print(alembic(postgres_url, "check"))
    print(alembic(postgres_url, "current"))
    print(alembic(postgres_url, "upgrade", "head"))
    print(alembic(postgres_url, "downgrade", "base"))
    print(rows(postgres_url, "select relname from pg_class where relnamespace='public'::regnamespace"))


@pytest.mark.postgres
async def test_async2(postgres_url):
    await asyncio.sleep(0.1)
