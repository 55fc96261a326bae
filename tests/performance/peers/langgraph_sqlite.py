"""The worker of LangGraph's AsyncSqliteSaver, beneath a graph whose state are messages.

A message is added by `aupdate_state`, which stores one checkpoint; a run of the graph would store more than one.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph

from tests.performance.peers.serving import serve

WORDS = {1: "NORMAL", 2: "FULL"}
NODE = "tutor"


class LangGraph:
    """One connection; a conversation is a thread."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._builder = StateGraph(MessagesState)
        self._builder.add_node(NODE, lambda _state: {})
        self._builder.add_edge(START, NODE)

    async def open(self, path: str) -> None:
        self._saver = await self._stack.enter_async_context(AsyncSqliteSaver.from_conn_string(path))
        self._graph = self._builder.compile(checkpointer=self._saver)

    async def close(self) -> None:
        await self._stack.aclose()

    async def fill(self, conversation: str, texts: Sequence[str]) -> None:
        await self._add(conversation, texts)

    async def append(self, conversation: str, text: str) -> None:
        await self._add(conversation, [text])

    async def _add(self, conversation: str, texts: Sequence[str]) -> None:
        messages = [HumanMessage(text) for text in texts]
        await self._graph.aupdate_state(_config(conversation), {"messages": messages}, as_node=NODE)

    async def last(self, conversation: str, count: int) -> Sequence[Any]:
        state = await self._graph.aget_state(_config(conversation))
        return list(state.values["messages"][-count:])

    again = last

    def text(self, message: Any) -> str:
        return str(message.content)

    async def settings(self) -> dict[str, str]:
        answers = []
        for pragma in ("journal_mode", "synchronous"):
            async with self._saver.conn.execute(f"PRAGMA {pragma}") as cursor:
                answers.append(next(iter(await cursor.fetchall()))[0])
        versions = (
            f"langgraph {version('langgraph')}, langgraph-checkpoint-sqlite {version('langgraph-checkpoint-sqlite')}, "
            f"SQLite {sqlite3.sqlite_version}"
        )
        return {"journal_mode": str(answers[0]), "synchronous": WORDS[answers[1]], "versions": versions}


def _config(conversation: str) -> Any:
    return {"configurable": {"thread_id": conversation}}


if __name__ == "__main__":
    serve(LangGraph)
