"""The worker of openai-agents' SQLiteSession: one object per conversation, all on one file."""

import sqlite3
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from agents import SQLiteSession

from tests.performance.peers.serving import serve

WORDS = {1: "NORMAL", 2: "FULL"}


class OpenAISQLite:
    """A conversation is a session, which opens a connection for each thread that works for it."""

    def __init__(self) -> None:
        self._sessions: dict[str, SQLiteSession] = {}

    async def open(self, path: str) -> None:
        self._path = path

    async def close(self) -> None:
        for session in self._sessions.values():
            session.close()

    async def fill(self, conversation: str, texts: Sequence[str]) -> None:
        self._sessions[conversation] = session = SQLiteSession(conversation, self._path)
        await session.add_items([_item(text) for text in texts])

    async def append(self, conversation: str, text: str) -> None:
        await self._sessions[conversation].add_items([_item(text)])

    async def last(self, conversation: str, count: int) -> Sequence[Any]:
        return await self._sessions[conversation].get_items(limit=count)

    again = last

    def text(self, message: Any) -> str:
        return str(message["content"])

    async def settings(self) -> dict[str, str]:
        session = next(iter(self._sessions.values()))
        with session._locked_connection() as connection:
            (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
            (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
        versions = f"openai-agents {version('openai-agents')}, SQLite {sqlite3.sqlite_version}"
        return {"journal_mode": journal, "synchronous": WORDS[synchronous], "versions": versions}


def _item(text: str) -> Any:
    return {"role": "user", "content": text}


if __name__ == "__main__":
    serve(OpenAISQLite)
