"""Knowledge bases in other processes: `main` reads a task and its arguments from the command line."""

import asyncio
import json
import os
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from socrates.config import Settings
from socrates.drafts import NewEntry
from socrates.errors import BusyError, DatabaseError
from socrates.knowledge.index import ChromaIndex, Point, open_index
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.repositories.index_work import IndexWorkRepository
from socrates.store import Store
from tests.support.knowledge import WordEmbedder

STAGES = ("before put", "within put", "before say_indexed", "before remove", "before say_removed")


def say(**answer: Any) -> None:
    print(json.dumps(answer), flush=True)


@asynccontextmanager
async def opened(database: str, place: str) -> AsyncIterator[KnowledgeBase]:
    """What is known in a database; `place` is the directory of its index, or the URL of a server."""
    settings = Settings(chroma_url=place) if place.startswith("http") else Settings(index_dir=Path(place))
    async with Store.open(database, settings) as store, KnowledgeBase.open(store, WordEmbedder()) as knowledge:
        yield knowledge


async def stay(database: str, place: str) -> None:
    """Have it open until the next line."""
    async with opened(database, place):
        say(opened=True)
        await asyncio.to_thread(sys.stdin.readline)


async def try_to_open(database: str, place: str) -> None:
    try:
        async with opened(database, place):
            say(busy=None)
    except BusyError as error:
        say(busy=str(error))


async def add(database: str, place: str, name: str, number: str) -> None:
    """Add so many entries one by one, beginning when the next line comes."""
    async with opened(database, place) as knowledge:
        say(opened=True)
        await asyncio.to_thread(sys.stdin.readline)
        for each in range(int(number)):
            await knowledge.add(NewEntry(f"{name} {each}", "facts", id=f"{name}-{each}"), "library")
    say(done=True)


async def change_until_killed(database: str, place: str, name: str) -> None:
    """Add three entries, and delete the first of those before; tell what is begun and what is done."""
    async with opened(database, place) as knowledge:
        for number in count():
            ids = [f"{name}-{number}-{part}" for part in "abc"]
            await knowledge.add_many([NewEntry(f"about {each}", "facts", id=each) for each in ids], "library")
            say(added=ids)
            if number:
                doomed = f"{name}-{number - 1}-a"
                say(deleting=doomed)
                await knowledge.delete(doomed, "library")
                say(deleted=doomed)


async def stop_at(database: str, place: str, name: str, stage: str) -> None:
    """Add and delete an entry, and stop for good where `stage` says, to be killed there."""
    async with opened(database, place) as knowledge:
        await knowledge.add(NewEntry(f"about {name}-old", "facts", id=f"{name}-old"), "library")
        _arrange_stop(stage)
        entries = [NewEntry(f"about {name}-{number}", "facts", id=f"{name}-{number}") for number in range(4)]
        await knowledge.add_many(entries, "library")
        await knowledge.delete(f"{name}-old", "library")
    say(error=f"never came to {stage}")


def _arrange_stop(stage: str) -> None:
    when, what = stage.split()
    kind: type = ChromaIndex if what in ("put", "remove") else IndexWorkRepository
    real = getattr(kind, what)

    async def stopping(self: Any, first: Any, *rest: Any) -> None:
        if when == "within":
            half = len(first) // 2
            await real(self, first[:half], *(each[:half] for each in rest))
        say(stopped=stage)
        await asyncio.Event().wait()

    setattr(kind, what, stopping)


def _watch_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.getaddrinfo", "socket.connect", "socket.sendto"):
        say(network=repr(arguments))
        os._exit(1)


async def use_without_network(database: str, place: str) -> None:
    """End the process where anything speaks with the network."""
    sys.addaudithook(_watch_network)
    async with opened(database, place) as knowledge:
        await knowledge.add(NewEntry("loans end after three weeks", "rules"))
        hits = await knowledge.search("when do loans end")
        await knowledge.rebuild()
    say(found=len(hits))


async def fill_the_disk(_database: str, place: str) -> None:
    """Put more into an index than its files may hold, and end as a program does that met an error."""
    points = [Point(f"key{number}", None, "facts", None) for number in range(1_000)]
    vectors = np.ones((len(points), 384), dtype=np.float32)
    index = await open_index(Path(place), "words")
    await index.put(points[:5], vectors[:5])
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
    try:
        # Chroma mostly tells, and sometimes waits for a lock that its own failed write has left behind.
        async with asyncio.timeout(10):
            await index.put(points, vectors)
    except (DatabaseError, TimeoutError) as error:
        say(error=str(error), in_vain=isinstance(error, TimeoutError))
    os._exit(1)


TASKS = {
    task.__name__: task
    for task in (stay, try_to_open, add, change_until_killed, stop_at, use_without_network, fill_the_disk)
}


def main() -> None:
    # What is imported when it is first needed takes a second.
    __import__("chromadb")
    say(ready=True)
    task, *arguments = sys.argv[1:]
    asyncio.run(TASKS[task](*arguments))
