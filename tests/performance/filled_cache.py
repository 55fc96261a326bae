"""A process that fills a store's cache to its bound twice over, and prints how much of the bound its memory grew by.

python -m tests.performance.filled_cache FILE MEGABYTES
"""

import asyncio
import sys
from itertools import count

from socrates.config import CacheConfig, Settings
from socrates.store import Store
from tests.performance.datasets import ADA
from tests.performance.memory import resident

_SHARE_OF_READS = 0.6


async def growth(path: str, megabytes: int) -> float:
    """How far the peak of resident memory lies above what was resident before, over what results of reads may take."""
    config = CacheConfig(max_cache_size_mb=round(megabytes / _SHARE_OF_READS), read_cache_size=1_000_000)
    async with Store.open(path, Settings(cache_config=config)) as store:
        store.cache.enabled = False
        await read_all(store, 50)
        before = resident("VmRSS")
        store.cache.enabled = True
        for length in count(50):
            await read_all(store, length)
            if store.cache.total().evicted_for_bytes > store.cache.total().entries:
                return (resident("VmHWM") - before) / config.read_cache_bytes
    raise AssertionError("unreachable")


async def read_all(store: Store, length: int) -> None:
    """Read every project of ada's, and that many messages of each."""
    for project in await store.projects.for_user(ADA):
        await store.projects.details(project.id)
        await store.conversations.last(project.id, length)


if __name__ == "__main__":
    print(asyncio.run(growth(sys.argv[1], int(sys.argv[2]))))
