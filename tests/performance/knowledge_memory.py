"""A process that opens a knowledge base, searches in it, and prints how many bytes are in memory.

python -m tests.performance.knowledge_memory FILE
"""

import asyncio
import sys

from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.store import Store
from tests.performance.known import PROJECT, queries
from tests.performance.light_embedder import LightEmbedder
from tests.performance.memory import resident

SEARCHES = 200


async def used(path: str) -> int:
    """What the process has in memory after searches that were all new; the model is left out."""
    asked = queries()
    async with Store.open(path) as store, KnowledgeBase.open(store, LightEmbedder()) as knowledge:
        for _ in range(SEARCHES):
            await knowledge.search(next(asked), project_id=PROJECT, cutoff=-1)
        return resident("VmRSS")


if __name__ == "__main__":
    print(asyncio.run(used(sys.argv[1])))
