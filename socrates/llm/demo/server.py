"""The model server that is started and stopped."""

import threading
from functools import partial
from types import TracebackType

from socrates.llm.demo.answers import demo_reply
from socrates.llm.demo.connections import Connections
from socrates.llm.demo.handler import Handler
from socrates.llm.demo.protocol import ModelRequest, Replier
from socrates.llm.demo.tokens import PrefixCache
from socrates.llm.demo.traffic import Traffic

_POLL = 0.02
"""Seconds between two looks of the listening thread at whether it is to end."""


class ModelServer:
    """Answers POST /v1/messages at `url` by `reply`, from entering the context to leaving it.

    `reply` is called in the connections' threads, several at once. Of the well-formed requests the `keep` newest are
    kept. `least_cached` is the number of tokens from which on a prefix goes into the prompt cache. `port`:
    0 takes a free one.
    """

    def __init__(self, reply: Replier = demo_reply, *, keep: int = 256, least_cached: int = 0, port: int = 0) -> None:
        self._traffic = Traffic(keep)
        self._port = port
        self._handler = partial(Handler, reply, PrefixCache(least_cached), self._traffic)
        self._connections: Connections | None = None
        self._listener: threading.Thread | None = None

    def __enter__(self) -> "ModelServer":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on the loopback interface.

        Raises:
            RuntimeError: it runs already.
            OSError: the port is taken.
        """
        if self._connections is not None:
            raise RuntimeError("the model server runs already")
        self._connections = Connections(self._handler, self._port)
        self._listener = threading.Thread(
            target=self._connections.serve_forever, args=(_POLL,), name="model-server", daemon=True
        )
        self._listener.start()

    def stop(self) -> None:
        """End everything at once, also answers under way; no thread and no socket is left. Harmless when stopped."""
        if self._connections is None or self._listener is None:
            return
        self._connections.shutdown()
        self._listener.join()
        self._connections.close_all()
        self._connections = self._listener = None

    @property
    def url(self) -> str:
        """The base URL for a client.

        Raises:
            RuntimeError: it does not run.
        """
        if self._connections is None:
            raise RuntimeError("the model server does not run")
        return f"http://127.0.0.1:{self._connections.server_port}"

    @property
    def requests(self) -> list[ModelRequest]:
        """The newest well-formed requests, the oldest first."""
        return self._traffic.requests

    @property
    def most_at_once(self) -> int:
        """The highest number of requests that were at work at one moment."""
        return self._traffic.most_at_once

    @property
    def answered(self) -> int:
        """How many replies were sent to their end, failures too."""
        return self._traffic.answered
