"""A process that does what it is told, a line of JSON at a time: `python -m tests.concurrency.worker`.

It has loaded everything before the first line arrives, so that several can be told to start at the same moment.
"""

import asyncio
import json
import sqlite3
import sys
from contextlib import closing
from typing import Any

from socrates.config import Settings
from socrates.drafts import NewMessage
from socrates.store import Store


def say(**answer: Any) -> None:
    print(json.dumps(answer), flush=True)


async def start(database: str, settings: Settings) -> None:
    """Open, as a program does when it starts; and see that the file can be read and written."""
    async with Store.open(database, settings) as store:
        health = await store.health()
        async with store.begin() as unit:
            project = await unit.projects.create("Library", "ada")
        await store.projects.summary(project.id)
    say(revision=health.revision, problems=health.problems)


async def append(database: str, settings: Settings, project: str, name: str, count: int) -> None:
    """Write `count` messages, a unit of work each; answer with their positions."""
    positions = []
    async with Store.open(database, settings) as store:
        for number in range(count):
            async with store.begin() as unit:
                message = await unit.conversations.append(project, NewMessage("user", f"{name} {number}"))
            positions.append(message.position)
    say(positions=positions)


async def append_until_killed(database: str, settings: Settings, project: str, name: str) -> None:
    """Write three messages per unit of work, and acknowledge each unit once it is committed."""
    async with Store.open(database, settings) as store:
        number = 0
        while True:
            texts = [f"{name} {number} {part}" for part in "abc"]
            async with store.begin() as unit:
                await unit.conversations.append_many(project, [NewMessage("user", text) for text in texts])
            say(stored=texts)
            number += 1


async def stay_in_a_unit(database: str, settings: Settings, project: str) -> None:
    """Write in a unit of work, and stay in it until killed."""
    async with Store.open(database, settings) as store, store.begin() as unit:
        await unit.conversations.append(project, NewMessage("user", "never stored"))
        say(inside=True)
        sys.stdin.readline()


async def hold(database: str, settings: Settings) -> None:
    """Keep the write lock until the next line."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        say(held=True)
        sys.stdin.readline()
        connection.execute("ROLLBACK")


TASKS = {task.__name__: task for task in (start, append, append_until_killed, stay_in_a_unit, hold)}


def main() -> None:
    say(ready=True)
    for line in sys.stdin:
        command = json.loads(line)
        settings = Settings(**command.pop("settings"))
        task = TASKS[command.pop("do")]
        try:
            asyncio.run(task(command.pop("database"), settings, **command))
        except Exception as error:  # noqa: BLE001 - the test is told
            say(error=repr(error))


if __name__ == "__main__":
    main()
