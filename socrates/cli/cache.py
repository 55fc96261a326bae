"""`socrates cache`: what the cache of reads does with the data of a database."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import typer
from sqlalchemy import URL, Connection, func, select

from socrates.caching import Cache, Statistics, bypassed
from socrates.cli.command import AsJson, Database, answer, answering, looking, say
from socrates.config import Settings
from socrates.database.urls import database_url, sqlite_path
from socrates.errors import UserNotFoundError
from socrates.models import Project
from socrates.store import Store

app = typer.Typer(help="See what the cache of reads does.", no_args_is_help=True)

ROUNDS = 3
"""How often the replay asks for the same: the first time misses."""

_MOST_USERS, _MOST_PROJECTS = 5, 10
"""Whose session is replayed, and how many projects of each: enough for means, and done in a second."""

_MESSAGES = 50
"""How many messages a session shows, as `conversations.last` does by default."""

_OWNERS = select(Project.owner).group_by(Project.owner).order_by(func.count().desc(), Project.owner).limit(_MOST_USERS)

_User = Annotated[str | None, typer.Option("--user", help="Replay for this user; default: those with most projects.")]

_Read = tuple[str, Callable[[], Awaitable[object]]]
"""A call of a cached method, with the name that the cache has for it."""


@app.callback()
def _group() -> None:
    """Keep `stats` a command of its own, though it is the only one."""


@app.command()
def stats(database: Database = None, user: _User = None, as_json: AsJson = False) -> None:
    """Replay what a session reads, three times over, and show what the cache did with it. Nothing is written.

    A cache lives in the program that reads. A program that is running has figures of its own, which this command cannot
    see: ask for them there, by socrates.caching.stats().
    """
    with answering(as_json):
        url = database_url(Settings(), database)
        owners = looking(url, _owners_in)  # which makes no database, as opening would
        facts = asyncio.run(_replayed(url, owners if user is None else [user]))
        answer(facts, as_json, lambda: _print(facts))


def _owners_in(connection: Connection) -> list[str]:
    """Those with most projects."""
    return list(connection.scalars(_OWNERS))


@dataclass(slots=True)
class _Times:
    """Seconds that the calls of one method took, by what they were."""

    hits: list[float] = field(default_factory=list)
    misses: list[float] = field(default_factory=list)
    past: list[float] = field(default_factory=list)


async def _replayed(url: URL, users: Iterable[str]) -> dict[str, Any]:
    """What the cache did, ready for JSON. Raises UserNotFoundError."""
    async with Store.open(url.render_as_string(hide_password=False)) as store:
        with bypassed():
            reads = [read for user in users for read in await _reads(store, user)]
            # Once without being counted: a miss is to show what a read takes, not what compiling its statement does.
            for _, read in reads:
                await read()
        times: dict[str, _Times] = {}
        for _ in range(ROUNDS):
            for method, read in reads:
                await _timed(store.cache, read, times.setdefault(method, _Times()))
        kept = store.cache.stats()
        return {
            "database": str(sqlite_path(url) or url.render_as_string(hide_password=True)),
            "caching": store.cache.enabled,
            "users": list(users),
            "rounds": ROUNDS,
            "methods": {method: _figures(kept[method], times[method]) for method in sorted(times)},
            "total": _figures(store.cache.total(), _together(times.values())),
        }


async def _reads(store: Store, user: str) -> list[_Read]:
    """What a session of one user reads."""
    projects = await store.projects.for_user(user, limit=_MOST_PROJECTS)
    exists = await store.users.exists(user)
    if not exists and not projects:
        raise UserNotFoundError(user)
    return [*_of_user(store, user, exists), *(read for project in projects for read in _of_project(store, project.id))]


def _of_user(store: Store, user: str, exists: bool) -> Iterator[_Read]:
    yield "users.exists", partial(store.users.exists, user)
    if exists:  # an owner need not be a user
        yield "users.get", partial(store.users.get, user)
        yield "users.subscription", partial(store.users.subscription, user)
    yield "projects.for_user", partial(store.projects.for_user, user)
    yield "learning.effectiveness_of", partial(store.learning.effectiveness_of, user)
    yield "learning.patterns_of", partial(store.learning.patterns_of, user)
    yield "llm.configs", partial(store.llm.configs, user)


def _of_project(store: Store, project_id: str) -> Iterator[_Read]:
    yield "projects.summary", partial(store.projects.summary, project_id)
    yield "projects.details", partial(store.projects.details, project_id)
    yield "projects.context", partial(store.projects.context, project_id)
    yield "projects.members", partial(store.projects.members, project_id)
    yield "conversations.last", partial(store.conversations.last, project_id, _MESSAGES)
    yield "notes.for_project", partial(store.notes.for_project, project_id)


async def _timed(cache: Cache, read: Callable[[], Awaitable[object]], times: _Times) -> None:
    before = cache.total()
    began = time.perf_counter()
    await read()
    seconds = time.perf_counter() - began
    after = cache.total()
    if after.hits > before.hits:
        times.hits.append(seconds)
    elif after.misses > before.misses:
        times.misses.append(seconds)
    else:
        times.past.append(seconds)


def _together(parts: Iterable[_Times]) -> _Times:
    total = _Times()
    for part in parts:
        total.hits += part.hits
        total.misses += part.misses
        total.past += part.past
    return total


def _figures(kept: Statistics, times: _Times) -> dict[str, Any]:
    return {
        "calls": len(times.hits) + len(times.misses) + len(times.past),
        "hits": kept.hits,
        "misses": kept.misses,
        "hit_rate": round(kept.hit_rate, 4),
        "entries": kept.entries,
        "bytes": kept.bytes,
        "miss_microseconds": _mean(times.misses or times.past),
        "hit_microseconds": _mean(times.hits),
    }


def _mean(seconds: list[float]) -> float | None:
    return round(sum(seconds) / len(seconds) * 1e6, 1) if seconds else None


def _print(facts: Mapping[str, Any]) -> None:
    if not facts["users"]:
        say(f"{facts['database']} has no project, so there is nothing to replay.")
        return
    say(f"{facts['database']}: what a session of {', '.join(facts['users'])} reads, {facts['rounds']} times")
    if not facts["caching"]:
        say("Caching is off (SOCRATES_ENABLE_CACHING): every call asked the database.")
    say(_line("method", "calls", "hits", "misses", "rate", "entries", "bytes", "a miss", "a hit"))
    for method, figures in [*facts["methods"].items(), ("all", facts["total"])]:
        counts = [f"{figures[name]:,}" for name in ("calls", "hits", "misses")]
        sizes = [f"{figures[name]:,}" for name in ("entries", "bytes")]
        means = map(_shown, (figures["miss_microseconds"], figures["hit_microseconds"]))
        say(_line(method, *counts, f"{figures['hit_rate']:.0%}", *sizes, *means))
    say("These are the figures of this replay; a running program has its own, by socrates.caching.stats() in it.")


def _line(method: str, *columns: str) -> str:
    widths = (6, 6, 7, 6, 8, 10, 10, 9)
    return f"{method:26}" + "".join(f"{text:>{width}}" for text, width in zip(columns, widths, strict=True))


def _shown(microseconds: float | None) -> str:
    return "-" if microseconds is None else f"{microseconds:,.0f} µs"
