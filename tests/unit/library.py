"""A store with one project, and what is in its database for everybody else."""

import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from socrates.drafts import NewMessage
from socrates.store import Store, UnitOfWork
from tests.concurrency import checks, on_server
from tests.support.stores import fresh_store, is_on_sqlite


@asynccontextmanager
async def library(directory: Path, **settings: object) -> AsyncIterator[Store]:
    """A store that holds the project `library`."""
    async with fresh_store(directory, **settings) as store:
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada", project_id="library", requirements=["a"])
        yield store


async def say(unit: UnitOfWork, text: str) -> None:
    """Append a message."""
    await unit.conversations.append("library", NewMessage("user", text))


def stored(store: Store) -> list[str]:
    """The messages that are committed, read by somebody else."""
    return checks.contents(store._engines.path, "library") if is_on_sqlite(store) else on_server.contents(url(store))


def assert_unlocked(store: Store, patience: float = 0) -> None:
    """No transaction was left open, or none is within `patience` seconds."""
    if is_on_sqlite(store):
        checks.assert_unlocked(store._engines.path, patience)
        return
    end = time.monotonic() + patience
    while found := on_server.busy(url(store)):
        assert time.monotonic() < end, found
        time.sleep(0.02)


def url(store: Store) -> str:
    """Where the store is on a server."""
    return store._engines.writer.url.render_as_string(hide_password=False)


def threads() -> set[threading.Thread]:
    """The threads of SQLite's connections."""
    return {thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name}
