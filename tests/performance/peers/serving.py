"""A worker: keeps a peer's conversations in one file, and does and times what it reads as lines of JSON.

Of each line, `do` names a method of Worker and the rest are its arguments. The answer is a line of JSON too; of what
failed it has `error`.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from gc import collect
from time import perf_counter, process_time
from typing import Any, Protocol

ANSWER = "Members lend books for four weeks, and children never pay a fine. " * 3
"""What every message says, before its number."""


class Peer(Protocol):
    """Somebody's way to keep conversations in an SQLite file, used as its documentation shows."""

    async def open(self, path: str) -> None:
        """Make or open the file, for as long as the process works."""

    async def close(self) -> None: ...

    async def fill(self, conversation: str, texts: Sequence[str]) -> None:
        """Make a conversation of these messages in one go."""

    async def append(self, conversation: str, text: str) -> None:
        """Store one message of the user's for good."""

    async def last(self, conversation: str, count: int) -> Sequence[Any]:
        """The last messages in their order, as the peer gives them, from the database."""

    async def again(self, conversation: str, count: int) -> Sequence[Any]:
        """The same, from a cache if there is one."""

    def text(self, message: Any) -> str: ...

    async def settings(self) -> dict[str, str]:
        """`journal_mode` and `synchronous` as SQLite says them on a connection that writes, and `versions`."""


class Worker:
    """Does the work by a peer. Where a method times something, the answer has `seconds`, of one call, and `cpu`, the
    seconds that the process computed for it in all its threads.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def open(self, path: str) -> dict[str, Any]:
        await self._peer.open(path)
        await self._peer.fill("warm-up", [numbered(0)])
        return {"settings": await self._peer.settings()}

    async def close(self) -> dict[str, Any]:
        await self._peer.close()
        return {}

    async def append(self, conversation: str, messages: int, times: int) -> dict[str, Any]:
        """Append to a new conversation of so many messages; `kept` are those that are there of `wanted`."""
        await self._peer.fill(conversation, [numbered(place) for place in range(messages)])
        await self._peer.append(conversation, numbered(messages))

        async def work() -> None:
            for place in range(times):
                await self._peer.append(conversation, numbered(messages + 1 + place))

        return await timed(work, times) | await self._kept([conversation], messages + 1 + times)

    async def last(self, conversation: str, messages: int, count: int, times: int, again: bool) -> dict[str, Any]:
        """Read the last messages of a new conversation."""
        await self._peer.fill(conversation, [numbered(place) for place in range(messages)])
        read = self._peer.again if again else self._peer.last
        found = await read(conversation, count)

        async def work() -> None:
            for _ in range(times):
                await read(conversation, count)

        right = [numbered(place) for place in range(messages)][-count:]
        kept = sum(self._peer.text(one) == text for one, text in zip(found, right, strict=False))
        return await timed(work, times) | {"kept": kept, "wanted": len(right)}

    async def tasks(self, conversations: list[str], tasks: int, each: int) -> dict[str, Any]:
        """Append from so many tasks at once, who share out the conversations; the time is that of all together."""
        for name in conversations:
            await self._peer.fill(name, [numbered(0)])

        async def one(number: int) -> None:
            for place in range(each):
                await self._peer.append(conversations[number % len(conversations)], numbered(number * each + place))

        async def work() -> None:
            await asyncio.gather(*(one(number) for number in range(tasks)))

        return await timed(work) | await self._kept(conversations, 1 + tasks * each // len(conversations))

    async def start(self, path: str, conversation: str) -> dict[str, Any]:
        """Open a file that nobody has opened, or several do at once, and store the first message.

        `whole_cpu` is what the process has computed since it began.
        """

        async def work() -> None:
            await self._peer.open(path)
            await self._peer.fill(conversation, [numbered(0)])

        return await timed(work) | {"whole_cpu": process_time()} | await self._kept([conversation], 1)

    async def _kept(self, conversations: Sequence[str], each: int) -> dict[str, int]:
        kept = [len(await self._peer.last(name, 2 * each)) for name in conversations]
        return {"kept": sum(kept), "wanted": each * len(conversations)}


def numbered(number: int) -> str:
    """The text of a message."""
    return f"{ANSWER}({number})"


async def timed(work: Callable[[], Awaitable[None]], calls: int = 1) -> dict[str, float]:
    """What one of so many calls takes: `seconds`, and `cpu`."""
    collect()
    began, computed = perf_counter(), process_time()
    await work()
    return {"seconds": (perf_counter() - began) / calls, "cpu": (process_time() - computed) / calls}


def serve(make: Callable[[], Peer]) -> None:
    """Answer the lines of standard input until it ends. The peer is made inside the event loop."""

    async def made() -> Worker:
        return Worker(make())

    with asyncio.Runner() as runner:
        worker = runner.run(made())
        say({"ready": True})
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                say(runner.run(getattr(worker, asked.pop("do"))(**asked)))
            except Exception as error:  # noqa: BLE001 - a peer may fail in its own ways, which is a finding
                say({"error": f"{type(error).__name__}: {error}"[:300]})


def say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
