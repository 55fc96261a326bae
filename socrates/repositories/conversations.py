"""The dialogue of a project: rows with a position, appended and never rewritten."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, update

from socrates.caching import cached
from socrates.drafts import NewMessage
from socrates.errors import ProjectNotFoundError
from socrates.models import ConversationMessage, Project
from socrates.models.functions import contains_folded
from socrates.repositories.base import (
    AT_ONCE,
    Mapper,
    Repository,
    folded,
    now,
    plain_dict,
    positive,
    table,
    utc,
    with_next,
)
from socrates.repositories.cached_rows import MESSAGES, PROJECT, rows_of
from socrates.repositories.snippet import snippet
from socrates.views import Message, MessageHit

EXPORT_BATCH = 1000
"""Messages read at once by `export`: some milliseconds of work for the event loop."""

_message = Mapper(Message, ConversationMessage)
_OF_PROJECT = select(*_message.columns).where(ConversationMessage.project_id == bindparam("project_id"))
_NEWEST_FIRST = _OF_PROJECT.order_by(ConversationMessage.position.desc()).limit(bindparam("count"))
_OLDEST_FIRST = _OF_PROJECT.order_by(ConversationMessage.position).limit(bindparam("count"))

_LAST = _NEWEST_FIRST
_BEFORE = _NEWEST_FIRST.where(ConversationMessage.position < bindparam("position"))
_AFTER = _OLDEST_FIRST.where(ConversationMessage.position > bindparam("position"))
_BY_PHASE = _AFTER.where(ConversationMessage.phase == bindparam("phase"))
_SEARCH = _NEWEST_FIRST.where(contains_folded(ConversationMessage.content, bindparam("needle"))).where(
    ConversationMessage.position < bindparam("position")
)
_COUNT = select(Project.message_count).where(Project.id == bindparam("project_id"))
_COUNT_BY_TYPE = (
    select(ConversationMessage.type, func.count().label("number"))
    .where(ConversationMessage.project_id == bindparam("project_id"))
    .group_by(ConversationMessage.type)
)

_projects = table(Project)
_MAKE_ROOM = (
    update(_projects)
    .where(_projects.c.id == bindparam("project_id"))
    .values(message_count=_projects.c.message_count + bindparam("count"), updated_at=bindparam("at"))
    .returning(_projects.c.message_count)
)
_INSERT = with_next(insert(table(ConversationMessage)))

BEGINNING = -1
"""The position before the first message."""

END = 2**63 - 1
"""A position behind every message."""


class ConversationReads(Repository):
    """Reads of conversations. All pages are in the order of the dialogue. An unknown project has no messages."""

    @cached("conversations.last", tags=rows_of(MESSAGES))
    async def last(self, project_id: str, count: int = 50) -> tuple[Message, ...]:
        """The newest `count` messages, oldest first."""
        newest_first = await self._views(_message, _LAST, project_id=project_id, count=positive("count", count))
        return newest_first[::-1]

    async def before(self, project_id: str, position: int, count: int = 50) -> tuple[Message, ...]:
        """The `count` messages that stand before `position`, oldest first: the page above."""
        place: dict[str, Any] = {"project_id": project_id, "position": position}
        newest_first = await self._views(_message, _BEFORE, **place, count=positive("count", count))
        return newest_first[::-1]

    async def after(self, project_id: str, position: int = BEGINNING, count: int = 50) -> tuple[Message, ...]:
        """The `count` messages that stand behind `position`: the page below; by default the first page."""
        place: dict[str, Any] = {"project_id": project_id, "position": position}
        return await self._views(_message, _AFTER, **place, count=positive("count", count))

    async def by_phase(
        self, project_id: str, phase: str, after: int = BEGINNING, count: int = 50
    ) -> tuple[Message, ...]:
        """The `count` messages of one phase that stand behind the position `after`."""
        place: dict[str, Any] = {"project_id": project_id, "phase": phase, "position": after}
        return await self._views(_message, _BY_PHASE, **place, count=positive("count", count))

    async def search(self, project_id: str, text: str, before: int = END, count: int = 50) -> tuple[MessageHit, ...]:
        """The newest `count` messages before the position `before` that contain `text`, newest first.

        Case makes no difference in any alphabet, by Unicode's full case folding: "straße" finds "STRASSE".
        """
        needle = folded(text)
        place: dict[str, Any] = {"project_id": project_id, "needle": needle, "position": before}
        return await self._views(partial(_hit, needle), _SEARCH, **place, count=positive("count", count))

    @cached("conversations.count", tags=rows_of(PROJECT))
    async def count(self, project_id: str) -> int:
        """How many messages there are. Raises ProjectNotFoundError."""
        count = await self._value(_COUNT, project_id=project_id)
        if count is None:
            raise ProjectNotFoundError(project_id)
        return int(count)

    async def count_by_type(self, project_id: str) -> dict[str, int]:
        """How many messages there are of each type that there is any of; it costs more the longer the conversation."""
        return {row.type: row.number for row in await self._rows(_COUNT_BY_TYPE, project_id=project_id)}

    async def export(self, project_id: str, batch: int = EXPORT_BATCH) -> AsyncIterator[Message]:
        """Every message, in order, read `batch` at a time: a long conversation never lies in memory as a whole."""
        position = BEGINNING
        while True:
            page = await self.after(project_id, position, batch)
            for message in page:
                yield message
            if len(page) < batch:
                return
            position = page[-1].position


class ConversationRepository(ConversationReads):
    """Reads and writes of conversations, inside a unit of work."""

    async def append(self, project_id: str, message: NewMessage) -> Message:
        """Put one message at the end. Raises ProjectNotFoundError."""
        return (await self.append_many(project_id, [message]))[0]

    async def append_many(self, project_id: str, messages: Iterable[NewMessage]) -> tuple[Message, ...]:
        """Put messages at the end, in order, without a gap. The project's `version` stays; its `updated_at` moves.

        Costs the same at any length. Two writers at once both keep their messages: the counter of the project hands out
        the positions. Raises ProjectNotFoundError.
        """
        drafts = tuple(messages)
        if not drafts:
            return ()
        at = now()
        length = await self._value(_MAKE_ROOM, project_id=project_id, count=len(drafts), at=at)
        if length is None:
            raise ProjectNotFoundError(project_id)
        first = length - len(drafts)
        appended: list[Message] = []
        with self._spoiling():
            for start in range(0, len(drafts), AT_ONCE):
                batch = enumerate(drafts[start : start + AT_ONCE], first + start)
                rows = [_as_row(project_id, position, draft, at) for position, draft in batch]
                await self._write_many(_INSERT, rows)
                appended += (_message(tuple(row.values())) for row in rows)
                if start + AT_ONCE < len(drafts):
                    await asyncio.sleep(0)
        return tuple(appended)


def _as_row(project_id: str, position: int, draft: NewMessage, at: datetime) -> dict[str, Any]:
    """The columns in the order of the view's fields."""
    return {
        "project_id": project_id,
        "position": position,
        "type": draft.type,
        "content": draft.content,
        "timestamp": utc(draft.timestamp) or at,
        "phase": draft.phase,
        "author": draft.author,
        "question_number": draft.question_number,
        "extra": plain_dict("extra", draft.extra),
    }


def _hit(needle: str, row: Row[Any]) -> MessageHit:
    message = _message(row)
    return MessageHit(message, snippet(message.content, needle))
