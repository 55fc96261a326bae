"""A model server in a test, with replies that the test names."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from socrates.llm.demo.answers import demo_reply
from socrates.llm.demo.protocol import Failure, ModelRequest, Replier, Reply
from socrates.llm.demo.server import ModelServer

MARK = "1f3a9c0e5b7d2468"
"""For the tags of data blocks in messages that a test writes by itself."""

OVERLOADED = Failure(529, "overloaded_error", "too many")


class ScriptedModel:
    """A reply function: first the replies of `script` in their order, then `by_task`, then `fallback`.

    Replies can be added to `script` at any time.
    """

    def __init__(
        self, script: Iterable[Reply] = (), by_task: Mapping[str, Reply] | None = None, fallback: Replier = demo_reply
    ) -> None:
        self.script = list(script)
        self.by_task = dict(by_task or {})
        if any(isinstance(reply, str) for reply in (*self.script, *self.by_task.values())):
            raise TypeError("a reply is an Answer, a Failure or another Reply; of a text make an Answer")
        self._fallback = fallback
        self._lock = threading.Lock()

    def __call__(self, request: ModelRequest) -> Reply:
        with self._lock:
            if self.script:
                return self.script.pop(0)
        if request.task in self.by_task:
            return self.by_task[request.task]
        return self._fallback(request)


class AtWork:
    """A reply function that takes so many seconds for each reply of another, and counts how many it works on at once.

    A server's own count goes on until the answer is sent, and a client that has it may be ahead with its next request.
    """

    def __init__(self, reply: Replier, seconds: float) -> None:
        self.most = 0
        self._reply = reply
        self._seconds = seconds
        self._now = 0
        self._lock = threading.Lock()

    def __call__(self, request: ModelRequest) -> Reply:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(self._seconds)
        with self._lock:
            self._now -= 1
        return self._reply(request)


@contextmanager
def serving(*script: Reply, by_task: Mapping[str, Reply] | None = None) -> Iterator[ModelServer]:
    """A server that gives the replies of `script`, then those of `by_task`, then the demo's answers."""
    with ModelServer(ScriptedModel(script, by_task)) as server:
        yield server


def message_with(mark: str = MARK, /, **blocks: str) -> str:
    """A user message with these data blocks, in the form in which the prompts have them."""
    tags = [f"<{name} {mark}>\n{text}\n</{name} {mark}>" for name, text in blocks.items()]
    return "\n".join([f"The data of this message stands between tags that carry the mark {mark}.", *tags])


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds; an error after twenty seconds, for what takes a few milliseconds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - it is told by the server's threads, which know no event of the loop
            await asyncio.sleep(0.01)
