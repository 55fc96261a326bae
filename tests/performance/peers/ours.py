"""Our worker. Its argument is SQLite's `synchronous`, or nothing for the default."""

import sqlite3
import sys
from collections.abc import Sequence

import sqlalchemy

from socrates import NewMessage, Store, bypassed
from socrates.config import Settings
from socrates.views import Message
from tests.performance.peers.serving import serve

USER = "ada"
WORDS = {1: "NORMAL", 2: "FULL"}


class Ours:
    """One store; a conversation is that of a project."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def open(self, path: str) -> None:
        self._store = await Store.open(path, self._settings)

    async def close(self) -> None:
        await self._store.close()

    async def fill(self, conversation: str, texts: Sequence[str]) -> None:
        async with self._store.begin() as unit:
            await unit.projects.create("Library", USER, project_id=conversation)
            await unit.conversations.append_many(conversation, [_message(text) for text in texts])

    async def append(self, conversation: str, text: str) -> None:
        async with self._store.begin() as unit:
            await unit.conversations.append(conversation, _message(text))

    async def last(self, conversation: str, count: int) -> Sequence[Message]:
        with bypassed():
            return await self._store.conversations.last(conversation, count)

    async def again(self, conversation: str, count: int) -> Sequence[Message]:
        return await self._store.conversations.last(conversation, count)

    def text(self, message: Message) -> str:
        return message.content

    async def settings(self) -> dict[str, str]:
        async with self._store._engines.writer.connect() as connection:
            journal = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar_one()
            synchronous = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one()
        versions = f"SQLite {sqlite3.sqlite_version}, SQLAlchemy {sqlalchemy.__version__}"
        return {"journal_mode": journal, "synchronous": WORDS[synchronous], "versions": versions}


def _message(text: str) -> NewMessage:
    return NewMessage("user", text, author=USER)


if __name__ == "__main__":
    chosen = {"sqlite_synchronous": sys.argv[1]} if len(sys.argv) > 1 else {}
    serve(lambda: Ours(Settings().model_copy(update=chosen)))
