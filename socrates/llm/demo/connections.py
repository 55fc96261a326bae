"""An HTTP server with a thread for each connection that can end them all at once."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import SHUT_RDWR, socket
from typing import Any

_log = logging.getLogger("socrates.llm.demo")


class Connections(HTTPServer):
    """Listens on the loopback interface, at a free port for 0.

    The standard library's ThreadingHTTPServer either waits for clients to hang up or leaves its threads behind.
    """

    request_queue_size = 512  # hundreds of clients may connect at the same moment

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler], port: int) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._threads: dict[threading.Thread, socket] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a new connection in a thread of its own."""
        self._threads = {thread: known for thread, known in self._threads.items() if thread.is_alive()}
        thread = threading.Thread(
            target=self._serve, args=(request, client_address), name="model-server-connection", daemon=True
        )
        self._threads[thread] = request
        thread.start()

    def close_all(self) -> None:
        """Close every connection, wait for the threads, and close the listening socket; after `shutdown`."""
        for connection in self._threads.values():
            with suppress(OSError):  # its thread or its client was faster
                connection.shutdown(SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self.server_close()

    def _serve(self, connection: socket, client_address: Any) -> None:
        try:
            self.finish_request(connection, client_address)
        except ConnectionError as gone:
            _log.debug("a client is gone: %s", gone)
        finally:
            self.shutdown_request(connection)
