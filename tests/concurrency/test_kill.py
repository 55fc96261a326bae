"""SIGKILL in the middle of writing: what was acknowledged is there, and nothing is torn."""

import asyncio
import random
from pathlib import Path

from socrates.drafts import NewMessage
from socrates.store import Store
from tests.concurrency.checks import LONG, assert_sound, contents
from tests.concurrency.crowd import crowd
from tests.support.stores import fresh_file

ROUNDS = 50 if LONG else 5  # two processes are killed in each


async def test_nothing_acknowledged_is_missing_and_nothing_is_torn(tmp_path: Path) -> None:
    path = fresh_file(tmp_path)
    async with Store.open(path) as store, store.begin() as unit:
        await unit.projects.create("Library", "ada", project_id="library")
    acknowledged: list[str] = []
    for attempt in range(ROUNDS):
        with crowd(2) as writers:
            for number, writer in enumerate(writers):
                writer.tell("append_until_killed", path, project="library", name=f"{attempt}.{number}")
            for writer in writers:
                answers = [writer.answer()]
                await asyncio.sleep(random.uniform(0, 0.1))
                answers += writer.kill()
                acknowledged += [text for answer in answers for text in answer["stored"]]
        assert_sound(path)
        stored = contents(path, "library")
        assert set(acknowledged) <= set(stored)
        # Units of three: each is there as a whole and in one piece, or not at all.
        units = [[text[:-2] for text in stored[first : first + 3]] for first in range(0, len(stored), 3)]
        assert all(len(unit) == 3 and len(set(unit)) == 1 for unit in units)
        # Besides what was acknowledged there is at most the last unit of each process.
        assert len(stored) <= len(acknowledged) + 3 * 2 * (attempt + 1)
    async with Store.open(path) as store, store.begin() as unit:
        message = await unit.conversations.append("library", NewMessage("user", "Life goes on."))
    assert message.position == len(stored)
