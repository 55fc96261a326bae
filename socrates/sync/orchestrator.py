"""`sync.Orchestrator`."""

import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from pydantic import SecretStr

from socrates.config import Settings
from socrates.sync.blocking import Opened
from socrates.sync.loop import LoopThread

if TYPE_CHECKING:  # it takes a while to load, and not everybody asks agents
    from socrates import orchestrator
    from socrates.agents.contracts.base import Request, Response
    from socrates.events import Emitter
    from socrates.knowledge.embedder import Embedder
    from socrates.llm.provider import Provider

_END = object()


class Orchestrator(Opened):
    """The Socratic system for synchronous code: `socrates.orchestrator.Orchestrator`. Threads may share one."""

    def __init__(self, inner: "orchestrator.Orchestrator", loop: LoopThread) -> None:
        """Use `Orchestrator.open`."""
        super().__init__(inner, loop)
        self._closing = threading.Lock()

    @classmethod
    def open(
        cls,
        database: str | Path | None = None,
        settings: Settings | None = None,
        *,
        emitter: "Emitter | None" = None,
        knowledge: bool | None = None,
        embedder: "Embedder | None" = None,
        key: SecretStr | None = None,
        providers: "Mapping[str, Provider] | None" = None,
    ) -> Self:
        """Open a system as the other `Orchestrator.open` does, and start its thread."""
        from socrates.orchestrator import Orchestrator as System  # noqa: PLC0415 - as above

        async def opened() -> System:
            return await System.open(
                database,
                settings,
                emitter=emitter,
                knowledge=knowledge,
                embedder=embedder,
                key=key,
                providers=providers,
            )

        loop = LoopThread()
        try:
            return cls(loop.run(opened()), loop)
        except BaseException:
            loop.stop()
            raise

    def process_request(
        self,
        agent: str,
        request: "Request | Mapping[str, Any]",
        *,
        on_piece: Callable[[str], object] | None = None,
        timeout: float | None = None,
        correlation_id: str | None = None,
    ) -> "Response":
        """Have an agent answer a request, as the other `process_request` does.

        `on_piece` is called in this thread. Where it raises, or this thread is interrupted, the request is cancelled.
        """
        from socrates.events import correlation_id as current_id  # noqa: PLC0415 - as above

        named = {"timeout": timeout, "correlation_id": correlation_id or current_id()}
        if on_piece is None:
            response: Response = self._loop.run(self._inner.process_request(agent, request, **named))
            return response
        pieces: SimpleQueue[Any] = SimpleQueue()

        async def put(piece: str) -> None:
            pieces.put(piece)

        asked = self._inner.process_request(agent, request, on_piece=put, **named)
        return self._shown(asked, pieces, on_piece)

    def _shown(
        self, asked: "Coroutine[Any, Any, Response]", pieces: "SimpleQueue[Any]", on_piece: Callable[[str], object]
    ) -> "Response":
        """The response, after every piece has been handed out here."""
        job = self._loop.job(asked)
        job.ended.add_done_callback(lambda _: pieces.put(_END))
        self._loop.start(job)
        try:
            while (piece := pieces.get()) is not _END:
                on_piece(piece)
            return job.result()
        finally:
            job.cancel()

    def close(self) -> None:
        """Wait for requests that are under way as the setting `close_timeout` says, close all, and end the thread.

        Closing twice does nothing; who closes while another thread does waits for it.
        """
        with self._closing:
            if self._loop.running:
                try:
                    self._loop.run(self._inner.aclose())
                finally:
                    self._loop.stop()
