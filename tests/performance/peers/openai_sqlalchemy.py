"""The worker of openai-agents' SQLAlchemySession: sessions that share one engine, which makes its tables."""

import sqlite3
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import sqlalchemy
from agents.extensions.memory import SQLAlchemySession
from sqlalchemy.ext.asyncio import create_async_engine

from tests.performance.peers.serving import serve

WORDS = {1: "NORMAL", 2: "FULL"}


class OpenAISQLAlchemy:
    """One engine; a conversation is a session."""

    def __init__(self) -> None:
        self._sessions: dict[str, SQLAlchemySession] = {}

    async def open(self, path: str) -> None:
        self._engine = create_async_engine(f"sqlite+aiosqlite:///{path}")

    async def close(self) -> None:
        await self._engine.dispose()

    async def fill(self, conversation: str, texts: Sequence[str]) -> None:
        session = SQLAlchemySession(conversation, engine=self._engine, create_tables=True)
        self._sessions[conversation] = session
        await session.add_items([_item(text) for text in texts])

    async def append(self, conversation: str, text: str) -> None:
        await self._sessions[conversation].add_items([_item(text)])

    async def last(self, conversation: str, count: int) -> Sequence[Any]:
        return await self._sessions[conversation].get_items(limit=count)

    again = last

    def text(self, message: Any) -> str:
        return str(message["content"])

    async def settings(self) -> dict[str, str]:
        async with self._engine.connect() as connection:
            journal = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar_one()
            synchronous = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one()
        versions = (
            f"openai-agents {version('openai-agents')}, SQLite {sqlite3.sqlite_version}, "
            f"SQLAlchemy {sqlalchemy.__version__}"
        )
        return {"journal_mode": journal, "synchronous": WORDS[synchronous], "versions": versions}


def _item(text: str) -> Any:
    return {"role": "user", "content": text}


if __name__ == "__main__":
    serve(OpenAISQLAlchemy)
