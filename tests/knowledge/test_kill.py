"""SIGKILL in the middle of adding and deleting: the next to open makes the index true to the tables."""

import asyncio
import os
import random
from pathlib import Path

import pytest

from socrates.config import Settings
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.store import Store
from tests.knowledge.agreement import assert_agree, finds
from tests.knowledge.processes import heard, killed, worker
from tests.knowledge.worker import STAGES
from tests.support.knowledge import WordEmbedder, with_projects
from tests.support.stores import fresh_file

ROUNDS = 60 if os.environ.get("SOCRATES_LONG") == "1" else 2


async def test_nothing_acknowledged_is_missing_after_kills_at_any_moment(tmp_path: Path) -> None:
    path, place = await _library(tmp_path)
    added: set[str] = set()
    begun: set[str] = set()
    deleted: set[str] = set()
    for attempt in range(ROUNDS):
        with worker("change_until_killed", path, place, f"round{attempt}") as process:
            answers = [heard(process)]
            await asyncio.sleep(random.uniform(0, 0.4))
            answers += killed(process)
        added.update(each for answer in answers for each in answer.get("added", ()))
        begun.update(answer["deleting"] for answer in answers if "deleting" in answer)
        deleted.update(answer["deleted"] for answer in answers if "deleted" in answer)
        async with _opened(path, place) as store, KnowledgeBase.open(store, WordEmbedder()) as knowledge:
            there = await assert_agree(store, knowledge)
            assert added - begun <= there
            assert not deleted & there
            for entry_id in random.sample(sorted(there), min(5, len(there))):
                assert await finds(knowledge, f"about {entry_id}", entry_id)


@pytest.mark.parametrize("stage", STAGES)
async def test_a_kill_at_a_stage_is_made_up_for(stage: str, tmp_path: Path) -> None:
    path, place = await _library(tmp_path)
    with worker("stop_at", path, place, "entry", stage) as process:
        assert heard(process) == {"stopped": stage}
        killed(process)
    async with _opened(path, place) as store:
        # There is something to make up for.
        assert await store.index_work.waiting(1) or await store.index_work.to_remove(1)
        async with KnowledgeBase.open(store, WordEmbedder()) as knowledge:
            there = await assert_agree(store, knowledge)
            assert there >= {f"entry-{number}" for number in range(4)}
            assert ("entry-old" in there) == ("remove" not in stage)
            assert await finds(knowledge, "about entry-3", "entry-3")
            assert await finds(knowledge, "about entry-old", "entry-old") == ("entry-old" in there)


async def _library(directory: Path) -> tuple[Path, Path]:
    path = fresh_file(directory)
    async with Store.open(path) as store:
        await with_projects(store, "library")
    return path, directory / "index"


def _opened(path: Path, place: Path) -> Store:
    return Store.open(path, Settings(index_dir=place))
