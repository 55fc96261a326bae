"""How the commands of `socrates knowledge` get at what is known, and how they end."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from socrates.cli.command import answering, interruptible, reading, require_head
from socrates.cli.migration_report import progress_bar
from socrates.config import Settings
from socrates.database.urls import database_url, sqlite_path
from socrates.store import Store

if TYPE_CHECKING:  # it loads numpy, which is an extra
    from socrates.knowledge.knowledge_base import KnowledgeBase

_T = TypeVar("_T")

OfProject = Annotated[str | None, typer.Option("--project", metavar="ID", help="A project's; default: everybody's.")]

GOES_ON = "what was stored by then stays; the same command goes on from there"
"""What is said when a command that stores piece by piece is interrupted."""


@contextmanager
def doing(as_json: bool, when_interrupted: str = "nothing was changed") -> Iterator[None]:
    """Around a command's work: refuses with status 2, in one line, where the extra is not installed."""
    with answering(as_json), interruptible(as_json, lambda: when_interrupted):
        import_module("socrates.knowledge")
        yield


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal's error stream; nothing where that is no terminal."""
    with progress_bar() as show:
        yield partial(show, what)


def in_store(database: str | None, work: Callable[[Store], Awaitable[_T]], project: str | None = None) -> _T:
    """Do something in a database that is there. Raises ProjectNotFoundError, and what opening raises."""
    return asyncio.run(_in_store(_require_there(database), work, project))


def in_knowledge(
    database: str | None, work: "Callable[[KnowledgeBase], Awaitable[_T]]", project: str | None = None
) -> _T:
    """The same with its knowledge, whose index is checked first."""
    return in_store(database, lambda store: _with_knowledge(store, work), project)


def _require_there(database: str | None) -> str:
    """The URL of the database. A file that is missing or empty is refused, or a typing error would make one."""
    url = database_url(Settings(), database)
    path = sqlite_path(url)
    if path is not None:
        with reading(path) as connection:
            require_head(connection, path)
    return url.render_as_string(hide_password=False)


async def _in_store(url: str, work: Callable[[Store], Awaitable[_T]], project: str | None) -> _T:
    async with Store.open(url) as store:
        if project is not None:
            await store.projects.summary(project)
        return await work(store)


async def _with_knowledge(store: Store, work: "Callable[[KnowledgeBase], Awaitable[_T]]") -> _T:
    from socrates.knowledge.knowledge_base import KnowledgeBase  # noqa: PLC0415 - an extra

    async with KnowledgeBase.open(store) as knowledge:
        return await work(knowledge)
