"""A walk through a database by the calls that service code makes, each shown with its result and how long it took."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from rich.console import Console
from rich.markup import escape

from socrates.cli.command import require_database
from socrates.drafts import NewMessage
from socrates.store import Store
from socrates.views import ProjectSummary

_T = TypeVar("_T")

_LINE = 100


class _RolledBack(Exception):
    """Ends the tour's unit of work, so that nothing it wrote stays."""


def take_tour(database: str | None, username: str) -> None:
    """Show what one user sees in a database; without one, in that of the settings."""
    require_database(database)
    asyncio.run(_tour(database, username))


async def _tour(database: str | None, username: str) -> None:
    guide = _Guide()
    async with Store.open(database) as store:
        health = await guide.show("store.health()", store.health())
        guide.say(
            f"revision {health.revision}, {health.database_bytes / 1024:.0f} KB, {'well' if health.ok else 'ill'}"
        )
        projects = await guide.show(f'store.projects.for_user("{username}")', store.projects.for_user(username))
        for project in projects:
            guide.say(f"{project.name} ({project.phase}, {project.message_count} messages)")
        if projects:
            await _visit(guide, store, projects[0])


async def _visit(guide: "_Guide", store: Store, project: ProjectSummary) -> None:
    name = f'"{project.id}"'
    details = await guide.show(f"store.projects.details({name})", store.projects.details(project.id))
    guide.say("team: " + ", ".join(f"{member.username} ({member.role})" for member in details.members))
    guide.say("requirements: " + ("; ".join(details.requirements) or "none"))
    for message in await guide.show(f"store.conversations.last({name}, 3)", store.conversations.last(project.id, 3)):
        guide.say(f"{message.author or message.type}: {message.content}")
    notes = await guide.show(f"store.notes.for_project({name})", store.notes.for_project(project.id))
    guide.say("; ".join(note.title for note in notes) or "no notes")
    try:
        async with store.begin() as unit:
            draft = NewMessage("user", "What is the next question?", author=project.owner)
            call = f"unit.conversations.append({name}, …)"
            appended = await guide.show(call, unit.conversations.append(project.id, draft))
            guide.say(f"at position {appended.position}; rolled back, since this is only a tour")
            raise _RolledBack
    except _RolledBack:
        guide.say(f"messages afterwards: {await store.conversations.count(project.id)}")


class _Guide:
    """Prints calls and what they gave."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    async def show(self, call: str, work: Awaitable[_T]) -> _T:
        began = time.perf_counter()
        result = await work
        milliseconds = (time.perf_counter() - began) * 1000
        self._console.print(f"[bold]await {escape(call)}[/bold]  [dim]{milliseconds:.1f} ms[/dim]")
        return result

    def say(self, text: str) -> None:
        line = " ".join(text.split())
        self._console.print("  " + escape(line if len(line) <= _LINE else line[: _LINE - 1] + "…"))
