"""The same working session as v1's (v1_workload.py), on the store: what our side of the bench replays."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from socrates.drafts import NewMessage
from socrates.frozen import FrozenDict
from socrates.store import Store
from socrates.views import Message, ProjectSummary, QuestionEffectiveness
from tests.performance.datasets import ADA
from tests.performance.v1_workload import ANSWER, PASSCODE, QUESTION, Session

_OF_A_MESSAGE = [field.name for field in fields(Message)]


async def nothing() -> None:
    """Search for nothing."""


async def working_session(
    store: Store,
    project_id: str,
    username: str = ADA,
    questions: int = 10,
    search: Callable[[], Awaitable[object]] = nothing,
) -> Session:
    """Log in, list the projects, open one, answer questions, write and search notes, export the project.

    `search` is what is looked for among what is known before each question.
    """
    await log_in(store, username)
    listed = await store.projects.for_user(username)
    details = await store.projects.details(project_id)
    await store.conversations.last(project_id)
    for number in range(questions):
        await search()
        await ask(store, details.summary, username, f"{QUESTION} ({number + 1})")
        await answer(store, details.summary, username, f"{ANSWER} ({number + 1})")
    async with store.begin() as unit:
        content = "Nobody has asked yet whether a late fee is wanted at all."
        await unit.notes.create(project_id, "Fees", content, created_by=username, tags=["money"])
    await store.notes.for_project(project_id)
    found = await store.notes.search(project_id, "late fee")
    exported = await export(store, project_id)
    user = await store.users.get(username)
    return Session(
        listed=len(listed),
        messages=len(exported["conversation"]),
        asked=user.questions_used_this_month or 0,
        found=len(found),
        exported=exported,
    )


async def log_in(store: Store, username: str) -> None:
    user = await store.users.get(username)
    assert user.passcode_hash == hashlib.sha256(PASSCODE.encode()).hexdigest()


async def ask(store: Store, project: ProjectSummary, username: str, question: str) -> None:
    """Put a question to the user: it and the use of the quota are stored together."""
    reset = datetime.now(UTC) + timedelta(days=30)
    async with store.begin() as unit:
        await unit.users.use_question(username, None, next_reset=reset)
        await unit.conversations.append(project.id, NewMessage("assistant", question, phase=project.phase))


async def answer(store: Store, project: ProjectSummary, username: str, content: str) -> None:
    """Take the answer, and learn how well the question worked."""
    async with store.begin() as unit:
        await unit.conversations.append(project.id, NewMessage("user", content, phase=project.phase, author=username))
        template = QUESTION[:50]
        known = await unit.learning.find_effectiveness(username, template)
        record = known or QuestionEffectiveness(
            str(uuid4()), username, template, "lead", 0, 0, 0, Decimal(0), Decimal(0), None, None, None, FrozenDict()
        )
        asked, at = (record.times_asked or 0) + 1, datetime.now(UTC)
        await unit.learning.save_effectiveness(
            replace(
                record,
                times_asked=asked,
                average_answer_length=int(0.3 * len(content) + 0.7 * (record.average_answer_length or 0)),
                effectiveness_score=Decimal(record.times_answered_well or 0) / asked,
                last_asked_at=at,
                created_at=record.created_at or at,
                updated_at=at,
            )
        )


async def export(store: Store, project_id: str) -> dict[str, Any]:
    """Read again all that a document about the project is made of; the three reads run beside each other."""

    async def conversation() -> list[dict[str, Any]]:
        # Not asdict, which copies what cannot change anyway: of a long conversation that would be most of an export.
        return [
            {name: getattr(message, name) for name in _OF_A_MESSAGE}
            async for message in store.conversations.export(project_id)
        ]

    details, messages, notes = await asyncio.gather(
        store.projects.details(project_id), conversation(), store.notes.for_project(project_id)
    )
    return asdict(details) | {"conversation": messages, "notes": [asdict(note) for note in notes]}
