"""Fifty people at once, on either engine: nobody gets an error, and the database holds what everybody was told."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, select

from socrates.caching import bypassed
from socrates.llm.demo.server import ModelServer
from socrates.models import ConversationMessage, LLMUsage, Project, ProjectNote
from socrates.orchestrator import Orchestrator
from tests.concurrency.checks import assert_sound
from tests.load.latencies import Latencies
from tests.load.model import SlowModel
from tests.load.people import PEOPLE, QUESTIONS, Person, opened, register
from tests.support.stores import fresh_place

_LIMIT = 300
"""Seconds for what takes 6, or 30 with all questions: nobody waits for ever."""


@pytest.mark.parametrize(
    "questions", [pytest.param(1), pytest.param(QUESTIONS, marks=pytest.mark.long)], ids=lambda count: f"{count} each"
)
async def test_fifty_people_work_at_once_without_an_error(engine: str, questions: int, tmp_path: Path) -> None:
    names = [f"user-{number:02}" for number in range(PEOPLE)]
    latencies, model = Latencies(), SlowModel(seed=50)
    with ModelServer(model) as server, fresh_place(tmp_path) as place:
        async with opened(place, tmp_path, server.url) as system:
            people = [Person(system, name, latencies) for name in names]
            await register(system.services.store, names)
            async with asyncio.timeout(_LIMIT):
                await asyncio.gather(*(person.work(questions) for person in people))
            with bypassed():
                await assert_all_is_kept(system, people, model.calls)
            file = system.services.store.file
        if file is not None:
            assert_sound(file)
    assert {kind: len(times) for kind, times in latencies.by_action.items()} == {
        **dict.fromkeys(("create", "list", "find", "note", "generate"), PEOPLE),
        **dict.fromkeys(("question", "answer"), PEOPLE * questions),
        "search": 2 * PEOPLE,
    }
    assert server.most_at_once > 5  # of one person alone it is 3


async def assert_all_is_kept(system: Orchestrator, people: list[Person], calls: int) -> None:
    """Every message stands at the place that was told, every call is accounted, and nothing else is there."""
    store = system.services.store
    for person in people:
        stored = {message.position: message.content for message in await store.conversations.last(person.project_id)}
        assert stored == person.said
        assert [note.id for note in await store.notes.for_project(person.project_id)] == person.note_ids
        questions = len(person.said) // 2
        assert (await store.users.get(person.name)).questions_used_this_month == questions
    counted = {}
    async with store._engines.reader.connect() as connection:
        for table in (Project, ConversationMessage, ProjectNote, LLMUsage):
            counted[table] = await connection.scalar(select(func.count()).select_from(table))
        failed = await connection.scalar(select(func.count()).where(LLMUsage.success.is_(False)))
    assert counted == {
        Project: len(people),
        ConversationMessage: sum(len(person.said) for person in people),
        ProjectNote: len(people),
        LLMUsage: calls,
    }
    assert failed == 0
